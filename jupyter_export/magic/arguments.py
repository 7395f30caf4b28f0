"""The line of ``%export``: words that may be expressions, and flags."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidRequest, nearest
from .caret import Given, Places, Span, at, span_of
from .flags import ELSEWHERE, FLAGS, SHORT
from .typed import Word, words_of


@dataclass(frozen=True)
class Arguments:
    """What a line asks for."""

    words: tuple[str, ...] = ()
    """Frames and path, in order, with the quotes of the line: ``df.query("x > 1")``."""
    format: str | None = None
    compress: str | None = None
    replace: bool = False
    if_exists: str | None = None
    on_loss: str | None = None
    columns: tuple[str, ...] = ()
    rename: tuple[str, ...] = ()
    where: str | None = None
    time_range: str | None = None
    sample: str | None = None
    seed: int | None = None
    compute: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    aggregate: tuple[str, ...] = ()
    pivot: str | None = None
    distinct: bool = False
    sort: tuple[str, ...] = ()
    limit: int | None = None
    sheet: str | None = None
    to: str | None = None
    preview: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    """The options as values of JSON where they read as such; ``options.typed`` knows better."""
    name: str | None = None
    connection: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    template: str | None = None
    save_template: str | None = None
    wait: bool = True
    panel: bool = False
    jobs: bool = False
    status: str | None = None
    cancel: str | None = None
    debug: bool = False
    help: bool = False
    places: Places = field(default_factory=Places, compare=False)
    """Where its words and flags stand in the line."""

    @property
    def overwrites(self) -> str | None:
        """What to do where the file exists, if the line says so."""
        return self.if_exists or ("replace" if self.replace else None)


class _Word(str):
    """A word of the line without its quotes; ``raw`` still has them, ``at`` knows its letters."""

    raw: str
    at: Word


def parse(line: str) -> Arguments:
    """Parse what stands after ``%export``; raise ``InvalidRequest`` naming the nearest flag."""
    words, given = _told_apart(line, list(split(line)))
    found: dict[str, Any] = {}
    for each in given:
        flag = FLAGS[each.flag]
        value = _READ.get(each.flag, _text)(each, line)
        if flag.name in ("--option", "--param"):
            name = "options" if flag.name == "--option" else "params"
            key, value = value
            found[name] = {**found.get(name, {}), key: value}
        elif flag.name == "--no-wait":
            found["wait"] = False
        elif flag.many:
            found[flag.key] = (*found.get(flag.key, ()), value)
        else:
            found[flag.key] = True if flag.takes is None else value
    asked = Arguments(
        words=tuple(word.raw for word in words),
        places=Places(line, tuple(word.at for word in words), tuple(given)),
        **found,
    )
    if asked.replace and asked.if_exists not in (None, "replace"):
        raise at(
            InvalidRequest(
                f"--replace and --if-exists {asked.if_exists} say different things.",
                hint="Leave one of them.",
            ),
            asked.places.of("--if-exists")[-1].whole,
        )
    return asked


def _told_apart(line: str, words: Sequence[_Word]) -> tuple[list[_Word], list[Given]]:
    """Return the words that are none of a flag's, and the flags with their values."""
    plain: list[_Word] = []
    given: list[Given] = []
    coming = iter(range(len(words)))
    for here in coming:
        word = words[here]
        if not _is_flag(word):
            plain.append(word)
            continue
        name, sign, _ = word.partition("=")
        span = span_of(word.at, 0, len(name))
        flag = FLAGS.get(SHORT.get(name, name))
        if flag is None:
            raise at(_unknown(name), span)
        value: Word | None = None
        if sign:
            value = word.at.after(len(name) + 1)
            if flag.takes is None:
                raise at(InvalidRequest(f"{name} takes no value."), span_of(value))
        elif flag.takes is not None:
            # a value may begin with a minus, as --sort -delay has it
            if here + 1 == len(words) or words[here + 1].raw.startswith("--"):
                raise at(InvalidRequest(f"{name} needs a value.", hint=f"{flag.usage}."), span)
            value = words[next(coming)].at
        given.append(Given(flag.name, span, value))
    return plain, given


def _is_flag(word: _Word) -> bool:
    return word.raw.startswith("-") and len(word) > 1 and not word[1:2].isdigit()


def _unknown(name: str) -> InvalidRequest:
    known = [each for each in FLAGS if each != "--wait"]
    close = ELSEWHERE.get(name) or nearest(name, known)
    return InvalidRequest(
        f"“{name}” is not a flag of %export.",
        hint=f"Did you mean {close}?" if close else "%export --help lists them.",
    )


# ----------------------------------------------------------------- values


def _text(given: Given, line: str) -> str:
    known = FLAGS[given.flag].choices
    if known and given.text not in known:
        close = nearest(given.text, known)
        raise at(
            InvalidRequest(
                f"{given.flag} takes {', '.join(known)}, not “{given.text}”.",
                hint=f"Did you mean {close}?" if close else None,
            ),
            given.whole,
        )
    return given.text


def _whole(given: Given, line: str) -> int:
    try:
        number = int(given.text.replace("_", "").replace(",", ""))
    except ValueError:
        raise at(
            InvalidRequest(f"{given.flag}: “{given.text}” is not a whole number."), given.whole
        ) from None
    if number < 0:
        raise at(InvalidRequest(f"{given.flag}: “{given.text}” is below zero."), given.whole)
    return number


def _option(given: Given, line: str) -> tuple[str, Any]:
    key, value = _key_value(given, line)
    return key.replace("-", "_"), value


def _key_value(given: Given, line: str) -> tuple[str, Any]:
    key, text, raw = key_and_value(given, line)
    # the quotes of JSON's own texts went away with those of the line
    for written in (text, raw):
        try:
            return key, json.loads(written)
        except ValueError:
            continue
    return key, text


def key_and_value(given: Given, line: str) -> tuple[str, str, str]:
    """Return the key of ``KEY=VALUE``, and its value without and with the quotes of the line."""
    key, sign, text = given.text.partition("=")
    if not sign or not key:
        raise at(
            InvalidRequest(
                f"{given.flag}: “{given.text}” is not KEY=VALUE.",
                hint=f"Write {given.flag} {given.text or 'KEY'}=…, without blanks around the sign.",
            ),
            given.whole,
        )
    assert given.value is not None
    return key, text, line[given.value.start : given.value.end].partition("=")[2]


_READ: dict[str, Callable[[Given, str], Any]] = {
    "--limit": _whole,
    "--seed": _whole,
    "--option": _option,
    "--param": _key_value,
}


# ----------------------------------------------------------------- words


def split(line: str) -> Iterator[_Word]:
    """Split at blanks that stand neither in quotes nor in brackets; quotes as in a shell.

    ``df[["a", "b"]]`` and ``df.query("x > 1")`` are one word each. Raises ``InvalidRequest`` for a
    quote without an end.
    """
    for found in words_of(line):
        quote = found.quotes[-1]
        if quote:
            start = line.rfind(quote, found.start, _first_of_open(found))
            raise at(
                InvalidRequest(
                    f"A quote {quote} of the line has no end.", hint=f"Add {quote} where it ends."
                ),
                Span(max(start, found.start), found.end),
            )
        word = _Word(found.text)
        word.raw, word.at = line[found.start : found.end], found
        yield word


def _first_of_open(word: Word) -> int:
    """Return where the letters begin that stand in a quote without an end."""
    here = len(word.quotes) - 1
    while here and word.quotes[here - 1] == word.quotes[-1]:
        here -= 1
    return word.places[here]


def unquoted(raw: str) -> str:
    """Return a word of ``Arguments.words`` without its quotes, as a shell would read it."""
    return str(next(split(raw), ""))


def sql_condition_in(words: Sequence[str]) -> bool:
    """Tell whether a condition of ``--where`` lost its quotes and became words."""
    return any(word in ("=", "==", "!=", "<", "<=", ">", ">=", "<>") for word in words)
