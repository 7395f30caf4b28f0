"""Exports from real databases, through the real pipeline."""

from __future__ import annotations

from ..pipeline.conftest import Bench, bench

__all__ = ["Bench", "bench"]
