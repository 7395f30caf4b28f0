"""Which pieces a dialect has, by SQLAlchemy's name of it."""

from __future__ import annotations

from .constructs import Constructs
from .constructs_engine import Engine
from .constructs_postgres import Postgres
from .constructs_some import MySql, Sqlite


def constructs_of(dialect: str) -> Constructs:
    """Return the pieces of ``duckdb`` (the engine too), ``postgresql``, … or plain SQL."""
    return _CONSTRUCTS.get(dialect, Constructs)(dialect)


_CONSTRUCTS: dict[str, type[Constructs]] = {
    "duckdb": Engine,
    "postgresql": Postgres,
    "sqlite": Sqlite,
    "mysql": MySql,
    "mariadb": MySql,
}
