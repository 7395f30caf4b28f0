"""Variables in a line: ``%export df {name}.csv`` and ``%export df $folder/a.csv``, as in other
magics.

IPython's own expansion would take every brace and dollar of the line for its own: those of a
regular expression (``\\d{2}``), of JSON, of a template's ``{{year}}`` and of a condition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from IPython.utils.text import FullEvalFormatter
from pydantic import BaseModel

from ..client.notebook import is_frame_here
from .typed import Word, quoted, words_of

_VALUE = re.compile(r"(?<!\{)\{([^{}]*[^\W\d][^{}]*)\}(?!\})|\$([^\W\d][\w.]*)")


def expanded(line: str, names: Mapping[str, Any]) -> str:
    """Return ``line`` with the values of ``{expression}``, and of ``$name`` outside of quotes.

    A value is part of the word that it stands in, whatever its letters: a name with blanks is one
    file, and nothing in it is read as a flag. Only one that begins with a minus, in a word of its
    own, is put as it is: it is flags. What cannot be evaluated, and what no variable stands in,
    stays as it is; so does a word that is a document (``{spec}``), which has no text.
    """
    if not _VALUE.search(line):
        return line
    words = list(words_of(line))

    def written(found: re.Match[str]) -> str:
        before, behind = line[: found.start()][-1:], line[found.end() :][:1]
        alone = (not before or before.isspace()) and (not behind or behind.isspace())
        quote, in_code = _around(found.start(), words)
        if found[1] is not None:
            value = _of_expression(found[1], names)
            if alone and is_frame_here(value):
                code = found[1].strip()  # the frame itself, not what it looks like
                return code if code.isidentifier() else f"({code})"
            text = None if value is None or (alone and is_document(value)) else str(value)
            rest = ""
        else:
            text, rest = (None, "") if quote else _of_dotted(found[2], names)
        if text is None:
            return found[0]
        if alone and not rest and (not text or text.startswith("-")):
            return text
        return _written(text, quote, in_code) + rest

    return _VALUE.sub(written, line)


def _of_expression(expression: str, names: Mapping[str, Any]) -> Any:
    """Return a value; None for what is left as it stands."""
    if not any(name in names for name in re.findall(r"[^\W\d]\w*", expression)):
        return None
    try:
        code = compile(expression.strip(), "<%export>", "eval")
    except (SyntaxError, ValueError):
        return _formatted(expression, names)  # {name!r}
    if expression.startswith("__"):
        return None
    try:
        value = eval(code, dict(names))
        return "None" if value is None else value
    except Exception:  # It fails: IPython leaves it as well.
        return None


def _of_dotted(dotted: str, names: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the value of ``$folder``; of ``$name.csv`` that of ``name``, and what is behind it."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        value = _formatted(".".join(parts[:count]), names)
        if value:
            return value, "".join(f".{each}" for each in parts[count:])
    return None, ""


def _formatted(expression: str, names: Mapping[str, Any]) -> str | None:
    if expression.startswith("__"):
        return None
    try:
        return FullEvalFormatter().vformat(f"{{{expression}}}", [], dict(names))
    except Exception:  # It is no expression, or fails.
        return None


def _around(place: int, words: Sequence[Word]) -> tuple[str, bool]:
    """Return the quote of the line that a letter stands in, or none, and whether it stands behind
    a bracket: in an expression."""
    word = next((each for each in words if each.start <= place < each.end), None)
    if word is None:
        return "", False
    at = next((n for n, each in enumerate(word.places) if each >= place), -1)
    before = zip(word.text[:at], word.quotes, strict=False)
    return word.quotes[at], any(letter in "([{" and not quote for letter, quote in before)


def _written(value: str, quote: str, in_code: bool) -> str:
    """Return ``value`` as a part of a word; in an expression it is code."""
    if quote:
        inside = quoted(value, quote)
        return f"{quote}{quoted(value)}{quote}" if inside is None else inside
    return value if in_code else quoted(value) or value


def value_of(expression: str, names: Mapping[str, Any]) -> Any:
    """Return what an expression of the line gives; None where it fails."""
    try:
        return eval(expression, dict(names))
    except Exception:  # Whatever the user's expression raises.
        return None


def is_document(value: Any) -> bool:
    """Tell whether a value is a document, or JSON text that may be one."""
    if isinstance(value, str):
        return value.lstrip()[:1] == "{"
    return isinstance(value, (Mapping, BaseModel))
