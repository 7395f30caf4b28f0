"""Rows by ADBC: COPY in its binary form, made columns by the driver."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql
import pyarrow as pa
from adbc_driver_manager import AdbcConnection, AdbcDatabase, AdbcStatement

# gives the database's SQLSTATE for what goes wrong between two batches; pyarrow's does not
from adbc_driver_manager._reader import AdbcRecordBatchReader
from adbc_driver_postgresql import StatementOptions

from .misfit import IntervalOverflow
from .readers import CannotConnect, Reader

_BATCH_BYTES = 2 * 1024**2
"""About how much the driver gathers before it hands a batch over."""


class AdbcPlace:
    """What the readers of a job share: the driver's view of the types, asked for once."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._database: AdbcDatabase | None = None

    def connect(self) -> AdbcConnection:
        with self._lock:
            try:
                if self._database is None:
                    self._database = adbc_driver_postgresql.connect(self._conninfo)
                return AdbcConnection(self._database)
            except adbc_driver_manager.Error as error:
                raise CannotConnect from error

    def close(self) -> None:
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                # a server that does not answer may keep a reader
                with suppress(adbc_driver_manager.Error, RuntimeError):
                    database.close()


class AdbcReader(Reader):
    def __init__(self, place: AdbcPlace, beginning: str) -> None:
        self._place = place
        self._beginning = beginning
        self._closing = threading.Lock()
        self._connection: AdbcConnection | None = None
        self._statement: AdbcStatement | None = None

    def read(self, sql: str, wire: Sequence[pa.DataType]) -> Generator[pa.RecordBatch]:
        self._connection = self._place.connect()
        self._run(self._beginning)
        self._statement = statement = AdbcStatement(self._connection)
        statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(_BATCH_BYTES)})
        statement.set_sql_query(sql)
        handle, _ = statement.execute_query()
        batches: Any = AdbcRecordBatchReader._import_from_c(handle.address)
        try:
            while True:
                try:
                    yield batches.read_next_batch()
                except StopIteration:
                    return
                except adbc_driver_manager.Error as error:
                    if "overflow when converting to nanoseconds" in str(error):
                        raise IntervalOverflow from None
                    raise
        finally:
            batches.close()

    def _run(self, sql: str) -> None:
        assert self._connection is not None
        statement = AdbcStatement(self._connection)
        try:
            statement.set_sql_query(sql)
            statement.execute_update()
        finally:
            statement.close()

    def cancel(self) -> None:
        with self._closing:
            if self._statement is not None:
                # it may be over
                with suppress(adbc_driver_manager.Error):
                    self._statement.cancel()

    def commit(self) -> None:
        self._run("COMMIT")

    def close(self) -> None:
        with self._closing:
            for each in (self._statement, self._connection):
                if each is not None:
                    with suppress(adbc_driver_manager.Error):
                        each.close()
            self._statement = self._connection = None
