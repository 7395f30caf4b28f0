"""Where lines end: all cells of a column at once, one round for each line.

Lines end at the last space that fits, at a line feed, or in the middle of a word that is wider
than the column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Integers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
_SPACE, _NEWLINE = 0x20, 0x0A


@dataclass(frozen=True)
class Lines:
    """Lines of ``n`` cells, cell after cell; positions are places in the column's bytes."""

    starts: Integers
    ends: Integers
    firsts: Integers
    """``n + 1`` places: the lines of cell ``i`` are ``firsts[i]`` to ``firsts[i + 1]``."""
    cut: np.ndarray[Any, np.dtype[np.bool_]]
    """Of ``n`` cells: whether it has more lines than were asked for."""


def broken(
    data: np.ndarray[Any, Any],
    starts: Integers,
    ends: Integers,
    so_far: Integers,
    width: int,
    most: int,
) -> Lines:
    """Break ``data[start:end]`` of each cell into at most ``most`` lines of at most ``width``.

    ``so_far[i]`` is the width of ``data[:i]``.
    """
    size = len(data)
    places = np.arange(size + 1, dtype=np.int64)
    codes = np.append(data, _NEWLINE)
    last_space = np.maximum.accumulate(np.where(codes == _SPACE, places, -1))
    newlines = np.flatnonzero(codes == _NEWLINE)
    solid = np.where(codes == _SPACE, size, places)
    next_solid = np.minimum.accumulate(solid[::-1])[::-1]
    cells = np.arange(len(starts), dtype=np.int64)
    at, stop = starts.copy(), ends
    found: list[tuple[Integers, Integers, Integers]] = []
    cut = np.zeros(len(starts), np.bool_)
    while len(cells):
        if len(found) == most:
            cut[cells] = True
            break
        fit = np.searchsorted(so_far, so_far[at] + width, "right") - 1
        fit = np.minimum(np.maximum(fit, np.minimum(at + 1, stop)), stop)
        newline = newlines[np.searchsorted(newlines, at)]
        line_end, following = fit.copy(), fit.copy()
        space = last_space[np.minimum(fit, size)]
        at_space = (fit < stop) & (space > at)
        line_end[at_space] = space[at_space]
        following[at_space] = np.minimum(next_solid[space[at_space]], stop[at_space])
        at_newline = newline <= np.minimum(fit, stop - 1)
        line_end[at_newline] = newline[at_newline]
        following[at_newline] = newline[at_newline] + 1
        # an empty line follows a line feed at the very end
        more = (following < stop) | (at_newline & (following == stop))
        whole = ~at_newline & (fit >= stop)
        following[whole] = stop[whole]
        line_end[whole] = stop[whole]
        more &= ~whole
        found.append((cells, at, line_end))
        cells, at, stop = cells[more], following[more], stop[more]
    of = np.concatenate([each for each, _, _ in found])
    order = np.argsort(of, kind="stable")
    firsts = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(np.bincount(of, minlength=len(starts)), out=firsts[1:])
    return Lines(
        np.concatenate([start for _, start, _ in found])[order],
        np.concatenate([end for _, _, end in found])[order],
        firsts,
        cut,
    )
