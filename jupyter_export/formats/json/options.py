"""What JSON and JSON Lines can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from ...registry import FormatOptions
from .. import strftime

_UNIX = ("unix", "unix_ms")


class JsonLinesOptions(FormatOptions):
    """How values are written; what JSON and JSON Lines have in common."""

    nulls: Literal["include", "exclude", "empty"] = Field(
        "include",
        description="exclude leaves a null's key out of its row, empty writes an empty text. "
        "Nulls inside of nested values stay null.",
    )
    date_format: str = Field(
        "iso",
        min_length=1,
        max_length=100,
        description="Dates and timestamps: iso, unix (seconds), unix_ms, or an strftime text "
        "such as %d.%m.%Y.",
    )
    arrays: Literal["expand", "stringify"] = Field(
        "expand",
        description="stringify: lists, structs and maps are JSON texts inside a string.",
    )
    large_integers: Literal["number", "string"] = Field(
        "number", description="string: 64-bit integers are texts, which JavaScript keeps exactly."
    )
    decimals: Literal["number", "string"] = Field(
        "number", description="string: decimals are texts, which keep every digit."
    )
    nan: Literal["null", "string", "error"] = Field(
        "null", description="What NaN and Infinity become, for which JSON has no number."
    )
    metadata: bool = Field(
        False,
        description="Say schema, query, relationships, rows, time and version in the file itself.",
    )

    @field_validator("date_format")
    @classmethod
    def _a_known_format(cls, value: str) -> str:
        if "%" in value:
            return strftime.check(value, "timestamp")
        if value != "iso" and value not in _UNIX:
            raise ValueError(
                f"“{value}” is neither iso, unix, unix_ms nor an strftime text such as %d.%m.%Y"
            )
        return value

    @property
    def moments(self) -> Literal["text", "unix", "unix_ms"]:
        """Dates and timestamps as texts, or as seconds or milliseconds since 1970."""
        if self.date_format == "unix":
            return "unix"
        return "unix_ms" if self.date_format == "unix_ms" else "text"

    @property
    def strftime(self) -> str | None:
        """The pattern of dates and timestamps, where they do not have their own."""
        return self.date_format if "%" in self.date_format else None


class JsonOptions(JsonLinesOptions):
    """How values are written, and how the document is built of them."""

    structure: Literal["records", "columns", "split", "nested", "normalized"] = Field(
        "records",
        description="records: an array of objects. columns: an array for each column. "
        "split: the names once, and an array for each row. nested: rows inside the row that they "
        "belong to by a relation. normalized: each dataset once, and the list of relations.",
    )
    pretty: bool = Field(False, description="Indent by two spaces.")

    @model_validator(mode="after")
    def _a_place_for_nulls(self) -> JsonOptions:
        if self.nulls == "exclude" and self.structure in ("split", "columns"):
            raise ValueError(
                f"nulls=exclude has no place in structure={self.structure}, where its place "
                "tells a value's column; use include or empty"
            )
        return self
