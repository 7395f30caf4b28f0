"""HTML: one self-contained page whose table sorts and filters, in light and in dark.

Every row stands on a line of its own. Nothing is fetched from anywhere, and without its script the
page is still the whole table.
"""

from __future__ import annotations

import html as html_text
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..registry import (
    Bytes,
    Capabilities,
    Chunk,
    FileContext,
    Format,
    LossLedger,
    OptionsModel,
    RowCounter,
    Table,
)
from . import cells, shown
from .alike import Alike
from .appearance import Appearance
from .batches import even, in_order, peeked

_ROW = b"<tr><td"
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r\n", "<br>"), ("\n", "<br>"))


class HtmlOptions(Appearance):
    title: str | None = Field(None, max_length=500, description="Unset: the export's name.")
    page: Literal["whole", "fragment"] = Field(
        "whole", description="fragment: the bare table, to paste into a mail or a page."
    )
    interactive: bool = Field(True, description="Sorts by a click on a heading, and filters.")
    null: str = Field("", max_length=100, description="The text of a null.")


class HtmlFormat(Format):
    type: ClassVar[str] = "html"
    label: ClassVar[str] = "HTML"
    endings: ClassVar[tuple[str, ...]] = (".html", ".htm")
    media_type: ClassVar[str] = "text/html"
    options: ClassVar[OptionsModel] = HtmlOptions
    capabilities: ClassVar[Capabilities] = Capabilities(nested=False, multi_dataset=True)

    def encode_file(
        self,
        tables: Sequence[Table],
        options: HtmlOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        title = options.title or context.name
        several = len(tables) > 1
        if options.page == "whole":
            yield Chunk(_page_head(title, interactive=options.interactive), 0)
        for table in tables:
            yield Chunk(_table_head(table, several, options.decimal_separator), 0)
            ledger = losses.of(table.name if several else None)
            yield from _rows(table, options, context.threads, ledger)
            yield Chunk(b"</tbody>\n</table></div>\n</section>\n", 0)
        if options.page == "whole":
            yield Chunk(_page_foot(context, interactive=options.interactive), 0)

    def counter(self, options: HtmlOptions) -> RowCounter:
        return _RowTagCounter()

    def reader(self, schema: pa.Schema, path: str, options: Any, compression: str) -> str:
        return shown.NO_READER.format(label="An HTML page")

    def reader_of(
        self, tables: Mapping[str, pa.Schema], path: str, options: Any, compression: str
    ) -> str:
        return shown.NO_READER.format(label="An HTML page")


class _RowTagCounter(RowCounter):
    """Counts the tags that begin a row: in a cell's text, ``<`` is always escaped."""

    reads = "nothing"

    def __init__(self) -> None:
        self._rows = 0
        self._tail = b""

    def update(self, data: Bytes) -> None:
        seen = self._tail + bytes(data)
        self._rows += seen.count(_ROW)
        self._tail = seen[-(len(_ROW) - 1) :]

    def finish(self, path: Path) -> int:
        return self._rows


def _rows(table: Table, options: HtmlOptions, threads: int, losses: LossLedger) -> Iterator[Chunk]:
    first, batches = peeked(even(table.batches))
    style = cells.Style.of(options, units=cells.units_of(first))
    openings = [
        f'<td class="{kind}">' if kind else "<td>"
        for kind in ("n" if shown.is_number(f.type) else "" for f in table.schema)
    ]
    null = _escaped_text(options.null)
    alike = Alike(options.null)

    def rows(batch: pa.RecordBatch) -> Chunk:
        parts: list[Any] = []
        for index, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
            before = ("</td>" if index else "<tr>") + openings[index]
            few = shown.cells_of(column, name, style, losses, _escaped, alike)
            parts += [before, few]
        return Chunk(cells.whole_rows([*parts, "</td></tr>\n"], null), batch.num_rows)

    if not len(table.schema):
        batches = iter(())
    yield from in_order(rows, batches, threads)
    alike.report(losses)


def _escaped(texts: pa.Array) -> pa.Array:
    """Escape markup and line ends, so that a row stays one line."""
    _, rows = cells.rows_with(texts, [0x26, 0x3C, 0x3E, 0x0A, 0x0D])
    if rows is None:
        return texts
    few = pc.filter(texts, rows)
    for plain, escape in (*_ESCAPES, ("\r", "<br>")):
        few = pc.replace_substring(few, plain, escape)
    return pc.replace_with_mask(texts, rows, few)


def _escaped_text(text: str) -> str:
    return html_text.escape(text, quote=False)


def _table_head(table: Table, several: bool, point: str) -> bytes:
    heads = "".join(
        f'<th scope="col"{" class=n" if shown.is_number(f.type) else ""}>'
        f"{_escaped(pa.array([f.name]))[0].as_py()}</th>"
        for f in table.schema
    )
    # the script sorts by the numbers, and cannot tell 1,234 from 1.234 by itself
    shown_point = "" if point == "." else f' data-point="{point}"'
    heading = f"<h2>{_escaped_text(table.name)}</h2>\n" if several else ""
    return (
        f'<section>\n{heading}<div class="scroll"><table{shown_point}>\n<thead>\n'
        f'<tr class="head">{heads}</tr>\n'
        "</thead>\n<tbody>\n"
    ).encode()


def _page_head(title: str, *, interactive: bool) -> bytes:
    style = files(__package__).joinpath("html_page.css").read_text("utf-8")
    search = (
        '<p class="tools" hidden><input type="search" placeholder="Filter rows" '
        'aria-label="Filter rows"> <output></output></p>\n'
        if interactive
        else ""
    )
    shown_title = _escaped_text(title)
    return (
        '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown_title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<h1>{shown_title}</h1>\n{search}"
    ).encode()


def _page_foot(context: FileContext, *, interactive: bool) -> bytes:
    script = ""
    if interactive:
        code = files(__package__).joinpath("html_page.js").read_text("utf-8")
        script = f"<script>\n{code}</script>\n"
    made = f"{context.here.started:%Y-%m-%d %H:%M} UTC"
    return f"<footer>{made}</footer>\n{script}</body>\n</html>\n".encode()
