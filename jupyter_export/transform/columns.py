"""Which columns, in which order, under which names."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ..errors import InvalidSpec, did_you_mean
from ..spec import Aggregate, Bucket, Columns, Dataset, Pivot


def names_of(dataset: Dataset, schema: pa.Schema) -> list[str]:
    """Return the names of the columns that ``statement.select_of`` gives, in order.

    Raises ``InvalidSpec`` for columns that are not there, or are two of one name.
    """
    names = list(schema.names)
    names += [each.name for each in dataset.computed]
    if dataset.group_by or dataset.aggregates:
        names = [each.name for each in grouped_of(dataset)]
    pivot = dataset.pivot
    if pivot is not None:
        index = index_of(pivot, names)
        return [*index, pivot.on, pivot.values, *([] if pivot.function else [met_name(names)])]
    picked = exported(dataset.columns, names, dataset.name)
    return [dataset.columns.rename.get(name, name) for name in picked]


def grouped_of(dataset: Dataset) -> list[Bucket | Aggregate]:
    """Return what the columns of the groups are."""
    return [*dataset.group_by, *dataset.aggregates]


def index_of(pivot: Pivot, names: Sequence[str]) -> list[str]:
    """Return the columns that tell the rows of a pivot apart."""
    if pivot.index is not None:
        return pivot.index
    return [name for name in names if name not in (pivot.on, pivot.values)]


def met_name(names: Sequence[str]) -> str:
    """Return the name of the count that a pivot without a function needs."""
    name = "count"
    while name in names:
        name += "#"
    return name


def exported(columns: Columns, names: Sequence[str], dataset: str) -> list[str]:
    """Return the columns that come out, in order, by their names before ``rename``; ``names`` are
    those without ``columns.computed``."""
    made = [each.name for each in columns.computed]
    for name in made:
        if name in names:
            raise duplicate(name, dataset, "columns.computed")
    if columns.include:
        missing = [name for name in made if name not in columns.include]
        columns = columns.model_copy(update={"include": [*columns.include, *missing]})
    picked = pick(columns, [*names, *made], dataset)
    seen: set[str] = set()
    for name in picked:
        new = columns.rename.get(name, name)
        if new in seen:
            raise duplicate(new, dataset, "columns")
        seen.add(new)
    return picked


def refuse_duplicates(names: Sequence[str], dataset: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise duplicate(name, dataset, "columns")
        seen.add(name)


def duplicate(name: str, dataset: str, field: str) -> InvalidSpec:
    return InvalidSpec(
        f"Two columns of {dataset} are named “{name}”.",
        hint="Give each column a name of its own.",
        field=field,
    )


def known(name: str, names: Sequence[str], dataset: str, field: str) -> str:
    if name not in names:
        raise unknown_column(name, names, dataset, field)
    return name


def unknown_column(name: str, names: Sequence[str], dataset: str, field: str) -> InvalidSpec:
    return InvalidSpec(
        f"Column “{name}” is not in {dataset}.", hint=did_you_mean(name, names), field=field
    )


def pick(columns: Columns, names: Sequence[str], dataset: str) -> list[str]:
    for field in ("include", "exclude", "order", "rename"):
        for name in getattr(columns, field):
            known(name, names, dataset, f"columns.{field}")
    refuse_duplicates(columns.include, dataset)
    refuse_duplicates(columns.order, dataset)
    kept = [n for n in (columns.include or names) if n not in columns.exclude]
    for name in columns.order:
        if name not in kept:
            raise InvalidSpec(
                f"Column “{name}” is ordered but not exported.",
                hint="Include it, or take it out of order.",
                field="columns.order",
            )
    if not kept:
        raise InvalidSpec(f"No column of {dataset} is left to export.", field="columns")
    return [*columns.order, *(name for name in kept if name not in columns.order)]
