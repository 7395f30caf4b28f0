"""Arrow IPC streams as nobody should send them: whole ones of every type, then damaged."""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"

DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
COLUMNS: list[tuple[Any, list[Any]]] = [
    (pa.int8(), [0, -128, None]),
    (pa.int64(), [0, 2**63 - 1, None]),
    (pa.uint64(), [2**64 - 1, 5, None]),
    (pa.float16(), [0.5, float("nan"), None]),
    (pa.float64(), [0.1, float("inf"), None]),
    (pa.bool_(), [True, False, None]),
    (pa.null(), [None]),
    (pa.string(), ["", "text", "€😀", None]),
    (pa.large_string(), ["", "long " * 20, None]),
    (pa.string_view(), ["short", "longer than twelve bytes", None]),
    (pa.binary(), [b"", b"\x00\xff", None]),
    (pa.binary_view(), [b"longer than twelve bytes", b"", None]),
    (pa.binary(3), [b"abc", None]),
    (pa.decimal128(38, 9), [decimal.Decimal("1.5"), None]),
    (pa.decimal256(60, 2), [decimal.Decimal("-7"), None]),
    (pa.date32(), [DAY, None]),
    (pa.date64(), [DAY, None]),
    (pa.time32("s"), [datetime.time(1, 2, 3), None]),
    (pa.time64("ns"), [datetime.time(23, 59, 59), None]),
    (pa.timestamp("s"), [MOMENT, None]),
    (pa.timestamp("ns", "Europe/Paris"), [MOMENT, None]),
    (pa.duration("ms"), [datetime.timedelta(days=-1), None]),
    (pa.month_day_nano_interval(), [pa.MonthDayNano([1, -1, 5]), None]),
    (pa.list_(pa.int32()), [[1, None], [], None]),
    (pa.large_list(pa.string()), [["a"], None]),
    (pa.list_(pa.int16(), 2), [[1, 2], None]),
    (pa.list_view(pa.int8()), [[1], [], None]),
    (pa.struct([("a", pa.int8()), ("b", pa.string())]), [{"a": 1, "b": "x"}, None]),
    (pa.map_(pa.string(), pa.float32()), [[("k", 1.0)], [], None]),
    (pa.dictionary(pa.int8(), pa.string()), ["one", "two", None]),
]


def _array(column: tuple[Any, list[Any]], rows: list[int]) -> pa.Array:
    kind, values = column
    array = pa.array([values[row % len(values)] for row in rows], kind)
    assert array.type == kind
    return array


def _odd_arrays(rows: list[int]) -> list[pa.Array]:
    """Return arrays of the types that have no plain values."""
    count = len(rows)
    ends = pa.array([count] if count else [], pa.int32())
    texts = pa.array(["run"] if count else [], pa.string())
    zeros = pa.array([0] * count, pa.int8())
    return [
        pa.RunEndEncodedArray.from_arrays(ends, texts),
        pa.UnionArray.from_sparse(zeros, [pa.array(rows, pa.int64())]),
        pa.UnionArray.from_dense(zeros, pa.array(range(count), pa.int32()), [pa.array(rows)]),
    ]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Draw a whole stream of one to four columns and up to three batches."""
    rows = draw(st.lists(st.integers(0, 9), max_size=40))
    arrays = [
        _array(column, rows)
        for column in draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
    ]
    if draw(st.integers(0, 9)) == 0:
        arrays.append(draw(st.sampled_from(_odd_arrays(rows))))
    names = [f"c{n}" for n in range(len(arrays))]
    if draw(st.integers(0, 9)) == 0:
        names = draw(st.lists(st.text(max_size=5), min_size=len(arrays), max_size=len(arrays)))
    batch = pa.record_batch(arrays, names)
    options = pa.ipc.IpcWriteOptions(compression=draw(st.sampled_from([None, None, "lz4", "zstd"])))
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema, options=options) as writer:
        for _ in range(draw(st.sampled_from([1, 1, 2, 3, 0]))):
            writer.write_batch(batch)
    return out.getvalue().to_pybytes()


LIES = (0, 1, -1, 7, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1, -(2**63))
"""Numbers that a length or an offset is not."""


def _place(stream: bytearray, draw: st.DrawFn, size: int = 1) -> int:
    """Draw where to damage it: mostly near the end, where the values of the last batch are."""
    last = max(0, len(stream) - size)
    if draw(st.integers(0, 3)):
        end = max(0, last - len(END))
        return end - draw(st.integers(0, min(end, 300)))
    return draw(st.integers(0, last))


def _flip(stream: bytearray, draw: st.DrawFn) -> None:
    place = _place(stream, draw)
    stream[place] ^= 1 << draw(st.integers(0, 7))


def _lie(stream: bytearray, draw: st.DrawFn) -> None:
    size = draw(st.sampled_from([4, 8]))
    place = _place(stream, draw, size) // 4 * 4
    number = draw(st.sampled_from(LIES)) & (2 ** (8 * size) - 1)
    stream[place : place + size] = struct.pack("<I" if size == 4 else "<Q", number)


def _cut(stream: bytearray, draw: st.DrawFn) -> None:
    del stream[draw(st.integers(0, len(stream) - 1)) :]


def _cut_before_the_end(stream: bytearray, draw: st.DrawFn) -> None:
    place = draw(st.integers(0, len(stream) - 1))
    stream[:] = stream[:place] + END


def _double(stream: bytearray, draw: st.DrawFn) -> None:
    stream += bytes(stream)


def _insert(stream: bytearray, draw: st.DrawFn) -> None:
    place = draw(st.integers(0, len(stream)))
    stream[place:place] = draw(st.binary(min_size=1, max_size=64))


def _reorder(stream: bytearray, draw: st.DrawFn) -> None:
    """Shuffle, repeat or drop messages: batches before their schema, dictionaries twice."""
    try:
        messages = [
            message.serialize().to_pybytes()
            for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(bytes(stream)))
        ]
    except (pa.ArrowException, OSError, ValueError):
        return  # Damaged already.
    if messages:
        chosen = draw(st.lists(st.sampled_from(messages), max_size=6))
        stream[:] = b"".join([*chosen, END])


DAMAGE: list[Callable[[bytearray, st.DrawFn], None]] = [
    *[_flip] * 6, *[_lie] * 6, _cut, _cut_before_the_end, _double, _insert, _reorder,
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a stream with one or two faults, none of which need make it unreadable."""
    stream = bytearray(draw(streams()))
    if draw(st.integers(0, 9)) == 0:
        stream[-len(END) :] = draw(streams())
    for fault in draw(st.lists(st.sampled_from(DAMAGE), min_size=1, max_size=2)):
        if stream:
            fault(stream, draw)
    return bytes(stream)
