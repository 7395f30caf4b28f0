"""A dataset's steps as one statement of SQLAlchemy, for the engine or for a database.

Inside a statement no name of a user's stands: columns are ``c0``, ``c1``, … from step to step, and
only what comes out is named as the dataset names it. Values are bound, with their type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from ..errors import InvalidSpec
from ..spec import Aggregate, And, Bucket, Computed, Dataset, Pivot, TimeRange
from .aggregates import aggregate
from .buckets import check_bucket, check_zone, width_of
from .columns import duplicate, exported, grouped_of, index_of, met_name, names_of
from .condition import condition, within
from .constructs import Constructs
from .dialects import constructs_of
from .expressions import expression
from .scope import Scope, scope_of
from .values import Clause, Kind, Value

__all__ = ["Steps", "condition_of", "exported", "limited", "names_of", "select_of", "speakable"]

ARRIVAL = "\0arrival"
"""The column that numbers the rows as they came, for first and last; no user can name it so."""


def select_of(
    dataset: Dataset, source: sa.FromClause, schema: pa.Schema, dialect: str
) -> sa.Select[Any]:
    """Compile all steps of ``dataset`` but ``sample`` and the spreading of a ``pivot``.

    ``source.c`` are the columns of ``schema``, in its order; their names may be others. What comes
    out are the columns that ``names_of`` lists, in that order. A name that SQL cannot hold (an
    empty one) stands there as ``c0``, ``c1``, …: go by the position.

    With a ``pivot`` the statement ends with what it needs: one row for each meeting of ``index``
    and ``on``, in their order, nulls last. Its columns are those of ``index`` (or all but ``on``
    and ``values``), then ``on``, then ``values``, aggregated; and, where the pivot has no function,
    how many values met (int64, last). ``columns``, ``distinct``, ``sort`` and ``limit`` are then
    left to do.

    ``sample`` comes between the conditions and all else: who samples compiles ``condition_of``,
    and this for a dataset without ``where`` and ``time_range``.

    Raises ``InvalidSpec`` with the field that is wrong, and ``NotPushed`` for what ``dialect``
    does not do as the engine does it.
    """
    steps = Steps(dataset, source, schema, constructs_of(dialect))
    steps.where()
    steps.computed()
    steps.group()
    if dataset.pivot is not None:
        return steps.pivot(dataset.pivot)
    return steps.result()


def condition_of(
    dataset: Dataset, source: sa.FromClause, schema: pa.Schema, dialect: str
) -> Clause | None:
    """Compile ``where`` and ``time_range`` as one condition, or None. Raises as ``select_of``."""
    steps = Steps(dataset, source, schema, constructs_of(dialect))
    steps.where()
    return sa.and_(*steps.conditions) if steps.conditions else None


class Steps:
    """A statement in the making. Each method does one step of the dataset, in their order."""

    def __init__(
        self,
        dataset: Dataset,
        source: sa.FromClause,
        schema: pa.Schema,
        speech: Constructs,
        numbers_rows: bool = True,
    ) -> None:
        seen: set[str] = set()
        for name in schema.names:
            if name in seen:
                raise duplicate(name, dataset.name, "columns")
            seen.add(name)
        self.dataset = dataset
        self.speech = speech
        self.scope = scope_of(source, schema, dataset.name, speech.untyped_is_text)
        self.conditions: list[Clause] = []
        self._from: sa.FromClause = source
        self._keys: list[str] = []
        self._wrapped = 0
        if self.needs_arrival and speech.numbers_rows and numbers_rows:
            self._number_rows()

    # ------------------------------------------------------------------ which rows

    def where(self) -> None:
        """``where`` and ``time_range``."""
        for each in self.parts_of_where():
            self.conditions.append(self.compiled_part(each))
        if self.dataset.time_range is not None:
            self.conditions.append(self.stretch(self.dataset.time_range))

    def stretch(self, stretch: TimeRange) -> Clause:
        return within(stretch, self.scope, self.speech)

    def state(self) -> tuple[Any, ...]:
        """Return where the statement stands, for ``restore``."""
        return self.scope, list(self.conditions), self._from, self._keys, self._wrapped

    def restore(self, state: tuple[Any, ...]) -> None:
        """Undo a step that could not be done."""
        self.scope, self.conditions, self._from, self._keys, self._wrapped = state

    def selected(self, columns: Mapping[str, Value]) -> sa.Select[Any]:
        """Return a statement of some columns, as the statement stands."""
        return self._select(self.labelled(columns))

    def order_of_keys(self) -> list[Any]:
        return [o for key in self._keys for o in self._in_order(self.scope.columns[key])]

    def parts_of_where(self) -> list[Any]:
        """Return the conditions that all must hold."""
        where = self.dataset.where
        if where is None:
            return []
        return list(where.and_) if isinstance(where, And) else [where]

    def compiled_part(self, part: Any) -> Clause:
        if not isinstance(part, str):
            return condition(part, self.scope, self.speech)
        value = expression(part, self.scope, self.speech, "where")
        if value.kind is Kind.NULL:
            return self.speech.boolean(False)
        if value.kind is not Kind.BOOLEAN:
            raise InvalidSpec(
                f"The condition “{part}” is not a condition: it gives {value.kind.value}.",
                hint="Write one SQL expression over the columns, such as dep_delay > 60.",
                field="where",
            )
        return value.clause

    # ------------------------------------------------------------------ new columns

    def computed(self) -> None:
        """``computed``: each may build on those before it."""
        self.scope = self._with_computed(self.scope, self.dataset.computed, "computed")

    def _with_computed(self, scope: Scope, computed: Sequence[Computed], field: str) -> Scope:
        for i, each in enumerate(computed):
            if each.name in scope.columns:
                raise duplicate(each.name, self.dataset.name, f"{field}[{i}].name")
            made = expression(each.expression, scope, self.speech, f"{field}[{i}].expression")
            made = replace(made, words=each.name, constant=None)
            scope = Scope({**scope.columns, each.name: made}, scope.dataset)
        return scope

    # ------------------------------------------------------------------ groups

    def group(self) -> None:
        """``group_by`` and ``aggregates``; without keys there is one row."""
        dataset = self.dataset
        if not dataset.group_by and not dataset.aggregates:
            return
        taken: set[str] = set()
        for each in grouped_of(dataset):
            if each.name in taken:
                raise duplicate(each.name, dataset.name, "aggregates")
            taken.add(each.name)
        keys = [self._key(each, f"group_by[{i}]") for i, each in enumerate(dataset.group_by)]
        inputs = [
            self._input(each, f"aggregates[{i}]") for i, each in enumerate(dataset.aggregates)
        ]

        def aggregates(seen: Sequence[tuple[Value | None, Value | None]]) -> dict[str, Value]:
            return {
                each.name: aggregate(
                    each.function, value, self.speech, f"aggregates[{i}].column", each.p, order_by
                )
                for i, (each, (value, order_by)) in enumerate(
                    zip(dataset.aggregates, seen, strict=True)
                )
            }

        self._grouped({key.words: key for key in keys}, inputs, aggregates)
        self._keys = [each.name for each in dataset.group_by]

    def _key(self, bucket: Bucket, field: str) -> Value:
        value = self._named_or_made(bucket, field)
        if bucket.time_bucket is not None:
            width = width_of(bucket.time_bucket, f"{field}.time_bucket")
            zone = bucket.time_zone and check_zone(bucket.time_zone, f"{field}.time_zone")
            check_bucket(value, width, zone, f"{field}.time_bucket")
            value = self.speech.bucket(value, width, zone)
        else:
            value = self.speech.key(value)
        return replace(value, words=bucket.name, constant=None)

    def _named_or_made(self, each: Bucket | Aggregate, field: str) -> Value:
        if each.expression is not None:
            return expression(each.expression, self.scope, self.speech, f"{field}.expression")
        return self.scope.column(each.column or "", f"{field}.column")

    def _input(self, each: Aggregate, field: str) -> tuple[Value | None, Value | None]:
        if each.column is None and each.expression is None:
            return None, None
        value = self._named_or_made(each, field)
        order_by = None
        if each.order_by is not None:
            order_by = self.scope.column(each.order_by, f"{field}.order_by")
            if order_by.kind is Kind.NESTED:
                raise InvalidSpec(
                    f"{order_by.described}, which have no order.", field=f"{field}.order_by"
                )
        elif each.function in ("first", "last"):
            order_by = self.scope.columns.get(ARRIVAL)
        return value, order_by

    def _grouped(
        self,
        keys: Mapping[str, Value],
        inputs: Sequence[tuple[Value | None, Value | None]],
        aggregates: Callable[[Sequence[tuple[Value | None, Value | None]]], dict[str, Value]],
    ) -> None:
        """Make the groups the columns of what follows.

        Keys that are more than a column are computed one level below: no database takes two
        expressions with bound values, one shown and one grouped by, as the same.
        """
        if keys and not self.speech.grouping:
            self.speech.refuse("groups")
        if not all(isinstance(key.clause, sa.ColumnClause) for key in keys.values()):
            below: dict[str, Value] = {f"k{i}": key for i, key in enumerate(keys.values())}
            for i, pair in enumerate(inputs):
                below.update({f"{s}{i}": v for s, v in zip("vo", pair, strict=True) if v})
            self._wrap(below)
            seen = self.scope.columns
            keys = {name: replace(seen[f"k{i}"], words=name) for i, name in enumerate(keys)}
            inputs = [(seen.get(f"v{i}"), seen.get(f"o{i}")) for i in range(len(inputs))]
        made = {**keys, **aggregates(inputs)}
        self._wrap(made, [key.clause for key in keys.values()])

    def _wrap(self, columns: Mapping[str, Value], group_by: Sequence[Clause] = ()) -> None:
        """Make ``columns`` those of a subquery, which all that follows selects from."""
        select = self._select(
            [self.speech.typed(v).label(f"c{i}") for i, v in enumerate(columns.values())]
        )
        self._wrapped += 1
        below = select.group_by(*group_by).subquery(f"s{self._wrapped}")
        self._from, self.conditions = below, []
        self.scope = Scope(
            {
                name: replace(value, clause=below.c[f"c{i}"], size=1, words=name, constant=None)
                for i, (name, value) in enumerate(columns.items())
            },
            self.dataset.name,
        )

    def _select(self, columns: Sequence[Any]) -> sa.Select[Any]:
        return sa.select(*columns).select_from(self._from).where(*self.conditions)

    # ------------------------------------------------------------------ pivot

    def pivot(self, pivot: Pivot) -> sa.Select[Any]:
        """The rows that a pivot spreads, in order."""
        names = self.scope.names
        if ARRIVAL in names:
            names.remove(ARRIVAL)
        index = index_of(pivot, names)
        keys = {name: self.speech.key(self.scope.column(name, "pivot.index")) for name in index}
        on = self.speech.key(self.scope.column(pivot.on, "pivot.on"))
        values = self.scope.column(pivot.values, "pivot.values")
        if pivot.on in keys or pivot.values in keys or pivot.on == pivot.values:
            raise InvalidSpec(
                "A column can be only one of the index, on and values of a pivot.", field="pivot"
            )
        if on.kind is Kind.NESTED:
            raise InvalidSpec(f"{on.described}, which cannot become columns.", field="pivot.on")
        met = met_name(names)

        def cells(seen: Sequence[tuple[Value | None, Value | None]]) -> dict[str, Value]:
            value, order_by = seen[0]
            assert value is not None
            if pivot.function is None:
                return {pivot.values: self.speech.any_of(value), met: self.speech.count(None)}
            field = "pivot.values"
            return {
                pivot.values: aggregate(
                    pivot.function, value, self.speech, field, pivot.p, order_by
                )
            }

        grouped = {name: replace(key, words=name) for name, key in {**keys, pivot.on: on}.items()}
        self._grouped(grouped, [(values, self.scope.columns.get(ARRIVAL))], cells)
        columns = self.scope.columns
        order = [o for name in grouped for o in self._in_order(columns[name])]
        return self._select(self.labelled(columns)).order_by(*order)

    # ------------------------------------------------------------------ what comes out

    def labelled(self, columns: Mapping[str, Value]) -> list[Any]:
        return [
            self.speech.typed(value).label(quoted_name(name if speakable(name) else f"c{i}", True))
            for i, (name, value) in enumerate(columns.items())
        ]

    def _in_order(self, value: Value, descending: bool = False, nulls: str = "last") -> list[Any]:
        return self.speech.in_order(value, descending, nulls)

    def result(self) -> sa.Select[Any]:
        """``columns``, ``distinct``, ``sort`` and ``limit``."""
        dataset, columns = self.dataset, self.dataset.columns
        names = [name for name in self.scope.names if name != ARRIVAL]
        picked = exported(columns, names, dataset.name)
        whole = self._with_computed(self.scope, columns.computed, "columns.computed")
        known = whole.names
        shown = {name: whole.columns[name] for name in picked}
        if dataset.distinct:
            self._distinct(shown)
            whole, shown = self.scope, self.scope.columns
        order = self._order(whole, shown, known)
        named = {columns.rename.get(name, name): value for name, value in shown.items()}
        select = self._select(self.labelled(named))
        if order:
            select = select.order_by(*order)
        return select if dataset.limit is None else limited(select, dataset.limit)

    def _distinct(self, shown: Mapping[str, Value]) -> None:
        keyed = {name: self.speech.key(value) for name, value in shown.items()}
        if not self.speech.grouping:
            self.speech.refuse("distinct rows")
        select = self._select([v.clause.label(f"c{i}") for i, v in enumerate(keyed.values())])
        self._wrapped += 1
        below = select.distinct().subquery(f"s{self._wrapped}")
        self._from, self.conditions = below, []
        self.scope = Scope(
            {
                name: replace(value, clause=below.c[f"c{i}"], words=name)
                for i, (name, value) in enumerate(keyed.items())
            },
            self.dataset.name,
        )

    def _order(self, whole: Scope, shown: Mapping[str, Value], known: Sequence[str]) -> list[Any]:
        order: list[Any] = []
        sorted_by = set()
        for i, each in enumerate(self.dataset.sort):
            field = f"sort[{i}].column"
            if self.dataset.distinct and each.column not in shown and each.column in known:
                raise InvalidSpec(
                    f"The distinct rows of {self.dataset.name} are sorted by “{each.column}”, "
                    "which is not exported.",
                    hint="Include it, or sort by another column.",
                    field=field,
                )
            value = whole.column(each.column, field)
            if value.kind is Kind.NESTED:
                raise InvalidSpec(f"{value.described}, which have no order.", field=field)
            if each.column not in sorted_by:
                order += self._in_order(value, each.descending, each.nulls)
            sorted_by.add(each.column)
        # groups come in the order of their keys, which also settles what a sort leaves open
        for key in self._keys:
            if key not in sorted_by and key in whole.columns:
                order += self._in_order(whole.columns[key])
        return order

    # ------------------------------------------------------------------ the order of arrival

    @property
    def needs_arrival(self) -> bool:
        """True: a first or last value is one in the order in which rows come."""
        open_ended = any(
            each.function in ("first", "last") and each.order_by is None
            for each in self.dataset.aggregates
        )
        pivot = self.dataset.pivot
        grouped = self.dataset.group_by or self.dataset.aggregates
        return open_ended or bool(pivot and pivot.function in ("first", "last") and not grouped)

    def _number_rows(self) -> None:
        number = Value(sa.func.row_number().over(), pa.int64())
        self._wrap({**self.scope.columns, ARRIVAL: number})


def limited(select: sa.Select[Any], rows: int) -> sa.Select[Any]:
    """Return ``select`` with a limit, bound as wide as limits may be."""
    return select.limit(sa.bindparam(None, rows, type_=sa.BigInteger(), unique=True))


def speakable(name: str) -> bool:
    """Tell whether SQL can hold a name as it is."""
    return name != "" and "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)
