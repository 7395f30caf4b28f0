"""Text of any script as glyphs in their places: directions, fonts, joined and stacked forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from . import bidi
from .face import REPLACEMENT, Face
from .objects import number, text_string

PLAIN_RANGES = (
    *((0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x2FF)),  # Latin
    *((0x370, 0x482), (0x48A, 0x52F), (0x531, 0x58F), (0x10A0, 0x10FF)),  # Greek … Georgian
    *((0x1E00, 0x1FFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF)),  # their extensions
    *((0x2010, 0x2027), (0x202F, 0x205E), (0x2070, 0x20BF), (0x2100, 0x2BFF)),  # signs
    *((0x2E80, 0x3029), (0x3030, 0x3098), (0x309B, 0xA4CF), (0xAC00, 0xD7A3)),  # CJK
    *((0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF01, 0xFF60), (0xFFE0, 0xFFE6)),
    (0x20000, 0x3FFFF),
)
"""Code points that are drawn one glyph after the other, each at its own width, left to right."""
PLAIN = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in PLAIN_RANGES)}]*")
_WORDS = re.compile(r"\S+\s*|\s+")
_LONGEST_WORD = 64
_WORDS_KEPT = 8192
_ALPHABETS = frozenset(("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN"))
_NO_LIGATURES = {"liga": False, "clig": False, "kern": False}
"""Letters keep their widths and read back one by one, as in plain text."""


class Piece(NamedTuple):
    """Glyphs at one height that are read in one way."""

    operand: bytes
    """Of Tj, or of TJ if it starts with “[”."""
    rise: float = 0.0
    """Height above the baseline in 1/1000 em."""
    actual: bytes = b""
    """A text string for readers, where the glyphs alone would read otherwise."""


@dataclass(frozen=True, slots=True)
class Run:
    """Glyphs of one font, in the order in which they are drawn."""

    resource: bytes
    """The font's name in the resources, without a slash."""
    pieces: tuple[Piece, ...]
    width: float
    """In 1/1000 em."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A line of text ready to be drawn from left to right."""

    runs: tuple[Run, ...]
    width: float
    """In 1/1000 em."""
    missing: str = ""
    """Characters that no font has, each as often as it stands in the text."""
    rtl: bool = False
    """The text as a whole goes from right to left."""

    def show(self, size: bytes) -> bytes:
        """Return the operators (9.4.3) that draw it within BT and ET, in a font size in points.

        They choose fonts (Tf); the text rise is 0 afterwards as before.
        """
        parts: list[bytes] = []
        chosen = b""
        for run in self.runs:
            if run.resource != chosen:
                chosen = run.resource
                parts.append(b"/%b %b Tf" % (chosen, size))
            _show(run, size, parts)
        return b" ".join(parts)


def _show(run: Run, size: bytes, parts: list[bytes]) -> None:
    risen = 0.0
    span = b""
    for operand, rise, actual in run.pieces:
        if span and actual != span:
            parts.append(b"EMC")
        if actual and actual != span:
            parts.append(b"/Span << /ActualText %b >> BDC" % actual)
        span = actual
        if rise != risen:
            parts.append(number(rise * float(size) / 1000) + b" Ts")
            risen = rise
        parts.append(operand + (b" TJ" if operand[:1] == b"[" else b" Tj"))
    if span:
        parts.append(b"EMC")
    if risen:
        parts.append(b"0 Ts")


@dataclass(frozen=True, slots=True)
class _Segment:
    text: str
    level: int
    face: Face | None
    """None: nothing draws it."""


FaceFor = Callable[[str], "Face | None"]


def plain(text: str, face: Face, resource: bytes) -> Run:
    """Return the run of ``text`` that ``PLAIN`` matches and ``face`` draws (else KeyError)."""
    found = list(map(face.hexed.__getitem__, text))
    face.drawn.update(text)
    operand = f"<{''.join([digits for digits, _ in found])}>".encode("ascii")
    return Run(resource, (Piece(operand),), sum([width for _, width in found]))


def shaped(
    text: str, face_for: FaceFor, resource_of: Callable[[Face], bytes], spare: Face
) -> Shaped:
    """Return ``text`` shaped by HarfBuzz.

    ``face_for`` returns the face for a stretch of text in one script, or None when none has all
    of it; ``spare`` draws the sign for what is missing.
    """
    levels, base = bidi.levels(text)
    segments: list[_Segment] = []
    for start, end in _stretches(text, levels):
        for segment in _with_faces(text[start:end], levels[start], face_for):
            # words come again, and do not change their neighbours
            words = _WORDS.findall(segment.text)
            segments += [_Segment(word, segment.level, segment.face) for word in words]
    runs: list[Run] = []
    missing = []
    for place in bidi.visual([segment.level for segment in segments]):
        segment = segments[place]
        if segment.face is None:
            runs.append(_replaced(segment, spare, resource_of(spare)))
            missing.append(segment.text)
        else:
            runs += _word(segment.text, segment.level % 2 == 1, segment.face, resource_of)
    return Shaped(tuple(runs), sum(run.width for run in runs), "".join(missing), bool(base))


def _stretches(text: str, levels: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the ends of the stretches of one level and one script."""
    start = 0
    script = ""
    level = levels[0]
    for place, (other, its_level) in enumerate(zip(map(_script, text), levels, strict=True)):
        if its_level != level or (other and script and other != script):
            yield start, place
            start, script, level = place, other, its_level
        elif other:
            script = other
    yield start, len(text)


@lru_cache(8192)
def _script(char: str) -> str:
    """Return the script of a letter, "" for what goes with its neighbours.

    The names of letters start with their script.
    """
    if unicodedata.category(char)[0] != "L":
        return ""
    first = unicodedata.name(char, "").partition(" ")[0]
    return "" if first in ("MODIFIER", "") else first


def _with_faces(text: str, level: int, face_for: FaceFor) -> list[_Segment]:
    """Return ``text`` in segments that one face draws each."""
    whole = face_for(text)
    if whole is not None:
        return [_Segment(text, level, whole)]
    segments: list[_Segment] = []
    for char in text:
        last = segments[-1] if segments else None
        joined = last is not None and last.face is not None and _joins(char, last.face)
        face = last.face if last is not None and joined else face_for(char)
        if last is not None and last.face is face:
            segments[-1] = _Segment(last.text + char, level, face)
        else:
            segments.append(_Segment(char, level, face))
    # the segments of a stretch from right to left stand in that order too
    return segments


def _joins(char: str, face: Face) -> bool:
    """Tell whether ``char`` should be drawn in the face of what stands before it."""
    return invisible(char) or (not _script(char) and ord(char) in face.coverage)


@lru_cache(8192)
def invisible(char: str) -> bool:
    """Tell whether a character is one that shapes its neighbours and has no ink of its own."""
    return (
        unicodedata.category(char) == "Cf"
        or char in "\u034f\u115f\u1160\u17b4\u17b5"
        or (0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF)
    )


def _replaced(segment: _Segment, spare: Face, resource: bytes) -> Run:
    """Return a sign for each character that is missing, which reads back as the character."""
    glyph = spare.glyph(ord(REPLACEMENT))
    spare.used[glyph] = 1
    text = segment.text
    operand = b"<" + b"%04X" % glyph * len(text) + b">"
    readable = all(unicodedata.category(char) not in ("Cc", "Cs") for char in text)
    actual = text_string(text) if readable else b""
    return Run(resource, (Piece(operand, actual=actual),), spare.width(glyph) * len(text))


def _word(
    text: str, rtl: bool, face: Face, resource_of: Callable[[Face], bytes]
) -> tuple[Run, ...]:
    """Return the run of a word, and remember it; none where all of it is invisible."""
    if not rtl and PLAIN.fullmatch(text):
        try:
            return (plain(text, face, resource_of(face)),)
        except KeyError:
            pass  # a glyph that reads back otherwise
    known: tuple[Run, ...] | None = face.words.get((text, rtl))
    if known is None:
        known = _run(text, rtl, face, resource_of(face))
        if len(text) <= _LONGEST_WORD:
            if len(face.words) >= _WORDS_KEPT:
                face.words.clear()
            face.words[(text, rtl)] = known
    return known


class _Glyph(NamedTuple):
    number: int
    cluster: int
    advance: float
    x: float
    y: float


def _run(text: str, rtl: bool, face: Face, resource: bytes) -> tuple[Run, ...]:
    import uharfbuzz

    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.direction = "rtl" if rtl else "ltr"
    buffer.guess_segment_properties()
    buffer.flags = uharfbuzz.BufferFlags.REMOVE_DEFAULT_IGNORABLES
    script = next(filter(None, map(_script, text)), "LATIN")
    uharfbuzz.shape(face.font, buffer, _NO_LIGATURES if script in _ALPHABETS else {})
    scale = face.scale
    glyphs = [
        _Glyph(
            info.codepoint,
            info.cluster,
            round(advance * scale, 2),
            round(x * scale, 2) if x else 0.0,
            round(y * scale, 2) if y else 0.0,
        )
        for info, (x, y, advance, _) in zip(
            buffer.glyph_infos, (p.position for p in buffer.glyph_positions), strict=True
        )
    ]
    if not glyphs:
        return ()
    writer = _PieceWriter(face)
    for part, cluster in _clusters(text, glyphs):
        read = _read_back(part, face, cluster, rtl)
        writer.add(cluster, b"" if read else text_string(part))
    return (Run(resource, writer.finish(), sum([glyph.advance for glyph in glyphs])),)


def _clusters(text: str, glyphs: Sequence[_Glyph]) -> Iterator[tuple[str, list[_Glyph]]]:
    """Yield (text, glyphs) of each cluster in the order in which they are drawn."""
    starts = sorted({glyph.cluster for glyph in glyphs})
    ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
    for start, cluster in groupby(glyphs, key=lambda glyph: glyph.cluster):
        # what stands before the first cluster left no glyph
        yield text[start if start > starts[0] else 0 : ends[start]], list(cluster)


def _read_back(text: str, face: Face, cluster: Sequence[_Glyph], rtl: bool) -> bool:
    """Tell whether the glyphs alone read back as ``text``."""
    met = text if len(cluster) == 1 else ""
    parts = [face.text_of(glyph.number, met) for glyph in cluster]
    for glyph in cluster:
        face.used[glyph.number] = 1
    read = "".join(reversed(parts) if rtl else parts)
    if read == text or not rtl:
        return read == text
    # a bracket that opens to the left is drawn as one that closes; readers turn it back
    turned = len(read) == len(text) == 1 and all(map(unicodedata.mirrored, read + text))
    return turned or unicodedata.normalize("NFKC", read) == text


class _PieceWriter:
    """Writes glyphs one after the other, and moves those that stand elsewhere."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._pieces: list[Piece] = []
        self._row: list[bytes] = []
        self._digits = bytearray()
        self._rise = 0.0
        self._actual = b""
        self._shift = 0.0
        """What the next glyph has to be moved by, from the end of the last one."""

    def add(self, cluster: Sequence[_Glyph], actual: bytes) -> None:
        """Write the glyphs of a cluster that reads as ``actual``, or as its glyphs do."""
        for glyph in cluster:
            if glyph.y != self._rise or actual != self._actual:
                self._end_piece()
                self._rise, self._actual = glyph.y, actual
            self._shift += glyph.x
            self._move()
            self._digits += b"%04X" % glyph.number
            width = self._face.width(glyph.number)
            self._shift += glyph.advance - glyph.x - width

    def finish(self) -> tuple[Piece, ...]:
        self._move()
        self._end_piece()
        return tuple(self._pieces)

    def _move(self) -> None:
        if abs(self._shift) >= 0.01:
            self._end_digits()
            self._row.append(number(-self._shift))
            self._shift = 0.0

    def _end_digits(self) -> None:
        if self._digits:
            self._row.append(b"<" + self._digits + b">")
            self._digits.clear()

    def _end_piece(self) -> None:
        self._end_digits()
        if self._row:
            alone = len(self._row) == 1 and self._row[0][:1] == b"<"
            operand = self._row[0] if alone else b"[" + b" ".join(self._row) + b"]"
            self._pieces.append(Piece(operand, self._rise, self._actual))
            self._row = []
