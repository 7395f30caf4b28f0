"""Tables -> a PDF file, without the rest of the pipeline; and what other programs read in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pikepdf
import pyarrow as pa
import pypdfium2

from jupyter_export.formats.pdf import PdfFormat
from jupyter_export.losses import Loss, LossLedger
from jupyter_export.registry import FileContext, Surroundings, Table, check_options

STARTED = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)


def table(name: str, data: Any, batch_rows: int = 100) -> Table:
    arrow = data if isinstance(data, pa.Table) else pa.table(data)
    batches = iter(arrow.to_batches(max_chunksize=batch_rows))
    return Table(name, arrow.schema, batches, arrow.num_rows)


class Written:
    """A finished file."""

    def __init__(self, path: Path, rows: int, losses: Sequence[Loss], options: Any) -> None:
        self.path = path
        self.rows = rows
        self.losses = losses
        self.options = options

    @property
    def counted(self) -> int:
        return PdfFormat().counter(self.options).finish(self.path)

    def loss(self, kind: str) -> dict[str, int | None]:
        return {loss.column: loss.count for loss in self.losses if loss.kind == kind}

    def pages(self, password: str | None = None) -> list[str]:
        """The text of each page, as PDFium reads it."""
        document = pypdfium2.PdfDocument(self.path, password=password)
        try:
            return [_text(page) for page in document]
        finally:
            document.close()

    def lines(self) -> list[str]:
        return [line for page in self.pages() for line in page.splitlines()]

    def edges(self, *words: str) -> dict[str, tuple[float, float]]:
        """Where the first occurrence of each word begins and ends on the first page, in points."""
        document = pypdfium2.PdfDocument(self.path)
        page = document[0]
        text = page.get_textpage()
        found = {}
        for word in words:
            index, count = text.search(word, match_whole_word=True).get_next()
            left, right = text.get_charbox(index), text.get_charbox(index + count - 1)
            found[word] = (left[0], right[2])
        text.close()
        page.close()
        document.close()
        return found

    def opened(self, password: str = "") -> pikepdf.Pdf:
        """The file in pikepdf, after qpdf found nothing wrong with it."""
        pdf = pikepdf.open(self.path, password=password)
        assert pdf.check_pdf_syntax() == []
        return pdf


def _text(page: Any) -> str:
    text = page.get_textpage()
    try:
        return str(text.get_text_bounded()).replace("\r\n", "\n")
    finally:
        text.close()
        page.close()


def written(folder: Path, tables: Sequence[Table], name: str = "report", **options: Any) -> Written:
    checked = check_options(PdfFormat(), options)
    surroundings = Surroundings(
        folder, folder / "out.pdf", folder / "out.part", folder, folder, started=STARTED
    )
    context = FileContext(name, name, ".pdf", surroundings)
    ledger = LossLedger()
    rows = 0
    path = folder / f"out{len(list(folder.iterdir()))}.pdf"
    with path.open("wb") as file:
        for chunk in PdfFormat().encode_file(tables, checked, context, ledger):
            file.write(chunk.data)
            rows += chunk.rows
    return Written(path, rows, list(ledger), checked)


def bookmarks(pdf: pikepdf.Pdf) -> Iterator[tuple[int, str]]:
    """(level, title) of the outline."""
    with pdf.open_outline() as outline:
        waiting = [(0, item) for item in reversed(outline.root)]
        while waiting:
            level, item = waiting.pop()
            yield level, str(item.title)
            waiting += [(level + 1, child) for child in reversed(item.children)]
