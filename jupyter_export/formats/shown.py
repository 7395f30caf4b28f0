"""Columns as people see them in a table: shared by HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from ..registry import LossLedger
from . import cells
from .alike import Alike
from .coded import coded, counting

NO_READER = "# {label} is for people. Export to Parquet beside it to read the rows back."


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column of that type is aligned to the right."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def cells_of(
    column: pa.Array,
    name: str,
    style: cells.Style,
    losses: LossLedger,
    dress: Callable[[pa.Array], pa.Array],
    alike: Alike,
) -> pa.Array:
    """Return the cells of ``column`` as ``dress`` made them, nulls kept; ``alike`` sees them.

    Where there are few distinct values, each is written and dressed once.
    """
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    few = coded(column)
    if few is not None:
        values, codes = few
        weighed = counting(losses, codes, len(values))
        words = cells.text(values, name, style, weighed)
        alike.look(name, words, codes)
        return pc.take(dress(words), codes)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    texts = cells.text(column, name, style, losses)
    alike.look(name, texts, None)
    return dress(texts)
