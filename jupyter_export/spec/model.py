"""What every model of the document has in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .limits import MAX_COLUMNS, Printable

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
PlainName: TypeAlias = Annotated[Name, Printable]
"""What an export or a dataset is called: it stands in lists, logs and names of files."""
ColumnName: TypeAlias = Annotated[str, StringConstraints(max_length=10_000)]
"""What a column is called in the data: frames and files have empty and very long names."""
ColumnNames: TypeAlias = Annotated[list[ColumnName], Field(max_length=MAX_COLUMNS)]
Path: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Scalar: TypeAlias = str | int | float | bool | None


class Model(BaseModel):
    """Frozen, and strict about names: a field nobody knows is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
