"""What a driver complains about, as our own errors: its own sentence, and no word of the URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import (
    ConnectionFailed,
    ConnectionLost,
    ExportError,
    LoginRefused,
    QueryCancelled,
    QueryFailed,
)
from ..sentences import took_too_long

if TYPE_CHECKING:
    from ..watch import Watch
    from .kinds import Kind

_LONGEST = 500
"""Characters of a database's sentence that are shown: it may repeat the whole query."""


class Redactor:
    """Takes the secrets of one connection out of texts."""

    def __init__(self, url: sa.URL | None = None) -> None:
        if url is None:
            self._secrets: list[str] = []
            return
        rendered = url.render_as_string(hide_password=False)
        found = {rendered, str(url.password or ""), *_query_values(url)}
        # a word of two letters is in every sentence, and would give more away than it hides
        self._secrets = sorted((s for s in found if len(s) > 2), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _query_values(url: sa.URL) -> Iterator[str]:
    for key, value in url.query.items():
        if re.search(r"pass|pwd|secret|token|key", key, re.IGNORECASE):
            yield from [value] if isinstance(value, str) else value


def sentence(error: BaseException, redact: Redactor) -> str:
    """Return the first line of the driver's message, without its wrappings, secrets and full
    stop."""
    original = getattr(error, "orig", None) or error
    arguments = getattr(original, "args", ())
    texts = [each.strip() for each in arguments if isinstance(each, str) and each.strip()]
    # drivers of MySQL give (number, text), those of ODBC (SQLSTATE, text)
    text = texts[-1] if len(arguments) == 2 and texts else next(iter(texts), "")
    text = text or str(original).strip() or type(original).__name__
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    first = redact(lines[0]).rstrip(".")
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}…"


def number(error: BaseException) -> int | None:
    """Return the database's number of the error, where the driver gives it first."""
    original = getattr(error, "orig", None) or error
    first = next(iter(getattr(original, "args", ())), None)
    return first if isinstance(first, int) else None


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE (ISO/IEC 9075-2, clause 24) of a driver's error, where it has one."""
    original = getattr(error, "orig", None) or error
    for name in ("sqlstate", "pgcode"):
        state = getattr(original, name, None)
        if isinstance(state, str):
            return state
    # ODBC: the state comes before the text
    first = next(iter(getattr(original, "args", ())), None)
    return first if isinstance(first, str) and len(first) == 5 else ""


def not_opened(name: str, error: BaseException, kind: Kind, redact: Redactor) -> ExportError:
    """Return the error of a connection that cannot be opened."""
    said = sentence(error, redact)
    if kind.refused_login(error):
        return LoginRefused(
            f"The connection {name} refused the login: {said}.",
            hint="Check the user, the password and the database of its URL.",
        )
    return ConnectionFailed(f"The connection {name} cannot be opened: {said}.")


@contextmanager
def explained(
    name: str, kind: Kind, redact: Redactor, watch: Watch | None = None
) -> Iterator[None]:
    """Turn what the driver raises while a statement runs or is read into our errors."""
    try:
        yield
    except kind.driver_errors as error:
        expired = watch is not None and watch.expired
        raise of_statement(name, error, kind, redact, expired=expired) from None


def of_statement(
    name: str, error: BaseException, kind: Kind, redact: Redactor, *, expired: bool = False
) -> ExportError:
    """Return our error for one that a statement met with."""
    said = sentence(error, redact)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if expired or kind.timed_out(error):
        return took_too_long(name, kind.timeout)
    if lost or kind.lost(error):
        return ConnectionLost(f"The connection {name} was lost while it was read: {said}.")
    if kind.cancelled(error):
        return QueryCancelled(f"The query was cancelled: {said}.", field="source.query")
    return QueryFailed(f"The query failed: {said}.", field="source.query")
