"""Fonts beside the ones that ship: the system's, and those that the user names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uharfbuzz

from jupyter_export.errors import InvalidSpec, RunError
from jupyter_export.formats.pdf import font_files
from jupyter_export.formats.pdf.font_files import _installed
from jupyter_export.formats.pdf.fonts import Faces, faces

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


def test_a_font_of_the_system_fills_in(no_system_fonts: list[Path], tmp_path: Path) -> None:
    no_system_fonts.append(make(tmp_path / "han.ttf", ["中", "文", "1"], family="Han Sans"))
    fonts = faces()
    assert fonts.runs("中文1").missing == ""
    # one font for the whole of it, where one has it all
    assert len(fonts.runs("中文1").runs) == 1
    assert len({run.resource for run in fonts.runs("中a").runs}) == 2
    data = drawn(fonts, "中文1", "中a")
    assert problems(data) == []
    assert read(data) == ["中文1", "中a"]
    assert fonts.runs("中文").width == pytest.approx(501 + 502)


def test_the_font_that_fits_the_language(no_system_fonts: list[Path], tmp_path: Path) -> None:
    for family in ("Pan JP", "Pan SC", "Pan Serif SC", "Pan KR"):
        chars = ["骨", "か", "가"]
        no_system_fonts.append(make(tmp_path / f"{family}.ttf", chars, family=family))

    def family_for(text: str) -> str:
        data = drawn(faces(), text)
        return next(name for name in ("PanJP", "PanSC", "PanKR") if name.encode() in data)

    assert [family_for(text) for text in ("骨", "骨か", "骨가")] == ["PanSC", "PanJP", "PanKR"]


def test_bold_takes_the_bold_font(no_system_fonts: list[Path], tmp_path: Path) -> None:
    no_system_fonts.append(make(tmp_path / "a.ttf", ["中"], family="Han"))
    no_system_fonts.append(make(tmp_path / "b.ttf", ["中"], family="Han", weight=700))
    fonts = faces()
    assert b"+Han-Bold" in drawn(fonts, "中", bold=True)
    assert b"+Han-Regular" in drawn(faces(), "中")


def test_a_variable_font_is_made_bold(tmp_path: Path) -> None:
    path = make(tmp_path / "variable.ttf", ["中"], variable=True, family="Vary")
    fonts = faces([str(path)])
    assert fonts.runs("中", bold=True).width == fonts.runs("中").width + 100
    plain, heavy = faces([str(path)]), faces([str(path)])
    assert ink(drawn(heavy, "中" * 9, bold=True)) > ink(drawn(plain, "中" * 9))
    data = drawn(heavy, "中", bold=True)
    assert problems(data) == []
    assert b"+Vary-Regular-Bold" in data


def test_a_named_font_without_bold_stays(tmp_path: Path) -> None:
    letters = [chr(code) for code in range(0x20, 0x7F)]
    plain = str(make(tmp_path / "plain.ttf", letters))
    heavy = str(make(tmp_path / "heavy.ttf", letters, family="Heavy", weight=700))
    assert faces([plain]).widths(True)[ord("!")] == 502
    assert b"+Heavy-Bold" in drawn(faces([plain, heavy]), "Ж!", "!", bold=True)
    assert b"+Boxes-Regular" in drawn(faces([heavy, plain]), "!")


def test_named_families_come_first(no_system_fonts: list[Path], tmp_path: Path) -> None:
    no_system_fonts.append(make(tmp_path / "a.ttf", ["A", "中"], family="Some Boxes"))
    fonts = faces(["some boxes"])
    assert fonts.runs("A").width == 501
    assert fonts.runs("AB").width == pytest.approx(faces().runs("AB").width)


def test_characters_that_share_a_glyph_read_back(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ttf", ["Ω", "角"], twins=[("Ω", "\u2126"), ("角", "\u2ecb")])
    fonts = faces([str(path)])
    lines = ["Ω角", "角\u2ecb", "\u2126Ω"]
    assert "".join(read(drawn(fonts, *lines))) == "".join(lines)


@pytest.mark.parametrize(
    ("font", "said"),
    [
        ("Boxs", "There is no font “Boxs” on this machine. Did you mean Boxes?"),
        ("here.ttf", "“here.ttf” is not a font that can be read."),
        ("strict.ttf", "licence of the font"),
    ],
)
def test_fonts_that_cannot_be(
    font: str, said: str, no_system_fonts: list[Path], tmp_path: Path
) -> None:
    no_system_fonts.append(make(tmp_path / "boxes.ttf", ["A"]))
    (tmp_path / "here.ttf").write_text("no font")
    make(tmp_path / "strict.ttf", ["A"], embedding=2)
    here: Any = SimpleNamespace(open_file=lambda given, field: (tmp_path / given).open("rb"))
    with pytest.raises(InvalidSpec) as refused:
        faces([font], here)
    assert said in str(refused.value)
    assert refused.value.field == "format.font"


def test_a_font_that_must_not_be_embedded_does_not_fill_in(
    no_system_fonts: list[Path], tmp_path: Path
) -> None:
    no_system_fonts.append(make(tmp_path / "strict.ttf", ["中"], embedding=2))
    assert faces().runs("中").missing == "中"


def test_fonts_are_found_in_folders_where_fontconfig_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    boxes = make(tmp_path / "deep" / "Boxes.TTF", ["A"])
    (tmp_path / "broken.otf").write_bytes(b"OTTO but no more")
    (tmp_path / "readme.txt").write_text("no font")
    monkeypatch.setattr(font_files, "_folders", lambda: iter([tmp_path, tmp_path / "none"]))
    monkeypatch.setattr(font_files.shutil, "which", lambda command: None)
    monkeypatch.setattr(font_files, "_installed", _installed)
    assert sorted(_installed()) == sorted([boxes, tmp_path / "broken.otf"])
    assert faces(["Boxes"]).runs("A").width == 501
    assert faces().runs("中").missing == "中"
    # fontconfig that fails is as good as none
    monkeypatch.setattr(font_files.shutil, "which", lambda command: str(tmp_path / "no such"))
    assert boxes in set(_installed())


def test_a_damaged_font_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*given: Any) -> None:
        raise RuntimeError("Subsetting failed")

    fonts = faces([str(make(tmp_path / "boxes.ttf", ["中"]))])
    monkeypatch.setattr(uharfbuzz, "subset", fails)
    with pytest.raises(RunError, match=r"“Boxes” \(boxes\.ttf\) is damaged"):
        drawn(fonts, "中")


def test_the_licence_ships_with_the_font() -> None:
    assert "Bitstream Vera" in (font_files.SHIPPED / "LICENSE").read_text()
    for bold in (False, True):
        assert font_files.shipped(bold).may_be_embedded
        assert font_files.shipped(bold).bold is bold


def test_chinese_in_a_real_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    font_files.system_fonts.cache_clear()
    if font_files.covering("中", "SC", False) is None:
        assert "CI" not in os.environ, "no font with Chinese: install fonts-wqy-microhei"
        pytest.skip("no font with Chinese is installed")
    fonts = faces()
    lines = ["中文：你好，世界 2024年", "日本語 こんにちは"]  # noqa: RUF001
    data = drawn(fonts, *lines)
    assert problems(data) == []
    assert read(data) == lines
    assert len(data) < 400_000
