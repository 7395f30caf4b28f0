"""Dates and timestamps as numbers: seconds or milliseconds since 1970 (POSIX.1, section 4.19)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SourceFailed
from ..losses import example
from ..registry import Loss, LossLedger
from .coded import count

_PLURAL = {"unix": "seconds", "unix_ms": "milliseconds"}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UTC = ("UTC", "Etc/UTC", "Z", "+00:00")
"""Zones in which the number alone says all."""


def since_1970(
    column: pa.Array, name: str, unit: Literal["unix", "unix_ms"], losses: LossLedger
) -> pa.Array:
    """Return int64 seconds (``unix``) or milliseconds (``unix_ms``), nulls kept.

    A clock without a zone counts as UTC. Parts finer than the unit are cut off, towards the past.
    """
    kind = column.type
    wanted = 1 if unit == "unix" else 1000
    if pa.types.is_date(kind):
        days = pc.cast(pc.cast(column, pa.date32()).view(pa.int32()), pa.int64())
        return pc.multiply(days, 86_400 * wanted)
    ticks = column.view(pa.int64())
    has = PER_SECOND[kind.unit]
    if has <= wanted:
        try:
            whole = pc.multiply_checked(ticks, wanted // has)
        except pa.ArrowInvalid:
            raise SourceFailed(
                f"Column “{name}” holds a moment that has more {_PLURAL[unit]} since 1970 than 64 "
                "bits hold.",
                hint="Leave such rows out, or export to Parquet or Arrow.",
            ) from None
    else:
        whole = _floored(column, ticks, has // wanted, name, unit, losses)
    if kind.tz is not None and kind.tz not in UTC and len(column) > column.null_count:
        losses.add(
            Loss(
                "time_zone",
                name,
                count(losses, pc.is_valid(column)),
                f"the number keeps the instant and not its zone, {kind.tz}",
                "date_format=iso",
                _first(column),
            )
        )
    return whole


def _floored(
    column: pa.Array, ticks: pa.Array, by: int, name: str, unit: str, losses: LossLedger
) -> pa.Array:
    values = pc.fill_null(ticks, 0).to_numpy(zero_copy_only=False)
    whole = np.floor_divide(values, by)
    finer = whole * by != values
    if finer.any():
        losses.add(
            Loss(
                "time_precision",
                name,
                count(losses, finer),
                f"{unit} has no finer parts than {_PLURAL[unit]}",
                "date_format=unix_ms" if unit == "unix" else "date_format=iso",
                _first(pc.filter(column, pa.array(finer))),
            )
        )
    cells = pa.array(whole)
    if column.null_count:
        cells = pc.if_else(pc.is_valid(column), cells, pa.scalar(None, pa.int64()))
    return cells


def _first(column: pa.Array) -> str:
    # not as_py: Python has no nanoseconds, and not every year
    first = pc.drop_null(column).slice(0, 1)
    return example(pc.cast(first.view(pa.timestamp(column.type.unit)), pa.string())[0].as_py())
