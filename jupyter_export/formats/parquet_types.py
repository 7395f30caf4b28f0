"""What Parquet makes of Arrow's types: asked of PyArrow itself, by writing and reading a null.

A type that comes back as another one is a loss; one that cannot be written is written by its plain
values where it has some (run-end encoded, categories of anything but text), or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import InvalidSpec
from ..losses import Loss, LossLedger, example
from .type_text import parse

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Held:
    """How a file holds a column."""

    back: pa.DataType
    """The type that ``pyarrow.parquet.read_table`` gives back."""
    leaves: tuple[str, ...]
    """The paths of its leaf columns behind the column's own name: ``.list.element``."""


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema that is written, or raise ``InvalidSpec`` naming the column."""
    fields = [field.with_type(_stored(field)) for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def leaves(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the paths of each column's leaves, by which Parquet's writer names them."""
    found = {}
    for field in schema:
        held = _held(field.type)
        found[field.name] = [f"{field.name}{leaf}" for leaf in held.leaves] if held else []
    return found


def losses(schema: pa.Schema) -> Iterator[Loss]:
    """Yield the columns whose type comes back as another."""
    for field in schema:
        held = _held(_stored(field))
        if held is not None and not held.back.equals(field.type):
            yield _of_type(field, held.back)


def stored(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    given: pa.Schema,
    reported: pa.Schema,
    ledger: LossLedger,
) -> Iterator[pa.RecordBatch]:
    """Yield the batches, of the types ``given``, as ``schema`` stores them.

    What changes in the columns of ``reported``, which stand in the files, is counted.
    """
    plain = [i for i, (a, b) in enumerate(zip(given.types, schema.types, strict=True))
             if not a.equals(b)]  # fmt: skip
    categories = [i for i, kind in enumerate(schema.types) if pa.types.is_dictionary(kind)]
    changed = {loss.column: loss for loss in losses(reported)}
    counted = [(i, changed[field.name]) for i, field in enumerate(schema) if field.name in changed]
    if not (plain or categories or counted):
        yield from batches
        return
    for batch in batches:
        columns = list(batch.columns)
        for i in plain:
            columns[i] = _plain(columns[i], schema.types[i])
        for i in categories:
            columns[i] = _without_null_category(columns[i])
        for i, loss in counted:
            _count(columns[i], loss, ledger)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _count(column: pa.Array, loss: Loss, ledger: LossLedger) -> None:
    valid = len(column) - column.null_count
    ledger.add(Loss(loss.kind, loss.column, valid, loss.message, loss.option))
    if pa.types.is_date64(column.type) and valid:
        ticks = np.asarray(column.view(pa.int64()).fill_null(0))
        parts = np.flatnonzero(ticks % _DAY_MS)
        if len(parts):
            shown = example(pc.cast(column.view(pa.int64()), pa.timestamp("ms"))[parts[0]])
            message = "Parquet keeps the day and drops the time within it"
            ledger.add(
                Loss("time_part", loss.column, len(parts), message, loss.option, example=shown)
            )


def _of_type(field: pa.Field, back: pa.DataType) -> Loss:
    message = f"Parquet gives {field.type} back as {back}"
    option = None
    try:
        if parse(str(back)).equals(back):
            option = f"schema={json.dumps({field.name: str(back)}, ensure_ascii=False)}"
    except ValueError:
        # a type that nobody can declare
        pass
    return Loss("type", field.name, None, message, option)


def _stored(field: pa.Field) -> pa.DataType:
    kind = field.type
    if pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    if pa.types.is_dictionary(kind) and _held(kind) is None:
        kind = kind.value_type
    if _held(kind) is None:
        raise InvalidSpec(
            f"Parquet has no type for the column “{field.name}” ({field.type}).",
            hint="Leave it out (columns.exclude), or convert it first.",
            field="columns",
        )
    return kind


@lru_cache(maxsize=1024)
def _held(kind: pa.DataType) -> Held | None:
    """Return how Parquet holds ``kind``, or None where it does not."""
    if _has_no_items(kind):
        # PyArrow writes lists of a fixed size of 0, and cannot read them
        return None
    out = pa.BufferOutputStream()
    try:
        pq.write_table(pa.table([pa.nulls(1, kind)], ["x"]), out)
        read = pq.ParquetFile(pa.BufferReader(out.getvalue()))
        back = read.read().schema.types[0]
    except (pa.ArrowException, OSError):
        return None
    columns = read.metadata.row_group(0)
    paths = [columns.column(i).path_in_schema for i in range(columns.num_columns)]
    return Held(back, tuple(path.removeprefix("x") for path in paths))


def _has_no_items(kind: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(kind) and kind.list_size == 0:
        return True
    inner: Sequence[pa.DataType] = [kind.field(i).type for i in range(kind.num_fields)]
    return any(_has_no_items(each) for each in inner)


def _plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(kind):
        column = pc.cast(_taken(column), kind)
    return column


def _taken(column: pa.DictionaryArray) -> pa.Array:
    values = column.dictionary
    return pc.cast(values, movable(values.type)).take(column.indices)


def movable(kind: pa.DataType) -> pa.DataType:
    """Return a type without views of texts, whose rows Arrow can put into another order.

    Parquet's pages are the same for both.
    """
    is_ = pa.types
    if is_.is_string_view(kind):
        return pa.string()
    if is_.is_binary_view(kind):
        return pa.binary()
    if is_.is_struct(kind):
        return pa.struct([field.with_type(movable(field.type)) for field in kind])
    if is_.is_map(kind):
        return pa.map_(_movable(kind.key_field), _movable(kind.item_field), kind.keys_sorted)
    if is_.is_fixed_size_list(kind):
        return pa.list_(_movable(kind.value_field), kind.list_size)
    shapes = (
        (is_.is_list, pa.list_),
        (is_.is_large_list, pa.large_list),
        (is_.is_list_view, pa.list_view),
        (is_.is_large_list_view, pa.large_list_view),
    )
    for has_shape, make in shapes:
        if has_shape(kind):
            return make(_movable(kind.value_field))
    return kind


def _movable(field: pa.Field) -> pa.Field:
    return field.with_type(movable(field.type))


def _without_null_category(column: pa.DictionaryArray) -> pa.Array:
    """Return the column with nulls among its codes alone: Parquet's writer asks for that."""
    values = column.dictionary
    if not values.null_count:
        return column
    known = values.drop_null()
    moved = pc.subtract(pc.cumulative_sum(pc.cast(values.is_valid(), pa.int64())), 1)
    moved = pc.if_else(values.is_valid(), moved, pa.scalar(None, pa.int64()))
    codes = pc.cast(moved.take(column.indices), column.type.index_type)
    return pa.DictionaryArray.from_arrays(codes, known, ordered=column.type.ordered)
