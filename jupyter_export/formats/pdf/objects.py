"""Objects of a PDF file (ISO 32000-1, 7.3 and 7.5), written as a stream.

Nothing is looked at twice: every call returns the next bytes of the file, and all that is kept is
where each object starts.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .encryption import Encryption

_FREE, _HERE, _PACKED = 0, 1, 2
"""Kinds of entries in a cross-reference stream (table 18)."""
_PLAIN = re.compile(r"[ -~]*")
_ESCAPED = str.maketrans({"\\": r"\\", "(": r"\(", ")": r"\)"})
_REGULAR = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!\"$&'*+,-.:;=?@\\^_`|~"
)


def number(value: float) -> bytes:
    """Return a number (7.3.3): no exponent, at most four digits behind the point."""
    written = f"{value:.4f}".rstrip("0").rstrip(".")
    return b"0" if written == "-0" else written.encode("ascii")


def name(text: str) -> bytes:
    """Return a name (7.3.5) of the UTF-8 bytes of ``text``."""
    return b"/" + b"".join(
        bytes((byte,)) if byte in _REGULAR else b"#%02X" % byte for byte in text.encode("utf-8")
    )


def text_string(string: str) -> bytes:
    """Return a text string (7.9.2.2): ASCII, which PDFDocEncoding contains, or UTF-16BE."""
    if _PLAIN.fullmatch(string):
        return b"(" + string.translate(_ESCAPED).encode("ascii") + b")"
    return b"<" + _utf16(string).hex().upper().encode("ascii") + b">"


def _utf16(string: str) -> bytes:
    return b"\xfe\xff" + string.encode("utf-16-be", "replace")


class PdfFile:
    """Writer of one file.

    What ``header``, ``object``, ``stream``, ``place``, ``packed`` and ``finish`` return is written
    once, in the order of the calls, which all come from one thread. ``sealed`` and ``text`` may be
    called from any.
    """

    def __init__(self, encryption: Encryption | None = None) -> None:
        self._encryption = encryption
        self._kinds = array("B", [_FREE])
        self._places = array("Q", [0])
        """Offset of the object, or number of the object stream that it is in."""
        self._indices = array("H", [0xFFFF])
        """Place in the object stream; 65535 is the generation of object 0 (7.5.4)."""
        self.offset = 0
        """Bytes returned so far."""

    def header(self) -> bytes:
        """Return the first lines (7.5.2). Encryption of revision 6 came with version 2.0."""
        version = b"2.0" if self._encryption is not None else b"1.7"
        return self._out(b"%PDF-" + version + b"\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self, count: int = 1) -> int:
        """Return the first of ``count`` object numbers; a few may stay free, never written."""
        first = len(self._kinds)
        self._kinds.extend(bytes(count))
        self._places.frombytes(bytes(8 * count))
        self._indices.frombytes(bytes(2 * count))
        return first

    def object(self, number: int, body: bytes) -> bytes:
        """Return an indirect object (7.3.10)."""
        return self.place(number, b"%d 0 obj\n%b\nendobj\n" % (number, body))

    def stream(self, number: int, data: bytes, extra: bytes = b"", compress: bool = True) -> bytes:
        """Return a stream (7.3.8); ``extra`` are the entries of its dictionary beside ours."""
        return self.place(number, self.sealed(number, data, extra, compress))

    def sealed(self, number: int, data: bytes, extra: bytes = b"", compress: bool = True) -> bytes:
        """Return a stream that ``place`` will give its place: the costly part, for any thread."""
        return self._sealed(number, data, extra, compress, encrypt=True)

    def place(self, number: int, sealed: bytes) -> bytes:
        """Return ``sealed``, and keep that the object is here."""
        self._at(number, _HERE, self.offset)
        return self._out(sealed)

    def packed(self, members: Sequence[tuple[int, bytes]]) -> bytes:
        """Return an object stream (7.5.7) of ``members``: (number, body), none of them a stream.

        Their strings are not encrypted one by one: ``text(…, packed=True)``.
        """
        if not members:
            return b""
        container = self.reserve()
        starts = []
        at = 0
        for index, (member, body) in enumerate(members):
            self._at(member, _PACKED, container, index)
            starts.append(b"%d %d" % (member, at))
            at += len(body) + 1
        head = b" ".join(starts) + b"\n"
        data = head + b"\n".join(body for _, body in members)
        extra = b"/Type /ObjStm /N %d /First %d" % (len(members), len(head))
        return self.stream(container, data, extra)

    def text(self, string: str, packed: bool = False) -> bytes:
        """Return a text string for a dictionary, encrypted if the file is (never in contents)."""
        if self._encryption is None or packed:
            return text_string(string)
        plain = string.encode("ascii") if _PLAIN.fullmatch(string) else _utf16(string)
        return b"<" + self._encryption.encrypt(plain).hex().encode("ascii") + b">"

    def finish(self, root: int, info: int | None = None) -> bytes:
        """Return the end: encryption dictionary, cross-reference stream (7.5.8), trailer."""
        end = []
        trailer = b"/Root %d 0 R" % root
        if info is not None:
            trailer += b" /Info %d 0 R" % info
        if self._encryption is not None:
            encrypt = self.reserve()
            end.append(self.object(encrypt, self._encryption.dictionary()))
            trailer += b" /Encrypt %d 0 R" % encrypt
        table = self.reserve()
        start = self.offset
        self._at(table, _HERE, start)
        rows = self._rows()
        # Two equal halves: the file was not changed since it was made (14.4). What was written
        # stands in the places of its objects, so equal files have equal identifiers.
        identity = hashlib.sha256(rows.tobytes() + trailer).hexdigest()[:32].encode("ascii")
        # each row as its difference from the one above (predictor 12), which deflates far better
        differences = np.full((len(rows), 9), 2, np.uint8)
        differences[:, 1:] = rows
        differences[1:, 1:] -= rows[:-1]
        extra = b"/Type /XRef /Size %d /W [1 5 2] %b /ID [<%b> <%b>]" % (
            len(rows),
            trailer,
            identity,
            identity,
        )
        extra += b" /DecodeParms << /Predictor 12 /Columns 8 >>"
        end.append(self._out(self._sealed(table, differences.tobytes(), extra, True, False)))
        end.append(self._out(b"startxref\n%d\n%%%%EOF\n" % start))
        return b"".join(end)

    def _sealed(
        self, number: int, data: bytes, extra: bytes, compress: bool, encrypt: bool
    ) -> bytes:
        if compress:
            from isal import isal_zlib

            data = isal_zlib.compress(data, level=1)
            extra += b" /Filter /FlateDecode"
        if encrypt and self._encryption is not None:
            data = self._encryption.encrypt(data)
        head = b"%d 0 obj\n<< %b /Length %d >>\nstream\n" % (number, extra.lstrip(), len(data))
        return b"".join((head, data, b"\nendstream\nendobj\n"))

    def _at(self, number: int, kind: int, place: int, index: int = 0) -> None:
        if self._kinds[number] != _FREE or not number:
            raise ValueError(f"object {number} is written twice")
        self._kinds[number] = kind
        self._places[number] = place
        self._indices[number] = index

    def _rows(self) -> np.ndarray:
        """Return the entries as rows of 8 bytes: kind 1, place 5, index 2 (big-endian)."""
        rows = np.empty((len(self._kinds), 8), np.uint8)
        rows[:, 0] = np.frombuffer(self._kinds, np.uint8)
        places = np.frombuffer(self._places, np.uint64).astype(">u8")
        rows[:, 1:6] = places.view(np.uint8).reshape(-1, 8)[:, 3:]
        indices = np.frombuffer(self._indices, np.uint16).astype(">u2")
        rows[:, 6:] = indices.view(np.uint8).reshape(-1, 2)
        return rows

    def _out(self, data: bytes) -> bytes:
        self.offset += len(data)
        return data
