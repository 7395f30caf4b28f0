"""One executed statement: its columns, and its rows in pieces as the driver gives them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ...errors import Cancelled
from ..python_rows import Row
from ..sentences import no_rows
from ..watch import Watch
from .failures import Redactor, explained
from .kinds import Kind

ROWS = 10_000
"""Rows of a piece, and those that decide a type nobody tells."""


class Cursor:
    """Rows of one statement, read once."""

    def __init__(
        self,
        kind: Kind,
        connection: sa.Connection,
        statement: sa.Executable,
        redact: Redactor,
        interrupt: Callable[[], None],
        cancelled: threading.Event,
        *,
        streams: bool = True,
    ) -> None:
        """Run ``statement``; ``streams``: it can be given to a cursor of the server.

        Raises what ``failures.explained`` raises, and ``QueryFailed`` for no rows.
        """
        self._kind = kind
        self._redact = redact
        self._watch = Watch(kind.timeout if kind.watches() else None, interrupt)
        self._interrupt = interrupt
        self._cancelled = cancelled
        self._connection = connection
        self.done = False
        with self._guarded(), kind.streaming(connection):
            options = kind.options() if streams else {}
            self._result: Any = connection.execute(statement, execution_options=options)
            if not self._result.returns_rows:
                self._result.close()
                raise no_rows()
            self.names: list[str] = list(self._result.keys())
            # past SQLAlchemy, whose types make other values of what the driver gives
            self._raw = self._result.cursor
            self.description: Sequence[Sequence[Any]] = self._raw.description
            self._direct = not self._result.context._is_server_side

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._cancelled.is_set():
            # an interrupt that came between two calls of the driver has met nothing
            raise Cancelled("The export was cancelled.")
        name = self._kind.connection.name
        with explained(name, self._kind, self._redact, self._watch), self._watch.watching():
            yield

    @property
    def raw(self) -> Any:
        """The driver's cursor."""
        return self._raw

    def piece(self) -> Sequence[Row]:
        """Return the next rows, none at the end."""
        if self.done:
            return []
        with self._guarded():
            source = self._raw if self._direct else self._result
            rows: Sequence[Row] = source.fetchmany(ROWS)
        if not rows:
            self.done = True
            self._result.close()
        return rows

    def pieces(self) -> Iterator[Sequence[Row]]:
        """Yield the rows that are left."""
        while rows := self.piece():
            yield rows

    def close(self) -> None:
        """Give the result back to the driver. Idempotent."""
        if self.done:
            self._result.close()
            return
        self.done = True
        with explained(self._kind.connection.name, self._kind, self._redact):
            self._kind.give_back(self._connection, self._result, self._interrupt)
