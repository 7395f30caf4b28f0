"""The words of a line: quotes as the magic splits them."""

from __future__ import annotations

import os
import re

PLAIN = re.compile(r"[\w.,:/%+@*=<>^~-]+")
"""A word that no quotes need stand around: nothing that splits, and nothing that IPython reads."""
QUOTED_IN_SQL = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|(--|\s*[\r\n]+\s*)""")
"""A text or a name of SQL, or else what begins a comment or ends a line."""


class Unsayable(Exception):
    """The line has no words for a part of the document."""


def one_line(sql: str) -> str:
    """Return SQL in one line: ends of lines between its pieces are blanks, those inside of its
    texts cannot be said."""

    def joined(found: re.Match[str]) -> str:
        if found[2] == "--":
            raise Unsayable
        return found[1] or " "

    return QUOTED_IN_SQL.sub(joined, sql).strip()


def flag_with(flag: str, value: str) -> list[str]:
    """Return the words of a flag that takes a value."""
    said = word(value)
    # what begins with a minus would be the next flag
    return [f"{flag}={said}"] if value.startswith("-") else [flag, said]


def word(text: str) -> str:
    """Return a word as the magic splits it: quotes as in a shell."""
    if PLAIN.fullmatch(text) and not text.startswith("-"):
        return text
    if '"' not in text and not re.search(r"\\(?:\\|$)", text):
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    if os.name == "nt":  # where a backslash is a path's
        return "".join(
            f"'{piece}'" if '"' in piece else f'"{piece}"'
            for piece in re.findall(r"""[^"]+|[^']+""", text)
        )
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
