"""A database of the tests: its rows are told to it, and it can learn a column's type late."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import sqlalchemy as sa

from jupyter_export.errors import QueryFailed
from jupyter_export.losses import Loss
from jupyter_export.registry import (
    BatchStream,
    Connection,
    Database,
    Relation,
    Retyped,
    Surroundings,
)
from jupyter_export.spec import SqlSource, TableSource

ROWS = 4


class FakeDatabase(Database):
    """``fake://?moment=no``: statements see different moments; ``late=N``: N columns turn out to
    be texts in the last row; ``breaks=yes``: the last row is never there."""

    dialect = "nothing_special"
    opened: ClassVar[list[FakeDatabase]] = []

    def __init__(self, url: str) -> None:
        self._url = url
        self.point_in_time = "moment=no" not in url
        self._late = int(url.partition("late=")[2][:1] or 0)
        self._texts: set[str] = set()
        self.attempts = 0
        self.closed = False
        FakeDatabase.opened.append(self)

    def relation(self, source: TableSource | SqlSource) -> Relation:
        columns = [sa.column(name) for name in ("a", "b")]
        return Relation(sa.table("t", *columns), self._schema())

    def _schema(self) -> pa.Schema:
        return pa.schema({n: pa.string() if n in self._texts else pa.int64() for n in ("a", "b")})

    def stream(self, statement: sa.Select[Any]) -> BatchStream:
        self.attempts += 1
        schema = self._schema()
        losses = tuple(
            Loss("database_type", name, None, "odd is written as its text")
            for name in sorted(self._texts)
        )

        def batches() -> Any:
            yield pa.record_batch([pa.array([1, 2]).cast(f.type) for f in schema], schema=schema)
            for name in ("a", "b")[: self._late]:
                if name not in self._texts:
                    self._texts.add(name)
                    raise Retyped
            if "breaks=yes" in self._url:
                raise QueryFailed("The query failed: division by zero.")
            yield pa.record_batch([pa.array([3, 4]).cast(f.type) for f in schema], schema=schema)

        return BatchStream(schema=schema, batches=batches(), losses=losses)

    def estimate(self, statement: sa.Select[Any]) -> int | None:
        return ROWS

    def tables(self) -> list[dict[str, Any]]:
        return []

    def close(self) -> None:
        self.closed = True


def open_fake(connection: Connection, here: Surroundings) -> Database:
    return FakeDatabase(connection.url)
