"""Tables of every Arrow type: fixed samples, and hypothesis strategies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

_DAY = dt.date(2013, 1, 31)
_LAST_SECOND = 1_359_676_799
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _array(values: list[Any], kind: pa.DataType) -> Callable[[], pa.Array]:
    return lambda: pa.array(values, kind)


def _extension(kind: pa.DataType, storage: pa.Array) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, storage)


def _union() -> pa.Array:
    return pa.UnionArray.from_sparse(
        pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["x", "y", "z"])]
    )


SAMPLES: dict[str, Callable[[], pa.Array]] = {
    "null": _array([None, None, None], pa.null()),
    "bool": _array([True, None, False], pa.bool_()),
    **{f"int{n}": _array([-(2 ** (n - 1)), None, 2 ** (n - 1) - 1], t)
       for n, t in ((8, pa.int8()), (16, pa.int16()), (32, pa.int32()), (64, pa.int64()))},
    **{f"uint{n}": _array([0, None, 2**n - 1], t)
       for n, t in ((8, pa.uint8()), (16, pa.uint16()), (32, pa.uint32()), (64, pa.uint64()))},
    "float16": _array([1.5, None, -0.25], pa.float16()),
    "float32": _array([1.1, None, -1e30], pa.float32()),
    "float64": _array([0.1, None, 1e300], pa.float64()),
    "decimal32": _array([Decimal("1.50"), None, Decimal("-9.99")], pa.decimal32(5, 2)),
    "decimal64": _array([Decimal("1.50"), None, Decimal("-9.99")], pa.decimal64(12, 2)),
    "decimal128": _array([Decimal("1.50"), None, Decimal("-9.99")], pa.decimal128(38, 2)),
    "decimal256": _array([Decimal("9" * 70), None, Decimal("-1.5")], pa.decimal256(76, 5)),
    "string": _array(["a,\"b\"\n", None, ""], pa.string()),
    "large_string": _array(["a", None, "ü"], pa.large_string()),
    "string_view": _array(["a", None, "a text longer than twelve bytes"], pa.string_view()),
    "binary": _array([b"\x00\xff", None, b""], pa.binary()),
    "large_binary": _array([b"\x00\xff", None, b""], pa.large_binary()),
    "binary_view": _array([b"\x00\xff", None, b"more than twelve bytes"], pa.binary_view()),
    "fixed_size_binary": _array([b"\x00\xff", None, b"ab"], pa.binary(2)),
    "date32": _array([_DAY, None, dt.date(1, 1, 1)], pa.date32()),
    "date64": _array([_DAY, None, dt.date(9999, 12, 31)], pa.date64()),
    **{f"timestamp_{unit}{'_' + zone if zone else ''}":
       _array([_LAST_SECOND * per, None, 0], pa.timestamp(unit, zone))
       for unit, per in _PER_SECOND.items()
       for zone in (None, "UTC", "Europe/Paris", "+05:30")},
    "time32_s": _array([dt.time(23, 59, 59), None, dt.time(0)], pa.time32("s")),
    "time32_ms": _array([dt.time(23, 59, 59, 5000), None, dt.time(0)], pa.time32("ms")),
    "time64_us": _array([dt.time(23, 59, 59, 5), None, dt.time(0)], pa.time64("us")),
    "time64_ns": _array([86399 * 10**9 + 1000, None, 0], pa.time64("ns")),
    **{f"duration_{unit}": _array([-90061, None, 5], pa.duration(unit))
       for unit in ("s", "ms", "us", "ns")},
    "interval": _array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval()),
    "list": _array([[1, None], None, []], pa.list_(pa.int64())),
    "large_list": _array([["a"], None, []], pa.large_list(pa.string())),
    "fixed_size_list": _array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
    "list_view": _array([[1, None], None, []], pa.list_view(pa.int64())),
    "list_of_struct": _array([[{"a": 1}], None, [None]], pa.list_(pa.struct([("a", pa.int64())]))),
    "struct": _array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
                     pa.struct([("a", pa.int64()), ("b", pa.string())])),
    "empty_struct": _array([{}, None, {}], pa.struct([])),
    "map": _array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "map_of_int": _array([[(1, None)], None, []], pa.map_(pa.int64(), pa.string())),
    "dictionary": lambda: pa.array(["a", None, "a"]).dictionary_encode(),
    "dictionary_of_int": lambda: pa.array([7, None, 7]).dictionary_encode(),
    "dictionary_in_list": lambda: pa.ListArray.from_arrays(
        pa.array([0, 1, 1, 2], pa.int32()), pa.array(["a", "b"]).dictionary_encode()),
    "run_end_encoded": lambda: pa.RunEndEncodedArray.from_arrays([2, 3], [5, None]),
    "sparse_union": _union,
    "uuid": lambda: _extension(pa.uuid(), pa.array([b"0" * 16, None, b"f" * 16], pa.binary(16))),
    "json_text": lambda: _extension(pa.json_(), pa.array(['{"a": 1}', None, "[]"])),
    "bool8": lambda: _extension(pa.bool8(), pa.array([1, None, 0], pa.int8())),
}  # fmt: skip
"""Name of a type -> a function that makes three values of it, the second one null where it can."""


def sample(name: str) -> pa.Table:
    """Return a table with a column of the named type, and one that counts."""
    return pa.table({"n": pa.array([1, 2, 3]), "x": SAMPLES[name]()})


# ------------------------------------------------------------------ generated tables

TEXT = st.text(
    st.one_of(
        st.sampled_from(",;\t|\"'\n\r\\ a1-.:+nNUL\x00\x1f\x7f\u2028é😀"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=12,
)
_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800
ZONES = (None, "UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "+05:30", "-03:00")


def _ticks(unit: str) -> st.SearchStrategy[int]:
    """Days of the years 1 to 9999 (ns: what 64 bits hold), away from the ends by a day."""
    per, day = _PER_SECOND[unit], 86_400
    low, high = (_YEAR_1 + day) * per, (_YEAR_10000 - day) * per
    return st.integers(max(low, -(2**63) + 2 * day * per), min(high, 2**63 - 2 * day * per))


def _integers(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return st.integers(-most, most).map(
        lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale))
    )


Column = tuple[pa.DataType, st.SearchStrategy[Any]]

LEAVES: list[Column] = [
    (pa.bool_(), st.booleans()),
    *[(getattr(pa, f"{'' if signed else 'u'}int{bits}")(), _integers(bits, signed))
      for bits in (8, 16, 32, 64) for signed in (True, False)],
    (pa.float64(), st.floats()),
    (pa.float32(), st.floats(width=32)),
    (pa.float16(), st.floats(width=16)),
    (pa.decimal128(38, 10), _decimals(38, 10)),
    (pa.decimal128(9, 0), _decimals(9, 0)),
    (pa.decimal256(76, 30), _decimals(76, 30)),
    (pa.string(), TEXT),
    (pa.large_string(), TEXT),
    (pa.binary(), st.binary(max_size=8)),
    (pa.date32(), st.dates()),
    *[(pa.timestamp(unit, zone), _ticks(unit)) for unit in _PER_SECOND for zone in ZONES],
    (pa.time32("s"), st.integers(0, 86_399)),
    (pa.time32("ms"), st.integers(0, 86_399_999)),
    (pa.time64("us"), st.integers(0, 86_400 * 10**6 - 1)),
    (pa.time64("ns"), st.integers(0, 86_400 * 10**9 - 1)),
    (pa.duration("ms"), st.integers(-(10**15), 10**15)),
    (pa.null(), st.none()),
]  # fmt: skip


@st.composite
def _nested(draw: st.DrawFn) -> Column:
    kind, values = draw(st.sampled_from(LEAVES))
    shape = draw(st.sampled_from(("list", "struct", "map", "list of structs", "dictionary")))
    inner = st.one_of(st.none(), values)
    if shape == "list":
        return pa.list_(kind), st.lists(inner, max_size=3)
    if shape == "map":
        return pa.map_(pa.string(), kind), st.dictionaries(TEXT, inner, max_size=3).map(
            lambda d: list(d.items())
        )
    if shape == "dictionary" and not pa.types.is_null(kind) and not _no_dictionary(kind):
        return pa.dictionary(pa.int32(), kind), values
    fields = pa.struct([("a", kind), ("b", pa.string())])
    record = st.fixed_dictionaries({"a": inner, "b": st.one_of(st.none(), TEXT)})
    if shape == "list of structs":
        return pa.list_(fields), st.lists(st.one_of(st.none(), record), max_size=2)
    return fields, record


def _no_dictionary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_float16(kind) or pa.types.is_duration(kind) or pa.types.is_large_string(kind)
    )  # fmt: skip


NAMES = st.text(
    st.one_of(st.sampled_from("ab,;\"'\n ."), st.characters(exclude_categories=("Cs",))),
    min_size=1,
    max_size=8,
)


def _make(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)


@st.composite
def batches(
    draw: st.DrawFn, *, nested: bool = True, max_rows: int = 12, names: Any = NAMES
) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """Draw a schema and batches of odd sizes, cut out of larger ones so that offsets are not 0."""
    one = st.one_of(st.sampled_from(LEAVES), _nested()) if nested else st.sampled_from(LEAVES)
    columns = draw(st.lists(one, min_size=1, max_size=4))
    named = draw(st.lists(names, min_size=len(columns), max_size=len(columns), unique=True))
    schema = pa.schema([pa.field(n, kind) for n, (kind, _) in zip(named, columns, strict=True)])
    out = []
    for _ in range(draw(st.integers(0, 3))):
        rows = draw(st.integers(0, max_rows))
        arrays = [
            _make(draw(st.lists(st.one_of(st.none(), v), min_size=rows, max_size=rows)), kind)
            for kind, v in columns
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        start = draw(st.integers(0, rows))
        out.append(batch.slice(start))
    return schema, out
