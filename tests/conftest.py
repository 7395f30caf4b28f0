"""Fixtures of all tests."""

from __future__ import annotations

import os

import hypothesis

from .mariadb_server import mariadb_url
from .postgres_server import postgres_url

__all__ = ["mariadb_url", "postgres_url"]

# a change is judged by the same examples each time; new ones are looked for where people work
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
