"""The same rows in the engine and in a real PostgreSQL, and what a dataset makes of them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from jupyter_export.engine.dialect import compiled
from jupyter_export.registry import Relation
from jupyter_export.spec import Dataset
from jupyter_export.transform.columns import names_of
from jupyter_export.transform.push import push
from jupyter_export.transform.statement import select_of

UTC = dt.timezone.utc
SQL_TYPES: dict[Any, Any] = {
    pa.int64(): sa.BigInteger(),
    pa.int32(): sa.Integer(),
    pa.int16(): sa.SmallInteger(),
    pa.float64(): sa.Double(),
    pa.float32(): sa.REAL(),
    pa.string(): sa.Text(),
    pa.bool_(): sa.Boolean(),
    pa.date32(): sa.Date(),
    pa.timestamp("us"): sa.DateTime(),
    pa.timestamp("us", "UTC"): sa.DateTime(timezone=True),
    pa.time64("us"): sa.Time(),
    pa.binary(): sa.LargeBinary(),
}


def sql_type(type_: pa.DataType) -> Any:
    if pa.types.is_decimal(type_):
        return sa.Numeric(type_.precision, type_.scale)
    return SQL_TYPES[type_]


def dataset(**steps: Any) -> Dataset:
    return Dataset.model_validate({"source": {"type": "upload", "id": "x"}, **steps})


class Both:
    """A table that both have."""

    def __init__(self, table: pa.Table, connection: sa.Connection, name: str = "rows") -> None:
        self.table = table
        self.connection = connection
        metadata = sa.MetaData()
        columns = [sa.Column(f.name, sql_type(f.type)) for f in table.schema]
        self.there = sa.Table(name, metadata, *columns, prefixes=["TEMPORARY"])
        self.there.create(connection)
        keys = [column.key for column in self.there.c]
        rows = [dict(zip(keys, row.values(), strict=True)) for row in table.to_pylist()]
        if rows:
            connection.execute(self.there.insert(), rows)
        self.engine = duckdb.connect()
        self.engine.execute("SET TimeZone = 'UTC'")
        self.engine.register("source", table)

    def in_engine(self, **steps: Any) -> list[tuple[Any, ...]]:
        source = sa.table("source", *(sa.column(f.name) for f in self.table.schema))
        made = dataset(**steps)
        statement = select_of(made, source, self.table.schema, "duckdb")
        sql, values = compiled(statement)
        found = self.engine.sql(sql, params=values).to_arrow_table()
        assert [c.name for c in statement.selected_columns] == names_of(made, self.table.schema)
        return [tuple(row.values()) for row in found.to_pylist()]

    def in_postgres(self, **steps: Any) -> list[tuple[Any, ...]]:
        pushed = push(dataset(**steps), Relation(self.there, self.table.schema), "postgresql")
        assert pushed.rest == dataset(), f"not all was pushed: {pushed.rest}"
        with self.connection.begin_nested():
            return [tuple(row) for row in self.connection.execute(pushed.statement)]

    def rows(self, **steps: Any) -> list[tuple[Any, ...]]:
        """Return the rows, which must be the same, and of the same types, in both."""
        one, two = self.in_engine(**steps), self.in_postgres(**steps)
        assert alike(one, two), f"engine {one!r}\npostgres {two!r}"
        return one

    def column(self, expression: str) -> list[Any]:
        """Return one expression over all rows, in their order."""
        return [
            row[0]
            for row in self.rows(
                computed=[{"name": "made", "expression": expression}],
                columns={"include": ["made"]},
                sort=[{"column": self.table.column_names[0]}],
            )
        ]


def alike(one: Any, two: Any) -> bool:
    """Tell whether two values are the same: doubles to their last digits, types exactly."""
    if isinstance(one, (list, tuple)) and not isinstance(one, pa.MonthDayNano):
        return len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, Mapping):
        return one.keys() == two.keys() and all(alike(one[k], two[k]) for k in one)
    if isinstance(one, pa.MonthDayNano) and isinstance(two, dt.timedelta):
        days = (30 * one.months + one.days) * 86_400_000_000
        return days * 1000 + one.nanoseconds == two // dt.timedelta(microseconds=1) * 1000
    if isinstance(one, Decimal) and isinstance(two, Decimal):
        return one == two and one.as_tuple().exponent == two.as_tuple().exponent
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        if math.isnan(one) or math.isnan(two):
            return math.isnan(one) and math.isnan(two)
        return math.isclose(one, two, rel_tol=1e-13, abs_tol=1e-300)
    return bool(one == two)
