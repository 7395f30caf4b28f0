"""``time_bucket``: how wide, and where the days begin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from ..errors import InvalidSpec, did_you_mean
from .values import MOMENTS, Kind, Value

BEGIN = datetime(2000, 1, 3)  # noqa: DTZ001 - in the zone that is asked for
"""A Monday: weeks, and all stretches of a fixed width, are counted from it."""
BEGIN_OF_MONTHS = datetime(2000, 1, 1)  # noqa: DTZ001 - likewise
_FIXED = {
    "microsecond": timedelta(microseconds=1),
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}
_SHORT = {"us": "microsecond", "ms": "millisecond", "s": "second", "sec": "second",
          "min": "minute", "h": "hour", "hr": "hour", "d": "day", "w": "week", "mon": "month",
          "q": "quarter", "y": "year", "yr": "year", "centurie": "century"}  # fmt: skip
_HINT = "Write a number and a unit: 15 minutes, 1 hour, 1 day, 1 week, 3 months, 1 year."
_WIDEST = 1_000_000


@dataclass(frozen=True)
class Width:
    """Either months, or microseconds."""

    months: int = 0
    microseconds: int = 0

    @property
    def within_an_hour(self) -> bool:
        return bool(self.microseconds) and 3_600_000_000 % self.microseconds == 0

    @property
    def whole_days(self) -> bool:
        return self.microseconds % 86_400_000_000 == 0


def width_of(text: str, field: str) -> Width:
    """Read ``15 minutes``, ``1 day``, ``3 months``, or a unit alone. Raises ``InvalidSpec``."""
    found = re.fullmatch(r"\s*(\d{1,9})?\s*([A-Za-zµ]+)\s*", text)
    if found is None:
        raise InvalidSpec(f"“{text}” is not the width of a time bucket.", hint=_HINT, field=field)
    count = int(found[1] or 1)
    unit = unit_of(found[2])
    if unit is None:
        known = [f"{each}s" for each in (*_FIXED, *_MONTHS)]
        hint = did_you_mean(found[2], known)
        raise InvalidSpec(
            f"“{text}” is not the width of a time bucket: “{found[2]}” is no unit of time.",
            hint=hint if hint.startswith("Did") else _HINT,
            field=field,
        )
    if count == 0:
        raise InvalidSpec("A time bucket cannot be 0 wide.", hint=_HINT, field=field)
    if unit in _MONTHS:
        width = Width(months=count * _MONTHS[unit])
        wide = width.months > 12 * 10_000
    else:
        width = Width(microseconds=count * (_FIXED[unit] // timedelta(microseconds=1)))
        wide = width.microseconds > 86_400_000_000 * _WIDEST
    if wide:
        raise InvalidSpec(f"A time bucket of “{text}” is too wide.", hint=_HINT, field=field)
    return width


def unit_of(word: str) -> str | None:
    """Return the unit of time that a word names: ``days``, ``h`` and ``Minute`` are known."""
    word = word.lower()
    for each in (word, word.removesuffix("s")):
        each = _SHORT.get(each, each)
        if each in _FIXED or each in _MONTHS:
            return each
    return None


def interval_of(count: int, unit: str) -> Width:
    """Return a count of units, which may be negative."""
    if unit in _MONTHS:
        return Width(months=count * _MONTHS[unit])
    return Width(microseconds=count * (_FIXED[unit] // timedelta(microseconds=1)))


def check_zone(zone: str, field: str) -> str:
    """Return the name of a time zone as it is written. Raises ``InvalidSpec``."""
    known = zones()
    found = known.get(zone.casefold())
    if found is None:
        close = did_you_mean(zone, known.values())
        raise InvalidSpec(
            f"“{zone}” is not a known time zone.",
            hint=close if close.startswith("Did") else "Give one such as Europe/Paris or UTC.",
            field=field,
        )
    return found


@cache
def zones() -> dict[str, str]:
    """Return the names of all time zones by their lower case."""
    return {each.casefold(): each for each in sorted(available_timezones()) if _plain(each)}


def _plain(name: str) -> bool:
    # folders and files that are no zone for a database
    return not name.startswith(("posix/", "right/")) and name not in ("localtime", "Factory")


def check_bucket(value: Value, width: Width, zone: str | None, field: str) -> None:
    """Refuse a bucket of what has no time, or no hours. Raises ``InvalidSpec``."""
    if value.kind not in MOMENTS:
        raise InvalidSpec(
            f"{value.described}; a time bucket needs dates or timestamps.", field=field
        )
    if value.kind is Kind.DATE and not width.whole_days:
        raise InvalidSpec(
            f"{value.described}, which have no hours; a bucket of less than a day needs "
            "timestamps.",
            hint="Write 1 day or more.",
            field=field,
        )
    if value.kind is Kind.DATE and zone is not None:
        raise InvalidSpec(
            f"{value.described}, and a day is the same in every time zone.",
            hint="Leave time_zone out.",
            field=field,
        )
