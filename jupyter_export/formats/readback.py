"""The lines of Python that read a finished file back with the types that went in."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa


def parquet(path: str) -> str:
    return f"import pyarrow.parquet as pq\ndf = pq.read_table({path!r}).to_pandas()"


def partitions(path: str, schema: pa.Schema, names: Sequence[str]) -> str:
    """PyArrow reads a Hive-style folder with declared types; some of them are read as text."""
    keys = ", ".join(f"({name!r}, {_key_type(schema.field(name).type)})" for name in names)
    lines = [
        "import pyarrow as pa",
        "import pyarrow.dataset as ds",
        f"keys = pa.schema([{keys}])",
        "parts = ds.partitioning(keys, flavor='hive')",
        f"files = ds.dataset({path!r}, format='parquet', partitioning=parts)",
        f"table = files.to_table(columns={schema.names!r})",
    ]
    for at, field in enumerate(schema):
        if field.name in names and (casting := _key_cast(field.type)):
            column = f"table.column({at}).{casting}"
            lines.append(f"table = table.set_column({at}, {field.name!r}, {column})")
    return "\n".join([*lines, "df = table.to_pandas()"])


def _key_type(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _key_type(kind.value_type)
    if pa.types.is_decimal(kind):
        return "pa.string()"
    if pa.types.is_date64(kind):
        return "pa.date64()"
    return arrow_type(text_type(kind)) or "pa.string()"


def _key_cast(kind: pa.DataType) -> str | None:
    if pa.types.is_dictionary(kind):
        plain = _key_cast(kind.value_type)
        if not pa.types.is_string(kind.value_type):
            return f"{plain}.dictionary_encode()" if plain else "dictionary_encode()"
        ordered = ", ordered=True" if kind.ordered else ""
        return f"cast(pa.dictionary(pa.{kind.index_type}(), pa.string(){ordered}))"
    if pa.types.is_decimal(kind):
        return f"cast(pa.decimal{kind.bit_width}({kind.precision}, {kind.scale}))"
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return f"cast(pa.{kind}())"
    return None


def arrow(path: str, *, stream: bool) -> str:
    opener = "open_stream" if stream else "open_file"
    return (
        "import pyarrow as pa\n"
        f"df = pa.ipc.{opener}(pa.memory_map({path!r})).read_all().to_pandas()"
    )


def text_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a text file gives a column back: dictionaries by their values."""
    if isinstance(kind, pa.BaseExtensionType):
        return text_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return text_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_float16(kind):
        return pa.float32()
    return kind


def arrow_type(kind: pa.DataType) -> str | None:
    """Return the Python expression of an Arrow type, or None for one that text cannot give back."""
    if pa.types.is_timestamp(kind):
        zone = f", tz={kind.tz!r}" if kind.tz else ""
        return f"pa.timestamp({kind.unit!r}{zone})"
    if pa.types.is_decimal(kind):
        bits = 256 if pa.types.is_decimal256(kind) else 128
        return f"pa.decimal{bits}({kind.precision}, {kind.scale})"
    if pa.types.is_time(kind):
        return f"pa.time{kind.bit_width}({kind.unit!r})"
    if pa.types.is_boolean(kind):
        return "pa.bool_()"
    if pa.types.is_floating(kind):
        return f"pa.float{kind.bit_width}()"
    if pa.types.is_date(kind):
        return "pa.date32()"
    if pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_null(kind):
        return f"pa.{kind}()"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = arrow_type(text_type(kind.value_type))
        return f"pa.list_({inner})" if inner else None
    if pa.types.is_struct(kind):
        shown = [(f.name, arrow_type(text_type(f.type))) for f in kind]
        if not shown or any(inner is None for _, inner in shown):
            return None
        return "pa.struct([" + ", ".join(f"({n!r}, {inner})" for n, inner in shown) + "])"
    return None
