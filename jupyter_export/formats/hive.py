"""How partition columns name folders: ``carrier=AA/origin=JFK``, as Hive, Spark and PyArrow do.

Names and values are percent-encoded (RFC 3986, all but unreserved characters); a null is
``__HIVE_DEFAULT_PARTITION__``. An empty text is ``carrier=``, which PyArrow, DuckDB and Polars read
back as an empty text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InvalidSpec, SourceFailed
from ..losses import Loss, LossLedger, example
from .declared import check_column

NULL = "__HIVE_DEFAULT_PARTITION__"
MOST = 10_000
"""Folders of one export."""
_LONGEST = 255
"""Bytes of one folder's name, in most file systems."""
_TABLE = 2**18
Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Hive:
    """Which columns name the folders, and which stand in the files."""

    schema: pa.Schema
    names: tuple[str, ...]

    @property
    def rest(self) -> pa.Schema:
        """The columns that stand in the files, with the types that they came with."""
        fields = [field for field in self.schema if field.name not in self.names]
        return pa.schema(fields, metadata=self.schema.metadata)

    def whole(self, stored: pa.Schema) -> pa.Schema:
        """Return the schema of all columns, those of the files as ``stored`` has them."""
        inside = iter(stored)
        fields = [each if each.name in self.names else next(inside) for each in self.schema]
        return pa.schema(fields, metadata=self.schema.metadata)

    def inner(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the columns that stand in the files."""
        if not self.names:
            return batch
        inside = [i for i, name in enumerate(self.schema.names) if name not in self.names]
        return batch.select(inside)

    def losses(self) -> Iterator[Loss]:
        """Yield the partition columns whose type comes back as another."""
        for name in self.names:
            kind = self.schema.field(name).type
            if pa.types.is_dictionary(kind) and not pa.types.is_string(kind.value_type):
                back = pa.dictionary(pa.int32(), kind.value_type)
                if not back.equals(kind):
                    yield Loss("type", name, None, f"the folders give {kind} back as {back}")


def layout(schema: pa.Schema, names: list[str]) -> Hive:
    """Return the layout of ``schema`` by those columns. Raises ``InvalidSpec``."""
    for name in names:
        check_column(name, schema, "partition_by")
        kind = schema.field(name).type
        if not _names_folders(kind):
            raise InvalidSpec(
                f"Column “{name}” ({kind}) cannot name folders.",
                hint="Use texts, integers, booleans, decimals, dates or times, or declare such a "
                "type (option schema).",
                field="format.partition_by",
            )
    if names and len(names) == len(schema):
        raise InvalidSpec(
            "The option partition_by names all columns, and nothing is left for the files.",
            hint="Leave at least one out.",
            field="format.partition_by",
        )
    return Hive(schema, tuple(names))


def _names_folders(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _names_folders(kind.value_type) and not pa.types.is_dictionary(kind.value_type)
    is_ = pa.types
    texts = is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind)
    days = is_.is_date(kind) or is_.is_time(kind) or is_.is_timestamp(kind)
    numbers = is_.is_integer(kind) or is_.is_decimal(kind) or is_.is_boolean(kind)
    return bool(texts or days or numbers)


class Folders:
    """The folders met so far, numbered as they come."""

    def __init__(self, hive: Hive, losses: LossLedger) -> None:
        self.hive = hive
        self.paths: list[str] = []
        self._numbers: dict[str, int] = {}
        self._values: list[set[str]] = [set() for _ in hive.names]
        self._losses = losses
        self._changed = list(hive.losses())
        self._rows = 0

    def codes(self, batch: pa.RecordBatch) -> Codes:
        """Return the number of each row's folder.

        Raises ``SourceFailed`` when there are too many of them, or for a value that names none.
        """
        self._rows += batch.num_rows
        for loss in self._changed:
            column = batch.column(loss.column)
            self._losses.add(replace(loss, count=len(column) - column.null_count))
        paths = [""]
        codes: npt.NDArray[np.int64] = np.zeros(batch.num_rows, np.int64)
        for at, name in enumerate(self.hive.names):
            names, local = self._segments(batch.column(name), at)
            codes, met = _compact(codes * len(names) + local, len(paths) * len(names))
            if len(met) > MOST:
                raise self._too_many(len(met))
            paths = [f"{paths[i // len(names)]}/{names[i % len(names)]}" for i in met.tolist()]
        return np.array([self._number(path[1:]) for path in paths], np.uint16)[codes]

    def _number(self, path: str) -> int:
        number = self._numbers.get(path)
        if number is None:
            if len(self.paths) == MOST:
                raise self._too_many(MOST + 1)
            number = self._numbers[path] = len(self.paths)
            self.paths.append(path)
        return number

    def _too_many(self, met: int) -> SourceFailed:
        most = max(range(len(self._values)), key=lambda i: len(self._values[i]))
        return SourceFailed(
            f"The option partition_by makes more than {MOST:,} folders: {met:,} in the first "
            f"{self._rows:,} rows, and “{self.hive.names[most]}” alone has "
            f"{len(self._values[most]):,} values in them.",
            hint="Choose columns with fewer values, or group them first (a day, not a second).",
        )

    def _segments(self, column: pa.Array, at: int) -> tuple[list[str], npt.NDArray[np.int64]]:
        """Return the folder names of a column's values, and for each row which one it is."""
        name = self.hive.names[at]
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(_plain(column))
        values = column.dictionary
        used, codes = _used(column.indices, values)
        values = _plain(values).take(pa.array(used))
        if len(used) > MOST:
            self._values[at].update(map(str, range(len(used))))
            raise self._too_many(len(used))
        texts = self._texts(values, name)
        self._report(texts, codes, name)
        self._values[at].update(t for t in texts if t is not None)
        return [f"{quote(name, safe='')}={_segment(t, name)}" for t in [*texts, None]], codes

    def _texts(self, values: pa.Array, name: str) -> list[str | None]:
        if pa.types.is_timestamp(values.type) and values.type.tz is not None:
            # of UTC: offsets of a hundred years ago have seconds, which no reader takes
            values = pc.cast(values, pa.timestamp(values.type.unit, "UTC"))
        texts = pc.cast(values, pa.string())
        if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
            for text, value in zip(texts, values, strict=True):
                if value.is_valid and not _reads_back(text, value):
                    raise SourceFailed(
                        f"The value “{example(text.as_py())}” of column “{name}” cannot name a "
                        f"folder: no reader takes it for {values.type} again.",
                        hint="Leave such rows out (where), or partition by another column.",
                    )
        found: list[str | None] = texts.to_pylist()
        return found

    def _report(self, texts: list[str | None], codes: npt.NDArray[np.int64], name: str) -> None:
        if NULL in texts:
            count = int((codes == texts.index(NULL)).sum())
            message = "the text that stands for a null in a folder's name is read as null"
            self._losses.add(Loss("null_or_empty", name, count, message, example=NULL))


def _reads_back(text: pa.Scalar, value: pa.Scalar) -> bool:
    try:
        return bool(pc.cast(text, value.type).equals(value))
    except pa.ArrowException:
        return False


def _plain(values: pa.Array) -> pa.Array:
    """Return the values in a type that Arrow's kernels for dictionaries know."""
    kind = values.type
    if pa.types.is_string_view(kind):
        return pc.cast(values, pa.string())
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        return pc.cast(values, pa.decimal128(kind.precision, kind.scale))
    return values


def _segment(text: str | None, name: str) -> str:
    if text is None:
        return NULL
    shown = quote(text, safe="")
    if len(quote(name, safe="")) + 1 + len(shown) > _LONGEST:
        raise SourceFailed(
            f"The value “{example(text)}” of column “{name}” is too long to name a folder.",
            hint="Partition by another column, or leave such rows out (where).",
        )
    return shown


def _used(
    indices: pa.Array, values: pa.Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return which values occur, and for each row which of these; a null is one past them."""
    codes = np.asarray(pc.fill_null(pc.cast(indices, pa.int64()), len(values)))
    met = np.zeros(len(values) + 1, bool)
    met[codes] = True
    used = np.flatnonzero(met[:-1])
    table = np.full(len(values) + 1, len(used), np.int64)
    table[used] = np.arange(len(used))
    return used, table[codes]


def _compact(
    codes: npt.NDArray[np.int64], size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return codes of those that occur, counted from 0, and what each of them was."""
    if size > _TABLE:
        met, codes = np.unique(codes, return_inverse=True)
        return codes, met
    met = np.flatnonzero(np.bincount(codes, minlength=size))
    table = np.zeros(size, np.int64)
    table[met] = np.arange(len(met))
    return table[codes], met
