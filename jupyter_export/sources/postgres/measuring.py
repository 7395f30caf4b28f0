"""What the values of a column need, asked from the database once a row did not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.functions import func

from . import decimals
from .arrival import Arrival, Learnt

ANY_SHAPE = Learnt(text="has arrays of different shapes")
Ask = Callable[[sa.Select[Any]], Any]
"""Runs a statement of one row, and returns it."""


def learn(
    statement: sa.Select[Any],
    arrivals: Sequence[Arrival],
    known: Mapping[int, Learnt],
    reasons: Mapping[int, str | None],
    ask: Ask,
) -> dict[int, Learnt]:
    """Return what is known from now on of the columns of ``statement`` that do not fit.

    ``reasons``: as ``ColumnMisfit`` has them. All numerics are asked for at once: where one has a
    longer value, the next one may have it some rows later.
    """
    rows = statement.subquery("rows")
    columns = list(rows.c)
    found: dict[int, Learnt] = {}
    numerics: list[int] = []
    for index, reason in reasons.items():
        arrival, before = arrivals[index], known.get(index, Learnt())
        listed = arrival.dimensions > 0
        if arrival.dimensions == 1:
            shape = _dimensions(rows, columns[index], ask)
            if shape is None:
                found[index] = ANY_SHAPE
                continue
            if shape > 1 or reason is None:
                found[index] = replace(before, dimensions=shape)
                continue
        if not arrival.unscaled:
            found[index] = replace(before, text=reason, elements=listed)
        elif listed:
            value = func.unnest(columns[index]).column_valued("element")
            found[index] = _fitting(before, True, *ask(_digits([value]).select_from(rows)))
        else:
            numerics = [
                i
                for i, each in enumerate(arrivals)
                if each.unscaled and not each.dimensions and (i in reasons or i not in known)
            ]
    if numerics:
        told = list(ask(_digits([columns[i] for i in numerics]).select_from(rows)))
        for place, index in enumerate(numerics):
            before = known.get(index, Learnt())
            found[index] = _fitting(before, False, *told[place * 3 : place * 3 + 3])
    return found


def _dimensions(rows: Any, column: Any, ask: Ask) -> int | None:
    """Return how many dimensions every array has, or None: they differ, or count from elsewhere."""
    least, most, odd = ask(
        sa.select(
            func.min(func.array_ndims(column)),
            func.max(func.array_ndims(column)),
            func.bool_or(
                sa.or_(*(func.coalesce(func.array_lower(column, d), 1) != 1 for d in range(1, 7)))
            ),
        ).select_from(rows)
    )
    if odd or least != most:
        return None
    return most or 1


def _digits(values: Sequence[Any]) -> sa.Select[Any]:
    """Select, for each of the numerics: most digits before the point, behind it, any special."""
    asked: list[Any] = []
    for value in values:
        special = sa.cast(value, sa.Text).in_(["NaN", "Infinity", "-Infinity"])
        whole = func.length(sa.cast(func.trunc(func.abs(value)), sa.Text))
        asked += [
            func.max(whole).filter(~special),
            func.max(func.scale(value)),
            func.bool_or(special),
        ]
    return sa.select(*asked)


def _fitting(
    known: Learnt, listed: bool, whole: int | None, scale: int | None, special: bool | None
) -> Learnt:
    """Return the decimal that holds every value, or a text where none does."""
    if special:
        return replace(known, text="has NaN or Infinity", elements=listed)
    kind = decimals.roomy(whole or 1, scale or 0)
    if kind is None:
        return replace(known, text="has values of more than 76 digits", elements=listed)
    return replace(known, decimal=kind)
