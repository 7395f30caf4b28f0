"""What JSON tells of the values that it changes: kinds and counts of cells."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import SourceFailed

from .json_files import write

MOMENTS = [0, 1, -1, 1_000, 1_000_000, None]
US = pa.array(MOMENTS, pa.timestamp("us"))
PARIS = pa.array(MOMENTS, pa.timestamp("us", "Europe/Paris"))
UTC = pa.array(MOMENTS, pa.timestamp("us", "UTC"))
LARGE = pa.array([2**53, 2**53 - 1, None, -(2**60), 5, 5])
ODD = pa.array([float("nan"), 1.5, None, float("inf"), float("nan"), 0.0])
BYTES = pa.array([b"a", None, b"", b"b", b"c", b"d"])
LISTS = pa.array([[1], None, [], [None], [2, 3], [4]])
DECIMALS = pa.array(
    [Decimal("123456789012345678.5"), None, Decimal("1.5"), Decimal(0), Decimal(1), Decimal(2)]
)
TEXTS = pa.array(["a", None, "", "b", None, None])

CASES: list[tuple[pa.Array, dict[str, Any], dict[str, int]]] = [
    (US, {}, {}),
    (US, {"date_format": "unix"}, {"time_precision": 3}),
    (US, {"date_format": "unix_ms"}, {"time_precision": 2}),
    (US, {"date_format": "%Y-%m-%d %H:%M:%S.%f"}, {}),
    (US, {"date_format": "%Y-%m-%d %H:%M:%S"}, {"time_precision": 3}),
    (US, {"date_format": "%Y-%m-%d"}, {"time_precision": 3, "time_part": 2}),
    (UTC, {"date_format": "unix_ms"}, {"time_precision": 2}),
    (PARIS, {}, {}),
    (PARIS, {"date_format": "unix"}, {"time_precision": 3, "time_zone": 5}),
    (LARGE, {}, {"integer_beyond_2_53": 2}),
    (LARGE, {"large_integers": "string"}, {}),
    (ODD, {}, {"not_a_number": 3}),
    (ODD, {"nan": "string"}, {}),
    (BYTES, {}, {"binary": 5}),
    (BYTES, {"nulls": "empty"}, {"binary": 5, "null_or_empty": 1}),
    (LISTS, {}, {}),
    (LISTS, {"arrays": "stringify"}, {"nested": 5}),
    (DECIMALS, {}, {"decimal_beyond_15_digits": 1}),
    (DECIMALS, {"decimals": "string"}, {}),
    (TEXTS, {}, {}),
    (TEXTS, {"nulls": "exclude"}, {}),
    (TEXTS, {"nulls": "empty"}, {"null_or_empty": 3}),
    (LARGE, {"nulls": "empty"}, {"integer_beyond_2_53": 2}),
]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "coded"])
@pytest.mark.parametrize(("values", "options", "expected"), CASES, ids=range(len(CASES)))
def test_counts_are_of_cells(
    tmp_path: Path,
    values: pa.Array,
    options: dict[str, Any],
    expected: dict[str, int],
    coded: bool,
    kind: str,
) -> None:
    if coded and not pa.types.is_nested(values.type):
        values = values.dictionary_encode()
    # four times the same, in batches that share their dictionary
    table = pa.table({"x": pa.chunked_array([values] * 4)})
    file = write(tmp_path, {"t": table}, kind, **options)
    assert sorted(file.lost) == sorted((None, k, "x", 4 * n) for k, n in expected.items())
    several = write(tmp_path, {"t": table, "u": table.slice(0, 6)}, kind, **options)
    assert sorted(several.lost) == sorted(
        [("t", k, "x", 4 * n) for k, n in expected.items()]
        + [("u", k, "x", n) for k, n in expected.items()]
    )
    for loss in file.losses:
        assert loss.option is None or loss.option.split("=")[0] in (
            *("date_format", "large_integers", "nan", "nulls", "arrays", "decimals", "format.type"),
        )
        assert loss.example is not None or loss.kind in ("binary", "null_or_empty")


def test_entries_of_one_key(tmp_path: Path) -> None:
    maps = pa.array([[("a", 1), ("a", 2)], None, [("a", 1), ("b", 2)], [("c", 1)] * 3],
                    pa.map_(pa.string(), pa.int64()))  # fmt: skip
    file = write(tmp_path, {"t": pa.table({"x": maps})})
    assert file.lost == [(None, "duplicate_key", "x", 3)]


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        (pa.month_day_nano_interval(), 1),
        (pa.list_view(pa.int8()), 1),
        (pa.struct([("a", pa.int8()), ("A", pa.int8())]), 1),
        (pa.list_(pa.duration("s")), 1),
        (pa.struct([("a", pa.binary())]), 1),
        (pa.struct([("a", pa.large_string()), ("b", pa.time64("ns"))]), 0),
        (pa.list_(pa.decimal128(38, 10)), 1),
        (pa.decimal128(38, 10), 0),
    ],
    ids=str,
)
def test_types_that_the_file_does_not_say(tmp_path: Path, kind: pa.DataType, lost: int) -> None:
    """They are told of the schema alone, so before any row and where there is none."""
    file = write(tmp_path, {"t": pa.table({"x": pa.array([], kind)})})
    assert file.lost == [(None, "type", "x", 0)] * lost
    for loss in file.losses:
        decimals = "decimal" in str(kind)
        assert loss.option == ("decimals=string" if decimals else "format.type=arrow")


def test_a_date_is_its_midnight(tmp_path: Path) -> None:
    days = pa.table({"x": [dt.date(2013, 1, 31), None, dt.date(1969, 12, 31)]})
    for how, shown in (
        ("unix", b"1359590400"),
        ("unix_ms", b"1359590400000"),
        ("%d.%m.%Y %H:%M", b'"31.01.2013 00:00"'),
    ):
        file = write(tmp_path, {"t": days}, date_format=how)
        assert shown in file.data
        assert file.lost == []


def test_a_moment_too_far_away_for_milliseconds(tmp_path: Path) -> None:
    table = pa.table({"far": pa.array([2**62], pa.timestamp("s"))})
    with pytest.raises(SourceFailed, match=r"“far” holds a moment that has more milliseconds"):
        write(tmp_path, {"t": table}, date_format="unix_ms")
    assert json.loads(write(tmp_path, {"t": table}, date_format="unix").data) == [{"far": 2**62}]
