"""A line of ``%export`` while it is typed: its words so far, and how to write what comes next."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LINE = re.compile(r"\s*(?:[\w.\[\]]+\s*=\s*)?(?P<magic>%{0,2})export(?=\s)")
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_ESCAPES = os.name != "nt"
"""Whether a backslash takes the meaning of the letter behind it: on Windows it is part of paths."""
_WORDS = """
all analyse analyze and any array as asc asymmetric both case cast check collate column
constraint create default deferrable desc describe distinct do else end except false fetch for
foreign from group having in initially intersect into lambda lateral leading limit not null offset
on only or order pivot pivot_longer pivot_wider placing primary qualify references returning select
show some summarize symmetric table then to trailing true union unique unpivot using variadic when
where window with anti asof at authorization binary by collation columns concurrently cross freeze
full generated glob ilike inner is isnull join left like map natural notnull outer overlaps
positional right semi similar struct tablesample try_cast tuple unpack verbose
"""
RESERVED = frozenset(_WORDS.split())
"""Words that SQL keeps for itself (DuckDB's ``duckdb_keywords()``): a column of such a name is
quoted."""


@dataclass
class Word:
    """A word of a line, which may be unfinished."""

    start: int
    """Where it begins in the line."""
    text: str = ""
    """The word without the quotes of the line."""
    places: list[int] = field(default_factory=list)
    """Where each letter of ``text`` begins in the line; the last one is the word's end."""
    quotes: list[str] = field(default_factory=list)
    """The quote that each letter of ``text`` stands in, or none; the last one is the end's."""

    @property
    def end(self) -> int:
        return self.places[-1]

    def after(self, count: int) -> Word:
        """Return the word without its first ``count`` letters: the value of ``--flag=value``."""
        return Word(self.places[count], self.text[count:], self.places[count:], self.quotes[count:])

    def written(self, text: str, since: int) -> str | None:
        """Return ``text`` as it is to be written in place of the letters from ``since`` on; None
        where the quotes that were typed leave no way to write it."""
        quotes = set(self.quotes[since:])
        return quoted(text, quotes.pop()) if len(quotes) == 1 else None


def quoted(text: str, quote: str = "") -> str | None:
    """Return ``text`` as the line writes it inside ``quote``, or in none; None if it cannot."""
    if quote == "'":
        return None if "'" in text else text
    if quote == '"':
        if _ESCAPES:
            return text.replace("\\", "\\\\").replace('"', '\\"')
        return None if '"' in text else text
    if text and not re.search(r"[\s\"'()\[\]{}]" if not _ESCAPES else r"[\s\"'()\[\]{}\\]", text):
        return text
    for mark in ('"', "'") if not re.search(r'["\\]', text) else ("'", '"'):
        inside = quoted(text, mark)
        if inside is not None:
            return f"{mark}{inside}{mark}"
    return None


def sql_name(name: str) -> str:
    """Return a column's name as SQL writes it."""
    if _PLAIN_NAME.fullmatch(name) and name.lower() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def sql_begun(text: str) -> int | None:
    """Return where the name begins that SQL ends with (the end where none does); None inside of a
    text, a number or a comment, where no name is meant."""
    tokens = list(_SQL.finditer(text))
    if not tokens:
        return len(text)
    last = tokens[-1]
    kind, token = last.lastgroup, last[0]
    if kind == "name" or (kind == "quoted" and not re.fullmatch(r'"(?:[^"]|"")*"', token)):
        return last.start()
    ended = {
        "text": re.fullmatch(r"'(?:[^']|'')*'", token),
        "line": token.endswith("\n"),
        "block": len(token) > 3 and token.endswith("*/"),
        "number": False,
    }
    return len(text) if ended.get(kind or "", True) else None


_SQL = re.compile(
    r"""(?P<text>'(?:[^']|'')*(?:'|\Z)) | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
      | (?P<line>--[^\n]*(?:\n|\Z)) | (?P<block>/\*.*?(?:\*/|\Z))
      | (?P<name>[^\W\d]\w*) | (?P<number>\d[\w.]*) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def words_of(line: str, start: int = 0) -> Iterator[Word]:
    """Yield the words of ``line`` as ``arguments.split`` splits them; a quote without an end ends
    with the line."""
    here = start
    while here < len(line):
        if line[here].isspace():
            here += 1
            continue
        word = _word_at(line, here)
        yield word
        here = word.end


def _word_at(line: str, start: int) -> Word:
    word = Word(start)
    letters: list[str] = []
    quote, depth, here = "", 0, start
    while here < len(line):
        letter, began = line[here], here
        escaped = letter == "\\" and _ESCAPES and quote != "'" and here + 1 < len(line)
        if escaped and (not quote or line[here + 1] in '"\\'):
            here += 1
            letter = line[here]
        elif quote and letter == quote:
            quote, letter = "", ""
        elif not quote and letter in "\"'":
            quote, letter = letter, ""
        elif not quote and letter.isspace() and depth <= 0:
            break
        elif not quote:
            depth += (letter in "([{") - (letter in ")]}")
        here += 1
        if letter:
            letters.append(letter)
            word.places.append(began)
            word.quotes.append(quote)
    word.text = "".join(letters)
    word.places.append(here)
    word.quotes.append(quote)
    return word


@dataclass(frozen=True)
class TypedLine:
    """A line of ``%export`` and the place in it where the next letter goes."""

    is_cell: bool
    """True for ``%%export``, whose SQL is below."""
    before: tuple[Word, ...]
    """The words in front of the one that is typed."""
    word: Word
    """The word that is typed, as far as the cursor; empty behind a blank."""
    after: tuple[Word, ...]


def typed_line(line: str, cursor: int, *, automagic: bool = False) -> TypedLine | None:
    """Return what is typed of an ``%export``; None for any other line, and in the word itself."""
    found = _LINE.match(line)
    if found is None or found.end() >= cursor or not (found["magic"] or automagic):
        return None
    words = list(words_of(line[:cursor], found.end()))
    unfinished = bool(words) and words[-1].end == cursor
    word = words.pop() if unfinished else Word(cursor, "", [cursor], [""])
    after = (each for each in words_of(line, found.end()) if each.start >= cursor)
    return TypedLine(found["magic"] == "%%", tuple(words), word, tuple(after))
