"""The features of a workbook as options: each is a model; all name columns by their headings.

Larger ones have a file of their own; this one collects them for the options.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .charts import Chart
from .conditional import ConditionalFormat
from .feature import Cell, CellStyle, Color, Feature, HeaderStyle
from .formulas import CellFormula, Formula, FormulaColumn, formula_parts
from .validation import Validation

__all__ = [
    "Cell",
    "CellFormula",
    "CellStyle",
    "Chart",
    "Color",
    "ConditionalFormat",
    "Feature",
    "Formula",
    "FormulaColumn",
    "HeaderStyle",
    "Hyperlink",
    "Hyperlinks",
    "Properties",
    "Protection",
    "TableStyle",
    "Totals",
    "Validation",
    "formula_parts",
]

# ------------------------------------------------------------------ hyperlinks

LINK_LENGTH = 2079
"""Characters of a hyperlink's address (Excel's specifications and limits)."""


class Hyperlink(Feature):
    """A link in one cell, or in every cell of a column."""

    column: str | None = Field(None, description="The column whose cells become links.")
    cell: Cell | None = Field(None, description="Or the one cell that becomes a link: H1")
    url: str | None = Field(
        None,
        min_length=1,
        max_length=LINK_LENGTH,
        description="Where to; for a column with {} for its value: https://example.org/{}. "
        "Unset: the column's values are addresses.",
    )
    text: str | None = Field(
        None, max_length=255, description="What a single cell shows. Unset: the address."
    )

    @model_validator(mode="after")
    def _a_column_or_a_cell(self) -> Hyperlink:
        if (self.column is None) == (self.cell is None):
            raise ValueError("a hyperlink has either a “column” or a “cell”")
        if self.cell is not None and self.url is None:
            raise ValueError("the link of a cell needs “url”")
        if self.column is not None and self.text is not None:
            raise ValueError("the link of a column shows the column's values; it has no “text”")
        if self.column is not None and self.url is not None and self.url.count("{}") != 1:
            raise ValueError("“url” needs {} once, where the column's value stands")
        if self.url is not None and not re.match(
            r"(https?|ftps?|mailto|internal):|#", self.url, re.IGNORECASE
        ):
            raise ValueError(
                "“url” begins with https:, http:, ftp:, mailto:, or internal: and a cell"
            )
        return self


def _a_link(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


def _links(given: Any) -> Any:
    if isinstance(given, (str, dict, Hyperlink)):
        given = (given,)
    return tuple(map(_a_link, given)) if isinstance(given, (list, tuple)) else given


Hyperlinks: TypeAlias = Annotated[tuple[Hyperlink, ...], BeforeValidator(_links)]
"""A column's name alone means that its values are addresses."""

# ------------------------------------------------------------------ totals

TotalFunction: TypeAlias = Literal[
    "sum", "average", "count", "count_numbers", "min", "max", "stddev", "var", "product"
]
SUBTOTALS: dict[str, int] = {
    "average": 101,
    "count_numbers": 102,
    "count": 103,
    "max": 104,
    "min": 105,
    "product": 106,
    "stddev": 107,
    "sum": 109,
    "var": 110,
}
"""Function -> the number that SUBTOTAL takes for it, hidden rows left out."""


class Totals(Feature):
    """A row of totals below the rows; what a filter hides does not count."""

    columns: dict[str, TotalFunction] | None = Field(
        None, description="Column -> function. Unset: the sum of every column of numbers."
    )
    label: str = Field(
        "Total", max_length=255, description="In the first column, where that has no total."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """``true`` means all columns of numbers; ``{"distance": "sum"}`` names some."""
        if given is True:
            return {}
        if given is False:
            raise ValueError("leave it out, or give null, for no totals")
        if isinstance(given, dict) and given and not set(given) <= {"columns", "label"}:
            return {"columns": given}
        return given


# ------------------------------------------------------------------ tables


def _a_table_style(given: str) -> str:
    if given.strip().lower() == "none":
        return "none"
    found = re.fullmatch(r"(?:tablestyle)?(light|medium|dark)(\d+)", given.replace(" ", "").lower())
    most = {"light": 21, "medium": 28, "dark": 11}
    if found is None or not 1 <= int(found[2]) <= most[found[1]]:
        raise ValueError(
            f"“{given}” is not a table style; they are Light 1 to 21, Medium 1 to 28, "
            "Dark 1 to 11, and none"
        )
    return f"Table Style {found[1].capitalize()} {int(found[2])}"


class TableStyle(Feature):
    """Rows as an Excel table: with its style, its filters, its name in formulas."""

    style: Annotated[str, AfterValidator(_a_table_style)] = Field(
        "Table Style Medium 2", description="Light 1 to 21, Medium 1 to 28, Dark 1 to 11, or none."
    )
    name: str | None = Field(
        None, min_length=1, max_length=255, description="In formulas. Unset: the dataset's name."
    )
    banded_rows: bool = Field(True, description="Every other row in a colour.")
    banded_columns: bool = Field(False, description="Every other column in a colour.")
    first_column: bool = Field(False, description="Emphasise the first column.")
    last_column: bool = Field(False, description="Emphasise the last column.")
    autofilter: bool = Field(True, description="Filter buttons in the heading.")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """``true`` means the usual style; a text is the style."""
        if given is True:
            return {}
        if given is False:
            raise ValueError("leave it out, or give null, for no table")
        return {"style": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _a_name_for_formulas(self) -> TableStyle:
        if self.name is not None and table_name(self.name) != self.name:
            raise ValueError(
                f"“{self.name}” cannot be the name of a table; “{table_name(self.name)}” can"
            )
        return self


def table_name(wanted: str) -> str:
    """Return ``wanted`` as Excel takes it for a table: letters, digits, ``_`` and ``.`` alone,
    and nothing that could be a cell."""
    name = re.sub(r"[^\w.]", "_", wanted)[:255]
    cell = re.fullmatch(r"[A-Za-z]{1,3}\d+|[rRcC]|[rR]\d*[cC]\d*", name)
    if not name or cell is not None or not re.match(r"[^\W\d]", name):
        name = f"_{name}"[:255]
    return name


# ------------------------------------------------------------------ the document

_PROPERTY = Field(None, max_length=255)


class Properties(Feature):
    """What the workbook says of itself."""

    title: str | None = _PROPERTY
    subject: str | None = _PROPERTY
    author: str | None = _PROPERTY
    manager: str | None = _PROPERTY
    company: str | None = _PROPERTY
    category: str | None = _PROPERTY
    keywords: str | None = _PROPERTY
    comments: str | None = Field(None, max_length=4096)
    status: str | None = _PROPERTY
    custom: dict[
        Annotated[str, Field(min_length=1, max_length=255)],
        bool | int | float | Annotated[str, Field(max_length=255)],
    ] = Field(default_factory=dict, description="Name -> text, number, boolean or ISO date.")


Action: TypeAlias = Literal[
    "select_locked_cells",
    "select_unlocked_cells",
    "format_cells",
    "format_columns",
    "format_rows",
    "insert_columns",
    "insert_rows",
    "insert_hyperlinks",
    "delete_columns",
    "delete_rows",
    "sort",
    "autofilter",
    "pivot_tables",
    "objects",
    "scenarios",
]


class Protection(Feature):
    """Cells cannot be changed by hand. It guards against slips, and hides nothing."""

    password: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Asked for to lift it. Excel's own is weak: it is no encryption.",
    )
    allow: tuple[Action, ...] = Field(
        ("select_locked_cells", "select_unlocked_cells"),
        description="What can be done all the same.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """``true`` means without a password."""
        if given is True:
            return {}
        if given is False:
            raise ValueError("leave it out, or give null, for no protection")
        return given
