"""Labels of charts: where they stand, and how their numbers are written; and the title page."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pypdfium2
import pytest

from jupyter_export.formats.pdf import PdfFormat, options
from jupyter_export.formats.pdf.chart_axes import marks, stride
from jupyter_export.registry import FormatOptions

from .made_fonts import make
from .writing import Written, table, written


def _labels(made: Written, page: int = -1) -> list[tuple[float, float, float, str]]:
    """(baseline, left, right, text) of each piece of text on a page, in points."""
    document = pypdfium2.PdfDocument(made.path)
    try:
        leaf = document[page % len(document)]
        found = []
        for each in leaf.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_TEXT]):
            left, bottom, right, _ = each.get_bounds()
            matrix = each.get_matrix()
            text = leaf.get_textpage()
            said = text.get_text_bounded(left - 0.5, bottom - 0.5, right + 0.5, bottom + 8)
            text.close()
            found.append((round(matrix.f, 1), left, right, said.strip()))
        leaf.close()
        return found
    finally:
        document.close()


def _turned(made: Written) -> bool:
    """Whether any text of the last page is turned."""
    document = pypdfium2.PdfDocument(made.path)
    try:
        leaf = document[len(document) - 1]
        texts = leaf.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_TEXT])
        turned = any(abs(each.get_matrix().b) > 0.1 for each in texts)
        leaf.close()
        return turned
    finally:
        document.close()


def _below(made: Written, sample: str) -> list[tuple[float, float, str]]:
    """The labels on the line of one of them, from left to right."""
    labels = _labels(made)
    (line,) = {y for y, _, _, text in labels if text == sample}
    return sorted((left, right, text) for y, left, right, text in labels if y == line)


def _days(count: int) -> pa.Table:
    first = dt.date(2013, 1, 1)
    days = [first + dt.timedelta(days=i) for i in range(count)]
    return pa.table({"day": days, "n": range(count)})


@pytest.mark.parametrize("kind", ["line", "area"])
@pytest.mark.parametrize("count", [2, 7, 12, 31, 365])
@pytest.mark.parametrize("own_font", [False, True])
def test_labels_stand_evenly_and_never_touch(
    kind: str, count: int, own_font: bool, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}
    if own_font:
        # twice as wide as the one that ships
        filler = [chr(0xE000 + i) for i in range(700)]
        make(tmp_path / "wide.ttf", [*filler, *map(chr, range(0x20, 0x7F))])
        given["font"] = "wide.ttf"
    charts = [{"type": kind, "x": "day", "y": "n", "title": ""}]
    made = written(tmp_path, [table("t", _days(count))], charts=charts, **given)
    labels = _below(made, "2013-01-01")
    assert len(labels) >= 2
    for (_, right, _), (left, _, _) in pairwise(labels):
        assert right + 4 < left
    shown = [dt.date.fromisoformat(text) for _, _, text in labels]
    assert len({b - a for a, b in pairwise(shown)}) == 1
    assert labels[-1][1] <= 595.3 - 15 * options.MILLIMETRE + 0.5


def test_names_that_would_touch_are_turned(tmp_path: Path) -> None:
    for width in range(1, 12):
        names = [f"{'w' * width}{i:02}" for i in range(12)]
        data = pa.table({"x": names, "y": [1] * 12})
        made = written(tmp_path, [table("t", data)], charts=[{"x": "x", "y": "y"}])
        if _turned(made):
            assert width > 3
            return
        labels = _below(made, names[0])
        assert [text for _, _, text in labels] == names
        assert all(b[0] - a[1] > 2 for a, b in pairwise(labels))
    pytest.fail("no names are turned")


def test_numbers_are_written_as_in_the_table(tmp_path: Path) -> None:
    data = pa.table(
        {
            "who": ["a", "b", "a"],
            "hours": [28000.6833, 1234.5, 612.0],
            "price": [Decimal("1000.50"), Decimal("2.00"), Decimal("1.00")],
        }
    )

    def legend(**given: Any) -> str:
        y = given.pop("y", "hours")
        charts = [{"type": "pie", "x": "who", "y": y, **given.pop("chart", {})}]
        made = written(tmp_path, [table("t", data)], charts=charts, **given)
        return " ".join(made.pages()[-1].split())

    assert "a 28612.6833 95.9% b 1234.5 4.1%" in legend()
    assert "a 28,612.7 95.9% b 1,234.5 4.1%" in legend(decimals=1, thousands_separator=",")
    german = {"decimal_separator": ",", "thousands_separator": "."}
    assert "a 28.612,68 95,9% b 1.234,50 4,1%" in legend(decimals=2, **german)
    own = {"hours": {"decimals": 0, "thousands_separator": "’", "suffix": " h"}}
    assert "a 28’613 h 95.9% b 1’235 h 4.1%" in legend(number_formats=own)
    assert "a 1001.50 99.8% b 2.00 0.2%" in legend(y="price")
    assert "a 2 66.7% b 1 33.3%" in legend(chart={"function": "count"}, number_formats=own)


def test_axes_have_the_digits_of_their_steps(tmp_path: Path) -> None:
    data = pa.table({"x": ["a", "b"], "y": [0.011, 0.024], "z": [1_500_000, 3]})
    charts = [{"x": "x", "y": "y"}, {"type": "bar", "x": "x", "y": "z"}]
    made = written(tmp_path, [table("t", data)], charts=charts, decimals=1, decimal_separator=",")
    said = {text for _, _, _, text in _labels(made)}
    assert {"0,000", "0,005", "0,010", "0,025"} <= said
    assert {"0", "500000", "1500000"} <= said


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 0), (0, 1), (-3, 12), (5, 5), (0, 1e-9), (1e15, 1e15 + 1), (-1e300, 1e300), (0, 0.3)],
)
def test_marks_are_around_what_is_shown(low: float, high: float) -> None:
    for most in range(1, 8):
        found = marks(low, high, most)
        assert 2 <= len(found.values) <= most + 2
        assert found.values[0] <= low
        assert found.values[-1] >= high * (1 - 1e-8)
        assert all(map(math.isfinite, found.values))
        whole = marks(low, high, most, whole=True)
        assert whole.digits == 0
        assert all(value == round(value) for value in whole.values)


def test_a_stride_reaches_the_last_label_where_it_can() -> None:
    assert stride([20] * 12, 40) == 1
    assert stride([40] * 13, 40) == 2
    assert stride([40] * 16, 20) == 3  # 15 is 5 times 3
    assert stride([100], 0) == 1


def test_charts_of_any_number_of_names(tmp_path: Path) -> None:
    names = [f"a name of some length, no. {i}" for i in range(80)]
    data = pa.table({"x": names, "y": [(-1) ** i * i * 1.5e6 for i in range(80)]})
    for count in (1, 2, 60, 80):
        charts: list[Any] = [
            {"type": kind, "x": "x", "y": "y", "top": min(count, 60)}
            for kind in ("bar", "column", "line", "area", "pie")
        ]
        for paper in ("A4", [80, 80]):
            small = table("t", data.slice(0, count))
            made = written(tmp_path, [small], charts=charts, paper=paper, margins=8)
            assert made.counted == count
            made.opened()
            width = 210 if paper == "A4" else 80
            for page in range(-3, 0):
                for _, left, right, _ in _labels(made, page):
                    assert left >= 0
                    assert right <= width * options.MILLIMETRE + 0.5


def test_facts_stand_at_the_foot_of_the_title_page(tmp_path: Path) -> None:
    one = written(tmp_path, [table("data", _days(3))], title_page=True)
    assert "3 rows" in one.lines()
    assert "data" not in one.pages()[0].split()
    (foot,) = [y for y, _, _, text in _labels(one, 0) if text == "3 rows"]
    assert 15 * options.MILLIMETRE <= foot <= 15 * options.MILLIMETRE + 12
    named = written(tmp_path, [table("flights", _days(3))], title_page=True)
    assert "flights: 3 rows" in named.lines()
    many = [table(f"set {i:02}", _days(2)) for i in range(20)]
    pages = written(tmp_path, many, title_page=True).pages()
    assert "set 10: 2 rows\nand 9 more" in pages[0]


def test_a_long_text_is_set_smaller_rather_than_cut(tmp_path: Path) -> None:
    text = "words of a long text, " * 180
    made = written(tmp_path, [table("data", _days(3))], title_page={"text": text})
    assert made.pages()[0].split().count("words") == 180


def test_every_option_says_what_it_does() -> None:
    models = [
        each
        for each in vars(options).values()
        if isinstance(each, type) and issubclass(each, FormatOptions) and each is not FormatOptions
    ]
    assert PdfFormat.options in models
    for model in models:
        assert all(field.description for field in model.model_fields.values()), model
