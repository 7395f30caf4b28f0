"""The lines of Python that read a workbook back with the types that went in.

openpyxl is asked, and not one of the faster readers: it alone tells an empty text from no value.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from .. import readback
from . import serials, template_reader
from .furniture import link_template
from .names import sheet_name
from .options import ExcelOptions, SheetOptions

_COUNTED = (
    "with zipfile.ZipFile({path}) as parts:",
    "    counts = {{",
    "        sheet.title: parts.read(f'xl/worksheets/sheet{{n}}.xml').count(b'<row>')",
    "        for n, sheet in enumerate(book.worksheets, 1)",
    "    }}",
)
"""Rows of data have no number; totals, and cells below the rows, have one."""
_DIGITS = 15
_MODULES = ("base64", "datetime", "decimal", "itertools", "re", "zipfile")


def workbook(tables: Mapping[str, pa.Schema], path: str, options: ExcelOptions) -> str:
    """Return the lines for one table (``df``), or for several (``frames``)."""
    opened = f"book = openpyxl.load_workbook({path!r}, read_only=True, data_only=True)"
    closed = ["book.close()"]
    if not path.lower().endswith(".xlsx"):
        # openpyxl takes other endings only as an open file
        opened = f"file = open({path!r}, 'rb')\n" + opened.replace(repr(path), "file")
        closed.append("file.close()")
    if options.template is not None:
        # its faster way reads no tables and no names of one sheet
        opened = opened.replace("read_only=True, ", "")
    elif any(_has_more_rows(options.of(dataset)) for dataset in tables):
        opened += "\n" + "\n".join(line.format(path=repr(path)) for line in _COUNTED)
    if options.template is not None:
        ((dataset, schema),) = tables.items()
        own = options.of(dataset)
        headings = own.header if isinstance(own.header, tuple) else schema.names
        found = template_reader.lines(headings, path, options)
        body = [*found, *_table(schema, options, own)]
        body.append("df = table.to_pandas()")
    elif len(tables) == 1:
        ((dataset, schema),) = tables.items()
        body = [
            "rows = []",
            "for sheet in book.worksheets:",
            f"    rows += {_rows(schema, options.of(dataset))}",
            *_table(schema, options, options.of(dataset)),
            "df = table.to_pandas()",
        ]
    else:
        body = _several(tables, options)
    text = "\n".join([opened, *body, *closed])
    head = [f"import {name}" for name in _MODULES if f"{name}." in text]
    head += ["import openpyxl", "import pyarrow as pa"]
    if "pc." in text:
        head.append("import pyarrow.compute as pc")
    if "from_excel" in text or "to_excel" in text:
        head.append("from openpyxl.utils.datetime import from_excel, to_excel")
    return "\n".join([*head, text])


def _several(tables: Mapping[str, pa.Schema], options: ExcelOptions) -> list[str]:
    taken: list[str] = []
    for dataset in tables:
        own = options.of(dataset).sheet
        taken.append(sheet_name(dataset if own is None else own, taken))
    lines = [
        "frames, sheets, name = {}, {}, None",
        "for sheet in book.worksheets:",
        # a sheet that goes on from the one before it has a name of its own
        f"    name = {dict(zip(taken, tables, strict=True))!r}.get(sheet.title, name)",
        "    sheets.setdefault(name, []).append(sheet)",
    ]
    for dataset, schema in tables.items():
        lines += [
            "rows = []",
            f"for sheet in sheets[{dataset!r}]:",
            f"    rows += {_rows(schema, options.of(dataset))}",
            *_table(schema, options, options.of(dataset)),
            f"frames[{dataset!r}] = table.to_pandas()",
        ]
    return lines


def _rows(schema: pa.Schema, own: SheetOptions) -> str:
    first = 1 if own.header is False else 2
    rows = f"sheet.iter_rows(min_row={first}, max_col={len(schema)}, values_only=True)"
    return f"itertools.islice({rows}, counts[sheet.title])" if _has_more_rows(own) else rows


def _has_more_rows(own: SheetOptions) -> bool:
    """Tell whether something may stand below the rows."""
    beside = bool(own.cell_formulas) or any(link.cell is not None for link in own.hyperlinks)
    return beside or own.totals is not None


# ------------------------------------------------------------------ values


def _table(schema: pa.Schema, options: ExcelOptions, own: SheetOptions) -> list[str]:
    lines = [f"columns = list(zip(*rows)) or [()] * {len(schema)}", "table = pa.table(", "    ["]
    formats = {"date_format", "time_format", "timestamp_format", "duration_format"}
    chosen = bool(own.number_formats) or bool(formats & own.model_fields_set)
    headings = own.header if isinstance(own.header, tuple) else schema.names
    for index, (kind, heading) in enumerate(zip(schema.types, headings, strict=False)):
        read_as = readback.text_type(kind)
        links = link_template(own, heading) is not None
        if links and (serials.is_serial(read_as) or pa.types.is_boolean(read_as)):
            read_as = pa.string()
        shown = _column(f"columns[{index}]", read_as, options, chosen)
        if pa.types.is_float16(kind):
            shown += ".cast(pa.float16())"
        lines.append(f"        {shown},")
    return [*lines, "    ],", f"    names={schema.names!r},", ")"]


def _column(cells: str, kind: pa.DataType, options: ExcelOptions, chosen: bool) -> str:
    shown = readback.arrow_type(kind)
    if pa.types.is_duration(kind):
        shown = f"pa.duration({kind.unit!r})"
    value = _value(kind, options, chosen)
    if value is None or shown is None:
        shown, value = "pa.string()", "v"
    values = f"[None if v is None else {value} for v in {cells}]" if value != "v" else cells
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        naive = f"pa.array({values}, pa.timestamp({kind.unit!r}))"
        rules = "ambiguous='earliest', nonexistent='earliest'"
        return f"pc.assume_timezone({naive}, {kind.tz!r}, {rules})"
    return f"pa.array({values}, {shown})"


def _value(kind: pa.DataType, options: ExcelOptions, chosen: bool) -> str | None:
    """Return the expression that makes a value of the cell ``v``, or None: it is text.

    ``chosen``: the number formats are the user's, so that a date may be read as a number, and a
    number as a date.
    """
    number = "(v if isinstance(v, (int, float, str)) else to_excel(v))" if chosen else "v"
    moment = "(from_excel(v) if isinstance(v, (int, float)) else v)" if chosen else "v"
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return "v"
    if pa.types.is_integer(kind):
        return f"int({number})"
    if pa.types.is_floating(kind):
        if options.nan == "error":
            return f"float('nan' if str(v)[0] == '#' else {number})"
        return f"float({number})"
    if pa.types.is_decimal(kind):
        text = f"decimal.Decimal(str({number}))"
        if options.long_numbers == "text" or kind.precision <= _DIGITS:
            return text
        # a double may be the next power of ten
        most = "9" * kind.precision + f"E{-kind.scale}"
        return f"max(decimal.Decimal('-{most}'), min(decimal.Decimal('{most}'), {text}))"
    if pa.types.is_string(kind):
        # openpyxl leaves the escapes of control characters as they are
        return "re.sub('_x([0-9A-Fa-f]{4})_', lambda m: chr(int(m[1], 16)), v)"
    if pa.types.is_date(kind):
        return f"datetime.date.fromisoformat(v) if isinstance(v, str) else {moment}.date()"
    if pa.types.is_timestamp(kind):
        return f"datetime.datetime.fromisoformat(v[:26]) if isinstance(v, str) else {moment}"
    if pa.types.is_time(kind):
        return moment
    if pa.types.is_duration(kind):
        if not chosen:
            return "v"
        return f"v if isinstance(v, datetime.timedelta) else from_excel({number}, timedelta=True)"
    return None
