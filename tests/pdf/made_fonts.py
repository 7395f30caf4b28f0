"""Small fonts of our own: boxes, so that no test needs a font of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen


def box(pen: TTGlyphPen | T2CharStringPen, width: int) -> None:
    pen.moveTo((50, 0))
    pen.lineTo((50, 700))
    pen.lineTo((width - 50, 700))
    pen.lineTo((width - 50, 0))
    pen.closePath()


def make(
    path: Path,
    chars: Sequence[str],
    *,
    family: str = "Boxes",
    cff: bool = False,
    weight: int = 400,
    embedding: int = 0,
    twins: Sequence[tuple[str, str]] = (),
    variable: bool = False,
) -> Path:
    """Write a font: the n-th character is a box 500 + n wide; ``twins`` share one glyph."""
    names = [".notdef", *(f"c{ord(char):04X}" for char in chars)]
    cmap = {ord(char): name for char, name in zip(chars, names[1:], strict=True)}
    cmap |= {ord(twin): cmap[ord(char)] for char, twin in twins}
    widths = {name: 500 + place for place, name in enumerate(names)}
    builder = FontBuilder(1000, isTTF=not cff)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(cmap)
    if cff:
        charstrings = {}
        for name, width in widths.items():
            outline = T2CharStringPen(width, None)
            box(outline, width)
            charstrings[name] = outline.getCharString()
        builder.setupCFF(family, {"FullName": family}, charstrings, {})
    else:
        glyphs = {}
        for name, width in widths.items():
            pen = TTGlyphPen(None)
            box(pen, width)
            glyphs[name] = pen.glyph()
        builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (width, 50) for name, width in widths.items()})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    style = "Bold" if weight >= 600 else "Regular"
    builder.setupNameTable(
        {"familyName": family, "styleName": style, "psName": f"{family.replace(' ', '')}-{style}"}
    )
    if variable:
        builder.setupFvar([("wght", 400, 400, 700, "Weight")], [])
        wider = {
            name: [(0, 0), (0, 0), (100, 0), (100, 0), (0, 0), (100, 0), (0, 0), (0, 0)]
            for name in names
        }
        from fontTools.ttLib.tables.TupleVariation import TupleVariation

        builder.setupGvar(
            {name: [TupleVariation({"wght": (0, 1, 1)}, deltas)] for name, deltas in wider.items()}
        )
    builder.setupOS2(usWeightClass=weight, fsType=embedding, sxHeight=500, sCapHeight=700)
    builder.setupPost()
    builder.save(path)
    return path
