"""Fixtures of all tests."""

from __future__ import annotations

from .postgres_server import postgres_url

__all__ = ["postgres_url"]
