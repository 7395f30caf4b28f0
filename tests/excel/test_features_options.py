"""What the models of features accept, and the sentences for what they do not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jupyter_export.errors import InvalidSpec
from jupyter_export.formats.excel import ExcelFormat
from jupyter_export.formats.excel.features import (
    CellFormula,
    Chart,
    ConditionalFormat,
    FormulaColumn,
    HeaderStyle,
    Hyperlink,
    Protection,
    TableStyle,
    Totals,
    Validation,
    formula_parts,
    table_name,
)
from jupyter_export.registry import check_options


def refusal(model: Any, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return str(caught.value.errors()[0]["msg"]).removeprefix("Value error, ")


def test_colours_are_normal() -> None:
    style = HeaderStyle.model_validate({"color": "navy", "background": "#abc"})
    assert (style.color, style.background) == ("#000080", "#AABBCC")
    assert "“blu” is not a colour" in refusal(HeaderStyle, color="blu")


def test_short_forms() -> None:
    assert Totals.model_validate(True).columns is None
    assert Totals.model_validate({"distance": "sum"}).columns == {"distance": "sum"}
    assert TableStyle.model_validate("medium 9").style == "Table Style Medium 9"
    assert TableStyle.model_validate("none").style == "none"
    assert Protection.model_validate(True).password is None


@pytest.mark.parametrize(
    "formula",
    [
        "=[1]Sheet1!A1",
        "=SUM(A1,[book.xlsx]Sheet1!A1)",
        "='C:\\data\\[book.xlsx]Sheet1'!A1",
        "='https://example.org/book.xlsx'!A1",
        "=cmd|'/c calc'!A1",
        '=WEBSERVICE("https://example.org")',
        "=RTD(A1)",
        "=((A1)",
        "=A{1",
        "A1+1",
        "=",
    ],
)
def test_a_formula_stays_in_its_workbook(formula: str) -> None:
    with pytest.raises(ValidationError):
        CellFormula(cell="H1", formula=formula)


@pytest.mark.parametrize(
    "formula",
    [
        "=SUM(flights[distance])",
        "=SUM(flights[[#All],[distance]])",
        "=SUM({1,2;3,4})",
        "='Jan 2024'!A1",
        '="a|b [c] {d}"',
        "={distance}/2",
    ],
)
def test_formulas_that_are_fine(formula: str) -> None:
    assert CellFormula(cell="$H$1", formula=formula).cell == "H1"


def test_a_formula_of_a_row_is_cut_where_the_row_stands() -> None:
    columns = {"air time": 27, "distance": 1, "100%": 2}
    column = FormulaColumn(
        name="speed", formula='=IFS({distance}>[@[air time]],{distance}*60,TRUE,"{distance}")'
    )
    assert formula_parts(column, columns) == (
        "_xlfn.IFS(B",
        ">AB",
        ",B",
        '*60,TRUE,"{distance}")',
    )
    with pytest.raises(InvalidSpec, match=r"“distanc”, which is not a column\. Did you mean dist"):
        formula_parts(FormulaColumn(name="x", formula="={distanc}"), columns)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"type": "cell", "op": ">"}, "“>” needs “value”"),
        ({"type": "cell", "op": "between", "value": 1}, "between needs “minimum” and “maximum”"),
        ({"type": "cell"}, "a rule of type cell needs “op”"),
        ({"type": "text", "op": ">", "value": "a"}, "a rule of type text has an op of contains"),
        ({"type": "top", "value": 2000}, "from 1 to 1000"),
        ({"type": "top", "value": 2.5}, "is a whole number"),
        ({"type": "blanks", "value": 3}, "a rule of type blanks has no “value”"),
        ({"type": "color_scale", "colors": ["red"]}, "two or three colours"),
        ({"type": "color_scale", "points": ["min", "x", "max"]}, "“x” is not a point"),
        ({"type": "icon_set", "icons": "3_arrows", "points": [1]}, "3_arrows has 2 points"),
        ({"type": "icon_set"}, "needs “icons”"),
    ],
)
def test_rules_that_do_not_fit(fields: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(ConditionalFormat, columns=["a"], **fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"type": "list"}, "a list needs either “values” or the “formula”"),
        ({"type": "list", "values": ["a,b"]}, "has a comma"),
        ({"type": "list", "values": ["x" * 200, "y" * 60]}, "Excel takes 255"),
        ({"type": "whole", "minimum": 1}, "between needs “minimum” and “maximum”"),
        ({"type": "whole", "op": ">", "value": 1.5}, "1.5 is not a whole number"),
        ({"type": "date", "op": ">", "value": "soon"}, "“soon” is not an ISO date"),
        ({"type": "time", "op": ">", "value": "25:00"}, "“25:00” is not a time"),
        ({"type": "custom"}, "custom needs “formula”"),
        ({"type": "whole", "values": [1], "op": ">", "value": 1}, "“values” belongs to a list"),
    ],
)
def test_validations_that_do_not_fit(fields: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(Validation, columns=["a"], **fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"type": "pie", "y": ["a", "b"]}, "a pie shows one column"),
        ({"type": "scatter", "y": "a"}, "needs “x”"),
        ({"type": "pie", "y": "a", "stacked": True}, "cannot be stacked"),
        ({"y": "a", "cell": "A1", "sheet": "S"}, "either a “cell” or a “sheet”"),
        ({"y": "a", "sheet": "a/b"}, "“a/b” cannot be the name of a sheet; “a_b” can"),
        ({"y": "a", "cell": "ZZZZ1"}, "“ZZZZ1” is not a cell"),
    ],
)
def test_charts_that_do_not_fit(fields: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(Chart, **fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "either a “column” or a “cell”"),
        ({"cell": "A1"}, "needs “url”"),
        ({"column": "a", "url": "https://example.org"}, "needs {} once"),
        ({"cell": "A1", "url": "javascript:alert(1)"}, "begins with https:"),
    ],
)
def test_links_that_do_not_fit(fields: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(Hyperlink, **fields)


def test_a_table_style_that_is_none() -> None:
    assert "“Medium 29” is not a table style" in refusal(TableStyle, style="Medium 29")
    assert "“my table” cannot be the name" in refusal(TableStyle, name="my table")


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("flights", "flights"),
        ("my flights", "my_flights"),
        ("A1", "_A1"),
        ("2024", "_2024"),
        ("r1c1", "_r1c1"),
        ("Flüge", "Flüge"),
        ("", "_"),
    ],
)
def test_names_of_tables(wanted: str, name: str) -> None:
    assert table_name(wanted) == name


def test_the_place_of_a_wrong_field_is_told() -> None:
    options = {"charts": [{"type": "pie", "y": ["a"]}, {"type": "lin", "y": ["a"]}]}
    with pytest.raises(InvalidSpec) as caught:
        check_options(ExcelFormat(), options)
    assert caught.value.field == "format.charts[1].type"
    assert "Did you mean line?" in str(caught.value)


def test_options_have_a_json_schema() -> None:
    schema = ExcelFormat().to_json()["options"]
    assert "scatter" in str(schema["$defs"]["Chart"]["properties"]["type"])
