"""What a column of one batch loses, counted by its cells."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ...losses import example
from ...registry import Loss, LossLedger


class Found:
    """Adds the losses of a column to the ledger.

    Of a column that is looked at value by value (a dictionary), ``codes`` tell how many cells
    show each value, and which values no cell shows.
    """

    def __init__(self, column: str, losses: LossLedger, codes: pa.Array | None = None) -> None:
        self.column = column
        self._losses = losses
        self._codes = codes

    def add(
        self,
        kind: str,
        rows: pa.Array,
        message: str,
        values: pa.Array,
        *,
        option: str | None = None,
    ) -> None:
        """Report the values that ``rows`` (booleans without null) marks, of ``values``."""
        of_cells = rows if self._codes is None else pc.take(rows, self._codes)
        count = pc.sum(of_cells).as_py()
        if not count:
            return
        place = pc.index(of_cells, True).as_py()
        if self._codes is not None:
            place = self._codes[place].as_py()
        shown = pc.cast(values.slice(place, 1), pa.string())[0].as_py()
        self._losses.add(Loss(kind, self.column, count, message, option, example(shown)))
