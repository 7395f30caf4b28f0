"""Groups, subtotals, totals and charts, against pandas."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec

from .writing import bookmarks, table, written


def _sales() -> pd.DataFrame:
    rows = 240
    frame = pd.DataFrame(
        {
            "region": [f"region {i % 7}" for i in range(rows)],
            "kind": [["new", "old"][i // 7 % 2] for i in range(rows)],
            "price": [round(i * 1.1, 2) for i in range(rows)],
            "count": range(rows),
            "day": [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(rows)],
        }
    )
    return frame.sort_values(["region", "kind"], kind="stable")


@pytest.mark.parametrize("batch_rows", [11, 1000])
def test_subtotals_are_those_of_pandas(batch_rows: int, tmp_path: Path) -> None:
    frame = _sales()
    made = written(
        tmp_path,
        [table("sales", pa.Table.from_pandas(frame, preserve_index=False), batch_rows)],
        group_by=["region", "kind"],
        subtotals={"price": "sum", "count": "max", "day": "min"},
        grand_totals={"price": "sum", "count": "count"},
        decimals=2,
    )
    assert made.rows == made.counted == len(frame)
    text = "\n".join(made.pages())
    for keys in (["region"], ["region", "kind"]):
        for key, group in frame.groupby(keys):
            said = f"{keys[-1]}: {key[-1]}"
            assert said in text
            assert f"{group['price'].sum():.2f}" in text
            assert f"{said} {group['price'].sum():.2f} max {group['count'].max()}" in text
    assert f"{frame['price'].sum():.2f}" in text
    assert f"count {len(frame)}" in text


def test_groups_are_in_the_outline_and_repeat_on_the_next_page(tmp_path: Path) -> None:
    data = pa.table({"g": ["a"] * 100 + ["b"] * 3 + ["a"] * 2, "n": range(105)})
    made = written(tmp_path, [table("t", data, 30)], group_by=["g"], title="T")
    pages = made.pages()
    assert "g: a (continued)" in pages[1]
    # a value that comes back is another group
    assert list(bookmarks(made.opened())) == [(0, "T"), (1, "g: a"), (1, "g: b"), (1, "g: a")]
    pdf = made.opened()
    kinds = [str(element.S) for element in pdf.Root.StructTreeRoot.K.K[0].K]
    assert kinds == ["/H1", "/Table", *["/H2", "/Table"] * 3]
    assert made.counted == 105


def test_each_group_on_a_page_of_its_own(tmp_path: Path) -> None:
    data = pa.table({"g": ["a", "a", None, "c"], "n": [1, 2, 3, 4]})
    made = written(tmp_path, [table("t", data)], group_by=["g"], group_pages=True, null="none")
    assert [("g: a" in p, "g: none" in p, "g: c" in p) for p in made.pages()] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_totals_are_exact(tmp_path: Path) -> None:
    big = 2**62
    data = pa.table(
        {
            "g": ["a"] * 4,
            "integer": [big, big, big, 1],
            "decimal": [Decimal("99999999999999999.99")] * 4,
            "float": [0.1, 0.2, None, float(2**20)],
            "nothing": pa.array([None] * 4, pa.float64()),
        }
    )
    names = ["integer", "decimal", "float", "nothing"]
    made = written(
        tmp_path,
        [table("t", data, 2)],
        group_by=["g"],
        subtotals=dict.fromkeys(names, "sum"),
        grand_totals={"decimal": "avg", "float": "avg", "integer": "min"},
        orientation="landscape",
    )
    text = " ".join(made.pages())
    assert str(3 * big + 1) in text
    assert str(Decimal("99999999999999999.99") * 4) in text
    assert "1048576.3" in text


def test_what_a_heading_does_not_show_is_a_loss(tmp_path: Path) -> None:
    data = pa.table({"g": ["long " * 60] * 3 + ["\U0010fffd"] * 2 + ["a\nb"], "n": range(6)})
    made = written(tmp_path, [table("t", data, 2)], group_by=["g"])
    assert {(loss.kind, loss.column, loss.count) for loss in made.losses} == {
        ("cut_off", "g", 3),
        ("glyph", "g", 2),
        ("unprintable", "g", 1),
    }


@pytest.mark.parametrize("function", ["sum", "avg"])
def test_texts_have_no_sum(function: str, tmp_path: Path) -> None:
    data = pa.table({"g": ["a"], "t": ["x"]})
    with pytest.raises(InvalidSpec, match="holds no numbers"):
        written(tmp_path, [table("t", data)], group_by=["g"], subtotals={"t": function})
    with pytest.raises(InvalidSpec, match="group_by"):
        written(tmp_path, [table("t", data)], group_by=["g"], subtotals={"g": "count"})


@pytest.mark.parametrize("place", ["start", "end"])
def test_charts_have_pages_of_their_own(place: str, tmp_path: Path) -> None:
    frame = _sales()
    charts = [
        {"type": "column", "x": "region", "y": "price", "title": "Sales – Πωλήσεις"},
        {"type": "bar", "x": "day", "y": "price", "top": 5},
        {"type": "line", "x": "day", "y": "count", "function": "avg"},
        {"type": "area", "x": "day", "function": "count"},
        {"type": "pie", "x": "kind", "function": "count"},
        {"type": "scatter", "x": "count", "y": "price"},
    ]
    made = written(
        tmp_path,
        [table("sales", pa.Table.from_pandas(frame, preserve_index=False), 50)],
        charts=charts,
        charts_at=place,
    )
    assert made.counted == len(frame)
    pages = made.pages()
    shown = pages[:3] if place == "start" else pages[-3:]
    assert "Sales – Πωλήσεις" in shown[0]
    assert "235 others" in shown[0]
    assert "old 119" in " ".join(" ".join(shown).split())
    assert f"Page {1 if place == 'start' else len(pages) - 2} of {len(pages)}" in shown[0]
    titles = [title for _, title in bookmarks(made.opened())]
    assert titles == (["Charts", "report"] if place == "start" else ["report", "Charts"])


def test_charts_of_no_rows(tmp_path: Path) -> None:
    data = pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.int64())})
    made = written(tmp_path, [table("t", data)], charts=[{"x": "a", "y": "b"}])
    assert "No rows" in made.pages()[-1]
