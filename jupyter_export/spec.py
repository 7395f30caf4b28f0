"""The document: what to export, how, and where to. Every surface holds this and nothing else.

The models validate at construction. ``parse`` turns whatever a caller sent into an ``ExportSpec``
or one ``InvalidSpec`` that names the field, the value and the nearest right name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from .errors import InvalidSpec, did_you_mean, nearest

MAX_DEPTH = 50
"""Deepest nesting of ``where`` that is accepted."""

PLANNED = {
    "time_range",
    "group_by",
    "aggregates",
    "pivot",
    "sort",
    "relations",
    "deliver",
}
"""Fields of the document that this version knows and cannot run yet: refused, never ignored."""

DURATION = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Scalar: TypeAlias = str | int | float | bool | None


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as ``90s``, ``15m``, ``24h`` or ``7d``.

    Raises ``InvalidSpec`` for anything else.
    """
    found = DURATION.match(duration.strip())
    if not found:
        raise InvalidSpec(
            f"“{duration}” is not a duration.",
            hint="Write a number and one of s, m, h, d: 90s, 15m, 24h, 7d.",
        )
    return int(found[1]) * _SECONDS[found[2]]


class Model(BaseModel):
    """Frozen, and strict about names: a field nobody knows is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# ------------------------------------------------------------------ sources


class TableSource(Model):
    """A table or view of a named connection."""

    type: Literal["table"]
    connection: Name
    schema_: Name | None = Field(default=None, alias="schema")
    table: Name


class SqlSource(Model):
    """The rows of one SQL query on a named connection; ``params`` are bound, never pasted."""

    type: Literal["sql"]
    connection: Name
    query: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    params: dict[str, JsonValue] = Field(default_factory=dict)


class FileSource(Model):
    """A CSV, JSON, JSONL, Parquet, Arrow or XLSX file under the server's root."""

    type: Literal["file"]
    path: Name


class UploadSource(Model):
    """An Arrow IPC stream that was sent before; how a frame of a notebook reaches a job."""

    type: Literal["upload"]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def _source_type(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


Source: TypeAlias = Annotated[
    Annotated[TableSource, Tag("table")]
    | Annotated[SqlSource, Tag("sql")]
    | Annotated[FileSource, Tag("file")]
    | Annotated[UploadSource, Tag("upload")],
    Discriminator(_source_type),
]
SOURCE_TYPES = ("table", "sql", "file", "upload")

# ------------------------------------------------------------------ where

Operator: TypeAlias = Literal[
    "=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between", "like", "ilike",
    "contains", "starts_with", "ends_with", "regex", "is_null", "not_null",
]  # fmt: skip


class Comparison(Model):
    """``{"column", "op", "value"}``; the value's shape depends on the operator."""

    column: Name
    op: Operator
    value: Scalar | list[Scalar] = None

    @model_validator(mode="after")
    def _value_fits(self) -> Comparison:
        if self.op in ("is_null", "not_null"):
            if self.value is not None:
                raise ValueError(f"“{self.op}” takes no value")
        elif self.op in ("in", "not_in"):
            if not isinstance(self.value, list) or not self.value:
                raise ValueError(f"“{self.op}” needs a list of at least one value")
        elif self.op == "between":
            if not isinstance(self.value, list) or len(self.value) != 2:
                raise ValueError("“between” needs a list of two values")
        elif isinstance(self.value, list):
            raise ValueError(f"“{self.op}” needs one value, not a list")
        elif self.op in ("like", "ilike", "contains", "starts_with", "ends_with", "regex"):
            if not isinstance(self.value, str):
                raise ValueError(f"“{self.op}” needs a text value")
        elif self.value is None and self.op not in ("=", "!="):
            raise ValueError(f"“{self.op}” needs a value")
        return self


class And(Model):
    and_: Annotated[list[Where], Field(alias="and", min_length=1)]


class Or(Model):
    or_: Annotated[list[Where], Field(alias="or", min_length=1)]


class Not(Model):
    not_: Annotated[Where, Field(alias="not")]


def _where_kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return next((key for key in ("and", "or", "not") if key in value), "comparison")
    kinds: dict[Any, str] = {And: "and", Or: "or", Not: "not"}
    return kinds.get(type(value), "comparison")


Where: TypeAlias = Annotated[
    Annotated[Comparison, Tag("comparison")]
    | Annotated[And, Tag("and")]
    | Annotated[Or, Tag("or")]
    | Annotated[Not, Tag("not")],
    Discriminator(_where_kind),
]
Expression: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]

# ------------------------------------------------------------------ the rest


class Columns(Model):
    """Which columns, in which order, under which names. All name columns before ``rename``."""

    include: list[Name] = Field(default_factory=list, description="Empty means all.")
    exclude: list[Name] = Field(default_factory=list)
    rename: dict[Name, Name] = Field(default_factory=dict)
    order: list[Name] = Field(
        default_factory=list, description="These come first, the others keep their order."
    )


class Dataset(Model):
    """One table of an export: where its rows come from and which of them are taken."""

    name: Name = "data"
    source: Source
    where: Where | Expression | None = None
    columns: Columns = Field(default_factory=Columns)
    limit: Annotated[int, Field(ge=0, strict=True)] | None = None

    @field_validator("where", mode="before")
    @classmethod
    def _not_too_deep(cls, value: Any) -> Any:
        _check_depth(value)
        return value


class Output(Model):
    """Where the file goes. Without a path the export is a temporary download."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
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

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


_DATASET_FIELDS = tuple(name for name in Dataset.model_fields if name != "name")


class ExportSpec(Model):
    """One export: datasets, a format, a place."""

    name: Name = "export"
    datasets: Annotated[list[Dataset], Field(min_length=1, max_length=100)]
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

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain JSON values, without what is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def parse(document: Any) -> ExportSpec:
    """Return the spec that ``document`` (a mapping, JSON text or an ``ExportSpec``) describes.

    Raises ``InvalidSpec``: one sentence, the field's path, and the nearest known name.
    """
    if isinstance(document, ExportSpec):
        return document
    if isinstance(document, (str, bytes)):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise InvalidSpec(f"The spec is not valid JSON: {error}.") from None
    if not isinstance(document, Mapping):
        raise InvalidSpec("The spec is not a JSON object.")
    for place in (document, *_mappings(document.get("datasets"))):
        for planned in sorted(PLANNED & set(place)):
            if place[planned]:
                raise InvalidSpec(
                    f"“{planned}” cannot be run by this version yet.",
                    hint="Leave it out; nothing was exported.",
                    field=planned,
                )
    document = _widen({key: value for key, value in document.items() if key not in PLANNED})
    if isinstance(document.get("datasets"), list):
        document["datasets"] = [
            {k: v for k, v in each.items() if k not in PLANNED}
            if isinstance(each, Mapping)
            else each
            for each in document["datasets"]
        ]
    try:
        spec = ExportSpec.model_validate(document)
    except ValidationError as error:
        raise _first_sentence(error, document) from None
    except RecursionError:
        raise InvalidSpec("The spec is nested too deeply.") from None
    _refuse_what_json_cannot_hold(spec)
    return spec


def _refuse_what_json_cannot_hold(spec: ExportSpec) -> None:
    """A job shows its spec: one value that cannot be sent would break every list of jobs."""
    try:
        json.dumps(spec.to_json(), ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidSpec(
            "The spec holds half of a character (a lone surrogate).",
            hint="Write its texts in whole characters.",
        ) from None
    except ValueError:
        raise InvalidSpec(
            "The spec holds a number that JSON does not have (NaN or Infinity).",
            hint="Write a finite number.",
        ) from None


def _widen(document: Mapping[str, Any]) -> dict[str, Any]:
    """Move ``source``, ``where``, … at the top level into the one dataset they mean."""
    wide = dict(document)
    if isinstance(wide.get("format"), str):
        wide["format"] = {"type": wide["format"]}
    short = {key: wide.pop(key) for key in _DATASET_FIELDS if key in wide}
    if short and "datasets" in wide:
        raise InvalidSpec(
            f"“{next(iter(short))}” stands beside “datasets”.",
            hint="Put it inside the dataset that it means.",
            field=next(iter(short)),
        )
    if short:
        name = wide.get("name")
        wide["datasets"] = [{**({"name": name} if name else {}), **short}]
    return wide


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"conditions are nested deeper than {MAX_DEPTH}")
    children = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, (Mapping, list)):
        for child in children:
            _check_depth(child, depth + 1)


_KNOWN: dict[str, tuple[str, ...]] = {
    "": (*ExportSpec.model_fields, *_DATASET_FIELDS),
    "datasets": tuple(Dataset.model_fields),
    "columns": tuple(Columns.model_fields),
    "output": tuple(Output.model_fields),
    "retention": tuple(Retention.model_fields),
    "source": ("type", "connection", "schema", "table", "query", "params", "path", "id"),
    "where": ("column", "op", "value", "and", "or", "not"),
}
_TAGS = {*SOURCE_TYPES, "comparison", "and", "or", "not", "constrained-str"}


def _path_in(document: Any, location: tuple[int | str, ...]) -> str:
    """Return ``location`` without the union tags that pydantic mixes into it."""
    path = ""
    here = document
    for index, part in enumerate(location):
        if isinstance(part, int) and isinstance(here, list) and part < len(here):
            path, here = f"{path}[{part}]", here[part]
        elif isinstance(here, Mapping) and part in here:
            path, here = f"{path}.{part}" if path else str(part), here[part]
        elif isinstance(here, Mapping) and index == len(location) - 1 and part not in _TAGS:
            path = f"{path}.{part}" if path else str(part)
    return path


def _first_sentence(error: ValidationError, document: Mapping[str, Any]) -> InvalidSpec:
    """Say the first of pydantic's findings in one sentence of our own."""
    found = error.errors(include_url=False)
    # a misspelt name is the reason why the right one is missing
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    field = _path_in(document, first["loc"]) or None
    kind = first["type"]
    if kind == "extra_forbidden":
        name = str(first["loc"][-1])
        owner = next(
            (p for p in reversed(first["loc"][:-1]) if isinstance(p, str) and p in _KNOWN), ""
        )
        return InvalidSpec(
            f"“{name}” is not a field of {owner or 'the spec'}.",
            hint=did_you_mean(name, _KNOWN[owner]),
            field=field,
        )
    if kind == "union_tag_invalid" or kind == "union_tag_not_found":
        given = _source_type(first["input"])
        if given is None:
            return InvalidSpec(
                "The source has no “type”.", hint=f"One of {', '.join(SOURCE_TYPES)}.", field=field
            )
        return InvalidSpec(
            f"“{given}” is not a type of source.",
            hint=did_you_mean(given, SOURCE_TYPES),
            field=field,
        )
    if kind == "missing":
        if field == "datasets":
            return InvalidSpec(
                "The spec names no data.",
                hint="Give it a “source”, or a list of “datasets”.",
                field="datasets",
            )
        return InvalidSpec(f"“{field}” is missing.", field=field)
    if kind == "literal_error":
        given = str(first["input"])
        expected = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        close = nearest(given, expected)
        return InvalidSpec(
            f"“{given}” is not a value of {field}.",
            hint=f"Did you mean {close}?" if close else f"One of {', '.join(expected)}.",
            field=field,
        )
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return InvalidSpec(f"“{field}” is not a JSON object.", field=field)
    message = first["msg"].removeprefix("Value error, ")
    where = f"{field}: " if field else ""
    return InvalidSpec(f"{where}{message}.", field=field)
