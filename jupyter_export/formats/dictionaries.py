"""Dictionaries that only grow: an IPC file may extend a dictionary, but not replace it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SourceFailed


class GrowingDictionaries:
    """Moves each batch's codes onto one dictionary for each column, or place inside a column."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = [i for i, field in enumerate(schema) if has_dictionary(field.type)]
        self._words: dict[str, pa.Array] = {}
        self._schema = schema

    def settle(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with dictionaries that begin with those of the batches before it.

        Raises ``SourceFailed`` when the codes are too narrow for all categories.
        """
        if not self._columns:
            return batch
        arrays = list(batch.columns)
        for i in self._columns:
            arrays[i] = self._array(arrays[i], f"{i}", self._schema.field(i).name)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _array(self, array: pa.Array, place: str, name: str) -> pa.Array:
        kind = array.type
        if not has_dictionary(kind):
            return array
        if isinstance(kind, pa.BaseExtensionType):
            return kind.wrap_array(self._array(array.storage, place, name))
        if pa.types.is_dictionary(kind):
            return self._codes(array, place, name)
        if pa.types.is_struct(kind):
            children = [
                self._array(array.field(i), f"{place}.{i}", name) for i in range(kind.num_fields)
            ]
            return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())
        own = 3 if _is_list_view(kind) else 1 if pa.types.is_fixed_size_list(kind) else 2
        return pa.Array.from_buffers(
            kind,
            len(array),
            array.buffers()[:own],
            array.null_count,
            array.offset,
            children=[self._array(array.values, f"{place}.0", name)],
        )

    def _codes(self, column: pa.DictionaryArray, place: str, name: str) -> pa.Array:
        known = self._words.get(place)
        if known is None and not len(column.dictionary):
            # to Arrow's writer nothing is no beginning that can grow: a word that no code names
            known = self._words[place] = _some_word(column.dictionary.type)
        if known is None:
            self._words[place] = column.dictionary
            return column
        if column.dictionary.equals(known):
            return column
        new = column.dictionary.filter(pc.invert(pc.is_in(column.dictionary, value_set=known)))
        if len(new):
            known = pa.concat_arrays([known, new])
            self._words[place] = known
        codes = pc.take(pc.index_in(column.dictionary, value_set=known), column.indices)
        try:
            codes = pc.cast(codes, column.type.index_type)
        except pa.ArrowInvalid:
            raise SourceFailed(
                f"Column “{name}” has more categories than its {column.type.index_type} codes "
                "can count.",
                hint="Convert it to text first.",
            ) from None
        return pa.DictionaryArray.from_arrays(codes, known, ordered=column.type.ordered)


def _width(kind: pa.DataType) -> int:
    return kind.byte_width if pa.types.is_fixed_size_binary(kind) else 0


def _some_word(kind: pa.DataType) -> pa.Array:
    """Return one value of a type, or none where it cannot be told."""
    for word in (False, 0, "", b"", b"\0" * _width(kind)):
        try:
            return pa.array([word], kind)
        except (pa.ArrowException, TypeError, ValueError):
            continue
    return pa.array([], kind)


def has_dictionary(kind: pa.DataType) -> bool:
    """Tell whether a dictionary stands in the type, at any depth."""
    if isinstance(kind, pa.BaseExtensionType):
        return has_dictionary(kind.storage_type)
    if pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind):
        # rebuilt by nobody: batches whose dictionaries differ are refused by Arrow itself
        return False
    if pa.types.is_dictionary(kind):
        return True
    return any(has_dictionary(kind.field(i).type) for i in range(kind.num_fields))


def _is_list_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))
