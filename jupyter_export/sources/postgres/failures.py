"""What PostgreSQL and its drivers complain of, as our errors: one sentence, no secret."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ...errors import (
    ConnectionFailed,
    ConnectionLost,
    ExportError,
    LoginRefused,
    QueryCancelled,
    QueryFailed,
    RunError,
    StatementTimeout,
)
from .readers import CannotConnect

_UNREACHABLE = (
    ("resolve host|translate host name|Name or service not known", "its host is not known"),
    ("refused", "nobody listens at its host and port"),
    ("timeout|timed out", "its host does not answer"),
    ("unreachable|No route", "there is no way to its host"),
    ("No such file", "no server has that socket"),
    ("too many|remaining connection slots", "the server takes no further connection now"),
    ("starting up|shutting down|recovery mode", "the server is starting or stopping"),
    ("SSL|TLS|certificate|GSS", "it and this machine do not agree on how to encrypt"),
)
_REFUSED = (
    ("password authentication failed|authentication failed", "its user or password is wrong"),
    ("no password supplied|fe_sendauth", "it asks for a password, and the URL has none"),
    ("pg_hba", "the server lets this user in from elsewhere only (pg_hba.conf)"),
    ("role .* does not exist", "the server does not know its user"),
    ("not permitted to log in", "its user may not log in"),
    ("database .* does not exist", "the server has no database of that name"),
    ("permission denied for database", "its user may not use that database"),
    ("FATAL", "the server does not let it in"),
)
_LOST_CLASSES = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
"""SQLSTATEs (or their first letters) after which there is no connection any more."""
_LOST_WORDS = re.compile(
    "terminating connection|server closed the connection|connection (?:is|was) (?:lost|closed)"
    "|consuming input failed|connection (?:not open|reset)|no connection to the server"
    "|SSL connection has been closed|could not receive data|SSL SYSCALL|the connection is closed"
    "|connection socket closed",
    re.IGNORECASE,
)
_LIBPQ = re.compile(r"(?:^|: )(?:ERROR|FATAL|PANIC):\s+(.*)", re.DOTALL)


@dataclass
class Failures:
    """Turns a driver's exception into one of ours, for one connection."""

    name: str
    """What the connection is called."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that never leave."""
    timeout: float | None = None
    """Seconds after which the database ends a statement; None: never."""
    cancelled: Callable[[], bool] = field(default=lambda: False)
    """True: the statement was ended by us."""

    def of_connecting(self, error: BaseException) -> RunError:
        """Return why there is no connection. No word of the driver's: it would name the user and
        the host."""
        text = str(error)
        for pattern, said in _UNREACHABLE:
            if re.search(pattern, text, re.IGNORECASE):
                return ConnectionFailed(f"The connection {self.name} cannot be opened: {said}.")
        for pattern, said in _REFUSED:
            if re.search(pattern, text, re.IGNORECASE):
                return LoginRefused(f"The connection {self.name} is refused: {said}.")
        return ConnectionFailed(
            f"The connection {self.name} cannot be opened.",
            hint="Try its URL with psql; the server's log says why.",
        )

    @contextmanager
    def explained(self, field: str | None = None) -> Iterator[None]:
        """Raise what a driver raises inside as our error."""
        began = time.monotonic()
        try:
            yield
        except ExportError:
            raise
        except Exception as error:  # the drivers have no common base; ours and the rest go on
            found = self.of_query(error, time.monotonic() - began, field)
            if found is None:
                raise
            raise found from None

    def of_query(self, error: Exception, seconds: float, field: str | None) -> ExportError | None:
        """Return why a statement that ran for ``seconds`` failed; None: no driver says so."""
        if isinstance(error, CannotConnect):
            return self.of_connecting(error.__cause__ or error)
        facts = _facts(error)
        if facts is None:
            return None
        state, text, hint = facts
        text, hint = self.without_secrets(text), self.without_secrets(hint)
        if state == "57014":
            return self._ended(text, seconds)
        if state == "25P04":
            return StatementTimeout(
                "The export read longer than the transaction_timeout that the database allows.",
                hint="Narrow it with where or limit, or ask for a longer one for this user.",
            )
        if state.startswith(_LOST_CLASSES) or (not state and _LOST_WORDS.search(text)):
            return ConnectionLost(
                f"The database of the connection {self.name} went away while it was read.",
                hint="Nothing was published; try again when it is back.",
            )
        if state == "42501":
            return QueryFailed(
                f"The connection {self.name} has no right to read this: {text}.",
                hint="Ask the owner to GRANT SELECT, or take another table.",
                field=field,
            )
        if state == "25006":
            return QueryFailed(
                f"The query failed: {text}.",
                hint="The connection is read-only; its setting read_only: false lets it write.",
                field=field,
            )
        return QueryFailed(f"The query failed: {text}.", hint=hint or None, field=field)

    def _ended(self, text: str, seconds: float) -> QueryFailed:
        """57014 is the timeout and a cancel alike, and its text is in the server's language."""
        timeout = self.timeout
        if not self.cancelled() and (
            "statement timeout" in text or (timeout is not None and seconds >= timeout * 0.98)
        ):
            limit = f"the {timeout:g} seconds" if timeout else "the time"
            return StatementTimeout(
                f"The query took longer than {limit} that the database allows.",
                hint="Narrow it with where or limit, or raise the connection's statement_timeout.",
            )
        return QueryCancelled("The query was cancelled in the database.")

    def without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            if len(secret) >= 4:
                text = text.replace(secret, "***")
            else:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        return text


def _facts(error: Exception) -> tuple[str, str, str] | None:
    """Return SQLSTATE (or nothing), the message's first line and the database's hint."""
    if isinstance(error, psycopg.Error):
        facts = error.diag
        text = facts.message_primary or str(error)
        return error.sqlstate or "", _line(text), _more(facts.message_detail, facts.message_hint)
    if hasattr(error, "sqlstate") and hasattr(error, "details"):
        # ADBC: its message holds the whole statement
        details = dict(error.details or ())
        return (
            error.sqlstate or "",
            _line(_text(details, "PG_DIAG_MESSAGE_PRIMARY") or _of_libpq(str(error))),
            _more(_text(details, "PG_DIAG_MESSAGE_DETAIL"), _text(details, "PG_DIAG_MESSAGE_HINT")),
        )
    if isinstance(error, OSError) and "[libpq]" in str(error):
        return "", _line(_of_libpq(str(error))), ""
    return None


def _text(details: Mapping[Any, Any], key: str) -> str:
    value = details.get(key, details.get(key.encode(), ""))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _of_libpq(text: str) -> str:
    found = _LIBPQ.search(text)
    return found[1] if found else text


def _line(text: str) -> str:
    return text.strip().split("\n", 1)[0].rstrip(".")


def _more(detail: str | None, hint: str | None) -> str:
    said = [_line(each)[:300] for each in (detail, hint) if each and each.strip()]
    return " ".join(f"{each}." for each in said)
