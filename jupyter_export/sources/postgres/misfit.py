"""A value that its column's type cannot hold."""

from __future__ import annotations


class Misfit(Exception):
    """Says what of the column does not fit, as the end of a sentence: “has infinity”."""


class IntervalOverflow(Exception):
    """An interval that no count of nanoseconds holds: infinity, or hours of 292 years and more."""
