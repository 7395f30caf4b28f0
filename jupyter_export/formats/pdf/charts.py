"""Charts: laid out by reportlab.graphics, with the widths of the fonts of the page."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .chart_axes import Figures, Marks, across, marks, shortened, stride
from .chart_data import Series
from .furniture import Pen
from .options import Chart

_LABEL_FONT = "Helvetica"
"""For reportlab, whose widths nothing depends on: all labels are anchored where they are drawn."""
_LABEL_SIZE = 7.5
_LEAST_SIZE = 3.5
_LINE = "#C9D2DA"
_INK = "#4A5561"
_BESIDE = 8.0
"""Points between an axis and its labels."""
_TURN = 40
"""Degrees: names that are wider than their columns."""


@dataclass(frozen=True)
class _Sheet:
    """What a chart is drawn on; width and height in points."""

    picture: Any
    pen: Pen
    width: float
    height: float
    accent: str

    def text_width(self, text: str, size: float = _LABEL_SIZE) -> float:
        return self.pen.width(text, size)

    def label(
        self, x: float, y: float, text: str, size: float = _LABEL_SIZE, anchor: str = "start"
    ) -> None:
        from reportlab.graphics.shapes import String
        from reportlab.lib.colors import HexColor

        ink = HexColor(_INK)
        self.picture.add(
            String(
                x, y, text, fontName=_LABEL_FONT, fontSize=size, fillColor=ink, textAnchor=anchor
            )
        )


def drawing(
    pen: Pen, chart: Chart, series: Series, width: float, height: float, accent: str
) -> Any:
    """Return the chart as a reportlab drawing of ``width`` times ``height`` points.

    ``pen`` is what its labels will be drawn with.
    """
    from reportlab.graphics.shapes import Drawing

    sheet = _Sheet(Drawing(width, height), pen, width, height, accent)
    if not series.values and not series.points:
        sheet.label(width / 2, height / 2, "No rows", 9, "middle")
        return sheet.picture
    {"pie": _pie, "bar": _bars, "column": _columns}.get(chart.type, _plot)(sheet, chart, series)
    if series.others and chart.type in ("bar", "column"):
        # a bar of all the others would dwarf what is shown
        said = f"not shown: {_others(series)}, {series.figures.value(series.rest)}"
        sheet.label(width, height - 2, said, anchor="end")
    return sheet.picture


def _others(series: Series) -> str:
    return f"{series.figures.count(series.others)} other{'s' if series.others > 1 else ''}"


def _style_axis(axis: Any, size: float = _LABEL_SIZE) -> None:
    from reportlab.lib.colors import HexColor

    axis.strokeColor = HexColor(_LINE)
    axis.strokeWidth = 0.5
    axis.labels.fontName = _LABEL_FONT
    axis.labels.fontSize = size
    axis.labels.fillColor = HexColor(_INK)
    axis.labels.textAnchor = "boxauto"


def _style_values(axis: Any, found: Marks, figures: Figures) -> None:
    from reportlab.lib.colors import HexColor

    _style_axis(axis)
    axis.visibleGrid = 1
    axis.gridStrokeColor = HexColor("#E6EBEF")
    axis.gridStrokeWidth = 0.4
    axis.visibleAxis = 0
    axis.visibleTicks = 0
    _mark(axis, found, figures)


def _mark(axis: Any, found: Marks, figures: Figures) -> None:
    axis.valueMin, axis.valueMax = found.values[0], found.values[-1]
    axis.valueSteps = list(found.values)
    axis.labelTextFormat = figures.marks(found)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that holds zero."""
    return min(*values, 0.0, 0.0), max(*values, 0.0, 0.0)


def _left_of(sheet: _Sheet, labels: Sequence[str]) -> float:
    """Return the room that the labels of a vertical axis take."""
    return max(map(sheet.text_width, labels)) + _BESIDE


def _columns(sheet: _Sheet, chart: Chart, series: Series) -> None:
    from reportlab.graphics.charts.barcharts import VerticalBarChart

    names = [shortened(sheet.pen, name, _LABEL_SIZE, math.inf) for name in series.names]
    found = marks(*_ends(series.values), whole=series.figures.whole)
    left = _left_of(sheet, series.figures.marks(found))
    widths = [sheet.text_width(name) for name in names]
    size, angle = _LABEL_SIZE, 0
    room = (sheet.width - left) / len(names)
    if max(widths) + 4 > room:
        # turned text begins lower left of its column
        slope = math.cos(math.radians(_TURN))
        left = max(left, min(max(w * slope - room * (i + 0.5) for i, w in enumerate(widths)), 80))
        room = (sheet.width - left) / len(names)
        angle = _TURN
        if room * math.sin(math.radians(_TURN)) < size * 1.1:
            angle = 90
            size = max(_LEAST_SIZE, min(size, room * 0.9))
    rise = math.sin(math.radians(angle))
    below = 14.0 + max(widths) * size / _LABEL_SIZE * rise + 6 * (angle == _TURN)
    bars = VerticalBarChart()
    bars.x, bars.y = left, below
    bars.width, bars.height = sheet.width - left, sheet.height - below - 14
    bars.data = [list(series.values)]
    bars.categoryAxis.categoryNames = names
    _style_axis(bars.categoryAxis, size)
    bars.categoryAxis.visibleTicks = 0
    bars.categoryAxis.labels.dy = -4
    # names stay below the chart, also where values are below zero
    bars.categoryAxis.joinAxisMode = "bottom" if min(series.values) < 0 else None
    if angle:
        bars.categoryAxis.labels.angle = angle
        bars.categoryAxis.labels.boxAnchor = "ne" if angle == _TURN else "e"
    _style_values(bars.valueAxis, found, series.figures)
    _paint(bars, sheet)


def _bars(sheet: _Sheet, chart: Chart, series: Series) -> None:
    from reportlab.graphics.charts.barcharts import HorizontalBarChart

    below, above = 22.0, 14.0
    room = (sheet.height - below - above) / len(series.names)
    size = max(_LEAST_SIZE, min(_LABEL_SIZE, room * 0.85))
    room = sheet.width * 0.35
    names = [shortened(sheet.pen, name, size, room, 60) for name in reversed(series.names)]
    left = max(sheet.text_width(name, size) for name in names) + _BESIDE
    found = across(
        sheet.pen, _LABEL_SIZE, series.figures, *_ends(series.values), sheet.width - left - 30
    )
    right = sheet.text_width(series.figures.marks(found)[-1]) / 2
    bars = HorizontalBarChart()
    bars.x, bars.y = left, below
    bars.width, bars.height = sheet.width - left - right, sheet.height - below - above
    bars.data = [list(series.values)[::-1]]
    bars.categoryAxis.categoryNames = names
    _style_axis(bars.categoryAxis, size)
    bars.categoryAxis.visibleTicks = 0
    bars.categoryAxis.labels.dx = -4
    bars.categoryAxis.joinAxisMode = "left" if min(series.values) < 0 else None
    _style_values(bars.valueAxis, found, series.figures)
    _paint(bars, sheet)


def _paint(bars: Any, sheet: _Sheet) -> None:
    from reportlab.lib.colors import HexColor

    bars.barSpacing = 0
    bars.groupSpacing = 6
    bars.bars.strokeColor = None
    bars.bars[0].fillColor = HexColor(sheet.accent)
    sheet.picture.add(bars)


def _plot(sheet: _Sheet, chart: Chart, series: Series) -> None:
    from reportlab.graphics.charts.lineplots import AreaLinePlot, LinePlot
    from reportlab.graphics.widgets.markers import makeMarker
    from reportlab.lib.colors import HexColor, linearlyInterpolatedColor

    ink = HexColor(sheet.accent)
    points = list(series.points) or [(float(i), v) for i, v in enumerate(series.values)]
    values = [y for _, y in points]
    low, high = (min(values), max(values)) if chart.type == "scatter" else _ends(values)
    found = marks(low, high, whole=series.figures.whole)
    left = _left_of(sheet, series.figures.marks(found))
    plot = AreaLinePlot() if chart.type == "area" else LinePlot()
    _style_axis(plot.xValueAxis)
    plot.xValueAxis.visibleTicks = 0
    plot.xValueAxis.labels.dy = -4
    _style_values(plot.yValueAxis, found, series.figures)
    if chart.type == "scatter":
        xs = [x for x, _ in points]
        figures = series.figures_across or series.figures
        room = sheet.width - left - 30
        below = across(sheet.pen, _LABEL_SIZE, figures, min(xs), max(xs), room)
        _mark(plot.xValueAxis, below, figures)
        labels = figures.marks(below)
    else:
        labels = _steps(sheet, plot.xValueAxis, series.names, left)
    left = max(left, sheet.text_width(labels[0]) / 2)
    right = sheet.text_width(labels[-1]) / 2
    plot.x, plot.y = left, 26
    plot.width, plot.height = sheet.width - left - right, sheet.height - 38
    if len(points) == 1 and chart.type != "scatter":
        points = [(-0.5, values[0]), (0.5, values[0])]
    plot.data = points if chart.type == "area" else [points]
    if chart.type == "scatter":
        plot.joinedLines = 0
        marker = makeMarker("Circle")
        marker.size, marker.fillColor, marker.strokeColor = 3, ink, None
        plot.lines[0].symbol = marker
    plot.lines[0].strokeColor = ink
    plot.lines[0].strokeWidth = 1.3
    if chart.type == "area":
        plot.lines[0].fillColor = linearlyInterpolatedColor(HexColor("#FFFFFF"), ink, 0, 1, 0.3)
    sheet.picture.add(plot)


def _steps(sheet: _Sheet, axis: Any, names: Sequence[str], left: float) -> list[str]:
    """Label every so many points along an axis; return the labels."""
    room = sheet.width - left
    texts = [shortened(sheet.pen, name, _LABEL_SIZE, room / 2) for name in names]
    last = len(texts) - 1
    axis.valueMin, axis.valueMax = (0, last) if last else (-0.5, 0.5)
    widths = [sheet.text_width(text) for text in texts]
    # the outer labels reach beyond the ends of the axis, by half of what they are wide
    shown = range(0, last + 1, stride(widths, (room - max(widths)) / max(last, 1)))
    axis.valueSteps = list(shown)
    axis.labelTextFormat = [texts[i] for i in shown]
    return list(axis.labelTextFormat)


def _pie(sheet: _Sheet, chart: Chart, series: Series) -> None:
    from reportlab.graphics.charts.piecharts import Pie
    from reportlab.graphics.shapes import Rect
    from reportlab.lib.colors import HexColor

    figures = series.figures
    kept = [(n, v) for n, v in zip(series.names, series.values, strict=True) if v > 0]
    tones = _tones(sheet.accent, len(kept))
    if series.others and series.rest > 0:
        kept.append((_others(series), series.rest))
        tones.append("#B8C2CB")
    total = sum(value for _, value in kept) or 1.0
    diameter = min(sheet.height - 20, sheet.width * 0.45)
    pie = Pie()
    pie.x, pie.y, pie.width, pie.height = 0, (sheet.height - diameter) / 2, diameter, diameter
    pie.data = [value for _, value in kept] or [1.0]
    pie.labels = None
    pie.startAngle = 90
    pie.slices.strokeColor = HexColor("#FFFFFF")
    pie.slices.strokeWidth = 0.8
    if not kept:
        pie.slices[0].fillColor = HexColor("#E6EBEF")
    line = min(15.0, (sheet.height - 10) / max(len(kept), 1))
    size = min(8.5, line * 0.8)
    values = [figures.value(value) for _, value in kept]
    shares = [figures.share(value / total) for _, value in kept]
    # a legend of three columns: names, and numbers that stand below one another
    x = diameter + 30
    wide, widest = (
        max((sheet.text_width(t, size) for t in of), default=0) for of in (values, shares)
    )
    room = max(sheet.width - x - 14 - 12 - wide - 12 - widest, 20)
    names = [shortened(sheet.pen, name, size, room) for name, _ in kept]
    end = x + 14 + max((sheet.text_width(n, size) for n in names), default=0) + 12 + wide
    y = sheet.height / 2 + line * len(kept) / 2 - line
    for i, tone in enumerate(tones):
        paint = HexColor(tone)
        pie.slices[i].fillColor = paint
        side = min(8.0, line * 0.7)
        sheet.picture.add(Rect(x, y, side, side, fillColor=paint, strokeColor=None))
        sheet.label(x + 14, y + 1, names[i], size)
        sheet.label(end, y + 1, values[i], size, "end")
        sheet.label(end + 12 + widest, y + 1, shares[i], size, "end")
        y -= line
    sheet.picture.add(pie)


def _tones(accent: str, count: int) -> list[str]:
    """Return ``count`` colours that go with ``accent`` and differ from their neighbours."""
    red, green, blue = (int(accent[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, strong = colorsys.rgb_to_hls(red, green, blue)
    out = []
    for i in range(count):
        turned = (hue + i * 0.381966) % 1.0  # the golden section spreads any number of hues
        tone = colorsys.hls_to_rgb(
            turned, min(max(light, 0.38) + 0.08 * (i % 3), 0.7), strong * 0.8
        )
        out.append("#" + "".join(f"{round(c * 255):02X}" for c in tone))
    return out
