"""What may be sent at all: how deep, how many, how long. Looked at before anything is done with it.

``read`` and ``check`` never recurse, take time in proportion to what they are given, and stop at
the first thing too many; their sentences show a few characters of it, never the whole.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import AfterValidator

from ..errors import InvalidSpec

MAX_JSON_DEPTH = 100
"""Objects and lists inside of each other."""
MAX_VALUES = 200_000
"""Values of a document, keys not counted."""
MAX_TEXT = 100_000
"""Characters of one text, such as a query."""
MAX_KEY = 10_000
"""Characters of a key; columns have long names, too."""
MAX_DIGITS = 1000
"""Digits of a whole number."""
MAX_DATASETS = 100
MAX_RELATIONS = 100
MAX_COLUMNS = 10_000
"""Columns that one list of a spec names."""
MAX_IN_VALUES = 10_000
"""Values of one ``in`` or ``not_in``."""
MAX_CONDITIONS = 1000
"""Conditions of one ``and`` or ``or``."""
MAX_PARAMS = 1000
MAX_OPTIONS_TEXT = 1024**2
"""Characters of all options of a format."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, ends of lines, and those that turn the direction of a text around (Unicode
TR 36, 3.1: a name would look like another one)."""
_HALVES = re.compile("[\ud800-\udfff]")
_SHOWN = 80


def read(text: str | bytes, what: str = "The spec") -> Any:
    """Return the value of a JSON text (RFC 8259, UTF-8), which sentences call ``what``.

    Raises ``InvalidSpec``, also for a key that stands twice in an object, for numbers beyond all
    measure, and for what JSON does not have (NaN).
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_each_once,
        )
    except json.JSONDecodeError as error:
        raise InvalidSpec(
            f"{what} is not valid JSON: {error.msg} at line {error.lineno:,}, "
            f"column {error.colno:,}."
        ) from None
    except UnicodeDecodeError:
        raise InvalidSpec(f"{what} is not valid JSON: it is not UTF-8 text.") from None
    except RecursionError:
        raise InvalidSpec(f"{what} is nested too deeply.", hint=_LESS_DEEP) from None
    except ValueError as error:
        if isinstance(error, InvalidSpec):
            raise
        # Python refuses to read a number of more than 4,300 digits
        raise _too_many_digits(f"{what} holds") from None


_LESS_DEEP = f"At most {MAX_JSON_DEPTH} levels can be read."


def _no_constant(name: str) -> Any:
    raise InvalidSpec(f"JSON has no {name}.", hint="Write null.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidSpec(
            f"The number {shown(text)} is too large.",
            hint="At most 1.7e308.",
        )
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise InvalidSpec(
            f"The key “{shown(twice)}” stands twice in one object.", hint="Leave one out."
        )
    return made


def _too_many_digits(begun: str, field: str | None = None) -> InvalidSpec:
    return InvalidSpec(
        f"{begun} a whole number of too many digits.",
        hint=f"At most {MAX_DIGITS:,} can be read.",
        field=field,
    )


_Way: TypeAlias = "tuple[_Way, str | int] | None"


def check(document: Mapping[str, Any]) -> None:
    """Raise ``InvalidSpec`` for a document that is too deep or too large, or whose texts hold what
    no text can: a NUL, or half of a character."""
    left: list[tuple[Any, int, _Way]] = [(document, 1, None)]
    count = 0
    while left:
        value, depth, way = left.pop()
        count += 1
        if isinstance(value, str):
            _check_text(value, MAX_TEXT, way)
        elif isinstance(value, int) and value.bit_length() > MAX_DIGITS * 4:
            raise _too_many_digits("The spec holds", _field(way))
        elif isinstance(value, (Mapping, list, tuple)):
            if depth > MAX_JSON_DEPTH:
                raise InvalidSpec(
                    "The spec is nested too deeply.", hint=_LESS_DEEP, field=_field(way)
                )
            if count + len(left) + len(value) > MAX_VALUES:
                raise InvalidSpec(
                    f"The spec holds more than {MAX_VALUES:,} values.",
                    hint="Put long lists into a file or frame, and name that as a dataset.",
                    field=_field(way),
                )
            if isinstance(value, Mapping):
                for key, each in value.items():
                    if isinstance(key, str):
                        _check_text(key, MAX_KEY, way)
                    left.append((each, depth + 1, (way, key)))
            else:
                left += [(each, depth + 1, (way, at)) for at, each in enumerate(value)]


def _check_text(text: str, longest: int, way: _Way) -> None:
    if len(text) > longest:
        raise InvalidSpec(
            f"The text that begins with “{shown(text, 20)}” has {len(text):,} characters.",
            hint=f"At most {longest:,} are allowed here.",
            field=_field(way),
        )
    if "\0" in text:
        raise InvalidSpec(
            "A text of the spec holds a NUL character.", hint="Leave it out.", field=_field(way)
        )
    if not text.isascii() and _HALVES.search(text):
        raise InvalidSpec(
            "The spec holds half of a character (a lone surrogate).",
            hint="Write its texts in whole characters.",
            field=_field(way),
        )


def _field(way: _Way) -> str | None:
    """Return the path of a value, as errors name it; of a very long one, the beginning."""
    parts: list[str | int] = []
    while way is not None:
        way, part = way
        parts.append(part)
    path = ""
    for part in reversed(parts):
        if len(path) > 200:
            break
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{shown(str(part))}" if path else shown(str(part))
    return path or None


def shown(text: str, most: int = _SHOWN) -> str:
    """Return a text as a sentence can repeat it: a few characters of it, and only such as can be
    seen and sent."""
    cut = text if len(text) <= most else f"{text[:most]}…"
    return _HALVES.sub("\ufffd", _UNPRINTABLE.sub("\ufffd", cut))


def unprintable(text: str) -> bool:
    """Tell whether a text holds a character that a name or path must not have."""
    return _UNPRINTABLE.search(text) is not None


def _printable(text: str) -> str:
    if unprintable(text):
        raise ValueError(f"“{shown(text)}” holds a character that cannot be seen; leave it out")
    return text


Printable = AfterValidator(_printable)
"""Of names and paths: no control characters, no ends of lines."""
