"""How the values of one Arrow type travel through the engine: there as something it holds exactly,
and back as what they were.

The engine has no float16, no decimal of more than 38 digits, no duration, no zones beside UTC and
no dictionaries, and its intervals, maps and moments with a zone hold less than Arrow's. What it
lacks goes as a number, bytes or a struct with the same order and the same equality.

What comes out has the type that went in. A dictionary keeps its words and their order, also those
that no row has; only a dictionary of values that Arrow cannot look up (float16, nested ones) and
runs come out as plain values. What cannot be held is refused: an expression over decimals of more
than 38 digits, or over moments with a zone and times of day finer than microseconds; an order or
groups of intervals finer than microseconds.
"""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from ...errors import InvalidSpec
from .base import Form, Null, Text, Use
from .coded import TooManyWords, coded, extension
from .decimals import decimal
from .moments import moment
from .nested import nested

__all__ = ["Form", "TooManyWords", "Use", "form_of"]


def form_of(kind: pa.DataType, use: Use) -> Form:
    """Return how ``kind`` travels. Raises ``InvalidSpec`` for a type that cannot, without saying
    of which column."""
    of = partial(form_of, use=use)
    if isinstance(kind, pa.BaseExtensionType):
        return extension(kind, use, of)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return coded(kind, of)
    if pa.types.is_nested(kind):
        return nested(kind, use, of)
    if pa.types.is_decimal(kind):
        return decimal(kind, use)
    if pa.types.is_temporal(kind):
        return moment(kind, use)
    if pa.types.is_float16(kind):
        return Form(kind, pa.float32())
    if pa.types.is_null(kind):
        return Null(kind)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        # the engine reads them as they are, and gives plain text
        return Text(kind)
    if any(
        test(kind)
        for test in (
            pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string,
            pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    ):  # fmt: skip
        return Form(kind)
    raise InvalidSpec(f"Values of the type {kind} can be neither sorted nor computed with.")
