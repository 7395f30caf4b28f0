"""One face of a font as a PDF uses it: its glyphs, their widths, and which of them were drawn."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .font_files import FontFile

REPLACEMENT = "\ufffd"
_ARABIC_FORMS = ((0xFB50, 0xFDFF), (0xFE70, 0xFEFF))


class Face:
    """An open face. Glyph numbers are those of the font file; widths are in 1/1000 em.

    May be used from several threads.
    """

    def __init__(self, file: FontFile) -> None:
        import uharfbuzz

        self.file = file
        self.font: Any = uharfbuzz.Font(file.face)
        if file.bold_variation:
            self.font.set_variations({"wght": 700})
        self.scale: float = 1000 / file.face.upem
        self.coverage: Any = file.coverage
        self.covers: Callable[[int], bool] = file.coverage.__contains__
        self.used = bytearray(65536)
        """Glyphs that were drawn (1)."""
        self.drawn: set[str] = set()
        """Characters of ``hexed`` that were drawn."""
        self.hexed = _Hexed(self)
        """Character -> (four hex digits, width), of those whose glyph reads back as them."""
        self.words: dict[tuple[str, bool], Any] = {}
        """(word, from right to left) -> its runs, where words are shaped; see ``shaping``."""
        self._texts: dict[int, str] = {}
        self._known_widths: dict[int, float] = {}
        self._lock = threading.Lock()

    def glyph(self, code: int) -> int:
        """Return the glyph of a code point, 0 for none."""
        glyph: int | None = self.font.get_nominal_glyph(code)
        return glyph or 0

    def width(self, glyph: int) -> float:
        known = self._known_widths.get(glyph)
        if known is None:
            known = self._known_widths[glyph] = self._width(glyph)
        return known

    def _width(self, glyph: int) -> float:
        advance: int = self.font.get_glyph_h_advance(glyph)
        return round(advance * self.scale, 2)

    def text_of(self, glyph: int, met: str = "") -> str:
        """Return what ``glyph`` reads back as; ``met`` is what it was first drawn for.

        One glyph may stand for several characters (Ω and the sign of ohm): then it reads as the
        one that Unicode prefers, the others need an ActualText (14.9.4).
        """
        known = int(self._canonical[glyph])
        if known:
            return chr(known)
        with self._lock:
            return self._texts.setdefault(glyph, met)

    @cached_property
    def glyphs(self) -> np.ndarray:
        """Code point -> glyph (uint16), 0 where there is none that reads back as it.

        Of plain text only: Arabic letters have a glyph for each place in a word.
        """
        found = np.zeros(0x110000, np.uint16)
        glyphs = np.flatnonzero(self._canonical)
        found[self._canonical[glyphs]] = glyphs
        found[0x600:0x800] = 0
        return found

    def draw(self, glyphs: np.ndarray) -> None:
        """Mark glyphs as drawn."""
        np.frombuffer(self.used, np.uint8)[glyphs] = 1

    @cached_property
    def widths(self) -> np.ndarray:
        """Glyph -> width (float32[65536])."""
        found = np.zeros(65536, np.float32)
        for glyph in range(self.file.face.glyph_count):
            found[glyph] = self._width(glyph)
        return found

    @cached_property
    def _canonical(self) -> np.ndarray:
        """Glyph -> the code point that it reads back as (uint32), 0 for none."""
        found: dict[int, int] = {}
        for code in self.coverage:
            glyph = self.glyph(code)
            if not glyph:
                continue
            if any(first <= code <= last for first, last in _ARABIC_FORMS):
                # Joined forms are drawn for the letters themselves. A ligature stays one character:
                # readers turn text from the right round, and only then take it apart.
                letters = unicodedata.normalize("NFKC", chr(code)).strip()
                code = ord(letters) if len(letters) == 1 else code
            other = found.get(glyph)
            if other is None or _preference(code) < _preference(other):
                found[glyph] = code
        texts = np.zeros(65536, np.uint32)
        texts[list(found)] = list(found.values())
        return texts

    def used_glyphs(self) -> list[int]:
        """Return the glyphs that were drawn, in order."""
        drawn = {int(self.hexed[char][0], 16) for char in self.drawn.copy()}
        return sorted(drawn.union(np.flatnonzero(np.frombuffer(self.used, np.uint8)).tolist()))

    def metric(self, table: str, place: int, least: int = 0) -> float | None:
        """Return a signed number of 16 bits of a table in 1/1000 em, if the table has it."""
        if table not in self.file.tables:
            return None
        data = bytes(self.file.face.reference_table(table).data)
        if len(data) < max(place + 2, least):
            return None
        return int.from_bytes(data[place : place + 2], "big", signed=True) * self.scale


def _preference(code: int) -> tuple[bool, bool, bool, int]:
    """Return a key by which the character that is meant comes before those that look like it."""
    return (
        unicodedata.normalize("NFKC", chr(code)) != chr(code),
        0x2E80 <= code <= 0x2FDF,  # radicals of Han characters
        0x3400 <= code <= 0x4DBF or code > 0xFFFF,  # their extensions, which are rare
        code,
    )


class _Hexed(dict[str, tuple[str, float]]):
    """What ``Face.hexed`` holds: looked up in the font at the first use of each character."""

    def __init__(self, face: Face) -> None:
        super().__init__()
        self._face = face

    def __missing__(self, char: str) -> tuple[str, float]:
        face = self._face
        glyph = int(face.glyphs[ord(char)])
        if not glyph:
            raise KeyError(char)
        found = self[char] = (f"{glyph:04X}", face.width(glyph))
        return found
