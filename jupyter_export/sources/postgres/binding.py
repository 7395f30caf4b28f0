"""Statements as text with their values in them.

COPY, by which rows are read fast, takes no parameters. So the values are written into the text as
literals, each quoted by libpq for the connection at hand (its encoding, its rules for backslashes)
just as it would quote them in client-side binding: no value is ever pasted as it stands.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.sql.elements import TextClause

Literal = Callable[[Any], str]
_WITH = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*WITH(?=\W)(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    r"(?P<recursive>RECURSIVE(?=\W))?",
    re.IGNORECASE | re.DOTALL,
)


class Verbatim(TextClause):
    """SQL that stands as it is: neither colons nor percent signs mean anything in it."""

    inherit_cache = False

    def __init__(self, sql: str, prologue: str = "", *, writes: bool = False) -> None:
        """``prologue``: a ``WITH`` that goes to the top of whatever statement this stands in."""
        super().__init__("")
        self.verbatim = sql
        self.prologue = prologue
        self.writes = writes


class _Compiler(PGCompiler):
    dialect: _Dialect
    prologue = ""

    def render_literal_value(self, value: Any, type_: Any) -> str:
        return self.dialect.literal(value)

    def visit_textclause(self, textclause: Any, add_to_result_map: Any = None, **kw: Any) -> str:
        if isinstance(textclause, Verbatim):
            self.prologue = textclause.prologue or self.prologue
            # a line of its own: a comment at the end must not swallow what follows
            return f"{textclause.verbatim}\n"
        return str(super().visit_textclause(textclause, add_to_result_map, **kw))  # type: ignore[no-untyped-call]


class _Dialect(PGDialect):
    supports_statement_cache = False
    statement_compiler = _Compiler

    def __init__(self, literal: Literal) -> None:
        # named: no percent sign is doubled
        super().__init__(paramstyle="named")  # type: ignore[no-untyped-call]
        self.literal = literal


def rendered(statement: sa.sql.ClauseElement, literal: Literal) -> str:
    """Return the text of ``statement``, its values written by ``literal``."""
    made: Any = statement.compile(dialect=_Dialect(literal), compile_kwargs={"literal_binds": True})
    text = str(made)
    return _joined(made.prologue, text) if made.prologue else text


def _joined(prologue: str, text: str) -> str:
    """Put the table expressions of ``prologue`` before those that ``text`` begins with."""
    first, second = _WITH.match(prologue), _WITH.match(text)
    assert first is not None
    assert second is not None
    recursive = "RECURSIVE " if first["recursive"] or second["recursive"] else ""
    return f"WITH {recursive}{prologue[first.end() :]}\n, {text[second.end() :]}"


def writes(statement: sa.sql.ClauseElement) -> bool:
    """Tell whether a query that looks like writing is part of ``statement``."""
    return any(
        isinstance(each, Verbatim) and each.writes for each in sa.sql.visitors.iterate(statement)
    )


def literal_of(quote: Literal) -> Literal:
    """Return how a value is written. Texts have no type of their own, so that they compare with a
    uuid, an inet or an enum as a text in the query would; so do lists and objects of JSON."""

    def literal(value: Any) -> str:
        if isinstance(value, (list, tuple, dict)):
            return quote(_nested(value))
        return quote(value)

    return literal


def _nested(value: Any) -> Any:
    """Lists of scalars are arrays; everything else that nests is JSON."""
    if isinstance(value, (list, tuple)) and not any(
        isinstance(each, (list, tuple, dict)) for each in value
    ):
        kinds = {type(each) for each in value if each is not None}
        if len(kinds) <= 1 or kinds <= {int, float, Decimal}:
            return list(value)
    return json.dumps(value, default=_json)


def _json(value: Any) -> str:
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)
