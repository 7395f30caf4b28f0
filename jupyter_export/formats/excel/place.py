"""Where the rows of a dataset stand in a sheet, for everything that is put around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SheetPlace:
    """The block of cells that the rows of ``dataset`` (or a part of them) fill in one sheet.

    Rows and columns count from zero, as XlsxWriter does.
    """

    dataset: str
    sheet: str
    """The sheet's name as Excel shows it."""
    columns: Mapping[str, int]
    """Heading -> column; the columns of formulas are among them."""
    header_row: int
    """-1: there is none."""
    first_row: int
    last_row: int
    """Inclusive; before ``first_row`` when there are no rows."""
    number_formats: Mapping[str, str]
    """Heading -> the Excel number format of its cells, where it is not General."""
    numbers: frozenset[str] = frozenset()
    """Headings of the columns that hold numbers (no dates, no booleans): those a total adds up."""
    indented: frozenset[str] = frozenset()
    """Headings of the columns of numbers and dates that stand off from the right."""
    sheets: tuple[str, ...] = ()
    """The names of all sheets of rows, which a chart's sheet cannot have."""

    @property
    def first_column(self) -> int:
        return min(self.columns.values(), default=0)

    @property
    def last_column(self) -> int:
        return max(self.columns.values(), default=0)

    @property
    def rows(self) -> int:
        return self.last_row - self.first_row + 1
