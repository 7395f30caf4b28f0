"""How values look as text: the options that CSV, PDF, HTML and Markdown have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from ..registry import FormatOptions
from .strftime import check

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Appearance(FormatOptions):
    """Formats of dates, numbers and booleans. Unset: what reads back to the same value."""

    date_format: str | None = Field(
        None, min_length=1, max_length=100, description="strftime of dates: %d.%m.%Y"
    )
    time_format: str | None = Field(
        None, min_length=1, max_length=100, description="strftime of times of day: %H:%M"
    )
    timestamp_format: str | None = Field(
        None, min_length=1, max_length=100, description="strftime of timestamps: %d.%m.%Y %H:%M:%S"
    )
    decimals: int | None = Field(
        None,
        ge=0,
        le=15,
        description="Digits behind the point of floats and decimals; a half is rounded away from "
        "zero, as a spreadsheet does.",
    )
    decimal_separator: str = Field(".", description="Between whole and fraction: . or ,")
    thousands_separator: str = Field(
        "", description="Between groups of three digits: nothing, a comma, point, space or ’."
    )
    booleans: tuple[Text, Text] = Field(
        ("true", "false"), description="The texts of true and false."
    )

    @field_validator("date_format", "time_format", "timestamp_format")
    @classmethod
    def _known_directives(cls, value: str | None, info: Any) -> str | None:
        return value and check(value, info.field_name.removesuffix("_format"))

    @field_validator("decimal_separator")
    @classmethod
    def _a_known_point(cls, value: str) -> str:
        if value not in (".", ","):
            raise ValueError("it must be . or ,")
        return value

    @field_validator("thousands_separator")
    @classmethod
    def _a_known_group(cls, value: str) -> str:
        if value not in ("", ",", ".", " ", "'", "’", "_", "\u00a0", "\u202f"):
            raise ValueError("it must be nothing, a comma, a point, a space, _ or an apostrophe")
        return value

    @field_validator("booleans")
    @classmethod
    def _two_texts(cls, value: tuple[str, str]) -> tuple[str, str]:
        if value[0] == value[1]:
            raise ValueError("the texts of true and false are the same")
        return value

    @model_validator(mode="after")
    def _separators_differ(self) -> Appearance:
        if self.thousands_separator == self.decimal_separator:
            raise ValueError("decimal_separator and thousands_separator are the same")
        return self
