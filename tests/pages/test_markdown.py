"""The Markdown table, rendered by a program that we did not write, shows the cells as they are."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from markdown_it import MarkdownIt

from jupyter_export.formats.markdown import MarkdownFormat, MarkdownOptions

from .made import context, encoded

GITHUB = MarkdownIt("gfm-like", {"linkify": False, "html": True})


def text(*tables: pa.Table, **options: Any) -> str:
    return encoded(MarkdownFormat(), tables, MarkdownOptions(**options)).decode()


def rendered(source: str) -> list[list[list[str]]]:
    """Return the cells of the tables of the rendered page, headings first."""
    page = html.document_fromstring("<div>" + GITHUB.render(source) + "</div>")
    return [
        [["\n".join(cell.itertext()) for cell in row] for row in table.xpath(".//tr")]
        for table in page.xpath("//table")
    ]


def test_a_table_reads_as_one_in_its_source() -> None:
    table = pa.table(
        {"carrier": ["AA", "9E", None], "delay": [5, -12, None], "城市": ["北京", "x", "Köln"]}
    )
    assert text(table) == (
        "| carrier | delay | 城市 |\n"
        "| :------ | ----: | :--- |\n"
        "| AA      |     5 | 北京 |\n"
        "| 9E      |   -12 | x    |\n"
        "|         |       | Köln |\n"
    )
    assert text(table.slice(0, 1), align=False) == (
        "| carrier | delay | 城市 |\n| :-- | --: | :-- |\n| AA | 5 | 北京 |\n"
    )


def test_a_wide_cell_does_not_widen_the_others() -> None:
    lines = text(pa.table({"a": ["x" * 100, "y"]}), widest=10).splitlines()
    assert lines[1] == "| :--------- |"
    assert lines[2] == f"| {'x' * 100} |"
    assert lines[3] == "| y          |"


def test_several_datasets_have_headings() -> None:
    source = text(pa.table({"a": [1]}), pa.table({"b": [2, 3]}))
    assert source.startswith("## t0\n\n| ")
    assert "\n\n## t1\n\n| " in source
    assert rendered(source) == [[["a"], ["1"]], [["b"], ["2"], ["3"]]]


MARKUP = [
    "a|b", "\\|", "*x*", "_x_", "a_b_c", "`c`", "<b>", "[x](y)", "~~x~~", "&amp;", "- x",
    "--", ":--", "1. x", "# x", "two\nlines", "\\", "**", "![a](b)", "a\\", "|", "x_ _y",
]  # fmt: skip


@pytest.mark.parametrize("value", MARKUP)
def test_markup_is_shown_and_not_obeyed(value: str) -> None:
    assert rendered(text(pa.table({"t": [value], "n": [1]}))) == [[["t", "n"], [value, "1"]]]
    assert rendered(text(pa.table({value: ["x"]})))[0][0] == [value]


@given(
    st.lists(
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=8),
        min_size=1,
        max_size=5,
    )
)
def test_any_ascii_is_shown_as_it_is(values: list[str]) -> None:
    (table,) = rendered(text(pa.table({"t": values, "n": range(len(values))})))
    # blanks around a cell are no part of it (GFM, 4.10)
    assert [row[0] for row in table[1:]] == [value.strip() for value in values]


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 4096])
def test_rows_are_counted_in_the_bytes(cut: int) -> None:
    tables = [pa.table({"a": MARKUP, "n": range(len(MARKUP))}), pa.table({"b": ["--", ":--"]})]
    data = encoded(MarkdownFormat(), tables, MarkdownOptions())
    counter = MarkdownFormat().counter(MarkdownOptions())
    for start in range(0, len(data), cut):
        counter.update(data[start : start + cut])
    assert counter.finish(context().here.target) == len(MARKUP) + 2


def test_no_row_is_a_table_all_the_same() -> None:
    data = encoded(MarkdownFormat(), [pa.table({"a": pa.array([], pa.int64())})], MarkdownOptions())
    assert data == b"|   a |\n| --: |\n"
