"""Rows of a stream whose keys are among others: what a relation leaves of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ..registry import BatchStream
from .keys import comparison
from .keyset import FEW, KeySet

__all__ = ["FEW", "Belongs", "KeySet", "comparison", "semi_join"]


@dataclass(frozen=True)
class Belongs:
    """A condition on rows: the key in ``column`` is one of ``keys``."""

    column: str
    keys: KeySet


def semi_join(stream: BatchStream, needed: Sequence[Sequence[Belongs]]) -> BatchStream:
    """Return the rows of ``stream`` that meet at least one condition of each of ``needed``.

    Lazily and in order; the rows are cut out of the batches as they are.
    """
    if not needed:
        return stream
    return replace(stream, batches=_kept(stream, needed), total_rows=None)


def _kept(stream: BatchStream, needed: Sequence[Sequence[Belongs]]) -> Iterator[pa.RecordBatch]:
    positions = {name: stream.schema.get_field_index(name) for name in stream.schema.names}
    for batch in stream.batches:
        if not batch.num_rows:
            continue
        keep = np.ones(batch.num_rows, bool)
        for group in needed:
            any_of = np.zeros(batch.num_rows, bool)
            for each in group:
                any_of |= each.keys.contains(batch.column(positions[each.column]))
            keep &= any_of
        if keep.all():
            yield batch
        elif keep.any():
            yield batch.filter(pa.array(keep))
