"""Files as sources: what is in them comes out, and what is wrong with them names them."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jupyter_export.errors import ExportError, Forbidden, InvalidSpec, NotFound, SourceFailed

from .conftest import Bench

TABLE = pa.table({"id": pa.array(range(20_000)), "name": [f"row {i}" for i in range(20_000)]})


def read(bench: Bench, path: str, **document: Any) -> pa.Table:
    source = {"type": "file", "path": path}
    bench.run({"source": source, "output": {"if_exists": "replace"}, **document}, "rows.arrow")
    with pa.ipc.open_file(bench.root / "rows.arrow") as file:
        return file.read_all()


def _csv(path: Path) -> None:
    lines = "".join(f"{row['id']},{row['name']}\n" for row in TABLE.to_pylist())
    text = ("id,name\n" + lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def _jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()))


def _arrow(path: Path) -> None:
    new = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with new(path, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=3_000)


def _xlsx(path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(TABLE.column_names)
    for row in TABLE.to_pylist():
        sheet.append(list(row.values()))
    book.save(path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "x.csv": _csv,
    "x.csv.gz": _csv,
    "x.jsonl": _jsonl,
    "x.json": lambda path: path.write_text(json.dumps(TABLE.to_pylist())) and None,
    "x.parquet": lambda path: pq.write_table(TABLE, path),
    "x.arrow": _arrow,
    "x.feather": _arrow,
    "x.arrows": _arrow,
    "x.xlsx": _xlsx,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_row_of_every_kind_of_file(bench: Bench, name: str) -> None:
    WRITERS[name](bench.root / name)
    assert read(bench, name).equals(TABLE)
    assert read(bench, name, where="id >= 19999")["name"].to_pylist() == ["row 19999"]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("damage", ["empty", "garbage", "half"])
def test_a_damaged_file_is_named(bench: Bench, name: str, damage: str) -> None:
    path = bench.root / name
    WRITERS[name](path)
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "garbage": b"\x93\x00{garbage\xff", "half": whole[:-100]}[damage]
    )
    if name == "x.csv" and damage != "empty":
        # text that stops early is still text
        with_luck(bench, name)
        return
    with pytest.raises(SourceFailed) as caught:
        read(bench, name)
    assert name in str(caught.value)
    assert str(bench.root) not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bench.left() == [name]


def with_luck(bench: Bench, name: str) -> None:
    try:
        read(bench, name)
    except ExportError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    ["a,b\n#1,2\n3,4\n", "title\na,b\n1,2\n3,4\n", "a,b\n1,2\n3,4,5\n", "a,b\n1,2\n3\n4,5\n"],
)
def test_no_line_of_a_csv_is_skipped(bench: Bench, text: str) -> None:
    """A sniffer may take lines for comments or titles; then rows would be missing."""
    (bench.root / "x.csv").write_text(text)
    try:
        rows = read(bench, "x.csv").num_rows
    except SourceFailed:
        return
    assert rows == len(text.splitlines()) - 1


def test_a_folder_name_makes_no_column(bench: Bench) -> None:
    folder = bench.root / "year=2020"
    folder.mkdir()
    (folder / "x.csv").write_text("a\n1\n")
    (folder / "x.json").write_text('[{"a": 1}]')
    pq.write_table(pa.table({"a": [1]}), folder / "x.parquet")
    for name in ("x.csv", "x.json", "x.parquet"):
        assert read(bench, f"year=2020/{name}").column_names == ["a"]


def test_a_stream_cut_between_two_batches(bench: Bench) -> None:
    """PyArrow takes that for its end."""
    path = bench.root / "x.arrows"
    with path.open("wb") as file, pa.ipc.new_stream(file, TABLE.schema) as writer:
        writer.write_table(TABLE.slice(0, 100))
        cut = file.tell()
        writer.write_table(TABLE.slice(100, 100))
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with pytest.raises(SourceFailed, match="its end is missing"):
        read(bench, "x.arrows")
    for size in (0, 5, cut, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        (bench.uploads / "torn.arrows").write_bytes(whole[:size])
        for where in (None, "id >= 0"):
            with pytest.raises(SourceFailed, match="torn is not a whole Arrow IPC stream"):
                bench.run({"source": {"type": "upload", "id": "torn"}, "where": where})
    assert bench.left() == ["x.arrows"]


def test_an_upload_that_is_gone(bench: Bench) -> None:
    with pytest.raises(NotFound, match="The upload nothing is gone"):
        bench.run({"source": {"type": "upload", "id": "nothing"}})


@pytest.mark.parametrize("path", ["none.csv", "a\0b.csv", "x" * 300 + ".csv", "folder.csv"])
def test_a_file_that_is_not_there(bench: Bench, path: str) -> None:
    (bench.root / "folder.csv").mkdir()
    with pytest.raises(ExportError) as caught:
        read(bench, path)
    assert isinstance(caught.value, (NotFound, InvalidSpec))
    assert caught.value.field is not None


def test_outside_the_root(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("a\n1\n")
    (bench.root / "link.csv").symlink_to(outside)
    (bench.root / "folder").symlink_to(tmp_path)
    for path in ("../secret.csv", str(outside), "link.csv", "folder/secret.csv", "../none.csv"):
        with pytest.raises(Forbidden, match="outside the folder") as caught:
            read(bench, path)
        assert str(tmp_path) not in str(caught.value).replace(path, "")
    source = {"type": "file", "path": str(outside)}
    assert bench.run({"source": source}, confined=False).rows == 1


@pytest.mark.parametrize("name", ["x.txt", "x", "x.parquet.gz", "x.csv.br", "x.xlsx.gz"])
def test_an_ending_nobody_reads(bench: Bench, name: str) -> None:
    (bench.root / name).write_text("a\n1\n")
    with pytest.raises(InvalidSpec, match="cannot be read"):
        read(bench, name)


def test_a_worksheet(bench: Bench) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    noon = dt.datetime(2020, 1, 1, 12)  # noqa: DTZ001
    sheet.append(["n", "when", None, "text"])
    sheet.append([1, noon, True, "a"])
    sheet.append([None, None, None, None, "beyond"])
    sheet.append([3])
    book.save(bench.root / "x.xlsx")
    table = read(bench, "x.xlsx")
    assert table.column_names == ["n", "when", "column 3", "text", "column 5"]
    assert table.to_pylist()[0] == {
        "n": 1, "when": noon, "column 3": True, "text": "a", "column 5": None
    }  # fmt: skip
    assert table["column 5"].to_pylist() == [None, "beyond", None]
    assert table["n"].to_pylist() == [1, None, 3]


def test_a_worksheet_without_rows(bench: Bench) -> None:
    openpyxl.Workbook().save(bench.root / "x.xlsx")
    with pytest.raises(SourceFailed, match=r"The first sheet of “x\.xlsx” is empty"):
        read(bench, "x.xlsx")


def test_names_that_differ_by_case_only_are_kept(bench: Bench) -> None:
    (bench.root / "x.csv").write_text("A,a,a_1\n1,2,3\n")
    assert read(bench, "x.csv").to_pylist() == [{"A": 1, "a": 2, "a_1": 3}]


def test_two_columns_of_one_name_are_refused(bench: Bench) -> None:
    (bench.root / "x.csv").write_text("a,a\n1,2\n")
    with pytest.raises(InvalidSpec, match="Two columns of data are named “a”"):
        read(bench, "x.csv")
