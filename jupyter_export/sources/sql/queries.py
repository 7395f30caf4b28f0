"""The text of a user's query: its parameters, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from ...spec import SqlSource
from ..sentences import param_missing, params_unfit, two_statements

_DIALECTS = {
    "mssql": "tsql",
    "mariadb": "mysql",
    "postgresql": "postgres",
    "cockroachdb": "postgres",
}
"""SQLAlchemy's names -> sqlglot's, where they differ."""


def with_params(source: SqlSource) -> sa.TextClause:
    """Return the query with its params bound. Raises ``InvalidSpec`` when they do not fit."""
    return bound(source.query, source.params)


def bound(query: str, params: Mapping[str, Any]) -> sa.TextClause:
    """Return ``query`` with ``params`` bound. Raises ``InvalidSpec`` when they do not fit."""
    statement = sa.text(query)
    # as they stand in the text, and as SQLAlchemy has understood it
    named = list(statement.compile().params)
    for name in params:
        if name not in named:
            raise params_unfit(f":{name}", [f":{each}" for each in named])
    for name in named:
        if name not in params:
            raise param_missing(f":{name}")
    return statement.bindparams(**params)


def one_statement(text: str, dialect: str) -> str:
    """Return ``text`` without the semicolons and comments at its end.

    Raises ``QueryFailed`` for a second statement. A text that cannot be taken apart is returned as
    it is: the database will say what is wrong with it.
    """
    found = tokens(text, dialect)
    while found and found[-1].token_type is TokenType.SEMICOLON:
        found.pop()
    if any(token.token_type is TokenType.SEMICOLON for token in found):
        raise two_statements()
    return text[: found[-1].end + 1] if found else text


def ordered_without_limit(text: str, dialect: str) -> bool:
    """Tell whether the query itself, and no part of it, is sorted and not limited."""
    depth, ordered = 0, False
    for token in tokens(text, dialect):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and token.token_type is TokenType.ORDER_BY:
            ordered = True
        elif depth == 0 and token.token_type in (TokenType.LIMIT, TokenType.FETCH):
            return False
    return ordered


def tokens(text: str, dialect: str) -> list[Token]:
    """Return the words of ``text``, or none where it cannot be taken apart."""
    try:
        return list(sqlglot.tokenize(text, read=_DIALECTS.get(dialect, dialect)))
    except (SqlglotError, ValueError):
        return []


def selects(text: str) -> bool:
    """Tell whether a statement can be given to a cursor of the server, or to another query."""
    found = tokens(text, "")
    return bool(found) and found[0].text.upper() in ("SELECT", "WITH", "VALUES", "TABLE", "(")
