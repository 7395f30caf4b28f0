"""Small files that unpack to very much, or claim to: each is one sentence, and no memory."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import openpyxl
import pytest
import zstandard

from jupyter_export.errors import ExportError, OutOfMemory, SourceFailed

from .conftest import Bench, read, write

MB = 1024**2
LINE = b"x" * MB


def packed(root: Path, name: str, pieces: Iterable[bytes]) -> None:
    path = root / name
    if name.endswith(".zst"):
        with path.open("wb") as file, zstandard.ZstdCompressor(1).stream_writer(file) as out:
            for piece in pieces:
                out.write(piece)
        return
    with gzip.open(path, "wb", 1) as out_gzip:
        for piece in pieces:
            out_gzip.write(piece)


@pytest.mark.parametrize(
    ("name", "pieces", "said"),
    [
        ("line.csv.gz", [b"a,b\n", *[LINE] * 80], "longer than 64 MiB"),
        ("line.csv.zst", [b"a,b\n", *[LINE] * 80], "longer than 64 MiB"),
        ("header.csv.gz", [LINE] * 80, "longer than 64 MiB"),
        # of such a line the engine itself says nothing at all, and leaves it out
        ("late.csv.gz", [b"a,b\n", b"1,2\n" * 1000, *[LINE] * 80, b",1\n"], "longer than 64 MiB"),
        ("blank.csv.gz", [b"\n" * MB] * 4, "1,000,000 empty lines"),
        ("quote.csv.gz", [b'a,b\n1,"', *[b"y\n" * (MB // 2)] * 80], "quote|longer than"),
        ("record.jsonl.gz", [b'{"a":"', *[LINE] * 80, b'"}'], "more than 64 MiB"),
    ],
)
def test_one_record_without_end(name: str, pieces: list[bytes], said: str, bench: Bench) -> None:
    packed(bench.root, name, pieces)
    with pytest.raises(SourceFailed, match=said):
        read(bench, name)


def test_a_long_line_within_the_limit_is_a_row(bench: Bench) -> None:
    packed(bench.root, "long.csv.gz", [b"a,b\n1,2\n", *[LINE] * 40, b",3\n4,5\n"])
    table = read(bench, "long.csv.gz")
    assert table["b"].to_pylist() == [2, 3, 5]
    assert [len(each) for each in table["a"].to_pylist()] == [1, 40 * MB, 1]


@pytest.mark.parametrize("name", ["deep.json.gz", "list.json.gz"])
def test_json_without_end(name: str, bench: Bench) -> None:
    piece = b"[" * MB if name.startswith("deep") else b",1" * (MB // 2)
    packed(bench.root, name, [b"[1", *[piece] * 100])
    with pytest.raises((SourceFailed, OutOfMemory)):
        read(bench, name, memory_limit=64 * 1000**2)


# ------------------------------------------------------------------ workbooks


def workbook(root: Path, name: str, changes: dict[str, bytes]) -> None:
    """Write a workbook in which some parts are others; “{}” in them is what they were."""
    plain = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append(["text", 1])
    book.save(plain)
    with (
        zipfile.ZipFile(plain) as given,
        zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for entry in {**dict.fromkeys(given.namelist()), **changes}:
            data = given.read(entry) if entry in given.namelist() else b"<sst/>"
            out.writestr(entry, changes.get(entry, b"{}").replace(b"{}", data))


def sheet(rows: bytes) -> bytes:
    space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return b'<worksheet xmlns="%s"><sheetData>%s</sheetData></worksheet>' % (space, rows)


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "&a;&a;&a;&a;">]>' % (b"ha" * 1000)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"xl/sharedStrings.xml": b" " * 200 * MB}, "unpacks to 209 MB"),
        ({"xl/styles.xml": b" " * 200 * MB}, "unpacks to 209 MB"),
        ({"xl/workbook.xml": LAUGHS + b"{}"}, "document type"),
        ({"xl/sharedStrings.xml": LAUGHS + b"{}"}, "document type"),
        ({"[Content_Types].xml": (LAUGHS.decode() + "<x/>").encode("utf-16")}, "document type"),
        ({SHEET: LAUGHS + b"{}"}, "document type"),
        (
            {SHEET: sheet(b'<row r="1"><c><v>1</v></c></row><row r="4000000000"/>')},
            "beyond 1,048,576",
        ),
    ],
)
def test_a_workbook_that_grows(changes: dict[str, bytes], said: str, bench: Bench) -> None:
    workbook(bench.root, "x.xlsx", changes)
    with pytest.raises(SourceFailed, match=said):
        read(bench, "x.xlsx", memory_limit=256 * 1000**2)


def test_what_a_sheet_says_of_its_size_is_not_believed(bench: Bench) -> None:
    rows = b'<row r="1"><c><v>1</v></c></row>'
    lie = sheet(rows).replace(b"<sheetData>", b'<dimension ref="A1:XFD1048576"/><sheetData>')
    workbook(bench.root, "x.xlsx", {SHEET: lie})
    assert read(bench, "x.xlsx").num_rows <= 1


# ------------------------------------------------------------------ what is no file at all


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.xlsx", "pipe.parquet", "null.csv"])
def test_a_pipe_or_a_device_is_no_file(name: str, bench: Bench) -> None:
    path = bench.root / name
    if name.startswith("null"):
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    with pytest.raises(ExportError) as caught:
        read(bench, name)
    assert caught.value.code in ("not_found", "forbidden")


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.csv.gz", "x.xlsx"])
def test_what_is_of_another_kind_than_its_name_says(name: str, bench: Bench) -> None:
    write(bench.root, name, b"\0" * 4096)
    with pytest.raises(SourceFailed):
        read(bench, name)
