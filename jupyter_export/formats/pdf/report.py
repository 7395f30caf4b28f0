"""The course of a PDF file: its tables as pages, then everything that is known at the end."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec, did_you_mean
from ...registry import Chunk, FileContext, LossLedger, Table
from .. import cells
from ..batches import even, in_order, peeked
from .chart_data import ChartData
from .chart_page import CHARTS_ON_A_PAGE, chart_page, chart_title
from .document import Document, Element, Entry, Slot
from .encryption import PERMISSIONS, Encryption
from .fonts import faces
from .furniture import Edges, Pen, title_page
from .grouping import Grouping
from .groups import wanted
from .images import Image, opened
from .layout import Measured, alignment, known, laid_out
from .objects import PdfFile
from .options import MILLIMETRE, PdfOptions, TitlePage
from .pages import Page, Paginator
from .rows import CellTexts, RowSetter
from .typesetting import Typesetter

_ROWS = 16_384
"""Rows that are set at once: a few megabytes of operators."""
_CELLS = 400_000
"""Nor more cells than these, in a table of many columns."""
_PAGES = 64
"""Pages that a thread deflates at once."""
_SAMPLE = 4_096
"""Rows that column widths are taken from."""
_USUAL = 0.98
"""The share of texts that a column is made for, where there is no room for all of them."""


@dataclass
class _Tails:
    """What pages of one table (or of charts) say when the number of all pages is known."""

    dataset: str
    first: int
    """The number of the first one."""
    paper: tuple[float, float]
    objects: array[int] = field(default_factory=lambda: array("q"))


class Report:
    """One file; ``chunks`` is called once."""

    def __init__(
        self,
        tables: Sequence[Table],
        options: PdfOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> None:
        self._tables = tables
        self._options = options
        self._context = context
        self._losses = losses
        names = [name for table in tables for name in table.schema.names]
        for option in (
            "widths",
            "align",
            "number_formats",
            "repeat_columns",
            "group_by",
            "subtotals",
            "grand_totals",
        ):
            known(names, getattr(options, option), option)
        encryption = None
        if options.password is not None:
            allowed = PERMISSIONS if options.permissions is None else options.permissions
            encryption = Encryption(options.password, options.owner_password, allowed)
        self._faces = faces(options.fonts, context.here)
        self._pen = Pen(self._faces, losses)
        self._pdf = PdfFile(encryption)
        self._document = Document(self._pdf, options.language)
        self._title = context.name if options.title is None else options.title
        self._date = context.here.started.strftime("%Y-%m-%d")
        self._edges = Edges(options, self._pen, {"title": self._title, "date": self._date})
        self._tails: list[_Tails] = []
        self._charts: dict[int, ChartData] = {}
        datasets = [table.name for table in tables]
        for i, chart in enumerate(options.charts):
            if chart.dataset is not None and chart.dataset not in datasets:
                raise InvalidSpec(
                    f"A chart is of “{chart.dataset}”, and there is no such dataset.",
                    hint=did_you_mean(chart.dataset, datasets),
                    field=f"format.charts[{i}].dataset",
                )
        self._rows: dict[str, int] = {}
        self._pictures: list[tuple[bytes, int, Image]] = []
        """Name, object and pixels of what the resources name beside fonts."""
        given = options.title_page
        if isinstance(given, TitlePage) and given.logo is not None:
            field = "format.title_page.logo"
            with context.here.open_file(given.logo, field) as file:
                picture = opened(file, PurePath(given.logo).name, field)
            self._pictures.append((b"Logo", self._pdf.reserve(), picture))

    def chunks(self) -> Iterator[Chunk]:
        """Yield the file."""
        yield Chunk(self._pdf.header(), 0)
        options = self._options
        page = 1 + bool(options.title_page)
        at_start = bool(options.charts) and options.charts_at == "start"
        if at_start:
            page += -(-len(options.charts) // CHARTS_ON_A_PAGE)
        for table in self._tables:
            page = yield from self._table(table, page)
        if options.title_page:
            yield Chunk(self._title_page(), 0)
        if options.charts:
            first = 1 + bool(options.title_page) if at_start else page
            yield Chunk(b"".join(self._chart_pages(first, "front" if at_start else "back")), 0)
        yield from self._end()

    def _charts_of(self, table: Table, texts: CellTexts) -> list[ChartData]:
        made = []
        for i, chart in enumerate(self._options.charts):
            if (chart.dataset or self._tables[0].name) == table.name:
                made.append(self._charts.setdefault(i, ChartData(chart, i, table.schema, texts)))
        return made

    def _chart_pages(self, page: int, section: str) -> Iterator[bytes]:
        options, document = self._options, self._document
        turn = "landscape" if options.orientation == "landscape" else "portrait"
        paper = options.page_size(turn)
        element = document.element(b"Sect", document.top)
        for start in range(0, len(options.charts), CHARTS_ON_A_PAGE):
            slot = document.page(paper, tail=self._edges.tells_total)
            entries = []
            shown = []
            for i in range(start, min(start + CHARTS_ON_A_PAGE, len(options.charts))):
                data = self._charts[i]
                title = chart_title(data.chart)
                entries.append(title)
                figure = document.element(b"Figure", element, title)
                shown.append((slot.mark(figure), data.chart, data.series(), title))
            content = chart_page(self._pen, options, shown, paper, self._edges.areas)
            content += self._edges.shown(page, "", paper)
            document.add(slot, section)
            self._tails.append(_Tails("", page, paper, array("q", [slot.tail])))
            if start == 0:
                entry = Entry("Charts", slot.number, paper[1])
                document.outline.insert(0 if section == "front" else len(document.outline), entry)
            page += 1
            yield self._pdf.stream(slot.contents, content)

    def _title_page(self) -> bytes:
        document, options = self._document, self._options
        turn = "landscape" if options.orientation == "landscape" else "portrait"
        slot = document.page(options.page_size(turn), tail=False)
        section = Element(self._pdf.reserve(), b"Sect")
        document.top.children.insert(0, section)
        for kind in (b"H1", b"P"):
            slot.mark(document.element(kind, section))
        facts = [f"{name}: {rows:,} rows" for name, rows in self._rows.items()]
        logo = None
        if self._pictures:
            name, _, picture = self._pictures[0]
            logo = (name, float(picture.width), float(picture.height))
        content = title_page(self._pen, options, self._title, self._date, facts, slot.paper, logo)
        document.add(slot, "front")
        return self._pdf.stream(slot.contents, content)

    # ------------------------------------------------------------------ a table

    def _table(self, table: Table, page: int) -> Generator[Chunk, None, int]:
        options, document = self._options, self._document
        several = len(self._tables) > 1
        losses = self._losses.of(table.name) if several else self._losses
        first, batches = peeked(even(table.batches, self._batch_rows(table)))
        texts = CellTexts(table.schema, options, cells.units_of(first))
        hidden = options.group_by
        charts = self._charts_of(table, texts)
        by = [
            (table.schema.names.index(name), name) for name in hidden if name in table.schema.names
        ]
        headings = {i for i, _ in by}
        shown = [i for i in range(len(table.schema)) if i not in headings]
        subtotals = wanted(table.schema, options.subtotals, "subtotals", hidden) if by else []
        totals = wanted(table.schema, options.grand_totals, "grand_totals", hidden)
        layout = laid_out(
            self._measured(table, first, shown, texts), options, self._faces, self._edges.areas
        )
        setter = Typesetter(self._faces, layout.size, layout.leading)
        row_setter = RowSetter(layout, setter, texts, losses)
        section = document.element(b"Sect", document.top, table.name)
        pages = Paginator(
            document,
            layout,
            options,
            self._pen,
            self._edges,
            losses,
            title=table.name if several else self._title,
            dataset=table.name,
            first_page=page,
            section=section,
            levels=len(by),
        )

        grouping = Grouping(
            pages, row_setter, texts, options, document, by, subtotals, totals, losses, charts
        )

        def made() -> Iterator[Page]:
            for each in in_order(grouping.set, batches, self._context.threads):
                yield from grouping.pages(each)
            yield from grouping.finish()

        tails = _Tails(table.name, page, layout.page)
        self._tails.append(tails)
        for bundle in in_order(self._sealed, _bundles(made()), self._context.threads):
            out = []
            count = 0
            for slot, sealed, rows in bundle:
                document.add(slot, "body")
                tails.objects.append(slot.tail)
                out.append(self._pdf.place(slot.contents, sealed))
                count += rows
            out.append(document.full())
            self._rows[table.name] = self._rows.get(table.name, 0) + count
            yield Chunk(b"".join(out), count)
        row_setter.finish()
        return page + len(tails.objects)

    def _batch_rows(self, table: Table) -> int:
        most = _ROWS if self._options.overflow == "ellipsis" else _ROWS // 2
        return min(most, max(64, _CELLS // max(len(table.schema), 1)))

    def _sealed(self, pages: list[Page]) -> list[tuple[Slot, bytes, int]]:
        return [
            (page.slot, self._pdf.sealed(page.slot.contents, b"".join(page.content)), page.rows)
            for page in pages
        ]

    def _measured(
        self, table: Table, first: pa.RecordBatch | None, shown: Sequence[int], texts: CellTexts
    ) -> list[Measured]:
        options = self._options
        setter = self._pen.setter(options.font_size)
        bold = self._pen.setter(options.font_size, True)
        more = first is not None and (table.total_rows or 2**62) > min(first.num_rows, _SAMPLE)
        out = []
        for i in shown:
            name, kind = table.schema.names[i], table.schema.types[i]
            align, condensable = alignment(kind)
            widest = usual = 0
            if first is not None and first.num_rows:
                text = self._sample(first.column(i), name, texts)
                if options.overflow == "wrap" and not condensable:
                    text = pc.list_flatten(pc.split_pattern(text, "\n"))
                widths = setter.measured(text)
                widest = int(widths.max(initial=0))
                usual = int(np.quantile(widths, _USUAL)) if len(widths) else 0
                if more:
                    # later rows may need more: a digit, or a little
                    widest = widest + 600 if condensable else int(widest * 1.05)
                    usual = min(widest, int(usual * 1.05))
            words = name.replace("_", "_ ").split() or [""]
            for option in (options.subtotals, options.grand_totals):
                # totals are bold, longer than what they add up, and say what they are
                function = option.get(name)
                if function == "sum":
                    widest = max(widest, int(widest * 1.12) + 1_500)
                elif function is not None:
                    widest = max(widest, int(widest * 1.12) + int(bold.line(function)[1]))
            # on two lines rather than three
            heading = max(*(bold.line(word)[1] for word in words), bold.line(name)[1] * 0.55)
            given = options.widths.get(name)
            out.append(
                Measured(
                    i,
                    name,
                    options.align.get(name, align),
                    condensable,
                    widest,
                    usual,
                    int(min(heading, 12_000)),
                    None if given is None else given * MILLIMETRE,
                )
            )
        return out

    def _sample(self, column: pa.Array, name: str, texts: CellTexts) -> pa.Array:
        part = column[:_SAMPLE]
        if isinstance(part.type, pa.BaseExtensionType):
            part = part.storage
        if pa.types.is_dictionary(part.type):
            part = part.dictionary_decode()
        return pc.fill_null(texts.of(part, name, LossLedger()), texts.null)

    # ------------------------------------------------------------------ the end

    def _end(self) -> Iterator[Chunk]:
        document, pdf = self._document, self._pdf
        total = document.pages
        waiting: list[bytes] = []
        for tails in self._tails if self._edges.tells_total else ():
            for page, tail in enumerate(tails.objects, tails.first):
                shown = self._edges.shown(page, tails.dataset, tails.paper, total)
                waiting.append(pdf.stream(tail, shown, compress=False))
                if len(waiting) == 1000:
                    yield Chunk(b"".join(waiting), 0)
                    waiting = []
        fonts = self._faces.resource_dictionary(pdf)
        named = b""
        for name, number, picture in self._pictures:
            waiting += picture.write(pdf, number)
            named += b"/%s %d 0 R " % (name, number)
        for name, number, operators, (width, height) in document.forms:
            extra = b"/Type /XObject /Subtype /Form /BBox [0 0 %d %d]" % (width + 1, height + 1)
            waiting.append(pdf.stream(number, operators, extra))
            named += b"/%s %d 0 R " % (name, number)
        resources = b"<< %s /XObject << %s >> >>" % (fonts, named)
        waiting.append(pdf.object(document.resources, resources))
        yield Chunk(b"".join(waiting), 0)
        for part in self._faces.write(pdf):
            yield Chunk(part, 0)
        info = {
            "Title": self._title,
            "Author": self._options.author,
            "Subject": self._options.subject,
            "Keywords": ", ".join(self._options.keywords),
            "Creator": "jupyter_export",
            "Producer": "jupyter_export",
        }
        for part in document.finish(("front", "body", "back"), info, self._context.here.started):
            yield Chunk(part, 0)


def _bundles(pages: Iterable[Page]) -> Iterator[list[Page]]:
    bundle: list[Page] = []
    for page in pages:
        bundle.append(page)
        if len(bundle) == _PAGES:
            yield bundle
            bundle = []
    if bundle:
        yield bundle
