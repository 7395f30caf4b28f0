"""Dates and times in a chosen format: the directives of strftime, for whole columns.

The directives are those of Python's ``strftime`` (and of C99 7.27.3.5), with English names
whatever the locale, and with ``%-d`` for a number without its zero. ``%S`` are whole seconds,
``%f`` six digits of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Part: TypeAlias = Literal["day", "clock", "micro", "zone"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SHORT_FOR = {
    "F": "%Y-%m-%d",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "R": "%H:%M",
    "r": "%I:%M:%S %p",
    "c": "%a %b %e %H:%M:%S %Y",
    "h": "%b",
    "n": "\n",
    "t": "\t",
}
_DAY = "YymdejaAbBuwUWVGgC"
_CLOCK = "HIMSp"
_NUMBERS = "ymdejHIMSUWV"
"""These may be written without their zero: %-d."""
_FIXED = "YymdjHIMSfeUWVGgCuw"
"""Directives that are digits."""


@dataclass(frozen=True)
class Directive:
    """One ``%``-letter; ``bare``: without zeros in front."""

    letter: str
    bare: bool = False

    @property
    def part(self) -> Part:
        if self.letter in _DAY:
            return "day"
        if self.letter in _CLOCK:
            return "clock"
        return "micro" if self.letter == "f" else "zone"


Token: TypeAlias = "str | Directive"


@cache
def tokens(pattern: str) -> tuple[Token, ...]:
    """Return the texts and directives of ``pattern``; raises ``ValueError`` with a sentence."""
    found: list[Token] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char != "%":
            end = pattern.find("%", at)
            end = len(pattern) if end < 0 else end
            _add_text(found, pattern[at:end])
            at = end
            continue
        bare = pattern[at + 1 : at + 2] == "-"
        letter = pattern[at + 1 + bare : at + 2 + bare]
        at += 2 + bare
        if letter == "%" and not bare:
            _add_text(found, "%")
        elif letter in _SHORT_FOR and not bare:
            for token in tokens(_SHORT_FOR[letter]):
                if isinstance(token, str):
                    _add_text(found, token)
                else:
                    found.append(token)
        elif letter and (letter in _NUMBERS or (letter in _DAY + _CLOCK + "fzZ" and not bare)):
            found.append(Directive(letter, bare))
        elif not letter:
            raise ValueError("it ends with a % that has no letter; write %% for a percent sign")
        else:
            raise ValueError(
                f"%{'-' * bare}{letter} is no directive of strftime that is known here; those are "
                f"%{' %'.join(sorted(set(_DAY + _CLOCK + 'fzZ') | set(_SHORT_FOR), key=str.lower))}"
            )
    return tuple(found)


def _add_text(found: list[Token], text: str) -> None:
    if found and isinstance(found[-1], str):
        text = found.pop() + text  # type: ignore[operator]
    found.append(text)


def check(pattern: str, of: Literal["date", "time", "timestamp"]) -> str:
    """Return ``pattern`` if values of that kind can be written so, or raise ``ValueError``."""
    directives = [token for token in tokens(pattern) if isinstance(token, Directive)]
    if not directives:
        raise ValueError("it holds no directive such as " + ("%H" if of == "time" else "%Y"))
    foreign = {
        "date": ("clock", "micro", "zone"),
        "time": ("day", "zone"),
        "timestamp": (),
    }[of]
    for each in directives:
        if each.part in foreign:
            lacking = "no clock" if of == "date" else "neither day nor zone"
            raise ValueError(f"%{each.letter} has no meaning in it: a {of} has {lacking}")
    return pattern


# ------------------------------------------------------------------ words


def segments(pattern: str) -> list[tuple[Part, list[Token]]]:
    """Return the pattern cut where the part of the value changes; texts stay with what is before
    them."""
    out: list[tuple[Part, list[Token]]] = []
    waiting: list[Token] = []
    for token in tokens(pattern):
        if isinstance(token, str):
            if out and out[-1][0] in ("day", "clock"):
                out[-1][1].append(token)
            else:
                waiting.append(token)
        elif out and out[-1][0] == token.part and token.part in ("day", "clock") and not waiting:
            out[-1][1].append(token)
        elif token.part in ("day", "clock"):
            out.append((token.part, [*waiting, token]))
            waiting = []
        else:
            if waiting:
                out.append((token.part, waiting))
                waiting = []
            out.append((token.part, [token]))
    if waiting:
        out.append(("micro", waiting))
    return out


def day_words(days: Numbers, parts: Sequence[Token]) -> pa.Array:
    """Return the text of each day (days since 1970, of the years 0 to 9999)."""
    civil = _Civil(days)
    return _joined([p if isinstance(p, str) else civil.word(p) for p in parts], len(days))


def day_cells(days: Numbers, parts: Sequence[Token]) -> pa.Array:
    """Return the same as ``day_words``; each day that occurs again and again is written once."""
    if not len(days):
        return pa.array([], pa.string())
    low, high = int(days.min()), int(days.max())
    if (high - low) * 2 < len(days):
        words = day_words(np.arange(low, high + 1), parts)
        return pc.take(words, pa.array(days - low))
    few = pa.array(days).dictionary_encode()
    if len(few.dictionary) * 2 > len(days):
        return day_words(days, parts)
    return pc.take(day_words(few.dictionary.to_numpy(), parts), few.indices)


def clock_cells(seconds: Numbers, parts: Sequence[Token]) -> pa.Array:
    """Return the text of each second of the day, from a table of them."""
    letters = {p.letter for p in parts if isinstance(p, Directive)}
    step = 1 if "S" in letters else 60 if "M" in letters else 3600
    return pc.take(_clock_words(tuple(parts), step), pa.array(seconds // step))


@cache
def _clock_words(parts: tuple[Token, ...], step: int) -> pa.Array:
    seconds = np.arange(0, 86_400, step)
    words = [p if isinstance(p, str) else _clock_word(p, seconds) for p in parts]
    return _joined(words, len(seconds))


def _clock_word(directive: Directive, seconds: Numbers) -> pa.Array:
    hours = seconds // 3600
    if directive.letter == "p":
        return pc.take(pa.array(["AM", "PM"]), pa.array(hours // 12))
    number = {
        "H": hours,
        "I": (hours + 11) % 12 + 1,
        "M": seconds // 60 % 60,
        "S": seconds % 60,
    }[directive.letter]
    return _padded(number, 2, directive.bare)


def micro_cells(micros: Numbers) -> list[pa.Array]:
    """Return two columns, milliseconds and the microseconds behind them, of three digits each."""
    high, low = np.divmod(micros, 1000)
    return [_padded(high, 3, False), _padded(low, 3, False)]


def _joined(parts: Sequence[Any], length: int) -> pa.Array:
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]
    return pc.binary_join_element_wise(*parts, "") if length else pa.array([], pa.string())


def _padded(numbers: Numbers, width: int, bare: bool, fill: str = "0") -> pa.Array:
    return pc.take(_table(width, "" if bare else fill), pa.array(numbers))


@cache
def _table(width: int, fill: str) -> pa.Array:
    shown = map(str, range(10**width))
    return pa.array([s.rjust(width, fill) if fill else s for s in shown], pa.string())


class _Civil:
    """Days since 1970 as years, months, days and weeks of the Gregorian calendar."""

    def __init__(self, days: Numbers) -> None:
        self._days = days
        moments = days.astype("M8[D]")
        months = moments.astype("M8[M]")
        self.month = months.astype(np.int64) % 12
        self.year = moments.astype("M8[Y]").astype(np.int64) + 1970
        self.day = (moments - months).astype(np.int64) + 1
        self._new_year = moments.astype("M8[Y]").astype("M8[D]").astype(np.int64)

    def word(self, directive: Directive) -> pa.Array:
        letter, bare = directive.letter, directive.bare
        if letter in _NAMES:
            names, number = _NAMES[letter]
            return pc.take(pa.array(names), pa.array(number(self)))
        width, fill, number = _FIGURES[letter]
        return _padded(number(self), width, bare, fill)

    @property
    def weekday(self) -> Numbers:
        """0 is Monday; 1970 began with a Thursday."""
        return (self._days + 3) % 7

    @property
    def day_of_year(self) -> Numbers:
        return self._days - self._new_year

    @property
    def iso_year(self) -> Numbers:
        """The year of the week's Thursday (ISO 8601, 3.1.1.23)."""
        return self._thursday.astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970

    @property
    def iso_week(self) -> Numbers:
        first = self._thursday.astype("M8[D]").astype("M8[Y]").astype("M8[D]").astype(np.int64)
        return (self._thursday - first) // 7 + 1

    @property
    def _thursday(self) -> Numbers:
        return self._days - self.weekday + 3


_Number: TypeAlias = Callable[[_Civil], Numbers]
_NAMES: dict[str, tuple[tuple[str, ...], _Number]] = {
    "a": (tuple(n[:3] for n in _WEEKDAYS), lambda c: c.weekday),
    "A": (_WEEKDAYS, lambda c: c.weekday),
    "b": (tuple(n[:3] for n in _MONTHS), lambda c: c.month),
    "B": (_MONTHS, lambda c: c.month),
}
_FIGURES: dict[str, tuple[int, str, _Number]] = {
    "Y": (4, "0", lambda c: c.year),
    "y": (2, "0", lambda c: c.year % 100),
    "C": (2, "0", lambda c: c.year // 100),
    "m": (2, "0", lambda c: c.month + 1),
    "d": (2, "0", lambda c: c.day),
    "e": (2, " ", lambda c: c.day),
    "j": (3, "0", lambda c: c.day_of_year + 1),
    "u": (1, "0", lambda c: c.weekday + 1),
    "w": (1, "0", lambda c: (c.weekday + 1) % 7),
    "U": (2, "0", lambda c: (c.day_of_year + 7 - (c.weekday + 1) % 7) // 7),
    "W": (2, "0", lambda c: (c.day_of_year + 7 - c.weekday) // 7),
    "V": (2, "0", lambda c: c.iso_week),
    "G": (4, "0", lambda c: c.iso_year),
    "g": (2, "0", lambda c: c.iso_year % 100),
}

# ------------------------------------------------------------------ what a format keeps

_DAYS_KEPT = ({"Y", "m", "d"}, {"Y", "j"}, {"G", "V", "u"})


def letters(pattern: str) -> set[str]:
    """Return the directives, each month as ``m`` and each day of the month as ``d``."""
    same = {"b": "m", "B": "m", "e": "d"}
    return {same.get(t.letter, t.letter) for t in tokens(pattern) if isinstance(t, Directive)}


def day_kept(pattern: str) -> Literal["all", "two digits", "none"]:
    """Tell whether the day can be read back; ``two digits``: if its year is in 1969 to 2068,
    as POSIX has it for %y."""
    have = letters(pattern)
    if any(wanted <= have for wanted in _DAYS_KEPT) and "y" not in have:
        return "all"
    if any((wanted - {"Y"}) | {"y"} <= have for wanted in _DAYS_KEPT[:2]):
        return "two digits"
    return "none"


def hours_kept(pattern: str) -> Literal["all", "twelve", "none"]:
    have = letters(pattern)
    if "I" in have:
        return "all" if "p" in have else "twelve"
    return "all" if "H" in have else "none"


def readable(pattern: str, *, zoned: bool) -> bool:
    """Tell whether ``strptime`` of Python reads what the pattern writes (whatever that keeps)."""
    found = [t.letter for t in tokens(pattern) if isinstance(t, Directive)]
    found = [letter for letter in found if zoned or letter not in "zZ"]
    if _runs_together(pattern) or len(found) != len(set(found)) or set("CgZ") & set(found):
        return False
    if set("GV") & set(found):
        # with an ISO year it takes a week and a weekday, and neither without the others
        return {"G", "V"} <= set(found) and bool(set("uwaA") & set(found)) and "j" not in found
    return bool(found)


def _runs_together(pattern: str) -> bool:
    """Tell whether a number without its zero stands directly before other digits: %-d%m."""
    found = tokens(pattern)
    for first, second in pairwise(found):
        if not (isinstance(first, Directive) and first.bare):
            continue
        if isinstance(second, Directive) and second.letter in _FIXED:
            return True
        if isinstance(second, str) and re.match(r"\d", second):
            return True
    return False
