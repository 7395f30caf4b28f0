"""Which bytes a request asks for and on what conditions, and the name they are given: RFC 9110,
6266 and 8187."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import PurePosixPath
from urllib.parse import quote

from ..jobs.naming import RESERVED

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)
_DIGITS = 18
"""More than the length of any file has; a whole number of thousands is not even read (CPython)."""
_ETAG = re.compile(r'(?:W/)?("[^"]*")')
_TAGS = re.compile(r'(W/)?("[^"]*")')
_ATTR_CHAR = "!#$&+-.^_`|~"
"""What RFC 8187 leaves unescaped beside letters and digits."""


_MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Path separators, control characters, and those that show a name in another order than it is."""
_LONGEST_NAME = 200
"""Bytes; most file systems take 255, and a browser may have to add “ (1)”."""


@dataclass(frozen=True)
class ByteRange:
    """The bytes from ``start`` up to, without, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class Unsatisfiable(ValueError):
    """The range begins behind the end: 416 (RFC 9110 section 15.5.17)."""


def asked_range(header: str | None, size: int) -> ByteRange | None:
    """Return the one range that ``Range`` asks of ``size`` bytes; None: all of them.

    Another unit, several ranges and nonsense are ignored, as RFC 9110 section 14.2 allows.
    Raises ``Unsatisfiable``.
    """
    found = _RANGE.fullmatch((header or "").replace(" ", ""))
    if not found or not (found[1] or found[2]):
        return None
    first, last = (_bounded(text) if text else None for text in found.groups())
    if first is None:
        start, stop = max(0, size - (last or 0)), size
    else:
        start = first
        stop = size if last is None else min(size, last + 1)
        if last is not None and last < start:
            return None
    if start >= size or stop <= start:
        raise Unsatisfiable
    return ByteRange(start, stop)


def _bounded(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS else 10**_DIGITS


def is_named(header: str | None, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names ``etag`` (weak comparison) or any (``*``)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in _ETAG.findall(header)


def precondition(headers: Mapping[str, str], etag: str, modified: int | None) -> int | None:
    """Return 412 or 304 where the conditions of a GET or HEAD ask for that, in the order of RFC
    9110 section 13.2.2. ``modified``: seconds since 1970 of Last-Modified, where that is sent.
    """
    if_match = headers.get("If-Match")
    unmodified_since = _seconds(headers.get("If-Unmodified-Since"))
    if if_match is not None:
        if if_match.strip() != "*" and etag not in _strong(if_match):
            return 412
    elif unmodified_since is not None and modified is not None and modified > unmodified_since:
        return 412
    if_none_match = headers.get("If-None-Match")
    modified_since = _seconds(headers.get("If-Modified-Since"))
    if if_none_match is not None:
        return 304 if is_named(if_none_match, etag) else None
    fresh = modified_since is not None and modified is not None and modified <= modified_since
    return 304 if fresh else None


def range_holds(if_range: str | None, etag: str, modified: int | None) -> bool:
    """Tell whether ``Range`` holds: ``If-Range`` names this very file, by its ETag or by the exact
    date of Last-Modified (RFC 9110 section 13.1.5)."""
    if if_range is None:
        return True
    given = if_range.strip()
    if given.startswith(('"', "W/")):
        return given == etag
    return modified is not None and _seconds(given) == modified


def http_date(seconds: int) -> str:
    """Return ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return format_datetime(datetime.fromtimestamp(seconds, timezone.utc), usegmt=True)


def _strong(header: str) -> list[str]:
    return [found[2] for found in _TAGS.finditer(header) if not found[1]]


def _seconds(date: str | None) -> int | None:
    """Return the seconds since 1970 of an HTTP date; None for what is none, which is ignored."""
    if date is None:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def content_disposition(name: str) -> str:
    """Return ``attachment`` with a plain name for old clients and the right one for the others."""
    name = _saved_as(name)
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'[^\x20-\x7e]|["\\%/]', "_", folded).strip()
    if not plain or plain.startswith("."):
        plain = f"export{plain}"
    encoded = quote(name, safe=_ATTR_CHAR)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _saved_as(name: str) -> str:
    """Return the name under which anybody's system can keep the file."""
    # A name of a file system may hold lone surrogates.
    safe = _MISLEADING.sub("_", name.encode("utf-8", "replace").decode()).rstrip(" .") or "export"
    if safe.split(".")[0].rstrip(" ").casefold() in RESERVED:
        safe = f"_{safe}"
    ending = "".join(PurePosixPath(safe).suffixes[-2:])
    if len(ending.encode()) > _LONGEST_NAME // 4:
        ending = ""
    stem = safe.removesuffix(ending).encode()[: _LONGEST_NAME - len(ending.encode())]
    return stem.decode("utf-8", "ignore") + ending
