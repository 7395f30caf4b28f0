"""Text cut or broken to a width: by the widths of its glyphs, never within a cluster."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from .shaping import Shaped, invisible

ELLIPSIS = "…"
_NARROWEST = 100
"""1/1000 em: no text has more characters on a line than of this width fit."""
_UNITS = re.compile(
    # a stretch without spaces and CJK, or one character of CJK with the signs that stay at it
    r"[^\s\u200b\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]+[\s\u200b]*"
    r"|[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]"
    r"[\u3001\u3002\u300b\u300d\u300f\u3011\u3015\u30fc\uff01\uff09\uff0c\uff1a\uff1b\uff1f]*[\s\u200b]*"
    r"|[\s\u200b]+"
)


class Lines:
    """Cuts and breaks text that ``measure`` shapes."""

    def __init__(self, measure: Callable[[str, bool], Shaped]) -> None:
        self._shaped = measure

    def fitted(self, text: str, room: float, bold: bool) -> tuple[Shaped, bool]:
        """Return the text or its start and “…”, and whether it was cut; see ``Faces.fitted``."""
        most = int(room / _NARROWEST) + 2
        if len(text) <= 4 * most:
            whole = self._shaped(text, bold)
            if whole.width <= room:
                return whole, False
        best = self._shaped(ELLIPSIS, bold)
        low, high = 0, min(len(text), most)
        while low < high:
            middle = (low + high + 1) // 2
            start = text[: _whole_clusters(text, middle)].rstrip()
            tried = self._shaped(start + ELLIPSIS, bold)
            if tried.width <= room:
                low, best = middle, tried
            else:
                high = middle - 1
        return best, True

    def wrapped(self, text: str, room: float, bold: bool) -> list[str]:
        """Return the lines of ``text``; see ``Faces.lines``."""
        return [
            line
            for paragraph in text.splitlines() or [""]
            for line in self._paragraph(paragraph, room, bold)
        ]

    def _paragraph(self, text: str, room: float, bold: bool) -> list[str]:
        lines = []
        line = ""
        used = 0.0
        for unit in _UNITS.findall(text):
            width = self._width(unit.rstrip(), bold)
            if line and used + width > room:
                lines.append(line.rstrip())
                line, used = "", 0.0
            while width > room and len(unit) > 1:
                end = self._most(unit, room, bold)
                if end >= len(unit.rstrip()):
                    break
                lines.append(unit[:end])
                unit = unit[end:]
                width = self._width(unit.rstrip(), bold)
            line += unit
            used += self._width(unit, bold)
        lines.append(line.rstrip())
        return lines

    def _most(self, unit: str, room: float, bold: bool) -> int:
        """Return how many characters of a word fit on a line of its own, at least one cluster."""
        low, high = 0, min(len(unit), int(room / _NARROWEST) + 2)
        while low < high:
            middle = (low + high + 1) // 2
            if self._width(unit[: _whole_clusters(unit, middle)], bold) <= room:
                low = middle
            else:
                high = middle - 1
        end = _whole_clusters(unit, low)
        while end == 0 or (end < len(unit) and _joined(unit, end)):
            end += 1
        return end

    def _width(self, text: str, bold: bool) -> float:
        return self._shaped(text, bold).width if text else 0.0


def _whole_clusters(text: str, end: int) -> int:
    """Return the last place up to ``end`` where ``text`` may be cut."""
    while 0 < end < len(text) and _joined(text, end):
        end -= 1
    return end


def _joined(text: str, place: int) -> bool:
    """Tell whether the characters on both sides of ``place`` are one to a reader (UAX #29)."""
    after, before = text[place], text[place - 1]
    return (
        unicodedata.category(after).startswith("M")
        or invisible(after)
        or before == "\u200d"
        or 0x1F3FB <= ord(after) <= 0x1F3FF
        # the sign that stacks the next consonant in the scripts of India
        or (unicodedata.combining(before) == 9 and after.isalpha())
    )
