"""A real PostgreSQL of the tests' own; ``PG_BIN`` names the ``bin`` folder of another version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.postgres_server import running


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield the SQLAlchemy URL (psycopg 3, TCP) of an empty database with all rights."""
    with running() as url:
        yield url
