"""What charts show, collected while the rows go by; memory is bounded whatever the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec, did_you_mean
from ...registry import LossLedger
from .chart_axes import Figures
from .groups import Total, check, countable, merged, totalled
from .options import Chart
from .rows import CellTexts

MOST_CATEGORIES = 20_000
"""Categories that are told apart; later ones become part of “Other”."""
_MOST_POINTS = 4_000
_LINE_POINTS = 400
_LARGEST = 1e300
"""Beyond it, axes would leave the range of doubles."""


@dataclass
class _Category:
    total: Total
    order: Any
    """Where it stands along the axis: a number, or None for texts."""


@dataclass(frozen=True)
class Part:
    """What one batch adds."""

    texts: Sequence[str]
    totals: Sequence[Total]
    orders: Sequence[Any]
    points: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Series:
    """A finished chart's numbers: names and values, or points."""

    names: Sequence[str]
    values: Sequence[float]
    figures: Figures
    """How the values are written."""
    points: Sequence[tuple[float, float]] = ()
    figures_across: Figures | None = None
    """How the numbers across are written, of points."""
    others: int = 0
    """Categories that are not among ``names``."""
    rest: float = 0.0
    """The value of all of those together."""


class ChartData:
    """The numbers of one chart of one table. Raises ``InvalidSpec`` for columns that do not fit."""

    def __init__(self, chart: Chart, place: int, schema: pa.Schema, texts: CellTexts) -> None:
        self.chart = chart
        self._texts = texts
        field = f"charts[{place}]"
        self._x = _column(schema, chart.x, f"{field}.x")
        self._y = None if chart.y is None else _column(schema, chart.y, f"{field}.y")
        self._ordered = _is_ordered(schema.types[self._x])
        if self._y is not None:
            kind = _plain(schema.types[self._y])
            check(kind, chart.function, schema.names[self._y], f"{field}.y")
            numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
            if chart.function != "count" and not (numbers or pa.types.is_decimal(kind)):
                raise _not_a_number(schema.names[self._y], kind, f"{field}.y")
        if chart.type == "scatter":
            kind = _plain(schema.types[self._x])
            if not (_is_ordered(kind) and not pa.types.is_temporal(kind)):
                raise _not_a_number(schema.names[self._x], kind, f"{field}.x")
        self._schema = schema
        self._figures = _figures(texts, schema, chart.y, chart.function)
        self._categories: dict[str, _Category] = {}
        self._other: Total | None = None
        self._others = 0
        self._points: list[tuple[float, float]] = []
        self._stride, self._seen = 1, 0

    def part(self, batch: pa.RecordBatch) -> Part:
        """Return what a batch adds; safe from several threads."""
        x = _decoded(batch.column(self._x))
        y = x if self._y is None else _decoded(batch.column(self._y))
        if self.chart.type == "scatter":
            pairs = [pc.cast(each, pa.float64(), safe=False) for each in (x, y)]
            xs, ys = (pair.to_numpy(zero_copy_only=False) for pair in pairs)
            both = (np.abs(xs) <= _LARGEST) & (np.abs(ys) <= _LARGEST)  # false for a NaN
            return Part((), (), (), list(zip(xs[both].tolist(), ys[both].tolist(), strict=True)))
        nested = pa.types.is_nested(x.type)
        if nested:
            # Arrow tells no nested values apart, so their texts do
            x = self._texts.of(x, self.chart.x, LossLedger())
        coded = pc.dictionary_encode(x, null_encoding="encode")
        words = coded.dictionary
        kernel = "sum" if self.chart.function in ("sum", "avg", "count") else self.chart.function
        values = totalled(y, self.chart.function)
        if self.chart.function == "count":
            values = pc.cast(values, pa.int64())
            if self._y is None:
                values = pa.array(np.ones(len(x), np.int64))
        found = (
            pa.table({"x": coded.indices, "y": values})
            .group_by("x", use_threads=False)
            .aggregate([("y", kernel), ("y", "count")])
        )
        used = pc.take(words, found["x"].combine_chunks())
        text = used if nested else self._texts.of(used, self.chart.x, LossLedger())
        orders: Sequence[Any] = [None] * len(used)
        if self._ordered:
            orders = totalled(used, "min").to_pylist()
        totals = list(
            zip(found[f"y_{kernel}"].to_pylist(), found["y_count"].to_pylist(), strict=True)
        )
        return Part(pc.fill_null(text, self._texts.null or "–").to_pylist(), totals, orders)

    def add(self, part: Part) -> None:
        """Take what a batch adds, in the order of the batches."""
        for point in part.points:
            if self._seen % self._stride == 0:
                self._points.append(point)
            self._seen += 1
            if len(self._points) >= _MOST_POINTS:
                self._points = self._points[::2]
                self._stride *= 2
        function = "sum" if self.chart.function == "count" else self.chart.function
        for text, total, order in zip(part.texts, part.totals, part.orders, strict=True):
            known = self._categories.get(text)
            if known is not None:
                known.total = merged(function, known.total, total)
            elif len(self._categories) < MOST_CATEGORIES:
                self._categories[text] = _Category(total, order)
            else:
                self._others += 1
                self._other = total if self._other is None else merged(function, self._other, total)

    def series(self) -> Series:
        """Return what is drawn."""
        if self.chart.type == "scatter":
            across = _figures(self._texts, self._schema, self.chart.x, self.chart.function)
            return Series((), (), self._figures, self._points, across)
        function = "sum" if self.chart.function == "count" else self.chart.function
        found = [(text, each.total, each.order) for text, each in self._categories.items()]
        along = self._ordered and self.chart.type in ("line", "area")
        if self._ordered:
            found.sort(key=lambda each: (each[2] is None, each[2] or 0))
        rest = self._other
        if along:
            size = -(-len(found) // _LINE_POINTS) or 1
            bundles = [found[i : i + size] for i in range(0, len(found), size)]
            shown = []
            for bundle in bundles:
                total = bundle[0][1]
                for _, more, _ in bundle[1:]:
                    total = merged(function, total, more)
                shown.append((bundle[0][0], total))
        else:
            largest = sorted(
                range(len(found)), key=lambda i: self._value(found[i][1]), reverse=True
            )
            kept = set(largest[: self.chart.top])
            for i in largest[self.chart.top :]:
                rest = found[i][1] if rest is None else merged(function, rest, found[i][1])
            order = sorted(kept) if self._ordered else largest[: self.chart.top]
            shown = [(found[i][0], found[i][1]) for i in order]
        others = self._others + (0 if along else len(found) - len(shown))
        return Series(
            [text for text, _ in shown],
            [self._value(total) for _, total in shown],
            self._figures,
            others=others,
            rest=0.0 if rest is None else self._value(rest),
        )

    def _value(self, total: Total) -> float:
        value, count = total
        if value is None:
            return 0.0
        value = float(value) / count if self.chart.function == "avg" else float(value)
        return min(max(value, -_LARGEST), _LARGEST) if np.isfinite(value) else 0.0


def _figures(texts: CellTexts, schema: pa.Schema, name: str | None, function: str) -> Figures:
    """Return how aggregates of a column are written: as its cells are, and counts as counts."""
    if name is None or function == "count":
        return Figures(texts, None, 0)
    kind = _plain(schema.types[schema.names.index(name)])
    if pa.types.is_integer(kind) and function != "avg":
        return Figures(texts, name, 0)
    digits = texts.digits(name)
    if digits is None and pa.types.is_decimal(kind) and function != "avg":
        digits = min(max(kind.scale, 0), 4)
    return Figures(texts, name, digits)


def _column(schema: pa.Schema, name: str, field: str) -> int:
    if name not in schema.names:
        raise InvalidSpec(
            f"A chart names a column “{name}”, which there is not.",
            hint=did_you_mean(name, schema.names),
            field=f"format.{field}",
        )
    return int(schema.names.index(name))


def _not_a_number(name: str, kind: pa.DataType, field: str) -> InvalidSpec:
    return InvalidSpec(
        f"“{name}” ({kind}) holds no numbers to draw.",
        hint="Name a column of numbers, or count.",
        field=f"format.{field}",
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_ordered(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind))
    )


def _decoded(column: pa.Array) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return countable(column)
