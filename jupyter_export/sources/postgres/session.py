"""The connection that holds a job's snapshot, and is asked what is there."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from ...errors import InvalidSpec, QueryCancelled, QueryFailed, SourceFailed
from ...registry import Connection
from .failures import Failures

_SECRET_WORDS = ("password", "passwd", "secret", "token", "key")
_DEFAULTS = {
    "application_name": "jupyter_export",
    "connect_timeout": "15",
    # a server that vanished without a word is noticed within a minute
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


def conninfo_of(connection: Connection) -> tuple[str, tuple[str, ...]]:
    """Return libpq's connection string of a connection, and the texts in it that are secret.

    Raises ``SourceFailed`` for a URL that cannot be used.
    """
    try:
        url = sa.engine.make_url(connection.url)
        _, arguments = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
        given = {**arguments, **connection.options}
        conninfo = make_conninfo(**{**_DEFAULTS, **given, "client_encoding": "UTF8"})
    except Exception:  # whatever it says would hold the password
        raise SourceFailed(
            f"The URL of the connection {connection.name} cannot be used.",
            hint="It looks like postgresql://user:password@host:5432/database.",
        ) from None
    known: Mapping[str, Any] = conninfo_to_dict(conninfo)
    secrets = {
        connection.url,
        *(str(value) for key, value in known.items() if any(w in key for w in _SECRET_WORDS)),
    }
    # the longest first: what holds another one goes as a whole
    return conninfo, tuple(sorted(filter(None, secrets), key=len, reverse=True))


def _connected(conninfo: str, failures: Failures) -> psycopg.Connection[Any]:
    """Return a connection. A host that does not answer must not keep a cancelled run waiting."""
    answers: queue.SimpleQueue[psycopg.Connection[Any] | BaseException] = queue.SimpleQueue()

    given_up = threading.Event()

    def connect() -> None:
        try:
            made = psycopg.connect(conninfo, autocommit=True)
        except BaseException as error:  # it belongs to whoever waits
            answers.put(error)
        else:
            if given_up.is_set():
                made.close()
            answers.put(made)

    threading.Thread(target=connect, name="jupyter-export-connect", daemon=True).start()
    while True:
        with suppress(queue.Empty):
            answer = answers.get(timeout=0.1)
            break
        if failures.cancelled():
            given_up.set()
            raise QueryCancelled("The export was cancelled before the database answered.")
    if isinstance(answer, psycopg.Error):
        raise failures.of_connecting(answer) from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


@dataclass(frozen=True)
class Described:
    """A column of a statement's result, as the database describes it."""

    name: str
    oid: int
    modifier: int
    """``pg_attribute.atttypmod``; -1: none."""


class Session:
    """One psycopg connection in one transaction, REPEATABLE READ and READ ONLY: also where the
    connection may write, nothing is written here. Used by one thread at a time; ``cancel`` may
    come from any."""

    def __init__(self, connection: Connection, conninfo: str, failures: Failures) -> None:
        """Raises ``LoginRefused`` or ``ConnectionFailed``."""
        self.failures = failures
        self._lock = threading.RLock()
        self._own_timeout = connection.statement_timeout
        self._connection = _connected(conninfo, failures)
        try:
            with failures.explained():
                begun = self._connection.execute(
                    f"{self.beginning()}; SELECT pg_export_snapshot(),"
                    " extract(epoch from current_setting('statement_timeout')::interval)"
                )
                while begun.nextset():
                    pass
                snapshot, seconds = begun.fetchone() or ("", 0)
        except BaseException:
            self._connection.close()
            raise
        self.snapshot = str(snapshot)
        failures.timeout = float(seconds) or None

    def beginning(
        self, snapshot: str | None = None, *, writable: bool = False, in_order: bool = False
    ) -> str:
        """Return the statements that begin a transaction like this one, in ``snapshot``.

        ``in_order``: the same statement over the same rows gives them in the same order.
        """
        mode = "READ WRITE" if writable else "READ ONLY"
        settings = {
            "TimeZone": "'UTC'",
            "DateStyle": "'ISO, YMD'",
            "IntervalStyle": "'postgres'",
            "bytea_output": "'hex'",
            "xmloption": "'content'",
            "extra_float_digits": "1",
            "idle_in_transaction_session_timeout": "0",
            # a large table is read from its start, and not from where another scan is
            "synchronize_seqscans": "off",
        }
        if in_order:
            # workers hand over their rows as they come
            settings["max_parallel_workers_per_gather"] = "0"
        if writable:
            # the datasets of a job must not wait for one another for ever
            settings["lock_timeout"] = "'60s'"
        if self._own_timeout is not None:
            settings["statement_timeout"] = str(self._own_timeout * 1000)
        return "; ".join(
            [
                f"BEGIN ISOLATION LEVEL REPEATABLE READ {mode}",
                # before any query: also what is set looks at the snapshot
                *([f"SET TRANSACTION SNAPSHOT '{snapshot}'"] if snapshot else []),
                *(f"SET LOCAL {name} = {value}" for name, value in settings.items()),
            ]
        )

    def describe(self, sql: str, field: str | None = None) -> list[Described]:
        """Return the columns of a statement without running it; none: it gives no rows."""
        if "\0" in sql:
            # to libpq the text would end there
            raise InvalidSpec("The query or a name in it holds a zero byte.", field=field)
        with self._lock, self.failures.explained(field):
            link = self._connection.pgconn
            for answer in (link.prepare(b"", sql.encode()), link.describe_prepared(b"")):
                if answer.status == pq.ExecStatus.FATAL_ERROR:
                    raise psycopg.errors.error_from_result(answer)
            return [
                Described(
                    (answer.fname(index) or b"").decode(), answer.ftype(index), answer.fmod(index)
                )
                for index in range(answer.nfields)
            ]

    def ask(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return the rows of a small query; ``%s`` are bound where there are values."""
        with self._lock, self.failures.explained():
            return self._connection.execute(sql, values or None).fetchall()

    def ask_text(self, sql: str, most: int, field: str | None = None) -> list[list[str | None]]:
        """Return the rows of ``sql`` as the database's own text. Raises ``QueryFailed`` for more
        than ``most``."""
        with self._lock, self.failures.explained(field):
            result = self._connection.execute(sql).pgresult
        assert result is not None
        if result.ntuples > most:
            raise QueryFailed(f"The query gives more than {most:,} rows.", field=field)
        return [
            [
                None if (value := result.get_value(row, column)) is None else value.decode()
                for column in range(result.nfields)
            ]
            for row in range(result.ntuples)
        ]

    @contextmanager
    def trying(self, most: float | None = None) -> Iterator[None]:
        """Undo what happens inside, so that a failure costs neither transaction nor snapshot.

        ``most``: seconds that a statement may take; None: as always.
        """
        known = self.failures.timeout
        most = min((each for each in (most, known) if each), default=0)
        with self._lock:
            self._connection.execute(
                f"SAVEPOINT trying; SET LOCAL statement_timeout = {int(most * 1000)}"
            )
            try:
                yield
            finally:
                with suppress(psycopg.Error):
                    self._connection.execute("ROLLBACK TO SAVEPOINT trying")

    def literal(self, value: Any) -> str:
        """Return ``value`` as a literal of SQL, quoted by libpq for this connection.

        Raises ``InvalidSpec`` for a text that holds a zero byte, which PostgreSQL cannot take.
        """
        try:
            return psycopg.sql.Literal(value).as_string(self._connection).strip()
        except psycopg.Error as error:
            raise InvalidSpec(
                f"A value cannot be sent to the database: {str(error).rstrip('.')}."
            ) from None

    def cancel(self) -> None:
        """End the statement that runs here, if one does. From any thread."""
        # it may be over, or the connection gone
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        """Idempotent; the transaction has changed nothing, so there is nothing to commit."""
        self._connection.close()
