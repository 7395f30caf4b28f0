"""A PostgreSQL that can be taken away in the middle of a query, and come back with its data."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv

from benchmarks import postgres_server


class Postgres:
    """A server of the tests' own, on the same port each time it is started."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._binaries, self._identity = postgres_server._prepare(base)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        # What is stored must outlive a server that is killed.
        self._options = ("fsync=on", "synchronous_commit=on", "max_connections=200")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        if self._process is None:
            self._process = postgres_server._start(
                self._base, self._binaries, self._port, self._identity, self._options
            )
        else:
            self._process = subprocess.Popen(
                self._process.args,
                cwd=self._base,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self._base)},
                **self._identity,
            )
        postgres_server._wait(self._process, self._port, self._base / "log")

    def stop(self) -> None:
        """Take it away at once: SIGQUIT, PostgreSQL's immediate shutdown, as in a crash."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def runs(self, part: str) -> bool:
        """Tell whether somebody else's query with that text in it runs now."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
                (f"%{part}%",),
            )
            return found.fetchone() is not None

    def new_database(self, name: str) -> str:
        return new_database(self.url, name)

    def fill(self, name: str, rows: pa.Table) -> None:
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE TABLE {name} (n bigint, word text, price float8)")
            with connection.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:
                out = pa.BufferOutputStream()
                options = pa.csv.WriteOptions(include_header=False)
                pa.csv.write_csv(rows, out, options)
                copy.write(bytes(out.getvalue()))
            connection.execute(f"ANALYZE {name}")


@contextmanager
def running() -> Iterator[Postgres]:
    base = Path(tempfile.mkdtemp(prefix="jupyter-export-pg-"))
    try:
        server = Postgres(base)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def new_database(url: str, name: str) -> str:
    """Return the URL of a fresh database of that server."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{url.rpartition('/')[0]}/{name}"
