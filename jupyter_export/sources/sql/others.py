"""Oracle and SQL Server, as their documentation describes them; no test of ours reaches them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from .failures import sqlstate
from .kinds import Kind


class Oracle(Kind):
    """A read-only transaction of Oracle sees one moment:
    https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/SET-TRANSACTION.html"""

    def begin(self, connection: sa.Connection) -> None:
        if self.connection.read_only:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            self.point_in_time = True

    def options(self) -> dict[str, Any]:
        return {}

    def estimate_table(
        self, connection: sa.Connection, table: str, schema: str | None
    ) -> int | None:
        found = connection.execute(
            sa.text(
                "SELECT num_rows FROM all_tables WHERE table_name = :name "
                "AND owner = coalesce(:schema, sys_context('USERENV', 'CURRENT_SCHEMA'))"
            ),
            {"name": table, "schema": schema},
        ).scalar()
        return None if found is None else int(found)

    def refused_login(self, error: BaseException) -> bool:
        return _code(error) in ("ORA-01017", "ORA-28000", "ORA-28001", "ORA-01045")

    def lost(self, error: BaseException) -> bool:
        return _code(error) in ("ORA-03113", "ORA-03114", "ORA-03135", "DPY-4011", "DPI-1010")

    def cancelled(self, error: BaseException) -> bool:
        return _code(error) == "ORA-01013"


def _code(error: BaseException) -> str:
    found = re.search(r"\b(?:ORA|DPY|DPI)-\d+", str(getattr(error, "orig", None) or error))
    return found[0] if found else ""


class Mssql(Kind):
    """SQL Server shows one moment where the database allows snapshots:
    https://learn.microsoft.com/en-us/sql/t-sql/statements/set-transaction-isolation-level-transact-sql"""

    # without MARS, a connection holds one open result
    several = False

    def begin(self, connection: sa.Connection) -> None:
        allowed = connection.exec_driver_sql(
            "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
        ).scalar()
        connection.rollback()  # no transaction can become a snapshot
        if allowed == 1:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
            self.point_in_time = True
        raw: Any = connection.connection.driver_connection
        if self.timeout and self.url.get_driver_name() == "pyodbc":
            raw.timeout = self.timeout

    def begin_again(self, connection: sa.Connection) -> None:
        """A statement that failed leaves the transaction as it was."""

    def options(self) -> dict[str, Any]:
        return {}

    def watches(self) -> bool:
        return self.timeout is not None and self.url.get_driver_name() != "pyodbc"

    def interrupter(self, connection: sa.Connection) -> Callable[[], None]:
        # pyodbc's own way is a method of the cursor that waits, and KILL is an administrator's
        return lambda: None

    def refused_login(self, error: BaseException) -> bool:
        return sqlstate(error) == "28000" or "Login failed" in str(error)

    def timed_out(self, error: BaseException) -> bool:
        return sqlstate(error) in ("HYT00", "HYT01")
