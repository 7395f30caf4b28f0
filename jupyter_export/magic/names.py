"""Names and calls in a flag's value, as SQL writes them: ``"a b"``, ``x AS y``, ``avg(x)``."""

from __future__ import annotations

import re

from ..errors import InvalidRequest
from .pieces import pieces

QUOTED = r'"(?:[^"]|"")+"'
_NAME = rf"{QUOTED}|[^\W\d]\w*"
_NAMED_BEFORE = re.compile(rf"\s*({_NAME})\s*=(?!=)\s*(.+)", re.DOTALL)
_NAMED_AFTER = re.compile(rf"(.+?)\s+AS\s+({_NAME})\s*", re.DOTALL | re.IGNORECASE)
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


def items(text: str, flag: str, field: str | None = None) -> list[str]:
    """Return the items of a list. Raises ``InvalidRequest`` for an empty place in it."""
    found = [each.strip() for _, each in pieces(text, ",".__eq__)]
    if not all(found):
        raise InvalidRequest(f"{flag}: “{text}” has an empty place in its list.", field=field)
    return found


def named(item: str) -> tuple[str | None, str]:
    """Take ``name=expression`` or ``expression AS name`` apart."""
    after = _NAMED_AFTER.fullmatch(item)
    if after:
        return bare(after[2]), after[1].strip()
    before = _NAMED_BEFORE.fullmatch(item)
    if before:
        return bare(before[1]), before[2].strip()
    return None, item


def call_of(text: str) -> tuple[str, list[str]] | None:
    """Return the function, in small letters, and the arguments of a text that is one call."""
    found = _CALL.fullmatch(text.strip())
    if not found:
        return None
    depth = 0
    for letter in re.sub(r"\"[^\"]*\"|'[^']*'", "", found[2]):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return None  # sum(a) / sum(b)
    inside = found[2].strip()
    arguments = [each.strip() for _, each in pieces(inside, ",".__eq__)] if inside else []
    return found[1].lower(), arguments


def column_of(text: str) -> str | None:
    """Return the column that a text names and does nothing with; None for an expression."""
    return bare(text) if re.fullmatch(_NAME, text.strip()) else None


def bare(name: str) -> str:
    """Return a name without its double quotes."""
    plain = name.strip()
    return plain[1:-1].replace('""', '"') if re.fullmatch(QUOTED, plain) else plain
