"""The engine's SQL as a dialect of SQLAlchemy, so that one statement is built for every database.

DuckDB's grammar is PostgreSQL's; only what differs is said here. No driver stands behind it: it
compiles statements, and ``compiled`` gives what the engine's own ``execute`` takes.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.elements import quoted_name


class EngineDialect(PGDialect):
    """DuckDB. Values are bound at ``?``."""

    name = "duckdb"
    supports_statement_cache = False

    def __init__(self) -> None:
        super().__init__(paramstyle="qmark")  # type: ignore[no-untyped-call]


DIALECT = EngineDialect()


def compiled(statement: sa.sql.ClauseElement) -> tuple[str, list[Any]]:
    """Return the SQL of ``statement`` for the engine, and the values of its ``?`` in order."""
    made: Any = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    return str(made), [made.params[name] for name in made.positiontup or ()]


def name(text: str) -> quoted_name:
    """Return an identifier that is quoted always: no keyword, case or dot changes its meaning."""
    return quoted_name(text, True)
