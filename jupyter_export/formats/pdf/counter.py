"""Counts the rows that a finished PDF really shows.

It goes the way of a viewer: from the end of the file to the cross-reference stream, along the page
tree, and into the contents of each page. Of the writer it knows one thing: how a row is marked
(``rows.ROW_MARK``). A page that is not in the tree, or cannot be read, has no rows.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from isal import isal_zlib

from ...registry import RowCounter
from .decryption import Decryption

_MARK = b"\n/TR MP "
_STREAM = re.compile(rb"(\d+) 0 obj\s*<<(.*?)>>\s*stream\r?\n", re.DOTALL)
_OBJECT = re.compile(rb"(\d+) 0 obj\s*(.*?)\s*endobj", re.DOTALL)
_CONTENTS = re.compile(rb"/Contents\s*(\[[^\]]*\]|\d+ 0 R)")
_KIDS = re.compile(rb"/Kids\s*\[([^\]]*)\]")
_LENGTH = re.compile(rb"/Length (\d+)")
_REFERENCE = re.compile(rb"(\d+) 0 R")
_DEEPEST = 32


class Unreadable(ValueError):
    """The file, or a part of it, is not what a PDF has to be."""


class PageCounter(RowCounter):
    """``password``: what the file is opened with, where it is protected."""

    def __init__(self, password: str | None) -> None:
        self._password = password

    def finish(self, path: Path) -> int:
        with path.open("rb") as file:
            try:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # an empty file
                return 0
            with data:
                return self._count(data)

    def _count(self, data: mmap.mmap) -> int:
        try:
            file = _File(data, self._password)
            # on one thread: pages are so small that several would only wait for one another
            return sum(map(file.rows, file.pages()))
        except Unreadable:
            return 0


class _File:
    """Objects of a file, as a viewer finds them. Raises ``ValueError`` for what is no PDF."""

    def __init__(self, data: mmap.mmap, password: str | None) -> None:
        self._data = data
        self._open: Decryption | None = None
        self._packed: dict[int, tuple[bytes, list[int]]] = {}
        end = data.rfind(b"startxref")
        found = re.match(rb"startxref\s+(\d+)", data[end : end + 40]) if end >= 0 else None
        if found is None:
            raise Unreadable("no cross-reference")
        trailer, table = self._stream_at(int(found[1]))
        self._kinds, self._places, self._indices = _entries(trailer, table)
        encrypt = re.search(rb"/Encrypt (\d+) 0 R", trailer)
        if encrypt:
            self._open = _opened(self._object(int(encrypt[1])), password)
        self._root = _first(rb"/Root (\d+) 0 R", trailer)

    def pages(self) -> Iterator[bytes]:
        """Yield the dictionary of each page, in order."""
        top = _first(rb"/Pages (\d+) 0 R", self._object(self._root))
        yield from self._below(top, 0)

    def _below(self, node: int, depth: int) -> Iterator[bytes]:
        body = self._object(node)
        kids = _KIDS.search(body)
        if kids is None:
            yield body
        elif depth < _DEEPEST:
            for kid in _REFERENCE.findall(kids[1]):
                yield from self._below(int(kid), depth + 1)

    def rows(self, page: bytes) -> int:
        """Return how many rows a page shows."""
        contents = _CONTENTS.search(page)
        if contents is None:
            return 0
        try:
            # no operator goes over the end of a stream (7.8.2)
            return sum(
                self._contents(int(number)).count(_MARK)
                for number in _REFERENCE.findall(contents[1])
            )
        except Unreadable:
            return 0

    def _contents(self, number: int) -> bytes:
        kind, place = self._entry(number)
        if kind != 1:
            raise Unreadable("contents are no stream")
        return self._stream_at(place, number)[1]

    # ------------------------------------------------------------------ objects

    def _entry(self, number: int) -> tuple[int, int]:
        if number >= len(self._kinds):
            raise Unreadable("no such object")
        return self._kinds[number], self._places[number]

    def _object(self, number: int) -> bytes:
        kind, place = self._entry(number)
        if kind == 2:
            index = self._indices[number]
            data, starts = self._container(place)
            if index + 1 >= len(starts):
                raise Unreadable("no such object in its stream")
            return data[starts[index] : starts[index + 1]]
        found = _OBJECT.match(self._data, place) if kind == 1 else None
        if found is None or int(found[1]) != number:
            raise Unreadable("no such object")
        return found[2]

    def _container(self, number: int) -> tuple[bytes, list[int]]:
        if number not in self._packed:
            kind, place = self._entry(number)
            if kind != 1:
                raise Unreadable("no object stream")
            head, data = self._stream_at(place, number)
            first = _first(rb"/First (\d+)", head)
            starts = [first + int(n) for n in data[:first].split()[1::2]]
            self._packed[number] = (data, [*starts, len(data)])
        return self._packed[number]

    def _stream_at(self, place: int, number: int | None = None) -> tuple[bytes, bytes]:
        found = _STREAM.match(self._data, place)
        if found is None or (number is not None and int(found[1]) != number):
            raise Unreadable("no such stream")
        head = found[2]
        length = _LENGTH.search(head)
        if length is None:
            raise Unreadable("a stream has no length")
        start = found.end()
        data = self._data[start : start + int(length[1])]
        if self._open is not None:
            data = self._open.decrypt(data)
        return head, _inflated(data) if b"/FlateDecode" in head else data


def _opened(dictionary: bytes, password: str | None) -> Decryption:
    try:
        return Decryption(dictionary, password or "")
    except ValueError as error:
        raise Unreadable("the password does not open the file") from error


def _inflated(data: bytes) -> bytes:
    try:
        return isal_zlib.decompress(data)
    except isal_zlib.error as error:  # type: ignore[misc]
        raise Unreadable("a stream is damaged") from error


def _first(pattern: bytes, text: bytes) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise Unreadable("an entry is missing")
    return int(found[1])


def _entries(head: bytes, table: bytes) -> tuple[memoryview, memoryview, memoryview]:
    """Return kind, place and index of each object (ISO 32000-1, 7.5.8.3)."""
    found = re.search(rb"/W\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s*\]", head)
    if found is None:
        raise Unreadable("no cross-reference stream")
    sizes = [int(size) for size in found.groups()]
    rows = np.frombuffer(table, np.uint8)
    if b"/Predictor 12" in head:
        # each row is the difference from the one above (PNG, filter type 2)
        differences = rows.reshape(-1, sum(sizes) + 1)
        if not (differences[:, 0] == 2).all():
            raise Unreadable("an unknown predictor")
        rows = np.cumsum(differences[:, 1:], axis=0, dtype=np.uint8)
    else:
        rows = rows.reshape(-1, sum(sizes))
    out = np.zeros((3, len(rows)), np.int64)
    at = 0
    for i, size in enumerate(sizes):
        for _ in range(size):
            out[i] = out[i] * 256 + rows[:, at]
            at += 1
    return out[0].data, out[1].data, out[2].data
