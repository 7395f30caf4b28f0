"""Rows in an existing workbook: everything else in it stays.

The template's parts are copied as they are. Only the sheet with the rows is taken apart, and parts
that name cells of it follow what moves. openpyxl is not used: it loses charts, pictures and shapes
when it writes a workbook again.

Where rows are inserted, these follow: formulas of all sheets, names, print areas, merged cells,
links, comments, rules, validations, filters, page breaks, tables, pivot caches, charts and their
places. These do not: texts of shapes that are linked to a cell, form controls, scenarios, and
references over several sheets (``Jan:Dec!A1``). A chart that spans the inserted rows is not
stretched. Where rows are overwritten nothing follows but ranges of exactly the rows replaced.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import pyarrow as pa

from ...errors import InvalidSpec, SourceFailed
from ...registry import Chunk, FileContext, LossLedger, Table
from ..batches import peeked
from . import serials, texts
from .archive import Archive, deflated
from .feature import LAST_ROW
from .formulas import formula_parts
from .found import Found
from .furniture import check as check_names
from .furniture import link_template
from .options import ExcelOptions, SheetOptions
from .plan import ColumnPlan, column_plans
from .references import Area, Growth, row_parts
from .spliced_xml import NotUsable
from .template_area import Target, table_places, target
from .template_area import tables as tables_of
from .template_package import Package, opened
from .template_parts import Change, Others
from .template_rows import Rows, Slot, spooled
from .template_sheet import TemplateSheet
from .template_styles import Styles

_NEW_SHEETS_ONLY = (
    "sheet", "header_style", "widths", "banded", "borders", "freeze_panes", "autofilter", "table",
    "cell_formulas", "totals", "conditional_formats", "validations", "charts", "protection",
    "properties", "overflow",
)  # fmt: skip
"""Options of what a template brings itself."""


@dataclass(frozen=True)
class _Prepared:
    """One dataset and its place, before its rows are read."""

    target: Target
    sheet: TemplateSheet
    plans: Sequence[ColumnPlan]
    slots: Sequence[Slot]


def encode(
    tables: Sequence[Table], options: ExcelOptions, context: FileContext, losses: LossLedger
) -> Iterator[Chunk]:
    """Yield the template with the rows of the one table in it.

    Raises ``InvalidSpec`` for a template that cannot be used, before any row is read, and
    ``SourceFailed`` for more rows than its sheet has room for.
    """
    given = options.template or ""
    if len(tables) != 1:
        raise InvalidSpec(
            f"A template takes the rows of one dataset, and there are {len(tables)}.",
            hint="Export them one after another, each into the workbook of the one before.",
            field="format.template",
        )
    (table,) = tables
    check(options.of(table.name))
    with (
        context.here.open_file(given, "format.template") as file,
        opened(file, PurePath(given).name) as package,
    ):
        styles = _styles(package)
        # everything about the template is known before the first row is asked for
        own = options.of(table.name)
        found = target(package, options, len(table.schema) + len(own.formulas))
        sheet = TemplateSheet(package, found)
        sheet.moves = options.template_rows == "shift"
        likely = column_plans(table.schema, None, own, LossLedger())
        check_names(own, [plan.key for plan in likely])
        _places(package, found, likely)
        if package.dates_from_1904:
            _refuse_dates(package, table.schema)
        first, batches = peeked(table.batches)
        plans = column_plans(table.schema, first, own, losses)
        slots = _slots(sheet, plans, _places(package, found, plans), own, styles[1])
        prepared = _Prepared(found, sheet, plans, slots)
        rows = yield from _spooled(prepared, batches, options, context, losses)
        try:
            yield from _assembled(package, prepared, rows, styles)
        finally:
            rows.close()


def check(options: SheetOptions) -> None:
    """Raise ``InvalidSpec`` for an option of new sheets: a template has its own."""
    for name, field in type(options).model_fields.items():
        if name not in _NEW_SHEETS_ONLY:
            continue
        if getattr(options, name) != field.get_default(call_default_factory=True):
            raise InvalidSpec(
                f"“{name}” cannot be combined with “template”, which brings its own.",
                hint="Set it up in the template.",
                field=f"format.{name}",
            )
    if any(link.cell is not None for link in options.hyperlinks):
        raise InvalidSpec(
            "A hyperlink in one cell cannot be combined with “template”.",
            hint="Put it into the template.",
            field="format.hyperlinks",
        )


def _styles(package: Package) -> tuple[str, Styles]:
    part = next((each.target for each in package.relations if each.type == "styles"), None)
    if part is None:
        raise package.refused("has no formats of cells", "Open it in Excel, and save it.")
    try:
        return part, Styles(package.read(part))
    except (NotUsable, StopIteration, ValueError) as error:
        raise package.refused(f"is damaged: {part}: {error}") from None


# ------------------------------------------------------------------ before the rows


def _places(
    package: Package, found: Target, plans: Sequence[ColumnPlan]
) -> Sequence[ColumnPlan | None]:
    """Return what goes into each column of the area."""
    if found.table is None:
        return plans
    return table_places(found.table, plans, package.shown)


def _slots(
    sheet: TemplateSheet,
    plans: Sequence[ColumnPlan],
    places: Sequence[ColumnPlan | None],
    options: SheetOptions,
    styles: Styles,
) -> list[Slot]:
    found = sheet.target
    columns = {
        plan.key: found.body.first_column + index
        for index, plan in enumerate(places)
        if plan is not None
    }
    slots = []
    for index, plan in enumerate(places):
        style = sheet.style(found.body.first_row, found.body.first_column + index)
        if plan is None:
            slots.append(_of_template(found, sheet, index, style))
            continue
        shown = plan.number_format
        chosen = any(name in options.number_formats for name in (plan.key, plan.name))
        if shown is not None and (chosen or styles.is_general(style)):
            style = styles.with_format(style, shown)
        if plan.formula is not None:
            texts = formula_parts(plan.formula, columns)
            slots.append(Slot(plan.key, style, None, texts, (0,) * (len(texts) - 1)))
        else:
            column = list(plans).index(plan)
            slots.append(Slot(plan.name, style, column, link=link_template(options, plan.key)))
    return slots


def _of_template(found: Target, sheet: TemplateSheet, index: int, style: int) -> Slot:
    """Return the column of a table that the rows do not bring: computed, or empty."""
    assert found.table is not None
    column = found.table.columns[index]
    row = found.body.first_row
    # the cell's own, where there is one: addresses in it are those of its row
    formula = sheet.formula(row, found.body.first_column + index) or column.formula
    if formula is None:
        return Slot(column.name, style)
    texts, offsets = row_parts(formula, row)
    return Slot(column.name, style, None, texts, offsets)


def _refuse_dates(package: Package, schema: pa.Schema) -> None:
    for each in schema:
        if serials.is_serial(each.type) and not pa.types.is_duration(each.type):
            raise InvalidSpec(
                f"The template “{package.shown}” counts days from 1904, and the column "
                f"“{each.name}” holds dates or times.",
                hint="Switch it to dates from 1900 in Excel's options.",
                field="format.template",
            )


# ------------------------------------------------------------------ the rows, the file


def _spooled(
    prepared: _Prepared,
    batches: Iterator[pa.RecordBatch],
    options: ExcelOptions,
    context: FileContext,
    losses: LossLedger,
) -> Generator[Chunk, None, Rows]:
    first = prepared.target.body.first_row
    most = LAST_ROW - first + 1 - prepared.sheet.rows_below
    rows: Rows = yield from spooled(
        batches,
        prepared.slots,
        prepared.sheet.opening,
        first_row=first,
        most=most,
        apart=prepared.sheet.apart,
        values=options.values,
        threads=context.threads,
        scratch=context.here.scratch,
        losses=losses,
    )
    if rows.count > most:
        rows.close()
        raise SourceFailed(
            f"The sheet “{prepared.target.sheet.name}” of the template has room for {most:,} rows "
            f"from row {first:,} on, and there are more.",
            hint="Set a limit, or export without the template.",
        )
    return rows


def _assembled(
    package: Package, prepared: _Prepared, rows: Rows, styles: tuple[str, Styles]
) -> Iterator[Chunk]:
    found = prepared.target
    body = found.body
    count = max(rows.count, 1)
    grows = count > body.last_row - body.first_row + 1
    growth = Growth(found.sheet.name, body, count, prepared.sheet.moves and grows)
    if not growth.moves:
        _refuse_tables_below(package, found, growth)
    headings = {
        body.first_column + index: _heading(plan.heading)
        for index, plan in enumerate(prepared.plans)
    }
    finished = prepared.sheet.finished(rows.count, [growth], headings)
    written = rows.parts(prepared.sheet.opening, finished.beside)
    others = Others(package, [Change(found, growth)])
    archive = Archive()
    for name in package.archive.namelist():
        if name.endswith("/"):
            continue
        if name == found.sheet.part:
            pieces = [deflated(finished.head), *written, deflated(finished.tail)]
            for data in archive.add_spool(name, *pieces):
                yield Chunk(data, 0)
            continue
        new = styles[1].written() if name == styles[0] else others.part(name)
        if new is None:
            for data in archive.copy(package.archive, name):
                yield Chunk(data, 0)
        elif new:
            yield Chunk(archive.add(name, new), 0)
    yield Chunk(archive.close(), 0)


def _refuse_tables_below(package: Package, found: Target, growth: Growth) -> None:
    """A table whose headings are written over makes the workbook a damaged one."""
    body = found.body
    last = growth.last_row + (1 if found.totals_row is not None else 0)
    ours = Area(body.first_row, body.first_column, last, body.last_column)
    for each in tables_of(package):
        if each != found.table and each.sheet == found.sheet and each.area.meets(ours):
            raise SourceFailed(
                f"The {growth.rows:,} rows reach the table “{each.name}” of the template.",
                hint="Choose template_rows=shift, or set a limit.",
            )


def _heading(text: str) -> bytes:
    escaped = texts.escaped(pa.array([text], pa.string()), Found(text, LossLedger()))[0].as_py()
    kept = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<is><t{kept}>{escaped}</t></is>".encode()
