"""The sentence for a file that is not what its ending says."""

from __future__ import annotations

import re

from ...errors import SourceFailed
from ...registry import split_ending


def unreadable(shown: str, why: str) -> SourceFailed:
    """Return the error for the file that the user calls ``shown``; the first line of ``why``
    is kept, without the machine's own paths."""
    first = why.strip().split("\n", 1)[0]
    first = re.sub(r"^\w+( \w+)? Error: ", "", first)
    first = re.sub(r"(?<![\w“])/(?:[^\s\"'”]*/)?[^\s\"'”/]+", "the file", first).rstrip(".")
    if len(first) > 500:
        first = f"{first[:500]}…"
    kind = split_ending(shown)[1].lstrip(".") or "data"
    return SourceFailed(f"“{shown}” cannot be read as {kind}: {first}.", field="source.path")
