"""The peers of the formats that people read: workbooks, PDF, HTML, Markdown.

Registered as ``peers.PEERS`` is; the frames and what the clock measures are the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from .peers import PEERS, Write, pandas_frame, peer

__all__ = ["PEERS"]

_DATE, _MOMENT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


def _plain(table: pa.Table) -> pa.Table:
    """Return the frame as workbooks hold it: clocks without zone, texts without dictionary."""
    schema = pa.schema([(f.name, _plain_type(f.type)) for f in table.schema])
    return table.cast(schema)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _columns(table: pa.Table) -> tuple[list[str], list[list[Any]]]:
    plain = _plain(table)
    return plain.schema.names, [column.to_pylist() for column in plain.columns]


@peer("excel", "jetxl write_sheet_arrow")
def _(table: pa.Table, path: Path) -> Write:
    import jetxl

    plain = _plain(table)
    formats = {"created": "datetime", "day": "date"}

    def write() -> None:
        jetxl.write_sheet_arrow(
            plain,
            str(path),
            auto_filter=True,
            freeze_rows=1,
            styled_headers=True,
            column_formats=formats,
        )

    return write


@peer("excel", "XlsxWriter constant_memory")
def _(table: pa.Table, path: Path) -> Write:
    import xlsxwriter

    names, columns = _columns(table)

    def write() -> None:
        options = {"constant_memory": True, "default_date_format": _MOMENT}
        with xlsxwriter.Workbook(str(path), options) as book:
            sheet = book.add_worksheet("data")
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, names, book.add_format({"bold": True, "bg_color": "#eeeeee"}))
            day = book.add_format({"num_format": _DATE})
            sheet.set_column(2, 2, 12, day)
            for number, row in enumerate(zip(*columns, strict=True), 1):
                sheet.write_row(number, 0, row)
            sheet.autofilter(0, 0, len(columns[0]), len(names) - 1)

    return write


@peer("excel", "openpyxl write_only")
def _(table: pa.Table, path: Path) -> Write:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    names, columns = _columns(table)

    def write() -> None:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("data")
        sheet.freeze_panes = "A2"
        head = [WriteOnlyCell(sheet, value=name) for name in names]
        for cell in head:
            cell.font = Font(bold=True)
        sheet.append(head)
        # it gives dates their number format itself
        for row in zip(*columns, strict=True):
            sheet.append(row)
        sheet.auto_filter.ref = f"A1:J{len(columns[0]) + 1}"
        book.save(path)

    return write


@peer("pdf", "reportlab canvas")
def _(table: pa.Table, path: Path) -> Write:
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.pdfgen.canvas import Canvas

    names, columns = _columns(table)
    width, height = landscape(A4)
    right = {"id", "price", "score", "quantity"}

    def write() -> None:
        canvas = Canvas(str(path), pagesize=(width, height), pageCompression=1)
        step = (width - 60) / len(names)
        edges = [30 + i * step for i in range(len(names))]
        line = height

        def draw(cells: Any) -> None:
            for name, edge, cell in zip(names, edges, cells, strict=True):
                text = "" if cell is None else str(cell)[:24]
                if name in right:
                    canvas.drawRightString(edge + step - 4, line, text)
                else:
                    canvas.drawString(edge, line, text)

        for row in zip(*columns, strict=True):
            line -= 11
            if line < 30 or line > height - 12:
                if line < 30:
                    canvas.showPage()
                line = height - 30
                canvas.setFont("Helvetica-Bold", 7)
                draw(names)
                canvas.setFont("Helvetica", 7)
                line -= 11
            draw(row)
        canvas.save()

    return write


@peer("html", "pandas to_html")
def _(table: pa.Table, path: Path) -> Write:
    frame = pandas_frame(table)
    return lambda: frame.to_html(path, index=False)


@peer("markdown", "pandas to_markdown")
def _(table: pa.Table, path: Path) -> Write:
    frame = pandas_frame(table)
    return lambda: frame.to_markdown(path, index=False)
