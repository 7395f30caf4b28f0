"""What is made of the rows that are taken: the steps of a dataset between source and format.

Order of evaluation: ``where`` and ``time_range`` (source names) -> ``sample`` -> ``computed`` ->
``group_by`` and ``aggregates`` -> ``pivot`` -> ``columns`` -> ``distinct`` -> ``sort`` ->
``limit``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from .model import ColumnName, ColumnNames, Model, Name
from .where import Expression

AggregateFunction: TypeAlias = Literal[
    "count", "count_distinct", "sum", "avg", "min", "max", "median", "percentile", "stddev",
    "first", "last",
]  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    """Return what a text says, where Python can tell; the column's type decides later."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        return None


class TimeRange(Model):
    """Rows of a stretch of time: from ``start`` (included) to ``end`` (not included).

    Both are dates or timestamps of ISO 8601; one of them may be left out.
    """

    column: ColumnName
    start: Annotated[str, Field(max_length=64)] | None = None
    end: Annotated[str, Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> TimeRange:
        if self.start is None and self.end is None:
            raise ValueError("a time range needs a start or an end")
        start, end = _moment(self.start), _moment(self.end)
        if start and end and bool(start.tzinfo) == bool(end.tzinfo) and start > end:
            raise ValueError(f"the time range starts at {self.start}, after its end {self.end}")
        return self


class Computed(Model):
    """A new column: an SQL expression over the columns that there are, parsed and never pasted."""

    name: Name
    expression: Expression


class Bucket(Model):
    """A key of a group: a column, the stretch of time that holds it, or an expression."""

    column: ColumnName | None = None
    expression: Expression | None = None
    time_bucket: Annotated[str, Field(max_length=40)] | None = Field(
        default=None,
        description="A number and a unit: 15 minutes, 1 hour, 1 day, 1 week (begins on Monday), "
        "3 months, 1 year.",
    )
    time_zone: Annotated[str, Field(max_length=64)] | None = Field(
        default=None,
        description="Where days and months begin, as Europe/Paris; unset: the column's own zone.",
    )
    as_: Annotated[Name | None, Field(alias="as")] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Bucket:
        if (self.column is None) == (self.expression is None):
            raise ValueError("a key of a group needs a column or an expression")
        if self.expression is not None and self.as_ is None:
            raise ValueError("an expression in group_by needs a name in “as”")
        if self.time_zone is not None and self.time_bucket is None:
            raise ValueError("time_zone belongs to a time_bucket")
        return self

    @property
    def name(self) -> str:
        """What the key is called in the result."""
        return self.as_ or self.column or ""


class Aggregate(Model):
    """One value for each group; ``count`` without a column counts rows."""

    function: AggregateFunction
    column: ColumnName | None = None
    expression: Expression | None = None
    p: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Of percentile: 0.95 is the value that 95 % do not exceed."
    )
    order_by: ColumnName | None = Field(
        default=None,
        description="Of first and last: the column that says which comes first; unset: the order "
        "in which the source gives its rows.",
    )
    as_: Annotated[Name | None, Field(alias="as")] = None

    @model_validator(mode="after")
    def _fits(self) -> Aggregate:
        if self.column is not None and self.expression is not None:
            raise ValueError("an aggregate takes a column or an expression, not both")
        if self.expression is not None and self.as_ is None:
            raise ValueError("an aggregate of an expression needs a name in “as”")
        if self.function != "count" and self.column is None and self.expression is None:
            raise ValueError(f"“{self.function}” needs a column")
        if (self.function == "percentile") != (self.p is not None):
            raise ValueError(
                "“percentile” needs p, a number from 0 to 1"
                if self.p is None
                else f"“{self.function}” takes no p"
            )
        if self.order_by is not None and self.function not in ("first", "last"):
            raise ValueError(f"“{self.function}” takes no order_by")
        return self

    @property
    def name(self) -> str:
        """What the value is called in the result: ``as``, or ``sum_delay``, ``p95_delay``."""
        if self.as_ is not None:
            return self.as_
        if self.column is None:
            return self.function
        if self.p is not None:
            return f"p{self.p * 100:g}_{self.column}"
        return f"{self.function}_{self.column}"


class Pivot(Model):
    """The values of one column become columns: ``on`` names them, ``values`` fills them."""

    index: ColumnNames | None = Field(
        default=None, description="What tells the rows apart; unset: all but on and values."
    )
    on: ColumnName
    values: ColumnName
    function: AggregateFunction | None = Field(
        default=None,
        description="Of several values that meet in one cell; unset: they must not meet.",
    )
    p: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Pivot:
        if (self.function == "percentile") != (self.p is not None):
            raise ValueError("“p” belongs to the function percentile, which needs it")
        return self


class Sort(Model):
    """A key of the order; nulls come last either way, unless it says first."""

    column: ColumnName
    descending: bool = False
    nulls: Literal["first", "last"] = "last"


class Sample(Model):
    """Some of the rows, drawn at random; the same ones again for the same ``seed``."""

    rows: Annotated[int, Field(ge=0, le=100_000_000, strict=True)] | None = None
    percent: Annotated[float, Field(ge=0, le=100)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] = 0

    @model_validator(mode="after")
    def _one_of_two(self) -> Sample:
        if (self.rows is None) == (self.percent is None):
            raise ValueError("a sample needs rows or percent")
        return self


class Steps(Model):
    """The steps of a dataset, all of them optional."""

    time_range: TimeRange | None = None
    sample: Sample | None = None
    computed: Annotated[list[Computed], Field(max_length=1000)] = Field(default_factory=list)
    group_by: Annotated[list[Bucket], Field(max_length=100)] = Field(
        default_factory=list, description="Names of columns, or time buckets."
    )
    aggregates: Annotated[list[Aggregate], Field(max_length=1000)] = Field(default_factory=list)
    pivot: Pivot | None = None
    distinct: bool = False
    sort: Annotated[list[Sort], Field(max_length=100)] = Field(default_factory=list)

    @field_validator("group_by", "sort", mode="before")
    @classmethod
    def _names_stand_alone(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [{"column": each} if isinstance(each, str) else each for each in value]
        return value

    @field_validator("group_by", "aggregates", "computed")
    @classmethod
    def _names_differ(cls, value: list[Any]) -> list[Any]:
        seen: set[str] = set()
        for each in value:
            if each.name in seen:
                raise ValueError(f"two columns are named “{each.name}”; give one another name")
            seen.add(each.name)
        return value
