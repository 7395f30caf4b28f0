"""Thrift's compact protocol, as much as a Parquet footer needs.

Parquet's footer is one Thrift struct (apache/parquet-format, ``parquet.thrift``) in the compact
protocol. ``read`` keeps it as a tree of fields that ``write`` gives back unchanged, so that a few
numbers in it can be set right without knowing the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
"""Type codes of fields; in a list a boolean is one byte of its own."""


@dataclass
class Field:
    kind: int
    value: Any


@dataclass
class Items:
    """A list or set: one type for all values."""

    kind: int
    values: list[Any]


Struct = dict[int, Field]
"""Field id -> field, in the order of the ids."""


def read(data: bytes) -> Struct:
    """Return the struct that ``data`` begins with. Raises ``IndexError`` when it is cut short."""
    return _Reader(data).struct()


def write(struct: Struct) -> bytes:
    """Return the bytes of ``struct``; a struct inside it may be bytes that ``write`` made."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self) -> Struct:
        fields: Struct = {}
        last = 0
        while (head := self._byte()) != 0:
            kind, delta = head & 0x0F, head >> 4
            last = last + delta if delta else self._zigzag()
            fields[last] = Field(kind, self._value(kind))
        return fields

    def _value(self, kind: int, *, in_list: bool = False) -> Any:
        if kind in (TRUE, FALSE):
            return self._byte() if in_list else None
        if kind == BYTE:
            return self._byte()
        if kind in (I16, I32, I64):
            return self._zigzag()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in (LIST, SET):
            head = self._byte()
            size = self._varint() if head >> 4 == 15 else head >> 4
            inner = head & 0x0F
            return Items(inner, [self._value(inner, in_list=True) for _ in range(size)])
        if kind == STRUCT:
            return self.struct()
        raise ValueError(f"a Parquet footer holds no Thrift type {kind}")

    def _bytes(self, size: int) -> bytes:
        value = self._data[self._at : self._at + size]
        self._at += size
        return value


def _write_varint(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for number, item in struct.items():
        delta = number - last
        if 0 < delta < 16:
            out.append(delta << 4 | item.kind)
        else:
            out.append(item.kind)
            _write_varint(out, number << 1 ^ number >> 63)
        _write_value(out, item.kind, item.value)
        last = number
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any, *, in_list: bool = False) -> None:
    if kind in (TRUE, FALSE):
        if in_list:
            out.append(value)
    elif kind == BYTE:
        out.append(value)
    elif kind in (I16, I32, I64):
        _write_varint(out, (value << 1) ^ (value >> 63))
    elif kind == DOUBLE:
        out += value
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind in (LIST, SET):
        size = len(value.values)
        out.append(min(size, 15) << 4 | value.kind)
        if size >= 15:
            _write_varint(out, size)
        for each in value.values:
            _write_value(out, value.kind, each, in_list=True)
    elif isinstance(value, bytes):
        out += value
    else:
        _write_struct(out, value)
