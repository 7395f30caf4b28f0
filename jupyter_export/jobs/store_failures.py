"""What is wrong with the store's database, in a sentence, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from ..errors import ServerUnavailable

log = logging.getLogger(__name__)

_DAMAGED = (
    "Stop every service that uses it, then put a backup in its place, or move the file and those "
    "beside it (-wal, -shm) away: a new, empty store is made."
)
_NOT_ALLOWED = (
    "Give the user of this process the right to write the file and the folder it is in, or set "
    "another state_dir or db_url."
)
_HINTS: Sequence[tuple[tuple[str, ...], str]] = (
    (("malformed", "not a database"), _DAMAGED),
    (("readonly", "read-only", "unable to open", "permission"), _NOT_ALLOWED),
    (("i/o error",), "The disk of the store fails: look at the system's log."),
    (("is full", "no space"), "Make room on the disk of the store, then try again."),
    (("is locked", "is busy"), "Another process holds the store: end it, or try again."),
)
"""Parts of SQLite's and the system's messages -> what to do."""
_DEFAULT_HINT = "Check state_dir and db_url, and that their disk has room."


def told(error: SQLAlchemyError | OSError, *, is_sqlite: bool) -> ServerUnavailable:
    """Return the error for people. SQLite's words are safe; a server's name hosts and users."""
    log.warning("the job store failed", exc_info=error)
    if isinstance(error, OSError):
        cause = error.strerror or type(error).__name__
    else:
        cause = str(getattr(error, "orig", None) or "") if is_sqlite else ""
    said = f": {cause}" if cause else ""
    lower = cause.lower()
    hint = next(
        (hint for parts, hint in _HINTS if any(part in lower for part in parts)), _DEFAULT_HINT
    )
    return ServerUnavailable(f"The job store cannot be used{said}.", hint=hint)
