"""The HTML page holds the cells as they are, for parsers that we did not write."""

from __future__ import annotations

import datetime as dt
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from jupyter_export.formats.html import HtmlFormat, HtmlOptions
from jupyter_export.formats.markdown import MarkdownFormat
from jupyter_export.losses import LossLedger
from jupyter_export.registry import Format, Table

from .made import context, encoded

ODD = pa.table(
    {
        "text & <b>": ["<script>alert(1)</script>", "a & b", None, "", "two\nlines", '"quoted"'],
        "n": [1, -2, None, 4, 5, 6],
        "x": [1.5, None, 1e20, 0.25, -0.0, 3.0],
        "price": pa.array([Decimal("1.50")] * 6, pa.decimal128(9, 2)),
        "day": [dt.date(2013, 1, 31)] * 6,
        "few": pa.array(["<a>", "<b>", None, "<a>", "<b>", "<a>"]).dictionary_encode(),
    }
)


def page(*tables: pa.Table, **options: Any) -> Any:
    return html.document_fromstring(encoded(HtmlFormat(), tables, HtmlOptions(**options)).decode())


def texts(row: Any) -> list[str]:
    return ["\n".join(cell.itertext()) for cell in row]


def test_cells_are_the_values() -> None:
    rows = page(ODD, null="–").xpath("//tbody/tr")
    assert len(rows) == 6
    assert texts(rows[0]) == ["<script>alert(1)</script>", "1", "1.5", "1.50", "2013-01-31", "<a>"]
    assert texts(rows[2]) == ["–", "–", "1e+20", "1.50", "2013-01-31", "–"]
    assert [texts(row)[0] for row in rows[3:]] == ["", "two\nlines", '"quoted"']
    assert rows[0].xpath("td[@class='n']/text()") == ["1", "1.5", "1.50"]


def test_headings_and_the_title_are_escaped() -> None:
    found = page(ODD, title="A & <B>")
    assert texts(found.xpath("//thead/tr")[0])[0] == "text & <b>"
    assert found.findtext(".//h1") == found.findtext(".//title") == "A & <B>"


def test_numbers_and_dates_look_as_asked() -> None:
    wanted = {"date_format": "%d.%m.%Y", "decimals": 1, "decimal_separator": ","}
    row = page(ODD, **wanted).xpath("//tbody/tr")[0]
    assert texts(row)[2:5] == ["1,5", "1,5", "31.01.2013"]


def test_nothing_is_fetched_and_the_script_can_be_left_out() -> None:
    data = encoded(HtmlFormat(), [ODD], HtmlOptions()).decode()
    found = html.document_fromstring(data)
    assert not found.xpath("//*[@src or @href]")
    assert "url(" not in data
    assert "@import" not in data
    assert not page(ODD, interactive=False).xpath("//script | //input")
    fragment = encoded(HtmlFormat(), [ODD], HtmlOptions(page="fragment"))
    assert fragment.startswith(b"<section>")
    assert b"<style" not in fragment


def test_several_datasets_are_sections() -> None:
    found = page(ODD, pa.table({"a": [1]}), title="x")
    assert [h.text for h in found.xpath("//h2")] == ["t0", "t1"]
    assert [len(body) for body in found.xpath("//tbody")] == [6, 1]


@pytest.mark.parametrize("cut", [1, 3, 7, 4096])
def test_rows_are_counted_in_the_bytes(cut: int) -> None:
    data = encoded(HtmlFormat(), [ODD, ODD], HtmlOptions())
    counter = HtmlFormat().counter(HtmlOptions())
    for start in range(0, len(data), cut):
        counter.update(data[start : start + cut])
    assert counter.finish(context().here.target) == 12


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc"))) | st.none(), max_size=20))
def test_any_text_comes_back(values: list[str | None]) -> None:
    table = pa.table({"text": pa.array(values, pa.string())})
    rows = page(table, null="NULL").xpath("//tbody/tr")
    assert ["".join(row[0].itertext()) for row in rows] == [
        "NULL" if v is None else v for v in values
    ]


def test_losses_are_told() -> None:
    losses = LossLedger()
    table = pa.table({"b": [b"x", None], "l": [[1], []]})
    table_in = Table("t", table.schema, iter(table.to_batches()))
    list(HtmlFormat().encode_file([table_in], HtmlOptions(), context(), losses))
    assert {(loss.kind, loss.column, loss.count) for loss in losses} == {
        ("binary", "b", 1),
        ("nested", "l", 2),
    }


@pytest.mark.parametrize("made", [HtmlFormat(), MarkdownFormat()])
def test_nulls_that_look_like_texts_are_told(made: Format) -> None:
    table = pa.table({"a": ["", None, None, "x"], "b": [1, None, 2, 3], "c": ["–", "", None, ""]})
    counts = {}
    for null in ("", "–"):
        losses = LossLedger()
        given = Table("t", table.schema, iter(table.to_batches()))
        with tempfile.TemporaryDirectory() as scratch:
            options = made.options(null=null)
            list(made.encode_file([given], options, context(Path(scratch)), losses))
        counts[null] = {(loss.kind, loss.column): loss.count for loss in losses}
    assert counts[""] == {("null_or_empty", "a"): 2, ("null_or_empty", "c"): 1}
    assert counts["–"] == {("null_or_empty", "c"): 1}
