"""Columns of text -> what stands between the brackets of a text-showing operator.

A cell ends up as the inside of a literal string (ISO 32000-1, 7.3.4.2) in the single-byte Latin
font: ``(`` operand ``)Tj``. A cell that needs more (another font, several lines, condensed digits)
closes the string, does it, and opens an empty one: so every row has the same constant text between
its cells, and a batch of rows is one join of columns.

Widths are in 1/1000 of the font size, as integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..strings import payload, rows_with
from .embedding import CODES
from .literals import (
    ELLIPSIS,
    ODD,
    TO_SPACE,
    bounds,
    encoded,
    escaped,
    escaped_bytes,
    gathered,
    integers,
    scalar,
)
from .objects import number
from .wrapping import broken

if TYPE_CHECKING:
    from .fonts import Faces, Shaped

_LEAST_CONDENSED = 60
"""Per cent: digits narrower than this are hard to read."""
_NEWLINE = 10


@dataclass
class Cells:
    """A column of ``n`` cells, ready to be joined into rows."""

    operands: pa.Array
    """Binary: the inside of a literal string."""
    widths: np.ndarray[Any, np.dtype[np.int32]]
    """Of the first line."""
    lines: np.ndarray[Any, np.dtype[np.int32]] | None = None
    """Lines of each cell; None: one."""
    cut: np.ndarray[Any, np.dtype[np.bool_]] | None = None
    """Cells that are shown only in part."""
    missing: dict[int, str] | None = None
    """Cell -> characters of it that no font has."""
    unprintable: np.ndarray[Any, np.dtype[np.bool_]] | None = None
    """Cells with a control character that is shown as a space."""


@dataclass(frozen=True)
class Room:
    """The place that a column gives its cells."""

    width: int
    """1/1000 em."""
    align: str
    condensable: bool
    """Numbers and dates: a cut one would say something else."""
    most_lines: int = 1
    """1: a wide text is cut off. More: it goes on in the next line."""


class Typesetter:
    """Sets text in one face and size."""

    def __init__(self, faces: Faces, size: float, leading: float, *, bold: bool = False) -> None:
        self.faces = faces
        self.bold = bold
        self.size = number(size)
        self.leading = leading
        self.font = b"/%s %s Tf" % (faces.simple(bold), self.size)
        self._widths = np.rint(faces.widths(bold)).astype(np.int32)
        single = faces.single(bold)
        self._drawn = np.flatnonzero(single).astype(np.uint8).tobytes()
        # a font of the user's may lack some, and the soft hyphen would be seen
        self._odd_codes = [ODD, *(code for code in CODES if not single[code])]
        self._ellipsis = bytes((ELLIPSIS,)) if single[ELLIPSIS] else b"..."
        self._ellipsis_width = int(self._widths[list(self._ellipsis)].sum())

    # ------------------------------------------------------------------ one text

    def line(self, text: str) -> tuple[bytes, float, str]:
        """Return operators, width in 1/1000 em, and the characters that no font has."""
        try:
            raw = text.encode("cp1252").translate(TO_SPACE)
        except UnicodeEncodeError:
            raw = None
        if raw is None or raw.translate(None, self._drawn):
            shaped = self.faces.runs(text, self.bold)
            return shaped.show(self.size), shaped.width, shaped.missing
        width = int(self._widths[np.frombuffer(raw, np.uint8)].sum())
        return b"%s(%s)Tj" % (self.font, escaped_bytes(raw)), width, ""

    def fitted(self, text: str, room: float) -> tuple[bytes, float, str, bool]:
        """Return what ``line`` does, cut off with an ellipsis to ``room``, and whether it was."""
        operators, width, missing = self.line(text)
        if width <= room:
            return operators, width, missing, False
        shaped, cut = self.faces.fitted(text, room, self.bold)
        return shaped.show(self.size), shaped.width, shaped.missing, cut

    # ------------------------------------------------------------------ columns

    def measured(self, text: pa.Array) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Return the widths of string cells without nulls, on one line."""
        return self.cells(text, Room(2**30, "left", condensable=False)).widths

    def cells(self, text: pa.Array, room: Room) -> Cells:
        """Return the cells of a string array without nulls."""
        wraps = room.most_lines > 1 and not room.condensable
        latin, unprintable = encoded(text, keep_newlines=wraps)
        data = payload(latin)
        starts, ends = bounds(latin)
        each = self._widths.take(data)
        # sums may wrap around in 32 bits, differences do not
        so_far = np.zeros(len(data) + 1, np.int64)
        np.cumsum(each, out=so_far[1:])
        widths = (so_far[ends] - so_far[starts]).astype(np.int32)
        _, odd = rows_with(latin, self._odd_codes)
        wide = widths > room.width
        if wraps:
            _, parted = rows_with(latin, [_NEWLINE])
            if parted is not None:
                wide |= parted.to_numpy(zero_copy_only=False)
        out = Cells(latin, widths, unprintable=unprintable)
        if odd is not None:
            odd = odd.to_numpy(zero_copy_only=False)
            wide &= ~odd
        at = np.flatnonzero(wide)
        edits: list[tuple[np.ndarray[Any, Any], pa.Array]] = []
        if len(at) and room.condensable:
            share = room.width * 100 // np.maximum(widths[at], 1)
            condensed = share >= _LEAST_CONDENSED
            edits.append(
                (at[condensed], self._condensed(latin, at[condensed], share[condensed], room))
            )
            widths[at[condensed]] = room.width
            at = at[~condensed]
        if len(at) and wraps:
            edits.append((at, self._wrapped(out, data, starts, ends, so_far, at, room)))
        elif len(at):
            edits.append((at, self._cut(out, data, starts, so_far, at, room)))
        out.operands = escaped(latin)
        if odd is not None:
            at = np.flatnonzero(odd)
            edits.append((at, self._odd(out, text, at, room)))
        for at, operands in edits:
            if len(at):
                mask = np.zeros(len(latin), np.bool_)
                mask[at] = True
                out.operands = pc.replace_with_mask(out.operands, pa.array(mask), operands)
        return out

    def _cut(
        self,
        out: Cells,
        data: np.ndarray[Any, Any],
        starts: np.ndarray[Any, Any],
        so_far: np.ndarray[Any, Any],
        at: np.ndarray[Any, Any],
        room: Room,
    ) -> pa.Array:
        first = starts[at]
        base = so_far[first]
        left = max(room.width - self._ellipsis_width, 0)
        stop = np.searchsorted(so_far, base + left, "right") - 1
        # codes without a width must not lead into the next cell
        stop = np.clip(stop, first, starts[at] + (bounds(out.operands)[1] - starts)[at])
        out.widths[at] = (so_far[stop] - base).astype(np.int32) + self._ellipsis_width
        out.cut = np.zeros(len(starts), np.bool_)
        out.cut[at] = True
        part = escaped(gathered(data, first, stop))
        return pc.binary_join_element_wise(part, scalar(self._ellipsis), scalar(b""))

    def _condensed(
        self, latin: pa.Array, at: np.ndarray[Any, Any], share: np.ndarray[Any, Any], room: Room
    ) -> pa.Array:
        close, reopen = _around(room.align)
        scales = pa.array([b"%d Tz(" % i for i in range(101)], pa.binary())
        return pc.binary_join_element_wise(
            scalar(close),
            pc.take(scales, pa.array(share)),
            escaped(pc.take(latin, pa.array(at))),
            scalar(b")Tj 100 Tz" + reopen),
            scalar(b""),
        )

    def _wrapped(
        self,
        out: Cells,
        data: np.ndarray[Any, Any],
        starts: np.ndarray[Any, Any],
        ends: np.ndarray[Any, Any],
        so_far: np.ndarray[Any, Any],
        at: np.ndarray[Any, Any],
        room: Room,
    ) -> pa.Array:
        lines = broken(data, starts[at], ends[at], so_far, room.width, room.most_lines)
        counts = np.diff(lines.firsts)
        if out.lines is None:
            out.lines = np.ones(len(starts), np.int32)
        out.lines[at] = counts
        if lines.cut.any():
            out.cut = np.zeros(len(starts), np.bool_)
            out.cut[at[lines.cut]] = True
        widths = (so_far[lines.ends] - so_far[lines.starts]).astype(np.int32)
        out.widths[at] = widths[lines.firsts[:-1]]
        last = np.zeros(len(widths), np.int32)
        last[lines.firsts[1:] - 1] = counts
        glue = self._glue(room.align, int(counts.max()), widths, last)
        parts = [escaped(gathered(data, lines.starts, lines.ends))]
        if lines.cut.any():
            dots = np.zeros(len(widths), np.int8)
            dots[(lines.firsts[1:] - 1)[lines.cut]] = 1
            parts.append(pc.take(pa.array([b"", self._ellipsis], pa.binary()), pa.array(dots)))
        joined = pc.binary_join_element_wise(*parts, *glue, scalar(b""))
        # the lines of a cell follow one another: the cell is all of their bytes
        offsets = np.frombuffer(joined.buffers()[1], np.int32, len(joined) + 1)[lines.firsts]
        return pa.Array.from_buffers(
            pa.binary(), len(at), [None, pa.py_buffer(offsets.copy()), joined.buffers()[2]]
        )

    def _glue(
        self,
        align: str,
        most: int,
        widths: np.ndarray[Any, np.dtype[np.int32]],
        last: np.ndarray[Any, np.dtype[np.int32]],
    ) -> list[pa.Array]:
        """Return what follows each line: down to the next one, or back up behind the last."""
        down = number(-self.leading)
        if align == "left":
            words = [b")Tj 0 %s Td(" % down, b""]
            words += [b")Tj 0 %s Td(" % number(self.leading * (n - 1)) for n in range(2, most + 1)]
            return [pc.take(pa.array(words, pa.binary()), pa.array(last))]
        following = np.zeros(len(widths), np.int32)
        following[:-1] = widths[1:] // (2 if align == "center" else 1)
        following[last > 0] = 0
        words = [b")]TJ 0 %s Td[" % down, b""]
        words += [b")]TJ 0 %s Td[" % number(self.leading * (n - 1)) for n in range(2, most + 1)]
        opens = np.where(last == 1, 0, 1).astype(np.int8)
        return [
            pc.take(pa.array(words, pa.binary()), pa.array(last)),
            pc.if_else(pa.array(last > 0), scalar(b""), integers(following)),
            pc.take(pa.array([b"", b"("], pa.binary()), pa.array(opens)),
        ]

    # ------------------------------------------------------------------ other scripts

    def _odd(self, out: Cells, text: pa.Array, at: np.ndarray[Any, Any], room: Room) -> pa.Array:
        """Return the operands of cells with characters outside of code page 1252."""
        texts = pc.take(text, pa.array(at))
        if out.unprintable is not None:
            controls = r"[\x00-\x1f\x7f]" if room.most_lines == 1 else r"[\x00-\x09\x0b-\x1f\x7f]"
            texts = pc.replace_substring_regex(texts, controls, " ")
        coded = pc.dictionary_encode(texts)
        words, codes = coded.dictionary, coded.indices.to_numpy()
        mapped = self.faces.mapped(words, self.bold)
        widths = np.rint(mapped.widths).astype(np.int32)
        close, reopen = _around(room.align)
        reopened = self.font + reopen
        plain = (mapped.fonts != 255) & (widths <= room.width)
        if room.most_lines > 1:
            plain &= ~pc.match_substring(words, "\n").to_numpy(zero_copy_only=False)
        fonts = pa.array(
            [b"%s/%s %s Tf" % (close, name, self.size) for name in mapped.resources] or [b""],
            pa.binary(),
        )
        which = np.where(plain, mapped.fonts, 0).astype(np.int64)
        operands = pc.binary_join_element_wise(
            pc.take(fonts, pa.array(which)),
            pc.cast(mapped.operands, pa.binary()),
            scalar(b"Tj" + reopened),
            scalar(b""),
        )
        lines = np.ones(len(words), np.int32)
        cut = np.zeros(len(words), np.bool_)
        missing: dict[int, str] = {}
        special = np.flatnonzero(~plain)
        if len(special):
            found: list[bytes] = []
            for i in special.tolist():
                operand, width, count, is_cut, lacking = self._shaped(words[i].as_py(), room)
                found.append(operand)
                widths[i], lines[i], cut[i] = width, count, is_cut
                if lacking:
                    missing[i] = lacking
            operands = pc.replace_with_mask(
                operands, pa.array(~plain), pa.array(found, pa.binary())
            )
        out.widths[at] = widths[codes]
        if lines.max(initial=1) > 1:
            if out.lines is None:
                out.lines = np.ones(len(out.widths), np.int32)
            out.lines[at] = lines[codes]
        if cut.any():
            if out.cut is None:
                out.cut = np.zeros(len(out.widths), np.bool_)
            out.cut[at] = cut[codes]
        if missing:
            lacks = np.zeros(len(words), np.bool_)
            lacks[list(missing)] = True
            out.missing = {
                int(at[j]): missing[int(codes[j])] for j in np.flatnonzero(lacks[codes]).tolist()
            }
        return pc.take(operands, coded.indices)

    def _shaped(self, text: str, room: Room) -> tuple[bytes, int, int, bool, str]:
        """Return operand, width of the first line, lines, whether it is cut, what is missing."""
        if room.most_lines == 1:
            shaped, is_cut = self.faces.fitted(text, room.width, self.bold)
            close, reopen = _around(room.align)
            shown = self._aside(shaped, room)
            width = round(shaped.width)
            return close + shown + self.font + reopen, width, 1, is_cut, shaped.missing
        lines = self.faces.lines(text, room.width, self.bold) or [""]
        is_cut = len(lines) > room.most_lines
        if is_cut:
            lines = lines[: room.most_lines]
            lines[-1] += "…"
        parts = [self.faces.runs(line, self.bold) for line in lines]
        down, up = number(-self.leading), number(self.leading * (len(lines) - 1))
        share = 2 if room.align == "center" else 1
        out = _around(room.align)[0]
        for i, shaped in enumerate(parts):
            if i and room.align == "left":
                out += b" 0 %s Td " % down
            elif i:
                out += b" 0 %s Td %s[%d]TJ " % (down, self.font, round(shaped.width) // share)
            out += self._aside(shaped, room)
        if len(parts) > 1:
            out += b" 0 %s Td " % up
        missing = "".join(shaped.missing for shaped in parts)
        out += self.font + _around(room.align)[1]
        return out, round(parts[0].width), len(parts), is_cut, missing

    def _aside(self, shaped: Shaped, room: Room) -> bytes:
        """Return the operators; text that runs to the left begins at the right of its column."""
        shown = shaped.show(self.size)
        if not shaped.rtl or room.align != "left" or shaped.width >= room.width >= 2**29:
            return shown
        aside = (room.width - shaped.width) * float(self.size) / 1000
        if room.width >= 2**29 or aside <= 0:
            return shown
        return b" %s 0 Td %s %s 0 Td " % (number(aside), shown, number(-aside))


def _around(align: str) -> tuple[bytes, bytes]:
    """Return what ends the open string of a cell, and what opens an empty one again."""
    return (b")Tj ", b"(") if align == "left" else (b")]TJ ", b"[(")
