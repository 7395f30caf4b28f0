"""Puts the features of a sheet around rows that XlsxWriter never sees.

The rows are written as XML by others and put into the sheet afterwards; what stands here works
with their place alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from ...errors import InvalidSpec
from .charts import add_chart
from .conditional import moment, rule_options
from .feature import CellStyle, cell_place, column_letters
from .features import Action, Hyperlink, Properties, Protection
from .formulas import range_formula
from .named import Where, at_the_top, named_columns, no_column
from .tables import add_table, functions, last_data_row, write_totals
from .validation import validation_options

if TYPE_CHECKING:
    from .options import SheetOptions
    from .place import SheetPlace

# ------------------------------------------------------------------ before the rows


def rows_below(options: SheetOptions) -> int:
    """Return how many rows of the sheet follow the data's."""
    return 0 if options.totals is None else 1


def link_template(options: SheetOptions, name: str) -> str | None:
    """Return the address of a column's links, with ``{}`` for the value, or None for no links."""
    for link in options.hyperlinks:
        if link.column == name:
            return link.url or "{}"
    return None


def check(
    options: SheetOptions,
    columns: Sequence[str],
    at: Where = at_the_top,
    sheet: str | None = None,
) -> None:
    """Raise ``InvalidSpec`` for the first name in ``options`` that is none of ``columns``.

    ``columns``: the headings, those of formula columns included. ``at`` tells where an option
    stands in the document, ``sheet`` is the sheet's name.
    """
    known = frozenset(columns)
    for place, names in named_columns(options):
        for name in names:
            if name not in known:
                raise no_column(name, known, at(place), sheet)


# ------------------------------------------------------------------ the sheet


def furnish(
    workbook: Any,
    worksheet: Any,
    place: SheetPlace,
    options: SheetOptions,
    at: Where = at_the_top,
) -> None:
    """Put the features of ``options`` on ``worksheet`` (XlsxWriter) around the rows of ``place``.

    The heading cells stand already. Formats are made in an order that depends on ``options`` and
    the columns alone. Raises ``InvalidSpec`` for a name that is no column, and for a cell where
    rows stand.
    """
    check(options, list(place.columns), at, place.sheet)
    table = None
    if options.table is not None and place.columns:
        table = add_table(workbook, worksheet, options.table, place, options.totals)
    _add_totals(workbook, worksheet, place, options, table)
    _add_conditional_formats(workbook, worksheet, place, options, at)
    _add_validations(worksheet, place, options, at)
    _add_cells(workbook, worksheet, place, options, at)
    taken = 0
    for chart in options.charts:
        taken = add_chart(workbook, worksheet, chart, place, taken)
    if options.protection is not None:
        protect(worksheet, options.protection)


def _add_totals(
    workbook: Any, worksheet: Any, place: SheetPlace, options: SheetOptions, table: str | None
) -> None:
    if options.totals is None:
        return
    look: dict[str, Any] = {"bold": True, "top": 1}
    formats = {"": workbook.add_format(look)}
    for name, function in functions(options.totals, place).items():
        number_format = place.number_formats.get(name)
        if function in ("count", "count_numbers"):
            number_format = "#,##0"
        side = {"align": "right", "indent": 1} if name in place.indented else {}
        formats[name] = workbook.add_format(
            look | side | ({"num_format": number_format} if number_format else {})
        )
    write_totals(worksheet, options.totals, place, formats, table)


def _add_conditional_formats(
    workbook: Any, worksheet: Any, place: SheetPlace, options: SheetOptions, at: Where
) -> None:
    made: dict[CellStyle, Any] = {}

    def make_format(style: CellStyle) -> Any:
        if style not in made:
            made[style] = workbook.add_format(style.properties())
        return made[style]

    for number, rule in enumerate(options.conditional_formats):
        options_of = rule_options(rule, place, at(f"conditional_formats[{number}]"), make_format)
        for name in rule.columns or place.columns:
            where = at(f"conditional_formats[{number}]")
            _on_column(worksheet.conditional_format, place, name, options_of, where)


def _add_validations(worksheet: Any, place: SheetPlace, options: SheetOptions, at: Where) -> None:
    for number, rule in enumerate(options.validations):
        options_of = validation_options(
            rule, place.columns, place.first_row, at(f"validations[{number}]")
        )
        for name in rule.columns:
            where = at(f"validations[{number}]")
            _on_column(worksheet.data_validation, place, name, options_of, where)


def _on_column(
    apply: Callable[..., int],
    place: SheetPlace,
    name: str,
    options_of: dict[str, Any],
    field: str,
) -> None:
    column = place.columns[name]
    if apply(place.first_row, column, last_data_row(place), column, options_of) != 0:
        # our own checks come first: what XlsxWriter still refuses is a hole in them
        raise InvalidSpec(f"A rule for the column “{name}” is refused: {options_of}.", field=field)


def _add_cells(
    workbook: Any, worksheet: Any, place: SheetPlace, options: SheetOptions, at: Where
) -> None:
    for number, each in enumerate(options.cell_formulas):
        where = at(f"cell_formulas[{number}]")
        row, column = _beside_the_rows(each.cell, place, f"{where}.cell")
        formula = range_formula(
            each.formula, place.columns, place.first_row, place.last_row, f"{where}.formula"
        )
        look = {"num_format": each.number_format} if each.number_format else {}
        worksheet.write_formula(
            row, column, formula, workbook.add_format(look) if look else None, ""
        )
    for number, link in enumerate(options.hyperlinks):
        if link.cell is not None:
            row, column = _beside_the_rows(link.cell, place, at(f"hyperlinks[{number}].cell"))
            _add_link(worksheet, row, column, link)


def _add_link(worksheet: Any, row: int, column: int, link: Hyperlink) -> None:
    url = link.url or ""
    if url.startswith("#"):
        url = f"internal:{url[1:]}"
    text = link.text or url.removeprefix("internal:")
    worksheet.write_url(row, column, url, string=text)


def _beside_the_rows(cell: str, place: SheetPlace, field: str) -> tuple[int, int]:
    """Return (row, column) of a cell that no row can reach, however many there are."""
    row, column = cell_place(cell)
    top = place.header_row if place.header_row >= 0 else place.first_row
    if row >= top and place.first_column <= column <= place.last_column:
        raise InvalidSpec(
            f"The cell {cell} is where the rows stand.",
            hint=f"Choose one to the right of column {column_letters(place.last_column)}.",
            field=field,
        )
    return row, column


def protect(worksheet: Any, protection: Protection) -> None:
    """Protect ``worksheet`` (or a chart's sheet) but for what is allowed."""
    actions: Sequence[str] = Action.__args__  # type: ignore[attr-defined]
    worksheet.protect(
        protection.password or "", {action: action in protection.allow for action in actions}
    )


# ------------------------------------------------------------------ the document


def document(workbook: Any, properties: Properties | None, started: datetime) -> None:
    """Say what the workbook is; ``started`` (UTC) is the moment of its making."""
    named: dict[str, Any] = {"created": started.replace(tzinfo=None)}
    if properties is not None:
        named |= properties.model_dump(exclude={"custom"}, exclude_none=True)
    workbook.set_properties(named)
    for name, value in (properties.custom if properties is not None else {}).items():
        when = moment(value)
        if when is not None and not isinstance(when, datetime):
            when = datetime.combine(when, time())
        if isinstance(value, int) and not -(2**31) <= value < 2**31:
            # XlsxWriter writes any integer as one of 32 bits
            value = float(value)
        workbook.set_custom_property(name, value if when is None else when)
