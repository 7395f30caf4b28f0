"""The columns that a step sees, by the names that a user gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import MONEY

from .columns import unknown_column
from .values import Kind, Value, kind_of


@dataclass(frozen=True)
class Scope:
    """Columns in order; two of them may differ only in case, as in a frame."""

    columns: dict[str, Value]
    dataset: str
    to_come: frozenset[str] = frozenset()
    """Names of columns that another step will have made by then."""

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    @property
    def shown(self) -> list[str]:
        """The names that a user knows."""
        return [name for name in self.columns if not name.startswith("\0")]

    def column(self, name: str, field: str) -> Value:
        """Return the column of exactly that name. Raises ``InvalidSpec`` naming the nearest."""
        found = self.columns.get(name)
        if found is None:
            raise unknown_column(name, self.shown, self.dataset, field)
        return found

    def folded(self, name: str) -> str | None:
        """Return the name of a column that is called so, or so but for the case."""
        if name in self.columns:
            return name
        wanted = name.casefold()
        return next((each for each in self.columns if each.casefold() == wanted), None)


def scope_of(
    source: sa.FromClause, schema: pa.Schema, dataset: str, untyped_is_text: bool = False
) -> Scope:
    """Return the columns of ``source``, which are those of ``schema`` in the same order.

    A column whose own type is not known, and whose values arrive as text, is text only if
    ``untyped_is_text``.
    """
    columns = {
        field.name: Value(
            _comparable(clause),
            field.type,
            native=_is_native(clause, field.type, untyped_is_text),
            words=field.name,
        )
        for clause, field in zip(source.c, schema, strict=True)
    }
    return Scope(columns, dataset)


def _comparable(clause: sa.ColumnElement[object]) -> sa.ColumnElement[object]:
    """Return a column as numbers where its own type is compared with nothing else."""
    return sa.cast(clause, sa.Numeric(19, 2)) if isinstance(clause.type, MONEY) else clause


def _is_native(clause: sa.ColumnElement[object], type_: pa.DataType, untyped_is_text: bool) -> bool:
    """Tell whether a column that arrives as text is something else to its database."""
    own = clause.type
    if kind_of(type_) is not Kind.TEXT or pa.types.is_dictionary(type_):
        return False
    if isinstance(own, sa.types.NullType):
        return not untyped_is_text
    return not isinstance(own, sa.types.String) or isinstance(own, sa.types.Enum)


def numbered(scope: Scope) -> Sequence[str]:
    """Return a plain name for each column: inside a statement no name of a user's stands."""
    return [f"c{i}" for i in range(len(scope.columns))]
