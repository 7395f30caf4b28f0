"""The types that a file is to have, where the user declares them: cast, or a clear error.

A declared column is cast as Arrow casts safely: what does not fit stops the export and is named by
its row. What Arrow changes without a word (a double made a float, a time of day dropped) is looked
for by casting back, and reported.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StringConstraints, field_validator

from ..errors import InvalidSpec, SourceFailed, did_you_mean
from ..losses import Loss, LossLedger, example
from ..registry import FormatOptions
from .type_text import parse

_RESERVED = ("ARROW:schema", "pandas")
"""Keys in which Arrow and pandas keep what their readers need."""
_MOST_METADATA = 1024**2
Word = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]

with warnings.catch_warnings():
    # pydantic 1 had a method of that name, which pydantic 2 keeps as deprecated
    warnings.filterwarnings("ignore", 'Field name "schema"', UserWarning)

    class Declared(FormatOptions):
        """Options of the formats that hold types: Parquet and Arrow."""

        schema: dict[str, str] = Field(  # type: ignore[assignment]
            default_factory=dict,
            description="Column -> type that its values are cast to: int32, decimal(12, 2), "
            "timestamp[ms, UTC], date, string, bool, double, list<int32>. Others stay.",
        )
        metadata: dict[Word, str] = Field(
            default_factory=dict,
            description="Key -> text, kept in the file beside its schema.",
        )

        @field_validator("schema")
        @classmethod
        def _known_types(cls, value: dict[str, str]) -> dict[str, str]:
            for column, text in value.items():
                try:
                    parse(text)
                except ValueError as error:
                    raise ValueError(f"the type of “{column}”: {error}") from None
            return value

        @field_validator("metadata")
        @classmethod
        def _ours_to_give(cls, value: dict[str, str]) -> dict[str, str]:
            for key in value:
                if key in _RESERVED:
                    raise ValueError(f"the key “{key}” belongs to Arrow's own metadata")
            if sum(len(key) + len(text) for key, text in value.items()) > _MOST_METADATA:
                raise ValueError(f"it holds more than {_MOST_METADATA:,} characters")
            return value


def declared_schema(schema: pa.Schema, options: Declared) -> pa.Schema:
    """Return the schema of the file: the declared types, and the metadata.

    Raises ``InvalidSpec`` for a column that is not there, or a cast that does not exist.
    """
    fields = {field.name: field for field in schema}
    for name, text in options.schema.items():
        check_column(name, schema, "schema")
        to = parse(text)
        try:
            _cast(pa.nulls(0, fields[name].type), to)
        except pa.ArrowException:
            raise InvalidSpec(
                f"Column “{name}” ({fields[name].type}) cannot be cast to {to}.",
                hint="Declare another type, or leave it as it is.",
                field="format.schema",
            ) from None
        fields[name] = fields[name].with_type(to)
    if options.schema:
        schema = pa.schema([fields[name] for name in schema.names], metadata=schema.metadata)
    if options.metadata:
        schema = schema.with_metadata({**(schema.metadata or {}), **options.metadata})
    return schema


def check_column(name: str, schema: pa.Schema, option: str) -> None:
    """Raise ``InvalidSpec`` unless exactly one column has that name."""
    found = schema.names.count(name)
    if found == 1:
        return
    said = f"There are {found} columns “{name}”" if found else f"There is no column “{name}”"
    raise InvalidSpec(
        f"{said}, which the option {option} names.",
        hint=did_you_mean(name, schema.names) if not found else "Rename one (columns.rename).",
        field=f"format.{option}",
    )


def cast(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, given: pa.Schema, losses: LossLedger
) -> Iterator[pa.RecordBatch]:
    """Yield the batches, which have the types ``given``, with those of ``schema``.

    Raises ``SourceFailed`` with column, row (from 1) and value for the first that does not fit.
    """
    changed = [
        i for i, (a, b) in enumerate(zip(given.types, schema.types, strict=True)) if not a.equals(b)
    ]
    if not changed:
        yield from batches
        return
    row = 1
    for batch in batches:
        columns = list(batch.columns)
        for i in changed:
            columns[i] = _column(columns[i], schema.field(i), row, losses)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        row += batch.num_rows


def _column(column: pa.Array, field: pa.Field, row: int, losses: LossLedger) -> pa.Array:
    try:
        cells = _cast(column, field.type)
    except pa.ArrowException:
        at = _first_unfit(column, field.type)
        raise SourceFailed(
            f"Column “{field.name}” does not fit {field.type}: row {row + at:,} holds "
            f"“{example(column[at].as_py())}”.",
            hint="Declare a wider type (option schema), or leave such rows out (where).",
        ) from None
    _report(column, cells, field, losses)
    return cells


def _cast(column: pa.Array, to: pa.DataType) -> pa.Array:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _cast(column.storage, to)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _cast(_plain(column), to)
    if pa.types.is_dictionary(to):
        values = _cast(column, to.value_type).dictionary_encode()
        codes = pc.cast(values.indices, to.index_type)
        return pa.DictionaryArray.from_arrays(codes, values.dictionary, ordered=to.ordered)
    if pa.types.is_date(to) and pa.types.is_timestamp(kind) and kind.tz is not None:
        # the day that the clock of its zone shows
        column = pc.local_timestamp(column)
    return pc.cast(column, to)


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return column.dictionary.take(column.indices)
    return pc.run_end_decode(column)


def _first_unfit(column: pa.Array, to: pa.DataType) -> int:
    """Return the first row whose value alone does not fit, by halves."""
    start, rows = 0, len(column)
    while rows > 1:
        half = rows // 2
        try:
            _cast(column.slice(start, half), to)
        except pa.ArrowException:
            rows = half
        else:
            start, rows = start + half, rows - half
    return start


# ------------------------------------------------------------------ what a cast changes silently

_MESSAGES: Mapping[str, str] = {
    "cut_off": "the declared type {to} leaves out fields",
    "rounded": "the declared type {to} keeps fewer digits",
    "decimal_to_float": "the declared type {to} keeps fewer digits",
    "leading_zeros": "the declared type {to} keeps no leading zeros",
    "time_part": "the declared type {to} keeps a part of the moment",
    "time_zone": "the declared type {to} has no time zone; the clock is that of UTC",
}


def _report(column: pa.Array, cells: pa.Array, field: pa.Field, losses: LossLedger) -> None:
    """Add to ``losses`` what the cast of ``column`` to ``cells`` changed, at any depth."""
    column, cells = _values(column), _values(cells)
    before, to = column.type, cells.type
    if _is_list(before) and _is_list(to):
        inner = field.with_type(to.value_type)
        _report(pc.list_flatten(column), pc.list_flatten(cells), inner, losses)
        return
    if pa.types.is_struct(before) and pa.types.is_struct(to):
        for at, each in enumerate(before):
            there = to.get_field_index(each.name)
            if there >= 0:
                inner = field.with_type(to.field(there).type)
                parts = pc.struct_field(column, [at]), pc.struct_field(cells, [there])
                _report(*parts, inner, losses)
    for kind in _kinds_of_change(before, to):
        if column.null_count < len(column):
            _count(kind, column, cells, field, losses)


def _values(column: pa.Array) -> pa.Array:
    """Return the column by its plain values, whatever holds them."""
    if isinstance(column.type, pa.BaseExtensionType):
        return _values(column.storage)
    if pa.types.is_dictionary(column.type) or pa.types.is_run_end_encoded(column.type):
        return _values(_plain(column))
    if pa.types.is_map(column.type):
        pair = [("key", column.type.key_type), ("value", column.type.item_type)]
        return pc.cast(column, pa.list_(pa.struct(pair)))
    return column


def _is_list(kind: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind))


def _count(
    kind: str, column: pa.Array, cells: pa.Array, field: pa.Field, losses: LossLedger
) -> None:
    if kind == "leading_zeros":
        texts = pc.cast(column, pa.string())
        changed = pc.fill_null(pc.match_substring_regex(texts, r"^\s*[+-]?0[0-9]"), False)
    elif kind in ("time_zone", "cut_off"):
        changed = pc.is_valid(column)
    elif _is_text(column.type):
        changed = _differ(_digits(pc.cast(column, pa.string())), _digits(_shortest(cells)))
    else:
        changed = _differ(column, pc.cast(cells, column.type, safe=False))
    count = pc.sum(changed).as_py() or 0
    if count:
        first = column[pc.index(changed, pa.scalar(True)).as_py()].as_py()
        message = _MESSAGES[kind].format(to=field.type)
        losses.add(Loss(kind, field.name, count, message, example=example(first)))


def _shortest(numbers: pa.Array) -> pa.Array:
    wide = pc.cast(numbers, pa.float32()) if pa.types.is_float16(numbers.type) else numbers
    return pc.cast(wide, pa.string())


def _digits(texts: pa.Array) -> pa.Array:
    """Return the digits that count, without sign, point, exponent and the zeros around them."""
    plain = pc.replace_substring_regex(texts, "[eE].*|[^0-9eE]", "")
    return pc.ascii_trim(plain, "0")


def _differ(before: pa.Array, after: pa.Array) -> pa.Array:
    changed = pc.fill_null(pc.not_equal(before, after), False)
    if pa.types.is_floating(before.type):
        changed = pc.and_(changed, pc.invert(pc.fill_null(pc.is_nan(before), False)))
    return changed


def _is_text(kind: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind))


def _kinds_of_change(before: pa.DataType, to: pa.DataType) -> tuple[str, ...]:
    """Return the kinds of loss that Arrow's safe cast between these types does not refuse."""
    is_ = pa.types
    if _is_text(before):
        if is_.is_floating(to):
            return ("leading_zeros", "rounded")
        return ("leading_zeros",) if is_.is_integer(to) or is_.is_decimal(to) else ()
    if is_.is_struct(before) and is_.is_struct(to):
        kept = all(to.get_field_index(each.name) >= 0 for each in before)
        return () if kept else ("cut_off",)
    kind = _kind_of_change(before, to)
    return (kind,) if kind else ()


def _kind_of_change(before: pa.DataType, to: pa.DataType) -> str | None:
    is_ = pa.types
    if is_.is_boolean(to):
        return "rounded" if is_.is_integer(before) or is_.is_floating(before) else None
    if is_.is_integer(before):
        return "rounded" if is_.is_float16(to) else None
    if is_.is_floating(before):
        rounds = is_.is_decimal(to) or (is_.is_floating(to) and to.bit_width < before.bit_width)
        return "rounded" if rounds else None
    if is_.is_decimal(before):
        return "decimal_to_float" if is_.is_floating(to) else None
    if is_.is_timestamp(before):
        if is_.is_date(to) or is_.is_time(to):
            return "time_part"
        if is_.is_timestamp(to) and before.tz is not None and to.tz is None:
            return "time_zone"
    return None
