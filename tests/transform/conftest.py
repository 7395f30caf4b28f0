"""A connection to the real PostgreSQL, rolled back after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ..pipeline.conftest import bench
from .both import Both
from .rows import TABLE

__all__ = ["bench"]


@pytest.fixture(scope="session")
def postgres(postgres_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def both(postgres: sa.Engine) -> Iterator[Both]:
    """The rows of ``rows.TABLE`` in the engine and in PostgreSQL, whose session is in another
    time zone: nothing may depend on it."""
    with postgres.connect() as connection:
        connection.execute(sa.text("SET TIME ZONE 'Asia/Kolkata'"))
        made = Both(TABLE, connection)
        yield made
        made.engine.close()
        connection.rollback()
