"""The head of the road: every dataset of a spec, opened, checked and narrowed, none of it read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pyarrow as pa

from .. import registry, transform
from ..errors import Cancelled
from ..losses import Loss
from ..registry import BatchStream, Database, Surroundings, Table
from ..spec import Dataset, ExportSpec, SqlSource, TableSource
from .following import Following, Origin
from .meter import Meter
from .relations import check_columns


@dataclass(frozen=True)
class Opened:
    """One dataset, ready to be read: what is taken of it, as a table."""

    dataset: Dataset
    table: Table
    source_rows: int | None
    """Rows of the source before anything is left out, where it knows."""
    keeps_all_rows: bool
    losses: tuple[Loss, ...] = ()
    """What reading alone changes, as the types tell."""
    rows_estimate: int | None = None
    """About how many rows will come, where a database was asked for it."""
    cut: bool = False
    """True: a preview has left out rows without a look at them (``Following``)."""


class Databases:
    """The connections of a job, each opened once and closed at the end of ``stack``.

    They outlive an attempt that begins again, so that every attempt reads the same snapshot.
    """

    def __init__(self, here: Surroundings, stack: ExitStack) -> None:
        self._here = here
        self._stack = stack
        self._open: dict[str, Database] = {}

    def get(self, name: str) -> Database:
        """Return the open database of a connection. Raises what ``registry.database`` raises."""
        found = self._open.get(name)
        if found is None:
            found = registry.database(name, self._here)
            self._stack.callback(found.close)
            self._open[name] = found
        return found


@dataclass
class Opening:
    """How datasets are opened: for all their rows, or for the first ones and an estimate."""

    here: Surroundings
    databases: Databases
    meter: Meter
    stack: ExitStack
    most: int | None = None
    """Rows that will be read at most; None: all, and nobody asks how many there are."""
    _from: dict[str, list[str]] = field(default_factory=dict)

    def open(self, spec: ExportSpec) -> list[Opened]:
        """Open every dataset of ``spec``; ``stack`` closes them.

        Raises what sources and ``transform.compile_selection`` raise, before any row is read.
        """
        origins = {dataset.name: self._origin(dataset) for dataset in spec.datasets}
        following = Following(spec, origins, self.here, self.stack, self.most)
        found = {each.name: self._dataset(each, origins, following) for each in following.order}
        opened = [found[dataset.name] for dataset in spec.datasets]
        names = {n: [*o.schema.names, *found[n].table.schema.names] for n, o in origins.items()}
        check_columns(spec, names)
        self.meter.total = _sum([each.table.total_rows for each in opened])
        self.meter.source_total = _sum([each.source_rows for each in opened])
        return [
            replace(each, losses=(*each.losses, *self._moments(each.dataset))) for each in opened
        ]

    def _origin(self, dataset: Dataset) -> Origin:
        """Describe a dataset's source; no row is read of it."""
        source = dataset.source
        if not isinstance(source, (TableSource, SqlSource)):
            stream = _closed_once(registry.source(source.type)(source, self.here))
            self.stack.callback(stream.close)
            return Origin(stream.schema, stream)
        database = self.databases.get(source.connection)
        self._from.setdefault(source.connection, []).append(dataset.name)
        relation = database.relation(source)
        return Origin(relation.schema, None, database, relation)

    def _dataset(
        self, dataset: Dataset, origins: Mapping[str, Origin], following: Following
    ) -> Opened:
        name = dataset.name
        stream, rest, estimate = self._stream(following.asked(dataset), origins[name], following)
        selection = transform.compile_selection(rest, stream.schema)
        read = replace(stream, batches=_read(stream.batches, self.meter, self.here.cancelled))
        selected = transform.apply(selection, following.joined(name, read), self.here)
        # the engine reads ahead in threads of its own: it ends before its source does
        self.stack.callback(selected.close)
        self.stack.enter_context(registry.interrupting(self.here.cancelled, selected.interrupt))
        selected = following.led(name, selected)
        table = Table(
            name=name,
            schema=selected.schema,
            batches=_taken(selected.batches, self.meter),
            total_rows=selected.total_rows,
            description=dataset.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        )
        whole = selection.keeps_all_rows and not following.joins(name)
        return Opened(
            dataset,
            table,
            stream.total_rows,
            whole,
            stream.losses,
            estimate if whole and not following.led_by_some(name) else None,
            following.cut(name),
        )

    def _stream(
        self, dataset: Dataset, origin: Origin, following: Following
    ) -> tuple[BatchStream, Dataset, int | None]:
        """Return the rows of a dataset's source, what is left to do with them here, and about how
        many there are where a database does its part of the work."""
        if origin.stream is not None:
            return origin.stream, dataset, None
        assert origin.database is not None
        pushed = following.push(dataset.name)
        statement, estimate = pushed.statement, None
        if self.most is not None:
            estimate = origin.database.estimate(statement)
            if not pushed.rest_needs_all_rows and not following.joins(dataset.name):
                statement = transform.at_most(statement, self.most)
        if pushed.rest.sample is not None:
            # the same rows for the same seed: they are drawn by their places
            statement = statement.execution_options(in_order=True)
        stream = _closed_once(origin.database.stream(statement))
        self.stack.callback(stream.close)
        return stream, pushed.rest, estimate

    def _moments(self, dataset: Dataset) -> Iterator[Loss]:
        """Yield the loss of a dataset that may show another moment than its neighbours."""
        source = dataset.source
        if not isinstance(source, (TableSource, SqlSource)):
            return
        together = self._from[source.connection]
        if len(together) < 2 or self.databases.get(source.connection).point_in_time:
            return
        yield Loss(
            "not_point_in_time",
            dataset.name,
            None,
            f"{', '.join(together)} were read from {source.connection} one after the other: "
            "the database has no snapshot that several queries share",
        )


def _closed_once(stream: BatchStream) -> BatchStream:
    """Return ``stream`` such that those who end it need not know of one another."""
    with ExitStack() as closing:
        closing.callback(stream.close)
        return replace(stream, close=closing.pop_all().close)


def _read(
    batches: Iterator[pa.RecordBatch], meter: Meter, cancelled: threading.Event
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if cancelled.is_set():
            raise Cancelled("The export was cancelled.")
        meter.read += batch.num_rows
        yield batch


def _taken(batches: Iterator[pa.RecordBatch], meter: Meter) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        meter.taken += batch.num_rows
        yield batch


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
