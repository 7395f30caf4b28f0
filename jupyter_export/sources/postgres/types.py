"""PostgreSQL's types as the catalogue tells them, and SQLAlchemy's of the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from psycopg import postgres
from sqlalchemy.dialects import postgresql as dialect

_FIRST_OF_USERS = 16384
"""Oids below are PostgreSQL's own and the same everywhere (FirstNormalObjectId)."""


@dataclass(frozen=True)
class PgType:
    """One row of ``pg_type``, as far as it is needed."""

    oid: int
    name: str
    """``typname``: ``bpchar``, ``mood``."""
    shown: str
    """As the database writes it: ``character``, ``shop.mood``."""
    kind: str
    """``typtype``: b base, c composite, d domain, e enum, r range, m multirange, p pseudo."""
    element: int = 0
    """The oid of an array's elements; 0: no array."""
    base: int = 0
    """The oid of the type that a domain stands for."""
    modifier: int = -1
    """The modifier that a domain gives its base."""
    fields: tuple[tuple[str, int, int], ...] = ()
    """(name, oid, modifier) of a composite's fields. None for the rows of a table, and where a
    field was dropped: ADBC counts fields in them that their values do not have."""


class Types:
    """What the oids of a database mean, asked for once each."""

    def __init__(self, ask: Callable[[str, list[Any]], list[Any]]) -> None:
        self._ask = ask
        self._known: dict[int, PgType] = {}

    def learn(self, oids: Iterable[int]) -> None:
        """Make sure that these types, and all that they are made of, are known."""
        wanted = {oid for oid in oids if oid not in self._known}
        while wanted:
            for oid in list(wanted):
                if (own := _own(oid)) is not None:
                    self._known[oid] = own
                    wanted.discard(oid)
            if wanted:
                for row in self._ask(_TYPES, [sorted(wanted)]):
                    fields = tuple((n, int(o), int(m)) for n, o, m in row[-1] or ())
                    self._known[row[0]] = replace(PgType(*row[:-1]), fields=fields)
                for oid in wanted - self._known.keys():
                    self._known[oid] = PgType(oid, "", f"type {oid}", "b")
            wanted = {
                part
                for known in self._known.values()
                for part in (known.element, known.base, *(oid for _, oid, _ in known.fields))
                if part and part not in self._known
            }

    def __getitem__(self, oid: int) -> PgType:
        if oid not in self._known:
            self.learn([oid])
        return self._known[oid]

    def plain(self, oid: int, modifier: int) -> tuple[PgType, int]:
        """Return what a domain stands for in the end, and the modifier that counts."""
        found = self[oid]
        while found.kind == "d":
            modifier = found.modifier if modifier == -1 else modifier
            found = self[found.base]
        return found, modifier

    def of_sqlalchemy(self, oid: int, modifier: int) -> sa.types.TypeEngine[Any]:
        """Return the type that a statement's column has; an unknown one where SQLAlchemy has
        none."""
        found, modifier = self.plain(oid, modifier)
        if found.element:
            element = self.of_sqlalchemy(found.element, modifier)
            if isinstance(element, dialect.ARRAY):
                return sa.types.NullType()
            return dialect.ARRAY(element)
        if found.kind == "e":
            # text has no operator for it; what has no type here is compared by its text
            return sa.types.NullType()
        if found.name == "numeric":
            digits = numeric_digits(modifier)
            return sa.Numeric(*digits) if digits else sa.Numeric()
        made = _SQLALCHEMY.get(found.name)
        return made() if made else sa.types.NullType()


def numeric_digits(modifier: int) -> tuple[int, int] | None:
    """Return precision and scale of a numeric's modifier, or None where it has none.

    As ``numeric_typmod_precision`` and ``numeric_typmod_scale`` of PostgreSQL have it; the scale
    is signed since PostgreSQL 15.
    """
    if modifier < 4:
        return None
    packed = modifier - 4
    return (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def _own(oid: int) -> PgType | None:
    """Return a type that every PostgreSQL has, without asking."""
    found = postgres.types.get(oid) if oid < _FIRST_OF_USERS else None
    if found is None or found.name == "record":
        return None
    if found.oid != oid:
        return PgType(oid, f"_{found.name}", f"{found.regtype}[]", "b", element=found.oid)
    return PgType(oid, found.name, found.regtype, "b", element=_VECTORS.get(oid, 0))


_VECTORS = {22: 21, 30: 26}
"""int2vector and oidvector: arrays under names of their own."""

_TYPES = """
SELECT t.oid::int8, t.typname::text, format_type(t.oid, NULL), t.typtype::text,
       (CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END)::int8,
       t.typbasetype::int8, t.typtypmod,
       (SELECT array_agg(ARRAY[a.attname, a.atttypid::text, a.atttypmod::text] ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid
        HAVING bool_and(a.attnum > 0 AND NOT a.attisdropped))
FROM pg_catalog.pg_type t WHERE t.oid = ANY(%s::oid[])
"""

_SQLALCHEMY: dict[str, Callable[[], sa.types.TypeEngine[Any]]] = {
    "bool": sa.Boolean,
    "int2": sa.SmallInteger,
    "int4": sa.Integer,
    "int8": sa.BigInteger,
    "float4": sa.REAL,
    "float8": dialect.DOUBLE_PRECISION,
    "money": dialect.MONEY,
    "text": sa.Text,
    "varchar": sa.Text,
    "bpchar": sa.CHAR,
    "name": sa.Text,
    "citext": dialect.CITEXT,
    "bytea": sa.LargeBinary,
    "date": sa.Date,
    "timestamp": sa.DateTime,
    "timestamptz": lambda: sa.DateTime(timezone=True),
    "time": sa.Time,
    "timetz": lambda: sa.Time(timezone=True),
    "interval": sa.Interval,
    "uuid": sa.Uuid,
    "json": dialect.JSON,
    "jsonb": dialect.JSONB,
    "oid": dialect.OID,
    "inet": dialect.INET,
    "cidr": dialect.CIDR,
    "macaddr": dialect.MACADDR,
    "macaddr8": dialect.MACADDR8,
    "bit": dialect.BIT,
    "varbit": lambda: dialect.BIT(varying=True),
}
