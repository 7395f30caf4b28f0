"""What databases do each in their own way, as one class for each; this is what all have in common.

A database that has no class of its own is read as ``Kind`` says: in a transaction that is rolled
back, with the types that its cursor tells, without a promise of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ...registry import Connection
from . import inspecting
from .columns import Told
from .driver_types import driver_types
from .failures import sqlstate


class Kind:
    """How one database is opened, kept still, asked, interrupted and understood."""

    point_in_time: bool = False
    """Known for sure after ``begin``."""
    several: ClassVar[bool] = True
    """False: the driver holds one open result at a time."""
    describes: ClassVar[bool] = False
    """True: ``told`` is exact before a row is read, so a result is opened when it is read."""
    keeps_order: ClassVar[bool] = True
    """False: rows of a sorted query lose their order inside another query."""

    def __init__(self, connection: Connection, url: sa.URL) -> None:
        self.connection = connection
        self.url = url
        self.timeout = connection.statement_timeout

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        return (SQLAlchemyError, *self.raw_errors())

    def raw_errors(self) -> tuple[type[Exception], ...]:
        """Return the driver's own base of errors, for rows that are read past SQLAlchemy."""
        try:
            module = self.url.get_dialect().import_dbapi()
        except (ImportError, SQLAlchemyError):
            return ()
        return tuple({module.Error, getattr(module, "Warning", module.Error)})

    # -------------------------------------------------------------- opening

    def engine(self) -> sa.Engine:
        """Return an engine that opens connections of our own, one at a time."""
        return sa.create_engine(
            self.url, poolclass=sa.pool.NullPool, connect_args=dict(self.connection.options)
        )

    def begin(self, connection: sa.Connection) -> None:
        """Begin the transaction: one moment, and nothing written, where the database can."""

    def begin_again(self, connection: sa.Connection) -> None:
        """Go on after a statement failed: some databases end the whole transaction with it."""
        if not self.point_in_time:
            connection.rollback()
            self.begin(connection)

    def end(self, connection: sa.Connection, *, commit: bool) -> None:
        """End the transaction."""
        if commit:
            connection.commit()
        else:
            connection.rollback()

    def interrupter(self, connection: sa.Connection) -> Callable[[], None]:
        """Return what ends a running statement from another thread, where the driver can."""
        raw = connection.connection.driver_connection
        for name in ("cancel_safe", "cancel", "interrupt"):
            cancel = getattr(raw, name, None)
            if callable(cancel):
                return cancel  # type: ignore[no-any-return]
        return lambda: None

    def watches(self) -> bool:
        """Tell whether the timeout is ours to keep, by ``interrupter``."""
        return self.timeout is not None

    # -------------------------------------------------------------- statements

    def options(self) -> dict[str, Any]:
        """Return the execution options of a statement whose rows are streamed."""
        return {"stream_results": True}

    def streaming(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """Hold while a statement is begun whose rows are streamed."""
        return nullcontext()

    def give_back(
        self, connection: sa.Connection, result: Any, interrupt: Callable[[], None]
    ) -> None:
        """Close a result that has rows left."""
        result.close()

    def abandon(self, connection: sa.Connection, interrupt: Callable[[], None]) -> None:
        """Give up a connection whose result was not read to its end."""
        connection.invalidate()

    def nothing_of(self, source: str) -> str:
        """Return SQL that describes ``source`` (what follows FROM) and reads no row of it."""
        return f"SELECT * FROM {source} WHERE 1 = 0"

    def sortable(self, query: str) -> str:
        """Return a sorted query so that it keeps its order inside another one."""
        return query

    def told(self, cursor: Any, description: Sequence[Sequence[Any]]) -> list[Told]:
        """Return what the cursor tells of each column's type."""
        return driver_types(cursor, description)

    def declared(
        self, connection: sa.Connection, table: str, schema: str | None
    ) -> dict[str, Told]:
        """Return what a table's definition tells of its columns, beyond what a cursor does."""
        return {}

    def estimate_table(
        self, connection: sa.Connection, table: str, schema: str | None
    ) -> int | None:
        """Return about how many rows a table has."""
        return None

    def estimate(self, connection: sa.Connection, statement: sa.Select[Any]) -> int | None:
        """Return about how many rows any other statement gives."""
        return None

    def still(self, connection: sa.Connection, table: str, schema: str | None) -> bool:
        """Tell whether the snapshot holds for this table too."""
        return self.point_in_time

    def tables(self, connection: sa.Connection) -> list[dict[str, Any]]:
        """Return what ``Database.tables`` does."""
        return inspecting.listed(connection, self.schemas(sa.inspect(connection)))

    def schemas(self, inspector: sa.Inspector) -> list[str | None]:
        """Return the schemas that a person looks for tables in."""
        try:
            names: list[str | None] = [*inspector.get_schema_names()]
        except (NotImplementedError, SQLAlchemyError):
            return [None]
        hidden = {"information_schema", "sys", "performance_schema", "mysql", "pg_catalog"}
        return [name for name in names if str(name).lower() not in hidden] or [None]

    # -------------------------------------------------------------- errors

    def refused_login(self, error: BaseException) -> bool:
        return sqlstate(error).startswith("28")

    def lost(self, error: BaseException) -> bool:
        return sqlstate(error).startswith("08")

    def cancelled(self, error: BaseException) -> bool:
        return sqlstate(error) in ("57014", "HY008")

    def timed_out(self, error: BaseException) -> bool:
        return False
