"""What a run tells while it runs and at its end: values that know their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Phase: TypeAlias = Literal["waiting", "reading", "writing", "publishing", "done"]


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``rows`` are rows written; unknown values are None."""

    phase: Phase = "waiting"
    rows: int = 0
    total_rows: int | None = None
    percent: float | None = None
    bytes: int = 0
    rows_per_second: float | None = None
    eta_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Progress:
        return cls(**values)


@dataclass(frozen=True)
class Result:
    """The proof of a finished export: rows counted in the file, and the SHA-256 of its bytes."""

    path: str
    rows: int
    bytes: int
    sha256: str
    files: tuple[dict[str, Any], ...]
    """``{"path", "rows", "bytes", "sha256"}`` for each file."""
    losses: tuple[dict[str, Any], ...] = ()
    reader: str | None = None
    """Lines of Python that read the file back with the same types."""

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "files": list(self.files), "losses": list(self.losses)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Result:
        return cls(**{**values, "files": tuple(values["files"]), "losses": tuple(values["losses"])})
