"""The options of an Excel workbook: those of a sheet, and those of the whole file."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from ...registry import FormatOptions
from .cells import Values
from .feature import Cell, Color, NumberFormat
from .features import (
    CellFormula,
    Chart,
    ConditionalFormat,
    FormulaColumn,
    HeaderStyle,
    Hyperlinks,
    Properties,
    Protection,
    TableStyle,
    Totals,
    Validation,
)

Width: TypeAlias = Annotated[float, Field(ge=0, le=255)]


class SheetOptions(FormatOptions):
    """What a sheet looks like. Columns are named by their headings."""

    sheet: str | None = Field(
        None, max_length=255, description="Name of the sheet. Unset: the dataset's name."
    )
    header: bool | tuple[str, ...] = Field(
        True, description="Column names in the first row, or other headings for the columns."
    )
    header_style: HeaderStyle | None = Field(
        HeaderStyle.model_validate({}),
        description="Unset: bold on dark blue; null for none.",
    )
    widths: Literal["auto"] | dict[str, Width] | None = Field(
        "auto",
        description="auto: from the first rows; or column: characters, the others auto; "
        "null: as Excel has them.",
    )
    number_formats: dict[str, NumberFormat] = Field(
        default_factory=dict, description="Column: Excel number format, such as #,##0.00"
    )
    date_format: NumberFormat = Field("yyyy-mm-dd", description="Of dates.")
    time_format: NumberFormat | None = Field(
        None, description="Of times of day. Unset: hh:mm:ss, with .000 where there are parts."
    )
    timestamp_format: NumberFormat | None = Field(
        None, description="Unset: yyyy-mm-dd hh:mm:ss, with .000 where there are parts."
    )
    duration_format: NumberFormat | None = Field(
        None, description="Unset: [h]:mm:ss, with .000 where there are parts."
    )
    banded: Color | bool = Field(False, description="Every other row in a colour; true: light.")
    borders: Color | bool = Field(False, description="Thin lines around cells; true: grey.")
    freeze_panes: Cell | bool = Field(
        True, description="The header stays in sight; or the first cell that scrolls: B2"
    )
    autofilter: bool = Field(True, description="Filter buttons in the header.")
    table: TableStyle | None = Field(
        None, description="The rows as an Excel table: true, or the style's name: Medium 9"
    )
    formulas: tuple[FormulaColumn, ...] = Field((), description="Further columns, computed.")
    cell_formulas: tuple[CellFormula, ...] = Field((), description="Formulas beside the rows.")
    totals: Totals | None = Field(
        None, description="A last row: true for sums, or column: function."
    )
    conditional_formats: tuple[ConditionalFormat, ...] = Field(
        (),
        description="Cells that look otherwise where a rule holds, scales, bars and icons: "
        '{"type": "data_bar", "columns": ["distance"]}',
    )
    validations: tuple[Validation, ...] = Field((), description="What may be typed in.")
    charts: tuple[Chart, ...] = Field(
        (),
        description="Charts of whole columns: "
        '{"type": "column", "x": "month", "y": ["flights"], "title": "Flights"}',
    )
    hyperlinks: Hyperlinks = Field((), description="Columns of links, or links in cells.")
    protection: Protection | None = Field(None, description="Of the sheet: true, or a password.")

    @model_validator(mode="after")
    def _headings(self) -> SheetOptions:
        if isinstance(self.header, tuple):
            if not self.header:
                raise ValueError("“header” names no column; give false for none")
            long = next((name for name in self.header if len(name) > 255), None)
            if long is not None:
                raise ValueError(f"the heading “{long[:40]}…” has more than 255 characters")
        return self


class ExcelOptions(SheetOptions):
    """Options at the top hold for every sheet."""

    sheets: dict[str, SheetOptions] = Field(
        default_factory=dict, description="Dataset: options of its sheet alone."
    )
    overflow: Literal["continue", "error"] = Field(
        "continue", description="Rows that one sheet cannot hold go on in “name (2)”."
    )
    long_numbers: Literal["text", "number"] = Field(
        "text", description="Numbers of more than 15 digits; Excel rounds them as numbers."
    )
    nan: Literal["error", "text", "empty"] = Field(
        "error", description="NaN and Infinity: #NUM! and #DIV/0!, text, or an empty cell."
    )
    properties: Properties | None = Field(None, description="What the workbook says of itself.")
    template: str | None = Field(
        None, min_length=1, description="An .xlsx whose sheet gets the rows; all else in it stays."
    )
    template_sheet: str | None = Field(None, description="Its sheet. Unset: the first one.")
    template_cell: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="Where the rows begin: a cell (B5), the cells they replace (B5:F10), "
        "Sheet!B5, or a defined name. Unset: A1.",
    )
    template_table: str | None = Field(
        None, min_length=1, description="Or the table whose rows they replace."
    )
    template_header: bool = Field(
        False, description="Write the headings too, at the cell; the rows begin below."
    )
    template_rows: Literal["shift", "overwrite"] = Field(
        "shift",
        description="What stands below the rows moves down as they need room, or is overwritten.",
    )

    @model_validator(mode="after")
    def _of_a_template(self) -> ExcelOptions:
        for name in sorted(self.model_fields_set):
            if name.startswith("template_") and self.template is None:
                raise ValueError(f"“{name}” needs “template”")
        if self.template_table is not None:
            for name in ("template_cell", "template_header"):
                if getattr(self, name):
                    raise ValueError(f"“template_table” and “{name}” exclude each other")
        return self

    def of(self, dataset: str) -> SheetOptions:
        """Return the options of the sheet of ``dataset``."""
        own = self.sheets.get(dataset)
        if own is None:
            return self
        changed = {name: getattr(own, name) for name in own.model_fields_set}
        return self.model_copy(update=changed)

    @property
    def values(self) -> Values:
        return Values(self.long_numbers, self.nan)
