"""Rows of a worksheet as XML (ECMA-376 part 1, 18.3.1.73), whole batches at a time.

Neither rows nor cells carry an address: each follows the one before it, as the schema allows
(both ``r`` attributes are optional). So a row is the same text wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...registry import LossLedger
from ..strings import payload
from .cells import EMPTY, Part, Values, merged, parts
from .links import linked

ROW, END = "<row>", "</row>"


@dataclass(frozen=True)
class Column:
    """One column of cells."""

    name: str
    """As losses name it."""
    style: int = 0
    """Index of the cells' format among the workbook's ``cellXfs``; 0: none is written."""
    formula: tuple[str, ...] = ()
    """Of a column of formulas: the text, without ``=``, cut where the row's number belongs."""
    link: str | None = None
    """Where its cells lead, with ``{}`` for the value."""


@dataclass(frozen=True)
class RowLayout:
    """What rows look like: the batch's columns in order, the columns of formulas behind them."""

    columns: tuple[Column, ...]
    values: Values = field(default_factory=Values)
    before: str = ROW
    """Opens each row; cells in it stand left of the batch's."""
    after: str = END


def encode_rows(
    batch: pa.RecordBatch,
    layout: RowLayout,
    first_row_number: int,
    losses: LossLedger,
) -> memoryview:
    """Return the XML of the batch's rows.

    ``first_row_number`` is the number, from 1, of the batch's first row; only formulas need it.
    Safe to call from several threads.
    """
    row: list[Part] = [layout.before]
    for column, values in zip(layout.columns, batch.columns, strict=False):
        if column.link is None:
            row += parts(values, column.name, column.style, layout.values, losses)
        else:
            row += linked(values, column.name, column.style, column.link, losses)
    numbers: pa.Array | None = None
    for column in layout.columns[batch.num_columns :]:
        if numbers is None and len(column.formula) > 1:
            last = first_row_number + batch.num_rows
            numbers = pc.cast(pa.array(np.arange(first_row_number, last)), pa.string())
        row += _formula(column, numbers)
    row.append(layout.after)
    return _joined(merged(row), batch.num_rows)


def _joined(row: list[Any], rows: int) -> memoryview:
    if len(row) == 1:
        if isinstance(row[0], str):
            return memoryview(row[0].encode("utf-8") * rows)
        return payload(row[0]).data
    joined = pc.binary_join_element_wise(*row, "", null_handling="replace", null_replacement=EMPTY)
    return payload(joined).data


def _formula(column: Column, numbers: pa.Array | None) -> list[Part]:
    style = f' s="{column.style}"' if column.style else ""
    texts = [escape(text) for text in column.formula]
    out: list[Part] = [f"<c{style}><f>{texts[0]}"]
    for text in texts[1:]:
        out += [numbers, text]
    return [*out, "</f></c>"]
