"""Every error this package raises on purpose.

    ExportError
    ├── InvalidRequest            invalid_request   the call itself is wrong
    │   └── InvalidSpec           invalid_spec      the document is wrong (``field`` says where)
    ├── Forbidden                 forbidden
    ├── NotFound                  not_found
    ├── OutputExists              output_exists
    ├── NotReady                  not_ready
    ├── Expired                   expired
    ├── TooLarge                  too_large
    ├── QueueFull                 queue_full        ``retry_after`` in seconds
    ├── ShuttingDown              shutting_down
    ├── ServerUnavailable         server_unavailable
    └── RunError                                    why a job failed
        ├── SourceFailed          source_failed
        │   ├── LoginRefused      login_refused     user, password or database are not accepted
        │   ├── ConnectionFailed  connection_failed the database cannot be reached
        │   ├── ConnectionLost    connection_lost   the database went away in mid-stream
        │   └── Throttled         throttled         the source asks to be asked less often
        ├── QueryFailed           query_failed
        │   ├── StatementTimeout  statement_timeout
        │   └── QueryCancelled    query_cancelled   somebody else ended the query
        ├── LossRefused           loss_refused
        ├── Incomplete            incomplete        the three row counts differ
        ├── DiskFull              disk_full
        ├── WriteFailed           write_failed
        ├── OutOfMemory           out_of_memory
        ├── TimedOut              timed_out
        ├── WorkerCrashed         worker_crashed
        ├── Interrupted           interrupted
        ├── Cancelled             cancelled
        ├── MissingDependency     missing_dependency
        └── InternalError         internal_error

An error is one safe sentence (``message``: no secret, no traceback), what to do about it
(``hint``) and, for a document, the path of the wrong field (``field``). ``to_json`` and
``from_json`` carry it between processes and over HTTP without changing its class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar


class ExportError(Exception):
    """Base of the hierarchy; ``code`` is stable and part of the contract."""

    code: ClassVar[str] = "error"
    _by_code: ClassVar[dict[str, type[ExportError]]] = {}

    def __init__(self, message: str, *, hint: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            ExportError._by_code[cls.code] = cls

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def to_json(self) -> dict[str, str | None]:
        """Return ``{code, message, hint, field}``."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "field": self.field,
        }

    @staticmethod
    def from_json(error: dict[str, Any]) -> ExportError:
        """Rebuild the error that ``to_json`` described; an unknown code gives a ``RunError``."""
        kind = ExportError._by_code.get(str(error.get("code")), RunError)
        return kind(
            str(error.get("message") or "The export failed."),
            hint=error.get("hint"),
            field=error.get("field"),
        )


class InvalidRequest(ExportError, ValueError):
    code = "invalid_request"


class InvalidSpec(InvalidRequest):
    code = "invalid_spec"


class Forbidden(ExportError, PermissionError):
    code = "forbidden"


class NotFound(ExportError, LookupError):
    code = "not_found"


class OutputExists(ExportError, FileExistsError):
    code = "output_exists"


class NotReady(ExportError):
    code = "not_ready"


class Expired(ExportError):
    code = "expired"


class TooLarge(ExportError):
    code = "too_large"


class QueueFull(ExportError):
    code = "queue_full"
    retry_after: int = 5
    """Seconds after which asking again makes sense."""


class ShuttingDown(ExportError):
    code = "shutting_down"


class ServerUnavailable(ExportError, ConnectionError):
    code = "server_unavailable"


class RunError(ExportError):
    code = "failed"


class SourceFailed(RunError):
    code = "source_failed"


class LoginRefused(SourceFailed):
    code = "login_refused"


class ConnectionFailed(SourceFailed):
    code = "connection_failed"


class ConnectionLost(SourceFailed):
    code = "connection_lost"


class Throttled(SourceFailed):
    code = "throttled"


class QueryFailed(RunError):
    code = "query_failed"


class StatementTimeout(QueryFailed):
    code = "statement_timeout"


class QueryCancelled(QueryFailed):
    code = "query_cancelled"


class LossRefused(RunError):
    code = "loss_refused"


class Incomplete(RunError):
    code = "incomplete"


class DiskFull(RunError, OSError):
    code = "disk_full"


class WriteFailed(RunError, OSError):
    code = "write_failed"


class OutOfMemory(RunError, MemoryError):
    code = "out_of_memory"


class TimedOut(RunError, TimeoutError):
    code = "timed_out"


class WorkerCrashed(RunError):
    code = "worker_crashed"


class Interrupted(RunError):
    code = "interrupted"


class Cancelled(RunError):
    code = "cancelled"


class MissingDependency(RunError, ImportError):
    code = "missing_dependency"


class InternalError(RunError):
    code = "internal_error"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``word``, or None when nothing is close."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the hint for a name that is not known: the nearest one, or all of them."""
    names = sorted(known)
    close = nearest(word, names)
    if close is not None:
        return f"Did you mean {close}?"
    if not names:
        return "There are none."
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"Known: {shown}."
