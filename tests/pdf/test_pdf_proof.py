"""Rows counted in the finished file, losses, and passwords."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pyarrow as pa
import pytest

from jupyter_export.formats.pdf.counter import PageCounter

from .writing import Written, table, written


def _rows(n: int) -> pa.Table:
    return pa.table({"n": range(n), "text": [f"a ({i}) \\ /TR MP b" for i in range(n)]})


def test_a_missing_page_is_noticed(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", _rows(300))])
    assert made.counted == 300
    with pikepdf.open(made.path, allow_overwriting_input=True) as pdf:
        del pdf.pages[1]
        pdf.save(tmp_path / "less.pdf", object_stream_mode=pikepdf.ObjectStreamMode.generate)
    assert 0 < PageCounter(None).finish(tmp_path / "less.pdf") < 300


def test_damaged_contents_have_no_rows(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", _rows(300))])
    data = bytearray(made.path.read_bytes())
    start = data.index(b"stream\n") + 7
    data[start + 50 : start + 80] = bytes(30)
    made.path.write_bytes(data)
    assert made.counted < 300


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"startxref\n99999\n%%EOF"])
def test_what_is_no_pdf_has_no_rows(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(data)
    assert PageCounter(None).finish(path) == 0


def test_a_cut_file_has_no_rows(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", _rows(300))])
    made.path.write_bytes(made.path.read_bytes()[:-200])
    assert made.counted == 0


def test_a_password_protects_the_file(tmp_path: Path) -> None:
    made = written(
        tmp_path,
        [table("t", _rows(120))],
        password="geheim ü",
        owner_password="boss",
        permissions=["print"],
        author="Ada",
    )
    assert made.rows == made.counted == 120
    assert PageCounter("wrong").finish(made.path) == 0
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(made.path)
    pdf = made.opened("geheim ü")
    assert pdf.encryption.R == 6
    assert pdf.allow.print_lowres
    assert not pdf.allow.extract
    assert str(pdf.docinfo["/Author"]) == "Ada"
    assert "a (7) \\ /TR MP b" in made.pages("geheim ü")[0]
    assert b"Ada" not in made.path.read_bytes()


def _losses_of(made: Written) -> dict[tuple[str, str], int | None]:
    return {(loss.kind, loss.column): loss.count for loss in made.losses}


def test_losses_are_counted_in_cells(tmp_path: Path) -> None:
    data = pa.table(
        {
            "bytes": pa.array([b"a", None, b"b"] * 10),
            "nested": pa.array([[1], [2], None] * 10),
            "code": pa.array(["", None, "x"] * 10).dictionary_encode(),
            "control": ["a\x01b", "c", "d\ne"] * 10,
            "glyph": ["\U0010fffd", "a", "b"] * 10,
        }
    )
    made = written(tmp_path, [table("t", data, 7)], overflow="ellipsis")
    assert _losses_of(made) == {
        ("binary", "bytes"): 20,
        ("nested", "nested"): 20,
        ("null_or_empty", "code"): 10,
        ("unprintable", "control"): 20,
        ("glyph", "glyph"): 10,
    }
    shown = written(tmp_path, [table("t", data.select(["code"]), 7)], null="NULL")
    assert shown.losses == []


def test_a_heading_that_does_not_fit_is_a_loss(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", pa.table({"W" * 300: [1]}))], widths={"W" * 300: 20})
    assert made.loss("cut_off") == {"W" * 300: 1}


def test_headings_without_glyphs_are_losses(tmp_path: Path) -> None:
    odd = "a\U0010fffd"
    made = written(
        tmp_path, [table("t", pa.table({odd: [1]}))], title=odd, header=odd, title_page=True
    )
    assert set(made.loss("glyph")) == {odd, "title", "header or footer"}
