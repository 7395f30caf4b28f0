"""SQLite: the file, opened only to be read, and the types that its tables declare.

SQLite has no dates, booleans or decimals: a declared type is a wish (https://sqlite.org/datatype3.html).
A table's column arrives as what it declares where all of its values are that, as SQLAlchemy and
pandas would show it, and as what is stored otherwise. A query's columns arrive as they are stored.
"""

from __future__ import annotations

import decimal
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ...errors import ConnectionFailed
from . import inspecting
from .columns import UNTOLD, Convert, Told
from .kinds import Kind

_ATTACH, _DETACH, _PRAGMA, _TRANSACTION, _SAVEPOINT = 24, 25, 19, 22, 32
"""Codes of what a statement wants to do (https://sqlite.org/c3ref/c_alter_table.html)."""


class Sqlite(Kind):
    point_in_time = True

    def engine(self) -> sa.Engine:
        kind = self.url.get_dialect()
        driver: Any = kind.import_dbapi()
        arguments, options = kind().create_connect_args(self.url)
        name, options = str(arguments[0]), {**options, **self.connection.options}
        if self.url.get_driver_name() == "pysqlite":
            # "rw", not the default: a file that is not there is never made
            mode = "ro" if self.connection.read_only else "rw"
            if options.get("uri"):
                if "mode=" not in name and ":memory:" not in name:
                    name += f"{'&' if '?' in name else '?'}mode={mode}"
            elif name != ":memory:":
                if not Path(name).is_file():
                    raise ConnectionFailed(
                        f"The connection {self.connection.name} cannot be opened: "
                        "there is no such file."
                    )
                name = f"file:{quote(str(Path(name).absolute()))}?mode={mode}"
                options["uri"] = True
            # the transaction is ours: the driver would begin one only before writing
            options.update(check_same_thread=False, isolation_level=None)
        return sa.create_engine(
            self.url,
            poolclass=sa.pool.NullPool,
            creator=lambda: driver.connect(name, **options),
        )

    def begin(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")
        # only a read begins the snapshot (https://sqlite.org/isolation.html)
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").close()
        if self.connection.read_only:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        raw: Any = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            raw.set_authorizer(_allowed)

    def end(self, connection: sa.Connection, *, commit: bool) -> None:
        raw: Any = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            raw.set_authorizer(lambda *_: sqlite3.SQLITE_OK)
        super().end(connection, commit=commit)

    def options(self) -> dict[str, Any]:
        return {}

    def nothing_of(self, source: str) -> str:
        return f"SELECT * FROM {source} LIMIT 0"

    def declared(
        self, connection: sa.Connection, table: str, schema: str | None
    ) -> dict[str, Told]:
        found = connection.execute(
            sa.text("SELECT name, type FROM pragma_table_xinfo(:name, :schema)"),
            {"name": table, "schema": schema or "main"},
        )
        return {name: _declared(kind or "") for name, kind in found}

    def estimate_table(
        self, connection: sa.Connection, table: str, schema: str | None
    ) -> int | None:
        counted = _counted(connection).get(table) if schema in (None, "main") else None
        if counted is not None:
            return counted
        source = sa.table(sa.sql.quoted_name(table, True), schema=schema)
        try:
            found = connection.execute(sa.select(sa.text("max(rowid)")).select_from(source))
            highest = found.scalar()
        except sa.exc.DBAPIError:  # a view, or a table WITHOUT ROWID
            return None
        return highest if isinstance(highest, int) and highest >= 0 else None

    def tables(self, connection: sa.Connection) -> list[dict[str, Any]]:
        found = connection.exec_driver_sql(
            "SELECT 'main', m.name, c.name, c.type, m.type FROM sqlite_master AS m "
            "JOIN pragma_table_xinfo(m.name, 'main') AS c "
            "WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND c.hidden <> 1 ORDER BY m.name, c.cid"
        ).all()
        views = {("main", name) for _, name, _, _, kind in found if kind == "view"}
        counted: dict[tuple[str | None, str], int | None] = {
            ("main", name): rows for name, rows in _counted(connection).items()
        }
        return inspecting.gathered([each[:4] for each in found], views, counted)

    def cancelled(self, error: BaseException) -> bool:
        return "interrupted" in str(getattr(error, "orig", None) or error)


def _counted(connection: sa.Connection) -> dict[str, int]:
    """Return what ANALYZE has counted (https://sqlite.org/fileformat2.html#stat1tab)."""
    try:
        found = connection.exec_driver_sql("SELECT tbl, stat FROM main.sqlite_stat1").all()
    except sa.exc.DBAPIError:  # nobody has analyzed it
        return {}
    firsts = [(table, str(stat).split(" ", 1)[0]) for table, stat in found]
    return {table: int(first) for table, first in firsts if first.isdigit()}


def _allowed(action: int, first: str | None, second: str | None, *_: object) -> int:
    """Refuse what would lead out of the transaction or to another file."""
    if action in (_ATTACH, _DETACH, _TRANSACTION, _SAVEPOINT):
        return sqlite3.SQLITE_DENY
    if action == _PRAGMA and second is not None and (first or "").lower() == "query_only":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


# ------------------------------------------------------------------ declared types


def _declared(kind: str) -> Told:
    """Return what a declared type asks for; the rules of affinity where it is no type of SQL."""
    name = re.split(r"[ (]", kind.strip().upper(), maxsplit=1)[0]
    if name in ("BOOLEAN", "BOOL"):
        return Told(pa.bool_(), _booleans, UNTOLD, native=sa.Boolean())
    if name == "DATE":
        return Told(pa.date32(), _dates, UNTOLD, native=sa.Date())
    if name in ("DATETIME", "TIMESTAMP"):
        return Told(pa.timestamp("us"), _moments, UNTOLD, native=sa.DateTime())
    if name == "TIME":
        return Told(pa.time64("us"), _times, UNTOLD, native=sa.Time())
    digits = re.fullmatch(r"(?:DECIMAL|NUMERIC|DEC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", kind, re.I)
    if digits and int(digits[2] or 0) <= int(digits[1]) <= 38:
        precision, scale = int(digits[1]), int(digits[2] or 0)
        wished = pa.decimal128(precision, scale)
        return Told(wished, _decimals(wished), UNTOLD, native=sa.Numeric(precision, scale))
    return _by_affinity(kind.upper())


def _by_affinity(kind: str) -> Told:
    """https://sqlite.org/datatype3.html#determination_of_column_affinity"""
    if "INT" in kind:
        return Told(pa.int64(), _only(pa.int64(), int), UNTOLD, native=sa.BigInteger())
    if any(part in kind for part in ("CHAR", "CLOB", "TEXT")):
        return Told(pa.string(), _only(pa.string(), str), UNTOLD, native=sa.Text())
    if "BLOB" in kind:
        return Told(pa.binary(), _only(pa.binary(), bytes), UNTOLD, native=sa.LargeBinary())
    if any(part in kind for part in ("REAL", "FLOA", "DOUB")):
        return Told(pa.float64(), _only(pa.float64(), float), UNTOLD, native=sa.Double())
    return UNTOLD


def _only(wished: pa.DataType, *accepted: type) -> Convert:
    def convert(values: Sequence[Any]) -> pa.Array:
        _require(values, *accepted)
        return pa.array(values, wished)

    return convert


def _require(values: Sequence[Any], *accepted: type) -> None:
    for found in {type(value) for value in values}:
        if found not in accepted and found is not type(None):
            raise TypeError(found.__name__)


def _booleans(values: Sequence[Any]) -> pa.Array:
    _require(values, int)
    if not {0, 1, None}.issuperset(values):
        raise ValueError("neither 0 nor 1")
    return pa.array(values, pa.int64()).cast(pa.bool_())


def _matching(values: Sequence[Any], pattern: str) -> pa.Array:
    _require(values, str)
    texts = pa.array(values, pa.string())
    if pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py() is False:
        raise ValueError("another form")
    return texts


def _dates(values: Sequence[Any]) -> pa.Array:
    return _matching(values, r"\A\d{4}-\d\d-\d\d\z").cast(pa.date32())


def _moments(values: Sequence[Any]) -> pa.Array:
    texts = _matching(values, r"\A\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\z")
    return texts.cast(pa.timestamp("us"))


def _times(values: Sequence[Any]) -> pa.Array:
    texts = _matching(values, r"\A\d\d:\d\d(:\d\d(\.\d{1,6})?)?\z")
    # Arrow reads no times, and those of the first day are the same
    moments = pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp("us"))
    return moments.cast(pa.time64("us"))


def _decimals(wished: pa.DataType) -> Convert:
    def convert(values: Sequence[Any]) -> pa.Array:
        _require(values, int, float)
        # the shortest text of a double is the number that was meant (15 digits are exact)
        return pa.array(
            [None if v is None else decimal.Decimal(repr(v))
             for v in values],
            wished,
        )  # fmt: skip

    return convert
