"""Text of any script as glyphs: what is drawn, how wide it is, and what it reads back as."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bidi as peer
import numpy as np
import pyarrow as pa
import pytest

from jupyter_export.formats.pdf import bidi, font_files
from jupyter_export.formats.pdf.font_files import FontFile
from jupyter_export.formats.pdf.fonts import Faces, faces
from jupyter_export.formats.pdf.objects import PdfFile

from .made_fonts import make
from .one_page import ink, page, problems, read


@pytest.fixture(autouse=True)
def no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """No font of the machine is seen; what is appended to the list is."""
    installed: list[Path] = []
    monkeypatch.setattr(font_files, "_installed", lambda: iter(installed))
    font_files.system_fonts.cache_clear()
    yield installed
    font_files.system_fonts.cache_clear()


def drawn(fonts: Faces, *lines: str, bold: bool = False) -> bytes:
    return page([fonts.runs(line, bold).show(b"12") for line in lines], fonts)


# ------------------------------------------------------------------ single bytes


def every_byte(fonts: Faces, bold: bool = False) -> tuple[bytes, str]:
    codes = bytes(np.flatnonzero(fonts.single(bold)).tolist())
    # spaces at the ends and side by side are not read back
    codes = codes.replace(b" ", b"").replace(b"\xa0", b"")
    hexed = codes.hex().encode("ascii")
    return b"/%b 5 Tf <%b> Tj" % (fonts.simple(bold), hexed), codes.decode("cp1252")


@pytest.mark.parametrize("bold", [False, True])
def test_single_bytes_read_back_and_have_the_widths_told(bold: bool) -> None:
    fonts = faces()
    line, text = every_byte(fonts, bold)
    data = page([line], fonts)
    assert problems(data) == []
    assert read(data) == [text]
    assert len(text) == 217 - 2
    assert fonts.widths(bold).dtype == np.float32
    assert fonts.widths(bold)[ord("A")] == pytest.approx(fonts.runs("A", bold).width)
    assert fonts.widths(bold)[[0, 10, 0x7F, 0x81]].tolist() == [0, 0, 0, 0]
    assert not fonts.single(bold)[[0, 10, 0x7F, 0x81, 0xAD]].any()


def test_bold_is_bolder() -> None:
    assert faces().widths(True)[ord("m")] > faces().widths()[ord("m")]
    plain, heavy = faces(), faces()
    assert ink(drawn(heavy, "mmmm", bold=True)) > ink(drawn(plain, "mmmm"))


def test_single_bytes_of_a_font_with_cubic_outlines(tmp_path: Path) -> None:
    ascii_letters = [chr(code) for code in range(0x20, 0x7F)]
    path = make(tmp_path / "cubic.otf", [*ascii_letters, "€", "ж"], family="Cubic", cff=True)
    fonts = faces([str(path)])
    line, text = every_byte(fonts)
    assert text.endswith("~€")
    assert not fonts.single()[ord("ä")]
    data = page([line, fonts.runs("жжAж").show(b"9"), fonts.runs("ä").show(b"9")], fonts)
    assert problems(data) == []
    assert read(data) == [text, "жжAж", "ä"]
    assert b"DejaVuSans" in data
    assert fonts.widths()[ord(" ")] == 501


# ------------------------------------------------------------------ scripts

LATIN = "Grüße, naïve œuvre: 5 € fi ffl ½ ²"
GREEK = "Καλημέρα κόσμε"
CYRILLIC = "Съешь ещё этих мягких булок"
ARABIC = "مرحبا بالعالم"
LAM_ALEF = "سلام لا"
HEBREW = "שלום עולם"


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("text", [LATIN, GREEK, CYRILLIC, "Ünïcödé q̃", "ქართული Հայերեն"])
def test_what_ships_draws(text: str, bold: bool) -> None:
    fonts = faces()
    data = drawn(fonts, text, bold=bold)
    assert problems(data) == []
    assert read(data) == [text]
    shaped = fonts.runs(text, bold)
    assert (shaped.missing, shaped.rtl) == ("", False)
    assert ink(data) > 100


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("text", [ARABIC, LAM_ALEF, HEBREW, "می‌خواهم"])
def test_writing_from_right_to_left(text: str, bold: bool) -> None:
    fonts = faces()
    data = drawn(fonts, text, bold=bold)
    assert fonts.runs(text, bold).missing == ""
    assert problems(data) == []
    assert read(data) == [text]
    assert fonts.runs(text).rtl


def test_arabic_letters_are_joined() -> None:
    fonts = faces()
    joined = fonts.runs("ببب").width
    assert joined < 3 * fonts.runs("ب").width
    # lam and alef are one glyph
    assert fonts.runs("لا").width < fonts.runs("ل").width + fonts.runs("ا").width  # noqa: RUF001


def glyphs(fonts: Faces, text: str) -> bytes:
    """Return the numbers of the glyphs from left to right."""
    operands = [piece.operand for run in fonts.runs(text).runs for piece in run.pieces]
    return b"".join(operand.strip(b"<>") for operand in operands)


def test_mixed_directions_stand_in_visual_order() -> None:
    fonts = faces()
    mixed = fonts.runs("abc שלום def")
    parts = [glyphs(fonts, text) for text in ("abc ", "שלום", " def")]
    assert glyphs(fonts, "abc שלום def") == b"".join(parts)
    assert not mixed.rtl


def test_levels_agree_with_another_implementation() -> None:
    pool = "abc  אבגםبجد 123 ٣٤ .,:+-$%()[]{}\"'/&\u0301\u064b\u200e\u200f"
    draw = random.Random(9)
    for _ in range(2000):
        text = "".join(draw.choices(pool, k=draw.randint(1, 16)))
        levels, base = bidi.levels(text)
        assert "".join(text[at] for at in bidi.visual(levels)) == peer.get_display(text), text
        assert base == bidi.base_level(text)


@pytest.mark.parametrize(
    ("text", "visual"),
    [
        ("\u2067abc אב\u2069 x", "בא abc x"),
        ("\u202bab גד\u202c!", "דג ab!"),
        ("\u202eabc\u202c", "cba"),
        ("a \u2068אב c\u2069 d", "a c בא d"),
        ("אב (cd) ה", "ה )cd( בא"),
    ],
)
def test_embeddings_and_isolates(text: str, visual: str) -> None:
    levels, _ = bidi.levels(text)
    ordered = (text[at] for at in bidi.visual(levels))
    # what steers the order has no ink, and so no place
    assert "".join(char for char in ordered if unicodedata.category(char) != "Cf") == visual


def test_words_are_shaped_alike_wherever_they_stand() -> None:
    fonts = faces()
    apart = [fonts.runs(word) for word in ("مرحبا", " ", "بالعالم", " ", "12")]
    whole = fonts.runs("مرحبا بالعالم 12")
    assert whole.width == pytest.approx(sum(word.width for word in apart))
    assert glyphs(fonts, "12") == glyphs(fonts, "مرحبا بالعالم 12")[:8]


def test_marks_are_raised_and_the_rise_ends() -> None:
    shown = faces().runs("q\u0303\u0323").show(b"10")
    assert shown.count(b"BDC") == shown.count(b"EMC") == 1
    rises = [float(words.split()[-1]) for words in shown.split(b" Ts")[:-1]]
    assert rises[0] < 0
    assert rises[-1] == 0


# ------------------------------------------------------------------ what is missing


def test_a_character_that_no_font_has_is_told_and_marked() -> None:
    fonts = faces()
    shaped = fonts.runs("a中文b中")
    assert shaped.missing == "中文中"
    data = drawn(fonts, "a中文b")
    assert problems(data) == []
    # the text is kept for readers
    assert read(data) == ["a中文b"]


def test_controls_are_spaces_or_missing() -> None:
    fonts = faces()
    assert fonts.runs("a\tb\nc") == fonts.runs("a b c")
    assert fonts.runs("a\x00b\ud800").missing == "\x00\ud800"
    assert fonts.runs("a\u200bb").missing == ""
    assert fonts.runs("a\u200bb").width == pytest.approx(fonts.runs("ab").width)
    assert fonts.runs("").show(b"8") == b""
    assert problems(drawn(fonts, "a\x00b", "\u200e", "")) == []


# ------------------------------------------------------------------ lines


def test_text_is_cut_to_its_room() -> None:
    fonts = faces()
    whole, cut = fonts.fitted("Grüße", 5000)
    assert (whole, cut) == (fonts.runs("Grüße"), False)
    for text in ("Съешь ещё этих", "a" * 5000, ARABIC, "e\u0301" * 40):
        for room in (1500.0, 3000.0, 4700.5):
            shaped, cut = fonts.fitted(text, room)
            assert cut
            assert shaped.width <= room
    longer, _ = fonts.fitted("iiiiiiiiiiiiiiiiiiii", 3000)
    assert longer.width > 3000 - fonts.runs("i").width


def test_a_letter_keeps_its_marks_when_cut() -> None:
    fonts = faces()
    text = "e\u0301\u0323" * 30
    for room in range(1000, 8000, 531):
        shaped, _ = fonts.fitted(text, room)
        kept = [n for n in range(31) if fonts.runs("e\u0301\u0323" * n + "…") == shaped]
        assert len(kept) == 1


def test_nothing_but_the_ellipsis_fits() -> None:
    fonts = faces()
    assert fonts.fitted("abc", 10) == (fonts.runs("…"), True)


def test_lines() -> None:
    fonts = faces()
    text = (
        "The quick brown fox jumps  over\nthe lazy dog. Donaudampfschifffahrtsgesellschaft 中文字"
    )
    lines = fonts.lines(text, 6000)
    assert all(fonts.runs(line).width <= 6000 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert lines[0] == "The quick"
    assert len(lines) > 7
    assert fonts.lines("", 100) == [""]
    assert fonts.lines("ab", 1) == ["a", "b"]
    assert fonts.lines("a\n\nb", 9000) == ["a", "", "b"]


# ------------------------------------------------------------------ columns


def test_a_column_is_drawn_as_its_cells(no_system_fonts: list[Path], tmp_path: Path) -> None:
    no_system_fonts.append(make(tmp_path / "han.ttf", ["中", "文", "か"], family="Han"))
    cells = [
        "Привет",
        "",
        None,
        "中文",
        "a",
        "中a",
        ARABIC,
        "か",
        "\ue000",
        "αβγ",
        "q\u0303",
        "文中",
    ]
    fonts = faces()
    for column in (
        pa.array(cells, pa.string()),
        pa.array(cells, pa.large_string()),
        pa.array(["x", *cells, "y"], pa.string()).slice(1, len(cells)),
    ):
        mapped = fonts.mapped(column)
        left = [cell for cell, font in zip(cells, mapped.fonts, strict=True) if font == 255]
        assert left == [None, "中a", ARABIC, "\ue000", "q\u0303"]
        for at, cell in enumerate(cells):
            if mapped.fonts[at] == 255:
                assert (mapped.operands[at].as_py(), mapped.widths[at]) == ("", 0)
            elif cell:
                (run,) = fonts.runs(cell).runs
                assert mapped.resources[mapped.fonts[at]] == run.resource
                assert mapped.operands[at].as_py().encode() == run.pieces[0].operand
                assert mapped.widths[at] == pytest.approx(run.width)


@pytest.mark.parametrize("cells", [[], [None, None], [""]])
def test_columns_without_text(cells: list[str | None]) -> None:
    mapped = faces().mapped(pa.array(cells, pa.string()))
    assert len(mapped.fonts) == len(mapped.operands) == len(mapped.widths) == len(cells)


def test_what_only_columns_drew_is_embedded() -> None:
    fonts = faces()
    mapped = fonts.mapped(pa.array(["Привет"]))
    operand = mapped.operands[0].as_py().encode()
    data = page([b"/%b 12 Tf %b Tj" % (mapped.resources[0], operand)], fonts)
    assert problems(data) == []
    assert read(data) == ["Привет"]


# ------------------------------------------------------------------ the file


def test_fonts_that_drew_nothing_are_not_written() -> None:
    pdf = PdfFile()
    fonts = faces()
    assert fonts.resource_dictionary(pdf) == b"/Font <<  >>"
    assert list(fonts.write(pdf)) == []


def test_a_subset_is_small() -> None:
    fonts = faces()
    assert len(drawn(fonts, "Привет")) < 15_000


def test_threads_share_the_faces() -> None:
    fonts = faces()
    texts = [f"{word} {at}" for at in range(300) for word in ("Привет", ARABIC, "κόσμε", "q\u0303")]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fonts.runs, texts))
    alone = faces()
    assert together == [alone.runs(text) for text in texts]
    assert drawn(fonts) == drawn(alone)


def test_faces_of_one_file_are_equal() -> None:
    assert FontFile(Path("a.ttf")) == FontFile(Path("a.ttf"))
    assert FontFile(Path("a.ttf")) != FontFile(Path("a.ttf"), bold_variation=True)
