"""Parquet row groups, each encoded by itself, put one after another under one footer.

PyArrow encodes one file on one core. Each row group is therefore encoded as a small Parquet file
of its own, several at a time; of these files the pages are kept, and of the footers only the
offsets move (apache/parquet-format, ``parquet.thrift``). Page indexes, which hold offsets too, are
gathered before the footer, where readers fetch them in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SourceFailed
from ..registry import Bytes
from . import thrift

MAGIC = b"PAR1"
_FEW_ROWS = 8_192
"""Rows of a batch below which putting batches together costs less than writing them singly."""
# ids of parquet.thrift
_NUM_ROWS, _ROW_GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_META = 2, 3
_OFFSET_INDEX, _OFFSET_INDEX_LENGTH, _COLUMN_INDEX, _COLUMN_INDEX_LENGTH = 4, 5, 6, 7
_PAGE_OFFSETS = (9, 10, 11, 14)
_PAGE_LOCATIONS, _LOCATION_OFFSET = 1, 1


def row_groups(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int, size: int
) -> Iterator[pa.Table]:
    """Yield tables of ``rows`` rows (the last has fewer), or of about ``size`` bytes of wide rows.

    Nothing is copied: a table holds the batches, or slices of them, as they came.
    """
    waiting: list[pa.RecordBatch] = []
    count = weight = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        per_row = max(1, bytes_of(batch) // batch.num_rows)
        start = 0
        while start < batch.num_rows:
            room = min(rows - count, max((size - weight) // per_row, 0 if waiting else 1))
            if room:
                piece = batch.slice(start, room)
                waiting.append(piece)
                start += piece.num_rows
                count += piece.num_rows
                weight += piece.num_rows * per_row
            if count == rows or not room:
                yield pa.Table.from_batches(waiting, schema)
                waiting, count, weight = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def bytes_of(batch: pa.RecordBatch) -> int:
    """Return about how many bytes the rows take: a dictionary is shared with other batches."""
    return sum(
        column.indices.nbytes if pa.types.is_dictionary(column.type) else column.nbytes
        for column in batch.columns
    )


class Piece:
    """One encoded row group: its pages, and the footer that speaks of it alone."""

    def __init__(self, buffer: pa.Buffer, rows: int) -> None:
        view = memoryview(buffer)
        (size,) = struct.unpack("<I", view[-8:-4])
        self.rows = rows
        self.footer = thrift.read(bytes(view[-8 - size : -8]))
        self._file = view
        end = len(view) - 8 - size
        for column in self.columns():
            end = min(end, column[_COLUMN_INDEX].value if _COLUMN_INDEX in column else end)
            end = min(end, column[_OFFSET_INDEX].value if _OFFSET_INDEX in column else end)
        self.pages: Bytes = view[len(MAGIC) : end]
        """The pages of all columns and their Bloom filters, which stand before the indexes."""

    def groups(self) -> list[thrift.Struct]:
        found: list[thrift.Struct] = self.footer[_ROW_GROUPS].value.values
        return found

    def columns(self) -> Iterator[thrift.Struct]:
        for group in self.groups():
            yield from group[_COLUMNS].value.values

    def index(self, column: thrift.Struct, offset: int, length: int) -> bytes | None:
        """Return the bytes of the page index that the fields ``offset`` and ``length`` name."""
        if offset not in column:
            return None
        at = column[offset].value
        return bytes(self._file[at : at + column[length].value])


class Footer:
    """The footer of a whole file: the first piece's schema, every piece's row group.

    Row groups are kept as they will be written, some hundred bytes for each column.
    """

    def __init__(self, template: Piece, *, page_index: bool) -> None:
        self._page_index = page_index
        self._fields = {
            number: field
            for number, field in template.footer.items()
            if number not in (_NUM_ROWS, _ROW_GROUPS)
        }
        self._groups: list[bytes] = []
        self._indexed: list[tuple[thrift.Struct, list[tuple[bytes | None, bytes | None]]]] = []
        self._rows = 0

    def add(self, piece: Piece, at: int) -> None:
        """Take over the piece's row group, whose pages begin at ``at`` of the whole file."""
        moved = at - len(MAGIC)
        for group in piece.groups():
            indexes = []
            for column in group[_COLUMNS].value.values:
                indexes.append(_indexes(piece, column, moved))
                _move(column, moved)
            if _GROUP_OFFSET in group:
                group[_GROUP_OFFSET].value += moved
            if _ORDINAL in group:
                number = len(self._indexed if self._page_index else self._groups)
                group[_ORDINAL].value = min(number, 2**15 - 1)
            if self._page_index:
                # where its indexes will stand is known at the end
                self._indexed.append((group, indexes))
            else:
                self._groups.append(thrift.write(group))
        self._rows += piece.rows

    def end(self, at: int) -> bytes:
        """Return what ends the file after ``at`` bytes: page indexes, footer, its length."""
        out = bytearray()
        self._place(out, at, 0, _COLUMN_INDEX)
        self._place(out, at, 1, _OFFSET_INDEX)
        groups = [*self._groups, *(thrift.write(group) for group, _ in self._indexed)]
        fields = {
            **self._fields,
            _NUM_ROWS: thrift.Field(thrift.I64, self._rows),
            _ROW_GROUPS: thrift.Field(thrift.LIST, thrift.Items(thrift.STRUCT, groups)),
        }
        footer = thrift.write(dict(sorted(fields.items())))
        return bytes(out) + footer + struct.pack("<I", len(footer)) + MAGIC

    def _place(self, out: bytearray, at: int, which: int, field: int) -> None:
        for group, indexes in self._indexed:
            for column, index in zip(group[_COLUMNS].value.values, indexes, strict=True):
                written = index[which]
                if written is not None:
                    column[field].value = at + len(out)
                    # the length is the next field of parquet.thrift
                    column[field + 1].value = len(written)
                    out += written


def _move(column: thrift.Struct, moved: int) -> None:
    # 0 stands for an offset that the writer does not state
    if column[_CHUNK_OFFSET].value:
        column[_CHUNK_OFFSET].value += moved
    metadata = column[_CHUNK_META].value
    for offset in _PAGE_OFFSETS:
        if offset in metadata:
            metadata[offset].value += moved


def _indexes(piece: Piece, column: thrift.Struct, moved: int) -> tuple[bytes | None, bytes | None]:
    """Return a column chunk's two page indexes; the offset index speaks of the whole file."""
    offsets = piece.index(column, _OFFSET_INDEX, _OFFSET_INDEX_LENGTH)
    if offsets is not None:
        index = thrift.read(offsets)
        for location in index[_PAGE_LOCATIONS].value.values:
            location[_LOCATION_OFFSET].value += moved
        offsets = thrift.write(index)
    return piece.index(column, _COLUMN_INDEX, _COLUMN_INDEX_LENGTH), offsets


class Encoder:
    """Encodes tables of one schema as pieces, from any thread.

    ``arguments`` are those of ``pyarrow.parquet.ParquetWriter``. ``rows`` is the schema of the
    tables where it is not the file's; both make the same pages.
    """

    def __init__(
        self, schema: pa.Schema, arguments: dict[str, Any], rows: pa.Schema | None = None
    ) -> None:
        self._schema = schema
        # the schema and its metadata stand in the template's footer, which all pieces share
        self.rows = (rows or schema).remove_metadata()
        self._arguments = arguments

    def template(self) -> Piece:
        """Return the piece without rows, whose footer holds schema and metadata."""
        out = pa.BufferOutputStream()
        with pq.ParquetWriter(out, self._schema, **self._arguments):
            pass
        return Piece(out.getvalue(), 0)

    def piece(self, rows: pa.Table) -> Piece:
        """Return ``rows`` as one row group.

        Raises ``SourceFailed`` naming the column with a value that Parquet cannot hold.
        """
        try:
            return Piece(self._encode(_settled(rows), self.rows, self._arguments), rows.num_rows)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, pa.ArrowMemoryError):
                raise
            raise self._explained(rows, error) from error

    def _encode(self, rows: pa.Table, schema: pa.Schema, arguments: dict[str, Any]) -> pa.Buffer:
        out = pa.BufferOutputStream()
        with pq.ParquetWriter(out, schema, store_schema=False, **arguments) as writer:
            if rows.num_rows:
                writer.write_table(rows, row_group_size=rows.num_rows)
        return out.getvalue()

    def _explained(self, rows: pa.Table, error: Exception) -> Exception:
        for i, field in enumerate(self.rows):
            try:
                self._encode(rows.select([i]), pa.schema([field]), {})
            except (pa.ArrowException, OSError) as reason:
                said = str(reason).strip().split("\n", 1)[0].rstrip(".")
                return SourceFailed(
                    f"Column “{field.name}” ({field.type}) has a value that Parquet cannot hold: "
                    f"{said}.",
                    hint="Leave the column out (columns.exclude), or declare another type "
                    "(option schema).",
                )
        return error


def _settled(rows: pa.Table) -> pa.Table:
    """Return ``rows`` in few chunks, with one dictionary for each column where that can be."""
    chunks = max((column.num_chunks for column in rows.columns), default=1)
    if chunks < 2:
        return rows
    try:
        rows = rows.unify_dictionaries()
        return rows.combine_chunks() if rows.num_rows < chunks * _FEW_ROWS else rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # codes too narrow for all categories, or dictionaries inside other types
        return rows
