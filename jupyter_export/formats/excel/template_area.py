"""Where in a template the rows go: a cell, a range, a defined name, or a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InvalidSpec, did_you_mean
from .options import ExcelOptions
from .plan import ColumnPlan
from .references import Area, area_of
from .spliced_xml import unescaped
from .template_package import Package, Sheet


@dataclass(frozen=True)
class TableColumn:
    name: str
    formula: str | None
    """Of a calculated column."""


@dataclass(frozen=True)
class Table:
    """A table of the template (ECMA-376 part 1, 18.5.1.2)."""

    name: str
    part: str
    sheet: Sheet
    area: Area
    """With its headings and its totals."""
    header_rows: int
    totals_rows: int
    columns: tuple[TableColumn, ...]

    @property
    def body(self) -> Area:
        """The rows between headings and totals; a table has at least one."""
        first = self.area.first_row + self.header_rows
        last = max(first, self.area.last_row - self.totals_rows)
        return Area(first, self.area.first_column, last, self.area.last_column)


@dataclass(frozen=True)
class Target:
    """The cells that the rows of a dataset replace."""

    sheet: Sheet
    body: Area
    header_row: int | None = None
    """The row (from 1) into which the headings are written."""
    table: Table | None = None

    @property
    def totals_row(self) -> int | None:
        """The row with the totals of a table."""
        if self.table is None or not self.table.totals_rows:
            return None
        return self.table.area.last_row


def tables(package: Package) -> list[Table]:
    """Return the tables of all sheets."""
    found = []
    for sheet in package.sheets:
        for part in package.related(sheet.part, "table"):
            found.append(_table(package, sheet, part))
    return found


def _table(package: Package, sheet: Sheet, part: str) -> Table:
    data = package.read(part)
    wanted = {"table", "tableColumn", "calculatedColumnFormula"}
    root, *rest = package.elements(part, data, wanted)
    columns: list[TableColumn] = []
    for each in rest:
        if each.name == "tableColumn":
            # line ends in headings are written as Excel's escapes
            name = re.sub(
                r"_x([0-9A-Fa-f]{4})_",
                lambda found: chr(int(found[1], 16)),
                each.attributes.get("name", ""),
            )
            columns.append(TableColumn(name, None))
        else:
            text = unescaped(data[each.inner : each.inner_end])
            columns[-1] = TableColumn(columns[-1].name, text)
    try:
        area = area_of(root.attributes.get("ref", ""))
    except ValueError:
        raise package.refused(f"is damaged: {part} does not say where its table is") from None
    return Table(
        root.attributes.get("displayName") or root.attributes.get("name", ""),
        part,
        sheet,
        area,
        int(root.attributes.get("headerRowCount", "1")),
        int(root.attributes.get("totalsRowCount", "0")),
        tuple(columns),
    )


def target(package: Package, options: ExcelOptions, columns: int) -> Target:
    """Return where the rows of ``columns`` columns go.

    Raises ``InvalidSpec`` for a sheet, table, cell or name that the template does not have.
    """
    if options.template_table is not None:
        table = _table_named(package, options)
        return Target(table.sheet, table.body, table=table)
    sheet, area = _cells(package, options)
    _refuse_table(package, sheet, area, columns)
    width = area.last_column - area.first_column + 1
    if width > 1 and width < columns:
        raise InvalidSpec(
            f"The cells {area} of the template have {width} columns, and the rows have {columns}.",
            hint="Leave columns out, or give the first cell alone.",
            field="format.template_cell",
        )
    last_column = area.first_column + columns - 1
    header_row = None
    first, last = area.first_row, area.last_row
    if options.template_header:
        header_row, first = first, first + 1
        last = max(first, last)
    return Target(sheet, Area(first, area.first_column, last, last_column), header_row)


def _refuse_table(package: Package, sheet: Sheet, area: Area, columns: int) -> None:
    """A table has to be told of its rows, so it is named itself."""
    last = area.first_column + columns - 1
    taken = Area(area.first_row, area.first_column, area.last_row, last)
    for each in tables(package):
        if each.sheet == sheet and each.area.meets(taken):
            raise InvalidSpec(
                f"The cells {taken} of the template are in the table “{each.name}”.",
                hint=f"Give template_table={each.name} instead.",
                field="format.template_cell",
            )


def _table_named(package: Package, options: ExcelOptions) -> Table:
    found = tables(package)
    wanted = options.template_table or ""
    if options.template_sheet is not None:
        sheet = package.sheet(options.template_sheet)
        found = [each for each in found if each.sheet == sheet]
    for each in found:
        if each.name.casefold() == wanted.casefold():
            return each
    where = f"sheet “{options.template_sheet}” of the template" if options.template_sheet else ""
    raise InvalidSpec(
        f"The {where or 'template'} “{package.shown}” has no table “{wanted}”.",
        hint=did_you_mean(wanted, [each.name for each in found]),
        field="format.template_table",
    )


def _cells(package: Package, options: ExcelOptions) -> tuple[Sheet, Area]:
    """Return sheet and block that ``template_cell`` names."""
    named = options.template_sheet
    sheet = package.sheet(named) if named is not None else package.sheets[0]
    given = options.template_cell
    if given is None:
        return sheet, area_of("A1")
    field = "format.template_cell"
    at_sheet, mark, cell = given.rpartition("!")
    if mark:
        sheet = package.sheet(_unquoted(at_sheet), field)
    try:
        return sheet, area_of(cell)
    except ValueError:
        pass
    names = [
        each
        for each in package.defined
        if not each.name.startswith("_xlnm.") and each.sheet in (None, sheet.index)
    ]
    found = [each for each in names if each.name.casefold() == cell.casefold()]
    if not found:
        raise InvalidSpec(
            f"The template “{package.shown}” has no cell and no name “{cell}”.",
            hint=did_you_mean(cell, [each.name for each in names])
            if names
            else "Give a cell such as B5.",
            field=field,
        )
    # a name of the sheet itself comes before one of the workbook
    chosen = max(found, key=lambda each: each.sheet is not None)
    of_sheet, mark, ref = chosen.formula.rpartition("!")
    try:
        area = area_of(ref)
    except ValueError:
        mark = ""
    if not mark:
        raise InvalidSpec(
            f"The name “{chosen.name}” of the template means {chosen.formula[:80]}, not cells.",
            field=field,
        )
    return package.sheet(_unquoted(of_sheet), field), area


def _unquoted(sheet: str) -> str:
    if len(sheet) > 1 and sheet.startswith("'") and sheet.endswith("'"):
        return sheet[1:-1].replace("''", "'")
    return sheet


def table_places(table: Table, plans: Sequence[ColumnPlan], shown: str) -> list[ColumnPlan | None]:
    """Return for each column of ``table`` the column of the rows that goes there, by its heading.

    Raises ``InvalidSpec`` for a column that the table does not have.
    """
    by_name: dict[str, ColumnPlan] = {}
    for plan in plans:
        for name in (plan.heading, plan.key, plan.name):
            by_name.setdefault(name.casefold(), plan)
    places = [by_name.get(column.name.casefold()) for column in table.columns]
    lost = [plan for plan in plans if plan not in places]
    if lost:
        known = [column.name for column in table.columns]
        close = did_you_mean(lost[0].heading, known)
        raise InvalidSpec(
            f"The table “{table.name}” of the template “{shown}” has no column "
            f"“{lost[0].heading}”.",
            hint=f"{close} Rename the column, or leave it out.",
            field="format.template_table",
        )
    return places
