"""Numbers as the chosen appearance shows them: digits behind the point, separators.

Rounding is what a reader of the file expects who sees the shortest text of a number: half away
from zero, on that text. So 2.675 becomes 2.68 (its double lies a little below), as in a
spreadsheet, and decimals and doubles of the same text round alike.
"""

from __future__ import annotations

import decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..losses import example
from ..registry import Loss, LossLedger
from .coded import count
from .floats import floats, integers
from .strings import inserted, offsets, payload, replaced, rows_with

if TYPE_CHECKING:
    from .cells import Style

_EXACT = 1e14
"""A double times 10^digits below this is told from its neighbours by 15 digits (DBL_DIG)."""
_WHOLE = 2.0**63
_IN_DECIMAL = 1e40
"""Doubles below it, and their shortest digits, fit into a decimal of 76 digits, 30 behind the
point."""


def numbers(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return the cells of a column of integers, floats or decimals, nulls kept."""
    kind = column.type
    digits = style.digits
    if pa.types.is_integer(kind):
        cells, digits = integers(column), 0
    elif pa.types.is_floating(kind):
        cells = floats(column) if digits is None else _fixed_floats(column, digits, name, losses)
    else:
        cells = decimals(column) if digits is None else _fixed(column, digits, name, losses)
    if style.decimal_separator != ".":
        cells = replaced(cells, ".", style.decimal_separator)
    if style.thousands_separator:
        cells = _grouped(cells, style.thousands_separator, style.decimal_separator, digits)
    return cells


def decimals(column: pa.Array) -> pa.Array:
    """Arrow writes very small decimals with an exponent, which is fine for every reader."""
    return pc.cast(column, pa.string())


# ------------------------------------------------------------------ digits behind the point


def _fixed_floats(column: pa.Array, digits: int, name: str, losses: LossLedger) -> pa.Array:
    if not pa.types.is_float64(column.type):
        # by way of the shortest text, whose few digits a double holds
        single = pc.cast(column, pa.float32())
        column = pc.cast(pc.cast(single, pa.string()), pa.float64())
    values = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
    sizes = np.abs(values)
    limit = min(_EXACT / 10.0**digits, _WHOLE)
    # false for a NaN
    fits = sizes < limit
    all_fit = bool(fits.all())
    if not all_fit:
        sizes = np.where(fits, sizes, 0.0)
    scaled = np.floor(sizes * 10.0**digits)
    # the multiplication may be off by a hair; the number half way, as a double, is not
    scaled += sizes >= (scaled * 10.0 + 5.0) / 10.0 ** (digits + 1)
    negative = np.signbit(values) & ((scaled > 0.0) | (sizes == 0.0))
    cells = _joined(scaled.astype(np.int64), negative, digits)
    changed = scaled / 10.0**digits != sizes
    if not all_fit:
        cells, beyond = _with_large(cells, values, fits, digits)
        changed |= beyond
    _report(losses, name, changed, column, digits)
    return _nulls_of(column, cells)


def _with_large(cells: pa.Array, values: Any, fits: Any, digits: int) -> tuple[pa.Array, Any]:
    """Put the numbers that do not fit into a double's 15 digits into ``cells``; NaN, too.

    Also return which of them were rounded.
    """
    others = np.flatnonzero(~fits)
    few = values[others]
    shown = np.array(pc.cast(pa.array(few), pa.string()).to_numpy(zero_copy_only=False), object)
    changed = np.zeros(len(values), np.bool_)
    middle = np.abs(few) < _IN_DECIMAL
    if middle.any():
        exact = pc.cast(pa.array(shown[middle], pa.string()), pa.decimal256(76, 30))
        rounded = pc.round(exact, digits, round_mode="half_towards_infinity")
        changed[others[middle]] = pc.not_equal(exact, rounded).to_numpy(zero_copy_only=False)
        shown[middle] = _plain_decimals(
            pc.cast(rounded, pa.decimal256(76, digits)), digits
        ).to_numpy(zero_copy_only=False)
    for i in np.flatnonzero(np.isfinite(few) & ~middle):
        shown[i] = f"{decimal.Decimal(shown[i]):.{digits}f}"
    return pc.replace_with_mask(cells, pa.array(~fits), pa.array(shown, pa.string())), changed


def _fixed(column: pa.Array, digits: int, name: str, losses: LossLedger) -> pa.Array:
    """Decimals with ``digits`` digits behind the point."""
    kind = column.type
    # room for the digit that rounding up may bring, and for the zeros behind
    wholes = kind.precision - kind.scale + 1
    precision = max(wholes, 1) + max(kind.scale, digits, 0)
    if precision > 76:
        return _fixed_by_hand(column, digits, name, losses)
    wide: Any = pa.decimal128 if precision <= 38 else pa.decimal256
    exact = pc.cast(column, wide(precision, max(kind.scale, 0)))
    rounded = exact
    if kind.scale > digits:
        rounded = pc.round(exact, digits, round_mode="half_towards_infinity")
        _report(losses, name, pc.not_equal(exact, rounded), column, digits)
    return _plain_decimals(pc.cast(rounded, wide(precision, digits)), digits)


def _plain_decimals(column: pa.Array, digits: int) -> pa.Array:
    cells = pc.cast(column, pa.string())
    if digits > 6:
        # Arrow writes those with an exponent
        tiny = pc.less(pc.abs(column), pa.scalar(decimal.Decimal("1e-6"), column.type))
        if pc.any(tiny).as_py():
            few = [
                f"{value:f}" for value in pc.filter(column, tiny).to_pylist() if value is not None
            ]
            cells = pc.replace_with_mask(cells, tiny, pa.array(few, pa.string()))
    return cells


def _fixed_by_hand(column: pa.Array, digits: int, name: str, losses: LossLedger) -> pa.Array:
    """Decimals of so many digits that Arrow has no room for one more."""
    context = decimal.Context(prec=200, rounding=decimal.ROUND_HALF_UP)
    step = decimal.Decimal(1).scaleb(-digits)
    shown: list[str | None] = []
    changed = np.zeros(len(column), np.bool_)
    for i, value in enumerate(column.to_pylist()):
        if value is None:
            shown.append(None)
            continue
        rounded = value.quantize(step, context=context)
        changed[i] = rounded != value
        shown.append(f"{abs(rounded) if rounded == 0 else rounded:f}")
    _report(losses, name, changed, column, digits)
    return pa.array(shown, pa.string())


def _report(losses: LossLedger, name: str, changed: Any, column: pa.Array, digits: int) -> None:
    cells = count(losses, changed)
    if not cells:
        return
    places = (
        changed
        if isinstance(changed, np.ndarray)
        else pc.fill_null(changed, False).to_numpy(zero_copy_only=False)
    )
    first = column[int(np.argmax(places))].as_py()
    message = f"digits behind the point are dropped: {digits} of them are kept"
    losses.add(Loss("rounded", name, cells, message, "decimals=null", example(first)))


def _joined(scaled: Any, negative: Any, digits: int) -> pa.Array:
    """Return the text of ``scaled`` / 10^digits, with a minus where ``negative``."""
    power = 10**digits
    sizes = scaled // power if digits else scaled
    wholes = np.where(negative, -sizes, sizes)
    if len(wholes) and sizes.max() < 2**31:
        wholes = wholes.astype(np.int32)
    parts: list[Any] = [integers(pa.array(wholes))]
    # an integer has no -0
    minus = negative & (sizes == 0)
    if minus.any():
        parts[0] = pc.if_else(pa.array(minus), "-0", parts[0])
    if not digits:
        return parts[0]
    rest = scaled - sizes * power
    done = 0
    while done < digits:
        width = min(digits - done, 3)
        rest, low = (
            divmod(rest, 10 ** (digits - done - width)) if digits - done > width else (rest, 0)
        )
        parts.append(pc.take(_digits(width, done == 0), pa.array(rest)))
        rest = low
        done += width
    return pc.binary_join_element_wise(*parts, "")


@cache
def _digits(width: int, first: bool) -> pa.Array:
    """``.00`` … ``.99`` for two digits; without the point where they go on others."""
    point = "." if first else ""
    return pa.array([f"{point}{i:0{width}d}" for i in range(10**width)], pa.string())


def _nulls_of(column: pa.Array, cells: pa.Array) -> pa.Array:
    if column.null_count == 0:
        return cells
    return pc.if_else(pc.is_valid(column), cells, pa.scalar(None, pa.string()))


# ------------------------------------------------------------------ groups of three


def _grouped(cells: pa.Array, separator: str, point: str, digits: int | None) -> pa.Array:
    """Put ``separator`` between the groups of three digits before the point.

    ``digits`` behind the point, or None where they differ and an exponent may stand there: such
    a cell has one digit before it, and stays.
    """
    if not len(cells):
        return cells
    places = offsets(cells)
    lengths = np.diff(places)
    if digits is None:
        found = pc.fill_null(pc.find_substring(cells, point), -1).to_numpy(zero_copy_only=False)
        wholes = np.where(found >= 0, found, lengths)
        _, exponents = rows_with(cells, [0x45, 0x65])
        if exponents is not None:
            wholes = np.where(exponents.to_numpy(zero_copy_only=False), 0, wholes)
    else:
        wholes = lengths - (digits + 1 if digits else 0)
    if wholes.max() < 4:
        return cells
    data = payload(cells)
    starts = places[:-1] - places[0]
    signs = data[np.minimum(starts, len(data) - 1)] == 0x2D
    groups = np.maximum((wholes - signs - 1) // 3, 0)
    most = int(groups.max())
    if most == 0:
        return cells
    ends = (starts + wholes).astype(np.int64)
    at = [ends[groups >= k] - 3 * k for k in range(1, most + 1)]
    return inserted(cells, np.concatenate(at), groups, separator)
