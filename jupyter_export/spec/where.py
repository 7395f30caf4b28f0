"""Which rows are taken: the ``where`` of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from .limits import MAX_CONDITIONS, MAX_IN_VALUES
from .model import ColumnName, Model, Scalar

MAX_DEPTH = 50
"""Deepest nesting of ``where`` that is accepted."""

Operator: TypeAlias = Literal[
    "=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between", "like", "ilike",
    "contains", "starts_with", "ends_with", "regex", "is_null", "not_null",
]  # fmt: skip


class Comparison(Model):
    """``{"column", "op", "value"}``; the value's shape depends on the operator."""

    column: ColumnName
    op: Operator
    value: Scalar | Annotated[list[Scalar], Field(max_length=MAX_IN_VALUES)] = None

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
    and_: Annotated[list[Where], Field(alias="and", min_length=1, max_length=MAX_CONDITIONS)]


class Or(Model):
    or_: Annotated[list[Where], Field(alias="or", min_length=1, max_length=MAX_CONDITIONS)]


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


def check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"conditions are nested deeper than {MAX_DEPTH}")
    children = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, (Mapping, list)):
        for child in children:
            check_depth(child, depth + 1)
