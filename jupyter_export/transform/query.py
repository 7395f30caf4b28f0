"""Steps that need more than one row at a time, or make new columns: one query of the engine over
the stream, which is read once while the query runs.

Sorts and groups spill to disk; what comes out streams. Errors of the engine leave as ours, and an
error of the source, which the engine sees only as a reader that failed, leaves as itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from .. import engine
from ..engine.dialect import compiled
from ..errors import Cancelled, InvalidSpec
from ..registry import Surroundings
from ..spec import Dataset
from .carried import Carried, Restored, referred
from .forms import Use
from .forms.moments import Elapsed
from .statement import names_of, select_of
from .uses import Trace, judged, trace

ROWS = 65_536
"""Rows of a batch that comes out, at most."""
BYTES = 16 * 1024**2
"""Arrow bytes of a batch that comes out, about; of wide rows it holds fewer."""
_READ_ROWS = 2048
"""What is asked of the engine at once: few, so that very wide rows fit into an array."""
_DESCRIBING_BYTES = 64 * 1000**2


class Query:
    """The steps of a dataset but ``sample``, compiled for the engine.

    Of a pivot, what comes out are the rows that it spreads.
    """

    def __init__(self, dataset: Dataset, schema: pa.Schema) -> None:
        """Raises ``InvalidSpec`` for what cannot be done over ``schema``, with the field."""
        # checked with every column as expressions see it, compiled for the forms that are needed
        every = Carried(schema, dict.fromkeys(schema.names, Use.CALCULATED), dataset.name)
        select_of(dataset, every.table, every.told, "duckdb")
        traced = trace(dataset, schema.names)
        uses = {**judged(dataset, schema), **traced.uses}
        self.dataset = dataset.name
        self.origins = traced.origins
        self.carried = Carried(schema, uses, dataset.name)
        table, told = self.carried.table, self.carried.told
        self._grouped = bool(dataset.group_by or dataset.aggregates or dataset.pivot)
        if self._grouped:
            # nothing that follows names another column, and none goes through the engine
            table, told = self.carried.only(uses)
        statement = select_of(dataset, table, told, "duckdb")
        self.carried.narrow(referred(statement))
        self.sql, self.values = compiled(statement)
        self.restored = self._restored(schema, names_of(dataset, schema), traced)

    def _restored(self, schema: pa.Schema, names: list[str], traced: Trace) -> Restored:
        made = described(self.sql, self.values, self.carried.seen, self.dataset)
        origins = [*traced.origins.values(), *([None] * len(names))]
        fields, forms = [], []
        for name, origin, kind in zip(names, origins, made, strict=False):
            form = None if origin is None else self.carried.form(origin)
            field = pa.field(name, kind)
            if origin is not None and form is not None:
                was = schema.field(origin)
                field = was.with_type(form.kind).with_name(name)
                field = field.with_nullable(was.nullable or self._grouped)
            elif pa.types.is_interval(kind):
                form = Elapsed()
                field = field.with_type(form.kind)
            fields.append(field)
            forms.append(form)
        return Restored(pa.schema(fields), forms)


def described(sql: str, values: Sequence[Any], seen: pa.Schema, dataset: str) -> list[pa.DataType]:
    """Return the types that a query over a stream of ``seen`` gives. Raises ``InvalidSpec``."""
    spill = Path(tempfile.gettempdir())
    with engine.session(spill, memory_limit=_DESCRIBING_BYTES, threads=1) as connection:
        connection.register("source", pa.Table.from_batches([], seen))
        try:
            return types_of(connection, sql, values)
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            first = str(error).split("\n", 1)[0].partition(": ")[2].strip().rstrip(".!")
            raise InvalidSpec(f"The steps of {dataset} cannot be done: {first}.") from None


def types_of(connection: Any, sql: str, values: Sequence[Any]) -> list[pa.DataType]:
    """Return the types that a query gives."""
    found = connection.sql(f"SELECT * FROM ({sql}) LIMIT 0", params=list(values))
    return [plain(kind) for kind in found.to_arrow_reader(1).schema.types]


def plain(kind: pa.DataType) -> pa.DataType:
    """Return a type as Arrow has it by itself: the engine names the parts of lists its own way."""
    if pa.types.is_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, plain(each.type)) for each in kind])
    if pa.types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    return kind


class Feed:
    """The batches of a source as the engine reads them, and what stopped them."""

    def __init__(self, batches: Iterator[pa.RecordBatch], carried: Carried) -> None:
        self._batches = batches
        self._carried = carried
        self.failed: BaseException | None = None
        self.stopped = False

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._carried.seen, self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                if self.stopped:
                    raise Cancelled("The export was cancelled.")
                if batch.num_rows:
                    yield self._carried.there(batch)
        except GeneratorExit:
            raise
        except BaseException as error:  # not lost: ``errors_of`` raises it behind the engine
            self.failed = error
            raise


@contextmanager
def errors_of(feed: Feed) -> Iterator[None]:
    """Let an error of the source out as itself, and one of the engine as ours."""
    try:
        with engine.translated():
            yield
    except GeneratorExit:
        raise
    except Exception as error:
        if feed.failed is not None:
            raise feed.failed from None
        if feed.stopped:
            raise Cancelled("The export was cancelled.") from error
        if isinstance(error, pa.ArrowException) or type(error) is OSError:
            # what fails while its answer is read comes as Arrow's error with the engine's text
            raise _told_by_arrow(error) from error
        raise


def _told_by_arrow(error: Exception) -> Exception:
    text = str(error)
    for start, kind in _ENGINE_ERRORS.items():
        if text.startswith(start):
            return engine.explain(kind(text))
    return engine.explain(duckdb.Error(text)) if " Error: " in text else error


_ENGINE_ERRORS: dict[str, type[duckdb.Error]] = {
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "IO Error": duckdb.IOException,
}


class Running:
    """One query of the engine over a stream: its batches, read once, and how to end them."""

    def __init__(self, query: Query, batches: Iterator[pa.RecordBatch], here: Surroundings) -> None:
        self.query = query
        self._here = here
        self._feed = Feed(batches, query.carried)
        self._connection: Any = None

    def interrupt(self) -> None:
        self._feed.stopped = True
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """Yield a connection of the engine in which ``source`` is the stream."""
        here = self._here
        with (
            engine.session(
                here.scratch, memory_limit=here.memory_limit, threads=here.threads
            ) as connection,
            errors_of(self._feed),
        ):
            connection.register("source", self._feed.reader())
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

    def heard(self) -> None:
        """Raise ``Cancelled`` if the run was interrupted between two queries."""
        if self._feed.stopped:
            raise Cancelled("The export was cancelled.")

    def batches(self) -> Generator[pa.RecordBatch]:
        """Run the query; who ends reading closes this."""
        with self.connected() as connection:
            query = self.query
            yield from self.read(connection, query.sql, query.values, query.restored)

    def read(
        self, connection: Any, sql: str, values: Sequence[Any], restored: Restored
    ) -> Iterator[pa.RecordBatch]:
        """Yield what a query gives. Raises ``Cancelled`` once the run is interrupted."""
        self.heard()
        for batch in read(connection, sql, values, restored):
            self.heard()
            yield batch


def read(
    connection: Any, sql: str, values: Sequence[Any], restored: Restored
) -> Iterator[pa.RecordBatch]:
    """Yield what a query gives, in batches of at most ``ROWS`` rows and about ``BYTES``."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in connection.sql(sql, params=list(values)).to_arrow_reader(_READ_ROWS):
        if waiting and (rows + batch.num_rows > ROWS or size + batch.nbytes > BYTES):
            yield from restored.batches(_together(waiting))
            waiting, rows, size = [], 0, 0
        if batch.num_rows:
            waiting.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
    if waiting:
        yield from restored.batches(_together(waiting))


def _together(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
