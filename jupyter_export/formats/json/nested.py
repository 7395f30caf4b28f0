"""Rows inside the rows that they belong to.

Each dataset's rows are written once, as the texts of their members, and wait on disk. The engine
finds every row's place, the numbers of the rows around it from the outside in, and sorts the rows
of all datasets by it; the texts follow in that order. What stands between two rows that follow one
another is told by where the two of them are in the tree alone, so that memory stays flat however
many rows belong to one.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...engine import session
from ...registry import Chunk, FileContext, interrupting
from ..strings import whole_rows
from . import rows
from .between import Between
from .frame import Frame, text_chunk
from .places import Places
from .relations import Tree
from .spool import Spool, gathered

_MEMORY = 128 * 1000**2
"""Bytes of the engine, which only joins keys and sorts numbers; more are spilled to disk."""


def nested(
    writer: Callable[[str], rows.RowWriter],
    tree: Tree,
    frame: Frame,
    level: int,
    context: FileContext,
) -> Iterator[Chunk]:
    """Yield an object of the outermost datasets, with all others inside their rows.

    Rows that belong to no row of their parent stand in an array of their own beside them. Raises
    ``SourceFailed`` for a parent's key that two of its rows have.
    """
    here = context.here
    between = Between(tree, frame, level)
    with _folder(here.scratch) as folder:
        spools: dict[str, Spool] = {}
        for name in tree.names:
            spools[name] = Spool(folder / str(len(spools)), name, tree)
            layout = rows.of_members(frame.rows(between.row_level(len(tree.chain(name)))))
            for _ in spools[name].write(writer(name).texts(layout)):
                # no bytes yet, but whoever waits can see that it goes on, and stop it
                yield Chunk(b"", 0)
        memory = min(here.memory_limit, _MEMORY)
        with (
            ExitStack() as stack,
            session(here.scratch, memory_limit=memory, threads=1) as engine,
            interrupting(here.cancelled, engine.interrupt),
        ):
            places = Places(engine, spools, tree, between.tops, here.cancelled)
            places.find()
            texts = [stack.enter_context(spool.members()) for spool in spools.values()]
            document = _Document(between, list(spools), texts)
            for batch in places.rows():
                if batch.num_rows:
                    yield Chunk(document.rows(batch), batch.num_rows)
            yield text_chunk(document.end())


@contextmanager
def _folder(scratch: Path) -> Iterator[Path]:
    folder = scratch / f"nested-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Document:
    """Puts the texts between the rows, batch by batch."""

    def __init__(
        self, between: Between, names: Sequence[str], texts: list[pa.LargeStringArray]
    ) -> None:
        self._between = between
        self._texts = texts
        self._nodes = between.nodes()
        self._codes = np.zeros((len(between.tops), len(names)), np.int64)
        for code, node in enumerate(self._nodes):
            self._codes[between.tops.index(node.top), names.index(node.dataset)] = code
        self._last: tuple[int, bool] | None = None

    def rows(self, batch: pa.RecordBatch) -> memoryview:
        """Return the next rows, each with what stands before it."""
        top, dataset, numbers = (column.to_numpy() for column in batch.columns)
        members = gathered(self._texts, dataset, numbers)
        codes = self._codes[top, dataset]
        bare = pc.equal(pc.binary_length(members), 0).to_numpy(zero_copy_only=False)
        # the row before each row, as its node and whether it has no members
        before = np.empty(len(codes), np.int64)
        before[1:] = codes[:-1] * 2 + bare[:-1]
        before[0] = -1 if self._last is None else self._last[0] * 2 + self._last[1]
        self._last = int(codes[-1]), bool(bare[-1])
        pairs, which = np.unique(before * len(self._nodes) + codes, return_inverse=True)
        words = pa.array([self._word(pair) for pair in pairs.tolist()], pa.string())
        texts = self._indented(codes, members)
        return whole_rows([pc.take(words, pa.array(which)), texts], "")

    def end(self) -> str:
        """Return what follows the last row."""
        if self._last is None:
            return self._between.text(None, None)
        code, bare = self._last
        return self._between.text(self._nodes[code], None, bare=bare)

    def _word(self, pair: int) -> str:
        before, code = divmod(pair, len(self._nodes))
        node = None if before < 0 else self._nodes[before // 2]
        return self._between.text(node, self._nodes[code], bare=before % 2 == 1)

    def _indented(self, codes: np.ndarray[Any, np.dtype[np.int64]], members: pa.Array) -> pa.Array:
        """Rows that stand further outside than their dataset's others are indented less."""
        for code in np.unique(codes).tolist():
            node = self._nodes[code]
            known, found = self._between.indentations(node)
            if known != found:
                mine = pa.array(codes == code)
                fewer = pc.replace_substring(pc.filter(members, mine), known, found)
                members = pc.replace_with_mask(members, mine, fewer)
        return members
