"""The columns of a stream on their way through the engine and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ..errors import InvalidSpec, QueryFailed
from .forms import Form, TooManyWords, Use, form_of
from .values import Kind, kind_of

_NAME = "source"


class Carried:
    """The columns of ``schema`` as the engine sees them, each in the form that its use needs."""

    def __init__(self, schema: pa.Schema, uses: Mapping[str, Use], dataset: str) -> None:
        self._schema = schema
        self._forms = [_form(field, uses.get(field.name, Use.PASSED), dataset) for field in schema]
        self.told = pa.schema(
            [field.with_type(f.told) for field, f in zip(schema, self._forms, strict=True)]
        )
        """The columns as a statement is to take them."""
        self.table = self._table(range(len(schema)))
        """What a statement selects from; its columns are those of ``told`` in the same order."""
        self._sent: list[int] = []
        self.narrow(range(len(schema)))

    @property
    def exact(self) -> bool:
        """True: every column that is sent is seen as it is, whatever it is used for."""
        sent = [self._forms[i] for i in self._sent]
        return all(type(form) is Form and form.seen == form.kind for form in sent)

    def form(self, name: str) -> Form:
        position: int = self._schema.get_field_index(name)
        return self._forms[position]

    def _table(self, positions: Sequence[int]) -> sa.TableClause:
        return sa.table(_NAME, *(column(f"c{i}", self.told.field(i)) for i in positions))

    def only(self, names: Collection[str]) -> tuple[sa.TableClause, pa.Schema]:
        """Return ``table`` and ``told`` with no other columns than these."""
        kept = [i for i, name in enumerate(self._schema.names) if name in names]
        return self._table(kept), pa.schema([self.told.field(i) for i in kept])

    def narrow(self, positions: Sequence[int]) -> None:
        """Send only these columns."""
        self._sent = list(positions)
        # a query that names no column still needs the rows
        self.seen = pa.schema(
            [pa.field(f"c{i}", self._forms[i].seen) for i in self._sent]
            or [pa.field("row", pa.int8())]
        )

    def there(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what the engine sees of a batch. Raises ``QueryFailed`` for a value that it
        cannot hold as its use needs it."""
        if not self._sent:
            return pa.record_batch([pa.nulls(batch.num_rows, pa.int8())], schema=self.seen)
        arrays = [
            _named(self._schema.field(i).name, self._forms[i], batch.column(i)) for i in self._sent
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.seen)


def referred(statement: sa.Select[Any]) -> list[int]:
    """Return the positions of the columns of ``Carried.table`` that ``statement`` reads."""
    found = {
        int(each.key[1:])
        for each in sa.sql.visitors.iterate(statement)
        if isinstance(each, sa.ColumnClause)
        and isinstance(each.table, sa.TableClause)
        and each.table.name == _NAME
    }
    return sorted(found)


def _form(field: pa.Field, use: Use, dataset: str) -> Form:
    try:
        return form_of(field.type, use)
    except InvalidSpec as error:
        raise InvalidSpec(
            f"Column “{field.name}” of {dataset} cannot be used here. {error.message}",
            hint="Leave it out, or convert it first.",
            field="columns",
        ) from None


def _named(name: str, form: Form, array: pa.Array) -> pa.Array:
    try:
        made = form.there(array)
    except QueryFailed as error:
        raise QueryFailed(f"Column “{name}” {error.message}.", hint=error.hint) from None
    except pa.ArrowInvalid as error:
        first = str(error).split("\n", 1)[0].rstrip(".")
        raise QueryFailed(f"Column “{name}” cannot be computed with: {first}.") from None
    return made


def column(name: str, field: pa.Field) -> sa.ColumnClause[Any]:
    """Return a column of a statement that holds what ``field`` says."""
    # a column of text says so: what arrives as text and does not is a type of the database's own
    kind = kind_of(field.type)
    own = {Kind.TIMESTAMPTZ: "TIMESTAMPTZ_NS", Kind.TIME: "TIME_NS"}.get(kind)
    if own is not None and field.type.unit == "ns":
        return sa.column(name, _Nanoseconds(own))
    return sa.column(name, sa.Text() if kind is Kind.TEXT else None)


class _Nanoseconds(sa.types.UserDefinedType[Any]):
    """A type of DuckDB's that it compares only with others of its kind."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name

    class Comparator(sa.types.UserDefinedType.Comparator[Any]):
        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            return super().operate(op, *(_alike(each, self.type) for each in other), **kwargs)

    comparator_factory = Comparator


def _alike(value: Any, type_: sa.types.TypeEngine[Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_alike(each, type_) for each in value]
    return value if value is None or isinstance(value, sa.Null) else sa.cast(value, type_)


class Restored:
    """What comes out of the engine, made again what it was."""

    def __init__(self, schema: pa.Schema, forms: Sequence[Form | None]) -> None:
        self.schema = schema
        self.forms = forms
        """Of each column; None: it is what the engine made."""

    def batches(self, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Return the rows of a batch, in several batches where a dictionary would not number all
        of its words. Raises ``QueryFailed`` for a value that its type cannot hold."""
        try:
            arrays = [self._column(i, form, batch.column(i)) for i, form in enumerate(self.forms)]
        except TooManyWords:
            half = batch.num_rows // 2
            return [*self.batches(batch.slice(0, half)), *self.batches(batch.slice(half))]
        return [pa.RecordBatch.from_arrays(arrays, schema=self.schema)]

    def _column(self, i: int, form: Form | None, array: pa.Array) -> pa.Array:
        field = self.schema.field(i)
        try:
            if form is None:
                return array if array.type == field.type else array.cast(field.type)
            return form.back(array)
        except QueryFailed as error:
            raise QueryFailed(f"Column “{field.name}” {error.message}.") from None
        except pa.ArrowInvalid as error:
            first = str(error).split("\n", 1)[0].rstrip(".")
            raise QueryFailed(f"Column “{field.name}” does not fit its type: {first}.") from None
