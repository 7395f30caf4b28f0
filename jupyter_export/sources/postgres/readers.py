"""Reading one statement in a connection of its own, in the session's snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence

import pyarrow as pa

BINARY_NUMERIC = pa.large_string()
"""Stands among the types for a numeric that the server does not write as text."""


class CannotConnect(Exception):
    """A reader gets no connection of its own. The driver's error is its cause."""


class Reader(ABC):
    """One connection, one statement. Opened, read and closed in one thread; ``cancel`` may come
    from any, at any time."""

    @abstractmethod
    def read(self, sql: str, wire: Sequence[pa.DataType]) -> Generator[pa.RecordBatch]:
        """Begin the transaction, run ``sql`` and yield its rows. ``wire``: their types, which a
        reader that sees no types of its own goes by. Raises ``IntervalOverflow``,
        ``CannotConnect`` and what the driver raises."""

    @abstractmethod
    def cancel(self) -> None:
        """End the statement on the server; nothing happens when none runs."""

    @abstractmethod
    def commit(self) -> None:
        """Keep what the statement wrote."""

    @abstractmethod
    def close(self) -> None:
        """End the connection, and with it a transaction that was not committed. Idempotent."""
