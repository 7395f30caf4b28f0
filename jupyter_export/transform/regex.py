"""Regular expressions: what RE2 (the engine) and PostgreSQL's ARE mean alike.

Both know classes, groups, repetition, anchors and ``(?i)`` at the start. A point is any character,
a newline too, and ``^`` and ``$`` are the start and the end of the whole text. Classes such as
``\\w`` and ``[[:alpha:]]`` are of ASCII, as RE2 has them. What only one of the two has (looking
ahead or behind, ``\\1`` in a pattern) is refused; what both spell in their own way (``\\b``) is
translated.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_PART = re.compile(
    r"\\(?P<escape>x\{[0-9A-Fa-f]{1,8}\}|x[0-9A-Fa-f]{2}|[\s\S]?)"
    r"|\[(?P<bracket>\^?\]?(?:\[[:.=][^\]]*[:.=]\]|\\[\s\S]|[^\]\\])*)\]"
    r"|\((?P<group>\?(?:P?<[^>]*>|P?[^:]|:)?)?"
    r"|(?P<either>\|)"
    r"|(?P<count>\{[0-9]+(?:,[0-9]*)?(?=\}))"
    r"|(?P<lazy>[*+?}][?+])"
    r"|[\s\S]"
)
_INSIDE = re.compile(r"\[:(?P<posix>[^\]]*):\]|\\(?P<escape>x\{[0-9A-Fa-f]{1,8}\}|x..|[\s\S])")
_WORD = "0-9A-Za-z_"
_CLASSES = {"d": "0-9", "w": _WORD, "s": r"\t\n\f\r "}
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\u0001-\u007F", "blank": r"\t ",
    "cntrl": r"\u0001-\u001F\u007F", "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z", "word": _WORD,
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip
"""Classes of RE2 -> what they hold, for PostgreSQL, whose own depend on a locale."""
_TO_POSTGRESQL = {
    **{each: f"[{held}]" for each, held in _CLASSES.items()},
    **{each.upper(): f"[^{held}]" for each, held in _CLASSES.items()},
    "b": f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))",
    "B": f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))",
    "z": r"\Z",
}
_REFUSED = frozenset("ZQECpPyYmMGKk")
"""Escapes that one of the two does not know, or reads otherwise."""
_ANCHORS = ("^", "$", "\\b", "\\B", "\\A", "\\z")
_MOST = 255
"""Of a repetition, as PostgreSQL has it."""


class Unshared(Exception):
    """A pattern that the two would not read alike; the text says what is in the way."""


class Unreadable(Exception):
    """What is no pattern; the text says why."""


def check(pattern: str) -> bool:
    """Return whether both find the same stretch of a text, not only the same texts.

    PostgreSQL finds the longest of several alternatives, RE2 the first; and a lazy repetition
    makes PostgreSQL's whole pattern lazy. Raises ``Unshared`` and ``Unreadable``.
    """
    if pattern.startswith("***"):
        raise Unshared("“***”")
    same, before = True, ""
    for number, part in enumerate(_PART.finditer(pattern)):
        text = part.group()
        escape, group = part.group("escape"), part.group("group")
        if before in _ANCHORS and text[0] in "*+?{":
            raise Unshared(f"“{before}{text[0]}”")
        if escape is not None:
            if escape == "":
                raise Unshared("a “\\” at its end")
            if escape[0].isdigit() or escape in _REFUSED or _code(escape) == 0:
                raise Unshared(f"“{text}”")
        elif group is not None:
            if group != "?:" and not (number == 0 and group == "?i"):
                raise Unshared(f"“({group}”")
        elif text == "[":
            raise Unshared("a “[” that is never closed")
        elif part.group("bracket") is not None:
            _check_bracket(text)
        elif part.group("count"):
            if any(int(each) > _MOST for each in re.findall(r"[0-9]+", text)):
                raise Unshared(f"more than {_MOST} repetitions")
        elif part.group("either") or part.group("lazy"):
            if part.group("lazy") and text[1] == "+":
                raise Unshared(f"“{text}”")
            same = False
        before = text
    try:
        # Arrow's regular expressions are RE2's, as the engine's are
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise Unreadable(str(error).removeprefix("Invalid regular expression: ")) from None
    return same


def _check_bracket(text: str) -> None:
    if re.search(r"\\[bBzZAyYmMpPDSW]|\[[.=]|(?:\\[dsw]|:\])-(?!\]$)", text[1:]):
        raise Unshared(f"“{text}”")
    for part in _INSIDE.finditer(text):
        posix, escape = part.group("posix"), part.group("escape")
        if (posix is not None and posix not in _POSIX) or (escape and _code(escape) == 0):
            raise Unshared(f"“{part.group()}”")


def _code(escape: str) -> int | None:
    """Return the code point that ``x41`` or ``x{41}`` names."""
    return int(escape[1:].strip("{}"), 16) if len(escape) > 1 else None


def may_be_empty(pattern: str) -> bool:
    """Tell whether a pattern that ``check`` has passed finds stretches of no character: after a
    match, PostgreSQL finds another there, and RE2 does not."""

    def shape(part: re.Match[str]) -> str:
        text = part.group()
        if text in _ANCHORS:
            return ""
        kept = part.group("escape") is None and part.group("bracket") is None
        return text if kept and (len(text) > 1 or text in "()|*+?{},0123456789") else "x"

    try:
        made = _PART.sub(shape, pattern.removeprefix("(?i)"))
        return re.fullmatch(made, "") is not None
    except re.error:
        return True


def groups(pattern: str) -> int:
    """Return how many groups of a pattern are counted."""
    return sum(
        part.group() == "(" for part in _PART.finditer(pattern) if part.group("escape") is None
    )


def for_postgresql(pattern: str) -> str:
    """Return a pattern that ``check`` has passed as PostgreSQL writes it."""

    def translated(part: re.Match[str]) -> str:
        escape = part.group("escape")
        if escape is not None:
            return _TO_POSTGRESQL.get(escape) or _character(escape)
        return part.group() if part.group("bracket") is None else _INSIDE.sub(held, part.group())

    def held(part: re.Match[str]) -> str:
        if part.group("posix") is not None:
            return _POSIX[part.group("posix")]
        escape = part.group("escape")
        return _CLASSES.get(escape) or _character(escape)

    return _PART.sub(translated, pattern)


def _character(escape: str) -> str:
    # PostgreSQL's \x goes on as long as there are digits
    code = _code(escape)
    return f"\\{escape}" if code is None else f"\\U{code:08X}"


def references(replacement: str) -> list[str]:
    """Return the groups that a replacement names: ``\\1``."""
    return [each for each in re.findall(r"\\[\s\S]", replacement) if each[1].isdigit()]


def replacement_for_postgresql(replacement: str) -> str:
    """Return a replacement as PostgreSQL writes it, for which the match itself is ``\\&``."""
    return re.sub(r"\\([\s\S])", lambda part: "\\&" if part[1] == "0" else part[0], replacement)
