"""What a worker says never holds a secret, whatever a driver put into its messages."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"
SHORTEST = 4
"""Characters; what is shorter would blot out half of every sentence, and protects nothing."""
_SECRET = re.compile(r"(?i)pass|pwd|secret|token|key|cred|auth|sig")


class Redactor(logging.Formatter):
    """Formats log records, tracebacks included, without the secrets of the job that runs."""

    def __init__(self, format: str) -> None:
        super().__init__(format)
        self._secrets: list[str] = []

    def keep(self, connections: Mapping[str, Any]) -> None:
        """Hide the URLs, passwords and options of ``connections`` (``Surroundings.connections``)
        from now on. Those of earlier jobs stay hidden."""
        found = {*self._secrets}
        for known in connections.values():
            fields = known if isinstance(known, Mapping) else {"url": known}
            found.update(secrets_of(fields))
        self._secrets = sorted(found, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return ``text`` without them."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def format(self, record: logging.LogRecord) -> str:
        return self.hide(super().format(record))


def secrets_of(connection: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of a connection that may be secret: its URL, what stands between the user's
    name and the host, and what options and “?” call a password, key or the like.

    The URL is taken apart by hand: one that no parser takes holds a password, too.
    """
    url = str(connection.get("url") or "")
    found = [url, *_options(connection.get("options"))]
    _, _, rest = url.partition("://")
    before, _, query = rest.partition("?")
    login, at, _ = before.rpartition("@")
    if at:
        found += [login, login.partition(":")[2]]
    for each in query.split("&"):
        key, _, value = each.partition("=")
        if _SECRET.search(key):
            found.append(value)
    if at:
        # what HTTP's basic authentication sends (RFC 7617), as errors show headers
        yield base64.b64encode(unquote(login).encode()).decode()
    for text in dict.fromkeys(found):
        yield from (form for form in _forms(text) if len(form) >= SHORTEST)


def _forms(text: str) -> set[str]:
    """Return a secret as it may stand in a sentence: plain, as in a URL, as in Python or JSON."""
    plain = {text, unquote(text), unquote_plus(text)}
    quoted = {
        each for form in plain for each in (quote(form, safe=""), quote(form), quote_plus(form))
    }
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted}
    escaped = {each for form in plain for each in (repr(form)[1:-1], json.dumps(form)[1:-1])}
    return plain | quoted | lower | escaped


def _options(value: Any, secret: bool = False) -> Iterator[str]:
    if isinstance(value, str) and secret:
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _options(each, secret or _SECRET.search(str(key)) is not None)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _options(each, secret)
