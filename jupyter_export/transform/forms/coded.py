"""How values travel that stand for others: dictionaries, runs, extension types."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .base import Form, FormOf, Use


def coded(kind: Any, of: FormOf) -> Form:
    """Return how a dictionary or runs of values travel."""
    if pa.types.is_dictionary(kind) and _findable(kind.value_type):
        return _Dictionary(kind, of)
    return _Decoded(kind, of)


def extension(kind: Any, use: Use, of: FormOf) -> Form:
    """Return how an extension type travels."""
    if kind.extension_name == "arrow.uuid" and use >= Use.JUDGED:
        return _Uuid(kind)
    if kind.extension_name == "arrow.bool8" and use >= Use.JUDGED:
        return _Bool8(kind)
    return _Stored(kind, of(kind.storage_type))


class _Stored(Form):
    """An extension type by its storage."""

    def __init__(self, kind: Any, storage: Form) -> None:
        super().__init__(kind, storage.seen)
        self._storage = storage
        self._whole = storage.kind == kind.storage_type
        if not self._whole:
            self.kind = storage.kind

    @property
    def told(self) -> pa.DataType:
        return self._storage.told

    def there(self, array: pa.Array) -> pa.Array:
        return self._storage.there(array.storage)

    def back(self, array: pa.Array) -> pa.Array:
        storage = self._storage.back(array)
        return pa.ExtensionArray.from_storage(self.kind, storage) if self._whole else storage


class _Uuid(Form):
    """The engine's own type; its answer is text of 36 characters (RFC 9562, section 4)."""

    @property
    def told(self) -> pa.DataType:
        return pa.string()

    def there(self, array: pa.Array) -> pa.Array:
        return array

    def back(self, array: pa.Array) -> pa.Array:
        texts = pc.replace_substring(pc.cast(array, pa.string()), "-", "")
        stored = [None if text is None else bytes.fromhex(text) for text in texts.to_pylist()]
        return pa.ExtensionArray.from_storage(self.kind, pa.array(stored, self.kind.storage_type))


class _Bool8(Form):
    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind, pa.bool_())

    def there(self, array: pa.Array) -> pa.Array:
        return pc.not_equal(array.storage, 0)

    def back(self, array: pa.Array) -> pa.Array:
        return pa.ExtensionArray.from_storage(self.kind, pc.cast(array, pa.int8()))


class _Decoded(Form):
    """A dictionary or runs of values that Arrow cannot look up again: plain values come out."""

    def __init__(self, kind: Any, of: FormOf) -> None:
        self._values = of(kind.value_type)
        super().__init__(self._values.kind, self._values.seen)

    @property
    def told(self) -> pa.DataType:
        return self._values.told

    def there(self, array: pa.Array) -> pa.Array:
        if pa.types.is_run_end_encoded(array.type):
            return self._values.there(pc.run_end_decode(array))
        return self._values.there(pc.take(array.dictionary, array.indices))

    def back(self, array: pa.Array) -> pa.Array:
        return self._values.back(array)


class TooManyWords(Exception):
    """More values than the indices of a dictionary can number: half of the rows may do."""


class _Dictionary(Form):
    """Words are looked up again in the dictionary that went there, so that its order and the words
    that no row has stay. Of several dictionaries, one is made by adding what is new."""

    def __init__(self, kind: Any, of: FormOf) -> None:
        self._words = of(kind.value_type)
        super().__init__(kind, pa.dictionary(kind.index_type, self._words.seen))
        self._known: pa.Array = pa.array([], kind.value_type)
        self._last: pa.Array | None = None

    @property
    def told(self) -> pa.DataType:
        return self._words.told

    def there(self, array: pa.Array) -> pa.Array:
        words = array.dictionary
        if self._last is None or not (words is self._last or words.equals(self._last)):
            self._last = words
            self._learn(words)
        return pa.DictionaryArray.from_arrays(array.indices, self._words.there(words))

    def _learn(self, words: pa.Array) -> None:
        if not len(self._known):
            new = words
        else:
            new = words.filter(pc.invert(pc.is_in(words, value_set=self._known)))
        if new.null_count or len(pc.unique(new)) != len(new):
            new = pc.unique(new.drop_null())
        self._known = pa.concat_arrays([self._known, new])

    def back(self, array: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        values = self._words.back(array)
        words = self._known
        indices = pc.index_in(values, value_set=words)
        if indices.null_count != values.null_count or len(words) > self._most:
            # a word that only the query made, or dictionaries that are too many together
            words = pc.unique(values.drop_null())
            indices = pc.index_in(values, value_set=words)
        if len(words) > self._most:
            raise TooManyWords
        return pa.DictionaryArray.from_arrays(
            pc.cast(indices, self.kind.index_type), words, ordered=self.kind.ordered
        )

    @property
    def _most(self) -> int:
        index = self.kind.index_type
        signed = pa.types.is_signed_integer(index)
        return int(2 ** (index.bit_width - signed))


def _findable(kind: pa.DataType) -> bool:
    """Tell whether values of the type can be looked up in a dictionary of them."""
    try:
        pc.index_in(pa.array([], kind), value_set=pa.array([], kind))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return not pa.types.is_nested(kind)
