"""Batches -> the lines of a CSV, as bytes of the chosen encoding."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec
from ...registry import Bytes, Loss, LossLedger
from .. import cells
from ..strings import offsets, payload
from .columns import Column, head_line
from .options import CsvOptions

_MARKS = {"utf-8-sig": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe"}


@dataclass(frozen=True)
class Lines:
    """Some rows as they stand in the file."""

    data: Bytes
    rows: int
    ends: Any
    """Where each row ends in ``data`` (int64), or None where nobody asked."""


class Writer:
    """Writes the header and the batches of one table; used by several threads."""

    def __init__(
        self,
        schema: pa.Schema,
        options: CsvOptions,
        style: cells.Style,
        losses: LossLedger,
        *,
        ends: bool = False,
    ) -> None:
        self._options = options
        self._losses = losses
        self._schema = schema
        self._ends = ends
        self._alone = len(schema) == 1
        self._columns = [
            Column(field, options, style, losses, alone=self._alone, first=i == 0)
            for i, field in enumerate(schema)
        ]
        self.head = self._head()
        """The bytes before the first row: byte order mark and header."""

    def _head(self) -> bytes:
        options, schema = self._options, self._schema
        mark = _MARKS.get(options.encoding, b"")
        if not options.header:
            return mark
        names = list(options.header if isinstance(options.header, tuple) else schema.names)
        if len(names) != len(schema):
            raise InvalidSpec(
                f"The header has {len(names):,} names for {len(schema):,} columns.",
                hint=f"The columns are {', '.join(schema.names[:20])}.",
                field="format.header",
            )
        # what is changed of a heading is told in the name of its column
        for name, times in Counter(names).items():
            if times > 1:
                message = f"{times} columns are headed “{name}”"
                self._losses.add(Loss("duplicate_header", name, times, message, "header=true"))
        line = head_line(names, options, self._losses) + options.line_terminator
        return mark + line.encode(_unmarked(options.encoding))

    def lines(self, batch: pa.RecordBatch, row: int) -> Lines:
        """Return the lines of ``batch``, which ``row`` rows stand before."""
        if self._alone:
            self._report_lone_nulls(batch)
        last = batch.num_columns - 1
        columns = [
            column.cells(values, row, self._options.line_terminator if i == last else None)
            for i, (column, values) in enumerate(zip(self._columns, batch.columns, strict=True))
        ]
        joined = columns[0]
        if not self._alone:
            joined = pc.binary_join_element_wise(
                *columns,
                self._options.delimiter,
                null_handling="replace",
                null_replacement=self._options.null,
            )
        ends = self._row_ends(joined) if self._ends else None
        return Lines(self._encoded(payload(joined)), batch.num_rows, ends)

    def _encoded(self, data: np.ndarray[Any, np.dtype[np.uint8]]) -> Bytes:
        encoding = self._options.encoding
        if encoding in ("utf-8", "utf-8-sig", "ascii"):
            return data.data
        if encoding == "latin-1":
            # what Latin-1 lacks was replaced cell by cell: each character is one byte or two
            return data.data if not (data > 0x7F).any() else _recoded(data, encoding)
        if not (data > 0x7F).any():
            return data.astype("<u2").view(np.uint8).data
        return _recoded(data, encoding)

    def _row_ends(self, joined: pa.Array) -> Any:
        encoding = self._options.encoding
        if encoding in ("utf-8", "utf-8-sig", "ascii"):
            places = offsets(joined)
            return (places[1:] - places[0]).astype(np.int64)
        sizes = pc.utf8_length(joined).to_numpy(zero_copy_only=False).astype(np.int64)
        if encoding == "utf-16":
            # beyond the basic plane: four bytes of UTF-8, two units of UTF-16
            pairs = np.concatenate(([0], np.cumsum(payload(joined) >= 0xF0)))
            places = offsets(joined) - offsets(joined)[0]
            sizes = (sizes + np.diff(pairs[places])) * 2
        return np.cumsum(sizes)

    def _report_lone_nulls(self, batch: pa.RecordBatch) -> None:
        """An empty line is no row to most readers, so the null of a lone column is written ``""``,
        which is what an empty text looks like; without quotes it is an empty line."""
        column, kind = batch.column(0), batch.schema.types[0]
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        bare = self._options.quote == "none"
        if self._options.null or not len(column) or not (bare or may_be_empty(kind)):
            return
        nulls = pc.sum(pc.is_null(_values(column))).as_py()
        if not nulls:
            return
        message = "nulls of a file with one column look like empty text"
        if bare:
            message = "nulls of a file with one column are empty lines, which many readers skip"
        self._losses.add(Loss("null_or_empty", batch.schema.names[0], nulls, message, "null=NA"))


def may_be_empty(kind: pa.DataType) -> bool:
    """Tell whether a value of that type may be written as an empty text: texts and bytes."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _values(column: pa.Array) -> pa.Array:
    """A dictionary may hold a null among its values, too."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type) and column.dictionary.null_count:
        return column.dictionary_decode()
    return column


def _recoded(data: np.ndarray[Any, np.dtype[np.uint8]], encoding: str) -> bytes:
    return str(data.data, "utf-8").encode(_unmarked(encoding))


def _unmarked(encoding: str) -> str:
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
