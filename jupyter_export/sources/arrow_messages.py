"""The headers of an Arrow IPC stream, read without its rows.

What a stream says of itself is looked at before any of it is unpacked: a few bytes may claim to be
gigabytes. Nothing is allocated, and no length is believed that the file does not hold.

Source: Arrow columnar format, "Encapsulated message format", format/Message.fbs; the layout of
tables is that of FlatBuffers ("FlatBuffer Internals").
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SCHEMA, DICTIONARY, BATCH = 1, 2, 3
"""Kinds of messages (union MessageHeader)."""
_TIMESTAMP, _UNION = 10, 14
"""Types whose own tables vary in length (union Type)."""
LARGEST_HEADER = 16 * 1024**2
"""Bytes: a hundred thousand columns with what pandas notes of each, or one batch of them."""
MOST_MESSAGES = 250_000
MOST_FIELDS = 100_000
"""Columns, and fields inside of nested ones."""
DEEPEST = 64
"""Nesting of a column's type."""
MOST_ROWS = 2**53
_CONTINUATION = b"\xff\xff\xff\xff"


class Malformed(ValueError):
    """Not a stream of messages; the text says why, as the end of a sentence."""


class Cut(Malformed):
    """The end-of-stream marker is missing."""


class GoesOn(Malformed):
    """Something stands behind the end-of-stream marker."""


@dataclass(frozen=True)
class Message:
    """One message: where it stands, and what its header says of it."""

    kind: int
    end: int
    """Bytes from the beginning of the stream to the end of the message's body."""
    rows: int
    unpacked: int
    """Bytes that a compressed body becomes; 0 of one that is read where it lies."""


@dataclass(frozen=True)
class Outline:
    """What a whole stream holds."""

    schema_bytes: int
    """Length of the schema's message at the beginning."""
    rows: int
    batches: int
    unpacked: int
    """Bytes that the largest batch becomes when it is unpacked, with all dictionaries."""


def outline(path: Path) -> Outline:
    """Walk through the headers of the stream at ``path``. Raises ``Malformed`` and ``OSError``.

    A stream must end with the end-of-stream marker, and the file with it.
    """
    with path.open("rb") as file:
        return _outline(file, os.fstat(file.fileno()).st_size)


def _outline(file: IO[bytes], size: int) -> Outline:
    schema_bytes = rows = batches = largest = dictionaries = end = 0
    ended = False
    for number, message in enumerate(messages(file, size)):
        if message is None:
            ended = True
            break
        if number > MOST_MESSAGES:
            raise Malformed(f"it has more than {MOST_MESSAGES:,} batches")
        end = message.end
        if number == 0:
            if message.kind != SCHEMA:
                raise Malformed("it does not begin with a schema")
            schema_bytes = message.end
        elif message.kind == BATCH:
            batches += 1
            rows += message.rows
            largest = max(largest, message.unpacked)
            if rows > MOST_ROWS:
                raise Malformed("it claims more rows than can be")
        elif message.kind == DICTIONARY:
            dictionaries += message.unpacked
        else:
            raise Malformed("it holds a message that is no batch")
    if not schema_bytes:
        raise Malformed("it has no schema")
    if not ended:
        raise Cut("it has no end-of-stream marker")
    if end + 8 != size:
        raise GoesOn("it goes on after its end")
    return Outline(schema_bytes, rows, batches, largest + dictionaries)


def messages(file: IO[bytes], size: int) -> Iterator[Message | None]:
    """Yield each message of a file of ``size`` bytes, and None for the end-of-stream marker.

    Ends without it where the bytes end between two messages. Raises ``Malformed`` and ``Cut``.
    """
    at = 0
    while at < size:
        file.seek(at)
        begun = file.read(8)
        if not begun.startswith(_CONTINUATION):
            raise Malformed("a message does not begin as one")
        if len(begun) < 8:
            raise Cut("it ends within a message")
        (length,) = struct.unpack_from("<i", begun, 4)
        if length == 0:
            yield None
            return
        if not 0 < length <= LARGEST_HEADER:
            raise Malformed(f"a message has a header of {length:,} bytes")
        header = file.read(length)
        if len(header) < length:
            raise Cut("it ends within a message")
        message = _message(header, at + 8 + length, file, size)
        yield message
        at = message.end


def _message(header: bytes, body: int, file: IO[bytes], size: int) -> Message:
    """Return the message of that header, whose body begins at ``body``."""
    flat = _Flat(header)
    try:
        table = flat.root()
        kind = flat.number(table, 1, "<B")
        length = flat.number(table, 3, "<q")
        if not 0 <= length <= size - body:
            raise Cut("it ends within the body of a message")
        rows = unpacked = 0
        if kind == SCHEMA:
            _check_schema(flat)
        if kind in (BATCH, DICTIONARY):
            batch = flat.table(table, 2)
            if kind == DICTIONARY:
                batch = flat.table(batch, 1)
            rows = flat.number(batch, 0, "<q")
            if rows < 0:
                raise Malformed("a batch has fewer rows than none")
            unpacked = _unpacked(flat, batch, body, length, file)
        return Message(kind, body + length, rows, unpacked)
    except struct.error:
        raise Malformed("the header of a message is damaged") from None


def _unpacked(flat: _Flat, batch: int, body: int, size: int, file: IO[bytes]) -> int:
    """Return the bytes that the buffers of a batch take in memory.

    Each compressed buffer begins with its length, which the unpacking never exceeds, or with -1
    where it is not compressed (Message.fbs, BodyCompression).
    """
    if not flat.has(batch, 3):
        return 0
    first, count = flat.vector(batch, 2)
    total = 0
    for offset, length in struct.iter_unpack("<qq", flat.bytes[first : first + 16 * count]):
        if offset < 0 or length < 0 or offset + length > size:
            raise Malformed("a buffer lies outside of its message")
        if length >= 8:
            file.seek(body + offset)
            (stated,) = struct.unpack("<q", file.read(8))
            total += stated if stated >= 0 else length
    return total


def _check_schema(flat: _Flat) -> None:
    """Refuse a schema that would grow when it is read: a table or text of FlatBuffers may be
    referred to from many places, and a reader makes a copy for each.

    Fields of Schema.fbs: Schema.fields 1, .custom_metadata 2; Field.name 0, .type_type 2, .type 3,
    .children 5, .custom_metadata 6; Timestamp.timezone 1; Union.typeIds 1.
    """
    try:
        schema = flat.table(flat.root(), 2)
        texts = flat.metadata(schema, 2)
        left = [(field, 1) for field in flat.tables(schema, 1)]
        count = 0
        while left:
            field, depth = left.pop()
            count += 1
            kind = flat.number(field, 2, "<B")
            texts += flat.length(field, 0) + flat.metadata(field, 6)
            if kind == _TIMESTAMP and flat.has(field, 3):
                texts += flat.length(flat.table(field, 3), 1)
            elif kind == _UNION and flat.has(field, 3):
                texts += 4 * flat.length(flat.table(field, 3), 1)
            if depth > DEEPEST:
                raise Malformed(f"a column is nested deeper than {DEEPEST}")
            if texts > len(flat.bytes):
                raise Malformed("its schema claims to be longer than it is")
            left += [(child, depth + 1) for child in flat.tables(field, 5)]
            if count + len(left) > MOST_FIELDS:
                raise Malformed(f"it has more than {MOST_FIELDS:,} columns")
    except struct.error:
        raise Malformed("its schema is damaged") from None


class _Flat:
    """Fields of FlatBuffers tables; whatever lies outside of the bytes is a ``struct.error``."""

    def __init__(self, header: bytes) -> None:
        self.bytes = header

    def root(self) -> int:
        return self._at(0, "<I")

    def has(self, table: int, field: int) -> bool:
        return self._field(table, field) != 0

    def number(self, table: int, field: int, kind: str) -> int:
        """Return a scalar field; 0 where it is left out."""
        at = self._field(table, field)
        return self._at(at, kind) if at else 0

    def table(self, table: int, field: int) -> int:
        """Return the place of the table that a field refers to."""
        at = self._field(table, field)
        if not at:
            raise Malformed("the header of a message is damaged")
        return at + self._at(at, "<I")

    def length(self, table: int, field: int) -> int:
        """Return the length of a text or vector; 0 where it is left out."""
        at = self._field(table, field)
        if not at:
            return 0
        start = at + self._at(at, "<I")
        length = self._at(start, "<I")
        if start + 4 + length > len(self.bytes):
            raise struct.error
        return length

    def tables(self, table: int, field: int) -> list[int]:
        """Return the places of the tables in a vector; of no more than may be."""
        count = self.length(table, field)
        if not count:
            return []
        at = self._field(table, field)
        start = at + self._at(at, "<I") + 4
        count = min(count, MOST_FIELDS + 1)
        return [each + self._at(each, "<I") for each in range(start, start + 4 * count, 4)]

    def metadata(self, table: int, field: int) -> int:
        """Return the bytes of all keys and values (KeyValue.key 0, .value 1)."""
        pairs = self.tables(table, field)
        if len(pairs) > MOST_FIELDS:
            raise struct.error
        return sum(self.length(pair, 0) + self.length(pair, 1) for pair in pairs)

    def vector(self, table: int, field: int) -> tuple[int, int]:
        """Return where the items of a vector of 16-byte structs begin, and how many there are."""
        at = self._field(table, field)
        if not at:
            return 0, 0
        start = at + self._at(at, "<I")
        count = self._at(start, "<I")
        if start + 4 + 16 * count > len(self.bytes):
            raise Malformed("the header of a message is damaged")
        return start + 4, count

    def _field(self, table: int, field: int) -> int:
        vtable = table - self._at(table, "<i")
        if vtable < 0 or 4 + 2 * field >= self._at(vtable, "<H"):
            return 0
        offset = self._at(vtable + 4 + 2 * field, "<H")
        return table + offset if offset else 0

    def _at(self, at: int, kind: str) -> int:
        if at < 0:
            raise struct.error
        value: int = struct.unpack_from(kind, self.bytes, at)[0]
        return value
