"""Conditional formats: rules, colour scales, data bars and icon sets on whole columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from .feature import LITERAL, CellStyle, Color, ColumnNames, Feature, units
from .formulas import Formula, row_formula

if TYPE_CHECKING:
    from .place import SheetPlace

Kind: TypeAlias = Literal[
    "cell",
    "text",
    "formula",
    "top",
    "bottom",
    "above_average",
    "below_average",
    "duplicate",
    "unique",
    "blanks",
    "no_blanks",
    "errors",
    "date",
    "color_scale",
    "data_bar",
    "icon_set",
]
Comparison: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "between", "not_between"]
Test: TypeAlias = Literal[
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "between",
    "not_between",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
]
Period: TypeAlias = Literal[
    "yesterday",
    "today",
    "tomorrow",
    "last_7_days",
    "last_week",
    "this_week",
    "next_week",
    "last_month",
    "this_month",
    "next_month",
]
Icons: TypeAlias = Literal[
    "3_arrows",
    "3_arrows_gray",
    "3_flags",
    "3_signs",
    "3_symbols",
    "3_symbols_circled",
    "3_traffic_lights",
    "3_traffic_lights_rimmed",
    "4_arrows",
    "4_arrows_gray",
    "4_ratings",
    "4_red_to_black",
    "4_traffic_lights",
    "5_arrows",
    "5_arrows_gray",
    "5_quarters",
    "5_ratings",
]
Operand: TypeAlias = float | str
"""A number, a text, an ISO date or timestamp, or a formula that begins with ``=``."""
Point: TypeAlias = float | str

BAD = CellStyle(color="#9C0006", background="#FFC7CE", bold=None, italic=None)
"""Excel's own first choice: dark red text on light red."""
_TEXT_TESTS = {
    "contains": "containing",
    "not_contains": "not containing",
    "starts_with": "begins with",
    "ends_with": "ends with",
}
_NEEDS: dict[str, tuple[str, ...]] = {
    "cell": ("op",),
    "text": ("op", "value"),
    "formula": ("formula",),
    "date": ("period",),
    "icon_set": ("icons",),
}
_TAKES: dict[str, frozenset[str]] = {
    "cell": frozenset({"op", "value", "minimum", "maximum"}),
    "text": frozenset({"op", "value"}),
    "formula": frozenset({"formula"}),
    "top": frozenset({"value", "percent"}),
    "bottom": frozenset({"value", "percent"}),
    "date": frozenset({"period"}),
    "color_scale": frozenset({"colors", "points"}),
    "data_bar": frozenset({"colors", "points", "solid", "hide_values"}),
    "icon_set": frozenset({"icons", "points", "reverse", "hide_values"}),
}
_OWN = sorted({"icons", "formula"}.union(*_TAKES.values()))


class ConditionalFormat(Feature):
    """How cells of columns look when a rule holds for them."""

    columns: ColumnNames = Field((), description="Names of columns. Unset: all of them.")
    type: Kind = Field(description="The kind of rule, or a scale, bars or icons.")
    op: Test | None = Field(
        None, description="How a cell or a text is compared with value, or minimum and maximum."
    )
    value: Operand | None = Field(
        None, description="Number, text, ISO date or =formula; for top and bottom: how many."
    )
    minimum: Operand | None = Field(None, description="For between and not_between.")
    maximum: Operand | None = Field(None, description="For between and not_between.")
    formula: Formula | None = Field(
        None, description="Holds for a row when true: ={dep_delay}>{arr_delay}"
    )
    percent: bool = Field(False, description="The value of top and bottom is a percentage.")
    period: Period | None = Field(None, description="For dates.")
    colors: tuple[Color, ...] = Field(
        (), max_length=3, description="Two or three of a colour scale, or one of data bars."
    )
    points: tuple[Point, ...] = Field(
        (),
        max_length=5,
        description="Where colours or icons change: numbers, min, max, 50% or p90 (percentile).",
    )
    solid: bool = Field(False, description="Data bars of one colour, without a gradient.")
    hide_values: bool = Field(False, description="Show bars or icons alone.")
    icons: Icons | None = Field(None, description="Of an icon set.")
    reverse: bool = Field(False, description="Icons in reverse order.")
    style: CellStyle = Field(BAD, description="How cells look to which the rule applies.")
    stop: bool = Field(False, description="Look at no later rule where this one holds.")

    @model_validator(mode="after")
    def _fields_fit_the_rule(self) -> ConditionalFormat:
        needed = _NEEDS.get(self.type, ())
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"a rule of type {self.type} needs “{name}”")
        for name in _OWN:
            if name in self.model_fields_set and name not in _TAKES.get(self.type, frozenset()):
                raise ValueError(f"a rule of type {self.type} has no “{name}”")
        for given in (self.value, self.minimum, self.maximum):
            formula = isinstance(given, str) and given.startswith("=") and self.type != "text"
            if isinstance(given, str) and not formula and units(given) > LITERAL:
                raise ValueError(f"a text of a rule has at most {LITERAL} characters")
        _check_comparison(self)
        _check_points(self)
        return self


def _check_comparison(rule: ConditionalFormat) -> None:
    if rule.type == "text":
        if rule.op not in _TEXT_TESTS:
            raise ValueError(f"a rule of type text has an op of {', '.join(_TEXT_TESTS)}")
        if not isinstance(rule.value, str) or not rule.value:
            raise ValueError("the value of a rule of type text is a text")
    elif rule.type == "cell":
        if rule.op in _TEXT_TESTS:
            raise ValueError(f"{rule.op} belongs to a rule of type text")
        ends = (rule.minimum, rule.maximum)
        if rule.op in ("between", "not_between"):
            if None in ends or rule.value is not None:
                raise ValueError(f"{rule.op} needs “minimum” and “maximum”, and no “value”")
        elif rule.value is None or ends != (None, None):
            raise ValueError(f"“{rule.op}” needs “value”, and no “minimum” or “maximum”")
    elif rule.type in ("top", "bottom") and rule.value is not None:
        most = 100 if rule.percent else 1000
        if not isinstance(rule.value, float) or rule.value != int(rule.value):
            raise ValueError(f"the value of a rule of type {rule.type} is a whole number")
        if not 1 <= rule.value <= most:
            raise ValueError(f"the value of a rule of type {rule.type} is from 1 to {most}")


def _check_points(rule: ConditionalFormat) -> None:
    colors, points = len(rule.colors), len(rule.points)
    for point in rule.points:
        if isinstance(point, str):
            _point(point)
    if rule.type == "color_scale":
        if colors not in (0, 2, 3):
            raise ValueError("a colour scale has two or three colours")
        if points not in (0, colors or 3):
            raise ValueError("a colour scale has one point for each colour")
    elif rule.type == "data_bar":
        if colors > 1:
            raise ValueError("data bars have one colour")
        if points not in (0, 2):
            raise ValueError("data bars have two points: the shortest and the longest bar")
    elif rule.type == "icon_set" and rule.icons is not None:
        between = int(rule.icons[0]) - 1
        if points not in (0, between):
            raise ValueError(f"{rule.icons} has {between} points, from the lowest to the highest")
        if any(point in ("min", "max") for point in rule.points):
            raise ValueError("the points of icons are numbers, 50% or p90")


def _point(point: float | str) -> tuple[str, float | None]:
    """Return XlsxWriter's (type, value) of a point."""
    if not isinstance(point, str):
        return "num", point
    if point in ("min", "max"):
        return point, None
    kind = "num"
    if point.startswith("p"):
        kind = "percentile"
    elif point.endswith("%"):
        kind = "percent"
    try:
        value = float(point.strip("p%"))
    except ValueError:
        raise ValueError(f"“{point}” is not a point; give a number, min, max, 50% or p90") from None
    if kind != "num" and not 0 <= value <= 100:
        raise ValueError(f"“{point}” is not from 0 to 100")
    return kind, value


def moment(value: object) -> date | datetime | None:
    """Return the date or timestamp that an ISO text means, or None."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        found = datetime.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        return None
    return found.replace(tzinfo=None)


def serial(when: date | datetime) -> float:
    """Return Excel's number of a date: days since 1899-12-30 (ECMA-376 part 1, 18.17.4.1)."""
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)  # noqa: DTZ001 - a sheet has no zones
    span = when - datetime(1899, 12, 30)  # noqa: DTZ001
    days = span.days + span.seconds / 86400 + span.microseconds / 86400e6
    return days if days >= 61 else days - 1


def operand(value: float | str, columns: Mapping[str, int], row: int, field: str) -> float | str:
    """Return what stands in a rule for ``value``: a number, a quoted text or a formula."""
    if not isinstance(value, str):
        return int(value) if value.is_integer() else value
    when = moment(value)
    if when is not None:
        return f"{serial(when):.16g}"
    if value.startswith("="):
        return row_formula(value, columns, row, field, absolute=True)
    return '="' + value.replace('"', '""') + '"'


def rule_options(
    rule: ConditionalFormat,
    place: SheetPlace,
    field: str,
    make_format: Callable[[CellStyle], Any],
) -> dict[str, Any]:
    """Return what XlsxWriter's ``conditional_format`` takes for ``rule`` on a column of ``place``.

    ``make_format`` turns a style into a format of the workbook.
    """
    row = place.first_row
    if rule.type == "color_scale":
        return _color_scale(rule)
    if rule.type == "data_bar":
        return _data_bar(rule)
    if rule.type == "icon_set":
        return _icon_set(rule)
    made: dict[str, Any] = {"format": make_format(rule.style), "stop_if_true": rule.stop}
    if rule.type == "cell":
        made |= {"type": "cell", "criteria": (rule.op or "=").replace("_", " ")}
        for name in ("value", "minimum", "maximum"):
            given = getattr(rule, name)
            if given is not None:
                made[name] = operand(given, place.columns, row, f"{field}.{name}")
    elif rule.type == "text":
        made |= {"type": "text", "criteria": _TEXT_TESTS[rule.op or ""], "value": rule.value}
    elif rule.type == "formula":
        formula = row_formula(
            rule.formula or "", place.columns, row, f"{field}.formula", absolute=True
        )
        made |= {"type": "formula", "criteria": formula}
    elif rule.type in ("top", "bottom"):
        count = 10 if rule.value is None else int(rule.value)
        made |= {"type": rule.type, "value": count, "criteria": "%" if rule.percent else ""}
    elif rule.type in ("above_average", "below_average"):
        made |= {"type": "average", "criteria": rule.type.split("_")[0]}
    elif rule.type == "date":
        made |= {"type": "time_period", "criteria": (rule.period or "").replace("_", " ")}
    else:
        made |= {"type": rule.type}
    return made


def _color_scale(rule: ConditionalFormat) -> dict[str, Any]:
    colors = rule.colors or ("#F8696B", "#FFEB84", "#63BE7B")
    ends = ("min", "mid", "max") if len(colors) == 3 else ("min", "max")
    made: dict[str, Any] = {"type": f"{len(colors)}_color_scale"}
    for place, color in zip(ends, colors, strict=True):
        made[f"{place}_color"] = color
    for place, point in zip(ends, rule.points, strict=False):
        kind, value = _point(point)
        made[f"{place}_type"] = kind
        if value is not None:
            made[f"{place}_value"] = value
    return made


def _data_bar(rule: ConditionalFormat) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "data_bar",
        "data_bar_2010": True,
        "bar_color": rule.colors[0] if rule.colors else "#638EC6",
        "bar_solid": rule.solid,
        "bar_only": rule.hide_values,
    }
    for place, point in zip(("min", "max"), rule.points, strict=False):
        kind, value = _point(point)
        made[f"{place}_type"] = kind
        if value is not None:
            made[f"{place}_value"] = value
    return made


def _icon_set(rule: ConditionalFormat) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "icon_set",
        "icon_style": rule.icons,
        "reverse_icons": rule.reverse,
        "icons_only": rule.hide_values,
    }
    if rule.points:
        # XlsxWriter counts icons from the highest; the lowest has no point of its own
        made["icons"] = [
            {"criteria": ">=", "type": "number" if kind == "num" else kind, "value": value}
            for kind, value in map(_point, reversed(rule.points))
        ]
    return made
