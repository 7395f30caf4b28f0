"""The lines of Python that read JSON and JSON Lines back with the types that went in.

DuckDB reads the values, each with the type that its text stands for, and Arrow casts them to the
very type. What neither can give back is told by ``losses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ..registry import Loss
from .readback_json_types import (
    Reading,
    expression,
    identifier,
    is_nested_sql,
    literal,
    may_hold_member,
    plain_names,
    reading,
)

if TYPE_CHECKING:
    from .json.options import JsonLinesOptions, JsonOptions

_LARGEST = 4_000_000_000
"""Bytes of a document: the most that the engine reads as one value."""


_AVOIDED_BY = {"arrays": "expand", "decimals": "string", "date_format": "iso"}


def losses(schema: pa.Schema, options: JsonLinesOptions) -> list[Loss]:
    """Return the columns that the reader's lines give back with another type than they had."""
    found = []
    for field in schema:
        given = reading(field.type, options).given
        if given.equals(field.type) or pa.types.is_union(field.type):
            continue
        nested = options.arrays == "stringify" and pa.types.is_nested(field.type)
        message = f"the file does not say the type {field.type}, and is read back as {given}"
        option = "format.type=arrow"
        for name, value in _AVOIDED_BY.items():
            other = options.model_copy(update={name: value})
            if reading(field.type, other).given.equals(field.type):
                option = f"{name}={value}"
        # the values of stringified columns are counted as they are written
        found.append(Loss("nested" if nested else "type", field.name, 0, message, option))
    return found


def of_json(
    tables: Mapping[str, pa.Schema], path: str, options: JsonOptions, compression: str
) -> str:
    """Return the lines for a document of these datasets: ``df``, or ``frames`` of several."""
    lines = _Lines(path, compression)
    several = len(tables) > 1
    for name, schema in tables.items():
        if not several and not options.metadata and options.structure in ("records", "nested"):
            frame = _plain_rows(schema, options, lines, "array")
        elif options.structure == "columns":
            frame = _of_columns(schema, options, lines, _base(name, options, several))
        elif several and options.structure == "nested" and _may_be_mistaken(tables, options):
            outer = _pointer("data") if options.metadata else ""
            frame = _Frame(schema, options, _inside_of_rows(tables, name, lines, outer))
        elif options.structure == "split":
            rows = lines.document(_base(name, options, several) + _pointer("data"))
            frame = _Frame(schema, options, rows, by_place=True)
        else:
            rows = lines.document(_base(name, options, several))
            frame = _Frame(schema, options, rows)
        lines.add(name if several else None, frame)
    return lines.text


def of_lines(
    tables: Mapping[str, pa.Schema], path: str, options: JsonLinesOptions, compression: str
) -> str:
    """Return the lines for JSON Lines of these datasets: ``df``, or ``frames`` of several."""
    lines = _Lines(path, compression)
    several = len(tables) > 1
    for name, schema in tables.items():
        if not several and not options.metadata:
            frame = _plain_rows(schema, options, lines, "newline_delimited")
        else:
            wanted = f"= {literal(name)}" if several else "<> 'metadata'"
            rows = (
                f"SELECT json AS r FROM {lines.objects('newline_delimited')} "
                f"WHERE json_extract_string(json, '/type') {wanted}"
            )
            frame = _Frame(schema, options, rows)
        lines.add(name if several else None, frame)
    return lines.text


# ------------------------------------------------------------------ where the rows are


def _pointer(*names: str) -> str:
    """Return the JSON Pointer (RFC 6901) to a member of a member."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def _base(name: str, options: JsonOptions, several: bool) -> str:
    """Return the place of a dataset's value in the document: a pointer or, with $, a JSONPath."""
    outer = ["data"] if options.metadata else []
    if options.structure == "nested" and several:
        # wherever its rows are: inside of those of another dataset, or beside them
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'{".".join(["$", *outer])}.."{escaped}"'
    if options.structure == "normalized":
        # the name of a lone dataset may be any
        return (
            _pointer(*outer, "datasets", name) if several else ".".join(["$", *outer, "datasets.*"])
        )
    return _pointer(*outer, name) if several else _pointer(*outer)


def _may_be_mistaken(tables: Mapping[str, pa.Schema], options: JsonOptions) -> bool:
    """Tell whether a cell may hold an array under a dataset's name."""
    if options.arrays == "stringify":
        return False
    names = set(tables)
    return any(
        may_hold_member(field.type, names)
        or (field.name in names and pa.types.is_nested(field.type))
        for schema in tables.values()
        for field in schema
    )


def _inside_of_rows(tables: Mapping[str, pa.Schema], name: str, lines: _Lines, outer: str) -> str:
    """Return SQL for the rows of a nested dataset, found from the outermost rows inwards.

    A member of a row holds rows if it is called like a dataset and is none of the row's columns.
    """
    tops = ", ".join(f"({literal(n)}, {literal(outer + _pointer(n))})" for n in tables)
    steps = ", ".join(
        f"({literal(row)}, {literal(inner)}, {literal(_pointer(inner))})"
        for row, schema in tables.items()
        for inner in tables
        if inner != row and inner not in schema.names
    )
    opened = lines.objects("unstructured")
    found = (
        "SELECT dataset, unnest(json_extract(json, place)::JSON[]) AS r "
        f"FROM {opened}, (VALUES {tops}) AS tops(dataset, place)"
    )
    if steps:
        found += (
            " UNION ALL SELECT inner_dataset, unnest(json_extract(r, place)::JSON[]) "
            f"FROM found JOIN (VALUES {steps}) AS steps(dataset, inner_dataset, place) "
            "USING (dataset)"
        )
    return (
        f"WITH RECURSIVE found(dataset, r) AS ({found}) "
        f"SELECT r FROM found WHERE dataset = {literal(name)}"
    )


def _elements(place: str) -> str:
    """Return SQL for the list of what the array at that place holds."""
    if place.startswith("$"):
        return f"json_extract(json, {literal(place + '[*]')})"
    return f"json_extract(json, {literal(place)})::JSON[]" if place else "json::JSON[]"


@dataclass(frozen=True)
class _Frame:
    """A query for one dataset, and what its columns are then cast to."""

    schema: pa.Schema
    options: JsonLinesOptions
    rows: str
    """SQL for one JSON value ``r`` for each row; for ``named``, for its columns."""
    by_place: bool = False
    """The values of a row are told by their place, not by their name."""
    named: bool = False

    @property
    def query(self) -> str:
        if not len(self.schema):
            return f"SELECT {'NULL' if self.named else 'r'} AS none FROM ({self.rows})"
        columns = [
            f"{self._value(index, field.name, plan)} AS {self._alias(index, field.name)}"
            for index, (field, plan) in enumerate(zip(self.schema, self._plans, strict=True))
        ]
        return f"SELECT {', '.join(columns)} FROM ({self.rows})"

    @property
    def _plans(self) -> list[Reading]:
        return [reading(field.type, self.options) for field in self.schema]

    @property
    def renamed(self) -> bool:
        return not plain_names(self.schema.names)

    def _alias(self, index: int, name: str) -> str:
        return f"c{index}" if self.renamed else identifier(name)

    def _value(self, index: int, name: str, plan: Reading) -> str:
        if self.named:
            return plan.form.replace("{}", identifier(name))
        place = str(index) if self.by_place else literal(_pointer(name))
        return plan.form.replace("{}", _extracted("r", place, plan.sql))

    @property
    def fields(self) -> list[str]:
        """Return the Python expressions of the schema that is read first."""
        return [
            f"({field.name!r}, {expression(pa.string() if pa.types.is_null(t) else t)})"
            for field, t in self._given
        ]

    @property
    def _given(self) -> list[tuple[pa.Field, pa.DataType]]:
        out = []
        for field, plan in zip(self.schema, self._plans, strict=True):
            given = plan.given
            if pa.types.is_dictionary(given) and not pa.types.is_string(given.value_type):
                given = given.value_type
            out.append((field, given))
        return out

    @property
    def finishing(self) -> list[str]:
        """Return the lines for what Arrow does not cast to: nulls, and codes of other values."""
        lines = []
        for index, (field, plan) in enumerate(zip(self.schema, self._plans, strict=True)):
            given = plan.given
            made = None
            if pa.types.is_null(given):
                made = "pa.nulls(len(rows))"
            elif pa.types.is_dictionary(given) and not pa.types.is_string(given.value_type):
                made = f"rows[{field.name!r}].dictionary_encode().cast({expression(given)})"
            if made is not None:
                lines.append(f"rows = rows.set_column({index}, {field.name!r}, {made})")
        return lines


def _extracted(value: str, place: str, sql: str) -> str:
    if is_nested_sql(sql):
        return f"json_extract({value}, {place})::{sql}"
    text = f"json_extract_string({value}, {place})"
    return text if sql == "VARCHAR" else f"{text}::{sql}"


def _plain_rows(schema: pa.Schema, options: JsonLinesOptions, lines: _Lines, layout: str) -> _Frame:
    """Rows that are all there is: the engine is told their columns."""
    if not plain_names(schema.names):
        return _Frame(schema, options, f"SELECT json AS r FROM {lines.objects(layout)}")
    columns = ", ".join(
        f"{identifier(field.name)}: {literal(reading(field.type, options).sql)}" for field in schema
    )
    rows = f"FROM read_json({lines.opened(layout, f'columns = {{{columns}}}', 'records = true')})"
    return _Frame(schema, options, rows, named=True)


def _of_columns(schema: pa.Schema, options: JsonOptions, lines: _Lines, base: str) -> _Frame:
    """Columns one beside another, as rows of values that are told by their place."""
    values = ", ".join(
        f"unnest({_elements(base + _pointer(name))}) AS v{index}"
        for index, name in enumerate(schema.names)
    )
    row = ", ".join(f"v{index}" for index in range(len(schema)))
    source = f"SELECT {values} FROM {lines.objects('unstructured')}"
    return _Frame(schema, options, f"SELECT json_array({row}) AS r FROM ({source})", by_place=True)


class _Lines:
    """The lines, as they are put together."""

    def __init__(self, path: str, compression: str) -> None:
        self._lines = ["import duckdb", "import pyarrow as pa"]
        self._given = ""
        self._file = literal(path)
        self._compression = compression
        if compression == "brotli":
            # DuckDB opens gzip and zstd itself
            self._file, self._compression, self._given = (
                "$plain",
                "none",
                ", params={'plain': plain}",
            )
            self._lines += [
                "import os, shutil, tempfile",
                f"packed = pa.input_stream({path!r}, compression='brotli')",
                "plain = os.path.join(tempfile.mkdtemp(), 'plain.json')",
                "with packed, open(plain, 'wb') as file:",
                "    shutil.copyfileobj(packed, file)",
            ]

    def opened(self, layout: str, *more: str) -> str:
        arguments = [self._file, *more, f"format = '{layout}'"]
        if self._compression != "none":
            arguments.append(f"compression = '{self._compression}'")
        if layout == "unstructured":
            arguments.append(f"maximum_object_size = {_LARGEST}")
        return ", ".join(arguments)

    def objects(self, layout: str) -> str:
        return f"read_json_objects({self.opened(layout)})"

    def document(self, place: str) -> str:
        """Return SQL for the values of the array at that place of the one document."""
        return f"SELECT unnest({_elements(place)}) AS r FROM {self.objects('unstructured')}"

    def add(self, name: str | None, frame: _Frame) -> None:
        """Add the lines of one dataset; None: it is the only one."""
        if name is not None and "frames = {}" not in self._lines:
            self._lines.append("frames = {}")
        self._lines += [
            f"schema = pa.schema([{', '.join(frame.fields)}])",
            f"query = {frame.query!r}",
            f"rows = duckdb.sql(query{self._given}).to_arrow_table()",
        ]
        if not len(frame.schema):
            self._lines.append("rows = rows.select([])")
        elif frame.renamed:
            self._lines.append("rows = rows.rename_columns(schema.names)")
        self._lines += ["rows = rows.cast(schema)", *frame.finishing]
        target = "df" if name is None else f"frames[{name!r}]"
        self._lines.append(f"{target} = rows.to_pandas()")

    @property
    def text(self) -> str:
        return "\n".join(self._lines)
