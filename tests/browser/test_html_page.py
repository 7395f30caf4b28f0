"""The exported page in a real browser: it sorts, filters and fetches nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from playwright.sync_api import Page

from jupyter_export.formats.html import HtmlFormat, HtmlOptions

from ..pages.made import encoded

FLIGHTS = pa.table(
    {
        "carrier": ["UA", "AA", "9E", "DL"],
        "delay": [1200, None, -3, 45],
        "note": ["on <time>", "ÄÖ", "late", "x"],
    }
)


def column(page: Page, index: int) -> list[str]:
    rows = page.locator("tbody tr:visible")
    return [row.locator("td").nth(index).inner_text() for row in rows.all()]


def test_the_page_sorts_and_filters(page: Page, tmp_path: Path) -> None:
    options = HtmlOptions(title="Delays", thousands_separator=",")
    (tmp_path / "page.html").write_bytes(encoded(HtmlFormat(), [FLIGHTS], options))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    assert page.title() == "Delays"
    assert column(page, 1) == ["1,200", "", "-3", "45"]
    page.get_by_role("button", name="delay").click()
    assert column(page, 1) == ["", "-3", "45", "1,200"]
    page.get_by_role("button", name="delay").click()
    assert column(page, 1) == ["1,200", "45", "-3", ""]
    page.get_by_role("button", name="delay").click()
    assert column(page, 0) == ["UA", "AA", "9E", "DL"]
    page.get_by_label("Filter rows").fill("<TIME>")
    assert column(page, 0) == ["UA"]
    assert page.locator("output").inner_text() == "1 of 4 rows"
    assert asked == [(tmp_path / "page.html").as_uri()]


def test_numbers_sort_by_their_value_whatever_their_separators(page: Page, tmp_path: Path) -> None:
    values = [1.5, 1.234, 1234567.25, None, -2.5, float("inf")]
    table = pa.table({"value": values, "count": [1234, 999, 1234567, 5, None, 0]})
    options = HtmlOptions(decimal_separator=",", thousands_separator=".")
    (tmp_path / "page.html").write_bytes(encoded(HtmlFormat(), [table], options))
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_role("button", name="value").click()
    assert column(page, 0) == ["", "-2,5", "1,234", "1,5", "1.234.567,25", "inf"]
    page.get_by_role("button", name="count").click()
    assert column(page, 1) == ["", "0", "5", "999", "1.234", "1.234.567"]
