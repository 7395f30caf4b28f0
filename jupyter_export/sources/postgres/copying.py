"""Rows by psycopg, where ADBC is not installed: the same COPY, taken apart value by value."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeAlias

import psycopg
import pyarrow as pa

from .misfit import IntervalOverflow
from .readers import BINARY_NUMERIC, CannotConnect, Reader

_ROWS = 10_000
_EPOCH_DAYS = 10_957
"""2000-01-01, from which PostgreSQL counts, in days from 1970."""
_EPOCH = _EPOCH_DAYS * 86_400_000_000

Decode: TypeAlias = Callable[[bytes], Any]


class CopyReader(Reader):
    def __init__(self, conninfo: str, beginning: str) -> None:
        self._conninfo = conninfo
        self._beginning = beginning
        self._closing = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def read(self, sql: str, wire: Sequence[pa.DataType]) -> Generator[pa.RecordBatch]:
        try:
            connection = self._connection = psycopg.connect(self._conninfo, autocommit=True)
        except psycopg.Error as error:
            raise CannotConnect from error
        connection.execute(self._beginning)
        columns = [_column(kind) for kind in wire]
        names = [str(index) for index in range(len(wire))]
        with (
            connection.cursor() as cursor,
            # no value is bound: percent signs mean nothing
            cursor.copy(f"COPY ({sql}\n) TO STDOUT (FORMAT BINARY)") as copy,
        ):
            # every value as the bytes that it is
            copy.set_types(["bytea"] * len(wire))
            rows = copy.rows()
            while piece := list(islice(rows, _ROWS)):
                values = zip(*piece, strict=True)
                yield pa.RecordBatch.from_arrays(
                    [make(each) for make, each in zip(columns, values, strict=True)], names
                )

    def cancel(self) -> None:
        with self._closing:
            if self._connection is not None and not self._connection.closed:
                # it may be over
                with suppress(psycopg.Error):
                    self._connection.cancel_safe(timeout=5)

    def commit(self) -> None:
        assert self._connection is not None
        self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._closing:
            if self._connection is not None:
                self._connection.close()


# ------------------------------------------------------------------ the binary form of values


def _column(kind: pa.DataType) -> Callable[[Sequence[bytes | None]], pa.Array]:
    decode, raw = _decoder(kind)

    def make(values: Sequence[bytes | None]) -> pa.Array:
        found = [None if value is None else decode(value) for value in values]
        made = pa.array(found, raw)
        return made if raw == kind else _viewed(made, kind)

    return make


def _viewed(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return numbers as the times that they count and bytes as the texts that they are, inside of
    lists and structs too."""
    if values.type == kind or kind == BINARY_NUMERIC:
        return values
    if pa.types.is_list(kind):
        mask = values.is_null() if values.null_count else None
        inner = _viewed(values.values, kind.value_type)
        return pa.ListArray.from_arrays(values.offsets, inner, mask=mask)
    if pa.types.is_struct(kind):
        parts = [_viewed(values.field(i), kind.field(i).type) for i in range(kind.num_fields)]
        mask = values.is_null() if values.null_count else None
        return pa.StructArray.from_arrays(parts, [field.name for field in kind], mask=mask)
    return values.view(kind)


def _bytes(value: bytes) -> bytes:
    return value


def _number(code: str) -> Decode:
    unpack = struct.Struct(f"!{code}").unpack

    def decode(value: bytes) -> Any:
        return unpack(value)[0]

    return decode


def _wrapped(number: int, bits: int) -> int:
    """As the driver's sum in machine integers: infinity becomes what ``arrival`` looks for."""
    return (number + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def _interval(value: bytes) -> tuple[int, int, int]:
    microseconds, days, months = struct.unpack("!qii", value)
    if abs(microseconds) >= 2**63 // 1000:
        raise IntervalOverflow
    return months, days, microseconds * 1000


_DAY = _number("i")
_TICK = _number("q")
_SCALARS: dict[pa.DataType, tuple[Decode, pa.DataType]] = {
    pa.bool_(): (lambda value: value != b"\0", pa.bool_()),
    pa.int16(): (_number("h"), pa.int16()),
    pa.int32(): (_number("i"), pa.int32()),
    pa.int64(): (_number("q"), pa.int64()),
    pa.float32(): (_number("f"), pa.float32()),
    pa.float64(): (_number("d"), pa.float64()),
    pa.binary(): (_bytes, pa.binary()),
    pa.binary(16): (_bytes, pa.binary(16)),
    pa.date32(): (lambda value: _wrapped(_DAY(value) + _EPOCH_DAYS, 32), pa.int32()),
    pa.timestamp("us"): (lambda value: _wrapped(_TICK(value) + _EPOCH, 64), pa.int64()),
    pa.timestamp("us", "UTC"): (lambda value: _wrapped(_TICK(value) + _EPOCH, 64), pa.int64()),
    pa.time64("us"): (_TICK, pa.int64()),
    pa.month_day_nano_interval(): (_interval, pa.month_day_nano_interval()),
}


def _decoder(kind: pa.DataType) -> tuple[Decode, pa.DataType]:
    """Return what makes a Python value of a binary one, and the Arrow type that takes it."""
    if kind == BINARY_NUMERIC:
        return _numeric, pa.string()
    if pa.types.is_string(kind):
        return _bytes, pa.binary()
    if pa.types.is_list(kind):
        return _array(*_decoder(kind.value_type))
    if pa.types.is_struct(kind):
        return _record(kind)
    return _SCALARS[kind]


def _array(element: Decode, raw: pa.DataType) -> tuple[Decode, pa.DataType]:
    """``array_send``: dimensions, flags, the elements' type, each dimension's length and first
    index, then the elements. All dimensions in one list, as the driver has them."""
    head = struct.Struct("!iii")

    def decode(value: bytes) -> list[Any]:
        dimensions, _, _ = head.unpack_from(value)
        found = _elements(value, 12 + 8 * dimensions)
        return [None if each is None else element(each) for each in found]

    return decode, pa.list_(raw)


def _record(kind: pa.StructType) -> tuple[Decode, pa.DataType]:
    """``record_send``: how many fields, then each one's type and value."""
    fields = [_decoder(kind.field(i).type) for i in range(kind.num_fields)]
    names = [field.name for field in kind]

    def decode(value: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {}
        place = 4
        for name, (make, _) in zip(names, fields, strict=True):
            (length,) = _LENGTH.unpack_from(value, place + 4)
            place += 8
            if length < 0:
                found[name] = None
                continue
            found[name] = make(value[place : place + length])
            place += length
        return found

    return decode, pa.struct([pa.field(n, raw) for n, (_, raw) in zip(names, fields, strict=True)])


_LENGTH = struct.Struct("!i")


def _elements(value: bytes, place: int) -> Iterator[bytes | None]:
    while place < len(value):
        (length,) = _LENGTH.unpack_from(value, place)
        place += 4
        yield None if length < 0 else value[place : place + length]
        place += max(length, 0)


def _numeric(value: bytes) -> str:
    """``numeric_send``: digits of base 10,000, the first one's weight, sign, digits shown."""
    count, weight, sign, scale = struct.unpack_from("!hhHH", value)
    if sign not in (0x0000, 0x4000):
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign]
    digits = struct.unpack_from(f"!{count}h", value, 8)
    shown = "".join(f"{digit:04d}" for digit in digits)
    point = 4 * (weight + 1)
    if point <= 0:
        whole, behind = "0", "0" * -point + shown
    else:
        whole, behind = shown[:point].ljust(point, "0").lstrip("0") or "0", shown[point:]
    text = f"{whole}.{behind[:scale].ljust(scale, '0')}" if scale else whole
    return f"-{text}" if sign else text
