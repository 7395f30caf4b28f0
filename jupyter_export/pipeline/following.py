"""Relations that are followed: a dataset keeps only rows that belong to selected rows of others.

A row of a parent stays where a selected row of at least one child that leads it needs it (airports
are where flights begin or end); a row of a child stays where every parent that leads it is selected
(labels of the chosen pages by the chosen reviewers). What the dataset says itself holds on top of
that: its where and time range as well, its sample, groups and limit for the rows that are left.

The leader is read first, and once: its rows wait (``spool``) while their keys are gathered. Of one
database, and where the leader's rows are the same each time, its own condition stands in the
follower's statement instead. Few keys are given to the follower's database by value; otherwise its
rows are looked at here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pyarrow as pa
import sqlalchemy as sa

from .. import transform
from ..registry import BatchStream, Database, Relation, Surroundings
from ..spec import Columns, Dataset, ExportSpec
from ..transform import Pushed
from ..transform.semijoin import Belongs, KeySet, comparison, semi_join
from . import narrowing, relations
from .relations import Carried, Followed
from .spool import Spool

_SAMPLE_BYTES = 32 * 1024**2
"""Bytes of a leader's rows after which a preview has seen enough of them."""
_SAMPLE_PIECE = 64


@dataclass(frozen=True)
class Origin:
    """The source of a dataset: rows that can be read, or a relation of a database."""

    schema: pa.Schema
    stream: BatchStream | None = None
    database: Database | None = None
    relation: Relation | None = None


@dataclass
class _Role:
    """What one dataset has to do with the others."""

    carried: Carried
    leads: list[Followed]
    groups: list[list[Followed]]
    """Each row needs at least one relation of each group."""
    left: list[list[Followed]] = field(default_factory=list)
    """The groups that are not left to a database."""
    relation: Relation | None = None
    """The rows of the database that belong, where it finds them all by itself."""
    cut: bool = False
    """A preview has not looked at all rows that lead here, or at all rows of its own."""
    led_by_some: bool = False
    """A preview knows only some of the keys that this dataset follows."""


class Following:
    """The relations of one run or preview, while its datasets are opened in ``order``."""

    def __init__(
        self,
        spec: ExportSpec,
        origins: Mapping[str, Origin],
        here: Surroundings,
        stack: ExitStack,
        most: int | None = None,
    ) -> None:
        """``most``: rows that a preview reads of a leader.

        Raises ``InvalidSpec`` for relations that cannot be followed, before any row is read.
        """
        self.order = relations.in_order(spec)
        self._origins = origins
        self._here = here
        self._stack = stack
        self._most = most
        schemas = {name: origin.schema for name, origin in origins.items()}
        every = relations.followed(spec, schemas)
        self._roles = {
            dataset.name: _role(dataset, every, schemas[dataset.name]) for dataset in spec.datasets
        }
        self._keys: dict[int, KeySet] = {}
        self._selects: dict[int, sa.Select[object]] = {}

    def asked(self, dataset: Dataset) -> Dataset:
        """Return the dataset with the keys that others follow in its result."""
        return self._roles[dataset.name].carried.dataset

    def joins(self, name: str) -> bool:
        """Tell whether rows of the dataset are left out here: any number of them may be read."""
        return bool(self._roles[name].left)

    def cut(self, name: str) -> bool:
        """Tell whether a preview has left out rows without a look at them."""
        return self._roles[name].cut

    def led_by_some(self, name: str) -> bool:
        """Tell whether a preview followed only some of the keys: how many rows belong to all of
        them is not known."""
        return self._roles[name].led_by_some

    # -------------------------------------------------------------- followers

    def push(self, name: str) -> Pushed:
        """Return what the dataset's database does, the relations that it follows included."""
        role, origin = self._roles[name], self._origins[name]
        if origin.database is None or origin.relation is None:
            raise ValueError(f"{name} is of no database")
        relation, dialect = origin.relation, origin.database.dialect
        conditions: list[sa.ColumnElement[bool]] = []
        role.left = []
        for group in role.groups:
            found = [] if relation.opaque else self._conditions(group, relation, dialect)
            if found:
                conditions.append(sa.or_(*(each.clause for each in found)))
            if not found or not all(each.exact for each in found):
                role.left.append(group)
        if conditions:
            rows = sa.select(relation.clause).where(*conditions).subquery()
            relation = replace(relation, clause=rows)
        self._inherit_cut(role)
        dataset = role.carried.dataset
        if not role.left:
            role.relation = relation
            return transform.push(dataset, relation, dialect)
        # the other steps are done to the rows that belong, and so they wait
        first = Dataset(
            name=name,
            source=dataset.source,
            where=dataset.where,
            time_range=dataset.time_range,
            columns=Columns(include=_columns_read(dataset, role, relation.schema.names)),
        )
        pushed = transform.push(first, relation, dialect)
        rest: dict[str, object] = {"where": pushed.rest.where, "time_range": pushed.rest.time_range}
        if first.columns.include:
            rest["columns"] = _of_those_read(dataset.columns, relation.schema.names)
        return replace(pushed, rest=dataset.model_copy(update=rest))

    def joined(self, name: str, stream: BatchStream) -> BatchStream:
        """Return those rows of the dataset's source that belong to the rows of its leaders."""
        role = self._roles[name]
        if self._origins[name].database is None:
            role.left = role.groups
            self._inherit_cut(role)
        needed = [
            [Belongs(each.follower_column, self._keys[each.index]) for each in group]
            for group in role.left
        ]
        return semi_join(stream, needed)

    def _inherit_cut(self, role: _Role) -> None:
        leaders = (self._roles[each.leader] for group in role.groups for each in group)
        role.led_by_some = role.led_by_some or any(leader.cut for leader in leaders)
        role.cut = role.led_by_some

    def _conditions(
        self, group: list[Followed], relation: Relation, dialect: str
    ) -> list[narrowing.Condition]:
        """Return conditions of which a row that belongs meets one, or none: nobody knows."""
        found = []
        by_column: dict[str, list[sa.Select[object]]] = {}
        for each in group:
            column = relation.clause.c[each.follower_column]
            if each.index in self._selects:
                by_column.setdefault(each.follower_column, []).append(self._selects[each.index])
                continue
            kind = relation.schema.field(each.follower_column).type
            keys = self._keys[each.index]
            condition = narrowing.by_value(column, kind, keys, dialect, cut=self._most is not None)
            if condition is None:
                return []
            self._roles[each.follower].led_by_some |= condition.cut
            found.append(condition)
        for name, selects in by_column.items():
            found.append(narrowing.by_subquery(relation.clause.c[name], selects, dialect))
        return found

    # -------------------------------------------------------------- leaders

    def led(self, name: str, stream: BatchStream) -> BatchStream:
        """Return the rows that the dataset exports; those that wait for others have been read."""
        role = self._roles[name]
        if not role.leads:
            return stream
        gathered = self._gathered(role, stream.schema)
        shown = [n for n in stream.schema.names if n not in role.carried.extra]
        schema = pa.schema([stream.schema.field(n) for n in shown])
        if not gathered:
            return replace(stream, schema=schema, batches=_narrow(stream.batches, schema))
        spool = Spool(self._here.scratch / f"rows-{uuid.uuid4().hex}.arrows", schema)
        self._stack.callback(spool.close)
        for batch in self._sampled(role, stream.batches, spool):
            for column, keys in gathered:
                keys.add(batch.column(stream.schema.get_field_index(column)))
            spool.add(batch.select(shown))
        for _, keys in gathered:
            keys.finish()
        total = stream.total_rows if role.cut else spool.rows
        return replace(stream, schema=schema, batches=spool.batches(), total_rows=total)

    def _gathered(self, role: _Role, schema: pa.Schema) -> list[tuple[str, KeySet]]:
        """Return the columns of keys that have to be read, each with the set that takes them."""
        gathered = []
        for each in role.leads:
            if self._select(role, each):
                continue
            column = role.carried.names[each.leader_column]
            other = self._origins[each.follower].schema.field(each.follower_column).type
            compared = comparison(schema.field(column).type, other)
            if compared is None:
                raise ValueError(f"{schema.field(column)} was comparable with {other}")
            keys = self._keys[each.index] = KeySet(compared, self._here.scratch)
            self._stack.callback(keys.close)
            gathered.append((column, keys))
        return gathered

    def _select(self, role: _Role, each: Followed) -> bool:
        """Try to let the follower's database find the leader's keys by itself, in the snapshot
        that both are read in."""
        group = next(g for g in self._roles[each.follower].groups if each in g)
        one, other = self._origins[each.leader], self._origins[each.follower]
        if (
            self._most is not None
            or one.database is None
            or one.database is not other.database
            or role.relation is None
            or other.relation is None
            or other.relation.opaque
            or any(neighbour.leader != each.leader for neighbour in group)
            or not all(
                narrowing.comparable(
                    role.relation.clause.c[neighbour.leader_column],
                    other.relation.clause.c[neighbour.follower_column],
                    one.database.dialect,
                )
                for neighbour in group
            )
        ):
            return False
        dataset, relation, database = role.carried.dataset, role.relation, one.database
        columns = {n.index: n.leader_column for n in group}
        selects = {
            index: narrowing.selected_keys(dataset, column, relation, database)
            for index, column in columns.items()
        }
        if None in selects.values():
            return False
        self._selects.update({i: select for i, select in selects.items() if select is not None})
        return True

    def _sampled(
        self, role: _Role, batches: Iterator[pa.RecordBatch], spool: Spool
    ) -> Iterator[pa.RecordBatch]:
        """Yield all rows, or in a preview the first ones."""
        if self._most is None:
            for batch in batches:
                yield batch
                if self._here.max_rows is not None and spool.rows > self._here.max_rows:
                    return  # they are refused when they are written
            return
        for batch in batches:
            for start in range(0, batch.num_rows, _SAMPLE_PIECE):
                left = min(self._most - spool.rows, _SAMPLE_PIECE)
                if left <= 0 or spool.bytes > _SAMPLE_BYTES:
                    role.cut = True
                    return
                yield batch.slice(start, left)


def _role(dataset: Dataset, every: list[Followed], schema: pa.Schema) -> _Role:
    leads = [each for each in every if each.leader == dataset.name]
    needed = [each for each in every if each.follower == dataset.name and each.needed]
    belongs = [[e] for e in every if e.follower == dataset.name and not e.needed]
    carried = relations.carrying(dataset, [each.leader_column for each in leads], schema.names)
    return _Role(carried, leads, [*([needed] if needed else []), *belongs])


def _columns_read(dataset: Dataset, role: _Role, names: list[str]) -> list[str]:
    """Return the columns that a dataset's steps and relations read; empty means all."""
    columns = dataset.columns
    if (
        dataset.computed
        or dataset.group_by
        or dataset.aggregates
        or dataset.pivot
        or columns.computed
    ):
        return []
    kept = {name for name in columns.include or names if name not in columns.exclude}
    kept |= {*columns.exclude, *columns.order, *columns.rename} - set(names)
    kept |= {each.column for each in dataset.sort}
    kept |= {each.follower_column for group in role.left for each in group}
    return [] if kept - set(names) else [name for name in names if name in kept]


def _of_those_read(columns: Columns, names: list[str]) -> Columns:
    """Return the same choice of columns, without the names of those that were not read."""
    kept = [name for name in columns.include or names if name not in columns.exclude]
    renamed = {name: new for name, new in columns.rename.items() if name in kept}
    return columns.model_copy(update={"include": kept, "exclude": [], "rename": renamed})


def _narrow(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch if len(batch.schema) == len(schema) else batch.select(schema.names)
