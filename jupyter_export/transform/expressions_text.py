"""Functions of text. Positions and lengths count code points, from 1."""

from __future__ import annotations

import re

import sqlalchemy as sa

from . import regex
from .condition import checked
from .functions import Build, Function, Reader, known_count, known_value
from .values import BIGINT, BOOLEAN, TEXT, Clause, Value

LONGEST = 10_000
"""Code points that lpad and rpad fill up to, at most."""


def _alike(in_sql: str, *, gives: str = "text") -> Build:
    """A function of texts alone that both have, by that name."""
    type_ = {"text": TEXT, "number": BIGINT}[gives]

    def build(reader: Reader, name: str, given: list[Value]) -> Value:
        texts = [reader.text_of(each, name) for each in given]
        made = getattr(sa.func, in_sql)(*(each.clause for each in texts))
        if gives == "number":
            made = sa.cast(made, sa.BigInteger())
        return reader.made(made, type_, *texts)

    return build


def _upper(reader: Reader, name: str, given: list[Value]) -> Value:
    text = reader.text_of(given[0], name)
    return reader.made(reader.full.upper(text.clause), TEXT, text)


def _trimmed(in_sql: str) -> Build:
    """Only blanks go, unless other characters are named."""

    def build(reader: Reader, name: str, given: list[Value]) -> Value:
        text = reader.text_of(given[0], name)
        chars = reader.text_of(given[1], name) if len(given) > 1 else None
        bound = chars.clause if chars is not None else reader.bind(" ", TEXT)
        called = "trim" if in_sql == "btrim" and reader.is_engine else in_sql
        made = getattr(sa.func, called)(text.clause, bound)
        return reader.made(made, TEXT, text, *([chars] if chars else []))

    return build


def _part(name: str) -> Build:
    def build(reader: Reader, _: str, given: list[Value]) -> Value:
        text, part = (reader.text_of(each, name) for each in given)
        made = getattr(reader.full, name)(text, part)
        return reader.made(made, BOOLEAN, text, part, times=2)

    return build


def _count(reader: Reader, value: Value, name: str, least: int) -> Value:
    """Return a count as the INTEGER that PostgreSQL wants, ``least`` at least."""
    if isinstance(value.constant, int):
        known = min(max(value.constant, least), 2**31 - 1)
        return Value(sa.cast(reader.bind(known, BIGINT), sa.Integer()), BIGINT)
    number = reader.integer_of(value, name)
    made: Clause = sa.func.greatest(number.clause, reader.bind(least, BIGINT))
    made = sa.case((number.clause.is_(None), sa.null()), else_=made)
    return reader.made(sa.cast(made, sa.Integer()), BIGINT, number, times=2)


def _substring(reader: Reader, name: str, given: list[Value]) -> Value:
    """What stands before the first character, or a length below zero, is nothing."""
    text = reader.text_of(given[0], name)
    counts = [_count(reader, given[1], name, 1)]
    if isinstance(given[1].constant, int) and given[1].constant < 1:
        raise reader.wrong(f"starts “{name}” before the first character", "Count from 1.")
    if len(given) > 2:
        counts.append(_count(reader, given[2], name, 0))
    made = sa.func.substr(text.clause, *(each.clause for each in counts))
    return reader.made(made, TEXT, text, *counts)


def _end(reader: Reader, name: str, given: list[Value]) -> Value:
    """left and right; a negative number leaves out so many at the other end."""
    text, number = reader.text_of(given[0], name), _count(reader, given[1], name, 1 - 2**31)
    made = getattr(sa.func, name)(text.clause, number.clause)
    return reader.made(made, TEXT, text, number)


def _padded(reader: Reader, name: str, given: list[Value]) -> Value:
    text = reader.text_of(given[0], name)
    count = known_count(reader, given[1], name, 0, LONGEST)
    fill = known_value(reader, given[2], name) if len(given) > 2 else " "
    if not fill:
        raise reader.wrong(f"gives “{name}” nothing to fill with")
    length = sa.cast(reader.bind(count, BIGINT), sa.Integer())
    made = getattr(sa.func, name)(text.clause, length, reader.bind(fill, TEXT))
    return reader.made(made, TEXT, text)


def _split(reader: Reader, name: str, given: list[Value]) -> Value:
    text = reader.text_of(given[0], name)
    between = known_value(reader, given[1], name)
    number = given[2].constant
    if not between or not isinstance(number, int) or number == 0 or abs(number) > 1_000_000:
        raise reader.wrong(
            f"needs a separator and a number other than 0 in “{name}”",
            "Write it as split_part(name, ',', 1).",
        )
    made = sa.func.split_part(
        text.clause, reader.bind(between, TEXT), sa.cast(reader.bind(number, BIGINT), sa.Integer())
    )
    return reader.made(made, TEXT, text)


def _reversed(reader: Reader, name: str, given: list[Value]) -> Value:
    text = reader.text_of(given[0], name)
    return reader.made(reader.full.backwards(text.clause), TEXT, text)


def _concat(reader: Reader, name: str, given: list[Value]) -> Value:
    """Nulls are left out, as by ``concat`` of both; any value has a text."""
    texts = [reader.full.text(reader.plain(each)) for each in given]
    return reader.made(sa.func.concat(*(each.clause for each in texts)), TEXT, *texts)


def _concat_ws(reader: Reader, name: str, given: list[Value]) -> Value:
    between = reader.text_of(given[0], name)
    texts = [reader.full.text(reader.plain(each)) for each in given[1:]]
    made = sa.func.concat_ws(between.clause, *(each.clause for each in texts))
    return reader.made(made, TEXT, between, *texts)


# ------------------------------------------------------------------ regular expressions


def _options(reader: Reader, given: list[Value], at: int, name: str, known: str) -> str:
    options = known_value(reader, given[at], name) if len(given) > at else ""
    for option in options:
        if option not in known:
            raise reader.wrong(
                f"gives “{name}” the option “{option}”", f"Known: {', '.join(known)}."
            )
    return options


def _matches(reader: Reader, name: str, given: list[Value]) -> Value:
    text = reader.text_of(given[0], name)
    pattern = checked(known_value(reader, given[1], name), reader.field)
    insensitive = "i" in _options(reader, given, 2, name, "is")
    return reader.made(reader.speech.regex(text, pattern, insensitive), BOOLEAN, text)


def _replaced(reader: Reader, name: str, given: list[Value]) -> Value:
    """The first match, or with ``'g'`` all of them; ``\\1`` is a group, ``\\0`` the match."""
    text = reader.text_of(given[0], name)
    pattern = checked(known_value(reader, given[1], name), reader.field)
    by = known_value(reader, given[2], name)
    options = _options(reader, given, 3, name, "gis")
    for escape in re.findall(r"\\[\s\S]?", by):
        if escape[1:] not in "\\0123456789" or escape == "\\":
            raise reader.wrong(
                f"holds “{escape}” in the replacement of “{name}”",
                "Write \\1 for a group, \\0 for the match, and \\\\ for the character itself.",
            )
    if any(int(e[1]) > regex.groups(pattern) for e in regex.references(by)):
        raise reader.wrong(f"names a group in “{name}” that its pattern has not")
    made = reader.full.regex_replaced(text.clause, pattern, by, options)
    return reader.made(made, TEXT, text)


def _extracted(reader: Reader, name: str, given: list[Value]) -> Value:
    """The first match or one of its groups; where nothing matches, an empty text."""
    text = reader.text_of(given[0], name)
    pattern = checked(known_value(reader, given[1], name), reader.field)
    most = min(regex.groups(pattern), 9)
    group = known_count(reader, given[2], name, 0, most) if len(given) > 2 else 0
    made = reader.full.regex_extracted(text.clause, pattern, group)
    return reader.made(made, TEXT, text, times=2)


TEXT_FUNCTIONS: dict[str, Function] = {
    "lower": Function(1, 1, _alike("lower")),
    "lcase": Function(1, 1, _alike("lower")),
    "upper": Function(1, 1, _upper),
    "ucase": Function(1, 1, _upper),
    "length": Function(1, 1, _alike("length", gives="number")),
    "len": Function(1, 1, _alike("length", gives="number")),
    "char_length": Function(1, 1, _alike("length", gives="number")),
    "character_length": Function(1, 1, _alike("length", gives="number")),
    "trim": Function(1, 2, _trimmed("btrim")),
    "btrim": Function(1, 2, _trimmed("btrim")),
    "ltrim": Function(1, 2, _trimmed("ltrim")),
    "rtrim": Function(1, 2, _trimmed("rtrim")),
    "replace": Function(3, 3, _alike("replace")),
    "translate": Function(3, 3, _alike("translate")),
    "md5": Function(1, 1, _alike("md5")),
    "strpos": Function(2, 2, _alike("strpos", gives="number")),
    "instr": Function(2, 2, _alike("strpos", gives="number")),
    "substr": Function(2, 3, _substring),
    "substring": Function(2, 3, _substring),
    "left": Function(2, 2, _end),
    "right": Function(2, 2, _end),
    "lpad": Function(2, 3, _padded),
    "rpad": Function(2, 3, _padded),
    "split_part": Function(3, 3, _split),
    "reverse": Function(1, 1, _reversed),
    "concat": Function(1, None, _concat),
    "concat_ws": Function(2, None, _concat_ws),
    "contains": Function(2, 2, _part("contains")),
    "starts_with": Function(2, 2, _part("starts_with")),
    "prefix": Function(2, 2, _part("starts_with")),
    "ends_with": Function(2, 2, _part("ends_with")),
    "suffix": Function(2, 2, _part("ends_with")),
    "regexp_matches": Function(2, 3, _matches),
    "regexp_like": Function(2, 3, _matches),
    "regexp_replace": Function(3, 4, _replaced),
    "regexp_extract": Function(2, 3, _extracted),
}
