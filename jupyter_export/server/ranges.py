"""Which bytes a request asks for, and the name it is given: RFC 9110, 6266 and 8187."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[^"]*")')
_ATTR_CHAR = "!#$&+-.^_`|~"
"""What RFC 8187 leaves unescaped beside letters and digits."""


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
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start = int(found[1])
        stop = min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or stop <= start:
        raise Unsatisfiable
    return ByteRange(start, stop)


def is_named(header: str | None, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names ``etag`` (weak comparison) or any (``*``)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in _ETAG.findall(header)


def content_disposition(name: str) -> str:
    """Return ``attachment`` with a plain name for old clients and the right one for the others."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'[^\x20-\x7e]|["\\%/]', "_", folded).strip()
    if not plain or plain.startswith("."):
        plain = f"export{plain}"
    # As UTF-8, or not at all: a name of a file system may hold lone surrogates.
    encoded = quote(name.encode("utf-8", "replace"), safe=_ATTR_CHAR)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
