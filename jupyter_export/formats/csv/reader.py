"""The lines of Python that read a CSV back with the types that went in."""

from __future__ import annotations

import pyarrow as pa

from ...registry import LossLedger
from .. import readback, strftime
from ..strftime import Directive
from .columns import headings
from .guard import GUARDED
from .options import CsvOptions
from .rows import may_be_empty

_UTC = ("UTC", "Etc/UTC", "Z", "+00:00")
_IN_ARROW = frozenset("YmdeHMSyjbB")
"""Directives that Arrow's own strptime reads alike on all systems."""


def lines(
    schema: pa.Schema, path: str, options: CsvOptions, compression: str, *, folder: bool
) -> str:
    """PyArrow reads CSV with declared types and tells ``""`` from nothing.

    ``folder``: the rows are in numbered files below ``path``.
    """
    lone = (
        len(schema) == 1
        and not options.null
        and options.quote != "none"
        and not may_be_empty(readback.text_type(schema.types[0]))
    )
    columns = [_Column(i, field, options) for i, field in enumerate(schema)]
    heads = _heads(schema, options)
    named = zip(heads or schema.names, columns, strict=True)
    types = ", ".join(f"{name!r}: {each.read_as}" for name, each in named)
    in_memory = not options.header or ord(options.delimiter) > 127
    convert = [
        "column_types=types",
        f"null_values=[{options.null!r}]",
        "strings_can_be_null=True",
        f"quoted_strings_can_be_null={lone}",
    ]
    if options.booleans != ("true", "false"):
        true, false = options.booleans
        convert.append(f"true_values=[{true!r}], false_values=[{false!r}]")
    if options.decimal_separator != ".":
        convert.append(f"decimal_point={options.decimal_separator!r}")
    settings = [
        f"types = {{{types}}}",
        "convert = csv.ConvertOptions(",
        *(f"    {each}," for each in convert),
        ")",
        f"parse = csv.ParseOptions({', '.join(_parse_options(schema, options))})",
    ]
    read = _read_options(schema, options, heads, in_memory=in_memory)
    arguments = "parse_options=parse, convert_options=convert"
    if read:
        settings.append(f"read = csv.ReadOptions({', '.join(read)})")
        arguments = f"read_options=read, {arguments}"
    table = _table(path, options, compression, arguments, in_memory=in_memory, folder=folder)
    finished = [line for each in columns for line in each.finished()]
    if heads not in (None, schema.names):
        finished.insert(0, f"table = table.rename_columns({schema.names!r})")
    imports = ["import pyarrow as pa", "from pyarrow import csv"]
    if any("pc." in line for line in finished):
        imports.insert(1, "import pyarrow.compute as pc")
    if folder:
        imports.insert(0, "from pathlib import Path")
    if any("datetime." in line for line in finished):
        imports.insert(0, "from datetime import datetime")
    if any("b64decode" in line for line in finished):
        imports.insert(0, "from base64 import b64decode")
    return "\n".join([*imports, *settings, *table, *finished, "df = table.to_pandas()"])


def _parse_options(schema: pa.Schema, options: CsvOptions) -> list[str]:
    parse = []
    if options.delimiter != "," and ord(options.delimiter) < 128:
        parse.append(f"delimiter={options.delimiter!r}")
    if options.quote == "none":
        parse.append("quote_char=False")
    elif options.quote_char != '"':
        parse.append(f"quote_char={options.quote_char!r}")
    if options.escape:
        parse.append(f"double_quote=False, escape_char={options.escape!r}")
    if options.quote == "none" and len(schema) == 1:
        parse.append("ignore_empty_lines=False")
    return [*parse, "newlines_in_values=True"]


def _read_options(
    schema: pa.Schema, options: CsvOptions, heads: list[str] | None, *, in_memory: bool
) -> list[str]:
    read = []
    if heads is None:
        read.append(f"column_names={schema.names!r}")
        if options.header:
            read.append("skip_rows_after_names=1")
    if options.encoding in ("latin-1", "utf-16") and not in_memory:
        read.append(f"encoding={options.encoding!r}")
    return read


def _heads(schema: pa.Schema, options: CsvOptions) -> list[str] | None:
    """Return the headings as they are in the file, or None where they do not tell the columns."""
    if not options.header:
        return None
    names = list(options.header if isinstance(options.header, tuple) else schema.names)
    heads = headings(names, options, LossLedger())
    unclear = ord(options.delimiter) > 127 and any(options.delimiter in head for head in heads)
    return None if unclear or len(set(heads)) < len(heads) else heads


def _table(
    path: str,
    options: CsvOptions,
    compression: str,
    arguments: str,
    *,
    in_memory: bool,
    folder: bool,
) -> list[str]:
    """Return the lines that read ``path`` into ``table``."""
    packing = "None" if compression == "none" else repr(compression)
    shown = "part" if folder else repr(path)
    opened = f"pa.input_stream({shown}, compression={packing})"
    out = ["tables = []"]
    if folder:
        numbered = "key=lambda part: (len(part.name), part.name)"
        out.insert(0, f"parts = sorted(Path({path!r}).iterdir(), {numbered})")
    if not in_memory:
        source = shown if compression == "none" else opened
        read = f"csv.read_csv({source}, {arguments})"
        if not folder:
            return [f"table = {read}"]
        out += ["for part in parts:", f"    tables.append({read})"]
        return [*out, "table = pa.concat_tables(tables)"]
    out += ["texts = []"]
    loading = [
        f"with {opened} as file:",
        f"    texts.append(file.read().decode({options.encoding!r}))",
    ]
    out += ["for part in parts:", *(f"    {line}" for line in loading)] if folder else loading
    text = "text"
    if ord(options.delimiter) > 127:
        # PyArrow splits at one byte: a character that nothing holds stands in for the delimiter
        out += [
            "unused = set(map(chr, range(1, 32))) - set('\\t\\n\\r').union(*texts)",
            "spare = min(unused)",
            "parse.delimiter = spare",
        ]
        text = f"text.replace({options.delimiter!r}, spare)"
    read = f"csv.read_csv(pa.BufferReader({text}.encode()), {arguments})"
    read = f"tables.append({read})"
    out += ["for text in texts:"]
    if options.header:
        out += [f"    {read}"]
    else:
        out += ["    if text:", f"        {read}", "schema = pa.schema(types)"]
        return [*out, "table = pa.concat_tables([schema.empty_table(), *tables])"]
    return [*out, "table = pa.concat_tables(tables)"]


class _Column:
    """What a column is read as, and the lines that make of it what it was."""

    def __init__(self, index: int, field: pa.Field, options: CsvOptions) -> None:
        self.name: str = field.name
        self._index = index
        self._steps: list[str] = []
        """Expressions of ``column``, each giving the next one."""
        self._lines_after: list[str] = []
        self._options = options
        kind = readback.text_type(_storage(field.type))
        exact = _plain(_storage(field.type))
        self.read_as = self._plan(kind, exact)

    def finished(self) -> list[str]:
        if not self._steps:
            return []
        return [
            f"column = table.column({self._index})",
            *(f"column = {step}" for step in self._steps),
            *self._lines_after,
            f"table = table.set_column({self._index}, {self.name!r}, column)",
        ]

    def _plan(self, kind: pa.DataType, exact: pa.DataType) -> str:
        """Return the type to declare; put the rest of the way into ``_steps``."""
        options = self._options
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_integer(kind):
            return self._number(kind, exact)
        if pa.types.is_date(kind) and options.date_format is not None:
            return self._moment(options.date_format, exact, "date")
        if pa.types.is_timestamp(kind) and options.timestamp_format is not None:
            return self._moment(options.timestamp_format, exact, "timestamp")
        if pa.types.is_time(kind) and options.time_format is not None:
            return self._moment(options.time_format, exact, "time")
        if pa.types.is_date64(exact):
            self._steps.append("pc.cast(column, pa.date64())")
        known = readback.arrow_type(kind)
        plain = pa.types.is_temporal(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
        if plain and known is not None:
            return known
        # texts, and what is read as text first
        if ord(options.delimiter) > 127:
            self._steps.append(f"pc.replace_substring(column, spare, {options.delimiter!r})")
        if options.formula_guard == "escape":
            pattern = f"pattern={GUARDED!r}, replacement=r'\\1'"
            self._steps.append(f"pc.replace_substring_regex(column, {pattern})")
        if pa.types.is_duration(kind):
            self._duration(kind)
        elif _is_binary(kind):
            decoded = "[None if v is None else b64decode(v) for v in column.to_pylist()]"
            self._steps.append(f"pa.array({decoded}, {_binary_type(kind)})")
        return "pa.string()"

    def _number(self, kind: pa.DataType, exact: pa.DataType) -> str:
        options = self._options
        declared = "pa.float16()" if pa.types.is_float16(exact) else readback.arrow_type(exact)
        if pa.types.is_decimal(exact):
            declared = f"pa.decimal{exact.bit_width}({exact.precision}, {exact.scale})"
        at_once = readback.arrow_type(kind)
        wide = pa.types.is_decimal256(kind) or (pa.types.is_decimal(kind) and kind.scale < 0)
        padded = pa.types.is_decimal(kind) and options.decimals not in (None, kind.scale)
        if not (options.thousands_separator or wide or padded):
            if at_once != declared:
                self._steps.append(f"pc.cast(column, {declared})")
            return str(at_once)
        if ord(options.delimiter) > 127:
            self._steps.append(f"pc.replace_substring(column, spare, {options.delimiter!r})")
        if options.thousands_separator:
            separator = options.thousands_separator
            self._steps.append(f"pc.replace_substring(column, {separator!r}, '')")
        if options.decimal_separator != ".":
            point = options.decimal_separator
            self._steps.append(f"pc.replace_substring(column, {point!r}, '.')")
        if pa.types.is_decimal(kind):
            self._decimal(kind, str(declared))
        else:
            self._steps.append(f"pc.cast(column, {at_once})")
            if at_once != declared:
                self._steps.append(f"pc.cast(column, {declared})")
        return "pa.string()"

    def _decimal(self, kind: pa.DataType, declared: str) -> None:
        digits = self._options.decimals
        if digits is not None and digits > kind.scale:
            # zeros that the type has no room for
            zeros = rf"\.?0{{{digits - max(kind.scale, 0)}}}$"
            self._steps.append(
                f"pc.replace_substring_regex(column, pattern={zeros!r}, replacement='')"
            )
        if kind.bit_width == 256 and (digits is None or digits >= kind.scale):
            self._steps.append(f"pc.cast(column, {declared})")
            return
        scale = max(kind.scale if digits is None else min(digits, kind.scale), 0)
        self._steps.append(f"pc.cast(column, pa.decimal256(76, {scale}))")
        if digits is None or digits >= kind.scale:
            self._steps.append(f"pc.cast(column, {declared})")
            return
        self._lines_after = [
            "try:",
            f"    column = pc.cast(column, {declared})",
            "except pa.ArrowInvalid:",
            "    pass  # a number that was rounded up has one digit more than the type",
        ]

    def _duration(self, kind: pa.DataType) -> None:
        digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[kind.unit]
        seconds = "pattern='^(-?)PT(.*)S$', replacement=r'\\1\\2'"
        self._steps += [
            f"pc.replace_substring_regex(column, {seconds})",
            f"pc.cast(column, pa.decimal128(20, {digits}))",
            f"pc.multiply(column, pa.scalar({10**digits}, pa.decimal128({digits + 1}, 0)))",
            "pc.cast(column, pa.int64())",
            f"pc.cast(column, pa.duration({kind.unit!r}))",
        ]

    def _moment(self, pattern: str, exact: pa.DataType, of: str) -> str:
        """A date, time or timestamp in a chosen format, or its text if that tells too little."""
        zone = exact.tz if of == "timestamp" else None
        if not strftime.readable(pattern, zoned=zone is not None):
            return "pa.string()"
        if of != "time" and strftime.day_kept(pattern) == "none":
            return "pa.string()"
        if ord(self._options.delimiter) > 127:
            restored = f"pc.replace_substring(column, spare, {self._options.delimiter!r})"
            self._steps.append(restored)
        shown, letters = _for_strptime(pattern, zoned=zone is not None)
        declared = _moment_type(exact)
        if letters <= _IN_ARROW and of != "time":
            unit = exact.unit if of == "timestamp" else "s"
            self._steps.append(f"pc.strptime(column, format={shown!r}, unit={unit!r})")
        else:
            part = {"date": ".date()", "time": ".time()", "timestamp": ""}[of]
            read = f"datetime.strptime(v, {shown!r}){part}"
            first = declared
            if of == "time":
                first = "pa.time64('us')"
            elif zone is not None and "z" not in letters:
                first = f"pa.timestamp({exact.unit!r})"
            values = f"[None if v is None else {read} for v in column.to_pylist()]"
            self._steps.append(f"pa.array({values}, {first})")
            if first == declared:
                return "pa.string()"
        if zone is not None and zone not in _UTC and "z" not in letters:
            again = "ambiguous='earliest', nonexistent='earliest'"
            self._steps.append(f"pc.assume_timezone(column, {zone!r}, {again})")
        else:
            self._steps.append(f"pc.cast(column, {declared})")
        return "pa.string()"


def _for_strptime(pattern: str, *, zoned: bool) -> tuple[str, set[str]]:
    """Return the format for reading, and its directives."""
    out, letters = "", set()
    for token in strftime.tokens(pattern):
        if not isinstance(token, Directive):
            out += token.replace("%", "%%")
        elif token.part != "zone" or zoned:
            # both read a number with its zero or without, and a space in its place
            letter = "d" if token.letter == "e" else token.letter
            letters.add(letter)
            out += f"%{letter}"
    return out, letters


def _moment_type(kind: pa.DataType) -> str:
    if pa.types.is_date64(kind):
        return "pa.date64()"
    return str(readback.arrow_type(kind))


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _binary_type(kind: pa.DataType) -> str:
    if pa.types.is_fixed_size_binary(kind):
        return f"pa.binary({kind.byte_width})"
    if pa.types.is_binary_view(kind):
        return "pa.binary_view()"
    return "pa.large_binary()" if pa.types.is_large_binary(kind) else "pa.binary()"
