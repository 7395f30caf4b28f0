"""Workbooks to put rows into, with everything that has to stay as it is."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import xlsxwriter

BODY = 3
"""Rows of the table in the template."""


def picture() -> io.BytesIO:
    """Return a red PNG of two by two points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">2I5B", 2, 2, 8, 2, 0, 0, 0)
    points = zlib.compress((b"\0" + b"\xff\0\0" * 2) * 2)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", points) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + parts)


def report(path: Path, *, totals: bool = True) -> Path:
    """Write a report: a cover, and a sheet “My Data” with the table “Flights” in B4:F8.

    Below the table, in rows 20 to 25, and beside it are cells, names, rules and a chart.
    """
    book = xlsxwriter.Workbook(str(path))
    cover, plain, sheet = (book.add_worksheet(name) for name in ("Cover", "Plain", "My Data"))
    box = book.add_format({"bg_color": "#FFEEDD", "border": 1})
    day = book.add_format({"num_format": "dd.mm.yyyy"})
    plain.write("A1", "nothing computed here")
    cover.write("A1", "Report")
    cover.write_formula("A2", "='My Data'!B20*2", None, 7)
    cover.write_formula("A3", "=SUM('My Data'!C5:C7)", None, 6)
    cover.write_formula("A4", "=Below+SUM(Flights[distance])", None, 6)
    cover.insert_image("D4", "red.png", {"image_data": picture()})
    sheet.merge_range("A1:F1", "Title", box)
    sheet.set_row(4, 30)
    sheet.write("A5", "left")
    sheet.write("H5", "right")
    sheet.write_formula("H6", "=B6&B20", None, "old")
    sheet.write("A20", "foot")
    sheet.write("B20", 123)
    sheet.write_formula("C20", "=SUM(C5:C7)+B21", None, 1)
    sheet.write_array_formula("D20:D21", "{=B20:B21*2}", None, 2)
    sheet.merge_range("B22:D22", "merged below", box)
    columns: list[dict[str, object]] = [
        {"header": "carrier", "format": box},
        {"header": "distance"},
        {"header": "day", "format": day},
        {"header": "air_time"},
        {"header": "double", "formula": "=Flights[@[distance]]*2"},
    ]
    if totals:
        columns[0]["total_string"] = "Sum"
        columns[1]["total_function"] = "sum"
    sheet.add_table(
        3,
        1,
        3 + BODY + totals,
        5,
        {
            "name": "Flights",
            "columns": columns,
            "total_row": totals,
            "data": [["old", 1, 40000, 3]] * BODY,
        },
    )
    beside = book.add_chart({"type": "column"})
    beside.add_series(
        {"categories": "='My Data'!$B$5:$B$7", "values": "='My Data'!$C$5:$C$7", "name": "km"}
    )
    sheet.insert_chart("J2", beside)
    below = book.add_chart({"type": "line"})
    below.add_series({"values": "='My Data'!$B$20:$B$25"})
    sheet.insert_chart("J30", below)
    sheet.conditional_format("C5:C7", {"type": "data_bar", "data_bar_2010": True})
    sheet.conditional_format(
        "B20:B25", {"type": "cell", "criteria": ">", "value": "$B$21", "format": box}
    )
    sheet.data_validation("B5:B7", {"validate": "list", "source": ["AA", "UA"]})
    sheet.data_validation("B20", {"validate": "whole", "criteria": ">", "value": 0})
    sheet.write_comment("B5", "in the table")
    sheet.write_comment("A20", "below the table")
    sheet.write_url("A21", "https://example.org/")
    book.define_name("Block", "='My Data'!$B$5:$F$7")
    book.define_name("Below", "='My Data'!$B$20")
    book.define_name("Start", "=Plain!$C$3")
    book.define_name("Rate", "=0.19")
    sheet.print_area("A1:F22")
    sheet.set_h_pagebreaks([21])
    sheet.freeze_panes(4, 0)
    book.close()
    return path


def with_parts(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Write the workbook again with its parts changed; None takes one out."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def with_prefix(name: str, data: bytes) -> bytes:
    """Return a sheet as some programs write it: each of its elements has a prefix."""
    if not name.startswith("xl/worksheets/sheet"):
        return data
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    data = re.sub(rb"<(/?)(?=[A-Za-z]+[\s>/])(?!x14|xm)", rb"<\1x:", data)
    return data.replace(b'xmlns="' + main, b'xmlns:x="' + main)


def changed(before: Path, after: Path) -> set[str]:
    """Return the names of the parts that differ, and of those that only one of the files has."""
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        assert new.testzip() is None
        names = {*old.namelist(), *new.namelist()}
        both = {*old.namelist()} & {*new.namelist()}
        return {name for name in names if name not in both or old.read(name) != new.read(name)}
