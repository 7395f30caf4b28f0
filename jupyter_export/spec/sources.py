"""Where rows come from: the ``source`` of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, JsonValue, StringConstraints, Tag

from .limits import MAX_PARAMS
from .model import Model, Name, Path, PlainName


class TableSource(Model):
    """A table or view of a named connection."""

    type: Literal["table"]
    connection: PlainName
    schema_: Name | None = Field(default=None, alias="schema")
    table: Name


class SqlSource(Model):
    """The rows of one SQL query on a named connection; ``params`` are bound, never pasted."""

    type: Literal["sql"]
    connection: PlainName
    query: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    params: dict[str, JsonValue] = Field(default_factory=dict, max_length=MAX_PARAMS)


class FileSource(Model):
    """A CSV, JSON, JSONL, Parquet, Arrow or XLSX file, or a folder of files of one such kind.

    Under the server's root, or below the place (an fsspec URL) that a named connection stands for.
    """

    type: Literal["file"]
    path: Path
    connection: PlainName | None = None


class UploadSource(Model):
    """An Arrow IPC stream that was sent before; how a frame of a notebook reaches a job."""

    type: Literal["upload"]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def source_type(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


Source: TypeAlias = Annotated[
    Annotated[TableSource, Tag("table")]
    | Annotated[SqlSource, Tag("sql")]
    | Annotated[FileSource, Tag("file")]
    | Annotated[UploadSource, Tag("upload")],
    Discriminator(source_type),
]
SOURCE_FIELDS: dict[str, tuple[str, ...]] = {
    name: tuple(field.alias or key for key, field in model.model_fields.items())
    for name, model in (
        ("table", TableSource),
        ("sql", SqlSource),
        ("file", FileSource),
        ("upload", UploadSource),
    )
}
"""Type of source -> the fields that it has."""
SOURCE_TYPES = tuple(SOURCE_FIELDS)
