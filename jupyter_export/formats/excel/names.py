"""Names of sheets: what Excel allows, and how a name is mended."""

from __future__ import annotations

import re
from collections.abc import Collection

LONGEST = 31
"""UTF-16 units (Excel specifications and limits)."""
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f\ufffe\uffff]")
_RESERVED = "history"


def sheet_name(wanted: str, taken: Collection[str]) -> str:
    """Return ``wanted`` as Excel takes it, and other than ``taken`` (large letters as small ones).

    What is allowed and free is returned unchanged.
    """
    name = _FORBIDDEN.sub("_", wanted)
    name = _cut(name, LONGEST).strip("'")
    if not name.strip():
        name = "Sheet1"
    if name.casefold() == _RESERVED:
        name += "_"
    if not _is_taken(name, taken):
        return name
    return numbered(name, 2, taken)


def numbered(name: str, number: int, taken: Collection[str]) -> str:
    """Return ``name (2)`` or the next free number; the name is shortened where it must be."""
    while True:
        ending = f" ({number})"
        free = _cut(name, LONGEST - len(ending)) + ending
        if not _is_taken(free, taken):
            return free
        number += 1


def _is_taken(name: str, taken: Collection[str]) -> bool:
    return name.casefold() in {other.casefold() for other in taken}


def _cut(name: str, units: int) -> str:
    return name.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")
