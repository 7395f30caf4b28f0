"""Where in a line, or a cell, an error is: a caret under the very word that is wrong."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ..errors import ExportError, InvalidRequest, NotFound, OutputExists
from .flags import FLAGS
from .pieces import pieces
from .typed import Word

E = TypeVar("E", bound=ExportError)
WIDEST = 96
"""Columns of a terminal that a line is shown in; a longer one is cut on both sides."""
_QUOTED = re.compile(r"“([^”]+)”|\"([^\"]+)\"|'([^']+)'")
_PLACE = re.compile(r"(?:datasets\[(\d+)\]\.)?([a-z_]\w*)(?:\[(\d+)\])?(?:\.(.*))?", re.DOTALL)
_LOGIN = re.compile(r"(://[^\s/@:]*:)([^\s/@]+)(?=@)")
_FLAG = re.compile(r"--[a-z][a-z-]*")


class Span(NamedTuple):
    """From ``start`` to before ``end``, in characters."""

    start: int
    end: int


@dataclass(frozen=True)
class Given:
    """A flag of a line, with the word that is its value."""

    flag: str
    span: Span
    value: Word | None = None

    @property
    def text(self) -> str:
        return self.value.text if self.value is not None else ""

    @property
    def whole(self) -> Span:
        """The value, or the flag where it has none."""
        return self.span if self.value is None else span_of(self.value)


@dataclass(frozen=True)
class Places:
    """Where the words and the flags of a line stand."""

    line: str = ""
    words: tuple[Word, ...] = ()
    flags: tuple[Given, ...] = ()

    def of(self, *names: str) -> list[Given]:
        return [each for each in self.flags if each.flag in names]


def at(error: E, span: Span | None) -> E:
    """Note where in its line ``error`` is."""
    if span is not None:
        vars(error)["line_span"] = span
    return error


@dataclass(frozen=True)
class Excerpt:
    """A place in a text of several lines: a cell's SQL, a file."""

    text: str
    span: Span
    first: int = 1
    """The number of the text's first line."""

    def shown(self, *, colour: bool = False) -> str:
        """Return its line, with its number, and carets under the place."""
        number = self.first + self.text.count("\n", 0, self.span.start)
        return sketch(self.text, self.span, before=f"{number} │ ", colour=colour)


def with_excerpt(error: E, excerpt: Excerpt) -> E:
    """Note where in a cell or a file ``error`` is."""
    vars(error)["excerpt"] = excerpt
    return error


def excerpt_of(error: ExportError) -> Excerpt | None:
    """Return where in a cell or a file the error is, if anybody knew."""
    found: Excerpt | None = vars(error).get("excerpt")
    return found


def of_cell(cell: str, span: Span) -> Excerpt:
    """Return a place in the text of a cell, whose first line is that of the magic."""
    return Excerpt(cell, span, first=2)


def span_of(word: Word, start: int = 0, end: int | None = None) -> Span:
    """Return where the letters ``start`` to ``end`` of a word stand; its quotes are left out."""
    last = len(word.text) if end is None else end
    if last <= start:
        return Span(word.start, max(word.end, word.start + 1))
    return Span(word.places[start], word.places[last - 1] + 1)


# ----------------------------------------------------------------- of a line


def locate(error: ExportError, places: Places) -> Span | None:
    """Return where in the line the error is: what raised it said so, its field is that of a flag,
    or it quotes a word. None where the line is not to blame."""
    noted: Span | None = vars(error).get("line_span")
    if noted is not None:
        return noted
    if error.field:
        found = _by_field(error, places)
        if found is not None:
            return found
    elif not isinstance(error, (InvalidRequest, NotFound, OutputExists)):
        return None
    named = _FLAG.match(error.message)
    if named:
        return next((_inside(each, error) for each in places.of(named[0])), None)
    return _in_words(error, places)


def locate_beside(error: ExportError, places: Places, path: str | None) -> Span | None:
    """As ``locate``, of a line that names a document: only its flags, and its ``path`` where it
    has one, can be to blame, since all else stands in the document."""
    words = places.words[-1:] if path is not None else ()
    return locate(error, Places(places.line, words, places.flags))


def _by_field(error: ExportError, places: Places) -> Span | None:
    found = _PLACE.fullmatch(error.field or "")
    if found is None:
        return None
    dataset, name, index, below = found.groups()
    if name == "format":
        return _of_format(error, below or "", places)
    if name == "output":
        if (below or "") == "if_exists":
            return next((each.whole for each in places.of("--if-exists", "--replace")), None)
        return _in_words(error, places) or (
            span_of(places.words[-1]) if len(places.words) > 1 else None
        )
    if name == "source":
        name = f"source.{(below or '').partition('.')[0]}"
    flags = [flag.name for flag in FLAGS.values() if flag.field == name or flag.key == name]
    if name == "columns":
        flags.append("--rename")
    given = places.of(*flags)
    if not given:
        if dataset is not None and int(dataset) < len(places.words) - 1:
            return span_of(places.words[int(dataset)])
        return None
    if index is not None:
        items = [(each.value, *piece) for each in given if each.value for piece in _items(each)]
        if int(index) < len(items):
            word, start, text = items[int(index)]
            inside = _quoted_in(error, text)
            if inside is not None:
                return span_of(word, start + inside.start, start + inside.end)
            return span_of(word, start, start + len(text))
    for each in given:
        inside = _quoted_in(error, each.text)
        if inside is not None and each.value is not None:
            return span_of(each.value, *inside)
    return given[-1].whole


def _of_format(error: ExportError, below: str, places: Places) -> Span | None:
    key = re.split(r"[.\[]", below)[0]
    for each in places.of("--option"):
        name, sign, _ = each.text.partition("=")
        if sign and each.value is not None and name.replace("-", "_") == key:
            if error.message.startswith(f"“{key}”"):
                return span_of(each.value, 0, len(name))
            inside = _quoted_in(error, each.text[len(name) + 1 :])
            since = len(name) + 1
            if inside is None:
                return (
                    span_of(each.value, since, max(len(each.text), since + 1))
                    if (len(each.text) > since)
                    else each.whole
                )
            return span_of(each.value, since + inside.start, since + inside.end)
    if key == "sheet":
        return next((each.whole for each in places.of("--sheet")), None)
    if key in ("", "type"):
        for each in places.of("--format"):
            return each.whole
        return _in_words(error, places)
    return None


def _items(given: Given) -> Iterator[tuple[int, str]]:
    """Yield the items of a flag's list, without the blanks around them."""
    for start, text in pieces(given.text, ",".__eq__):
        bare = text.strip()
        yield start + text.index(bare), bare


def _inside(given: Given, error: ExportError) -> Span:
    inside = _quoted_in(error, given.text)
    if inside is None or given.value is None:
        return (
            given.whole
            if given.value is None or "needs a value" not in error.message
            else (given.span)
        )
    return span_of(given.value, *inside)


def _in_words(error: ExportError, places: Places) -> Span | None:
    """Return the word, or the part of one, that the error quotes."""
    for word in reversed(places.words):
        raw = places.line[word.start : word.end]
        for text in (word.text, raw):
            inside = _quoted_in(error, text)
            if inside is not None and text is word.text:
                return span_of(word, *inside)
            if inside is not None:
                return Span(word.start + inside.start, word.start + inside.end)
    return None


def _quoted_in(error: ExportError, text: str) -> Span | None:
    """Return where the last of the words that the error quotes stands in ``text``."""
    for found in reversed(list(_QUOTED.finditer(error.message))):
        inside = find(next(filter(None, found.groups())), text)
        if inside is not None:
            return inside
    return None


def find(needle: str, text: str) -> Span | None:
    """Return where ``needle`` stands in ``text`` as a word of its own, small letters or not."""
    before = r"(?<!\w)" if needle[:1].isalnum() or needle[:1] == "_" else ""
    behind = r"(?!\w)" if needle[-1:].isalnum() or needle[-1:] == "_" else ""
    pattern = f"{before}{re.escape(needle)}{behind}"
    found = re.search(pattern, text) or re.search(pattern, text, re.IGNORECASE)
    return Span(*found.span()) if found else None


# ----------------------------------------------------------------- shown


def sketch(text: str, span: Span, *, before: str = "", colour: bool = False) -> str:
    """Return a line of ``text`` with carets under ``span``, in two lines that are indented.

    ``before`` stands in front of the line (``%export``, a number). Several lines of text: the
    one that the span begins in.
    """
    begins = text.rfind("\n", 0, span.start) + 1
    ends = text.find("\n", span.start)
    line = text[begins:] if ends < 0 else text[begins:ends]
    start = min(span.start - begins, len(line))
    end = max(min(span.end - begins, len(line)), start + 1)
    line, start, end = _cut("".join(_plain(_masked(line))), start, end)
    carets = "^" * max(_width(line[start:end]), 1)
    if colour:
        carets = f"\x1b[31m{carets}\x1b[0m"
    gap = " " * (_width(before) + _width(line[:start]))
    return f"  {before}{line}\n  {gap}{carets}"


def _masked(line: str) -> str:
    """Return ``line`` with stars for the password of a URL: what is shown is kept, and sent on."""
    return _LOGIN.sub(lambda found: found[1] + "*" * len(found[2]), line)


def _cut(line: str, start: int, end: int) -> tuple[str, int, int]:
    """Return the part of a long line around a span, and where that is then."""
    line = line.rstrip()
    if _width(line) > WIDEST and start > WIDEST // 2:
        left = start - WIDEST // 3
        line, start, end = f"…{line[left:]}", start - left + 1, end - left + 1
    while _width(line) > WIDEST:
        line = f"{line[: -max(2, (len(line) - WIDEST))]}…"
    return line, start, max(min(end, len(line)), start + 1)


def _plain(line: str) -> Iterator[str]:
    for letter in line:
        yield letter if letter.isprintable() else " "


def _width(text: str) -> int:
    """Return the columns of a terminal that ``text`` takes (Unicode Standard Annex 11)."""
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )
