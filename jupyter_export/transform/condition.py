"""``where`` as a tree, and ``time_range``, as conditions of a statement."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..errors import InvalidSpec
from ..spec import And, Comparison, Not, Or, TimeRange
from . import regex
from .constructs import Constructs
from .literals import Misfit, fitted, plain_text
from .scope import Scope
from .values import MOMENTS, TEXT, Clause, Kind, Value


def condition(where: Comparison | And | Or | Not, scope: Scope, speech: Constructs) -> Clause:
    """Compile a tree. Raises ``InvalidSpec`` and ``NotPushed``."""
    if isinstance(where, And):
        return sa.and_(*(condition(each, scope, speech) for each in where.and_))
    if isinstance(where, Or):
        return sa.or_(*(condition(each, scope, speech) for each in where.or_))
    if isinstance(where, Not):
        return sa.not_(condition(where.not_, scope, speech))
    return comparison(where, scope.column(where.column, "where"), speech)


def comparison(where: Comparison, column: Value, speech: Constructs) -> Clause:
    given, op = where.value, where.op
    if op == "is_null" or (op == "=" and given is None):
        return column.clause.is_(None)
    if op == "not_null" or (op == "!=" and given is None):
        return column.clause.is_not(None)
    if op in ("in", "not_in"):
        assert isinstance(given, list)
        return _listed(given, column, speech, op == "not_in")
    if op == "between":
        assert isinstance(given, list)
        low, high = (bound(each, column, speech, "where") for each in given)
        return sa.and_(_compare(">=", column, low, speech), _compare("<=", column, high, speech))
    if op in _TEXT:
        made: Clause = _TEXT[op](column, given, speech)
        return made
    return _compare(op, column, bound(given, column, speech, "where"), speech)


def bound(given: Any, column: Value, speech: Constructs, field: str) -> Value:
    """Return a value of the document, bound as what ``column`` holds."""
    if given is None:
        return Value(speech.bind(None, column.type), column.type)
    value, type_ = fitted(given, column, field)
    return Value(speech.bind(value, type_), type_, constant=given)


def _compare(op: str, column: Value, value: Value, speech: Constructs) -> Clause:
    if column.kind is Kind.NULL:
        # a column of nothing but nulls answers nothing
        return speech.compare(op, value, Value(speech.bind(None, value.type), value.type))
    return speech.compare(op, column, value)


def _listed(given: list[Any], column: Value, speech: Constructs, negated: bool) -> Clause:
    if column.kind is Kind.NULL:
        return column.clause.is_not(None)
    values = [bound(each, column, speech, "where") for each in given if each is not None]
    found = speech.is_in(column, values) if values else sa.false()
    if None in given:
        # in SQL nothing is known to be equal, or not to be, to a null
        found = sa.or_(found, sa.null() == 1)
    return sa.not_(found) if negated else found


def _text_value(given: Any, column: Value, speech: Constructs) -> Value:
    try:
        text = plain_text(str(given))
    except Misfit as error:
        raise InvalidSpec(
            f"The value compared with column “{column.words}” cannot be used.",
            hint=str(error),
            field="where",
        ) from None
    return Value(speech.bind(text, TEXT), TEXT, constant=text)


def _refuse_nested(column: Value, op: str) -> None:
    if column.kind in (Kind.NESTED, Kind.BINARY):
        raise InvalidSpec(f"{column.described}; “{op}” needs text.", field="where")


def _like(column: Value, given: Any, speech: Constructs, insensitive: bool) -> Clause:
    _refuse_nested(column, "ilike" if insensitive else "like")
    check_like(str(given), "where")
    return speech.like(column, _text_value(given, column, speech), insensitive)


def check_like(pattern: str, field: str) -> None:
    """Refuse what databases disagree about. Raises ``InvalidSpec``."""
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise InvalidSpec(
            f"The pattern “{pattern}” ends in “\\”, which needs a character behind it.",
            hint="Write \\\\ for the character itself.",
            field=field,
        )


def _parts(name: str) -> Any:
    def made(column: Value, given: Any, speech: Constructs) -> Clause:
        _refuse_nested(column, name)
        found: Clause = getattr(speech, name)(column, _text_value(given, column, speech))
        return found

    return made


def _regex(column: Value, given: Any, speech: Constructs) -> Clause:
    _refuse_nested(column, "regex")
    _text_value(given, column, speech)
    return speech.regex(column, checked(str(given), "where"), False)


def checked(pattern: str, field: str) -> str:
    """Return a pattern that means the same everywhere. Raises ``InvalidSpec``."""
    try:
        regex.check(pattern)
    except regex.Unshared as error:
        raise InvalidSpec(
            f"The regular expression “{pattern}” holds {error}, which the engine and databases "
            "do not read alike.",
            hint="Write it without.",
            field=field,
        ) from None
    except regex.Unreadable as error:
        raise InvalidSpec(
            f"The regular expression “{pattern}” cannot be read: {error}.", field=field
        ) from None
    return pattern


_TEXT: dict[str, Any] = {
    "like": lambda column, given, speech: _like(column, given, speech, False),
    "ilike": lambda column, given, speech: _like(column, given, speech, True),
    "contains": _parts("contains"),
    "starts_with": _parts("starts_with"),
    "ends_with": _parts("ends_with"),
    "regex": _regex,
}


def within(stretch: TimeRange, scope: Scope, speech: Constructs) -> Clause:
    """Compile a time range: its start is included, its end is not."""
    column = scope.column(stretch.column, "time_range.column")
    if column.kind not in MOMENTS:
        raise InvalidSpec(
            f"{column.described}; a time range needs dates or timestamps.",
            field="time_range.column",
        )
    ends = []
    for op, name in ((">=", "start"), ("<", "end")):
        given = getattr(stretch, name)
        if given is not None:
            value = bound(given, column, speech, f"time_range.{name}")
            ends.append(speech.compare(op, column, value))
    return sa.and_(*ends)
