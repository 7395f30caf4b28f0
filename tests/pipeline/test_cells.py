"""Cells in a chosen appearance, against Python's own decimal and strftime."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_export.errors import SourceFailed
from jupyter_export.formats import cells, coded, strftime
from jupyter_export.formats.cells import Style
from jupyter_export.losses import Loss, LossLedger

quick = settings(deadline=None, max_examples=50)


def shown(column: pa.Array, **style: Any) -> tuple[list[str | None], dict[str, int | None]]:
    losses = LossLedger()
    out = cells.text(column, "x", Style(**style), losses)
    out.validate(full=True)
    return out.to_pylist(), {loss.kind: loss.count for loss in losses}


# ------------------------------------------------------------------ numbers


def fixed(value: Decimal, digits: int) -> str:
    """Half away from zero; a zero keeps no sign that it did not have."""
    step = Decimal(1).scaleb(-digits)
    context = decimal.Context(prec=500, rounding=decimal.ROUND_HALF_UP)
    rounded = value.quantize(step, context=context)
    return f"{abs(rounded) if rounded == 0 != value else rounded:f}"


HALVES = st.builds(lambda n, d: n / 10**d, st.integers(-(10**7), 10**7), st.integers(0, 8))


@quick
@given(st.lists(st.one_of(st.none(), st.floats(), HALVES), min_size=1), st.integers(0, 15))
@example([2.675, 1.005, 0.285, 0.29, -0.001, -0.0, 1e300, 2.0**63, 5e-324, 0.5, 1.5], 2)
@example([0.1 + 0.2, 9.999999999999999, 123456789.987654321], 15)
def test_floats_are_rounded_as_their_shortest_text(values: list[Any], digits: int) -> None:
    found, lost = shown(pa.array(values, pa.float64()), digits=digits)
    changed = 0
    for value, cell in zip(values, found, strict=True):
        if value is None:
            assert cell is None
        elif not math.isfinite(value):
            assert cell == str(value)
        else:
            assert cell == fixed(Decimal(repr(value)), digits), value
            changed += Decimal(cell) != Decimal(repr(value))
    assert lost == ({"rounded": changed} if changed else {})


@quick
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_single_floats_are_rounded_as_their_own_shortest_text(values: list[float]) -> None:
    found, _ = shown(pa.array(values, pa.float32()), digits=2)
    assert found == [fixed(Decimal(str(np.float32(value))), 2) for value in values]


@quick
@given(
    st.sampled_from([(9, 0), (9, 3), (38, 2), (38, 38), (76, 30), (76, 76), (76, 75)]),
    st.integers(0, 15),
    st.data(),
)
def test_decimals_are_rounded_alike(shape: tuple[int, int], digits: int, data: Any) -> None:
    most = 10 ** shape[0] - 1
    numbers = data.draw(st.lists(st.integers(-most, most), min_size=1))
    context = decimal.Context(prec=100)
    values = [Decimal(n).scaleb(-shape[1], context) for n in numbers]
    kind = (pa.decimal128 if shape[0] <= 38 else pa.decimal256)(*shape)
    found, lost = shown(pa.array([*values, None], kind), digits=digits)
    assert found == [*(fixed(value, digits) for value in values), None]
    changed = sum(Decimal(fixed(v, digits)) != v for v in values)
    assert lost == ({"rounded": changed} if changed else {})


@quick
@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(-2000, 2000))),
    st.sampled_from([",", ".", " ", "’", "\u202f"]),
)
def test_groups_of_three(values: list[int | None], separator: str) -> None:
    found, _ = shown(pa.array(values, pa.int64()), thousands_separator=separator)
    assert found == [None if v is None else f"{v:,}".replace(",", separator) for v in values]


@quick
@given(st.lists(st.one_of(st.none(), st.floats(-1e12, 1e12))), st.integers(0, 6))
def test_groups_and_fractions(values: list[float | None], digits: int) -> None:
    column = pa.array(values, pa.float64())
    found, _ = shown(
        column.slice(1),
        digits=digits,
        thousands_separator=".",
        decimal_separator=",",
    )
    swap = str.maketrans(",.", ".,")
    expected = [None if v is None else fixed(Decimal(repr(v)), digits) for v in values[1:]]
    assert found == [None if e is None else f"{Decimal(e):,f}".translate(swap) for e in expected]


def test_an_exponent_has_no_groups() -> None:
    values = pa.array([1e20, -1e-7, 1234.5, math.inf, -math.inf, math.nan, None, -999.0])
    found, _ = shown(values, thousands_separator=",")
    assert found == ["1e+20", "-1e-7", "1,234.5", "inf", "-inf", "nan", None, "-999.0"]


# ------------------------------------------------------------------ dates and times

MOMENT = dt.datetime(2013, 1, 31, 13, 5, 7, 250)  # noqa: DTZ001
MIDNIGHT = dt.datetime(2013, 1, 1)  # noqa: DTZ001
YEAR_1000 = dt.datetime(1000, 1, 2)  # noqa: DTZ001

DAYS = "%Y-%m-%d|%d.%m.%y|%j %a %A %b %B|%u %w %U %W|%V %G|%-d/%-m/%-j|100%% %F %D %e %h%n%t"
CLOCKS = "%H:%M:%S|%I:%M %p|%H|%S%M|%T.%f|%R|%-I:%-M:%-S %p|%f %f"


@quick
@given(st.lists(st.one_of(st.none(), st.dates(dt.date(1000, 1, 1))), min_size=1))
@pytest.mark.parametrize("pattern", DAYS.split("|"))
def test_dates(pattern: str, values: list[dt.date | None]) -> None:
    expected = [value and value.strftime(pattern) for value in values]
    found, _ = shown(pa.array(values, pa.date32()), date_format=pattern)
    assert found == expected
    many = pa.array(values * 50, pa.date32()).slice(len(values))
    assert shown(many, date_format=pattern)[0] == expected * 49


@quick
@given(st.lists(st.one_of(st.none(), st.times()), min_size=1))
@pytest.mark.parametrize("pattern", CLOCKS.split("|"))
def test_times(pattern: str, values: list[dt.time | None]) -> None:
    found, _ = shown(pa.array(values, pa.time64("us")), time_format=pattern)
    assert found == [value and value.strftime(pattern) for value in values]


@quick
@given(st.lists(st.one_of(st.none(), st.datetimes(YEAR_1000)), min_size=1))
@pytest.mark.parametrize(
    "pattern", [*DAYS.split("|"), *CLOCKS.split("|"), "%c %x %X", "%F %T.%f", "%f on %A%z%Z.", "%r"]
)
def test_timestamps(pattern: str, values: list[dt.datetime | None]) -> None:
    found, _ = shown(pa.array(values, pa.timestamp("us")), timestamp_format=pattern)
    # the C library has no %h, %D, %r of its own everywhere: names are English here as there
    assert found == [value and value.strftime(pattern) for value in values]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"])
def test_zones(zone: str) -> None:
    pattern = "%d.%m.%Y %H:%M:%S %z %Z"
    moments = [dt.datetime.fromtimestamp(n * 7_654_321, ZoneInfo(zone)) for n in range(200)]
    found, lost = shown(
        pa.array([*moments, None], pa.timestamp("s", zone)), timestamp_format=pattern
    )
    assert found == [*(moment.strftime(pattern) for moment in moments), None]
    assert "time_zone" not in lost


def test_years_before_the_thousandth_have_four_digits() -> None:
    assert shown(pa.array([dt.date(1, 2, 3)]), date_format="%Y%m%d")[0] == ["00010203"]
    with pytest.raises(SourceFailed, match="“x” holds a date outside the years"):
        shown(pa.array([253_402_300_800], pa.timestamp("s")), timestamp_format="%Y")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_end_of_a_day(unit: str) -> None:
    kind: Any = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]

    def times(*ticks: int | None) -> pa.Array:
        return pa.array(ticks, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)

    day = times(3600 * second, 86_400 * second, None)
    assert shown(day) == (["01:00:00", "24:00:00", None], {"type": 1})
    assert shown(day.slice(1, 1)) == (["24:00:00"], {"type": 1})
    assert shown(day.dictionary_encode()) == (["01:00:00", "24:00:00", None], {"type": 1})
    if unit != "s":
        fine = shown(times(1, 86_400 * second))[0]
        assert [text and text[:8] for text in fine] == ["00:00:00", "24:00:00"]
    with pytest.raises(SourceFailed, match="“x” holds 24:00:00, which a time_format cannot show"):
        shown(day, time_format="%H:%M")
    for ticks in (-1, 86_400 * second + 1):
        with pytest.raises(SourceFailed, match="“x” holds a time that is not between 00:00:00 and"):
            shown(times(ticks))


@pytest.mark.parametrize(
    ("column", "style", "lost"),
    [
        (pa.array([MOMENT.date(), None]), {"date_format": "%d.%m.%Y"}, {}),
        (pa.array([MOMENT.date(), None]), {"date_format": "%d.%m."}, {"time_part": 1}),
        (pa.array([dt.date(1968, 1, 1), dt.date(1970, 1, 1)]), {"date_format": "%D"},
         {"time_part": 1}),
        (pa.array([MOMENT.date()]), {"date_format": "%-d%-m%Y"}, {"type": 1}),
        (pa.array([MOMENT, MIDNIGHT, None]), {"timestamp_format": "%d.%m.%Y"},
         {"time_part": 1, "time_precision": 1}),
        (pa.array([MOMENT]), {"timestamp_format": "%F %T"}, {"time_precision": 1}),
        (pa.array([MOMENT]), {"timestamp_format": "%F %I:%M:%S.%f"}, {"time_part": 1}),
        (pa.array([MOMENT]), {"timestamp_format": "%F %T.%f"}, {}),
        (pa.array([1, 1000], pa.timestamp("ns")), {"timestamp_format": "%F %T.%f"},
         {"time_precision": 1}),
        (pa.array([MOMENT, None], pa.timestamp("us", "UTC")), {"timestamp_format": "%F %T.%f"},
         {"time_zone": 1}),
        (pa.array([MOMENT], pa.timestamp("us", "UTC")), {"timestamp_format": "%F %T.%f%z"}, {}),
        (pa.array([dt.time(1, 2), dt.time(1, 2, 3)]), {"time_format": "%H:%M"}, {"time_part": 1}),
    ],
)  # fmt: skip
def test_what_a_format_drops(column: pa.Array, style: dict[str, str], lost: dict[str, int]) -> None:
    assert shown(column, **style)[1] == lost


@pytest.mark.parametrize(
    ("pattern", "of", "word"),
    [
        ("%", "date", "ends with a %"),
        ("%-", "date", "ends with a %"),
        ("%Q", "date", "%Q is no directive"),
        ("%-A", "date", "%-A is no directive"),
        ("%-%", "date", "%-% is no directive"),
        ("x", "time", "no directive such as %H"),
        ("%c", "date", "a date has no clock"),
        ("%F", "time", "a time has neither day nor zone"),
    ],
)
def test_formats_that_mean_nothing(pattern: str, of: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        strftime.check(pattern, of)


@quick
@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1))
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations(unit: str, values: list[int | None]) -> None:
    per = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    for value, cell in zip(values, shown(pa.array(values, pa.duration(unit)))[0], strict=True):
        if value is None or cell is None:
            assert value is cell is None
            continue
        assert cell.lstrip("-").startswith("PT")
        assert not cell.endswith((".S", "0S")) or "." not in cell
        assert Decimal(cell.replace("PT", "").rstrip("S")) == Decimal(value).scaleb(-per)


def test_booleans() -> None:
    assert shown(pa.array([True, None, False]), booleans=("ja", "nein"))[0] == ["ja", None, "nein"]


# ------------------------------------------------------------------ counting


def test_losses_of_coded_columns_are_cells() -> None:
    losses = LossLedger()
    outer = coded.counting(losses, pa.array([0, 0, 2, None, 0]), 3)
    assert coded.count(outer, np.array([True, True, False])) == 3
    assert coded.count(outer, pa.array([None, True, True])) == 1
    inner = coded.inside(outer, [2, 5, 1])
    assert coded.count(inner, np.array([True, False] + [True] * 5 + [True])) == 4
    nested = coded.counting(outer, pa.array([1, None, 0]), 2)
    assert coded.count(nested, np.array([False, True])) == 3
    outer.add(Loss("rounded", "x", 0, ""))
    assert len(losses) == 0
    outer.add(Loss("rounded", "x", 2, ""))
    assert [loss.count for loss in losses] == [2]
    assert coded.count(losses, pa.array([True, None, True])) == 2
    assert coded.inside(losses, [1]) is losses
