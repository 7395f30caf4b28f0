"""Plain text of a whole column as glyphs, without Python per cell."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .face import Face
from .shaping import PLAIN_RANGES

ASK = 255
"""Stands for cells that are not drawn here: nulls, and what has to be shaped."""
_JAPANESE = ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))
_KOREAN = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF))


@cache
def _plain() -> np.ndarray:
    """Return the code points that are drawn one by one (bool)."""
    found = np.zeros(0x110000, np.bool_)
    for first, last in PLAIN_RANGES:
        found[first : last + 1] = True
    return found


@cache
def _digits() -> np.ndarray:
    """Return the four hex digits of each glyph, as one uint32 in memory order."""
    written = "".join(f"{glyph:04X}" for glyph in range(65536)).encode("ascii")
    return np.frombuffer(written, np.uint32)


class Column:
    """The cells of a column, and which face draws each of them."""

    def __init__(self, cells: pa.StringArray | pa.LargeStringArray) -> None:
        self._cells = cells
        count = len(cells)
        self.fonts = np.full(count, ASK, np.uint8)
        offsets, data = _buffers(cells)
        codes = data.tobytes().decode("utf-8").encode("utf-32-le")
        self._codes = np.frombuffer(codes, np.uint32)
        """The code points of all cells."""
        starts = np.zeros(len(data) + 1, np.int64)
        np.cumsum((data & 0xC0) != 0x80, out=starts[1:])
        self._offsets = starts[offsets]
        """Where each cell starts among them (int64[n + 1])."""
        self._glyphs = np.zeros(len(self._codes), np.uint16)
        self._advances = np.zeros(len(self._codes), np.float32)
        self._open = ~self._any(~_plain()[self._codes])
        """Cells without a face that may get one."""
        if cells.null_count:
            self._open &= cells.is_valid().to_numpy(zero_copy_only=False)

    def draw(self, face: Face, index: int, han: str = "") -> None:
        """Give ``face`` all open cells that it draws alone, of one flavour of Han if given."""
        if not self._open.any():
            return
        glyphs = face.glyphs[self._codes]
        taken = self._open & ~self._any(glyphs == 0)
        if han:
            taken &= self._flavour(han)
        if not taken.any():
            return
        chars = np.repeat(taken, np.diff(self._offsets))
        drawn = glyphs[chars]
        self._glyphs[chars] = drawn
        self._advances[chars] = face.widths[drawn]
        face.draw(drawn)
        self.fonts[taken] = index
        self._open &= ~taken

    def next_text(self) -> str | None:
        """Return the first open cell."""
        if not self._open.any():
            return None
        text: str = self._cells[int(self._open.argmax())].as_py()
        return text

    def skip(self, text: str) -> None:
        """Leave ``text``, the first open cell until now, to others if it got no face."""
        first = int(self._open.argmax())
        if self._open[first] and self._cells[first].as_py() == text:
            self._open[first] = False

    def operands(self) -> pa.StringArray:
        """Return the operands of Tj, empty for cells without a face."""
        drawn = self.fonts != ASK
        lengths = np.where(drawn, np.diff(self._offsets), 0)
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(4 * lengths, out=offsets[1:])
        digits = _digits()[self._glyphs[np.repeat(drawn, np.diff(self._offsets))]]
        hexed = pa.StringArray.from_buffers(
            len(lengths), pa.py_buffer(offsets), pa.py_buffer(digits)
        )
        written = pc.binary_join_element_wise("<", hexed, ">", "")
        return written if drawn.all() else pc.if_else(pa.array(drawn), written, "")

    def widths(self) -> np.ndarray:
        """Return the width of each cell in 1/1000 em (float32), 0 without a face."""
        return self._sums(self._advances).astype(np.float32)

    def _flavour(self, han: str) -> np.ndarray:
        japanese = self._any(_within(self._codes, _JAPANESE))
        korean = self._any(_within(self._codes, _KOREAN))
        wanted: dict[str, np.ndarray] = {
            "JP": japanese,
            "KR": korean & ~japanese,
            "SC": ~(japanese | korean),
        }
        return wanted[han]

    def _any(self, chars: np.ndarray) -> np.ndarray:
        """Return for which cells one of the characters is marked."""
        some: np.ndarray = self._sums(chars) > 0
        return some

    def _sums(self, chars: np.ndarray) -> np.ndarray:
        total = np.zeros(len(chars) + 1, np.float64 if chars.dtype.kind == "f" else np.int64)
        np.cumsum(chars, out=total[1:])
        sums: np.ndarray = np.diff(total[self._offsets])
        return sums


def _within(codes: np.ndarray, ranges: tuple[tuple[int, int], ...]) -> np.ndarray:
    found = np.zeros(len(codes), np.bool_)
    for first, last in ranges:
        found |= (codes >= first) & (codes <= last)
    return found


def _buffers(cells: pa.StringArray | pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return (offsets from 0, int64[n + 1]; bytes, uint8) of the cells alone."""
    large = pa.types.is_large_string(cells.type)
    _, offsets, data = cells.buffers()
    if offsets is None or not len(cells):
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    found = np.frombuffer(offsets, np.int64 if large else np.int32)
    found = found[cells.offset : cells.offset + len(cells) + 1].astype(np.int64)
    empty = np.zeros(0, np.uint8)
    whole = np.frombuffer(data, np.uint8) if data is not None and data.size else empty
    return found - found[0], whole[found[0] : found[-1]]
