"""Rows drawn at random: the same ones for the same seed, however the rows come in batches.

Every row gets 64 random bits in the order of the rows (PCG64, whose stream NumPy keeps from
version to version). A share of the rows are those whose bits are below a bound; a number of rows
are those with the smallest bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa

from ..spec import Sample

Bits: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"
_ALL = 2**64
_AT_ONCE = 65_536
"""Candidates that are gathered, at least, before the bound is lowered."""


def sampled(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, sample: Sample, scratch: Path
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a sample in their order.

    A share streams. A number of rows takes 16 bytes of memory for each of them; rows that may yet
    be pushed out wait in a file below ``scratch``.
    """
    bits = np.random.PCG64(sample.seed)
    if sample.percent is not None:
        return _share(batches, bits, sample.percent)
    assert sample.rows is not None
    return _number(batches, schema, bits, sample.rows, scratch)


def _share(
    batches: Iterator[pa.RecordBatch], bits: np.random.PCG64, percent: float
) -> Iterator[pa.RecordBatch]:
    bound = round(percent / 100 * _ALL)
    for batch in batches:
        drawn = _drawn(bits, batch.num_rows)
        kept = batch if bound >= _ALL else batch.filter(pa.array(drawn < np.uint64(bound)))
        if kept.num_rows:
            yield kept


def _drawn(bits: np.random.PCG64, rows: int) -> Bits:
    return np.asarray(bits.random_raw(rows), np.uint64)


def _number(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    bits: np.random.PCG64,
    rows: int,
    scratch: Path,
) -> Iterator[pa.RecordBatch]:
    if rows == 0:
        # the source is read to its end all the same: it may fail
        for _ in batches:
            pass
        return
    smallest = _Smallest(rows)
    with tempfile.TemporaryFile(dir=scratch, prefix="sample-") as file:
        with pa.ipc.new_stream(file, schema) as writer:
            for batch in batches:
                drawn = _drawn(bits, batch.num_rows)
                candidates = drawn <= smallest.bound
                smallest.add(drawn[candidates])
                if candidates.any():
                    writer.write_batch(batch.filter(pa.array(candidates)))
        yield from _taken(file, smallest)


def _taken(file: BinaryIO, smallest: _Smallest) -> Iterator[pa.RecordBatch]:
    """Yield the candidates that nothing smaller pushed out."""
    bound, ties = smallest.settled()
    file.seek(0)
    done = 0
    for batch in pa.ipc.open_stream(file):
        drawn = smallest.drawn(done, done + batch.num_rows)
        done += batch.num_rows
        keep = drawn < bound
        for tie in np.flatnonzero(drawn == bound):
            # of equal bits the earlier rows are taken
            keep[tie] = ties > 0
            ties -= 1
        if keep.any():
            yield batch.filter(pa.array(keep))
    assert done == smallest.candidates


class _Smallest:
    """The smallest of all numbers that were added, and a bound that no further one may exceed."""

    def __init__(self, count: int) -> None:
        self.bound = np.uint64(_ALL - 1)
        self.candidates = 0
        self._count = count
        self._all: list[Bits] = []
        self._kept: Bits = np.empty(0, np.uint64)
        self._new: list[Bits] = []
        self._waiting = 0

    def add(self, drawn: Bits) -> None:
        self.candidates += len(drawn)
        self._all.append(drawn)
        self._new.append(drawn)
        self._waiting += len(drawn)
        if self._waiting >= max(self._count // 4, _AT_ONCE):
            self._lower()

    def _lower(self) -> None:
        together = np.concatenate([self._kept, *self._new])
        self._new, self._waiting = [], 0
        if len(together) > self._count:
            together.partition(self._count - 1)
            together = together[: self._count].copy()
            self.bound = together[self._count - 1]
        self._kept = together

    def settled(self) -> tuple[np.uint64, int]:
        """Return the largest number that is taken, and how many of those equal to it."""
        self._lower()
        if len(self._kept) < self._count:
            return np.uint64(_ALL - 1), self.candidates
        return self.bound, int((self._kept == self.bound).sum())

    def drawn(self, start: int, end: int) -> Bits:
        """Return the numbers of some of the candidates, in the order in which they were added."""
        if len(self._all) != 1:
            self._all = [np.concatenate(self._all)] if self._all else [np.empty(0, np.uint64)]
        return self._all[0][start:end]
