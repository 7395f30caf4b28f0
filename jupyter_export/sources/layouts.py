"""Arrow's newer layouts of a type (views of text, runs) -> its plain layout, at the door.

A slice of a view column carries all of its column's text, Parquet cannot write views inside other
types, and Arrow has no filter for views and runs; so nothing behind the sources ever meets them.
The values stay what they are.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ..registry import BatchStream


def plain(stream: BatchStream) -> BatchStream:
    """Return ``stream`` with plain layouts; one that has no others is returned as it is."""
    schema = plain_schema(stream.schema)
    if schema.types == stream.schema.types:
        return stream
    batches = (
        pa.RecordBatch.from_arrays(
            [_laid_out(column, kind) for column, kind in zip(batch, schema.types, strict=True)],
            schema=schema,
        )
        for batch in stream.batches
    )
    return replace(stream, schema=schema, batches=batches)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of such a stream."""
    return pa.schema([field.with_type(_plain(field.type)) for field in schema])


def _laid_out(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column if column.type == kind else pc.cast(column, kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_dictionary(kind) and _plain(kind.value_type) != kind.value_type:
        return _plain(kind.value_type)
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)), kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(
            kind.key_field.with_type(_plain(kind.key_type)),
            kind.item_field.with_type(_plain(kind.item_type)),
        )
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind
