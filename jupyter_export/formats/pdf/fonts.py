"""The fonts of one PDF file: text of any script comes in, glyphs and the fonts for them go out."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...registry import Surroundings
from . import embedding, font_files
from .columns import Column
from .embedding import CODES
from .face import Face
from .font_files import FontFile
from .lines import Lines
from .objects import PdfFile
from .shaping import PLAIN, Run, Shaped, invisible, plain, shaped

__all__ = ["Faces", "Mapped", "Run", "Shaped", "faces"]

_REMEMBERED = 4096
"""Texts whose glyphs are kept."""
_LONGEST = 200
"""Characters of a text that is worth keeping."""
_SPACES = str.maketrans(dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "))
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_JAPANESE = re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_KOREAN = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")


@dataclass(frozen=True)
class Mapped:
    """Glyphs for a column of cells."""

    fonts: np.ndarray
    """uint8[n]: which of ``resources`` draws the cell; 255: null, or ``Faces.runs`` has to."""
    resources: tuple[bytes, ...]
    operands: pa.StringArray
    """Operands of Tj: hex digits within “<>”; empty where 255."""
    widths: np.ndarray
    """float32[n] in 1/1000 em, 0 where 255."""


def faces(
    fonts: Sequence[str] = (), here: Surroundings | None = None, field: str = "format.font"
) -> Faces:
    """Return the faces for a file: named families or font files first, then what ships.

    Raises ``InvalidSpec``, ``NotFound`` or ``Forbidden`` for a font that is not there or whose
    licence forbids embedding it.
    """
    named = [font_files.pair(font_files.named(font, here, field)) for font in fonts]
    return Faces(named)


class Faces:
    """The faces of one file, which remember what they drew. Safe from several threads.

    Widths and heights are in 1/1000 em.
    """

    def __init__(self, named: Sequence[tuple[FontFile, FontFile]] = ()) -> None:
        self._faces: dict[FontFile, Face] = {}
        self._resources: dict[Face, bytes] = {}
        self._lock = threading.RLock()
        self._remembered: dict[tuple[str, bool], Shaped] = {}
        self._fallbacks: dict[tuple[str, str, bool], Face | None] = {}
        self._simple: dict[bool, bytes] = {}
        self._numbers: list[tuple[Face, int | None, int | None]] = []
        shipped = (font_files.shipped(False), font_files.shipped(True))
        self._chains = tuple(self._chain([*named, shipped], bold) for bold in (False, True))
        bases = [next(filter(_draws_ascii, chain)) for chain in self._chains]
        self._bases = (bases[0], bases[1])
        self._single = tuple(_single(base) for base in bases)
        self._widths = tuple(embedding.single_byte_widths(base) for base in bases)
        base = bases[0]
        self.ascent = embedding.ascent(base)
        self.descent = embedding.descent(base)
        self.cap_height = base.metric("OS/2", 88, least=96) or 700.0
        self.x_height = base.metric("OS/2", 86, least=96) or 500.0
        self._lines = Lines(self.runs)

    def _chain(self, families: Sequence[tuple[FontFile, FontFile]], bold: bool) -> tuple[Face, ...]:
        """Return the faces to ask in order; those of the wanted weight come first."""
        *named, shipped = [family[bold] for family in families]
        files = [*sorted(named, key=lambda file: file.bold != bold), shipped]
        if bold:
            # what a bold face lacks is rather drawn lighter than in another typeface
            files += [plain for plain, _ in families]
        return tuple(self._face(file, b"G") for file in dict.fromkeys(files))

    # -------------------------------------------------------------- single bytes

    def simple(self, bold: bool = False) -> bytes:
        """Return the name (without slash) of the font for strings in cp1252."""
        return self._simple.setdefault(bold, b"F1" if bold else b"F0")

    def widths(self, bold: bool = False) -> np.ndarray:
        """Return the widths of ``simple`` by code of cp1252 (float32[256])."""
        return self._widths[bold]

    def single(self, bold: bool = False) -> np.ndarray:
        """Return which codes of cp1252 ``simple`` draws (bool[256]).

        Of the typeface that ships: all but controls, the soft hyphen, which would be seen, and what
        cp1252 leaves open. What it does not draw is for ``runs``.
        """
        return self._single[bold]

    # -------------------------------------------------------------- any text

    def runs(self, text: str, bold: bool = False) -> Shaped:
        """Return ``text`` as glyphs. Tabs and ends of lines are drawn as spaces."""
        key = (text, bold)
        known = self._remembered.get(key)
        if known is not None:
            return known
        found = self._runs(text.translate(_SPACES), bold)
        if len(text) <= _LONGEST:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def width(self, text: str, bold: bool = False) -> float:
        return self.runs(text, bold).width

    def fitted(self, text: str, room: float, bold: bool = False) -> tuple[Shaped, bool]:
        """Return ``text``, or as much of it as fits into ``room`` with “…”, and whether it was cut.

        Cut at the end of the text in reading order, never within a cluster.
        """
        return self._lines.fitted(text, room, bold)

    def lines(self, text: str, room: float, bold: bool = False) -> list[str]:
        """Return ``text`` in lines of at most ``room``, at least one character each."""
        return self._lines.wrapped(text, room, bold)

    def _runs(self, text: str, bold: bool) -> Shaped:
        if not text:
            return Shaped((), 0.0)
        if PLAIN.fullmatch(text):
            run = self._plain(text, bold)
            if run is not None:
                return Shaped((run,), run.width)
        han = _han(text)

        def face_for(stretch: str) -> Face | None:
            return self._covering(stretch, han, bold)

        return shaped(text, face_for, self._resources.__getitem__, self._chains[bold][-1])

    def _plain(self, text: str, bold: bool) -> Run | None:
        """Return the run of a plain text that one face draws."""
        for face in self._chains[bold]:
            try:
                return plain(text, face, self._resources[face])
            except KeyError:
                continue
        other = self._beyond(text, bold)
        try:
            return None if other is None else plain(text, other, self._resources[other])
        except KeyError:
            return None

    def _beyond(self, text: str, bold: bool) -> Face | None:
        """Return the face of the system for the first character that needs one."""
        chain = self._chains[bold]
        han = _han(text)
        for char in text:
            if not any(ord(char) in face.coverage for face in chain):
                return self._fallback(char, han, bold)
        return None

    def _covering(self, stretch: str, han: str, bold: bool) -> Face | None:
        """Return the face that has all of a stretch, if there is one."""
        if _CONTROLS.search(stretch):
            return None
        codes = {ord(char) for char in set(stretch) if not invisible(char)}
        chain = self._chains[bold]
        for face in chain:
            if all(map(face.covers, codes)):
                return face
        for code in sorted(codes):
            if not any(code in face.coverage for face in chain):
                fallback = self._fallback(chr(code), han, bold)
                if fallback is not None and all(map(fallback.covers, codes)):
                    return fallback
                return None
        return None

    def _fallback(self, char: str, han: str, bold: bool) -> Face | None:
        """Return the face of the system for a character."""
        key = (char, han, bold)
        try:
            return self._fallbacks[key]
        except KeyError:
            file = font_files.covering(char, han, bold)
            face = self._face(file, b"H") if file is not None else None
            self._fallbacks[key] = face
            return face

    def _face(self, file: FontFile, letter: bytes) -> Face:
        with self._lock:
            face = self._faces.get(file)
            if face is None:
                face = self._faces[file] = Face(file)
                if letter == b"G":
                    resource = b"G%d" % len(self._resources)
                else:
                    # by its name, not by when it was met: the same data give the same file
                    told = f"{file.postscript_name} {file.index} {file.path.name}".encode()
                    resource = b"H%08X" % zlib.crc32(told)
                self._resources[face] = resource
            return face

    # -------------------------------------------------------------- a column at a time

    def mapped(self, cells: pa.StringArray | pa.LargeStringArray, bold: bool = False) -> Mapped:
        """Return the glyphs of plain cells that one face draws; the others are left to ``runs``."""
        column = Column(cells)
        resources: list[bytes] = []
        for face in self._chains[bold]:
            resources.append(self._resources[face])
            column.draw(face, len(resources) - 1)
        for _ in range(4):
            text = column.next_text()
            if text is None:
                break
            found = self._beyond(text, bold)
            if found is not None:
                resources.append(self._resources[found])
                column.draw(found, len(resources) - 1, _han(text))
            column.skip(text)
        return Mapped(column.fonts, tuple(resources), column.operands(), column.widths())

    # -------------------------------------------------------------- the file

    def resource_dictionary(self, pdf: PdfFile) -> bytes:
        """Return the entry Font of a resource dictionary (7.8.3), of all that was drawn so far.

        Its fonts get numbers, which ``write`` fills.
        """
        with self._lock:
            entries = {}
            self._numbers = []
            for face, resource in sorted(self._resources.items(), key=lambda item: item[1]):
                simple = None
                for bold, base in enumerate(self._bases):
                    if base is face and bool(bold) in self._simple:
                        # one face may be both
                        simple = pdf.reserve() if simple is None else simple
                        entries[self._simple[bool(bold)]] = simple
                composite = None
                if face.used_glyphs():
                    composite = entries[resource] = pdf.reserve()
                if simple is not None or composite is not None:
                    self._numbers.append((face, simple, composite))
        fonts = b" ".join(b"/%b %d 0 R" % entry for entry in entries.items())
        return b"/Font << %b >>" % fonts

    def write(self, pdf: PdfFile) -> Iterator[bytes]:
        """Yield the objects of the fonts that ``resource_dictionary`` named."""
        for face, simple, composite in self._numbers:
            yield from embedding.fonts(pdf, face, simple, composite)


def _draws_ascii(face: Face) -> bool:
    return all(code in face.coverage for code in range(0x20, 0x7F))


def _single(face: Face) -> np.ndarray:
    found = np.zeros(256, np.bool_)
    for code, point in CODES.items():
        found[code] = code != 0xAD and point in face.coverage
    return found


def _han(text: str) -> str:
    """Return whose forms of Han characters a text wants (see ``font_files.covering``)."""
    if _JAPANESE.search(text):
        return "JP"
    return "KR" if _KOREAN.search(text) else "SC"
