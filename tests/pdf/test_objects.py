"""The objects of a PDF file, read by qpdf (pikepdf) and PDFium."""

from __future__ import annotations

from io import BytesIO

import pikepdf
import pytest

from jupyter_export.formats.pdf.fonts import faces
from jupyter_export.formats.pdf.objects import PdfFile, name, number

from .one_page import page, problems, read


def test_a_file_is_whole_and_reads_back() -> None:
    fonts = faces()
    data = page([b"/%b 10 Tf (Hello) Tj" % fonts.simple()], fonts)
    assert data.startswith(b"%PDF-1.7\n%")
    assert data.endswith(b"%%EOF\n")
    assert problems(data) == []
    assert read(data) == ["Hello"]
    with pikepdf.open(BytesIO(data)) as pdf:
        assert pdf.docinfo["/Title"] == "Überschrift (中文) \\"
        assert pdf.docinfo["/Author"] == "A (b)"
        assert pdf.Root.Lang == "en-GB"
        first, second = pdf.trailer.ID
        assert bytes(first) == bytes(second)
        assert len(bytes(first)) == 16


def test_the_same_calls_give_the_same_bytes() -> None:
    def made() -> bytes:
        fonts = faces()
        return page([fonts.runs("Привет שלום").show(b"9")], fonts)

    assert made() == made()


def test_numbers_that_stay_free_and_many_objects() -> None:
    pdf = PdfFile()
    parts = [pdf.header()]
    root = pdf.reserve()
    pdf.reserve(50)
    pages = pdf.reserve()
    first = pdf.reserve(20_000)
    members = [
        (
            first + at,
            b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 9 9] /Resources << >> >>" % pages,
        )
        for at in range(20_000)
    ]
    parts += [pdf.packed(members[at : at + 200]) for at in range(0, 20_000, 200)]
    kids = b" ".join(b"%d 0 R" % member for member, _ in members)
    parts.append(pdf.object(pages, b"<< /Type /Pages /Kids [%b] /Count 20000 >>" % kids))
    parts.append(pdf.object(root, b"<< /Type /Catalog /Pages %d 0 R >>" % pages))
    parts.append(pdf.finish(root))
    data = b"".join(parts)
    assert problems(data) == []
    with pikepdf.open(BytesIO(data)) as opened:
        assert len(opened.pages) == 20_000
    assert len(data) < 500_000


def test_streams_keep_their_bytes() -> None:
    pdf = PdfFile()
    parts = [pdf.header()]
    root, pages, packed, plain = (pdf.reserve() for _ in range(4))
    body = bytes(range(256)) * 40
    sealed = pdf.sealed(packed, body, b"/Kind /Packed")
    parts.append(pdf.stream(plain, body, b"/Kind /Plain", compress=False))
    parts.append(pdf.place(packed, sealed))
    parts.append(pdf.object(pages, b"<< /Type /Pages /Kids [] /Count 0 >>"))
    parts.append(
        pdf.object(
            root, b"<< /Type /Catalog /Pages %d 0 R /A %d 0 R /B %d 0 R >>" % (pages, packed, plain)
        )
    )
    parts.append(pdf.finish(root))
    data = b"".join(parts)
    with pikepdf.open(BytesIO(data)) as opened:
        assert opened.Root.A.read_bytes() == body
        assert opened.Root.A.Kind == "/Packed"
        assert opened.Root.B.read_raw_bytes() == body
    assert body in data


def test_an_object_is_written_once() -> None:
    pdf = PdfFile()
    taken = pdf.reserve()
    pdf.object(taken, b"null")
    with pytest.raises(ValueError, match="twice"):
        pdf.object(taken, b"null")


def test_nothing_to_pack_is_nothing() -> None:
    assert PdfFile().packed([]) == b""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, b"0"),
        (-0.00001, b"0"),
        (12, b"12"),
        (0.5, b"0.5"),
        (-1.23456, b"-1.2346"),
        (1e7, b"10000000"),
    ],
)
def test_numbers(value: float, written: bytes) -> None:
    assert number(value) == written


def test_names() -> None:
    assert name("Noto Sans/#é") == b"/Noto#20Sans#2F#23#C3#A9"


@pytest.mark.parametrize("string", ["", "plain", "(\\)", "line\nend", "é", "中", "😀", "\ud800"])
def test_text_strings_read_back(string: str) -> None:
    pdf = PdfFile()
    parts = [pdf.header()]
    root, pages = pdf.reserve(), pdf.reserve()
    parts.append(pdf.object(pages, b"<< /Type /Pages /Kids [] /Count 0 >>"))
    parts.append(
        pdf.object(root, b"<< /Type /Catalog /Pages %d 0 R /S %b >>" % (pages, pdf.text(string)))
    )
    parts.append(pdf.finish(root))
    with pikepdf.open(BytesIO(b"".join(parts))) as opened:
        assert str(opened.Root.S) == string.replace("\ud800", "?")
