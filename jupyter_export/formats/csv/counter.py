"""The rows of a CSV file, counted in the very bytes that are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...registry import Bytes, RowCounter
from ..batches import windows
from .options import CsvOptions


class LineCounter(RowCounter):
    """Counts line ends outside of quotes that no escape character stands before."""

    reads = "nothing"

    def __init__(self, options: CsvOptions) -> None:
        self._header = bool(options.header)
        self._end = ord(options.line_terminator[-1])
        self._quote = None if options.quote == "none" else ord(options.quote_char)
        self._escape = ord(options.escape) if options.escape else None
        self._wide = options.encoding == "utf-16"
        self._half = b""
        self._lines = 0
        self._inside = False
        self._escaped = False
        """The next unit stands behind an escape character."""

    def update(self, data: Bytes) -> None:
        if not self._wide:
            for seen in windows(data):
                self._see(seen)
            return
        if self._half or len(data) % 2:
            data = self._half + bytes(data)
            self._half = data[len(data) // 2 * 2 :]
            data = data[: len(data) // 2 * 2]
        for seen in windows(data):
            self._see(seen.view("<u2"))

    def _see(self, seen: np.ndarray[Any, np.dtype[Any]]) -> None:
        ends = seen == self._end
        quoted = None if self._quote is None else seen == self._quote
        if self._escape is not None:
            plain = ~self._escaped_in(seen)
            ends &= plain
            if quoted is not None:
                quoted &= plain
        quotes = np.flatnonzero(quoted if quoted is not None else ())
        if not len(quotes):
            if not self._inside:
                self._lines += int(np.count_nonzero(ends))
            return
        places = np.flatnonzero(ends)
        if len(quotes) < len(places):
            # few quotes: all line ends, less those between a quote and its partner
            bounds = np.searchsorted(places, quotes)
            if self._inside:
                bounds = np.concatenate(([0], bounds))
            if len(bounds) % 2:
                bounds = np.append(bounds, len(places))
            self._lines += len(places) - int((bounds[1::2] - bounds[::2]).sum())
        else:
            before = np.searchsorted(quotes, places)
            self._lines += int(np.count_nonzero((before + self._inside) % 2 == 0))
        self._inside ^= bool(len(quotes) % 2)

    def _escaped_in(self, seen: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
        """Return which units stand behind an escape character that is none escaped itself."""
        out = np.zeros(len(seen) + 1, np.bool_)
        if not len(seen):
            return out[:-1]
        first = int(self._escaped)
        out[0] = self._escaped
        places = np.flatnonzero(seen[first:] == self._escape) + first
        if len(places):
            # of each run of escape characters, every second one is escaped
            begins = np.concatenate(([True], np.diff(places) > 1))
            run = places[begins][np.cumsum(begins) - 1]
            out[places[(places - run) % 2 == 0] + 1] = True
        self._escaped = bool(out[-1])
        return out[:-1]

    def finish(self, path: Path) -> int:
        return self._lines - self._header
