"""CSV files: every row, every value as the file has it, and a sentence for what cannot be read."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import SourceFailed

from .conftest import Bench, read, write

VALUES: list[tuple[str, pa.DataType, list[Any]]] = [
    ("1 2 -3", pa.int64(), [1, 2, -3]),
    ("007 8", pa.string(), ["007", "8"]),
    ("+49 1", pa.string(), ["+49", "1"]),
    ("9223372036854775807 1", pa.int64(), [2**63 - 1, 1]),
    ("9223372036854775808 1", pa.uint64(), [2**63, 1]),
    ("9223372036854775808 -1", pa.decimal128(38, 0), [Decimal(2**63), Decimal(-1)]),
    ("18446744073709551616 1", pa.decimal128(38, 0), [Decimal(2**64), Decimal(1)]),
    ("1" * 39, pa.string(), ["1" * 39]),
    ("1.5 2", pa.float64(), [1.5, 2.0]),
    ("0.30000000000000004 5e-324 1.7976931348623157e+308", pa.float64(), [
        0.30000000000000004, 5e-324, 1.7976931348623157e308
    ]),
    ("NaN 1.5 -inf", pa.float64(), None),
    ("nan inf", pa.string(), ["nan", "inf"]),
    ("1.5 9007199254740993", pa.decimal128(38, 1), [Decimal("1.5"), Decimal(9007199254740993)]),
    ("3.14159265358979323846", pa.decimal128(38, 20), [Decimal("3.14159265358979323846")]),
    ("1e400 1", pa.string(), ["1e400", "1"]),
    ("1e-400 1", pa.string(), ["1e-400", "1"]),
    ("12E4 7", pa.string(), ["12E4", "7"]),
    ("true false", pa.bool_(), [True, False]),
    ("TRUE FALSE", pa.bool_(), [True, False]),
    ("true False", pa.string(), ["true", "False"]),
    ("2013-01-02 2013-12-31", pa.date32(), None),
    ("2013-01-02 2013-02-30", pa.string(), ["2013-01-02", "2013-02-30"]),
    ("01/02/2013", pa.string(), ["01/02/2013"]),
    ("2013-01-02T03:04:05 2013-01-02", pa.timestamp("us"), None),
    ("2013-01-02T03:04:05.123456789", pa.timestamp("ns"), None),
    ("2013-01-02T03:04:05.123456789 1000-01-01", pa.string(), None),
    ("2013-01-02T03:04:05Z 2013-01-02T03:04:05+05:30", pa.timestamp("us", "UTC"), None),
    ("2013-01-02T03:04:05Z 2013-01-02T03:04:05", pa.string(), None),
    ("2013-01-02T25:04:05", pa.string(), ["2013-01-02T25:04:05"]),
    ("12:30:00.5", pa.time64("us"), None),
    ("24:00:00", pa.string(), ["24:00:00"]),
    ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", pa.string(), None),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "kind", "values"), VALUES, ids=[v[0][:40] for v in VALUES])
def test_a_type_keeps_every_value(
    bench: Bench, cells: str, kind: pa.DataType, values: list[Any] | None
) -> None:
    rows = cells.split(" ")
    write(bench.root, "x.csv", "a,b\n" + "".join(f"{cell},k\n" for cell in rows))
    column = read(bench, "x.csv")["a"]
    assert column.type == kind
    assert len(column) == len(rows)
    if values is not None:
        assert column.to_pylist() == values


def test_a_late_value_decides_as_well(bench: Bench) -> None:
    """Beyond any sample, and in another buffer of the engine."""
    lines = "".join(f"{i},row {i}\n" for i in range(300_000))
    write(bench.root, "x.csv", f"a,b\n{lines}007,end\n")
    column = read(bench, "x.csv")["a"]
    assert column.type == pa.string()
    assert len(column) == 300_001
    assert column[-1].as_py() == "007"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(bench: Bench, delimiter: str) -> None:
    cells = [["a", "b"], ["1,5;x\t|", "y"], ["", '""']]
    quoted = [[f'"{c}"' if len(c) > 2 else c for c in row] for row in cells]
    write(bench.root, "x.csv", "".join(delimiter.join(row) + "\n" for row in quoted))
    assert read(bench, "x.csv").to_pylist() == [
        {"a": "1,5;x\t|", "b": "y"},
        {"a": None, "b": ""},
    ]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ("\ufeffa,b\n1,é\n", [{"a": 1, "b": "é"}]),
        ("a,b\n1,é€😀\n".encode("utf-16"), [{"a": 1, "b": "é€😀"}]),
        ("\ufeffa,b\n1,é€😀\n".encode("utf-16-be"), [{"a": 1, "b": "é€😀"}]),
        ("a,b\r\n1,2\r\n", [{"a": 1, "b": 2}]),
        ("a,b\r1,2\r", [{"a": 1, "b": 2}]),
        ("a,b\n1,2", [{"a": 1, "b": 2}]),
        ("\n\na,b\n1,2\n\n\n3,4\n", [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        ("a\n1\n\n3\n", [{"a": 1}, {"a": None}, {"a": 3}]),
        ('"a\nx",b\n1,"y\r\nz"\n', [{"a\nx": 1, "b": "y\r\nz"}]),
        ("a,b\n1,x\0y\n", [{"a": 1, "b": "x\0y"}]),
        ('"a","b"\n"1",""\n"","x"\n', [{"a": 1, "b": ""}, {"a": None, "b": "x"}]),
        ("a,b\n#1, x \n", [{"a": "#1", "b": " x "}]),
        ("a,b\n", []),
        ("a,b", []),
        ("1,2\n3,4\n", [{"column 1": 1, "column 2": 2}, {"column 1": 3, "column 2": 4}]),
        ("0,1\n3,4\n", [{"0": 3, "1": 4}]),
        ("day,2013\nx,1\n", [{"day": "x", "2013": 1}]),
        (",a\n0,x\n", [{"": 0, "a": "x"}]),
        ("A,a,a_1\n1,2,3\n", [{"A": 1, "a": 2, "a_1": 3}]),
        ("a,b\n1," + "x" * 3_000_000 + "\n", [{"a": 1, "b": "x" * 3_000_000}]),
    ],
)
def test_what_is_in_the_file_comes_out(bench: Bench, data: str | bytes, rows: list[Any]) -> None:
    write(bench.root, "x.csv", data)
    assert read(bench, "x.csv").to_pylist() == rows


def test_compressed_in_several_members(bench: Bench) -> None:
    write(bench.root, "x.csv.gz", gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    assert read(bench, "x.csv.gz")["a"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("a,b\n1,2\n3\n", "Line 3 of “x.csv” has 1 cell, and the first line names 2"),
        ("a,b\n1,2,3\n", "Line 2 of “x.csv” has 3 cells, and the first line names 2"),
        ("name\nSmith, J\n", "Line 2 of “x.csv” has 2 cells, and the first line names 1"),
        ('a,b\n1,"x"y\n', "Line 2 of “x.csv” has a quote that is not closed"),
        ('a,b\n1,"x\n', "Line 2 of “x.csv” has a quote that is not closed"),
        (b"a,b\n1,\xe9\n", "Line 2 of “x.csv” is not UTF-8. Save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "as UTF-16 without its mark has. Save it as UTF-8"),
        ("a,b\r\n1,2\n3,4\r\n", "its lines end in different ways"),
        ("", "“x.csv” is empty: not even its columns are known"),
        ("\n\n", "“x.csv” is empty: not even its columns are known"),
    ],
)
def test_what_is_wrong_is_said(bench: Bench, data: str | bytes, sentence: str) -> None:
    write(bench.root, "x.csv", data)
    with pytest.raises(SourceFailed) as caught:
        read(bench, "x.csv")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(bench.root) not in str(caught.value)
    assert caught.value.field == "source.path"
