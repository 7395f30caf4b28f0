"""Counting rows in JSON text by its lines: each row, or value of a column, has lines of its own.

A line end inside of a value is always escaped (RFC 8259, section 7), so that every one in the file
stands between values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...errors import Incomplete
from ...registry import Bytes, RowCounter
from ..batches import windows

_Window: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"
_Places: TypeAlias = "np.ndarray[Any, np.dtype[np.intp]]"
_LINE_END, _SPACE, _COMMA = 0x0A, 0x20, 0x2C


class LineEnds:
    """Counts the line ends between ``before`` and ``after``, wherever the bytes are cut."""

    def __init__(self, before: bytes = b"", after: bytes = b"", *, first: bool = False) -> None:
        self.found = 0
        self._wanted = before + b"\n" + after
        # what is looked for first: of a pretty file, the bracket is rarer than its line end
        self._anchor = max(len(before) - 1, 0)
        # the beginning of the file begins a line too
        self._seen = np.frombuffer(b"\n" if first else b"", np.uint8)

    def update(self, data: Bytes) -> None:
        if len(self._wanted) == 1:
            for window in windows(data):
                self.found += int(np.count_nonzero(window == _LINE_END))
            return
        whole = np.frombuffer(data, np.uint8)
        self.found += len(self._matches(whole, _places(data, self._wanted[self._anchor])))
        # those that lie on both sides of the edge to the bytes before
        most = len(self._wanted) - 1
        seam = np.concatenate([self._seen, whole[:most]])
        starts = self._matches(seam, np.flatnonzero(seam == self._wanted[self._anchor]))
        edge = len(self._seen)
        self.found += int(((starts < edge) & (starts + most >= edge)).sum())
        self._seen = np.concatenate([self._seen, whole[-most:]])[-most:]

    def _matches(self, seen: _Window, anchors: _Places) -> _Places:
        """Return where the wanted bytes begin, of those places that may be in them."""
        starts = anchors - self._anchor
        starts = starts[(starts >= 0) & (starts <= len(seen) - len(self._wanted))]
        for offset, byte in enumerate(self._wanted):
            starts = starts[seen[starts + offset] == byte]
        return starts


class LineCounter(RowCounter):
    """Counts the lines that begin a row."""

    reads = "nothing"

    def __init__(self, *rows: LineEnds, without: LineEnds | None = None) -> None:
        self._rows = rows
        self._without = without

    def update(self, data: Bytes) -> None:
        for each in self._rows:
            each.update(data)
        if self._without is not None:
            self._without.update(data)

    def finish(self, path: Path) -> int:
        rows = sum(each.found for each in self._rows)
        return rows - (self._without.found if self._without is not None else 0)


class ColumnCounter(RowCounter):
    """Counts the values of columns: one on each line between ``[`` at a line's end and ``]``.

    A line that ends with ``{`` begins a dataset, whose columns must all have as many values.
    """

    reads = "nothing"

    def __init__(self) -> None:
        self._rows = 0
        self._lines = 0
        self._opened: int | None = None
        self._columns: set[int] = set()
        self._seen = np.frombuffer(b"\n\n\n", np.uint8)

    def update(self, data: Bytes) -> None:
        for window in windows(data):
            self._update(window)

    def _update(self, window: _Window) -> None:
        window = np.concatenate([self._seen, window])
        self._seen = window[-3:]
        ends = np.flatnonzero(window[3:] == _LINE_END) + 3
        last, before, first = window[ends - 1], window[ends - 2], window[ends - 3]
        # a bracket alone on its line; with a comma behind it, or not
        alone = (last == ord("]")) & _blank(before)
        alone |= (last == _COMMA) & (before == ord("]")) & _blank(first)
        telling = alone | (last == ord("[")) | (last == ord("{"))
        for line in np.flatnonzero(telling).tolist():
            if last[line] == ord("{"):
                self._close_dataset()
            elif last[line] == ord("["):
                self._opened = self._lines + line
            elif self._opened is not None:
                self._columns.add(self._lines + line - self._opened - 1)
                self._opened = None
        self._lines += len(ends)

    def _close_dataset(self) -> None:
        if len(self._columns) > 1:
            fewest, most = min(self._columns), max(self._columns)
            raise Incomplete(
                f"The file is not complete: one of its columns has {fewest:,} values, "
                f"another one {most:,}.",
                hint="Nothing was published; please report this.",
            )
        self._rows += next(iter(self._columns), 0)
        self._columns = set()

    def finish(self, path: Path) -> int:
        self._close_dataset()
        return self._rows


def _places(data: Bytes, byte: int) -> _Places:
    found: list[_Places] = [np.empty(0, np.intp)]
    start = 0
    for window in windows(data):
        found.append(np.flatnonzero(window == byte) + start)
        start += len(window)
    return np.concatenate(found)


def _blank(byte: _Window) -> np.ndarray[Any, np.dtype[np.bool_]]:
    blank: np.ndarray[Any, np.dtype[np.bool_]] = (byte == _SPACE) | (byte == _LINE_END)
    return blank
