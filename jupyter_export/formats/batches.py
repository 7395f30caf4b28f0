"""Rows in even pieces, encoded on several threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..registry import Bytes

Out = TypeVar("Out")

ROWS = 32_768
"""Rows of one piece of text: large enough that Python's share vanishes, small enough to stay
in memory many times over."""
BYTES = 16 * 1024**2
"""A piece of very wide rows is cut here, long before Arrow's 2 GiB of text for one array."""
_CELL_BYTES = 8
"""Of the smallest cell with what stands around it: a boolean, a null."""
_WINDOW = 256 * 1024


def even(
    batches: Iterable[pa.RecordBatch], rows: int = ROWS, size: int = BYTES, *, as_text: bool = True
) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of at most ``rows`` rows and about ``size`` bytes.

    Small neighbours are put together (an engine's 2,048 rows at a time would cost more calls than
    work), large batches are cut without a copy. ``as_text`` counts the bytes that they are in a
    text: the words of a dictionary in every row that has them, and a cell of one bit as a word.
    """
    waiting: list[pa.RecordBatch] = []
    waiting_rows = waiting_bytes = 0
    for batch in batches:
        most = rows
        weight = _weight(batch, size) if as_text else batch.nbytes
        if batch.num_rows and weight > size:
            most = max(1, min(rows, size * batch.num_rows // weight))
        if batch.num_rows > most // 2 or most < rows:
            if waiting:
                yield from _together(waiting)
                waiting, waiting_rows, waiting_bytes = [], 0, 0
            for start in range(0, batch.num_rows, most):
                yield batch.slice(start, most)
        elif batch.num_rows:
            if waiting_rows + batch.num_rows > rows or waiting_bytes + weight > size:
                yield from _together(waiting)
                waiting, waiting_rows, waiting_bytes = [], 0, 0
            waiting.append(batch)
            waiting_rows += batch.num_rows
            waiting_bytes += weight
    if waiting:
        yield from _together(waiting)


def _weight(batch: pa.RecordBatch, size: int) -> int:
    """Return about the bytes of the batch as text.

    Words that cannot come to ``size`` bytes, however the rows repeat them, are counted once.
    """
    words: int = batch.nbytes + sum(_repeated(column, size) for column in batch.columns)
    return max(words, int(batch.num_rows * batch.num_columns * _CELL_BYTES))


def _repeated(column: pa.Array, size: int) -> int:
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if not pa.types.is_dictionary(column.type) or not len(column):
        return 0
    words = column.dictionary
    if not len(words) or words.nbytes * len(column) <= size:
        return 0
    try:
        sizes = pc.binary_length(words)
    except pa.ArrowNotImplementedError:
        # numbers and moments are short; of nested words the mean is known
        return int(words.nbytes * len(column) // len(words))
    if (pc.max(sizes).as_py() or 0) * len(column) <= size:
        return 0
    return pc.sum(pc.take(sizes, column.indices)).as_py() or 0


def _together(batches: list[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Return one batch, or the same ones where their dictionaries do not fit into one."""
    if len(batches) < 2:
        return batches
    schema = batches[0].schema
    try:
        joined = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return batches
    arrays = [
        column.chunk(0) if column.num_chunks else pa.array([], column.type)
        for column in joined.columns
    ]
    return [pa.RecordBatch.from_arrays(arrays, schema=schema)]


def peeked(
    batches: Iterator[pa.RecordBatch],
) -> tuple[pa.RecordBatch | None, Iterator[pa.RecordBatch]]:
    """Return the first batch (None: there is none) and all batches, the first included."""
    first = next(batches, None)
    return first, (chain([first], batches) if first is not None else iter(()))


def windows(data: Bytes) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Yield the bytes in pieces that stay in the processor's cache while they are looked at."""
    seen = np.frombuffer(data, np.uint8)
    for start in range(0, len(seen), _WINDOW):
        yield seen[start : start + _WINDOW]


def in_order(
    encode: Callable[[pa.RecordBatch], Out], batches: Iterable[pa.RecordBatch], threads: int
) -> Iterator[Out]:
    """Yield ``encode(batch)`` for each batch in order, ``threads`` of them at a time.

    At most ``threads + 1`` results wait, so that memory stays flat behind a slow sink.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="jupyter-export-encode") as pool:
        running: deque[Future[Out]] = deque()
        try:
            for batch in batches:
                running.append(pool.submit(encode, batch))
                if len(running) > threads + 1:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for waiting in running:
                waiting.cancel()
