"""A flag's value in pieces: at commas or blanks outside of quotes and brackets."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def pieces(text: str, ends: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Yield (where it begins, piece) between letters that are ``ends`` outside of quotes and
    brackets; blanks that follow one another are one."""
    start, quote, depth = 0, "", 0
    for here, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif depth <= 0 and ends(letter):
            if here > start or not letter.isspace():
                yield start, text[start:here]
            start = here + 1
    if start < len(text) or not ends(" "):
        yield start, text[start:]
