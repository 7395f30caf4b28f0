"""What a database does of a dataset's steps, as one statement, and what is left to do here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from ..registry import Relation
from ..spec import And, Columns, Comparison, Dataset, Not, Or, Pivot
from .columns import exported, index_of, names_of
from .constructs import NotPushed
from .constructs_engine import Engine
from .dialects import constructs_of
from .expressions import columns_of
from .scope import Scope
from .statement import Steps, limited, speakable

_COUNTS = ("count", "count_distinct")


@dataclass(frozen=True)
class Pushed:
    """A dataset, taken apart between its database and the engine."""

    statement: sa.Select[Any]
    """Runs in the database; its values are bound."""
    rest: Dataset
    """The dataset with only those steps that are left, over the columns of ``statement``."""

    @property
    def rest_needs_all_rows(self) -> bool:
        """False: the first rows of ``statement`` are enough for the first rows of the dataset."""
        rest = self.rest
        return bool(
            rest.where is not None
            or rest.time_range is not None
            or rest.group_by
            or rest.aggregates
            or rest.pivot
            or rest.sort
            or rest.distinct
            or rest.sample is not None
        )


def push(dataset: Dataset, relation: Relation, dialect: str) -> Pushed:
    """Compile as many of the steps of ``dataset``, from the first on, as ``dialect`` does exactly
    as the engine would; read only the columns that the others need.

    Conditions that all must hold are pushed one by one. ``rest`` has the steps that are left: a
    step after one that was not pushed is never pushed. A name that the database cannot give to a
    column is given by ``rest``. Raises ``InvalidSpec`` as ``compile_selection``.
    """
    if relation.opaque:
        return Pushed(sa.select(relation.clause), dataset)
    return _Pushing(dataset, relation, dialect).pushed()


def at_most(statement: sa.Select[Any], rows: int) -> sa.Select[Any]:
    """Return ``statement`` with a limit of ``rows``, or its own where that is smaller.

    The statement stays one level: around a subquery, its order would be nobody's promise.
    """
    own = statement._limit_clause
    if own is None:
        return limited(statement, rows)
    value = getattr(own, "effective_value", None)
    if isinstance(value, int) and statement._fetch_clause is None:
        return limited(statement, min(rows, value))
    return limited(sa.select(statement.subquery("limited")), rows)


class _Pushing:
    def __init__(self, dataset: Dataset, relation: Relation, dialect: str) -> None:
        self.dataset = dataset
        self.relation = relation
        self.speech = constructs_of(dialect)
        self.steps = Steps(
            # the order of arrival is known to whoever reads, not to a database
            dataset, relation.clause, relation.schema, self.speech, numbers_rows=False
        )  # fmt: skip
        self.left: dict[str, Any] = {}
        """Steps that the engine does."""

    def pushed(self) -> Pushed:
        dataset = self.dataset
        self._conditions()
        self._rows_only = self.steps.state()
        whole = not self.left and dataset.sample is None
        if whole:
            whole = self._try(self._computed, "computed") and self._try(
                self._grouped, "group_by", "aggregates"
            )
        elif dataset.sample is not None:
            self.left["sample"] = dataset.sample
        if whole and dataset.pivot is not None:
            found = self._spread_later(dataset.pivot)
            if found is not None:
                return found
        elif whole:
            try:
                return self._all()
            except NotPushed:
                pass
        for name in _STEPS[_STEPS.index("computed") :]:
            if name not in self.done and getattr(dataset, name) != _UNSET[name]:
                self.left[name] = getattr(dataset, name)
        self._checked()
        return self._rest()

    # ------------------------------------------------------------------ step by step

    @property
    def done(self) -> set[str]:
        return self._done

    def _conditions(self) -> None:
        self._done: set[str] = set()
        left = []
        for part in self.steps.parts_of_where():
            try:
                self.steps.conditions.append(self.steps.compiled_part(part))
            except NotPushed:
                left.append(part)
        if left:
            self.left["where"] = left[0] if len(left) == 1 else And.model_construct(and_=left)
        if self.dataset.time_range is not None:
            try:
                self.steps.conditions.append(self.steps.stretch(self.dataset.time_range))
            except NotPushed:
                self.left["time_range"] = self.dataset.time_range

    def _try(self, step: Any, *names: str) -> bool:
        before = self.steps.state()
        try:
            step()
        except NotPushed:
            self.steps.restore(before)
            return False
        self._done.update(names)
        return True

    def _computed(self) -> None:
        self.steps.computed()

    def _grouped(self) -> None:
        if self.steps.needs_arrival and self.dataset.aggregates:
            raise NotPushed("the order of arrival")
        self.steps.group()

    def _spread_later(self, pivot: Pivot) -> Pushed | None:
        """Let the database bring together what meets in one cell; the engine spreads it."""
        if pivot.function is None or pivot.function in (*_COUNTS, "first", "last"):
            return None
        if not all(map(self._sayable, self.steps.scope.names)):
            return None
        names = self.steps.scope.names
        before = self.steps.state()
        try:
            statement = self.steps.pivot(pivot)
        except NotPushed:
            self.steps.restore(before)
            return None
        spread = Pivot(index=index_of(pivot, names), on=pivot.on, values=pivot.values)
        left = {name: getattr(self.dataset, name) for name in _AFTER_PIVOT}
        return Pushed(statement, _only(self.dataset, {"pivot": spread, **left}))

    def _all(self) -> Pushed:
        names = names_of(self.dataset, self.relation.schema)
        statement = self.steps.result()
        if self._can_be_said(names):
            return Pushed(statement, _only(self.dataset, {}))
        short = [f"c{i}" for i in range(len(names))]
        columns = [
            column.label(quoted_name(label, True))
            for column, label in zip(_bare(statement), short, strict=True)
        ]
        renamed = Columns(rename=dict(zip(short, names, strict=True)))
        return Pushed(
            statement.with_only_columns(*columns, maintain_column_froms=True),
            _only(self.dataset, {"columns": renamed}),
        )

    def _can_be_said(self, names: list[str]) -> bool:
        """Tell whether the database can call its columns so, and tell them apart."""
        return len({name.casefold() for name in names}) == len(names) and all(
            map(self._sayable, names)
        )

    def _sayable(self, name: str) -> bool:
        return speakable(name) and len(name.encode()) <= self.speech.longest_name

    # ------------------------------------------------------------------ what is left

    def _checked(self) -> None:
        """Raise now what the engine would refuse of the steps that are left to it."""
        relation = self.relation
        steps = Steps(self.dataset, relation.clause, relation.schema, Engine("duckdb"))
        try:
            steps.where()
            steps.computed()
            steps.group()
            if self.dataset.pivot is not None:
                steps.pivot(self.dataset.pivot)
            else:
                steps.result()
        except NotPushed:
            # a value that only its database knows; the engine will say so
            return

    def _rest(self) -> Pushed:
        """Select what the steps that are left need of the columns that there are."""
        if not all(map(self._sayable, self.steps.scope.names)):
            # a name that is new, and that the database cannot give
            self.steps.restore(self._rows_only)
            for name in _STEPS[_STEPS.index("computed") :]:
                if getattr(self.dataset, name) != _UNSET[name]:
                    self.left[name] = getattr(self.dataset, name)
            self._done.clear()
        scope = self.steps.scope
        needed = self._needed(scope)
        columns = {name: value for name, value in scope.columns.items() if name in needed}
        if not columns:
            # only the number of rows matters
            narrow = min(scope.columns, key=lambda name: _width(scope.columns[name].type))
            columns = {narrow: scope.columns[narrow]}
        if "columns" in self.left and not ({"group_by", "aggregates", "pivot"} & set(self.left)):
            self.left["columns"] = _narrowed(self.left["columns"], set(columns))
        statement = self.steps.selected(columns)
        if "group_by" in self._done and (self.dataset.group_by or self.dataset.aggregates):
            statement = statement.order_by(*self.steps.order_of_keys())
        return Pushed(statement, _only(self.dataset, self.left))

    def _needed(self, scope: Scope) -> set[str]:
        """Return the columns that the steps left read, of those that the statement can give."""
        left, names = self.left, scope.names
        used: set[str] = set()
        used.update(_of_where(left.get("where"), scope))
        if "time_range" in left:
            used.add(left["time_range"].column)
        computed = left.get("computed", [])
        known = self._with(scope, [each.name for each in computed])
        for i, each in enumerate(computed):
            used |= self._read(each.expression, known, f"computed[{i}].expression")
        grouped = [*left.get("group_by", []), *left.get("aggregates", [])]
        pivot = left.get("pivot")
        columns = left.get("columns", Columns())
        if grouped:
            for i, each in enumerate(grouped):
                used.update(n for n in (each.column, getattr(each, "order_by", None)) if n)
                if each.expression is not None:
                    used |= self._read(each.expression, known, f"group_by[{i}].expression")
        elif pivot is not None:
            if pivot.index is None:
                return set(names)
            used.update([*pivot.index, pivot.on, pivot.values])
        else:
            made = [each.name for each in computed]
            used.update(exported(columns, [*names, *made], self.dataset.name))
            used.update(each.column for each in left.get("sort", []))
            whole = self._with(known, [each.name for each in columns.computed])
            for i, each in enumerate(columns.computed):
                used |= self._read(each.expression, whole, f"columns.computed[{i}].expression")
        return used & set(names)

    def _with(self, scope: Scope, names: Iterable[str]) -> Scope:
        """Return a scope in which expressions may name columns that are yet to be made."""
        return replace(scope, to_come=frozenset({*scope.to_come, *names}))

    def _read(self, text: str, scope: Scope, field: str) -> set[str]:
        return columns_of(text, scope, field)


def _of_where(where: Any, scope: Scope) -> set[str]:
    if where is None:
        return set()
    if isinstance(where, str):
        return columns_of(where, scope, "where")
    if isinstance(where, Comparison):
        return {where.column}
    inner = (
        where.and_ if isinstance(where, And) else where.or_ if isinstance(where, Or)
        else [where.not_] if isinstance(where, Not) else []
    )  # fmt: skip
    return set().union(*(_of_where(each, scope) for each in inner))


def _narrowed(columns: Columns, there: set[str]) -> Columns:
    """Return ``columns`` without the names of columns that are not read."""
    made = {each.name for each in columns.computed}
    return columns.model_copy(
        update={
            "exclude": [name for name in columns.exclude if name in there | made],
            "rename": {o: n for o, n in columns.rename.items() if o in there | made},
        }
    )


def _bare(statement: sa.Select[Any]) -> list[Any]:
    return [
        column.element if isinstance(column, sa.Label) else column
        for column in statement.selected_columns
    ]


def _width(type_: pa.DataType) -> int:
    try:
        return int(type_.bit_width)
    except ValueError:
        return 1_000_000


_STEPS = (
    "where", "time_range", "sample", "computed", "group_by", "aggregates", "pivot", "columns",
    "distinct", "sort", "limit",
)  # fmt: skip
_AFTER_PIVOT = _STEPS[_STEPS.index("columns") :]
_UNSET: dict[str, Any] = {
    name: field.get_default(call_default_factory=True)
    for name, field in Dataset.model_fields.items()
    if name in _STEPS
}


def _only(dataset: Dataset, left: dict[str, Any]) -> Dataset:
    """Return ``dataset`` with no other steps than those that are left."""
    return dataset.model_copy(update={**_UNSET, **left})
