"""Pages of charts: two below one another, each with its title."""

from __future__ import annotations

from collections.abc import Sequence

from .chart_data import Series
from .chart_operators import operators
from .charts import drawing
from .furniture import Pen, color
from .objects import number
from .options import MILLIMETRE, Chart, PdfOptions

CHARTS_ON_A_PAGE = 2
_TITLE = 11.0
_MOST_HEIGHT = 300.0


def chart_title(chart: Chart) -> str:
    """Return the title of a chart: its own, or what it shows."""
    if chart.title is not None:
        return chart.title
    if chart.type == "scatter":
        return f"{chart.y} against {chart.x}"
    what = "rows" if chart.y is None else f"{chart.function} of {chart.y}"
    return f"{what} by {chart.x}"


def chart_page(
    pen: Pen,
    options: PdfOptions,
    charts: Sequence[tuple[int, Chart, Series, str]],
    paper: tuple[float, float],
    areas: tuple[float, float],
) -> bytes:
    """Return the content of a page of charts: (mark, chart, numbers, title)."""
    sides = options.sides
    left = sides.left * MILLIMETRE
    width = paper[0] - left - sides.right * MILLIMETRE
    top = paper[1] - sides.top * MILLIMETRE - areas[0]
    space = (top - sides.bottom * MILLIMETRE - areas[1]) / CHARTS_ON_A_PAGE
    out = b""
    for i, (mark, chart, series, title) in enumerate(charts):
        upper = top - i * space
        height = min(space - 50, _MOST_HEIGHT)
        picture = drawing(pen, chart, series, width, height, options.accent)
        shown = pen.at(
            title, left, upper - _TITLE * 1.2, _TITLE, bold=True, room=width, what="charts"
        )
        out += b"/Figure <</MCID %d>> BDC\nBT\n%s%sET\n" % (mark, color(options.accent), shown)
        place = (number(left), number(round(upper - 28 - height, 2)))
        out += b"q 1 0 0 1 %s %s cm\n%sQ\nEMC\n" % (*place, operators(picture, pen))
    return out
