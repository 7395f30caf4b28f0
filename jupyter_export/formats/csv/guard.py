"""Texts that a spreadsheet would run as formulas, made harmless (OWASP, CSV injection).

A text that begins with ``= + - @``, tab or carriage return gets an apostrophe in front. So does one
in which only apostrophes stand before such a character, so that dropping one is always the way
back.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...losses import example
from ...registry import Loss, LossLedger
from ..coded import count
from ..strings import offsets, payload

GUARDED = r"^'('*[=+\-@\t\r])"
"""What a guarded text matches (RE2 and Python), and its first group the text's beginning."""
_RUN = r"^'*[=+\-@\t\r]"
_NUMBER = r"^[+-](\d+([.,]\d+)*[.,]?|[.,]\d+)([eE][+-]?\d+)?$"
_FIRST = np.zeros(256, np.bool_)
_FIRST[list(b"'=+-@\t\r")] = True


def guarded(cells: pa.Array, name: str, losses: LossLedger) -> pa.Array:
    """Return the cells with an apostrophe before those that could be run; nulls kept."""
    data = payload(cells)
    if not len(data):
        return cells
    places = offsets(cells)
    starts = places[:-1] - places[0]
    likely = _FIRST[data[np.minimum(starts, len(data) - 1)]] & (np.diff(places) > 0)
    if cells.null_count:
        likely &= pc.is_valid(cells).to_numpy(zero_copy_only=False)
    if not likely.any():
        return cells
    rows = np.flatnonzero(likely)
    few = cells.take(pa.array(rows))
    run = pc.and_not(pc.match_substring_regex(few, _RUN), pc.match_substring_regex(few, _NUMBER))
    if not pc.any(run).as_py():
        return cells
    dangerous = np.zeros(len(cells), np.bool_)
    dangerous[rows] = run.to_numpy(zero_copy_only=False)
    met = pc.filter(few, run)
    changed = count(losses, dangerous)
    if changed:
        losses.add(
            Loss(
                "formula_guarded",
                name,
                changed,
                "an apostrophe stands before texts that a spreadsheet would run as a formula; "
                "the reader's lines drop it",
                "formula_guard=off",
                example(met[0].as_py()),
            )
        )
    harmless = pc.binary_join_element_wise("'", met, "")
    return pc.replace_with_mask(cells, pa.array(dangerous), harmless)
