"""What a template must not hold, because it is kept: passwords, and URLs that log in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InvalidSpec
from .template import parameters

_LOGIN = re.compile(r"[\w+.-]://([^\s/@]*)@")
"""Who logs in by a URL (RFC 3986, 3.2.1). Its time is in proportion to the text: texts are as long
as somebody likes, and a match holds up the whole server."""


def check_secrets(document: Mapping[str, Any]) -> None:
    """Raise ``InvalidSpec`` for what must not be kept; the sentence does not repeat it."""
    for field, text in _texts(document, ""):
        if _holds_password(text) or (field.endswith(".source.connection") and "://" in text):
            raise InvalidSpec(
                "A template holds no URL of a database, and no password.",
                hint="Name a connection that the configuration or the notebook defines.",
                field=field,
            )
    given = document.get("format")
    for option, value in given.items() if isinstance(given, Mapping) else ():
        if "password" in str(option).lower() and value is not None and not _is_open(value):
            raise InvalidSpec(
                "A template holds no password.",
                hint=f'Make it a parameter without a default: "{option}": "{{{{password}}}}".',
                field=f"format.{option}",
            )


def _is_open(value: Any) -> bool:
    """Tell whether a value is known only when the template is used."""
    try:
        found = parameters({"": value})
    except InvalidSpec:  # two braces that were meant as such
        return False
    return bool(found) and all(each.required for each in found)


def _holds_password(text: str) -> bool:
    """Tell whether a URL with a password stands in a text."""
    return any(":" in login[:-1] for login in _LOGIN.findall(text))


def _texts(value: Any, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{field}.{key}" if field else str(key))
    elif isinstance(value, (list, tuple)):
        for at, each in enumerate(value):
            yield from _texts(each, f"{field}[{at}]")
