"""A workbook from its datasets: plan, rows, and the file put together.

The rows wait in temporary files, deflated, until their number is known: then the sheets can say
how large they are, tables and charts can name their ranges, and the zip needs no descriptors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from ...errors import InvalidSpec, SourceFailed, did_you_mean
from ...registry import Chunk, FileContext, Loss, LossLedger, Table
from ..batches import ROWS, even, peeked
from . import sheets as _sheets
from .archive import Archive, deflated
from .formulas import formula_parts
from .furniture import link_template
from .named import check_top, fitting, where
from .names import numbered, sheet_name
from .options import ExcelOptions, SheetOptions
from .plan import column_keys, column_plans
from .rows import Column, RowLayout
from .sheets import SheetRows, spooled
from .shell import SheetPlan, SheetXml, make_shell

_CELLS = 1_000_000
"""Of rows that are encoded together."""


def encode(
    tables: Sequence[Table], options: ExcelOptions, context: FileContext, losses: LossLedger
) -> Iterator[Chunk]:
    """Yield the workbook of ``tables``, one sheet each, or more where one sheet is full."""
    check_datasets(tables, options)
    opened = [peeked(even(table.batches, _rows_of_a_piece(table.schema))) for table in tables]
    ledgers = [losses.of(table.name) if len(tables) > 1 else losses for table in tables]
    plans = _plans(tables, [first for first, _ in opened], options, ledgers)
    for table, plan in zip(tables, plans, strict=True):
        if options.overflow == "error" and (table.total_rows or 0) > plan.most:
            raise _too_many(plan)
    started = context.here.started
    before = make_shell([(plan, plan.most) for plan in plans], options.properties, started)
    filled: list[list[SheetRows]] = []
    try:
        for index, (plan, xml) in enumerate(zip(plans, before.sheets, strict=True)):
            batches = opened[index][1]
            rows = spooled(
                _within(batches, plan) if options.overflow == "error" else batches,
                layout(plan, xml, options, tables[index].schema),
                first_row=plan.first_row,
                most=plan.most,
                threads=context.threads,
                scratch=context.here.scratch,
                losses=ledgers[index],
                apart=xml.beside,
            )
            filled.append((yield from rows))
        yield from _assembled(plans, before.sheets, filled, options, context, ledgers)
    finally:
        for parts in filled:
            for sheet in parts:
                sheet.spool.close()


def _rows_of_a_piece(schema: pa.Schema) -> int:
    """Return how many rows are encoded together: even an empty cell has its XML."""
    return max(1, min(ROWS, _CELLS // max(1, len(schema))))


def check_datasets(tables: Sequence[Table], options: ExcelOptions) -> None:
    """Raise ``InvalidSpec`` for options of a dataset that there is not."""
    names = [table.name for table in tables]
    for name in options.sheets:
        if name not in names:
            raise InvalidSpec(
                f"“{name}” is not a dataset of this export.",
                hint=did_you_mean(name, names),
                field=f"format.sheets.{name}",
            )
    if len(tables) > 1 and options.sheet is not None:
        raise InvalidSpec(
            "“sheet” names the sheet of a single dataset, and there are several.",
            hint="Name each one in “sheets”, by its dataset.",
            field="format.sheet",
        )


def _plans(
    tables: Sequence[Table],
    firsts: Sequence[pa.RecordBatch | None],
    options: ExcelOptions,
    ledgers: Sequence[LossLedger],
) -> list[SheetPlan]:
    plans: list[SheetPlan] = []
    for table, first, losses, own in zip(
        tables, firsts, ledgers, _options(tables, options), strict=True
    ):
        at = where(options, table.name)
        wanted = own.sheet if own.sheet is not None else table.name
        name = sheet_name(wanted, [plan.name for plan in plans])
        if name != wanted:
            losses.add(
                Loss("sheet_name", wanted, 1, f"the sheet is called “{name}”", "sheet=…", wanted)
            )
        columns = column_plans(
            table.schema, first, own, losses, at, sheet=name, rows=table.total_rows
        )
        plans.append(SheetPlan(table.name, name, columns, own, at))
    return plans


def _options(tables: Sequence[Table], options: ExcelOptions) -> list[SheetOptions]:
    """Return the options of each sheet: its own, and what fits it of those for all sheets."""
    given: list[SheetOptions] = [options.of(table.name) for table in tables]
    if len(tables) == 1:
        return given
    known = [
        column_keys(table.schema, own, where(options, table.name))
        for table, own in zip(tables, given, strict=True)
    ]
    full = [
        keys.union(column.name for column in own.formulas)
        for keys, own in zip(known, given, strict=True)
    ]
    check_top(options, set().union(*full, *(table.schema.names for table in tables)))
    return [
        fitting(
            own,
            options.sheets[table.name].model_fields_set if table.name in options.sheets else (),
            keys,
            [other for other in full if other is not mine],
            table.schema.names,
        )
        for table, own, keys, mine in zip(tables, given, known, full, strict=True)
    ]


def layout(plan: SheetPlan, xml: SheetXml, options: ExcelOptions, schema: pa.Schema) -> RowLayout:
    """Return how the rows of a sheet are written."""
    places = plan.place(0).columns
    columns = []
    for column, style in zip(plan.columns, xml.styles, strict=True):
        formula: tuple[str, ...] = ()
        if column.formula is not None:
            formula = formula_parts(column.formula, places)
        columns.append(Column(column.name, style, formula, link_template(plan.options, column.key)))
    return RowLayout(tuple(columns), options.values)


def _too_many(plan: SheetPlan) -> SourceFailed:
    return SourceFailed(
        f"“{plan.dataset}” has more rows than the {plan.most:,} that a sheet of Excel holds.",
        hint="Choose overflow=continue, or export to CSV or Parquet.",
    )


def _within(batches: Iterator[pa.RecordBatch], plan: SheetPlan) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        if rows > plan.most:
            raise _too_many(plan)
        yield batch


def _assembled(
    plans: Sequence[SheetPlan],
    before: Sequence[SheetXml],
    filled: Sequence[Sequence[SheetRows]],
    options: ExcelOptions,
    context: FileContext,
    ledgers: Sequence[LossLedger],
) -> Iterator[Chunk]:
    taken = [plan.name for plan in plans]
    final: list[tuple[SheetPlan, int]] = []
    contents: list[SheetRows] = []
    styles: list[tuple[int, ...]] = []
    for plan, xml, parts, losses in zip(plans, before, filled, ledgers, strict=True):
        names = [plan.name]
        for number in range(2, len(parts) + 1):
            names.append(numbered(plan.name, number, taken))
            taken.append(names[-1])
        if len(parts) > 1:
            _report(plan, parts, names, losses)
        for name, part in zip(names, parts, strict=True):
            named = SheetPlan(plan.dataset, name, plan.columns, plan.options, plan.at)
            final.append((named, part.rows))
            contents.append(part)
            styles.append(xml.styles)
    shell = make_shell(final, options.properties, context.here.started)
    if [xml.styles for xml in shell.sheets] != styles:
        raise RuntimeError("the formats of the cells have moved")
    archive = Archive()
    for name, data in shell.parts.items():
        yield Chunk(archive.add(name, data), 0)
    for index, (xml, part) in enumerate(zip(shell.sheets, contents, strict=True)):
        pieces = [deflated(xml.head), *part.parts(xml.beside), deflated(xml.tail)]
        for data in archive.add_spool(shell.sheet_part(index), *pieces):
            yield Chunk(data, 0)
        part.spool.close()
    yield Chunk(archive.close(), 0)


def _report(
    plan: SheetPlan, parts: Sequence[SheetRows], names: Sequence[str], losses: LossLedger
) -> None:
    further = " and ".join(f"“{name}”" for name in names[1:3])
    losses.add(
        Loss(
            "rows_beyond_limit",
            plan.name,
            sum(part.rows for part in parts[1:]),
            f"a sheet holds {_sheets.ROWS:,} rows; the others are in {further}"
            + (" and so on" if len(names) > 3 else ""),
        )
    )
