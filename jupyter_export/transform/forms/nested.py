"""How nested values travel: each of their parts in a form of its own."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec
from .base import Form, FormOf, Use


def nested(kind: Any, use: Use, of: FormOf) -> Form:
    """Return how a list, struct, map or union travels. Raises ``InvalidSpec`` for others."""
    if pa.types.is_map(kind):
        return _Map(kind, use, of)
    if pa.types.is_fixed_size_list(kind):
        return _FixedList(kind, of)
    if pa.types.is_struct(kind):
        return _Struct(kind, of) if kind.num_fields else _Empty(kind)
    if pa.types.is_union(kind):
        return _Union(kind, of)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _ListView(kind, of)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _List(kind, of)
    raise InvalidSpec(f"Values of the type {kind} can be neither sorted nor computed with.")


class _ListView(Form):
    """The same lists one after the other."""

    def __init__(self, kind: Any, of: FormOf) -> None:
        large = pa.types.is_large_list_view(kind)
        # 64 bits always: a view may name the same values many times
        self._plain = of(pa.large_list(kind.value_field))
        made = pa.large_list_view if large else pa.list_view
        super().__init__(
            made(kind.value_field.with_type(self._plain.kind.value_type)), self._plain.seen
        )

    def there(self, array: Any) -> pa.Array:
        sizes = pc.fill_null(pc.cast(pc.list_value_length(array), pa.int64()), 0)
        ends = pc.cumulative_sum(sizes)
        offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
        lists = pa.LargeListArray.from_arrays(
            offsets, array.flatten(), type=self._plain.kind, mask=_nulls(array)
        )
        return self._plain.there(lists)

    def back(self, array: pa.Array) -> pa.Array:
        lists = self._plain.back(array)
        large = pa.types.is_large_list_view(self.kind)
        width = pa.int64() if large else pa.int32()
        made = pa.LargeListViewArray if large else pa.ListViewArray
        offsets, first, last = _offsets(lists)
        sizes = pc.subtract(offsets[1:], offsets[:-1])
        return made.from_arrays(
            pc.cast(offsets[:-1], width),
            pc.cast(sizes, width),
            lists.values.slice(first, last - first),
            type=self.kind,
            mask=_nulls(lists),
        )


def _offsets(array: Any) -> tuple[pa.Array, int, int]:
    """Return the offsets of a list array from 0 on, and where its values begin and end."""
    offsets = array.offsets
    first, last = offsets[0].as_py(), offsets[-1].as_py()
    return pc.subtract(offsets, first), first, last


class _List(Form):
    def __init__(self, kind: Any, of: FormOf) -> None:
        self._values = of(kind.value_type)
        made = pa.large_list if pa.types.is_large_list(kind) else pa.list_
        super().__init__(made(kind.value_field.with_type(self._values.kind)))
        self.seen = made(pa.field("item", self._values.seen))

    def there(self, array: pa.Array) -> pa.Array:
        offsets, first, last = _offsets(array)
        values = self._values.there(array.values.slice(first, last - first))
        return type(array).from_arrays(offsets, values, type=self.seen, mask=_nulls(array))

    def back(self, array: pa.Array) -> pa.Array:
        offsets, first, last = _offsets(array)
        values = self._values.back(array.values.slice(first, last - first))
        large = pa.types.is_large_list(self.kind)
        made = pa.LargeListArray if large else pa.ListArray
        return made.from_arrays(
            pc.cast(offsets, pa.int64() if large else pa.int32()),
            values,
            type=self.kind,
            mask=_nulls(array),
        )


def _nulls(array: pa.Array) -> pa.Array | None:
    return pc.is_null(array) if array.null_count else None


class _FixedList(Form):
    def __init__(self, kind: Any, of: FormOf) -> None:
        self._values = of(kind.value_type)
        self._size = kind.list_size
        super().__init__(pa.list_(kind.value_field.with_type(self._values.kind), self._size))
        self.seen = pa.list_(pa.field("item", self._values.seen), self._size)

    def _inner(self, array: Any) -> pa.Array:
        return array.values.slice(array.offset * self._size, len(array) * self._size)

    def there(self, array: pa.Array) -> pa.Array:
        values = self._values.there(self._inner(array))
        return pa.FixedSizeListArray.from_arrays(values, type=self.seen, mask=_nulls(array))

    def back(self, array: pa.Array) -> pa.Array:
        values = self._values.back(self._inner(array))
        return pa.FixedSizeListArray.from_arrays(values, type=self.kind, mask=_nulls(array))


class _Struct(Form):
    """Fields that the engine would take for one (``a`` and ``A``) or that have no name are told
    apart by their place."""

    def __init__(self, kind: Any, of: FormOf) -> None:
        fields = list(kind)
        self._parts = [of(field.type) for field in fields]
        super().__init__(
            pa.struct(
                [field.with_type(p.kind) for field, p in zip(fields, self._parts, strict=True)]
            )
        )
        names = [field.name for field in fields]
        if "" in names or len({name.casefold() for name in names}) < len(names):
            names = [f"{name} #{i}" for i, name in enumerate(names)]
        self.seen = pa.struct(
            [pa.field(name, part.seen) for name, part in zip(names, self._parts, strict=True)]
        )

    def there(self, array: pa.Array) -> pa.Array:
        children = [part.there(array.field(i)) for i, part in enumerate(self._parts)]
        return pa.StructArray.from_arrays(children, fields=list(self.seen), mask=_nulls(array))

    def back(self, array: pa.Array) -> pa.Array:
        children = [part.back(array.field(i)) for i, part in enumerate(self._parts)]
        return pa.StructArray.from_arrays(children, fields=list(self.kind), mask=_nulls(array))


class _Empty(Form):
    """A struct without a field says only whether it is there."""

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind, pa.bool_())

    def there(self, array: pa.Array) -> pa.Array:
        return pc.if_else(pc.is_valid(array), True, pa.scalar(None, pa.bool_()))

    def back(self, array: pa.Array) -> pa.Array:
        made = pa.array([{}] * len(array), self.kind)
        if not array.null_count:
            return made
        return pa.Array.from_buffers(
            self.kind, len(array), [pc.is_valid(array).buffers()[1]], children=[]
        )


class _Map(Form):
    """A list of pairs, since a map of the engine has no key twice; a map where an expression looks
    into it."""

    def __init__(self, kind: Any, use: Use, of: FormOf) -> None:
        self._keys = of(kind.key_type)
        self._items = of(kind.item_type)
        super().__init__(
            pa.map_(
                kind.key_field.with_type(self._keys.kind),
                kind.item_field.with_type(self._items.kind),
                keys_sorted=kind.keys_sorted,
            )
        )
        self._as_map = use >= Use.JUDGED
        pair = [pa.field("key", self._keys.seen), pa.field("value", self._items.seen)]
        self._pair = pair
        self.seen = (
            pa.map_(self._keys.seen, self._items.seen)
            if self._as_map
            else pa.list_(pa.struct(pair))
        )

    def there(self, array: pa.Array) -> pa.Array:
        offsets, first, last = _offsets(array)
        keys = self._keys.there(array.keys.slice(first, last - first))
        items = self._items.there(array.items.slice(first, last - first))
        if self._as_map:
            return pa.MapArray.from_arrays(offsets, keys, items, type=self.seen, mask=_nulls(array))
        pairs = pa.StructArray.from_arrays([keys, items], fields=self._pair)
        return pa.ListArray.from_arrays(offsets, pairs, type=self.seen, mask=_nulls(array))

    def back(self, array: pa.Array) -> pa.Array:
        offsets, first, last = _offsets(array)
        if pa.types.is_map(array.type):
            keys, items = array.keys, array.items
        else:
            keys, items = array.values.field(0), array.values.field(1)
        return pa.MapArray.from_arrays(
            offsets,
            self._keys.back(keys.slice(first, last - first)),
            self._items.back(items.slice(first, last - first)),
            type=self.kind,
            mask=_nulls(array),
        )


class _Union(Form):
    """A struct of all the types of the union, and which of them the value has."""

    def __init__(self, kind: Any, of: FormOf) -> None:
        fields = [kind.field(i) for i in range(kind.num_fields)]
        self._parts = [of(field.type) for field in fields]
        fields = [field.with_type(p.kind) for field, p in zip(fields, self._parts, strict=True)]
        made = pa.sparse_union if kind.mode == "sparse" else pa.dense_union
        super().__init__(made(fields, type_codes=kind.type_codes))
        self.seen = pa.struct(
            [
                pa.field("code", pa.int8()),
                *(pa.field(f"value {i}", part.seen) for i, part in enumerate(self._parts)),
            ]
        )

    def there(self, array: Any) -> pa.Array:
        codes = array.type_codes
        children = []
        for i, part in enumerate(self._parts):
            child = array.field(i)
            if self.kind.mode == "dense":
                own = pc.equal(codes, self.kind.type_codes[i])
                child = child.take(pc.if_else(own, array.offsets, pa.scalar(None, pa.int32())))
            children.append(part.there(child))
        return pa.StructArray.from_arrays([codes, *children], fields=list(self.seen))

    def back(self, array: pa.Array) -> pa.Array:
        first = self.kind.type_codes[0]
        codes = pc.fill_null(array.field(0), first)
        children = [part.back(array.field(i + 1)) for i, part in enumerate(self._parts)]
        names = [self.kind.field(i).name for i in range(self.kind.num_fields)]
        if self.kind.mode == "sparse":
            return pa.UnionArray.from_sparse(codes, children, names, self.kind.type_codes)
        rows = pa.array(range(len(array)), pa.int32())
        return pa.UnionArray.from_dense(codes, rows, children, names, self.kind.type_codes)
