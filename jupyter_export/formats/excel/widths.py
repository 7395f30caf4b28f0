"""How wide columns have to be: what cells show, in widths of a digit.

A number or a date that does not fit is shown as ``###``; a text is cut off, or hangs over.
"""

from __future__ import annotations

import heapq
import math
import re
import unicodedata
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from . import serials

SAMPLE = 1_000
"""Rows whose texts are measured."""
GENERAL = 11
"""Characters of a number that Excel shows where no format is given."""
BOLD = 1.08
"""How much wider bold text is."""
_LONGEST_TEXTS = 20
_UNKNOWN_ROWS = 1_000
"""Of a sum, where nobody knows how many rows there are."""
_TODAY = 45_000.0
"""A date of these years as the number of its day."""
_PER_DAY = {"s": 86_400, "ms": 86_400e3, "us": 86_400e6, "ns": 86_400e9}

_LETTERS = {
    0.5: " !'(),-./:;I[]`fijlt{|}",
    0.8: '"JL\\crsxz',
    1.25: "&ADGHNOQU",
    1.5: "mw%",
    1.75: "@MW",
}
_WIDTH_OF = {ord(sign): width for width, signs in _LETTERS.items() for sign in signs}
"""Of the signs of a proportional font that are narrower or wider than a digit."""


def characters(text: str) -> float:
    """Return how many characters a text has; a Chinese one counts as two."""
    if text.isascii():
        return len(text)
    return sum(_room(sign) for sign in text)


def _room(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def extent(text: str) -> float:
    """Return how wide a line is in a proportional font, about, in widths of a digit."""
    return sum(_WIDTH_OF.get(ord(sign)) or _room(sign) for sign in text)


# ------------------------------------------------------------------ values


@dataclass(frozen=True)
class Reach:
    """The values that a column is expected to have; durations in days."""

    low: float
    high: float
    total: float
    """Their sum, about."""

    def of(self, function: str, rows: int | None) -> tuple[float, ...]:
        """Return what a total may come to."""
        if function in ("count", "count_numbers"):
            return (float(rows or _UNKNOWN_ROWS**2),)
        if function in ("sum", "product"):
            return (self.total, self.low, self.high)
        return (self.low, self.high)


def reach(column: pa.Array | None, rows: int | None) -> Reach | None:
    """Return the reach of numbers or durations, or None where there is no value.

    ``column``: the first values; ``rows``: how many there are in all, if that is known.
    """
    if column is None or len(column) == column.null_count:
        return None
    scale = 1.0
    if pa.types.is_duration(column.type):
        scale = _PER_DAY[column.type.unit]
        column = column.cast(pa.int64())
    values = pc.drop_null(column)
    if not pa.types.is_integer(column.type):
        values = pc.cast(values, pa.float64(), safe=False)
        values = pc.filter(values, pc.is_finite(values))
    if len(values) == 0:
        return None
    ends = pc.min_max(values).as_py()
    low, high = float(ends["min"]), float(ends["max"])
    times = 1.0 if rows is None else max(1.0, rows / len(column))
    if high > 0 and values[0].as_py() == ends["min"] and values[-1].as_py() == ends["max"]:
        # numbered rows: the numbers go on rising
        high *= times
    mean = float(pc.mean(values).as_py())
    count = _UNKNOWN_ROWS * len(column) if rows is None else max(rows, len(column))
    return Reach(low / scale, high / scale, mean * count / scale)


def content(kind: pa.DataType, column: pa.Array | None, found: Reach | None, shown: str) -> float:
    """Return how wide the widest of the first values is; ``shown`` is "" for General."""
    if serials.is_serial(kind):
        days = (found.low, found.high) if found is not None else (_TODAY,)
        return max(displayed(value, shown) for value in days)
    if column is None or len(column) == column.null_count:
        return 0
    if pa.types.is_boolean(kind):
        return len("FALSE")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        if found is None:
            return len("#DIV/0!")
        values = [found.low, found.high, 0.0] if shown else [found.low, found.high]
        wide = max(displayed(value, shown) for value in values)
        if not shown and not pa.types.is_integer(kind):
            plain = pc.cast(pc.cast(column.slice(0, SAMPLE), pa.float64(), safe=False), pa.string())
            longest = pc.max(pc.binary_length(plain)).as_py() or 0
            wide = max(wide, min(longest, GENERAL))
        return wide
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = pc.utf8_slice_codeunits(pc.drop_null(column.slice(0, SAMPLE)), 0, 200).to_pylist()
        lines = [line for text in texts for line in text.split("\n")]
        # capitals are wider than digits; what is narrower keeps some room for longer texts
        longest = heapq.nlargest(_LONGEST_TEXTS, lines, key=characters)
        return max((max(characters(line), extent(line)) for line in longest), default=0.0)
    # bytes and nested values
    return 20.0


# ------------------------------------------------------------------ number formats

_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_(.)|\*.|\[\$([^\]-]*)[^\]]*\]', re.DOTALL)
_IN_BRACKETS = re.compile(r"\[(?!h+\]|m+\]|s+\])[^\]]*\]", re.IGNORECASE)
_DATE_PART = re.compile(
    r"\[(?P<elapsed>[hms]+)\]|(?P<half>am/pm|a/p)|(?P<part>y+|m+|d+|h+|s+|e+|b+|g+)"
    r"|(?P<fraction>\.0+)|.",
    re.IGNORECASE | re.DOTALL,
)
_NAMES = {"mmmm": 9, "mmm": 3, "mmmmm": 1, "dddd": 9, "ddd": 3}
_IN_A_DAY = {"h": 24, "m": 1_440, "s": 86_400}


def displayed(value: float, number_format: str) -> float:
    """Return how wide a number is in an Excel number format (ECMA-376 part 1, 18.8.31).

    Dates and times are numbers of days; "" is General.
    """
    quoted = re.sub(r'"[^"]*"|\\.', lambda found: "x" * len(found[0]), number_format)
    cuts = [found.start() for found in re.finditer(";", quoted)]
    sections = [
        number_format[start:end]
        for start, end in zip(
            [0, *(cut + 1 for cut in cuts)], [*cuts, len(number_format)], strict=True
        )
    ]
    if re.search(r"\[[<>=]", number_format):
        # which section a condition chooses does not matter: the widest one
        return max(_section(abs(value), section) for section in sections) + (value < 0)
    if value < 0 and len(sections) > 1:
        return _section(-value, sections[1])
    if value == 0 and len(sections) > 2:
        return _section(0.0, sections[2])
    return _section(abs(value), sections[0]) + (value < 0)


def _section(value: float, section: str) -> float:
    literals = 0.0
    for found in _LITERAL.finditer(section):
        literals += sum(characters(text) for text in found.groups() if text)
    bare = _IN_BRACKETS.sub("", _LITERAL.sub("", section))
    if not bare:
        # "" alone is General; words alone are all that is shown
        return literals if section else _general(value)
    if re.search("general|@", bare, re.IGNORECASE):
        rest = re.sub("general|@", "", bare, flags=re.IGNORECASE)
        return literals + _general(value) + len(rest)
    if re.search("[ymdhsg]|e(?![-+])", bare, re.IGNORECASE):
        return literals + _date(value, bare)
    return literals + _number(value, bare)


def _general(value: float) -> float:
    digits = len(f"{value:.0f}")
    return float(min(digits, GENERAL))


def _date(value: float, bare: str) -> float:
    width = 0.0
    for found in _DATE_PART.finditer(bare):
        if found["elapsed"]:
            whole = math.floor(value * _IN_A_DAY[found["elapsed"][0].lower()] + 0.5)
            width += max(len(found["elapsed"]), len(str(whole)))
        elif found["half"]:
            width += 2 if len(found["half"]) > 3 else 1
        elif found["part"]:
            part = found["part"].lower()
            several = 4 if part[0] in "eb" or len(part) > 2 else 2
            width += _NAMES.get(part, several)
        else:
            width += len(found[0])
    return width


def _number(value: float, bare: str) -> float:
    least = re.split(r"[.eE]", bare)[0].count("0")
    bare = bare.replace("?", "0").replace("#", "0")
    # commas behind the last digit before the point: thousands, each
    thousands = re.search(r"0(,+)(?![0,])", bare)
    if thousands is not None:
        value /= 1_000 ** len(thousands[1])
        bare = bare[: thousands.start(1)] + bare[thousands.end(1) :]
    value *= 100 ** bare.count("%")
    if "/" in bare:
        return len(f"{value:.0f}") + len(bare) - 1
    if re.search("e[-+]", bare, re.IGNORECASE):
        return len(bare) + (abs(value) >= 1e100)
    whole, _, decimals = bare.partition(".")
    places = decimals.count("0")
    digits = max(len(f"{value:.{min(places, 15)}f}".partition(".")[0]), least)
    separators = (digits - 1) // 3 if "," in whole else 0
    others = len(re.sub("[0,]", "", whole)) + len(re.sub("0", "", decimals))
    return digits + separators + ("." in bare) + places + others
