"""Paper, columns on it, what stands around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pypdfium2
import pytest

from jupyter_export.errors import ExportError, InvalidSpec
from jupyter_export.formats.pdf import PdfFormat
from jupyter_export.registry import check_options

from .writing import bookmarks, table, written


def _numbers(rows: int, columns: int = 3) -> pa.Table:
    return pa.table({f"column {c}": [r * 1000 + c for r in range(rows)] for c in range(columns)})


def test_pages_hold_what_fits(tmp_path: Path) -> None:
    a4 = written(tmp_path, [table("t", _numbers(500))])
    a5 = written(tmp_path, [table("t", _numbers(500))], paper="A5")
    a3 = written(tmp_path, [table("t", _numbers(500))], paper="A3")
    counts = [len(each) for each in (a3.pages(), a4.pages(), a5.pages())]
    assert counts == sorted(counts)
    pdf = a4.opened()
    assert float(pdf.pages[0].MediaBox[3]) == pytest.approx(841.89, abs=0.01)
    assert a4.counted == 500


def test_a_size_of_ones_own(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", _numbers(3))], paper=[254, 127], margins={"left": 25.4})
    pdf = made.opened()
    box = [float(side) for side in pdf.pages[0].MediaBox]
    assert box == pytest.approx([0, 0, 720, 360])


@pytest.mark.parametrize(("columns", "wide"), [(3, False), (13, True)])
def test_orientation_is_what_the_columns_need(columns: int, wide: bool, tmp_path: Path) -> None:
    pdf = written(tmp_path, [table("t", _numbers(3, columns))]).opened()
    box = pdf.pages[0].MediaBox
    assert (box[2] > box[3]) is wide


def test_an_ordinary_table_is_shown_whole_on_single_lines(tmp_path: Path) -> None:
    data = {f"number {c}": [123_456.789 + r for r in range(9)] for c in range(8)}
    data["customer"] = [f"customer {r} {'a' * (r % 17)}" for r in range(9)]
    data["note"] = [f"a note of several words: {r}" for r in range(9)]
    for overflow in ("wrap", "ellipsis"):
        made = written(tmp_path, [table("t", pa.table(data))], overflow=overflow)
        assert made.losses == []
        assert any("customer 8 aaaaaaaa a note of several words: 8" in li for li in made.lines())


def test_long_texts_wrap_in_a_fair_width(tmp_path: Path) -> None:
    data = {f"number {c}": [123_456.789 + r for r in range(9)] for c in range(9)}
    data |= {f"text {c}": ["several words " * 20] * 9 for c in range(3)}
    made = written(tmp_path, [table("t", pa.table(data))])
    assert made.losses == []
    edges = made.edges("text 0", "text 1")
    assert edges["text 1"][0] - edges["text 0"][0] > 12 * 6


def test_columns_that_need_further_pages_are_not_set_smaller_than_that_needs(
    tmp_path: Path,
) -> None:
    data = pa.table({f"n{c}": [12_345_678_901_234_567 + r for r in range(3)] for c in range(16)})
    small = written(tmp_path, [table("t", data)], font_size=6, fit="split")
    made = written(tmp_path, [table("t", data)])
    assert len(made.pages()) == len(small.pages()) == 2
    number = "12345678901234567"
    (left, right), (least, most) = (each.edges(number)[number] for each in (made, small))
    assert right - left > 1.1 * (most - least)


def test_column_heads_break_between_words(tmp_path: Path) -> None:
    data = {f"flight_number_{c}": [10**10] for c in range(14)}
    lines = written(tmp_path, [table("t", pa.table(data))]).lines()
    assert lines[1:5] == ["flight_", "number_0", "flight_", "number_1"]


def test_heads_of_columns_that_run_to_the_left_stand_at_the_right(tmp_path: Path) -> None:
    data = pa.table({"שם": ["שלום עולם", "שלום"]})
    made = written(tmp_path, [table("t", data)], title="", footer="")
    # both begin with the same letter
    (head, _), (cell, _) = made.edges("שם", "שלום").values()
    assert head == pytest.approx(cell, abs=1.5)


def test_a_page_without_room_for_a_row_is_refused(tmp_path: Path) -> None:
    data = pa.table({"a": [1, 2], "b": [1, 1], "c": [1, 1], "n": [1, 2]})
    options: dict[str, Any] = {"paper": [70, 70], "margins": 5, "font_size": 24, "fit": "split"}
    assert written(tmp_path, [table("t", data)], **options).counted == 2
    with pytest.raises(InvalidSpec, match="no room for a row") as caught:
        written(tmp_path, [table("t", data)], group_by=["a", "b", "c"], **options)
    assert caught.value.field == "format.font_size"


def test_tall_rows_below_headings_stay_on_the_page(tmp_path: Path) -> None:
    data = pa.table({"a": ["x"], "b": ["y"], "c": ["z"], "text": ["word\n" * 300]})
    options: dict[str, Any] = {"paper": "A5", "group_by": ["a", "b", "c"], "footer": ""}
    made = written(tmp_path, [table("t", data)], **options)
    assert made.loss("cut_off") == {"text": 1}
    document = pypdfium2.PdfDocument(made.path)
    text = document[0].get_textpage()
    lowest = min(text.get_charbox(i)[1] for i in range(text.count_chars()))
    text.close()
    document.close()
    assert lowest > 15 * 72 / 25.4


def test_header_and_footer_tell_every_page(tmp_path: Path) -> None:
    made = written(
        tmp_path,
        [table("flights", _numbers(200))],
        name="delays",
        header="{dataset}|{title}|{date}",
        footer="{page}|of {pages}|{page}/{pages}",
    )
    pages = made.pages()
    assert len(pages) > 2
    for i, page in enumerate(pages, 1):
        words = page.split()
        for expected in ("flights", "delays", "2024-02-29", f"{i}/{len(pages)}"):
            assert expected in words
        assert f"of {len(pages)}" in page


def test_widths_are_as_given(tmp_path: Path) -> None:
    data = pa.table({"a": ["word " * 9] * 3})
    narrow = written(tmp_path, [table("t", data)], widths={"a": 20}, overflow="ellipsis")
    assert narrow.loss("cut_off") == {"a": 3}
    assert any(line.startswith("word word") and line.endswith("…") for line in narrow.lines())
    wide = written(tmp_path, [table("t", pa.table({"a": ["word " * 9] * 3}))], widths={"a": 90})
    assert wide.losses == []


def test_an_ellipsis_is_a_loss_and_wrapping_is_none(tmp_path: Path) -> None:
    texts = [f"{i} " + "several words that are long " * 6 for i in range(40)]
    few = pa.table({"n": range(40), "text": texts, "kind": ["long kind of text " * 3, "b"] * 20})
    few = few.set_column(2, "kind", few["kind"].combine_chunks().dictionary_encode())
    options: dict[str, Any] = {"widths": {"text": 50, "kind": 20}}
    cut = written(tmp_path, [table("t", few, 9)], overflow="ellipsis", **options)
    assert cut.loss("cut_off") == {"text": 40, "kind": 20}
    (loss,) = [loss for loss in cut.losses if loss.column == "text"]
    assert loss.option == "overflow=wrap"
    assert loss.example is not None
    assert loss.example.startswith("0 several")
    whole = written(tmp_path, [table("t", few, 9)], **options)
    assert whole.losses == []
    assert whole.counted == 40
    words = " ".join(whole.pages()).split()
    assert words.count("several") == 240
    assert len(whole.pages()) > len(cut.pages())


def test_wrapping_keeps_lines(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", pa.table({"a": ["one\ntwo\r\nthree", "", "x"]}))])
    assert [w for w in made.lines() if w in ("one", "two", "three")] == ["one", "two", "three"]
    data = pa.table({"a": ["one\ntwo", "x"]})
    cut = written(tmp_path, [table("t", data)], overflow="ellipsis")
    assert cut.loss("unprintable") == {"a": 1}


def test_a_cell_longer_than_a_page_is_cut_and_reported(tmp_path: Path) -> None:
    made = written(
        tmp_path,
        [table("t", pa.table({"a": ["word " * 20_000, "b"]}))],
        overflow="wrap",
        widths={"a": 40},
    )
    assert made.loss("cut_off") == {"a": 1}
    assert made.counted == 2


def test_wide_numbers_are_condensed_before_they_are_cut(tmp_path: Path) -> None:
    data = pa.table({"n": [1234567, 12345678901234567]})
    made = written(tmp_path, [table("t", data)], widths={"n": 13})
    assert "1234567" in made.lines()
    assert made.loss("cut_off") == {"n": 1}


def test_columns_go_on_over_further_pages(tmp_path: Path) -> None:
    data = _numbers(60, 40)
    made = written(tmp_path, [table("t", data)], fit="split", repeat_columns=["column 0"])
    assert made.rows == made.counted == 60
    pages = made.pages()
    assert len(pages) > 2
    assert all("59000" in page or "0" in page.split() for page in pages)
    together = " ".join(pages).split()
    assert all(str(1000 + c) in together for c in range(40))
    shrunk = written(tmp_path, [table("t", _numbers(60, 16))], fit="shrink")
    assert len(shrunk.pages()) <= 3


def test_datasets_follow_one_another_with_an_outline(tmp_path: Path) -> None:
    made = written(
        tmp_path,
        [table("flights", _numbers(80)), table("planes", pa.table({"a": ["ü", None, ""]}))],
        title_page={"subtitle": "Both of them", "text": "One.\nTwo."},
    )
    assert made.rows == made.counted == 83
    pdf = made.opened()
    assert list(bookmarks(pdf)) == [(0, "flights"), (0, "planes")]
    pages = made.pages()
    assert "Both of them" in pages[0]
    assert "flights: 80 rows" in pages[0]
    assert pages[1].startswith("flights")
    assert pages[-1].startswith("planes")
    (loss,) = made.losses
    assert (loss.kind, loss.dataset, loss.column, loss.count) == ("null_or_empty", "planes", "a", 1)


def test_the_structure_names_headings_and_tables(tmp_path: Path) -> None:
    pdf = written(
        tmp_path, [table("flights", _numbers(300)), table("planes", _numbers(2))], language="de"
    ).opened()
    assert str(pdf.Root.Lang) == "de"
    assert pdf.Root.MarkInfo.Marked
    top = pdf.Root.StructTreeRoot.K
    for section in top.K:
        assert [str(element.S) for element in section.K] == ["/H1", "/Table"]
    # every page of the table is a part of it
    marked = {mark.Pg.objgen for mark in top.K[0].K[1].K}
    assert marked == {page.objgen for page in list(pdf.pages)[:-1]}
    # and from a mark on a page the parent tree leads to its element
    leaf = pdf.Root.StructTreeRoot.ParentTree.Kids[0]
    first = pdf.pages[0].StructParents
    assert leaf.Nums[0] == first
    assert [str(each.S) for each in leaf.Nums[1]] == ["/H1", "/Table"]


def test_metadata(tmp_path: Path) -> None:
    pdf = written(
        tmp_path,
        [table("t", _numbers(2))],
        title="Überblick (1)",
        author="Ada",
        subject="中",
        keywords=["a", "b"],
    ).opened()
    info = {key: str(value) for key, value in pdf.docinfo.items()}
    assert info["/Title"] == "Überblick (1)"
    assert info["/Author"] == "Ada"
    assert info["/Subject"] == "中"
    assert info["/Keywords"] == "a, b"
    assert info["/CreationDate"] == "D:20240229123000Z"


def test_the_same_export_is_the_same_file(tmp_path: Path) -> None:
    one = written(tmp_path, [table("t", _numbers(2000), 300)], decimals=1).path.read_bytes()
    assert written(tmp_path, [table("t", _numbers(2000), 300)], decimals=1).path.read_bytes() == one


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"paper": "A9"}, "format.paper"),
        ({"font_size": 2}, "format.font_size"),
        ({"footer": "{pagge}"}, "format.footer"),
        ({"footer": "a|b|c|d"}, "format.footer"),
        ({"color": "red"}, "format.color"),
        ({"margins": 90}, "format"),
        ({"widths": {"a": 1}}, "format.widths"),
        ({"widths": {"x": 10}}, "format.widths"),
        ({"align": {"colum 1": "left"}}, "format.align"),
        ({"subtotals": {"column 0": "sum"}}, "format"),
        ({"number_formats": {"column 0": {"thousands_separator": "."}}}, "format"),
        ({"group_by": ["nothing"]}, "format.group_by"),
        ({"owner_password": "x"}, "format"),
        ({"language": "not a tag"}, "format.language"),
        ({"title_page": {"logo": "missing.png"}}, "format.title_page.logo"),
        ({"charts": [{"x": "nothing", "function": "count"}]}, "format.charts[0].x"),
        ({"charts": [{"x": "column 0"}]}, "format.charts[0]"),
    ],
)
def test_bad_options_are_sentences(options: dict[str, Any], field: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        written(tmp_path, [table("t", _numbers(2))], **options)
    assert (caught.value.field or "").startswith(field)
    assert caught.value.message


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"no picture")
    with pytest.raises(InvalidSpec, match="PNG or JPEG"):
        written(tmp_path, [table("t", _numbers(2))], title_page={"logo": "logo.png"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"title_page": {"logoo": "x"}}, "“logoo” is none of subtitle, text, logo"),
        ({"title_page": "yes"}, "true or false, or an object"),
        ({"margins": {"top": 1}}, "top: "),
        ({"margins": "wide"}, "a number of millimetres"),
        ({"paper": [10, 20]}, "70 to 2000 mm"),
        ({"font": 3}, "a family or a file"),
    ],
)
def test_a_choice_of_types_is_one_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        check_options(PdfFormat(), options)
    assert caught.value.field == f"format.{next(iter(options))}"
