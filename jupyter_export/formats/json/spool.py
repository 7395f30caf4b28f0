"""The rows of a dataset, written and waiting on disk until the engine has put them in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..strings import offsets, payload
from . import keys
from .relations import Tree


class Spool:
    """Three files: the texts of all rows' members, where each one ends, and the rows' keys.

    The keys are a stream of Arrow batches: ``n``, the row's number; ``own``, the key of its
    parent; ``key0``, ``key1``, … those by which the rows of each child dataset find this one. The
    texts are looked up by the rows' numbers in a map of their file, which the system may drop from
    memory at any time.
    """

    def __init__(self, folder: Path, name: str, tree: Tree) -> None:
        folder.mkdir()
        self.rows = 0
        self._texts = folder / "members"
        self._ends = folder / "ends"
        self._keys = folder / "keys.arrows"
        self._dataset = name
        own = tree.link.get(name)
        self._columns = {} if own is None else {"own": own.child_column}
        for index, child in enumerate(tree.children[name]):
            self._columns[f"key{index}"] = tree.link[child].parent_column
        self.schema = pa.schema([("n", pa.int64()), *((key, pa.string()) for key in self._columns)])

    def write(self, written: Iterable[tuple[pa.RecordBatch, pa.StringArray]]) -> Iterator[int]:
        """Take all rows and their texts; yield after each batch how many rows there are."""
        size = 0
        with (
            self._texts.open("wb") as texts,
            self._ends.open("wb") as ends,
            pa.OSFile(str(self._keys), "wb") as file,
            pa.ipc.new_stream(file, self.schema) as out,
        ):
            ends.write(np.zeros(1, np.int64).data)
            for batch, members in written:
                numbers = pa.array(np.arange(self.rows, self.rows + batch.num_rows))
                found = [
                    keys.canonical(batch.column(column), f"{self._dataset}.{column}")
                    for column in self._columns.values()
                ]
                out.write_batch(pa.RecordBatch.from_arrays([numbers, *found], schema=self.schema))
                places = offsets(members).astype(np.int64)
                texts.write(payload(members).data)
                ends.write((places[1:] - places[0] + size).data)
                size += int(places[-1] - places[0])
                self.rows += batch.num_rows
                yield self.rows

    @contextmanager
    def keys(self) -> Iterator[pa.RecordBatchReader]:
        with pa.memory_map(str(self._keys)) as file, pa.ipc.open_stream(file) as reader:
            yield reader

    @contextmanager
    def members(self) -> Iterator[pa.LargeStringArray]:
        """Open the texts of all rows, by their numbers."""
        with pa.memory_map(str(self._ends)) as ends:
            if not self._texts.stat().st_size:
                # an empty file cannot be mapped
                yield _array(self.rows, ends.read_buffer(), pa.py_buffer(b""))
                return
            with pa.memory_map(str(self._texts)) as texts:
                yield _array(self.rows, ends.read_buffer(), texts.read_buffer())


def _array(rows: int, ends: pa.Buffer, texts: pa.Buffer) -> pa.LargeStringArray:
    return pa.LargeStringArray.from_buffers(rows, ends, texts)


def gathered(
    arrays: list[pa.LargeStringArray],
    which: np.ndarray[tuple[int], np.dtype[np.int64]],
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> pa.StringArray:
    """Return for each row the text ``numbers`` of the array ``which``."""
    found, order = [], []
    for index in np.unique(which).tolist():
        mine = np.flatnonzero(which == index)
        texts = pc.take(arrays[index], pa.array(numbers[mine]), boundscheck=True)
        found.append(pc.cast(texts, pa.string()))
        order.append(mine)
    if len(found) == 1:
        return found[0]
    back = np.empty(len(which), np.int64)
    back[np.concatenate(order)] = np.arange(len(which))
    return pc.take(pa.concat_arrays(found), pa.array(back))
