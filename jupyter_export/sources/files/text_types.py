"""The types of columns that a text file (CSV, JSON) holds as text, found by looking at every value.

Each value belongs to a class of texts, and the classes that occur in a column decide its type. A
type is only taken when it keeps every value: 007, +49, 1e400 and 01/02/2013 stay text, integers
never pass through a double, and digits that a double would drop make a decimal or stay text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from ...engine import literal

_CLASSES = (
    "null",
    "empty",
    "positive",
    "negative",
    "large positive",
    "large negative",
    "unsigned",
    "huge",
    "double",
    "digits",
    "not finite",
    "true",
    "True",
    "TRUE",
    "date",
    "timestamp",
    "nanoseconds",
    "instant",
    "time",
    "text",
    "nested",
)
"""``empty``: a text of no length, which may stand for a null. ``large``: beyond 2^53, which a
double rounds. ``unsigned``: beyond 2^63. ``huge``: any other integer. ``digits``: a number that a
double does not keep. ``instant``: with its offset. ``nested``: a list or object of JSON."""
_BIT = {name: 1 << at for at, name in enumerate(_CLASSES)}
NULL_BIT = _BIT["null"]
NESTED_BIT = _BIT["nested"]
_NUMBER = r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)"
_EXPONENT = r"-?[0-9](?:\.[0-9]+[eE][+-]?[0-9]+|[eE][+-][0-9]+)"
_JSON_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_PLAIN = r"-?[0-9]*(?:\.[0-9]*)?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SECONDS = r":[0-5][0-9](?:\.[0-9]{1,6})?"
_MOMENT = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_CLOCK}"
_OFFSET = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_MOST_DIGITS = 38


def class_sql(value: str, *, numbers: bool = True, texts: bool = True) -> str:
    """Return SQL for the class (a number from 0) of the text expression ``value``.

    ``numbers`` False: what looks like a number is text, as in a JSON string. ``texts`` False: it
    is a number of JSON, in any notation.
    """

    def is_like(pattern: str) -> str:
        return f"regexp_full_match({value}, {literal(pattern)})"

    whole = f"try_cast({value} AS BIGINT)"
    double = f"try_cast({value} AS DOUBLE)"
    # so few digits that any double keeps them, or those of the shortest text of that double
    kept = (
        f"(length({value}) < 16 AND abs({double}) BETWEEN 1e-300 AND 1e300) "
        f"OR {double}::VARCHAR = {value} "
        f"OR {_digits(value)} = {_digits(f'{double}::VARCHAR')}"
    )
    sizes = (
        f"CASE WHEN {whole} >= 0 "
        f"THEN {class_number('positive')} + 2 * ({whole} > 9007199254740992)::INTEGER "
        f"ELSE {class_number('negative')} + 2 * ({whole} < -9007199254740992)::INTEGER END"
    )
    number = _cases(
        (f"try_cast({value} AS UBIGINT)::VARCHAR = {value}", "unsigned"),
        (is_like(f"-?[1-9][0-9]{{0,{_MOST_DIGITS - 1}}}"), "huge"),
        (kept, "double"),
        otherwise="digits",
    )
    word = _cases(
        (f"{value} IN ('true', 'false')", "true"),
        (f"{value} IN ('True', 'False')", "True"),
        (f"{value} IN ('TRUE', 'FALSE')", "TRUE"),
        (f"lower({value}) IN ('nan', 'inf', 'infinity')", "not finite"),
        otherwise="text",
    )
    clock = is_like(f"{_MOMENT}(?:{_SECONDS})?")
    instant = is_like(f"{_MOMENT}(?:{_SECONDS})?{_OFFSET}")
    nanoseconds = is_like(f"{_MOMENT}:[0-5][0-9][.][0-9]{{7,9}}")
    moment = _cases(
        (f"{clock} AND try_cast({value} AS TIMESTAMP) IS NOT NULL", "timestamp"),
        (f"{nanoseconds} AND try_cast({value} AS TIMESTAMP_NS) IS NOT NULL", "nanoseconds"),
        (f"{instant} AND try_cast({value} AS TIMESTAMPTZ) IS NOT NULL", "instant"),
        otherwise="text",
    )
    arms: list[tuple[str, str]] = [(f"{value} IS NULL", "null")]
    if texts and numbers:
        arms.append((f"{value} = ''", "empty"))
    if texts:
        # most texts are told by their first letter
        letter = f"left({value}, 1)"
        arms.append(
            (
                f"{letter} NOT BETWEEN '0' AND '9' AND {letter} NOT IN ('-', '.')",
                word if numbers else "text",
            )
        )
    if numbers:
        notation = f"{_NUMBER}|{_EXPONENT}" if texts else _JSON_NUMBER
        arms += [(f"{whole}::VARCHAR = {value}", sizes), (is_like(notation), number)]
    if texts:
        arms += [
            (f"length({value}) = 10 AND try_cast({value} AS DATE)::VARCHAR = {value}", "date"),
            (f"length({value}) > 15 AND substr({value}, 11, 1) IN ('T', ' ')", moment),
            (is_like(f"{_CLOCK}{_SECONDS}"), "time"),
        ]
        if numbers:
            arms.append((f"lower({value}) IN ('-nan', '-inf', '-infinity')", "not finite"))
    return _cases(*arms, otherwise="text")


def _cases(*arms: tuple[str, str], otherwise: str) -> str:
    """Return a CASE of (condition, name of a class or SQL)."""

    def shown(found: str) -> str:
        return str(class_number(found)) if found in _BIT else f"({found})"

    whens = " ".join(f"WHEN {test} THEN {shown(found)}" for test, found in arms)
    return f"CASE {whens} ELSE {shown(otherwise)} END"


def _digits(value: str) -> str:
    mantissa = f"split_part(lower({value}), 'e', 1)"
    return f"trim(replace(replace({mantissa}, '.', ''), '-', ''), '0')"


def mask_sql(kind: str) -> str:
    """Return SQL for the set of classes (of ``class_sql``) that occur, as bits of an integer."""
    return f"coalesce(bit_or(1::INTEGER << ({kind})), 0)"


def class_number(name: str) -> int:
    """Return the number of a class in ``class_sql``."""
    return _CLASSES.index(name)


@dataclass(frozen=True)
class Digits:
    """How long the numbers of a column are, and whether all are written without an exponent."""

    whole: int
    scale: int
    plain: bool

    def joined(self, other: Digits) -> Digits:
        return Digits(
            max(self.whole, other.whole),
            max(self.scale, other.scale),
            self.plain and other.plain,
        )


def digits_sql(value: str) -> str:
    """Return SQL for the fields of ``Digits``, three columns of an aggregate over ``value``."""
    bare = f"ltrim({value}, '-')"
    return (
        f"coalesce(max(length(split_part({bare}, '.', 1))), 0), "
        f"coalesce(max(length(split_part({bare}, '.', 2))), 0), "
        f"coalesce(bool_and(regexp_full_match({value}, {literal(_PLAIN)})), true)"
    )


def cast_sql(value: str, kind: str) -> str:
    """Return SQL for the text ``value`` as ``kind``, of ``type_of``; what is empty is null, unless
    it is a text."""
    return value if kind == "VARCHAR" else f"CAST(nullif({value}, '') AS {kind})"


def nanoseconds_sql(value: str) -> str:
    """Return SQL that tells whether all moments lie in the years that nanoseconds reach."""
    given = f"nullif({value}, '')"
    fits = f"bool_and({given} IS NULL OR try_cast({given} AS TIMESTAMP_NS) IS NOT NULL)"
    return f"coalesce({fits}, true)"


def type_of(mask: int, digits: Callable[[], Digits], nanoseconds: Callable[[], bool]) -> str:
    """Return the engine's type for a column with those classes of values.

    ``digits`` and ``nanoseconds`` (whether all moments lie between 1677 and 2262) are asked where
    the classes alone do not tell.
    """
    found = {name for name, bit in _BIT.items() if mask & bit} - {"null", "empty"}
    integers = {"positive", "negative", "large positive", "large negative"}
    if not found:
        return "VARCHAR"
    if found <= integers:
        return "BIGINT"
    if found <= {"positive", "large positive", "unsigned"}:
        return "UBIGINT"
    if found <= integers | {"unsigned", "huge"}:
        return f"DECIMAL({_MOST_DIGITS}, 0)"
    if found <= {"positive", "negative", "double", "not finite"} and found != {"not finite"}:
        return "DOUBLE"
    if found <= integers | {"unsigned", "huge", "double", "digits"}:
        known = digits()
        fits = known.plain and known.whole + known.scale <= _MOST_DIGITS
        return f"DECIMAL({_MOST_DIGITS}, {known.scale})" if fits else "VARCHAR"
    if len(found) == 1 and found <= {"true", "True", "TRUE"}:
        return "BOOLEAN"
    if found == {"date"}:
        return "DATE"
    if found <= {"date", "timestamp"}:
        return "TIMESTAMP"
    if found <= {"date", "timestamp", "nanoseconds"}:
        return "TIMESTAMP_NS" if nanoseconds() else "VARCHAR"
    if found == {"instant"}:
        return "TIMESTAMPTZ"
    return "TIME" if found == {"time"} else "VARCHAR"


def arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type in which the engine gives a column of ``type_of``."""
    if kind.startswith("DECIMAL"):
        return pa.decimal128(_MOST_DIGITS, int(kind[:-1].split(",")[1]))
    return {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "UBIGINT": pa.uint64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
        "TIMESTAMP_NS": pa.timestamp("ns"),
        "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
        "TIME": pa.time64("us"),
    }[kind]
