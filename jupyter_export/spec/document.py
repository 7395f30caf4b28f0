"""The document: what to export, how, and where to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ..errors import InvalidSpec, did_you_mean
from .limits import MAX_COLUMNS, MAX_DATASETS, MAX_OPTIONS_TEXT, MAX_RELATIONS
from .model import ColumnName, ColumnNames, Model, Name, Path, PlainName
from .sources import Source
from .steps import Computed, Steps
from .where import Expression, Where, check_depth

DURATION = re.compile(r"([0-9]{1,12})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_DAYS = 36_500


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as ``90s``, ``15m``, ``24h`` or ``7d``.

    Raises ``InvalidSpec`` for anything else, and for more than a hundred years.
    """
    found = DURATION.fullmatch(duration.strip())
    if not found:
        raise InvalidSpec(
            f"“{duration[:40]}” is not a duration.",
            hint="Write a number and one of s, m, h, d: 90s, 15m, 24h, 7d.",
        )
    length = int(found[1]) * _SECONDS[found[2]]
    if length > _LONGEST_DAYS * _SECONDS["d"]:
        raise InvalidSpec(
            f"“{duration}” is longer than a hundred years.",
            hint=f"At most {_LONGEST_DAYS}d; leave it out to keep the file for good.",
        )
    return length


class Columns(Model):
    """Which columns, in which order, under which names. All name columns before ``rename``."""

    include: ColumnNames = Field(default_factory=list, description="Empty means all.")
    exclude: ColumnNames = Field(default_factory=list)
    rename: dict[ColumnName, Name] = Field(default_factory=dict, max_length=MAX_COLUMNS)
    order: ColumnNames = Field(
        default_factory=list, description="These come first, the others keep their order."
    )
    computed: list[Computed] = Field(
        default_factory=list,
        max_length=1000,
        description="New columns over what group_by and pivot have made. They come last.",
    )

    @model_validator(mode="before")
    @classmethod
    def _computed_where_it_stands(cls, value: Any) -> Any:
        """A list stands for ``include``, which may hold ``{"name", "expression"}`` in the place of
        a column."""
        if isinstance(value, (list, tuple)):
            value = {"include": list(value)}
        if not isinstance(value, Mapping) or not isinstance(value.get("include"), (list, tuple)):
            return value
        made = [each for each in value["include"] if isinstance(each, Mapping)]
        if not made:
            return value
        names = [e.get("name") if isinstance(e, Mapping) else e for e in value["include"]]
        return {**value, "include": names, "computed": [*(value.get("computed") or []), *made]}


class Dataset(Steps):
    """One table of an export: where its rows come from, which are taken, what is made of them."""

    name: PlainName = "data"
    source: Source
    where: Where | Expression | None = None
    columns: Columns = Field(default_factory=Columns)
    limit: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] | None = None

    @field_validator("where", mode="before")
    @classmethod
    def _not_too_deep(cls, value: Any) -> Any:
        check_depth(value)
        return value


class Output(Model):
    """Where the file goes. Without a path the export is a temporary download."""

    path: Path | None = None
    if_exists: Literal["error", "replace", "rename"] = "error"


class Retention(Model):
    """When the file may be removed; unset, a file the user named stays for good."""

    expires_after: str | None = None
    delete_after_download: bool = False

    @field_validator("expires_after")
    @classmethod
    def _a_duration(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                seconds(value)
            except InvalidSpec as error:
                raise ValueError(f"{error.message} {error.hint}".rstrip(".")) from None
        return value


class FormatChoice(BaseModel):
    """``{"type": …, option: value, …}``; the options are checked by the format itself."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: Name

    @model_validator(mode="after")
    def _not_too_long(self) -> FormatChoice:
        if len(json.dumps(self.options, default=str)) > MAX_OPTIONS_TEXT:
            raise ValueError(
                f"the options are longer than {MAX_OPTIONS_TEXT:,} characters; "
                "put long texts into the data"
            )
        return self

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class Relation(Model):
    """Rows of ``from`` (``dataset.column``, the key in the child) belong to the row of ``to``
    (``dataset.column``, in the parent) that has the same value."""

    name: PlainName
    from_: Annotated[ColumnName, Field(alias="from")]
    to: ColumnName
    follow: Annotated[bool, Field(strict=True)] | Literal["from", "to"] = Field(
        default=False,
        description="Which end keeps only rows that belong to selected rows of the other end: to "
        "(or true: only the planes of the selected flights), or from (only the flights of the "
        "selected planes). A parent stays where any of its children needs it, a child where all "
        "of its parents are selected.",
    )


class Link(NamedTuple):
    """A relation with its ends taken apart."""

    name: str
    child: str
    child_column: str
    parent: str
    parent_column: str
    follow: Literal["child", "parent"] | None = None
    """The dataset that is limited to the selected rows of the other one."""


DATASET_FIELDS = tuple(name for name in Dataset.model_fields if name != "name")


class ExportSpec(Model):
    """One export: datasets, a format, a place."""

    name: PlainName = "export"
    datasets: Annotated[list[Dataset], Field(min_length=1, max_length=MAX_DATASETS)]
    relations: Annotated[list[Relation], Field(max_length=MAX_RELATIONS)] = Field(
        default_factory=list
    )
    format: FormatChoice | None = None
    compression: Literal["none", "gzip", "zstd", "brotli"] | None = None
    output: Output = Field(default_factory=Output)
    retention: Retention = Field(default_factory=Retention)
    on_loss: Literal["ignore", "warn", "error"] = "warn"

    @model_validator(mode="after")
    def _names_differ(self) -> ExportSpec:
        seen: set[str] = set()
        for dataset in self.datasets:
            if dataset.name.casefold() in seen:
                raise ValueError(f"two datasets are named “{dataset.name}”")
            seen.add(dataset.name.casefold())
        return self

    @model_validator(mode="after")
    def _relations_join_datasets(self) -> ExportSpec:
        names = [dataset.name for dataset in self.datasets]
        links = [_link(relation, names) for relation in self.relations]
        for link in links:
            if link.child == link.parent:
                raise ValueError(f"the relation “{link.name}” joins “{link.child}” to itself")
        return self

    @property
    def links(self) -> tuple[Link, ...]:
        """The relations with their ends taken apart."""
        names = [dataset.name for dataset in self.datasets]
        return tuple(_link(relation, names) for relation in self.relations)

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain JSON values, without what is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _link(relation: Relation, names: Iterable[str]) -> Link:
    known = sorted(names, key=len, reverse=True)
    ends: list[str] = []
    for end in (relation.from_, relation.to):
        dataset = next((name for name in known if end.startswith(f"{name}.")), None)
        if dataset is None or len(end) == len(dataset) + 1:
            hint = did_you_mean(end.split(".")[0], known)
            raise ValueError(
                f"“{end}” of the relation “{relation.name}” names no dataset and column, as "
                f"“{known[0]}.column” does. {hint or ''}".rstrip(" .")
            )
        ends += [dataset, end[len(dataset) + 1 :]]
    follow: Literal["child", "parent"] | None = None
    if relation.follow:
        follow = "child" if relation.follow == "from" else "parent"
    return Link(relation.name, ends[0], ends[1], ends[2], ends[3], follow)
