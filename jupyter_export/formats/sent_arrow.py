"""Counting rows in Arrow IPC bytes as they pass, by the messages' headers alone.

A message is a marker, the length of its header, the header (a FlatBuffers table) and a body, whose
length the header tells (Arrow columnar format, "Encapsulated message format"). A file is a stream
between two magic words, with a footer that lists where each batch is ("IPC File Format").
"""

from __future__ import annotations

import struct
from pathlib import Path

from ..registry import Bytes, RowCounter

_MAGIC = b"ARROW1"
_MAGIC_PADDED = 8
_MARKER = b"\xff\xff\xff\xff"
_RECORD_BATCH = 3
"""``MessageHeader`` in Message.fbs."""
_INVALID = -1


class SentCounter(RowCounter):
    """Rows of all record batches of a stream, or of a ``file``, that has its proper end."""

    reads = "nothing"

    def __init__(self, file: bool) -> None:
        self._file = file
        self._rows = 0
        self._batches = 0
        self._broken = False
        self._ended = False
        self._skip = 0
        """Bytes of a body that are still to pass."""
        self._held = bytearray()
        """What has come of a header, or, behind the end of the stream, of the footer."""
        self._begun = not file

    def update(self, data: Bytes) -> None:
        view = memoryview(data).cast("B")
        while len(view) and not self._broken:
            if self._skip:
                step = min(self._skip, len(view))
                self._skip -= step
                view = view[step:]
                continue
            need = len(view) if self._ended else self._needed() - len(self._held)
            self._held += view[:need]
            view = view[need:]
            if not self._ended and len(self._held) == self._needed():
                self._take()

    def finish(self, path: Path) -> int:
        whole = self._ended and not self._broken and not self._skip
        if not whole or (self._file and self._listed() != self._batches):
            return _INVALID
        return _INVALID if not self._file and self._held else self._rows

    def _needed(self) -> int:
        """Return how long what is being held has to be for the next step."""
        if not self._begun or len(self._held) < 8:
            return 8
        (length,) = struct.unpack_from("<i", self._held, 4)
        return 8 + max(int(length), 0)

    def _take(self) -> None:
        held, self._held = self._held, bytearray()
        if not self._begun:
            self._begun = True
            self._broken = not held.startswith(_MAGIC)
        elif held[:4] != _MARKER:
            self._broken = True
        elif len(held) == 8:
            (length,) = struct.unpack_from("<i", held, 4)
            if length == 0:
                self._ended = True
            else:
                # the header itself is still to come
                self._held = held
                self._broken = length < 0
        else:
            self._read(bytes(held[8:]))

    def _read(self, header: bytes) -> None:
        try:
            message = _Table.root(header)
            self._skip = message.number(3, "<q")
            if message.number(1, "<B") == _RECORD_BATCH:
                self._rows += message.table(2).number(0, "<q")
                self._batches += 1
        except struct.error:
            self._broken = True

    def _listed(self) -> int:
        """Return how many record batches the footer lists; a footer that is none lists none."""
        tail = bytes(self._held)
        if not tail.endswith(_MAGIC):
            return _INVALID
        try:
            (length,) = struct.unpack_from("<i", tail, len(tail) - len(_MAGIC) - 4)
            return _Table.root(tail[-length - len(_MAGIC) - 4 :]).length_of(3)
        except struct.error:
            return _INVALID


class _Table:
    """A table of FlatBuffers ("Internals"): its fields are found over its vtable."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        (back,) = struct.unpack_from("<i", data, at)
        self._vtable = at - back

    @classmethod
    def root(cls, data: bytes) -> _Table:
        (at,) = struct.unpack_from("<I", data)
        return cls(data, at)

    def number(self, field: int, code: str) -> int:
        """Return a number; 0, the default, where it is not written."""
        at = self._place(field)
        return int(struct.unpack_from(code, self._data, at)[0]) if at else 0

    def table(self, field: int) -> _Table:
        return _Table(self._data, self._target(field))

    def length_of(self, field: int) -> int:
        """Return the length of a vector; 0 where there is none."""
        if not self._place(field):
            return 0
        return int(struct.unpack_from("<I", self._data, self._target(field))[0])

    def _target(self, field: int) -> int:
        at = self._place(field)
        return at + int(struct.unpack_from("<I", self._data, at)[0])

    def _place(self, field: int) -> int:
        (size,) = struct.unpack_from("<H", self._data, self._vtable)
        entry = 4 + 2 * field
        if entry >= size:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._vtable + entry)
        return self._at + offset if offset else 0
