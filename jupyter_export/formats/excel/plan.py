"""What each column of a sheet looks like: heading, number format, width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec
from ...registry import Loss, LossLedger
from . import serials
from .formulas import FormulaColumn, columns_of
from .furniture import link_template
from .named import Where, at_the_top, no_column
from .options import SheetOptions
from .sheets import COLUMNS
from .texts import LONGEST
from .widths import BOLD, GENERAL, SAMPLE, Reach, content, displayed, extent, reach

_OF_A_TABLE = 255
"""Characters of a table's heading (Excel specifications and limits)."""
_NO_CHARACTERS = dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd")
"""XML 1.0, section 2.2 has none of them."""
_NO_HEADING = re.compile("[\x00-\x09\x0b-\x1f\ufffe\uffff]")
"""What the part of a table, whose headings are attributes, cannot hold."""
_NARROWEST, _WIDEST = 5.0, 60.0
_FILTER_BUTTON = _ICON = 2.5
"""Their widths, in characters."""
_INDENT = 1.3
_PADDING = 1.5
_OF_A_HEADING = 0.5
"""The room beside it, which is less: nothing is lost where a heading hangs over."""
_POINTS = 11
"""Of the text in a workbook."""
_FORMULA = 999_999.0
"""What the values of a formula may come to, and those of one shown in percent."""
_SHARE = 9.99


@dataclass(frozen=True)
class ColumnPlan:
    """One column of a sheet, before any row is written."""

    name: str
    """As the dataset has it; of a formula column, its heading."""
    key: str
    """As the options name it: the heading, made unique."""
    heading: str
    """What the header shows."""
    number_format: str | None
    """None: General."""
    width: float | None
    """In characters; None: as Excel has it."""
    number: bool
    """Of numbers: no dates, no booleans."""
    text: bool = False
    linked: bool = False
    """Its cells are links."""
    formula: FormulaColumn | None = None
    indented: bool = False
    """Its values, at the right of their cells, keep apart from the texts behind them."""


def column_plans(
    schema: pa.Schema,
    first: pa.RecordBatch | None,
    options: SheetOptions,
    losses: LossLedger,
    at: Where = at_the_top,
    *,
    sheet: str | None = None,
    rows: int | None = None,
) -> list[ColumnPlan]:
    """Plan the columns of a sheet, those of formulas last; ``first`` is the first batch.

    Raises ``InvalidSpec`` for more columns than a sheet has, and for options that name a column
    which is none. ``at`` tells where an option stands in the document, ``sheet`` is the sheet's
    name, ``rows`` how many rows there are, if that is known.
    """
    count = len(schema) + len(options.formulas)
    if count > COLUMNS:
        raise InvalidSpec(
            f"A sheet of Excel holds {COLUMNS:,} columns, and there are {count:,}.",
            hint="Leave some out (columns), or export to CSV or Parquet.",
            field="columns",
        )
    headings = [*_headings(schema, options, at), *(f.name for f in options.formulas)]
    headings = _written(headings, options, losses)
    keys = _unique(headings, any_letters=options.table is not None)
    if keys != headings:
        _report(headings, keys, options, losses)
        if options.table is not None:
            headings = keys
    names = [*schema.names, *keys[len(schema) :]]
    _check_named(options, {*keys, *schema.names}, at, sheet)
    plans = []
    reaches: dict[str, Reach | None] = {}
    for index, (name, key, heading) in enumerate(zip(names, keys, headings, strict=True)):
        given = options.number_formats.get(key, options.number_formats.get(name))
        if index >= len(schema):
            formula = options.formulas[index - len(schema)]
            shown = given or formula.number_format
            computed = _of_formula(formula, reaches, shown)
            reaches[key] = computed
            ends = (computed.low, computed.high)
            wide = max(displayed(value, shown) for value in ends) if shown else GENERAL
            wide = max(wide, _of_total(key, index, shown, computed, True, options, rows))
            width = _width(key, name, heading, wide, options)
            plans.append(ColumnPlan(key, key, heading, shown, width, True, formula=formula))
            continue
        column = None if first is None else _plain(first.column(index).slice(0, SAMPLE))
        kind = _value_type(schema.types[index])
        shown = given or _number_format(kind, column, options)
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        numeric = numeric or pa.types.is_decimal(kind)
        if shown is not None and numeric and shows_dates(shown):
            losses.add(
                Loss("type", name, None, f"readers take numbers shown as {shown} for dates", None)
            )
        if first is not None and (numeric or pa.types.is_duration(kind)):
            column = _plain(first.column(index))
            reaches[key] = reach(column, rows)
        found = reaches.get(key)
        wide = content(kind, column, found, shown or "")
        wide = max(wide, _of_total(key, index, shown, found, numeric, options, rows))
        linked = link_template(options, key) is not None
        if linked and (serials.is_serial(kind) or pa.types.is_boolean(kind)):
            losses.add(Loss("type", name, None, "the cells of links show it as text", None))
        # the cells have a format of their own already: General ones would get longer by it
        indented = shown is not None and not _is_text(kind) and not pa.types.is_boolean(kind)
        indented &= index + 1 < len(schema) and _is_text(_value_type(schema.types[index + 1]))
        wide += _INDENT * indented
        plans.append(
            ColumnPlan(
                name,
                key,
                heading,
                shown,
                _width(key, name, heading, wide, options),
                numeric,
                _is_text(kind),
                linked,
                indented=indented,
            )
        )
    return plans


# ------------------------------------------------------------------ headings


def column_keys(schema: pa.Schema, options: SheetOptions, at: Where) -> set[str]:
    """Return the names that options have for the columns, but for those of formulas."""
    headings = _written(_headings(schema, options, at), options, LossLedger())
    return set(_unique(headings, any_letters=options.table is not None))


def _headings(schema: pa.Schema, options: SheetOptions, at: Where) -> list[str]:
    if not isinstance(options.header, tuple):
        return list(schema.names)
    if len(options.header) != len(schema):
        raise InvalidSpec(
            f"“header” names {len(options.header):,} columns, and there are {len(schema):,}.",
            field=at("header"),
        )
    return list(options.header)


def _written(headings: Sequence[str], options: SheetOptions, losses: LossLedger) -> list[str]:
    """Return the headings as cells hold them; those of a table, as it takes them."""
    if options.table is None:
        return [heading.translate(_NO_CHARACTERS)[:LONGEST] for heading in headings]
    out = []
    for number, heading in enumerate(headings, 1):
        text = _NO_HEADING.sub("\ufffd", heading) or f"Column{number}"
        if text != heading:
            message = f"a table has no such heading; here it is “{text}”"
            losses.add(Loss("unprintable", heading, 1, message, "header=[…]", heading))
        cut = _cut(text, _OF_A_TABLE)
        if cut != text:
            message = f"a heading of a table has {_OF_A_TABLE} characters"
            losses.add(Loss("text_cut", heading, 1, message, "header=[…]", heading))
        out.append(cut)
    return out


def _cut(text: str, units: int) -> str:
    """Return the first ``units`` units of UTF-16; a pair of surrogates stays whole."""
    return text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")


def _unique(headings: Sequence[str], *, any_letters: bool) -> list[str]:
    """Return the headings, those that stood before with a number behind them.

    ``any_letters``: large and small letters are the same, as they are for a table.
    """

    def same(heading: str) -> str:
        return heading.casefold() if any_letters else heading

    taken = {same(heading) for heading in headings}
    seen: set[str] = set()
    out = []
    for heading in headings:
        free, number = heading, 1
        while same(free) in seen or (number > 1 and same(free) in taken):
            number += 1
            ending = f" ({number})"
            free = _cut(heading, _OF_A_TABLE - len(ending)) if any_letters else heading
            free += ending
        seen.add(same(free))
        out.append(free)
    return out


def _report(
    headings: Sequence[str], keys: Sequence[str], options: SheetOptions, losses: LossLedger
) -> None:
    for heading, key in zip(headings, keys, strict=True):
        if heading != key:
            mended = f"; here it is “{key}”" if options.table is not None else ""
            losses.add(
                Loss(
                    "duplicate_header",
                    key,
                    1,
                    f"another column is called “{heading}” too{mended}",
                    "header=[…]",
                    heading,
                )
            )


def _check_named(options: SheetOptions, known: Iterable[str], at: Where, sheet: str | None) -> None:
    named: Mapping[str, object] = options.widths if isinstance(options.widths, dict) else {}
    for place, columns in (("widths", named), ("number_formats", options.number_formats)):
        for name in columns:
            if name not in known:
                raise no_column(name, known, at(place), sheet)


# ------------------------------------------------------------------ number formats


def _value_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _value_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _value_type(kind.value_type)
    return kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def shows_dates(number_format: str) -> bool:
    """Tell whether readers take the numbers of a format for dates or times, as openpyxl does:
    outside of quotes and of colours and conditions in brackets there is a d, m, h, y or s."""
    bare = re.sub(r'"[^"]*"|\\.|_.|\[(?!hh?\]|mm?\]|ss?\])[^\]]*\]', "", number_format.lower())
    return "general" not in bare and re.search("[dmhys]", bare) is not None


def _plain(column: pa.Array) -> pa.Array:
    """Return the values themselves of a dictionary or an extension type."""
    if isinstance(column.type, pa.BaseExtensionType):
        return _plain(column.storage)
    if pa.types.is_dictionary(column.type):
        return _plain(column.dictionary_decode())
    return column


def _number_format(kind: Any, column: Any, options: SheetOptions) -> str | None:
    if pa.types.is_date(kind):
        return options.date_format
    if serials.is_serial(kind):
        given, plain = options.timestamp_format, "yyyy-mm-dd hh:mm:ss"
        if pa.types.is_time(kind):
            given, plain = options.time_format, "hh:mm:ss"
        elif pa.types.is_duration(kind):
            given, plain = options.duration_format, "[h]:mm:ss"
        if given is not None:
            return given
        parts = column is not None and len(column) > 0 and serials.has_fractions(column)
        return plain + ".000" * parts
    if pa.types.is_decimal(kind) and 0 < kind.scale <= 15:
        return "0." + "0" * int(kind.scale)
    if pa.types.is_integer(kind) and kind.bit_width == 64 and column is not None:
        ends = pc.min_max(column).as_py()
        if ends["min"] is not None and max(abs(ends["min"]), abs(ends["max"])) >= 10**GENERAL:
            # General would show an exponent
            return "0"
    return None


# ------------------------------------------------------------------ widths


def _width(
    key: str, name: str, heading: str, content: float, options: SheetOptions
) -> float | None:
    if options.widths is None:
        return None
    if isinstance(options.widths, dict):
        given = options.widths.get(key, options.widths.get(name))
        if given is not None:
            return given
    head = 0.0
    if options.header is not False:
        look = options.header_style
        head = max(map(extent, heading.split("\n")))
        if look is not None:
            head *= (BOLD if look.bold else 1) * (look.size or _POINTS) / _POINTS
        if options.autofilter or options.table is not None:
            head += _FILTER_BUTTON
        head += _OF_A_HEADING
    if any(
        rule.type == "icon_set" and (not rule.columns or key in rule.columns)
        for rule in options.conditional_formats
    ):
        content += _ICON
    return round(min(max(head, content + _PADDING, _NARROWEST + _PADDING), _WIDEST), 1)


def _of_formula(
    formula: FormulaColumn, known: Mapping[str, Reach | None], shown: str | None
) -> Reach:
    """Return what the values of a formula may come to: the largest that it names, or a million."""
    named = [found for name in columns_of(formula.formula) if (found := known.get(name))]
    if shown is not None and "%" in shown:
        high = _SHARE
    else:
        high = max([_FORMULA, *(found.high for found in named)])
    negative = "-" in formula.formula or any(found.low < 0 for found in named)
    return Reach(-high if negative else 0.0, high, 1_000 * high)


def _of_total(
    key: str,
    index: int,
    shown: str | None,
    found: Reach | None,
    numeric: bool,
    options: SheetOptions,
    rows: int | None,
) -> float:
    """Return how wide the column's cell in the row of totals is."""
    if options.totals is None:
        return 0
    functions = options.totals.columns
    function = functions.get(key) if functions is not None else "sum" if numeric else None
    if function is None:
        return BOLD * extent(options.totals.label) if index == 0 else 0
    if function in ("count", "count_numbers"):
        shown = "#,##0"
    values = found.of(function, rows) if found is not None else ()
    return BOLD * max((displayed(value, shown or "") for value in values), default=0.0)
