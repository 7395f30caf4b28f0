"""Every kind of value, as openpyxl, calamine and our own lines read it."""

# ruff: noqa: DTZ001 - a workbook has no time zones
from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from python_calamine import CalamineWorkbook

from jupyter_export.errors import SourceFailed

from .writing import found, read_back, write

DAY = dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12, 30, 15, 250_000)


def cells(path: Path, column: int = 1) -> list[Any]:
    """Return the column below its heading, as both of openpyxl's ways read it."""
    values = []
    for read_only in (False, True):
        book = openpyxl.load_workbook(path, read_only=read_only, data_only=True)
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(min_row=2, min_col=column, max_col=column, values_only=True)
        values.append([row[0] for row in rows])
        book.close()
    assert repr(values[0]) == repr(values[1])
    return values[0]


def by_calamine(path: Path) -> list[Any]:
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    return [row[0] for row in sheet.to_python()[1:]]


SAME: dict[str, tuple[pa.Array, list[Any]]] = {
    "bool": (pa.array([True, None, False]), [True, None, False]),
    "int8": (pa.array([1, None, -128], pa.int8()), [1, None, -128]),
    "int64": (pa.array([2**49, None, -(2**49)]), [2**49, None, -(2**49)]),
    "uint64": (pa.array([0, None, 999_999_999_999_999], pa.uint64()), [0, None, 10**15 - 1]),
    "few integers": (pa.array([3, 4, None, 3, 4] * 9), [3, 4, None, 3, 4] * 9),
    "double": (
        pa.array([1.0, None, -0.1, 1e300, 5e-324, 0.1 + 0.2, 1e15]),
        [1.0, None, -0.1, 1e300, 5e-324, 0.1 + 0.2, 1e15],
    ),
    "float": (pa.array([0.1, None, 2.5], pa.float32()), [0.1, None, 2.5]),
    "decimal": (
        pa.array([Decimal("1.50"), None, Decimal("-123456789012.34")], pa.decimal128(38, 2)),
        [1.5, None, -123456789012.34],
    ),
    "text": (
        pa.array(["a", None, "", "007", "1e5", "=1+1", "<b>&amp;", "two\nlines", "日 😀", "TRUE"]),
        ["a", None, "", "007", "1e5", "=1+1", "<b>&amp;", "two\nlines", "日 😀", "TRUE"],
    ),
    "outer space": (pa.array([" a", "b ", None, "\tc\n"]), [" a", "b ", None, "\tc\n"]),
    "carriage return": (pa.array(["a\r\nb", "\r", None]), ["a\r\nb", "\r", None]),
    "large text": (pa.array(["a", None], pa.large_string()), ["a", None]),
    "text view": (pa.array(["a", None], pa.string_view()), ["a", None]),
    "dictionary": (
        pa.array(["x<", None, "y", "x<"]).dictionary_encode(),
        ["x<", None, "y", "x<"],
    ),
    "date": (pa.array([DAY, None, dt.date(1900, 3, 1), dt.date(9999, 12, 31)]), [
        dt.datetime(2024, 2, 29), None, dt.datetime(1900, 3, 1), dt.datetime(9999, 12, 31)]),
    "timestamp": (pa.array([NOON, None, dt.datetime(1901, 1, 1)]), [
        NOON, None, dt.datetime(1901, 1, 1)]),
    "far timestamp": (
        pa.array([dt.datetime(1900, 3, 1, 23, 59, 59, 999_000), dt.datetime(9999, 12, 31, 23, 59)]),
        [dt.datetime(1900, 3, 1, 23, 59, 59, 999_000), dt.datetime(9999, 12, 31, 23, 59)],
    ),
    "midnights": (pa.array([dt.datetime(2024, 1, 1), None], pa.timestamp("ns")), [
        dt.datetime(2024, 1, 1), None]),
    "time": (
        pa.array([dt.time(0), None, dt.time(23, 59, 59, 999_000), dt.time(6)], pa.time64("us")),
        [dt.time(0), None, dt.time(23, 59, 59, 999_000), dt.time(6)],
    ),
    "duration": (
        pa.array([dt.timedelta(days=3, hours=1), None, dt.timedelta(milliseconds=-1_500)]),
        [dt.timedelta(days=3, hours=1), None, dt.timedelta(milliseconds=-1_500)],
    ),
    "null": (pa.nulls(2), [None, None]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_openpyxl_reads_the_value(name: str, tmp_path: Path) -> None:
    column, expected = SAME[name]
    table = pa.table({"x": column, "end": pa.array(["|"] * len(column))})
    path, losses = write(tmp_path, table)
    assert found(losses) == {}
    given = cells(path)
    assert given == expected
    for one, other in zip(given, expected, strict=True):
        assert type(one) is type(other)
    assert cells(path, 2) == ["|"] * len(column)


@pytest.mark.parametrize("name", SAME)
def test_the_readers_lines_give_the_column_back(name: str, tmp_path: Path) -> None:
    table = pa.table({"x": SAME[name][0]})
    path, _ = write(tmp_path, table)
    expected = table.to_pandas()
    given = read_back(path, table)
    if name == "dictionary":
        expected["x"] = expected["x"].astype(object)
    assert given["x"].dtype == expected["x"].dtype or name == "dictionary"
    assert [None if v != v else v for v in given["x"]] == [
        None if v != v else v for v in expected["x"]
    ]


@pytest.mark.parametrize("name", ["double", "text", "date", "timestamp", "duration", "bool"])
def test_calamine_reads_the_value(name: str, tmp_path: Path) -> None:
    column, expected = SAME[name]
    path, _ = write(tmp_path, pa.table({"x": column}))
    given = by_calamine(path)
    # calamine has an empty text for an empty cell, and a date for a midnight
    shown = ["" if value is None else value for value in expected]
    for one, other in zip(given, shown, strict=True):
        if isinstance(other, dt.datetime) and not isinstance(one, dt.datetime):
            one = dt.datetime.combine(one, dt.time())
        assert one == other


def test_a_long_integer_stays_exact_as_text(tmp_path: Path) -> None:
    column = pa.array([2**63, 5, None, 999_999_999_999_999, 10**15], pa.uint64())
    table = pa.table({"x": column})
    path, losses = write(tmp_path, table)
    assert found(losses) == {}
    assert cells(path) == [str(2**63), 5, None, 999_999_999_999_999, str(10**15)]
    assert read_back(path, table)["x"].tolist()[0] == float(2**63)


def test_a_long_integer_as_a_number_is_a_loss(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([2**62, 5, -(10**15), None])})
    path, losses = write(tmp_path, table, long_numbers="number")
    assert found(losses) == {("integer_beyond_15_digits", "x"): 2}
    (loss,) = losses
    assert (loss.example, loss.option) == (str(2**62), "long_numbers=text")
    assert cells(path) == [2**62, 5, -(10**15), None]


def test_a_long_decimal(tmp_path: Path) -> None:
    kind = pa.decimal128(38, 10)
    values = ["0.1234567890", "12345678901.2345678901", "1E-10", "123456789012345", None]
    column = pa.array([None if v is None else Decimal(v) for v in values], kind)
    table = pa.table({"x": column})
    path, losses = write(tmp_path, table)
    assert found(losses) == {}
    assert cells(path) == [0.123456789, values[1], 1e-10, 123456789012345, None]
    assert read_back(path, table)["x"].tolist() == table.to_pandas()["x"].tolist()
    _, losses = write(tmp_path, table, long_numbers="number")
    assert found(losses) == {("decimal_beyond_15_digits", "x"): 1}


@pytest.mark.parametrize(
    ("nan", "expected"),
    [
        ("error", [1.5, "#NUM!", "#DIV/0!", None]),
        ("text", [1.5, "nan", "-inf", None]),
        ("empty", [1.5, None, None, None]),
    ],
)
def test_what_is_no_number(nan: str, expected: list[Any], tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([1.5, float("nan"), float("-inf"), None])})
    path, losses = write(tmp_path, table, nan=nan)
    assert cells(path) == expected
    assert found(losses) == ({} if nan == "text" else {("not_a_number", "x"): 2})
    if nan == "text":
        assert str(read_back(path, table, nan=nan)["x"].tolist()[:3]) == "[1.5, nan, -inf]"
    else:
        read_back(path, table, nan=nan)


def test_a_zone_keeps_its_clock(tmp_path: Path) -> None:
    moments = [dt.datetime(2024, 7, 1, 10, tzinfo=dt.timezone.utc), None]
    table = pa.table({"x": pa.array(moments, pa.timestamp("us", "Europe/Paris"))})
    path, losses = write(tmp_path, table)
    assert cells(path) == [dt.datetime(2024, 7, 1, 12), None]
    assert found(losses) == {("time_zone", "x"): 1}
    assert read_back(path, table)["x"].tolist() == table.to_pandas()["x"].tolist()


def test_parts_of_a_millisecond_are_cut_off(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([NOON + dt.timedelta(microseconds=999), None, NOON])})
    path, losses = write(tmp_path, table)
    assert cells(path) == [NOON, None, NOON]
    assert found(losses) == {("time_precision", "x"): 1}


def test_dates_that_have_no_number_are_text(tmp_path: Path) -> None:
    dates = [dt.date(1900, 2, 28), dt.date(1, 1, 1), None, DAY]
    moments = [dt.datetime(1899, 12, 31, 1, 2, 3), None, NOON, dt.datetime(1, 1, 1)]
    table = pa.table({"d": pa.array(dates), "t": pa.array(moments)})
    path, losses = write(tmp_path, table)
    assert found(losses) == {("date_out_of_range", "d"): 2, ("date_out_of_range", "t"): 2}
    assert cells(path)[:3] == ["1900-02-28", "0001-01-01", None]
    assert cells(path, 2) == [
        "1899-12-31 01:02:03.000000",
        None,
        NOON,
        "0001-01-01 00:00:00.000000",
    ]
    read_back(path, table)


@pytest.mark.parametrize(
    "kind", [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
)
def test_the_end_of_a_day_is_text(kind: pa.DataType, tmp_path: Path) -> None:
    second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    ticks = pa.int32() if kind.bit_width == 32 else pa.int64()
    times = pa.array([43_200 * second, 86_400 * second, None], ticks).view(kind)
    path, losses = write(tmp_path, pa.table({"t": times}))
    assert cells(path) == [dt.time(12), "24:00:00", None]
    assert found(losses) == {("date_out_of_range", "t"): 1}
    for odd in (-1, 86_400 * second + 1):
        with pytest.raises(SourceFailed, match="“t” holds a time that is not between"):
            write(tmp_path, pa.table({"t": pa.array([odd], ticks).view(kind)}))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_ends_of_time(unit: str, tmp_path: Path) -> None:
    ends = [2**63 - 1, -(2**63) + 1, None, 0]
    table = pa.table(
        {
            "t": pa.array(ends, pa.timestamp(unit)),
            "z": pa.array(ends, pa.timestamp(unit, "America/New_York")),
            "d": pa.array(ends, pa.duration(unit)),
            "date": pa.array([2**31 - 1, -(2**31), None, 0], pa.date32()),
        }
    )
    path, losses = write(tmp_path, table)
    assert cells(path)[2:] == [None, dt.datetime(1970, 1, 1)]
    assert found(losses)[("date_out_of_range", "date")] == 2
    if unit != "ns":
        assert found(losses)[("date_out_of_range", "t")] == 2


def test_text_too_long_for_a_cell_is_cut(tmp_path: Path) -> None:
    fits, long = "é" * 32_767, "😀" * 16_384
    table = pa.table({"x": pa.array(["a", fits, long, None])})
    path, losses = write(tmp_path, table)
    assert cells(path) == ["a", fits, "😀" * 16_383, None]
    assert found(losses) == {("text_cut", "x"): 1}


def test_what_xml_forbids_is_escaped_as_excel_does(tmp_path: Path) -> None:
    values = ["a\x01b", "\x0b\x1f", "_x0041_x0042_", None, "_xyz_", "\uffff"]
    table = pa.table({"x": pa.array(values)})
    path, losses = write(tmp_path, table)
    assert cells(path)[0] == "a_x0001_b"
    assert by_calamine(path)[:5] == ["a\x01b", "\x0b\x1f", "_x0041_x0042_", "", "_xyz_"]
    assert found(losses) == {("unprintable", "x"): 3}
    given = read_back(path, table)["x"].tolist()
    assert given[:3] + given[4:] == values[:3] + values[4:]


def test_losses_of_a_dictionary_are_counted_by_cells(tmp_path: Path) -> None:
    words = pa.array(["a\x01", "plain", "never\x02"])
    codes = pa.array([0, 1, None, 0, 0], pa.int8())
    table = pa.table({"x": pa.DictionaryArray.from_arrays(codes, words)})
    _, losses = write(tmp_path, table, batch_rows=2)
    assert found(losses) == {("unprintable", "x"): 3}
    (loss,) = losses
    assert loss.example == "a\x01"


def test_bytes_and_nested_values_are_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "b": pa.array([b"\x00\xff", None]),
            "l": pa.array([[1, None], None]),
            "s": pa.array([{"a": "<"}, None]),
        }
    )
    path, losses = write(tmp_path, table)
    assert [cells(path, i)[0] for i in (1, 2, 3)] == ["AP8=", "[1,null]", '{"a":"<"}']
    assert found(losses) == {("binary", "b"): 1, ("nested", "l"): 1, ("nested", "s"): 1}
    read_back(path, table)


def test_neighbours_of_few_values(tmp_path: Path) -> None:
    """Columns of few values are written together where all pairs of them are few."""
    rows = range(600)
    table = pa.table(
        {
            "a": pa.array([i % 3 == 0 for i in rows]),
            "b": pa.array([None if i % 7 == 0 else i % 5 for i in rows], pa.int8()),
            "c": pa.array([["x", "y<", None][i % 3] for i in rows]).dictionary_encode(),
            "d": pa.array([dt.date(2024, 1, 1 + i % 28) for i in rows]),
            "e": pa.array([i % 40 for i in rows]),
            "f": pa.array([f"text {i}" for i in rows]),
        }
    )
    path, losses = write(tmp_path, table, batch_rows=600)
    assert found(losses) == {}
    book = openpyxl.load_workbook(path, read_only=True)
    given = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    book.close()
    expected = zip(*(column.to_pylist() for column in table.columns), strict=True)
    assert [(*row[:3], row[3].date(), *row[4:]) for row in given] == list(expected)


@pytest.mark.parametrize("engine", ["openpyxl", "calamine"])
def test_pandas_reads_the_frame(engine: Any, tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": [1, 2, 3],
            "x": [0.5, None, 2.25],
            "t": ["a", "007", "=1"],
            "day": [dt.datetime(2024, 2, 29), dt.datetime(1999, 1, 1), NOON],
            "yes": [True, False, True],
        }
    )
    path, _ = write(tmp_path, table)
    frame = pd.read_excel(path, engine=engine)
    expected = table.to_pandas()
    expected["day"] = expected["day"].astype(frame["day"].dtype)
    pd.testing.assert_frame_equal(frame, expected)
