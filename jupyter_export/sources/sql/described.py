"""Tables and queries of a database, as they are known before their rows are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ..spool import Rows
from .columns import Columns, Told


@dataclass
class Described:
    """One relation, and how its rows can be had as they are."""

    key: str
    """What it is known by while the job lasts."""
    clause: sa.FromClause
    itself: sa.Executable
    """Selects its rows in their own order."""
    columns: Columns
    told: dict[str, Told]
    table: tuple[str, str | None] | None
    """(table, schema), where it is one."""
    opaque: bool = False
    """True: no statement can select from it; it runs by itself only, and once."""
    rows: Rows | None = field(default=None, repr=False)
    """All of its rows, which are read already as far as its types needed it."""


def native(told: Told, type: pa.DataType) -> sa.types.TypeEngine[Any]:
    """Return the type in SQL of a column whose values arrive as ``type``."""
    if told.native is not None:
        return told.native
    if pa.types.is_decimal(type):
        return sa.Numeric(type.precision, type.scale)
    if pa.types.is_timestamp(type):
        return sa.DateTime(timezone=type.tz is not None)
    simple = next((sql for test, sql in _NATIVE if test(type)), sa.types.NullType)
    return simple()


_NATIVE: tuple[tuple[Any, type[sa.types.TypeEngine[Any]]], ...] = (
    (pa.types.is_boolean, sa.Boolean),
    (pa.types.is_integer, sa.BigInteger),
    (pa.types.is_floating, sa.Double),
    (pa.types.is_string, sa.Text),
    (pa.types.is_binary, sa.LargeBinary),
    (pa.types.is_date, sa.Date),
    (pa.types.is_time, sa.Time),
)
