"""References to cells follow rows that are inserted."""

from __future__ import annotations

import pytest

from jupyter_export.formats.excel.references import Area, Growth, area_of, offset, row_parts
from jupyter_export.formats.excel.spliced_xml import (
    NotUsable,
    Splices,
    elements,
    with_attributes,
)

GROWN = Growth("My Data", Area(5, 1, 10, 5), 100, moves=True)
SHRUNK = Growth("My Data", Area(5, 1, 10, 5), 3, moves=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("B5", "B5"),
        ("B11+$C$12", "B105+$C$106"),
        ("SUM(B5:B10)", "SUM(B5:B104)"),
        ("SUM($B$4:$F$10)", "SUM($B$4:$F$104)"),
        ("SUM(B6:B10)", "SUM(B6:B104)"),
        ("SUM(B6:B9)", "SUM(B6:B9)"),
        ("SUM(H1:H10)", "SUM(H1:H10)"),
        ("SUM(H1:H11)", "SUM(H1:H105)"),
        ("SUM(B:B)+SUM(12:13)", "SUM(B:B)+SUM(106:107)"),
        ("LOG10(A20)", "LOG10(A114)"),
        ('"B20"&B20', '"B20"&B114'),
        ("'My Data'!B20+Other!B20", "'My Data'!B114+Other!B20"),
        ("Table1[B20]+[1]Sheet!B20", "Table1[B20]+[1]Sheet!B20"),
        ("'[book.xlsx]My Data'!B20", "'[book.xlsx]My Data'!B20"),
        ("A1B20+B20_x+B20(1)", "A1B20+B20_x+B20(1)"),
        ("A1048576", "A1048576"),
    ],
)
def test_rows_are_inserted(before: str, after: str) -> None:
    assert GROWN.formula(before, home=True) == after


def test_formulas_of_another_sheet_name_ours() -> None:
    assert GROWN.formula("B20+'my data'!B20", home=False) == "B20+'my data'!B114"


def test_where_nothing_moves_only_the_whole_body_follows() -> None:
    assert SHRUNK.formula("SUM(B5:B10)+B11+SUM(B4:F10)", home=True) == "SUM(B5:B7)+B11+SUM(B4:F7)"
    assert SHRUNK.formula("SUM(B6:B10)+SUM(A5:H10)", home=True) == "SUM(B6:B10)+SUM(A5:H10)"


def test_lists_of_ranges_and_single_cells() -> None:
    assert GROWN.refs("B5:B10 A1 B20:B21") == "B5:B104 A1 B114:B115"
    assert GROWN.cell("B20") == "B114"
    one = Growth("S", Area(5, 1, 5, 1), 9, moves=True)
    assert (one.ref("B5"), one.cell("B5")) == ("B5:B13", "B5")


def test_a_shared_formula_as_its_other_cells_read_it() -> None:
    assert offset("A1+$A$1+SUM(B2:$C3)+Other!A1+LOG10(2)", 2, 1) == (
        "B3+$A$1+SUM(C4:$C5)+Other!B3+LOG10(2)"
    )


def test_a_formula_of_a_row_in_other_rows() -> None:
    assert row_parts('B5*2+C4&"B5"+$D$1', 5) == (("B", "*2+C", '&"B5"+$D$1'), (0, -1))
    assert row_parts("T[[#This Row],[a]]*2", 5) == (("T[[#This Row],[a]]*2",), ())


@pytest.mark.parametrize("ref", ["", "A", "1", "A1:B", "Sheet!A1", "A1,B2"])
def test_what_is_no_range(ref: str) -> None:
    with pytest.raises(ValueError, match="is not a cell or a range of cells"):
        area_of(ref)


def test_elements_are_found_in_the_bytes() -> None:
    data = "<x:a xmlns:x='u'><x:b k=\"1>2\">é</x:b><!-- <x:b/> --><x:b/></x:a>".encode()
    whole, first, second = elements(data, {"a", "b"})
    assert first.text(data) == "é"
    assert data[second.start : second.end] == b"<x:b/>"
    splices = Splices(data)
    splices.set_text(first, "<&>")
    splices.set_attribute(first, "k", '"')
    splices.set_attribute(second, "n", "1")
    assert splices.applied() == (
        b"<x:a xmlns:x='u'><x:b k='\"'>&lt;&amp;&gt;</x:b><!-- <x:b/> --><x:b n=\"1\"/></x:a>"
    )
    assert whole.end == len(data)


def test_attributes_that_look_like_others() -> None:
    tag = b'<row x="a r=1" r="4" spans="1:2"/>'
    assert with_attributes(tag, [("r", "9"), ("spans", None), ("z", "1")]) == (
        b'<row x="a r=1" r="9" z="1"/>'
    )


@pytest.mark.parametrize("data", [b"<a>", b"<!DOCTYPE a []><a/>", b"\xff\xfe<\0a\0/\0>\0", b""])
def test_xml_that_no_workbook_has(data: bytes) -> None:
    with pytest.raises(NotUsable):
        elements(data, {"a"})
