"""Texts read as values, by the engine and PostgreSQL alike.

A text must be written as a value of its type is written in both; only then either of them reads it.
"""

from __future__ import annotations

import pyarrow as pa
import sqlalchemy as sa

from .constructs import Constructs
from .values import BOOLEAN, TEXT, Clause, Kind, Value, kind_of


class Texts(Constructs):
    """Casts of texts that only the rows know."""

    def fail(self, message: Clause, type_: pa.DataType) -> Clause:
        """Return what fails with ``message``, which must name a column's value to be late enough:
        what is constant would fail before any row is there."""
        raise NotImplementedError

    def matches(self, text: Clause, pattern: str) -> Clause:
        """Tell whether a text is of a pattern that both read alike, blanks around it aside."""
        return self.regex(Value(text, TEXT), f"^ *({pattern}) *$", False)

    def from_text(self, value: Value, type_: pa.DataType, trying: bool) -> Value:
        """Return what a text says; what is none fails, or is null."""
        kind = kind_of(type_)
        if kind is Kind.BOOLEAN:
            return self._truth_from(value, trying)
        good = self.matches(value.clause, _WRITTEN[kind])
        bare = sa.func.ltrim(value.clause, self.bind(" ", TEXT))
        read = self._read(sa.func.rtrim(bare, self.bind(" ", TEXT)), type_, trying)
        bad: Clause = sa.null()
        if not trying:
            bad = self.fail(
                self.bind(f"not one of {kind.value}: ", TEXT).concat(value.clause), type_
            )
        made = sa.case((value.clause.is_(None), sa.null()), (good, read), else_=bad)
        return Value(made, type_, value.size * 6 + 16)

    def _truth_from(self, value: Value, trying: bool) -> Value:
        lower = sa.func.lower(sa.func.ltrim(sa.func.rtrim(value.clause)))
        bad: Clause = sa.null()
        if not trying:
            message = self.bind("not true or false: ", TEXT).concat(value.clause)
            bad = self.fail(message, BOOLEAN)
        made = sa.case(
            (value.clause.is_(None), sa.null()),
            (lower.in_([self.bind(each, TEXT) for each in _TRUE]), sa.true()),
            (lower.in_([self.bind(each, TEXT) for each in _FALSE]), sa.false()),
            else_=bad,
        )
        return Value(made, BOOLEAN, value.size * 4 + 16)

    def _read(self, text: Clause, type_: pa.DataType, trying: bool) -> Clause:
        raise NotImplementedError

    def tried(self, clause: Clause) -> Clause:
        self.refuse("try_cast")


_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")
_DAY = r"([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
_NUMBER = r"([0-9]+[.]?[0-9]*|[.][0-9]+)"
_NO_NUMBER = "[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN]"
_WRITTEN = {
    Kind.INTEGER: r"[+-]?[0-9]+",
    Kind.DECIMAL: rf"[+-]?{_NUMBER}([eE][+-]?[0-9]{{1,3}})?",
    Kind.DOUBLE: rf"[+-]?({_NUMBER}([eE][+-]?[0-9]+)?|{_NO_NUMBER})",
    Kind.DATE: _DAY,
    Kind.TIME: _CLOCK,
    Kind.TIMESTAMP: rf"{_DAY}([T ]{_CLOCK})?",
    Kind.TIMESTAMPTZ: rf"{_DAY}([T ]{_CLOCK}{_ZONE}?)?",
}
"""How a text must be written to be read as a value."""
