"""How decimals travel: the engine has 38 digits, and Arrow 76."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import QueryFailed
from .base import Form, Use, validity

_ENGINE_DIGITS = 38


def decimal(kind: pa.DataType, use: Use) -> Form:
    """Return how a decimal travels."""
    if kind.precision <= _ENGINE_DIGITS and 0 <= kind.scale <= kind.precision:
        return Form(kind, pa.decimal128(kind.precision, kind.scale))
    if use >= Use.BUCKETED:
        return _Narrowed(kind)
    return _SortableBytes(kind)


class _Narrowed(Form):
    """A decimal of the most digits that the engine has."""

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(
            kind, pa.decimal128(_ENGINE_DIGITS, min(max(kind.scale, 0), _ENGINE_DIGITS))
        )

    def there(self, array: pa.Array) -> pa.Array:
        try:
            return pc.cast(array, self.seen)
        except pa.ArrowInvalid:
            raise QueryFailed("holds numbers of more digits than a query can calculate") from None


class _SortableBytes(Form):
    """A decimal's integer, the most significant byte first and the sign turned: bytes in the order
    of the numbers."""

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind, pa.binary(kind.byte_width))

    def there(self, array: pa.Array) -> pa.Array:
        width = self.kind.byte_width
        numbers = np.frombuffer(array.buffers()[1] or b"", np.uint8)
        numbers = numbers[array.offset * width : (array.offset + len(array)) * width]
        turned = numbers.reshape(-1, width)[:, ::-1].copy()
        turned[:, 0] ^= 0x80
        return pa.Array.from_buffers(self.seen, len(array), [validity(array), pa.py_buffer(turned)])

    def back(self, array: pa.Array) -> pa.Array:
        array = pc.cast(array, self.seen)
        width = self.kind.byte_width
        turned = np.frombuffer(array.buffers()[1] or b"", np.uint8)
        turned = turned[array.offset * width : (array.offset + len(array)) * width]
        numbers = turned.reshape(-1, width).copy()
        numbers[:, 0] ^= 0x80
        return pa.Array.from_buffers(
            self.kind,
            len(array),
            [validity(array), pa.py_buffer(np.ascontiguousarray(numbers[:, ::-1]))],
        )
