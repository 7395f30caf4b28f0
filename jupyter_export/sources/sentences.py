"""Errors that every database ends in, said alike."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidSpec, QueryFailed, StatementTimeout, did_you_mean
from ..spec import TableSource


def took_too_long(name: str, seconds: int | None) -> StatementTimeout:
    """Return the error of a statement that ran into its connection's ``statement_timeout``."""
    allowed = "" if seconds is None else f" {seconds:,} s"
    return StatementTimeout(
        f"The query took longer than the{allowed} that the connection {name} allows.",
        hint="Narrow it, or raise statement_timeout of the connection.",
        field="source.query",
    )


def no_table(source: TableSource, names: list[str]) -> InvalidSpec:
    """Return the error of a table that is not among ``names``, with the nearest."""
    return InvalidSpec(
        f"There is no table “{source.table}” on the connection {source.connection}.",
        hint=did_you_mean(source.table, names),
        field="source.table",
    )


def param_missing(shown: str) -> InvalidSpec:
    """Return the error of a parameter (as the query writes it) without a value."""
    colon = "; write \\: for a colon that begins no parameter" if shown.startswith(":") else ""
    return InvalidSpec(
        f"The query names {shown}, and the params do not give it.",
        hint=f"Add it to params{colon}.",
        field="source.params",
    )


def params_unfit(shown: str, named: Sequence[str]) -> InvalidSpec:
    """Return the error of a value for a parameter that is not in the query, which names others."""
    return InvalidSpec(
        f"The params do not fit the query: it does not name {shown}.",
        hint=f"The query names: {', '.join(named) or 'none'}.",
        field="source.params",
    )


def no_rows() -> QueryFailed:
    """Return the error of a statement that is none that selects."""
    return QueryFailed("The query returns no rows to export.", field="source.query")


def not_selectable() -> QueryFailed:
    """Return the error of a step that cannot be done where a statement runs only by itself."""
    return QueryFailed(
        "The query failed: the database cannot select from this statement.",
        hint="Take all of its rows, or write what is asked for into it.",
        field="source.query",
    )


def two_statements() -> QueryFailed:
    """Return the error of a query that is more than one."""
    return QueryFailed(
        "The query failed: it holds more than one statement.",
        hint="Give each its own dataset.",
        field="source.query",
    )
