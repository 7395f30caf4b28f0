"""What a frame's columns already say against a document, before a row is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..spec import parse
from ..spec.document import DATASET_FIELDS

if TYPE_CHECKING:
    import pyarrow as pa

_STEPS = frozenset(DATASET_FIELDS) - {"name", "source", "limit", "sample", "distinct"}
"""Fields that name columns."""


def checked(
    reader: pa.RecordBatchReader, document: Mapping[str, Any], index: int
) -> pa.RecordBatchReader:
    """Return ``reader``, whose rows the dataset of that index is made of.

    Raises the ``InvalidSpec`` that the run would raise: a column that is not there, an expression
    that is none, what a column's type does not allow.
    """
    if _STEPS & document["datasets"][index].keys():
        from .. import transform
        from ..sources.layouts import plain_schema

        transform.compile_selection(parse(document).datasets[index], plain_schema(reader.schema))
    return reader
