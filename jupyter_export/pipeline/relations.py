"""The relations of a spec that are followed: who leads whom, by which columns, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..errors import InvalidSpec, did_you_mean
from ..spec import Dataset, ExportSpec, Link
from ..transform.semijoin import comparison


@dataclass(frozen=True)
class Followed:
    """One relation that is followed: the rows of ``follower`` depend on those of ``leader``."""

    index: int
    """The relation's place in the spec."""
    leader: str
    leader_column: str
    """The key in the leader's source."""
    follower: str
    follower_column: str
    needed: bool
    """True: the follower is the parent, whose rows stay where any such relation needs them.
    False: it is the child, whose rows stay where every such relation finds their parent."""


@dataclass(frozen=True)
class Carried:
    """A dataset that hands on the keys which others follow, beside what it exports."""

    dataset: Dataset
    names: Mapping[str, str]
    """Key in the source -> its name in the result."""
    extra: tuple[str, ...]
    """Names in the result that are not exported."""


def in_order(spec: ExportSpec) -> list[Dataset]:
    """Return the datasets, each after those that it follows; otherwise as they stand.

    Raises ``InvalidSpec`` for a circle.
    """
    leaders: dict[str, set[str]] = {dataset.name: set() for dataset in spec.datasets}
    for link in spec.links:
        if link.follow is not None:
            leader, follower = _ends(link)
            leaders[follower].add(leader)
    ordered: list[Dataset] = []
    done: set[str] = set()
    while len(ordered) < len(spec.datasets):
        left = [dataset for dataset in spec.datasets if dataset.name not in done]
        ready = next((each for each in left if leaders[each.name] <= done), None)
        if ready is None:
            raise _circle(left[0].name, leaders, done)
        ordered.append(ready)
        done.add(ready.name)
    return ordered


def _ends(link: Link) -> tuple[str, str]:
    ends = (link.child, link.parent)
    return ends if link.follow == "parent" else ends[::-1]


def _circle(start: str, leaders: Mapping[str, set[str]], done: set[str]) -> InvalidSpec:
    path = [start]
    while path.count(path[-1]) < 2:
        path.append(min(leaders[path[-1]] - done))
    names = [f"“{name}”" for name in path[path.index(path[-1]) :]]
    return InvalidSpec(
        f"The relations follow one another in a circle: {' follows '.join(names)}.",
        hint="Leave follow out of one of them.",
        field="relations",
    )


def followed(spec: ExportSpec, schemas: Mapping[str, pa.Schema]) -> list[Followed]:
    """Return the relations that are followed, checked against the schemas of the sources.

    Raises ``InvalidSpec`` for a column that is not there, and for types whose values are never
    the same key.
    """
    datasets = {dataset.name: dataset for dataset in spec.datasets}
    found = []
    for index, link in enumerate(spec.links):
        if link.follow is None:
            continue
        child = _source_column(link.child_column, datasets[link.child], schemas, link, index)
        parent = _source_column(link.parent_column, datasets[link.parent], schemas, link, index)
        _check_types(
            link, index, schemas[link.child].field(child), schemas[link.parent].field(parent)
        )
        needed = link.follow == "parent"
        leader, follower = _ends(link)
        columns = (child, parent) if needed else (parent, child)
        found.append(Followed(index, leader, columns[0], follower, columns[1], needed))
    return found


def _source_column(
    column: str, dataset: Dataset, schemas: Mapping[str, pa.Schema], link: Link, index: int
) -> str:
    """Return the name in the source; a relation may say the one that the column is exported by."""
    names = schemas[dataset.name].names
    if column in names:
        return column
    for name, new in dataset.columns.rename.items():
        if new == column and name in names:
            return name
    raise unknown(link, index, dataset.name, column, names)


def unknown(link: Link, index: int, dataset: str, column: str, names: Iterable[str]) -> InvalidSpec:
    """Return the error for a relation that names a column which its dataset does not have."""
    end = "from" if (dataset, column) == (link.child, link.child_column) else "to"
    return InvalidSpec(
        f"The relation “{link.name}” names “{dataset}.{column}”, and “{dataset}” has no such "
        "column.",
        hint=did_you_mean(column, names),
        field=f"relations[{index}].{end}",
    )


def _check_types(link: Link, index: int, child: pa.Field, parent: pa.Field) -> None:
    if comparison(child.type, parent.type) is None:
        raise InvalidSpec(
            f"The relation “{link.name}” cannot be followed: “{link.child}.{link.child_column}” is "
            f"{child.type}, “{link.parent}.{link.parent_column}” is {parent.type}, and their "
            "values cannot be compared exactly.",
            hint="Convert one of them first, so that equal keys are equal values.",
            field=f"relations[{index}]",
        )


def check_columns(spec: ExportSpec, known: Mapping[str, Iterable[str]]) -> None:
    """Raise ``InvalidSpec`` for a relation, followed or not, that names a column which is not
    among the ``known`` ones of its dataset."""
    for index, link in enumerate(spec.links):
        for dataset, column in (
            (link.child, link.child_column),
            (link.parent, link.parent_column),
        ):
            if column not in known[dataset]:
                raise unknown(link, index, dataset, column, known[dataset])


def as_exported(spec: ExportSpec) -> tuple[Link, ...]:
    """Return the relations in the names of the file: a followed one may name a source's column."""
    renamed = {dataset.name: dataset.columns.rename for dataset in spec.datasets}
    return tuple(
        link
        if link.follow is None
        else link._replace(
            child_column=renamed[link.child].get(link.child_column, link.child_column),
            parent_column=renamed[link.parent].get(link.parent_column, link.parent_column),
        )
        for link in spec.links
    )


def carrying(dataset: Dataset, keys: Sequence[str], names: Sequence[str]) -> Carried:
    """Return ``dataset`` with the ``keys`` of its source (of the columns ``names``) in its result.

    Raises ``InvalidSpec`` where a row of the result has no such key: it stands for several rows.
    """
    columns = dataset.columns
    changed = columns
    found: dict[str, str] = {}
    extra: list[str] = []
    taken = {name.casefold() for name in (*names, *columns.rename.values())}
    for key in dict.fromkeys(keys):
        name = _after_groups(dataset, key)
        kept = (not columns.include or name in columns.include) and name not in columns.exclude
        if kept:
            found[key] = columns.rename.get(name, name)
            continue
        if dataset.distinct:
            raise _no_key(dataset, key, "keeps distinct rows", "Export it too")
        found[key] = next(n for i in range(10_000) if (n := f"jx_key_{i}") not in taken)
        taken.add(found[key])
        changed = changed.model_copy(
            update={
                "include": [*changed.include, *([name] if name not in changed.include else [])]
                if changed.include
                else [],
                "exclude": [each for each in changed.exclude if each != name],
                "rename": {**changed.rename, name: found[key]},
            }
        )
        extra.append(found[key])
    return Carried(dataset.model_copy(update={"columns": changed}), found, tuple(extra))


def _after_groups(dataset: Dataset, key: str) -> str:
    """Return the name that a key of the source has once groups are made."""
    name = key
    if dataset.group_by or dataset.aggregates:
        groups = [each for each in dataset.group_by if each.column == key and not each.time_bucket]
        if not groups:
            raise _no_key(dataset, key, "makes groups", "Group by it too")
        name = groups[0].name
    pivot = dataset.pivot
    if pivot is not None:
        index = pivot.index
        if name in (pivot.on, pivot.values) or (index is not None and name not in index):
            raise _no_key(dataset, key, "is a pivot", "Put it into the index")
    return name


def _no_key(dataset: Dataset, key: str, what: str, cure: str) -> InvalidSpec:
    return InvalidSpec(
        f"“{dataset.name}” {what} without “{key}”, by which other rows should follow it.",
        hint=f"{cure}, or leave follow out.",
        field="relations",
    )
