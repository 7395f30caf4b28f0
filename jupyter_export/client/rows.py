"""Rows that stand where a frame would: they are read when they are sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .attend import attended

if TYPE_CHECKING:
    import pyarrow as pa

    from .arrow import OfThisThread


@dataclass(frozen=True)
class Rows:
    """A query's rows. ``read`` runs it, each time that it is called."""

    read: Callable[[], pa.RecordBatchReader]
    interrupt: Callable[[], None] | None = None
    """Ends a read that waits, from another thread."""
    close: Callable[[], None] | None = None
    """Called once the rows are sent, or are not wanted any more. Idempotent."""
    begins_here: bool = False
    """True: the thread that asks for the rows runs the query, and its library hears Ctrl-C."""
    here: bool = False
    """True: only the thread that asks for the rows may read them."""
    moments_of: Any = None
    """The connection on which several such reads may see the database at different moments."""

    def reader(self) -> pa.RecordBatchReader:
        """Run the query; Ctrl-C ends it."""
        alone = self.here or self.begins_here
        return self.read() if alone else attended(self.read, self.interrupt)

    def travelling(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader | OfThisThread:
        """Return ``reader``, made of these rows, as a client is to send it."""
        from .arrow import OfThisThread

        return OfThisThread(reader) if self.here else reader


def was_interrupted(error: BaseException | None) -> bool:
    """Tell whether Ctrl-C ended a query that ran in this thread, however that was said: SQLite and
    DuckDB hear it before Python does, and raise errors of their own."""
    sqlite3 = sys.modules.get("sqlite3")
    seen: set[int] = set()  # an error may be among its own causes
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if sqlite3 is not None and isinstance(error, sqlite3.OperationalError):
            return "interrupted" in str(error)
        if type(error) is RuntimeError and str(error) == "Query interrupted":
            return True
        error = error.__cause__ or error.__context__
    return False
