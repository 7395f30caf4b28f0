"""What every model of the document has in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, StringConstraints

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Scalar: TypeAlias = str | int | float | bool | None


class Model(BaseModel):
    """Frozen, and strict about names: a field nobody knows is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
