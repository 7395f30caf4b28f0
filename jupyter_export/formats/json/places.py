"""The engine's part of nesting: where each row stands, and all rows in that order.

A row's place is ``top`` (which array of the document), ``s0`` (the number of the outermost row),
and for each level below it ``d1``, ``s1``, ``d2``, ``s2`` … (which array inside of that row, and
the row's number in its dataset). -1 stands for what a row is outside of, so that a row comes
before the rows inside of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from ...engine import translated
from ...errors import Cancelled
from . import keys
from .relations import Tree
from .spool import Spool

_BATCH_ROWS = 8_192


class Places:
    """The places of all rows, as tables of the engine (which spills them)."""

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        spools: Mapping[str, Spool],
        tree: Tree,
        tops: Sequence[str],
        cancelled: threading.Event,
    ) -> None:
        self._engine = engine
        self._spools = spools
        self._tree = tree
        self._tops = tops
        self._cancelled = cancelled
        self._number = {name: index for index, name in enumerate(spools)}
        deepest = max(len(tree.chain(name)) for name in spools)
        self._path = ["top", "s0"]
        for level in range(1, deepest):
            self._path += [f"d{level}", f"s{level}"]

    def find(self) -> None:
        """Find the place of every row. Raises ``SourceFailed`` for a key that is not unique."""
        # one table of all: sorting a UNION of several takes the engine far more memory
        self._engine.execute(f"CREATE TABLE places AS {self._of_none()}")
        for name in self._tree.downwards():
            self._check()
            number = self._number[name]
            with self._spools[name].keys() as reader:
                self._engine.register("spooled", reader)
                self._engine.execute("CREATE TABLE spool AS FROM spooled")
                self._engine.unregister("spooled")
            if name in self._tree.link:
                self._refuse_repeated(name)
            self._engine.execute(f"CREATE TABLE parents{number} AS {self._placed(name)}")
            self._engine.execute("DROP TABLE spool")
            self._engine.execute(
                f"INSERT INTO places SELECT {', '.join(self._path)}, {number}, n "
                f"FROM parents{number}"
            )
            if not self._tree.children[name]:
                self._engine.execute(f"DROP TABLE parents{number}")
        for name, children in self._tree.children.items():
            if children:
                self._engine.execute(f"DROP TABLE parents{self._number[name]}")

    def _of_none(self) -> str:
        path = ", ".join(f"{_outside(column)} AS {column}" for column in self._path)
        return f"SELECT {path}, 0::TINYINT AS dataset, 0::BIGINT AS n LIMIT 0"

    def _check(self) -> None:
        """An interrupt between two queries reaches neither of them."""
        if self._cancelled.is_set():
            raise Cancelled("The export was cancelled.")

    def _parent(self, name: str) -> tuple[str, str]:
        """Return the table of the parent's places, and its column with the key of ``name``."""
        parent = self._tree.link[name].parent
        return (
            f"parents{self._number[parent]}",
            f"key{self._tree.children[parent].index(name)}",
        )

    def _refuse_repeated(self, name: str) -> None:
        parents, key = self._parent(name)
        found = self._engine.execute(
            f"SELECT {key} FROM {parents} WHERE {key} IN (SELECT own FROM spool) "
            f"GROUP BY {key} HAVING count(*) > 1 ORDER BY min(n) LIMIT 1"
        ).fetchone()
        if found is not None:
            raise keys.repeated(self._tree.link[name], found[0])

    def _placed(self, name: str) -> str:
        """Return SQL for the places of a dataset's rows, with the keys of its children."""
        chain = self._tree.chain(name)
        top = f"{self._tops.index(name)}::TINYINT"
        level = len(chain) - 1
        known = {f"s{level}": "c.n"}
        if name in self._tree.link:
            parents, key = self._parent(name)
            # a row without a parent stands in an array of its own dataset
            known["top"] = f"coalesce(p.top, {top})"
            for column in self._path[1 : 2 * level]:
                known[column] = f"coalesce(p.{column}, {_outside(column)})"
            known[f"d{level}"] = f"{self._tree.children[chain[-2]].index(name)}::TINYINT"
            source = f"spool AS c LEFT JOIN {parents} AS p ON c.own = p.{key}"
        else:
            known["top"] = top
            source = "spool AS c"
        place = [f"{known.get(column, _outside(column))} AS {column}" for column in self._path]
        found = [f"c.{column}" for column in self._spools[name].schema.names if column != "own"]
        return f"SELECT {', '.join([*place, *found])} FROM {source}"

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Yield (top, dataset, n) of all rows in their order, datasets by their number."""
        self._check()
        with translated():
            yield from self._engine.sql(
                f"SELECT top, dataset, n FROM places ORDER BY {', '.join(self._path)}"
            ).to_arrow_reader(_BATCH_ROWS)


def _outside(column: str) -> str:
    """Return SQL for the part of a place that a row does not have."""
    return "-1::BIGINT" if column[0] == "s" else "-1::TINYINT"
