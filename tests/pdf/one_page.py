"""A file of one page with lines of text, made of the objects and fonts under test."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pikepdf
import pypdfium2

from jupyter_export.formats.pdf.encryption import Encryption
from jupyter_export.formats.pdf.fonts import Faces
from jupyter_export.formats.pdf.objects import PdfFile


def page(contents: Sequence[bytes], fonts: Faces, encryption: Encryption | None = None) -> bytes:
    """Return the file; each of ``contents`` draws one line."""
    pdf = PdfFile(encryption)
    parts = [pdf.header()]
    root, pages, leaf, content, resources, info = (pdf.reserve() for _ in range(6))
    operators = [b"BT"]
    for place, line in enumerate(contents):
        operators.append(b"1 0 0 1 30 %d Tm %b" % (800 - 20 * place, line))
    operators.append(b"ET")
    parts.append(pdf.place(content, pdf.sealed(content, b"\n".join(operators))))
    parts.append(
        pdf.packed(
            [
                (
                    leaf,
                    b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
                    b" /Resources %d 0 R >>" % (pages, content, resources),
                ),
                (pages, b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % leaf),
                (
                    root,
                    b"<< /Type /Catalog /Pages %d 0 R /Lang %b >>"
                    % (pages, pdf.text("en-GB", packed=True)),
                ),
            ]
        )
    )
    title = pdf.text("Überschrift (中文) \\")
    parts.append(pdf.object(info, b"<< /Title %b /Author %b >>" % (title, pdf.text("A (b)"))))
    parts.append(pdf.object(resources, b"<< %b >>" % fonts.resource_dictionary(pdf)))
    parts.extend(fonts.write(pdf))
    parts.append(pdf.finish(root, info))
    data = b"".join(parts)
    assert pdf.offset == len(data)
    return data


def problems(data: bytes, password: str = "") -> list[str]:
    """Return what qpdf finds wrong with a file: errors and warnings."""
    with pikepdf.open(BytesIO(data), password=password) as pdf:
        return [*pdf.check_pdf_syntax(), *map(str, pdf.get_warnings())]


def read(data: bytes, password: str | None = None) -> list[str]:
    """Return the lines of the first page as PDFium reads them."""
    document = pypdfium2.PdfDocument(data, password=password)
    try:
        text = document[0].get_textpage()
        try:
            return str(text.get_text_range()).split("\r\n")
        finally:
            text.close()
    finally:
        document.close()


def ink(data: bytes) -> int:
    """Return how many pixels of the first page are dark."""
    document = pypdfium2.PdfDocument(data)
    try:
        picture = document[0].render(scale=1).to_numpy()
        return int((picture[..., 0] < 128).sum())
    finally:
        document.close()
