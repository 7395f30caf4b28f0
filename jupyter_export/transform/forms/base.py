"""One type on its way through the engine, and what its use asks of it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Use(IntEnum):
    """What is done with a column; a later use includes the earlier ones."""

    PASSED = 0
    """It only stands in the rows that come out."""
    COMPARED = 1
    """It tells rows apart or orders them: a key of groups, of the order, ``distinct``, ``min``."""
    BUCKETED = 2
    """A stretch of time is looked for that holds it: finer digits may go."""
    JUDGED = 3
    """A condition looks at its value."""
    CALCULATED = 4
    """An expression works with its value."""


class Form:
    """One type on its way; itself the form of what the engine holds as it is.

    ``there`` and ``back`` take arrays of ``kind`` and of the engine's answer to ``seen``. A form
    may learn from what goes there what it needs for the way back: each query makes its own.
    """

    def __init__(self, kind: pa.DataType, seen: pa.DataType | None = None) -> None:
        self.kind = kind
        """What comes out; the type that went in, but for the few that Arrow cannot build again."""
        self.seen = kind if seen is None else seen
        """What the engine gets."""

    @property
    def told(self) -> pa.DataType:
        """What a statement is to take it for."""
        return self.seen

    def there(self, array: pa.Array) -> pa.Array:
        return array if array.type == self.seen else pc.cast(array, self.seen)

    def back(self, array: pa.Array) -> pa.Array:
        return array if array.type == self.kind else pc.cast(array, self.kind)


FormOf: TypeAlias = Callable[[pa.DataType], Form]
"""How the parts of a type travel."""


class Text(Form):
    def there(self, array: pa.Array) -> pa.Array:
        return array


class Null(Form):
    def back(self, array: pa.Array) -> pa.Array:
        return pa.nulls(len(array), self.kind)


class Viewed(Form):
    """The same bits under another type of the same width and order."""

    def there(self, array: pa.Array) -> pa.Array:
        return array.view(self.seen)

    def back(self, array: pa.Array) -> pa.Array:
        return pc.cast(array, self.seen).view(self.kind)


def validity(array: pa.Array) -> pa.Buffer | None:
    """Return the validity bitmap of ``array`` without its offset."""
    if not array.null_count:
        return None
    return pc.is_valid(array).buffers()[1] if array.offset % 8 == 0 else _packed(array)


def _packed(array: pa.Array) -> pa.Buffer:
    valid = np.asarray(pc.is_valid(array))
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
