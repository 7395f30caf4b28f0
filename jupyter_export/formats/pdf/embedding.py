"""Faces as PDF fonts: subsets of their files, widths, and what their glyphs read back as."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import RunError
from .face import Face
from .font_files import FontFile
from .objects import PdfFile, name, number

FIRST, LAST = 32, 255
_KEPT = frozenset(("glyf", "loca", "head", "hhea", "hmtx", "maxp", "cmap", "cvt ", "fpgm", "prep"))
"""Tables of an embedded TrueType font (9.9)."""


def _cp1252() -> dict[int, int]:
    found = {}
    for code in range(FIRST, LAST + 1):
        try:
            found[code] = ord(bytes((code,)).decode("cp1252"))
        except UnicodeDecodeError:
            continue
    del found[0x7F]
    return found


CODES: Mapping[int, int] = _cp1252()
"""Code of WinAnsiEncoding (annex D.2) -> code point."""


def winansi(code: int) -> int:
    """Return the code point of the glyph that WinAnsiEncoding names for a code."""
    return {0xA0: 0x20, 0xAD: 0x2D}.get(code, CODES[code])


def fonts(pdf: PdfFile, face: Face, simple: int | None, composite: int | None) -> Iterator[bytes]:
    """Yield the objects of a face: ``simple`` and ``composite`` are the numbers of its fonts."""
    glyphs = face.used_glyphs()
    codes = sorted({winansi(code) for code in CODES}) if simple is not None else []
    program = _subset(face.file, glyphs, codes)
    postscript = _tag(face, glyphs, codes) + face.file.postscript_name
    file = pdf.reserve()
    is_cff = "CFF " in program.table_tags
    if is_cff:
        data = bytes(program.reference_table("CFF ").data)
        yield pdf.stream(file, data, b"/Subtype /CIDFontType0C")
    else:
        data = bytes(program.blob.data)
        yield pdf.stream(file, data, b"/Length1 %d" % len(data))
    entry = b"/FontFile3 %d 0 R" if is_cff else b"/FontFile2 %d 0 R"
    if simple is not None and not is_cff:
        yield from _simple(pdf, simple, face, postscript, entry % file)
    elif simple is not None:
        yield from _one_byte(pdf, simple, face, postscript, entry % file)
    if composite is not None:
        mapping = pdf.reserve()
        texts = ((b"%04X" % glyph, face.text_of(glyph)) for glyph in glyphs)
        yield pdf.stream(mapping, _to_unicode(b"<0000> <FFFF>", texts))
        yield from _composite(
            pdf, composite, face, postscript, entry % file, b"/Identity-H", glyphs, mapping
        )


def _subset(file: FontFile, glyphs: Sequence[int], codes: Sequence[int]) -> Any:
    """Return a face with these glyphs alone, each at its number of old."""
    import uharfbuzz

    flags = uharfbuzz.SubsetFlags
    wanted = uharfbuzz.SubsetInput()
    wanted.glyph_set.update([0, *glyphs])
    wanted.unicode_set.update(codes)
    wanted.flags = (
        flags.RETAIN_GIDS
        | flags.NO_HINTING
        | flags.NOTDEF_OUTLINE
        # a PDF has no CFF2, and finds the glyphs of a CID-keyed CFF by its charset (9.7.4.2)
        | flags.DOWNGRADE_CFF2
        | flags.CFF_IDENTITY_CHARSET
    )
    dropped = set(file.face.table_tags) - _KEPT - {"CFF ", "CFF2"} - _VARIATIONS
    if not codes:
        dropped.add("cmap")
    wanted.drop_table_tag_set.update(
        int.from_bytes(tag.encode("latin-1"), "big") for tag in dropped
    )
    if file.face.has_var_data:
        wanted.pin_all_axes_to_default(file.face)
        if file.bold_variation:
            wanted.pin_axis_location(file.face, "wght", 700)
    try:
        return uharfbuzz.subset(file.face, wanted)
    except RuntimeError:
        raise RunError(
            f"The font “{file.family}” ({file.path.name}) is damaged and cannot be embedded.",
            hint="Name another font that has the characters, as font.",
        ) from None


_VARIATIONS = frozenset(("fvar", "gvar", "avar", "HVAR", "MVAR", "cvar", "STAT"))
"""Tables that an instance of a variable font is made from."""


def _tag(face: Face, glyphs: Sequence[int], codes: Sequence[int]) -> str:
    """Return the tag of a subset (9.6.4): six letters that differ where the subsets differ."""
    told = f"{face.file.postscript_name} {face.file.index} {glyphs} {codes}".encode()
    digest = hashlib.sha256(told).digest()
    return "".join(chr(ord("A") + byte % 26) for byte in digest[:6]) + "+"


def _descriptor(face: Face, postscript: str, file: bytes, flags: int) -> bytes:
    """Return a font descriptor (table 122)."""
    metric = face.metric
    box = [metric("head", place) or 0 for place in (36, 38, 40, 42)]
    cap = metric("OS/2", 88, least=96) or metric("OS/2", 68) or 700
    return b"".join(
        (
            b"<< /Type /FontDescriptor /FontName %b /Flags %d" % (name(postscript), flags),
            b" /FontBBox [%b]" % b" ".join(map(number, box)),
            b" /ItalicAngle %b" % number(_italic_angle(face)),
            b" /Ascent %b /Descent %b" % (number(ascent(face)), number(descent(face))),
            b" /CapHeight %b /StemV %d %b >>" % (number(cap), 140 if face.file.bold else 80, file),
        )
    )


def ascent(face: Face) -> float:
    return face.metric("hhea", 4) or 900.0


def descent(face: Face) -> float:
    return face.metric("hhea", 6) or -250.0


def _italic_angle(face: Face) -> float:
    if "post" not in face.file.tables:
        return 0.0
    data = bytes(face.file.face.reference_table("post").data)
    return int.from_bytes(data[4:8], "big", signed=True) / 65536


def _simple(pdf: PdfFile, font: int, face: Face, postscript: str, file: bytes) -> Iterator[bytes]:
    """Yield a simple TrueType font with WinAnsiEncoding (9.6.3, 9.6.6.4)."""
    descriptor, mapping = pdf.reserve(), pdf.reserve()
    yield pdf.object(descriptor, _descriptor(face, postscript, file, 32))
    texts = ((b"%02X" % code, chr(point)) for code, point in CODES.items())
    yield pdf.stream(mapping, _to_unicode(b"<00> <FF>", texts))
    widths = b" ".join(map(number, single_byte_widths(face)[FIRST:].tolist()))
    yield pdf.object(
        font,
        b"<< /Type /Font /Subtype /TrueType /BaseFont %b /FirstChar %d /LastChar %d"
        b" /Widths [%b] /FontDescriptor %d 0 R /Encoding /WinAnsiEncoding /ToUnicode %d 0 R >>"
        % (name(postscript), FIRST, LAST, widths, descriptor, mapping),
    )


def single_byte_widths(face: Face) -> np.ndarray:
    """Return the widths by code of WinAnsiEncoding (float32[256])."""
    found = np.zeros(256, np.float32)
    for code in CODES:
        found[code] = face.width(face.glyph(winansi(code)))
    return found


def _one_byte(pdf: PdfFile, font: int, face: Face, postscript: str, file: bytes) -> Iterator[bytes]:
    """Yield the same for CFF, whose simple fonts go by names of glyphs that it may not have.

    A composite font with codes of one byte (9.7.5.3) needs none.
    """
    encoding, mapping = pdf.reserve(), pdf.reserve()
    by_code = {code: face.glyph(winansi(code)) for code in CODES}
    lines = [b"<%02X> %d" % pair for pair in by_code.items()]
    cmap = _cmap(b"WinAnsi", b"<00> <FF>", b"cidchar", lines, kind=1)
    extra = b"/Type /CMap /CMapName /WinAnsi /CIDSystemInfo %b" % _SYSTEM
    yield pdf.stream(encoding, cmap, extra)
    texts = ((b"%02X" % code, chr(point)) for code, point in CODES.items())
    yield pdf.stream(mapping, _to_unicode(b"<00> <FF>", texts))
    glyphs = sorted(set(by_code.values()))
    reference = b"%d 0 R" % encoding
    yield from _composite(pdf, font, face, postscript, file, reference, glyphs, mapping)


def _composite(
    pdf: PdfFile,
    font: int,
    face: Face,
    postscript: str,
    file: bytes,
    encoding: bytes,
    glyphs: Sequence[int],
    mapping: int,
) -> Iterator[bytes]:
    """Yield a Type 0 font whose characters are the glyphs of the file (9.7)."""
    descriptor, descendant = pdf.reserve(), pdf.reserve()
    yield pdf.object(descriptor, _descriptor(face, postscript, file, 4))
    is_cff = file.startswith(b"/FontFile3")
    kind = b"/CIDFontType0" if is_cff else b"/CIDFontType2 /CIDToGIDMap /Identity"
    yield pdf.object(
        descendant,
        b"<< /Type /Font /Subtype %b /BaseFont %b /CIDSystemInfo %b /FontDescriptor %d 0 R"
        b" /DW 1000 /W [%b] >>"
        % (kind, name(postscript), _SYSTEM, descriptor, _widths(face, glyphs)),
    )
    yield pdf.object(
        font,
        b"<< /Type /Font /Subtype /Type0 /BaseFont %b /Encoding %b /DescendantFonts [%d 0 R]"
        b" /ToUnicode %d 0 R >>" % (name(postscript), encoding, descendant, mapping),
    )


_SYSTEM = b"<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"


def _widths(face: Face, glyphs: Sequence[int]) -> bytes:
    """Return the W array (9.7.4.3): neighbours in one list, the default of 1000 left out."""
    parts = []
    row: list[bytes] = []
    before = -2
    for glyph in glyphs:
        width = face.width(glyph)
        if width == 1000:
            continue
        if glyph != before + 1 and row:
            parts.append(b"%d [%b]" % (before - len(row) + 1, b" ".join(row)))
            row = []
        row.append(number(width))
        before = glyph
    if row:
        parts.append(b"%d [%b]" % (before - len(row) + 1, b" ".join(row)))
    return b" ".join(parts)


def _to_unicode(codes: bytes, texts: Iterable[tuple[bytes, str]]) -> bytes:
    """Return a ToUnicode CMap (9.10.3): hex digits of a code -> the text that it reads as."""
    lines = [
        b"<%b> <%b>" % (code, text.encode("utf-16-be", "replace").hex().upper().encode("ascii"))
        for code, text in texts
        if text
    ]
    return _cmap(b"Adobe-Identity-UCS", codes, b"bfchar", lines, kind=2)


def _cmap(title: bytes, codes: bytes, operator: bytes, lines: Sequence[bytes], kind: int) -> bytes:
    """Return a CMap file (Adobe technical note 5014): at most 100 lines at a time."""
    blocks = []
    for start in range(0, len(lines), 100):
        block = lines[start : start + 100]
        blocks.append(
            b"%d begin%b\n%b\nend%b" % (len(block), operator, b"\n".join(block), operator)
        )
    return b"\n".join(
        (
            b"/CIDInit /ProcSet findresource begin",
            b"12 dict begin",
            b"begincmap",
            b"/CIDSystemInfo %b def" % _SYSTEM,
            b"/CMapName /%b def" % title,
            b"/CMapType %d def" % kind,
            b"1 begincodespacerange\n%b\nendcodespacerange" % codes,
            *blocks,
            b"endcmap",
            b"CMapName currentdict /CMap defineresource pop",
            b"end",
            b"end",
        )
    )
