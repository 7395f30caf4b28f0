"""The lines of Python that read a finished file back with the types that went in."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def csv(schema: pa.Schema, path: str, options: Any, compression: str) -> str:
    """PyArrow reads CSV with declared types and tells ``""`` from nothing."""
    lines = ["import pyarrow as pa", "from pyarrow import csv"]
    types = ", ".join(
        f"{name!r}: {shown}" for name, shown in ((f.name, _csv_type(f.type)) for f in schema)
    )
    opened = _opened(path, compression)
    # the null of a lone column is written as "", so that its line is not an empty one
    lone = len(schema) == 1 and not options.null and not may_be_empty(text_type(schema.types[0]))
    read = (
        "" if options.header else f", read_options=csv.ReadOptions(column_names={schema.names!r})"
    )
    parse = ["newlines_in_values=True"]
    if options.delimiter != ",":
        parse.insert(0, f"delimiter={options.delimiter!r}")
    if options.quote_char != '"':
        parse.insert(0, f"quote_char={options.quote_char!r}")
    lines += [
        f"types = {{{types}}}",
        f"nulls = dict(null_values=[{options.null!r}], strings_can_be_null=True)",
        "convert = csv.ConvertOptions(",
        f"    column_types=types, quoted_strings_can_be_null={lone}, **nulls",
        ")",
        f"parse = csv.ParseOptions({', '.join(parse)})",
        f"table = csv.read_csv({opened}{read}, parse_options=parse, convert_options=convert)",
        "df = table.to_pandas()",
    ]
    return "\n".join(lines)


def json(schema: pa.Schema, path: str, compression: str, *, lines: bool) -> str:
    """DuckDB reads JSON with declared types, lists and structs included; Arrow names them."""
    columns = ", ".join(f"{_sql_name(f.name)}: {_sql_text(_sql_type(f.type))}" for f in schema)
    fields = ", ".join(f"({f.name!r}, {_json_type(f.type)})" for f in schema)
    unpack = []
    opened = _sql_text(path)
    if compression == "brotli":
        # DuckDB opens gzip and zstd itself
        opened, compression = "?", "none"
        unpack = [
            "import os, shutil, tempfile",
            f"packed = pa.input_stream({path!r}, compression='brotli')",
            "plain = os.path.join(tempfile.mkdtemp(), 'plain.json')",
            "with packed, open(plain, 'wb') as file:",
            "    shutil.copyfileobj(packed, file)",
        ]
    arguments = [opened, f"columns = {{{columns}}}"]
    arguments.append(f"format = '{'newline_delimited' if lines else 'array'}'")
    if compression != "none":
        arguments.append(f"compression = '{compression}'")
    return "\n".join(
        [
            "import duckdb",
            "import pyarrow as pa",
            f"schema = pa.schema([{fields}])",
            f"query = {('SELECT * FROM read_json(' + ', '.join(arguments) + ')')!r}",
            *unpack,
            f"rows = duckdb.sql(query{', params=[plain]' if unpack else ''}).to_arrow_table()",
            "df = rows.cast(schema).to_pandas()",
        ]
    )


def parquet(path: str) -> str:
    return f"import pyarrow.parquet as pq\ndf = pq.read_table({path!r}).to_pandas()"


def arrow(path: str, *, stream: bool) -> str:
    opener = "open_stream" if stream else "open_file"
    return (
        "import pyarrow as pa\n"
        f"df = pa.ipc.{opener}(pa.memory_map({path!r})).read_all().to_pandas()"
    )


def may_be_empty(kind: pa.DataType) -> bool:
    """Tell whether a value of that type may be written as an empty text: texts and bytes."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _csv_type(kind: pa.DataType) -> str:
    """Nested values, durations, bytes and decimals of 256 bits are read from a CSV as text."""
    kind = text_type(kind)
    unread = pa.types.is_nested(kind) or pa.types.is_decimal256(kind)
    shown = None if unread else arrow_type(kind)
    return shown or "pa.string()"


def _json_type(kind: pa.DataType) -> str:
    kind = text_type(kind)
    # Arrow reads no nanoseconds of a day out of text
    unread = pa.types.is_null(kind) or (pa.types.is_time(kind) and kind.unit == "ns")
    known = None if unread else arrow_type(kind)
    return known or "pa.string()"


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql_type(kind: pa.DataType) -> str:
    """Return the engine's type that reads the JSON of an Arrow type; Arrow casts a VARCHAR."""
    kind = text_type(kind)
    if arrow_type(kind) is None:
        return "VARCHAR"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        inner = ", ".join(f"{_sql_name(f.name)} {_sql_type(f.type)}" for f in kind)
        return f"STRUCT({inner})"
    if pa.types.is_integer(kind):
        sign = "U" if pa.types.is_unsigned_integer(kind) else ""
        return sign + {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}[kind.bit_width]
    if pa.types.is_timestamp(kind) and kind.tz is None and kind.unit != "ns":
        return "TIMESTAMP"
    if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit != "ns":
        return "TIMESTAMPTZ"
    if pa.types.is_decimal128(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_floating(kind):
        return "FLOAT" if kind.bit_width == 32 else "DOUBLE"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_time(kind) and kind.unit != "ns":
        return "TIME"
    return "VARCHAR"


def _opened(path: str, compression: str) -> str:
    if compression == "none":
        return repr(path)
    return f"pa.input_stream({path!r}, compression={compression!r})"


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
