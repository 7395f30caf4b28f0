"""Sources of a connection “db”, and how they are read again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from jupyter_export.losses import Loss
from jupyter_export.registry import Database, Retyped
from jupyter_export.spec import SqlSource, TableSource


def query(text: str, **params: Any) -> SqlSource:
    return SqlSource(type="sql", connection="db", query=text, params=params)


def table(name: str, schema: str | None = None) -> TableSource:
    return TableSource.model_validate(
        {"type": "table", "connection": "db", "table": name, "schema": schema}
    )


def read(database: Database, source: SqlSource | TableSource) -> tuple[pa.Table, tuple[Loss, ...]]:
    """Return all rows of ``source`` and what reading changed, begun again as a run begins again."""
    for _ in range(10):
        try:
            stream = database.stream(sa.select(database.relation(source).clause))
            return pa.Table.from_batches(stream.batches, stream.schema), stream.losses
        except Retyped:
            continue
    raise AssertionError("it never knew its types")


@contextmanager
def interrupted(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call ``interrupt`` until what is in here has ended: one alone may come before a query."""
    over = threading.Event()

    def again() -> None:
        while not over.wait(0.2):
            interrupt()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
