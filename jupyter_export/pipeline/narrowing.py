"""Followed relations as conditions that a database answers: a subquery, or the keys by value."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from .. import transform
from ..registry import Database, Relation
from ..spec import Columns, Dataset, TableSource
from ..transform.semijoin import FEW, KeySet

_FEWER = 1_000
"""Keys by value for databases that take no more values in a statement."""
_MANY_VALUES = ("postgresql", "sqlite")
_UNORDERED = ("duckdb",)
"""Databases that promise the order of their tables' rows, and lose it in such a condition: it is
run as a join. They run in this process, so that nothing travels."""
_BYTEWISE = ("postgresql", "sqlite")
"""Dialects in which texts are equal exactly where their characters are."""
_CALL = re.compile(r"\w\s*\(|current_|localtime", re.IGNORECASE)
_BARE = ("name", "source")


@dataclass(frozen=True)
class Condition:
    """A condition on the rows of a follower."""

    clause: sa.ColumnElement[bool]
    exact: bool
    """False: it may keep rows that do not belong, which are left out here."""
    cut: bool = False
    """True: it may leave out rows that belong, as a preview does."""


def by_subquery(
    column: sa.ColumnElement[Any], keys: Sequence[sa.Select[Any]], dialect: str
) -> Condition:
    """Return that ``column`` is one of the keys that statements select."""
    found: list[sa.Select[Any]] = []
    for each in keys:
        (key,) = each.subquery().c
        found.append(sa.select(_as_text(key, dialect) if _is_text(column.type) else key))
    if _is_text(column.type):
        column = _as_text(column, dialect)
    return Condition(column.in_(found[0] if len(found) == 1 else sa.union_all(*found)), True)


def _as_text(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """Return the characters of a text, where an enum or a collation would compare otherwise."""
    text = sa.cast(column, sa.Text())
    # a column's own collation reaches through a cast (https://sqlite.org/datatype3.html, 7.1)
    return sa.collate(text, "BINARY") if dialect == "sqlite" else text


def selected_keys(
    dataset: Dataset, key: str, relation: Relation, database: Database
) -> sa.Select[Any] | None:
    """Return a statement that selects the keys of the rows that ``dataset`` takes of ``relation``.

    None where a second statement might take other rows than the first one: a query or a view, a
    sample, a limit, a condition that calls functions, or one that the database does not answer.
    DuckDB's joins do not keep the order in which its tables have their rows.
    """
    if (
        database.dialect == "duckdb"
        or dataset.limit is not None
        or dataset.sample is not None
        or not database.point_in_time
    ):
        return None
    if isinstance(dataset.where, str) and _CALL.search(dataset.where):
        return None
    if not _is_table(dataset, database):
        return None
    rows = Dataset(
        name=dataset.name,
        source=dataset.source,
        where=dataset.where,
        time_range=dataset.time_range,
        columns=Columns(include=[key]),
    )
    pushed = transform.push(rows, relation, database.dialect)
    left = pushed.rest.model_dump(exclude=set(_BARE), exclude_defaults=True)
    return None if left else pushed.statement


def _is_table(dataset: Dataset, database: Database) -> bool:
    source = dataset.source
    if not isinstance(source, TableSource):
        return False
    kinds = {
        each["kind"]
        for each in database.tables()
        if each["name"] == source.table and source.schema_ in (None, each["schema"])
    }
    return kinds == {"table"}


def comparable(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any], dialect: str) -> bool:
    """Tell whether the database finds two columns equal exactly where we do."""
    if dialect not in _BYTEWISE:
        return _is_integer(one.type) and _is_integer(other.type)
    for exact in (_is_integer, _is_text, _is_uuid, _is_date):
        if exact(one.type) and exact(other.type):
            return True
    return False


def by_value(
    column: sa.ColumnElement[Any], kind: pa.DataType, keys: KeySet, dialect: str, *, cut: bool
) -> Condition | None:
    """Return that ``column``, which arrives as ``kind``, is one of ``keys``.

    None where they are too many (``cut``: the first ones are taken), or no values of the database.
    """
    most = FEW if dialect in _MANY_VALUES else _FEWER
    values = keys.first()
    many = keys.many or len(values) > most
    if dialect in _UNORDERED or (many and not cut):
        return None
    values = values.slice(0, most)
    if pa.types.is_null(values.type):
        return Condition(sa.false(), True)
    exact = True
    found: list[Any]
    if _is_integer(column.type) and pa.types.is_integer(kind):
        integers = _integers(values, kind)
        if integers is None:
            return None
        found = integers
    elif not (_is_string(values.type) and _is_string(kind)):
        return None
    elif _is_uuid(column.type) and dialect == "postgresql":
        found = _uuids(values, column.type)
    elif _is_text(column.type):
        exact = dialect in _BYTEWISE
        # PostgreSQL's texts have no character zero, and it refuses a value with one
        found = [text for text in values.to_pylist() if "\0" not in text or dialect != "postgresql"]
        column = _as_text(column, dialect) if exact else column
    else:
        return None
    return Condition(column.in_(found) if found else sa.false(), exact, many)


def _integers(values: pa.Array, kind: pa.DataType) -> list[int] | None:
    """Return the keys that the column's type has: others are an error to some databases."""
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return None
    low, high = _range(kind)
    whole = (int(v) for v in values.to_pylist() if v == v and abs(v) < 2**64 and v == int(v))
    return [value for value in whole if low <= value <= high]


def _range(kind: pa.DataType) -> tuple[int, int]:
    if pa.types.is_unsigned_integer(kind):
        return 0, 2**kind.bit_width - 1
    return -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1


def _uuids(values: pa.Array, kind: Any) -> list[Any]:
    """Return the texts that are written as the database writes a UUID."""
    found = []
    for text in values.to_pylist():
        try:
            value = uuid.UUID(text)
        except ValueError:
            continue
        if str(value) == text:
            found.append(value if getattr(kind, "as_uuid", True) else text)
    return found


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_integer(kind: Any) -> bool:
    return isinstance(kind, sa.Integer)


def _is_text(kind: Any) -> bool:
    # CHAR is filled with blanks, which each database compares in its own way
    return isinstance(kind, sa.String) and not isinstance(kind, (sa.CHAR, sa.NCHAR, sa.Enum))


def _is_uuid(kind: Any) -> bool:
    return isinstance(kind, sa.Uuid)


def _is_date(kind: Any) -> bool:
    return isinstance(kind, sa.Date)
