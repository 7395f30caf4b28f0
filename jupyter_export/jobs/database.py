"""The database of the store: SQLite in WAL mode, or what ``db_url`` names; its transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, delete, event, false
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import ExportError, InvalidSpec
from ..registry import missing
from .filelock import Waiting
from .migrate import LOCK_SECONDS, needed, upgrade
from .store_failures import told
from .tables import services

FILE_NAME = "jobs.sqlite"
"""The default store, in the state folder."""
BUSY_SECONDS = 15
"""How long a write waits for another process's write before it fails."""
CONNECT_SECONDS = 10
IDLE_SECONDS = 60
"""How long PostgreSQL lets a transaction be in which nothing happens: a server that is stopped in
the middle of one must not lock the others out."""
CACHE_KIB = 32 * 1024
"""Most that a connection to SQLite keeps in memory: the narrow index of 100,000 jobs."""
WAL_BYTES = 64 * 1024 * 1024
"""What a burst of writes may leave of the write-ahead log once it has been checkpointed."""
_BEGIN = "jupyter_export_begin"


class StoreDatabase:
    """One database, whose tables ``tables`` describes. Safe from several threads.

    Raises ``InvalidSpec`` for a URL that is none, ``MissingDependency`` without its driver.
    """

    def __init__(self, state_dir: Path, db_url: str | None = None) -> None:
        self._state_dir = state_dir
        try:
            url = make_url(db_url) if db_url else _default_url(state_dir)
            self.is_sqlite = url.get_backend_name() == "sqlite"
            self._engine = create_engine(
                url,
                pool_pre_ping=not self.is_sqlite,
                connect_args=_connect_args(url),
            )
        except ArgumentError:
            raise InvalidSpec(
                "db_url is not an SQLAlchemy URL of a database that is known here.",
                hint="For example postgresql+psycopg://user@host/database.",
            ) from None
        except ModuleNotFoundError as error:
            raise missing(error.name, "The job store of db_url") from None
        if self.is_sqlite:
            if url.database in (None, "", ":memory:"):
                raise InvalidSpec(
                    "db_url is a database in memory, which each thread would have for itself.",
                    hint="Name a file: sqlite:////srv/exports/jobs.sqlite.",
                )
            event.listen(self._engine, "connect", _sqlite_connected)
            event.listen(self._engine, "begin", _sqlite_begins)
        elif url.get_backend_name() == "postgresql":
            event.listen(self._engine, "connect", _postgres_connected)
        # A transaction that reads before it writes would find “database is locked” at its first
        # write, whatever the timeout, so one that may write takes the lock as it begins.
        self._writing = self._engine.execution_options(**{_BEGIN: "IMMEDIATE"})
        self._plain = self._engine.execution_options(**{_BEGIN: None})

    def start(self) -> None:
        """Bring its tables up to date. Raises ``StoreTooNew``, ``ServerUnavailable``."""
        if self.is_sqlite:
            _make_private(self._engine.url.database or "")
        with self._translated():
            if self._behind():
                self._bring_up_to_date()
            # A store that can only be read is told now, not by the first job.
            with self._writing.begin() as connection:
                connection.execute(delete(services).where(false()))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One short transaction that writes. Raises ``ServerUnavailable``."""
        with self._translated(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def exclusive(self, lock: int) -> Iterator[Connection]:
        """One short transaction that is alone from its beginning. On PostgreSQL it excludes those
        with the same ``lock`` number, in SQLite every writer.

        Raises ``ServerUnavailable``.
        """
        with self.transaction() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock:d})")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One short transaction that reads; in SQLite all of it sees one moment."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    def _behind(self) -> bool:
        with self._engine.connect() as connection:
            return needed(connection) or (self.is_sqlite and _journal_mode(connection) != "wal")

    def _bring_up_to_date(self) -> None:
        try:
            with Waiting(self._state_dir / "store.lock", LOCK_SECONDS):
                if self.is_sqlite:
                    # Readers never wait for the writer, nor the writer for them. The file keeps
                    # the mode; processes that set it at once would lock each other out.
                    with self._plain.connect() as connection:
                        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                with self._writing.begin() as connection:
                    upgrade(connection)
        except ExportError:
            raise
        except OSError as error:
            raise told(error, is_sqlite=self.is_sqlite) from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the database's errors into ours."""
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            raise told(error, is_sqlite=self.is_sqlite) from error


def _make_private(path: str) -> None:
    """Make the file of a new store, for its owner alone; what SQLite puts beside it is so, too.
    Who cannot make it is told when it is opened."""
    if not path.startswith("file:"):  # A URI of SQLite.
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _default_url(state_dir: Path) -> URL:
    return URL.create("sqlite", database=str(state_dir / FILE_NAME))


def _connect_args(url: URL) -> dict[str, Any]:
    """Return limits for what a driver would wait for without end, unless ``url`` has its own."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS}
    if url.get_backend_name() == "postgresql" and url.get_driver_name() in ("psycopg", "psycopg2"):
        limits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": BUSY_SECONDS * 1000}
        return {name: value for name, value in limits.items() if name not in url.query}
    return {}


def _journal_mode(connection: Connection) -> str:
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


def _sqlite_connected(connection: Any, _record: object) -> None:
    # The driver begins a transaction only before INSERT, UPDATE and DELETE, which leaves out the
    # steps of a migration: ``_sqlite_begins`` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    # The log reaches the disk with each commit. NORMAL would lose the last ones in a power cut:
    # a job that was taken would be gone, a finished file would have no job. It costs one fsync.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    cursor.close()


def _postgres_connected(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    cursor.close()
    connection.commit()  # A setting goes with the transaction that is rolled back.


def _sqlite_begins(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_BEGIN, "DEFERRED")
    if mode is not None:
        connection.exec_driver_sql(f"BEGIN {mode}")
