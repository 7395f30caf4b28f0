"""Batches of rows -> text operators, whole columns at a time.

A row begins with a mark (``/TR MP``, a marked-content point: ISO 32000-1, 14.6) behind a line
feed. No text holds a line feed, so nothing else in a page looks like it. Each row moves the text
position by the same steps: down from the end of the row above, then from column to column. Between
cells stands a space, by which those who read the text and not the picture tell words apart
(ISO 32000-1, 14.8.2.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...losses import example
from ...registry import Loss, LossLedger
from .. import cells
from ..alike import Alike
from ..coded import coded, counting
from ..strings import payload
from .furniture import code_points
from .layout import Band, Column, Layout
from .literals import integers, scalar
from .objects import number
from .options import NumberFormat, PdfOptions
from .typesetting import Cells, Room, Typesetter

ROW_MARK = b"\n/TR MP "
"""Once for each row, in its first band of columns."""


@dataclass(frozen=True)
class Rows:
    """The operators of ``n`` rows, for each band of columns."""

    n: int
    bands: tuple[tuple[memoryview, np.ndarray[Any, np.dtype[np.int64]]], ...]
    """Bytes, and the ``n + 1`` places where rows begin in them."""
    lines: np.ndarray[Any, np.dtype[np.int32]] | None
    """Lines of each row; None: one."""


class CellTexts:
    """Columns -> the texts that people see, in the number formats of each column."""

    def __init__(self, schema: pa.Schema, options: PdfOptions, units: dict[str, str]) -> None:
        self.null = options.null
        self._dress: dict[str, NumberFormat] = options.number_formats
        self._plain = cells.Style.of(options, units=units)
        self._styles: dict[str, cells.Style] = {}
        for name, given in options.number_formats.items():
            changes = {
                key: value
                for key in ("decimals", "decimal_separator", "thousands_separator")
                if (value := getattr(given, key)) is not None
            }
            own = options.model_copy(update=changes)
            self._styles[name] = cells.Style.of(own, units=units)

    def of(self, column: pa.Array, name: str, losses: LossLedger) -> pa.Array:
        """Return string cells, nulls kept."""
        text = cells.text(column, name, self._styles.get(name, self._plain), losses)
        dress = self._dress.get(name)
        if dress is None or not (dress.prefix or dress.suffix):
            return text
        return pc.binary_join_element_wise(dress.prefix, text, dress.suffix, "")

    def digits(self, name: str) -> int | None:
        """Return the digits behind the point that the options want in a column."""
        return self._styles.get(name, self._plain).digits

    def number(self, value: float, name: str | None, digits: int | None) -> str:
        """Return a number that is no cell, such as a mark of an axis, in the format of a column.

        ``name`` None: of no column. ``digits`` None: as many as are needed, at most four; numbers
        that are very large or small have three digits and an exponent.
        """
        style = self._plain if name is None else self._styles.get(name, self._plain)
        if abs(value) >= 1e15 or 0 < abs(value) < 1e-4:
            value, digits = float(f"{value:.3g}"), None
        elif digits is None:
            digits = len(f"{value:.4f}".rstrip("0").partition(".")[2])
        cell = pa.array([value], pa.float64())
        text = cells.text(cell, "", replace(style, digits=digits), LossLedger())[0].as_py()
        dress = None if name is None else self._dress.get(name)
        return f"{dress.prefix}{text}{dress.suffix}" if dress else str(text)


class RowSetter:
    """Sets the rows of one table in its layout."""

    def __init__(
        self, layout: Layout, setter: Typesetter, texts: CellTexts, losses: LossLedger
    ) -> None:
        self._layout = layout
        self._setter = setter
        self._texts = texts
        self._losses = losses
        self._alike = Alike(texts.null)
        self._wraps = any(c.room.most_lines > 1 for band in layout.bands for c in band.columns)

    def rows(self, batch: pa.RecordBatch) -> Rows:
        """Return the rows of a batch; safe from several threads."""
        n = batch.num_rows
        made: dict[tuple[int, Room], _Column] = {}
        lines: np.ndarray[Any, Any] | None = None
        for band in self._layout.bands:
            for column in band.columns:
                key = (column.index, column.room)
                if key not in made:
                    made[key] = self._column(batch.column(column.index), column)
                    tall = made[key].lines
                    if tall is not None:
                        lines = tall if lines is None else np.maximum(lines, tall)
        bands = tuple(
            self._joined(band, [made[c.index, c.room] for c in band.columns], n, lines, i == 0)
            for i, band in enumerate(self._layout.bands)
        )
        return Rows(n, bands, lines)

    def finish(self) -> None:
        """Report what only all rows together tell."""
        self._alike.report(self._losses)

    def _column(self, column: pa.Array, place: Column) -> _Column:
        if isinstance(column.type, pa.BaseExtensionType):
            column = column.storage
        few = coded(column)
        if few is None:
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            text = self._texts.of(column, place.name, self._losses)
            self._alike.look(place.name, text, None)
            filled = pc.fill_null(text, self._texts.null) if text.null_count else text
            set_cells = self._setter.cells(filled, place.room)
            self._report(place.name, filled, set_cells, None)
            return _Column(self._parts(set_cells, place.align), set_cells.lines)
        values, codes = few
        text = self._texts.of(values, place.name, counting(self._losses, codes, len(values)))
        if codes.null_count or text.null_count:
            # a null is one more word
            text = pa.concat_arrays([text, pa.array([None], pa.string())])
            codes = pc.fill_null(pc.cast(codes, pa.int64()), len(values))
        self._alike.look(place.name, text, codes)
        words = pc.fill_null(text, self._texts.null)
        set_cells = self._setter.cells(words, place.room)
        self._report(place.name, words, set_cells, codes)
        parts = self._parts(set_cells, place.align)
        whole = pc.binary_join_element_wise(*parts, scalar(b"")) if len(parts) > 1 else parts[0]
        lines = set_cells.lines
        if lines is not None:
            lines = lines[codes.to_numpy(zero_copy_only=False)]
        return _Column([pc.take(whole, codes)], lines)

    def _parts(self, set_cells: Cells, align: str) -> list[Any]:
        if align == "left":
            return [set_cells.operands]
        back = set_cells.widths // 2 if align == "center" else set_cells.widths
        return [integers(back), scalar(b"("), set_cells.operands]

    def _joined(
        self,
        band: Band,
        columns: Sequence[_Column],
        n: int,
        lines: np.ndarray[Any, Any] | None,
        marked: bool,
    ) -> tuple[memoryview, np.ndarray[Any, np.dtype[np.int64]]]:
        height = self._layout.row_height
        mark = ROW_MARK if marked else b"\n"
        parts: list[Any] = []
        anchors = [column.anchor for column in band.columns]
        word = mark + self._step((anchors[0] - anchors[-1]) if anchors else 0.0, -height)
        for i, (place, column) in enumerate(zip(band.columns, columns, strict=True)):
            if i:
                word += self._step(anchors[i] - anchors[i - 1], 0.0)
            parts.append(scalar(word + (b"(" if place.align == "left" else b"[")))
            parts += column.parts
            space = b" " if i < len(columns) - 1 else b""
            word = space + (b")Tj " if place.align == "left" else b")]TJ ")
        if not parts:
            parts = [pa.array([word] * n, pa.binary())]
        else:
            parts.append(scalar(word))
        if lines is not None:
            leading = self._layout.leading
            downs = [b""] + [
                b"0 %s Td " % number(-leading * i) if i else b"" for i in range(int(lines.max()))
            ]
            parts.append(pc.take(pa.array(downs, pa.binary()), pa.array(lines)))
        joined = pc.binary_join_element_wise(*parts, scalar(b""))
        offsets = np.frombuffer(joined.buffers()[1], np.int32, n + 1).astype(np.int64)
        return payload(joined).data, offsets

    @staticmethod
    def _step(across: float, down: float) -> bytes:
        return b"%s %s Td" % (number(round(across, 2)), number(round(down, 2)))

    def _report(self, name: str, text: pa.Array, made: Cells, codes: pa.Array | None) -> None:
        def add(
            kind: str, marked: np.ndarray[Any, Any] | None, message: str, option: str | None
        ) -> None:
            if marked is None or not marked.any():
                return
            if codes is None:
                count = int(np.count_nonzero(marked))
                first = int(np.argmax(marked))
            else:
                used = np.bincount(codes.to_numpy(zero_copy_only=False), minlength=len(marked))
                count = int(used[marked].sum())
                if not count:
                    return
                first = int(np.argmax(marked & (used > 0)))
            shown = example(text[first].as_py())
            self._losses.add(Loss(kind, name, count, message, option, shown))

        add("cut_off", made.cut, "the column is narrower than the text", self._more_room())
        add(
            "unprintable",
            made.unprintable,
            "line ends or control characters are shown as spaces",
            None if self._wraps else "overflow=wrap",
        )
        if made.missing:
            marked = np.zeros(len(text), np.bool_)
            marked[list(made.missing)] = True
            listed = code_points("".join(made.missing.values()))
            add("glyph", marked, f"no font at hand has {listed}", "font=…")

    def _more_room(self) -> str:
        return "widths=…" if self._wraps else "overflow=wrap"


@dataclass
class _Column:
    parts: list[Any]
    lines: np.ndarray[Any, Any] | None
