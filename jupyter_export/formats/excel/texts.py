"""Text as the content of a cell (ST_Xstring, ECMA-376 part 1, 22.9.2.19)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..strings import offsets, payload, rows_with
from .found import Found

LONGEST = 32_767
"""UTF-16 units that a cell holds."""
_ENTITIES = {0x26: "&amp;", 0x3C: "&lt;", 0x3E: "&gt;"}
_CARRIAGE_RETURN = 0x0D
_NO_CHARACTERS = {"\ufffe": "_xFFFE_", "\uffff": "_xFFFF_"}
"""XML 1.0, section 2.2 leaves these out, and the control characters but tab and line ends."""
_FIRST_OF_NONE = "\uffff".encode()[0]
_ESCAPE = r"_x[0-9A-Fa-f]{4}_"


def fitting(shown: pa.Array, found: Found) -> pa.Array:
    """Return the texts, cut where a cell cannot hold them; a pair of surrogates stays whole."""
    if not len(shown):
        return shown
    # a UTF-16 unit is never less than a byte of UTF-8
    if int(np.diff(offsets(shown)).max()) <= LONGEST:
        return shown
    long = pc.fill_null(pc.greater(pc.binary_length(shown), LONGEST), False)
    wholes = pc.filter(shown, long).to_pylist()
    cuts = [_cut(text) for text in wholes]
    changed = np.zeros(len(shown), np.bool_)
    changed[np.flatnonzero(np.asarray(long))] = [
        a is not b for a, b in zip(wholes, cuts, strict=True)
    ]
    found.add(
        "text_cut", pa.array(changed), f"a cell holds {LONGEST:,} characters of a text", shown
    )
    return pc.replace_with_mask(shown, long, pa.array(cuts, pa.string()))


def _cut(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * LONGEST:
        return text
    return units[: 2 * LONGEST].decode("utf-16-le", "ignore")


def has_outer_space(shown: pa.Array) -> bool:
    """Tell whether a text begins or ends with white space, which XML readers may drop."""
    data = payload(shown)
    if not len(data):
        return False
    places = offsets(shown) - offsets(shown)[0]
    starts, ends = places[:-1], places[1:]
    if int(np.diff(places).min()) == 0:
        filled = ends > starts
        starts, ends = starts[filled], ends[filled]
    return bool((data[starts] <= 0x20).any() or (data[ends - 1] <= 0x20).any())


def escaped(shown: pa.Array, found: Found) -> pa.Array:
    """Escape what XML reserves, and what it forbids as Excel does: ``_x0001_``.

    A text that looks like such an escape has its first line escaped itself: ``_x005F_x0001_``.
    """
    data = payload(shown)
    if not len(data):
        return shown
    shown = _marked(shown, data)
    low = np.unique(data[data < 0x20]).tolist() if data.min() < 0x20 else []
    forbidden = [code for code in low if code not in (0x09, 0x0A, _CARRIAGE_RETURN)]
    # the ampersand first: the others bring new ones
    codes = [*_ENTITIES, *([_CARRIAGE_RETURN] if _CARRIAGE_RETURN in low else []), *forbidden]
    present, rows = rows_with(shown, codes)
    if rows is not None:
        if forbidden:
            _, controls = rows_with(shown, forbidden)
            if shown.null_count:
                controls = pc.and_(controls, pc.is_valid(shown))
            found.add("unprintable", controls, "control characters are escaped", shown)
        few = pc.filter(shown, rows)
        for code in present:
            few = pc.replace_substring(few, chr(code), _entity(code))
        shown = pc.replace_with_mask(shown, rows, few)
    # one byte is found many times faster than three
    if not (data == _FIRST_OF_NONE).any():
        return shown
    for character, escape in _NO_CHARACTERS.items():
        rows = pc.fill_null(pc.match_substring(shown, character), False)
        if pc.any(rows).as_py():
            found.add("unprintable", rows, "characters that XML forbids are escaped", shown)
            shown = pc.replace_substring(shown, character, escape)
    return shown


def _marked(shown: pa.Array, data: np.ndarray[Any, np.dtype[np.uint8]]) -> pa.Array:
    """Escape the line before an x in texts that hold what looks like an escape."""
    lines = np.flatnonzero(data[:-1] == ord("_"))
    if not (data[lines + 1] == ord("x")).any():
        return shown
    rows = pc.fill_null(pc.match_substring_regex(shown, _ESCAPE), False)
    if not pc.any(rows).as_py():
        return shown
    few = pc.replace_substring(pc.filter(shown, rows), "_x", "_x005F_x")
    return pc.replace_with_mask(shown, rows, few)


def _entity(code: int) -> str:
    # a bare carriage return would be read as a line end (XML 1.0, section 2.11)
    return _ENTITIES.get(code) or ("&#13;" if code == _CARRIAGE_RETURN else f"_x{code:04X}_")
