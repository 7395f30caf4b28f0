"""The whole document: the datasets in the structure that was chosen, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa

from ...errors import InvalidSpec
from ...registry import Chunk, FileContext, LossLedger, Table
from . import keys, structures
from .frame import Frame, text_chunk
from .metadata import metadata, with_rows
from .options import JsonOptions
from .relations import Tree, check_columns, relationships
from .rows import RowWriter

Value: TypeAlias = Callable[[str, int], Iterator[Chunk]]
"""Writes the value of the dataset of that name, indented so many times."""


def document(
    tables: Sequence[Table], options: JsonOptions, context: FileContext, losses: LossLedger
) -> Iterator[Chunk]:
    """Return the chunks of the document. Raises ``InvalidSpec`` before any row is read."""
    tree = check(tables, options, context)
    return _Document(tables, options, context, losses, tree).chunks()


def check(tables: Sequence[Table], options: JsonOptions, context: FileContext) -> Tree | None:
    """Raise ``InvalidSpec`` for what cannot be written; return the tree of a nested document."""
    schemas = {table.name: table.schema for table in tables}
    check_columns(context.relations, schemas)
    if options.structure == "columns":
        for table in tables:
            if not len(table.schema):
                raise InvalidSpec(
                    f"“{table.name}” has no column, and structure=columns would lose its rows.",
                    hint="Use structure=records.",
                    field="format.structure",
                )
    if options.structure != "nested" or len(tables) == 1:
        return None
    if not context.relations:
        raise InvalidSpec(
            "structure=nested puts rows inside of the rows that they belong to, and no relation "
            "says which these are.",
            hint='Say it in relations: {"name": "plane", "from": "flights.tailnum", '
            '"to": "planes.tailnum"}; or use structure=records.',
            field="relations",
        )
    check_columns(context.relations, schemas, every=True)
    tree = Tree(tables, context.relations)
    for link in tree.link.values():
        keys.check_types(
            link,
            schemas[link.child].field(link.child_column).type,
            schemas[link.parent].field(link.parent_column).type,
        )
    return tree


class _Document:
    def __init__(
        self,
        tables: Sequence[Table],
        options: JsonOptions,
        context: FileContext,
        losses: LossLedger,
        tree: Tree | None,
    ) -> None:
        self._tables = {table.name: table for table in tables}
        self._options = options
        self._context = context
        self._losses = losses
        self._tree = tree
        self._frame = Frame(options.pretty)
        self._rows = dict.fromkeys(self._tables, 0)

    def chunks(self) -> Iterator[Chunk]:
        if not self._options.metadata:
            yield from self._data(0)
            yield text_chunk("\n")
            return
        known = metadata(list(self._tables.values()), self._context)
        line = self._frame.line(1)
        yield text_chunk(f"{{{line}{self._frame.member('data')}")
        yield from self._data(1)
        about = self._frame.members(with_rows(known, self._rows), 1)
        yield text_chunk(f",{line}{self._frame.member('metadata')}{about}{self._frame.line(0)}}}\n")

    def _data(self, level: int) -> Iterator[Chunk]:
        names = list(self._tables)
        if self._tree is not None:
            from .nested import nested  # which loads the engine

            return nested(self._writer, self._tree, self._frame, level, self._context)
        if self._options.structure == "normalized":
            return self._normalized(names, level)
        value = self._value()
        return value(names[0], level) if len(names) == 1 else self._object(names, value, level)

    def _object(self, names: Sequence[str], value: Value, level: int) -> Iterator[Chunk]:
        for index, name in enumerate(names):
            before = "," if index else "{"
            yield text_chunk(f"{before}{self._frame.line(level + 1)}{self._frame.member(name)}")
            yield from value(name, level + 1)
        yield text_chunk(f"{self._frame.line(level)}}}")

    def _normalized(self, names: Sequence[str], level: int) -> Iterator[Chunk]:
        line = self._frame.line(level + 1)
        schemas = {table.name: table.schema for table in self._tables.values()}
        relations = relationships(self._context.relations, schemas)
        yield text_chunk(f"{{{line}{self._frame.member('datasets')}")
        yield from self._object(names, self._records, level + 1)
        yield text_chunk(
            f",{line}{self._frame.member('relationships')}{self._frame.text(relations)}"
            f"{self._frame.line(level)}}}"
        )

    def _value(self) -> Value:
        kinds: Mapping[str, Value] = {"split": self._split, "columns": self._columns}
        return kinds.get(self._options.structure, self._records)

    def _records(self, name: str, level: int) -> Iterator[Chunk]:
        return structures.records(self._writer(name), self._frame, level)

    def _split(self, name: str, level: int) -> Iterator[Chunk]:
        return structures.split(self._tables[name].schema, self._writer(name), self._frame, level)

    def _columns(self, name: str, level: int) -> Iterator[Chunk]:
        scratch = self._context.here.scratch
        schema = self._tables[name].schema
        return structures.columns(schema, self._writer(name), self._frame, level, scratch)

    def _writer(self, name: str) -> RowWriter:
        table = self._tables[name]
        losses = self._losses.of(name) if len(self._tables) > 1 else self._losses

        def counted() -> Iterator[pa.RecordBatch]:
            for batch in table.batches:
                self._rows[name] += batch.num_rows
                yield batch

        return RowWriter(counted(), self._options, losses, self._context.threads)
