"""Which columns, in which order, under which names."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidSpec, did_you_mean
from ..spec import Columns


def refuse_duplicates(names: Sequence[str], dataset: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidSpec(
                f"Two columns of {dataset} are named “{name}”.",
                hint="Give each column a name of its own.",
                field="columns",
            )
        seen.add(name)


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
