"""Which aggregates a column can have, and what they give."""

from __future__ import annotations

from ..errors import InvalidSpec
from .constructs import Constructs
from .values import NUMBERS, Kind, Value

_NUMBERS_ONLY = {
    "sum": "a sum",
    "avg": "an average",
    "median": "a median",
    "percentile": "a percentile",
    "stddev": "a standard deviation",
}


def aggregate(
    function: str,
    value: Value | None,
    speech: Constructs,
    field: str,
    p: float | None = None,
    order_by: Value | None = None,
) -> Value:
    """Return an aggregate of ``value``.

    Sums of integers are 64 bits wide and fail beyond; those of decimals stay decimal. avg, median,
    percentile and stddev are doubles. Raises ``InvalidSpec`` for a column that has none such.
    """
    if function == "count":
        return speech.count(value)
    assert value is not None
    if function in _NUMBERS_ONLY and value.kind not in (*NUMBERS, Kind.NULL):
        raise InvalidSpec(
            f"{value.described}; {_NUMBERS_ONLY[function]} needs numbers.", field=field
        )
    if value.kind is Kind.NESTED and function in ("min", "max", "count_distinct"):
        raise InvalidSpec(
            f"{value.described}; “{function}” needs plain ones.",
            hint="Take count, first or last.",
            field=field,
        )
    return speech.aggregate(function, value, p, order_by)
