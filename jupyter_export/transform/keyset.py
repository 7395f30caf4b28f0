"""A set of keys that stays small in memory however many they are.

Keys are words of 64 bits (``keys.comparison``): numbers as they are, bytes by their hash. They lie
sorted in files that are mapped into memory, which the system may drop at any time, and are looked
up by binary search; behind a hash the bytes themselves are compared, so that no answer is a guess.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .keys import Comparison, decoded

Words: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

FEW = 5_000
"""Keys that are remembered as values, so that a database can be asked for them by name."""
_WAITING = 2**18
"""Keys that wait in memory for their like, before they go to disk."""
_WAITING_BYTES = 16 * 1024**2
_PIECE = 2**16
_SEGMENT = 2**22
"""Hashes that are sorted at a time."""


class KeySet:
    """Keys are added, then ``finish`` is called once, then they are looked up."""

    def __init__(self, comparison: Comparison, scratch: Path) -> None:
        self._comparison = comparison
        self._folder = scratch / f"keys-{uuid.uuid4().hex}"
        self._first: list[pa.Array] = []
        self.many = False
        """True: there are more than ``FEW`` keys."""
        self._store: _Numbers | _Texts
        self._store = _Numbers() if comparison.form == "words" else _Texts()

    def add(self, column: pa.Array) -> None:
        """Take the keys of some rows, all batches of one type."""
        values = _distinct(column)
        if len(values):
            self._remember(values)
            self._store.add(_distinct(self._comparison.canonical(values)), self._folder)

    def finish(self) -> None:
        """Make the keys ready to be looked up."""
        self._store.finish(self._folder)

    def contains(self, column: pa.Array) -> Mask:
        """Tell for each row whether its key is in the set; null never is."""
        if pa.types.is_dictionary(column.type) and len(column.dictionary) <= len(column):
            found = self.contains(column.dictionary)
            indices = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
            known = found[indices] if len(found) else np.zeros(len(column), bool)
            answer: Mask = known & column.is_valid().to_numpy(zero_copy_only=False)
            return answer
        return self._store.contains(self._comparison.canonical(decoded(column)))

    def first(self) -> pa.Array:
        """Return the first ``FEW`` of the distinct keys as they were added, or all (``many``)."""
        return _distinct(pa.concat_arrays(self._first)) if self._first else pa.nulls(0)

    def close(self) -> None:
        """Remove what is on disk."""
        self._store.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _remember(self, values: pa.Array) -> None:
        if self.many:
            return
        self._first.append(values)
        if sum(map(len, self._first)) > FEW:
            distinct = _distinct(pa.concat_arrays(self._first))
            self.many = len(distinct) > FEW
            self._first = [distinct.slice(0, FEW)]


def _distinct(column: pa.Array) -> pa.Array:
    return pc.drop_null(pc.unique(decoded(column)))


class _Numbers:
    """Numbers: one sorted array."""

    def __init__(self) -> None:
        self._waiting: list[Words] = []
        self._rows = 0
        self._file: Any = None
        self._sorted: Words = np.zeros(0, np.int64)

    def add(self, values: pa.Array, folder: Path) -> None:
        self._waiting.append(_numpy(values))
        self._rows += len(values)
        if self._rows > _WAITING:
            self._gather()
            if self._rows > _WAITING // 2:
                folder.mkdir(parents=True, exist_ok=True)
                self._file = self._file or (folder / "words").open("w+b")
                self._file.write(self._waiting[0].data)
                self._waiting, self._rows = [], 0

    def _gather(self) -> None:
        if self._waiting:
            words = np.sort(np.concatenate(self._waiting))
            # what np.unique does, which newer versions do by hashing and more slowly
            self._waiting = [words[np.append(True, words[1:] != words[:-1])[: len(words)]]]
        self._rows = sum(map(len, self._waiting))

    def finish(self, folder: Path) -> None:
        self._gather()
        if self._file is None:
            self._sorted = self._waiting[0] if self._waiting else self._sorted
        else:
            for words in self._waiting:
                self._file.write(words.data)
            self._file.close()
            # in place: the pages belong to the file
            self._sorted = np.memmap(folder / "words", np.int64, "r+")
            self._sorted.sort()
        self._waiting = []

    def contains(self, column: pa.Array) -> Mask:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        words = _numpy(column)
        places = _search(self._sorted, words)
        found: Mask = (places < len(self._sorted)) & valid
        found[found] = self._sorted[places[found]] == words[found]
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._sorted = np.zeros(0, np.int64)


class _Texts:
    """Bytes: the hashes sorted, and for each one where its bytes are."""

    def __init__(self) -> None:
        self._waiting: list[pa.Array] = []
        self._rows = self._bytes = 0
        self._files: list[Any] = []
        self._count = self._size = 0
        self._texts: pa.Array = pa.array([], pa.large_binary())
        self._segments: list[tuple[Words, Words]] = []

    def add(self, values: pa.Array, folder: Path) -> None:
        self._waiting.append(values)
        self._rows += len(values)
        self._bytes += values.nbytes
        if self._rows > _WAITING or self._bytes > _WAITING_BYTES:
            self._gather()
            if self._rows > _WAITING // 2 or self._bytes > _WAITING_BYTES // 2:
                self._write(folder)

    def _gather(self) -> None:
        if len(self._waiting) > 1:
            self._waiting = [_distinct(pa.concat_arrays(self._waiting))]
        self._rows = sum(map(len, self._waiting))
        self._bytes = sum(each.nbytes for each in self._waiting)

    def _write(self, folder: Path) -> None:
        if not self._files:
            folder.mkdir(parents=True, exist_ok=True)
            self._files = [(folder / name).open("wb") for name in ("texts", "ends", "hashes")]
            self._files[1].write(np.zeros(1, np.int64).data)
        texts, ends, hashes = self._files
        for values in self._waiting:
            _, places, data = values.buffers()
            at = np.frombuffer(places, np.int64)[values.offset : values.offset + len(values) + 1]
            texts.write(memoryview(data)[int(at[0]) : int(at[-1])] if data is not None else b"")
            ends.write((at[1:] - at[0] + self._size).data)
            hashes.write(_hashes(values).data)
            self._size += int(at[-1] - at[0])
            self._count += len(values)
        self._waiting, self._rows, self._bytes = [], 0, 0

    def finish(self, folder: Path) -> None:
        self._gather()
        if not self._files:
            if self._waiting:
                self._texts = self._waiting[0]
                self._segments = [_ordered(_hashes(self._texts), 0)]
            self._waiting = []
            return
        self._write(folder)
        for file in self._files:
            file.close()
        buffers = [_mapped(folder / name) for name in ("ends", "texts")]
        self._texts = pa.Array.from_buffers(pa.large_binary(), self._count, [None, *buffers])
        self._segments = list(self._sorted_on_disk(folder))

    def _sorted_on_disk(self, folder: Path) -> Iterator[tuple[Words, Words]]:
        hashes = np.memmap(folder / "hashes", np.int64, "r")
        for start in range(0, self._count, _SEGMENT):
            kept = []
            for name, each in zip(
                ("sorted", "places"), _ordered(hashes[start : start + _SEGMENT], start), strict=True
            ):
                each.tofile(folder / f"{name}{start}")
                kept.append(np.memmap(folder / f"{name}{start}", np.int64, "r"))
            yield kept[0], kept[1]

    def contains(self, column: pa.Array) -> Mask:
        coded = column.dictionary_encode()
        asked = coded.dictionary
        known: Mask = np.zeros(len(asked) + 1, bool)
        hashes = _hashes(asked)
        for words, places in self._segments:
            left = np.flatnonzero(~known[:-1])
            known[left[self._among(words, places, hashes[left], pc.take(asked, left))]] = True
        # the last one stands for null
        rows: Mask = known[pc.fill_null(coded.indices, len(asked)).to_numpy(zero_copy_only=False)]
        return rows

    def _among(self, words: Words, places: Words, hashes: Words, asked: pa.Array) -> Mask:
        found = np.zeros(len(asked), bool)
        left = np.arange(len(asked))
        at = _search(words, hashes)
        while len(left):
            # neighbours of one hash are looked at one after another
            inside = at < len(words)
            left, at = left[inside], at[inside]
            same = words[at] == hashes[left]
            left, at = left[same], at[same]
            equal = pc.equal(pc.take(self._texts, places[at]), pc.take(asked, left))
            hit = equal.to_numpy(zero_copy_only=False)
            found[left[hit]] = True
            left, at = left[~hit], at[~hit] + 1
        return found

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._texts, self._segments = pa.array([], pa.large_binary()), []


def _numpy(column: pa.Array) -> Words:
    found: Words = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    return found


def _hashes(column: pa.Array) -> Words:
    """Return Python's own hash of each value (SipHash, 64 bits, keyed anew for each process)."""
    found = np.empty(len(column), np.int64)
    for start in range(0, len(column), _PIECE):
        values = column.slice(start, _PIECE).to_numpy(zero_copy_only=False)
        found[start : start + len(values)] = np.fromiter(map(hash, values), np.int64, len(values))
    return found


def _ordered(hashes: Words, first: int) -> tuple[Words, Words]:
    """Return hashes in order, and the places of their bytes, which begin at ``first``."""
    order = np.argsort(hashes)
    return hashes[order], order + first


def _search(words: Words, asked: Words) -> Words:
    """Return the first place of each word; in order, so that neighbours are near in memory."""
    order = np.argsort(asked)
    places = np.empty(len(asked), np.int64)
    places[order] = np.searchsorted(words, asked[order])
    return places


def _mapped(path: Path) -> pa.Buffer:
    if not path.stat().st_size:
        return pa.py_buffer(b"")
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()
