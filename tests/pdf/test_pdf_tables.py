"""Rows in, the same cells read back by programs that we did not write."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export.errors import InvalidSpec
from jupyter_export.formats.pdf.fonts import faces

from ..pipeline.tables import SAMPLES
from .made_fonts import make
from .writing import table, written

ROWS = 230


def _flights() -> pa.Table:
    return pa.table(
        {
            "id": list(range(ROWS)),
            "day": [dt.date(2013, 1, 1) + dt.timedelta(days=i) for i in range(ROWS)],
            "carrier": pa.array([["AA", "Zürich (ZRH)", "a\\b"][i % 3] for i in range(ROWS)]),
            "price": [i * 1.25 for i in range(ROWS)],
            "late": [i % 2 == 0 for i in range(ROWS)],
        }
    )


def _as_text(row: dict[str, object]) -> str:
    return " ".join(
        str(v).lower() if isinstance(v, bool) else str(v) for v in row.values() if v is not None
    )


def test_cells_are_read_back_in_order(tmp_path: Path) -> None:
    flights = _flights()
    made = written(tmp_path, [table("flights", flights)], footer="")
    expected = [_as_text(row) for row in flights.to_pylist()]
    heads = "id day carrier price late"
    lines = made.lines()
    assert [line for line in lines if line not in (heads, "report")] == expected
    assert lines.count(heads) == len(made.pages()) > 1  # the heads stand on every page
    assert made.rows == made.counted == ROWS
    assert made.losses == []
    made.opened()


def test_few_values_nulls_and_batches_make_no_difference(tmp_path: Path) -> None:
    data = pa.table(
        {
            "code": pa.array(["a", None, "ü"] * 40).dictionary_encode(),
            "n": pa.array([1, None, 3] * 40, pa.int8()),
            "d": pa.array([Decimal("1.50"), Decimal("-2.25"), None] * 40),
        }
    )
    one = written(tmp_path, [table("t", data, 7)], null="–").pages()
    other = written(tmp_path, [table("t", data, 1000)], null="–").pages()
    assert one == other
    assert "– – -2.25" in one[0]


@pytest.mark.parametrize(
    "kind", [k for k in SAMPLES if k not in ("run_end_encoded", "sparse_union", "dense_union")]
)
def test_every_type_has_a_form(kind: str, tmp_path: Path) -> None:
    column = SAMPLES[kind]()
    data = pa.table({"value": column})
    made = written(tmp_path, [table("t", data)], charts=[{"x": "value", "function": "count"}])
    assert made.rows == made.counted == len(column)
    made.opened()
    for function in ("sum", "avg", "min", "max", "count"):
        with suppress(InvalidSpec):  # where a type has none
            written(tmp_path, [table("t", data)], grand_totals={"value": function})


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=12), wrap=st.booleans())
def test_any_text_leaves_a_sound_file(tmp_path: Path, texts: list[str], wrap: bool) -> None:
    clean = [t.encode("utf-8", "replace").decode("utf-8") for t in texts]
    made = written(
        tmp_path,
        [table("t", pa.table({"a": clean, "b": clean}))],
        overflow="wrap" if wrap else "ellipsis",
        widths={"a": 15},
        align={"b": "right"},
    )
    assert made.rows == made.counted == len(texts)
    made.opened()


@pytest.mark.parametrize(
    "words",
    [["Ελληνικά", "Русский", "Français – “œuvre”", "mañana"], ["中文字", "日本語"], ["한국어"]],
    ids=["shipped", "Han", "Hangul"],
)
@pytest.mark.parametrize("overflow", ["ellipsis", "wrap"])
def test_other_scripts_are_read_back(words: list[str], overflow: str, tmp_path: Path) -> None:
    if faces().runs("".join(words)).missing:
        assert "CI" not in os.environ, "install fonts-wqy-microhei"
        pytest.skip("no font on this machine has these characters")
    made = written(tmp_path, [table("t", pa.table({"word": words}))], overflow=overflow)
    lines = made.lines()
    assert [word for word in words if word not in lines] == []
    assert made.losses == []


def test_letters_that_the_users_font_lacks_come_from_another(tmp_path: Path) -> None:
    # neither ä nor …
    ascii_letters = [chr(code) for code in range(0x20, 0x7F)]
    make(tmp_path / "plain.ttf", ascii_letters)
    data = pa.table({"ä": ["naïve", "plain", "so\xadft", "a long text for so few millimetres"]})
    made = written(
        tmp_path,
        [table("t", data)],
        title="Ä",
        font="plain.ttf",
        widths={"ä": 30},
        overflow="ellipsis",
    )
    lines = [line.strip() for line in made.lines()]
    assert {"Ä", "ä", "naïve", "plain"} <= set(lines)
    assert any(line.startswith("a long") and line.endswith("...") for line in lines)
    assert made.loss("glyph") == {}
    assert made.loss("cut_off") == {"ä": 1}


def test_numbers_end_at_the_right_of_their_column(tmp_path: Path) -> None:
    data = pa.table({"n": [1, 22, 333], "name": ["a", "bb", "cc"], "m": ["x", "yy", "zzz"]})
    made = written(tmp_path, [table("t", data)], align={"m": "center"}, footer="", title="")
    edges = made.edges("1", "22", "333", "a", "bb", "x", "zzz")
    lefts = {word: left for word, (left, _) in edges.items()}
    rights = {word: right for word, (_, right) in edges.items()}
    assert rights["1"] == pytest.approx(rights["22"], abs=0.8)
    assert rights["333"] == pytest.approx(rights["22"], abs=0.8)
    assert lefts["a"] == pytest.approx(lefts["bb"], abs=0.8)
    assert lefts["x"] + rights["x"] == pytest.approx(lefts["zzz"] + rights["zzz"], abs=1.2)


@pytest.mark.parametrize("columns", [{}, {"only": pa.array([], pa.int64())}])
def test_a_table_without_rows_has_a_page(columns: dict[str, pa.Array], tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", pa.table(columns))])
    assert made.rows == made.counted == 0
    assert len(made.opened().pages) == 1


def test_rows_without_columns_are_rows(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_struct_array(pa.array([{}] * 5, pa.struct([])))
    made = written(tmp_path, [table("t", pa.Table.from_batches([batch]))])
    assert made.counted == made.rows


def test_number_and_date_formats(tmp_path: Path) -> None:
    data = pa.table(
        {
            "price": [1234567.891, 2.5],
            "share": [0.125, 0.25],
            "day": [dt.date(2024, 2, 29)] * 2,
            "ok": [True, False],
        }
    )
    made = written(
        tmp_path,
        [table("t", data)],
        decimals=2,
        thousands_separator=",",
        date_format="%d.%m.%Y",
        booleans=("yes", "no"),
        number_formats={
            "day": {"prefix": "on "},
            "share": {"decimals": 3, "suffix": " %"},
            "price": {"prefix": "€ "},
        },
    )
    assert "€ 1,234,567.89 0.125 % on 29.02.2024 yes" in made.lines()
    assert made.loss("rounded") == {"price": 1}


def test_a_number_or_a_null_with_several_lines(tmp_path: Path) -> None:
    made = written(tmp_path, [table("t", pa.table({"n": [1, None]}))], null="no\nnumber")
    assert "no number" in [line.strip() for line in made.lines()]


def test_columns_of_one_name_are_all_shown(tmp_path: Path) -> None:
    data = pa.Table.from_arrays(
        [pa.array(["g", "g"]), pa.array([1, 2]), pa.array([3, 4])], ["a", "b", "a"]
    )
    made = written(tmp_path, [table("t", data)], group_by=["a"])
    assert "1 3" in made.lines()
    assert "a: g" in made.lines()
