"""Several files as one table: a folder, its files in order, with the columns that folders name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa

from ...errors import SourceFailed
from ...registry import BatchStream, Surroundings
from . import hive_folders, text_types
from .csv_text import CsvTable
from .places import FIELD, Entry
from .unify import fitted, unified
from .waiting import heard


@dataclass(frozen=True)
class Several:
    """Files of one schema each, to be read one after the other."""

    entries: Sequence[Entry]
    schemas: Sequence[pa.Schema]
    total_rows: int | None
    open: Callable[[int], BatchStream]
    """Open the file of that number."""

    def stream(self, here: Surroundings) -> BatchStream:
        """Return the rows of all files. Raises ``SourceFailed`` for types that do not go
        together."""
        names = [entry.shown for entry in self.entries]
        inside = unified(list(zip(names, self.schemas, strict=True)))
        keys = _keys(self.entries, self.schemas)
        found = {name: values.type for name, (values, _) in keys.items()}
        schema = pa.schema([*inside, *found.items()])
        current: list[BatchStream] = []

        def batches() -> Iterator[pa.RecordBatch]:
            for at, name in enumerate(names):
                heard(here)
                known = {key: values[places[at]] for key, (values, places) in keys.items()}
                stream = self.open(at)
                current[:] = [stream]
                try:
                    for batch in stream.batches:
                        yield fitted(batch, schema, name, known)
                finally:
                    stream.close()
                    current.clear()

        def interrupt() -> None:
            for stream in list(current):
                stream.interrupt()

        reading = batches()

        def close() -> None:
            # a generator that runs in another thread cannot be closed from here
            for stream in list(current):
                stream.close()

        return BatchStream(
            schema=schema,
            batches=reading,
            total_rows=self.total_rows,
            interrupt=interrupt,
            close=close,
        )


def _keys(
    entries: Sequence[Entry], schemas: Sequence[pa.Schema]
) -> dict[str, tuple[pa.Array, list[int]]]:
    """Return name -> (distinct values, for each file which one) of the columns in folders.

    A column that stands in the files as well is read from there, where it has its type.
    """
    told = [hive_folders.values_of(entry.below) for entry in entries]
    found: dict[str, tuple[pa.Array, list[int]]] = {}
    for name in dict.fromkeys(name for each in told for name in each):
        having = [name in schema.names for schema in schemas]
        if all(having):
            continue
        if any(having):
            lacking = entries[having.index(False)]
            raise SourceFailed(
                f"Column “{name}” stands in a folder's name, and in some files but not in "
                f"“{lacking.shown}”.",
                field=FIELD,
            )
        places: dict[str | None, int] = {}
        at = [places.setdefault(each.get(name), len(places)) for each in told]
        found[name] = hive_folders.column_of(places), at
    return found


# ------------------------------------------------------------------ CSV files


def csv_files(tables: Sequence[CsvTable], entries: Sequence[Entry]) -> Several:
    """Return CSV files as one table: a column's type holds its values in all files."""
    kinds: dict[str, str] = {}
    for name in dict.fromkeys(name for table in tables for name in table.names):
        kinds[name] = _kind(name, tables)
    schemas = [
        pa.schema([(name, text_types.arrow_type(kinds[name])) for name in table.names])
        for table in tables
    ]

    def open_file(at: int) -> BatchStream:
        return tables[at].stream([kinds[name] for name in tables[at].names])

    return Several(entries, schemas, sum(table.rows for table in tables), open_file)


def _kind(name: str, tables: Sequence[CsvTable]) -> str:
    holding = [(table, table.names.index(name)) for table in tables if name in table.names]
    mask = 0
    for table, at in holding:
        mask |= table.masks[at]

    def digits() -> text_types.Digits:
        known = [table.digits(at) for table, at in holding]
        return reduce(text_types.Digits.joined, known)

    def nanoseconds() -> bool:
        return all(table.nanoseconds(at) for table, at in holding)

    return text_types.type_of(mask, digits, nanoseconds)
