"""Data validation: what may be typed into the cells of a column."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator

from ...errors import InvalidSpec
from .conditional import Comparison, moment, serial
from .feature import ColumnNames, Feature
from .formulas import Formula, row_formula

Kind: TypeAlias = Literal["list", "whole", "decimal", "date", "time", "text_length", "custom"]
Limit: TypeAlias = float | str
"""A number, an ISO date or time (for dates and times), or a formula that begins with ``=``."""
LIST_LENGTH = 255
"""Characters of a list of values with its commas, and of a formula (Excel's specifications)."""


class Validation(Feature):
    """What cells of columns accept; the values that the export writes are not checked."""

    columns: ColumnNames = Field(min_length=1, description="Names of columns.")
    type: Kind = Field(description="A list of values, a kind of number, or a formula (custom).")
    values: tuple[str | float, ...] = Field(
        (), description="Of a list; together at most 255 characters."
    )
    formula: Formula | None = Field(
        None, description="For custom: ={dep_delay}>0. For a list: the cells that hold it."
    )
    op: Comparison = Field("between", description="How a value is compared.")
    value: Limit | None = Field(None, description="A number, ISO date, time or =formula.")
    minimum: Limit | None = Field(None, description="For between and not_between.")
    maximum: Limit | None = Field(None, description="For between and not_between.")
    blank: bool = Field(True, description="An empty cell is accepted.")
    dropdown: bool = Field(True, description="A list can be opened in the cell.")
    title: str | None = Field(None, max_length=32, description="Above the message.")
    message: str | None = Field(None, max_length=255, description="Shown when a cell is chosen.")
    error_title: str | None = Field(None, max_length=32, description="Above the error.")
    error: str | None = Field(None, max_length=255, description="Shown for a wrong value.")
    on_error: Literal["stop", "warning", "information"] = Field(
        "stop", description="A wrong value is refused, questioned, or only remarked on."
    )

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> Validation:
        limits = (self.value, self.minimum, self.maximum)
        if self.type in ("list", "custom"):
            if limits != (None, None, None) or "op" in self.model_fields_set:
                raise ValueError(f"{self.type} has no “op”, “value”, “minimum” or “maximum”")
        elif self.formula is not None:
            raise ValueError("“formula” belongs to custom and list")
        elif self.op in ("between", "not_between"):
            if self.minimum is None or self.maximum is None or self.value is not None:
                raise ValueError(f"{self.op} needs “minimum” and “maximum”, and no “value”")
        elif self.value is None or self.minimum is not None or self.maximum is not None:
            raise ValueError(f"“{self.op}” needs “value”, and no “minimum” or “maximum”")
        if self.type == "custom" and self.formula is None:
            raise ValueError("custom needs “formula”")
        if self.type == "list":
            _check_list(self)
        elif self.values:
            raise ValueError("“values” belongs to a list")
        for name in ("value", "minimum", "maximum"):
            if getattr(self, name) is not None:
                _limit(self.type, getattr(self, name))
        return self


def _check_list(rule: Validation) -> None:
    if bool(rule.values) == (rule.formula is not None):
        raise ValueError("a list needs either “values” or the “formula” of the cells that hold it")
    texts = [_text(value) for value in rule.values]
    for text in texts:
        if "," in text:
            raise ValueError(f"“{text[:80]}” has a comma, which ends a value of a list in Excel")
    length = len(",".join(texts).encode("utf-16-le")) // 2
    if length > LIST_LENGTH:
        raise ValueError(
            f"the values have {length} characters together; Excel takes {LIST_LENGTH}; "
            "put them into cells and name those in “formula”"
        )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _limit(kind: Kind, value: float | str) -> float | str:
    """Return what stands in the rule: a number as text, or the formula as it is."""
    if isinstance(value, str) and value.startswith("="):
        return value
    if isinstance(value, str):
        when = moment(value) if kind == "date" else None
        if when is not None:
            return f"{serial(when):.16g}"
        if kind == "time":
            try:
                at = time.fromisoformat(value)
            except ValueError:
                raise ValueError(f"“{value}” is not a time such as 18:30") from None
            seconds = at.hour * 3600 + at.minute * 60 + at.second
            return f"{seconds / 86400:.16g}"
        wanted = "an ISO date such as 2024-12-31" if kind == "date" else "a number"
        raise ValueError(f"“{value}” is not {wanted}")
    if kind in ("whole", "text_length") and value != int(value):
        raise ValueError(f"{value:g} is not a whole number")
    return int(value) if kind in ("whole", "text_length") else value


def validation_options(
    rule: Validation, columns: Mapping[str, int], row: int, field: str
) -> dict[str, Any]:
    """Return what XlsxWriter's ``data_validation`` takes; ``row`` is the first one (from 0)."""
    made: dict[str, Any] = {
        "validate": rule.type.replace("_", " ").replace("text length", "length"),
        "ignore_blank": rule.blank,
        "dropdown": rule.dropdown,
        "error_type": rule.on_error,
    }
    if rule.formula is not None:
        made["value"] = row_formula(rule.formula, columns, row, f"{field}.formula", absolute=True)
    elif rule.type == "list":
        made["value"] = [_text(value) for value in rule.values]
    else:
        made["criteria"] = rule.op.replace("_", " ")
        for name in ("value", "minimum", "maximum"):
            given = getattr(rule, name)
            if given is None:
                continue
            limit = _limit(rule.type, given)
            if isinstance(limit, str) and limit.startswith("="):
                limit = row_formula(limit, columns, row, f"{field}.{name}", absolute=True)
            made[name] = limit
    for name in ("value", "minimum", "maximum"):
        given = made.get(name)
        length = len(given.removeprefix("=")) if isinstance(given, str) else 0
        if length > LIST_LENGTH:
            raise InvalidSpec(
                f"A formula of a validation has {length} characters; Excel takes {LIST_LENGTH}.",
                hint="Compute it in a cell, and name that cell.",
                field=field,
            )
    messages = {
        "input_title": rule.title,
        "input_message": rule.message,
        "error_title": rule.error_title,
        "error_message": rule.error,
    }
    return made | {name: text for name, text in messages.items() if text is not None}
