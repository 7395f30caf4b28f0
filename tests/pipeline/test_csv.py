"""Every option of CSV, read by programs that are not ours."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_export import registry
from jupyter_export.errors import InvalidSpec, SourceFailed

from .csv_files import CSV, lost, normal, same, text, write

ODD = pa.table({"a": [1, None, 3], "b": ["x,y", None, ""], "c": ['say "hi"', "two\nlines", "z\\"]})


def read(shown: str, **dialect: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(shown, newline=""), strict=True, **dialect))


@pytest.mark.parametrize(
    ("given", "char"),
    [
        *[(c, c) for c in (",", ";", "|", "§", "€", "~", "\x1f", " ", "x")],
        *[("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), ("semicolon", ";"), ("pipe", "|")],
    ],
)
def test_delimiter(tmp_path: Path, given: str, char: str) -> None:
    out = write(tmp_path, ODD, delimiter=given)
    found = read(text(out), delimiter=char)
    assert found[0] == ["a", "b", "c"]
    assert found[1:] == [["1", "x,y", 'say "hi"'], ["", "", "two\nlines"], ["3", "", "z\\"]]
    assert same(out.table(), ODD)
    assert not out.losses


@pytest.mark.parametrize("value", ["", ",,", "\n", "\r", "\0", "\ufeff", '"'])
def test_no_delimiter_at_all(value: str) -> None:
    with pytest.raises(InvalidSpec, match="delimiter"):
        registry.check_options(CSV, {"delimiter": value})


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"quote_char": "«"}, "ASCII"),
        ({"escape_char": "ab"}, "one character"),
        ({"escape_char": ","}, "the same"),
        ({"null": "a,b"}, "null text"),
        ({"null": "\\N", "escape_char": "\\"}, "null text"),
        ({"encoding": "latin-1", "delimiter": "€"}, "“€”, which latin-1 does not have"),
        ({"encoding": "ascii", "thousands_separator": "’"}, "thousands_separator holds “’”"),
        ({"encoding": "latin-1", "date_format": "%Y年"}, "date_format"),
        ({"encoding": "ascii", "null": "–"}, "null"),
        ({"encoding": "koi8-r"}, "koi8-r"),
        ({"header": []}, "empty"),
        ({"rows_per_file": 0}, "greater than or equal to 1"),
        ({"bytes_per_file": -1}, "greater than or equal to 1"),
        ({"line_terminator": ";"}, "line_terminator"),
        ({"formula_guard": "on"}, "formula_guard"),
        ({"date_format": "%Q"}, "%Q is no directive"),
        ({"date_format": "%Y-%m-%d %H"}, "a date has no clock"),
        ({"time_format": "%d"}, "neither day nor zone"),
        ({"timestamp_format": "today"}, "no directive such as %Y"),
        ({"timestamp_format": "%Y%"}, "ends with a %"),
        ({"booleans": ["x", "x"]}, "the same"),
        ({"decimals": 16}, "less than or equal to 15"),
        ({"decimal_separator": ";"}, "must be . or ,"),
        ({"thousands_separator": "."}, "the same"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        registry.check_options(CSV, options)
    assert word in str(caught.value)


def test_a_number_is_a_text_where_one_is_asked_for(tmp_path: Path) -> None:
    # as the value of “null=0” comes from a command line
    out = write(tmp_path, pa.table({"a": [1, None], "b": ["0", "x"]}), null=0, header=[1, "b"])
    assert text(out) == '1,b\n1,"0"\n0,x\n'


def test_header(tmp_path: Path) -> None:
    assert text(write(tmp_path / "0", ODD, header=False)).startswith("1,")
    out = write(tmp_path / "1", ODD, header=["Zahl", "b;", 'q"'])
    assert text(out).splitlines()[0] == 'Zahl,b;,"q"""'
    # the reader gives the columns their own names back
    assert same(out.table(), ODD)
    with pytest.raises(InvalidSpec, match="2 names for 3 columns") as caught:
        write(tmp_path / "2", ODD, header=["a", "b"])
    assert caught.value.field == "format.header"
    twice = write(tmp_path / "3", ODD, header=["n", "n", "c"])
    assert lost(twice) == {("n", "duplicate_header"): 2}
    assert same(twice.table(), ODD)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_an_empty_table_without_a_header(tmp_path: Path, encoding: str) -> None:
    out = write(tmp_path, ODD.slice(0, 0), header=False, encoding=encoding)
    assert text(out, encoding) == ""
    assert out.table().schema == ODD.schema


@pytest.mark.parametrize(
    ("quote", "line"),
    [
        ("minimal", "1,x,true,2013-01-31"),
        ("all", '"1","x","true","2013-01-31"'),
        ("nonnumeric", '1,"x","true","2013-01-31"'),
        ("none", "1,x,true,2013-01-31"),
    ],
)
def test_quote(tmp_path: Path, quote: str, line: str) -> None:
    table = pa.table({"n": [1], "s": ["x"], "b": [True], "d": [dt.date(2013, 1, 31)]})
    out = write(tmp_path, table, quote=quote)
    head = "n,s,b,d" if quote in ("minimal", "none") else '"n","s","b","d"'
    assert text(out) == f"{head}\n{line}\n"
    assert same(out.table(), table)


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("value", ["x,y", 'x"', "x\n", "x\r"])
def test_nothing_is_left_out_of_quotes_silently(tmp_path: Path, value: str, coded: bool) -> None:
    column = pa.array(["plain"] * 40_000 + [value, "z"])
    table = pa.table({"n": range(40_002), "s": column.dictionary_encode() if coded else column})
    with pytest.raises(SourceFailed) as caught:
        write(tmp_path / "0", table, quote="none")
    assert "Row 40,001 of column “s”" in str(caught.value)
    assert value in str(caught.value)
    out = write(tmp_path / "1", table, quote="none", escape_char="\\")
    assert text(out).count("\\") == 1
    assert same(out.table(), normal(table))
    with pytest.raises(SourceFailed, match="The heading “a,b”"):
        write(tmp_path / "2", pa.table({"a,b": [1]}), quote="none")


def test_a_category_that_no_row_has_is_no_error(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([1, 1]), pa.array(["a,b", "c"]))
    out = write(tmp_path, pa.table({"x": column}), quote="none")
    assert text(out) == "x\nc\nc\n"


def test_nulls_without_quotes(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2, 3], "s": ["NA", None, ""]})
    out = write(tmp_path / "0", table, quote="none", null="NA")
    assert lost(out) == {("s", "null_or_empty"): 1}
    out = write(tmp_path / "1", table, quote="none")
    assert lost(out) == {("s", "null_or_empty"): 1}
    lone = pa.table({"n": [1, None, 3]})
    out = write(tmp_path / "2", lone, quote="none")
    assert lost(out) == {("n", "null_or_empty"): 1}
    assert same(out.table(), lone)


def test_escape_character(tmp_path: Path) -> None:
    out = write(tmp_path, ODD, escape_char="\\")
    assert text(out).splitlines()[1] == '1,"x,y","say \\"hi\\""'
    assert text(out).endswith('3,"","z\\\\"\n')
    assert same(out.table(), ODD)


@pytest.mark.parametrize(("name", "end"), [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")])
def test_line_terminator(tmp_path: Path, name: str, end: str) -> None:
    table = pa.table({"a": [1, 2], "b": ["x\r\ny", "z\r"]})
    out = write(tmp_path / "0", table, line_terminator=name)
    assert text(out) == f'a,b{end}1,"x\r\ny"{end}2,"z\r"{end}'
    assert same(out.table(), table)
    assert text(write(tmp_path / "1", table, line_terminator=end)) == text(out)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b"\xef\xbb\xbf"),
        ("utf-16", b"\xff\xfe"),
        ("latin-1", b""),
        ("ascii", b""),
    ],
)
def test_encoding(tmp_path: Path, encoding: str, mark: bytes) -> None:
    plain = pa.table({"a": [1], "b": ["x" if encoding == "ascii" else "é"]})
    out = write(tmp_path, plain, encoding=encoding)
    data = out.file.read_bytes()
    assert data.startswith(mark)
    assert data.decode(encoding) == f"a,b\n1,{plain['b'][0]}\n"
    assert pd.read_csv(out.file, encoding=encoding).to_dict("list") == plain.to_pydict()
    assert same(out.table(), plain)
    assert not out.losses


@pytest.mark.parametrize(
    ("encoding", "shown"), [("latin-1", ["é", "??", "a?"]), ("ascii", ["?", "??", "a?"])]
)
@pytest.mark.parametrize("coded", [False, True])
def test_what_an_encoding_lacks(
    tmp_path: Path, encoding: str, shown: list[str], coded: bool
) -> None:
    column = pa.array(["é", "€😀", "a€", "a€"])
    table = pa.table({"n": [1, 2, 3, 4], "s": column.dictionary_encode() if coded else column})
    out = write(tmp_path / "0", table, encoding=encoding)
    assert [r.split(",")[1] for r in text(out, encoding).splitlines()[1:4]] == shown
    assert lost(out) == {("s", "encoding"): 3 if encoding == "latin-1" else 4}
    with pytest.raises(SourceFailed, match=r"Row [12] of column “s” holds “(é|€😀)”"):
        write(tmp_path / "1", table, encoding=encoding, encoding_errors="error")
    heading = pa.table({"€": [1]})
    out = write(tmp_path / "2", heading, encoding=encoding)
    assert text(out, encoding) == "?\n1\n"
    assert lost(out) == {("€", "encoding"): 1}
    assert same(out.table(), heading)
    with pytest.raises(SourceFailed, match="The heading “€”"):
        write(tmp_path / "3", heading, encoding=encoding, encoding_errors="error")


def test_a_question_mark_for_a_lacking_character_is_quoted_where_it_delimits(
    tmp_path: Path,
) -> None:
    table = pa.table({"a": ["€"], "b": [1]})
    out = write(tmp_path, table, encoding="ascii", delimiter="?")
    assert text(out) == 'a?b\n"?"?1\n'


GUARDED = {
    "=1+1": "'=1+1", "+cmd": "'+cmd", "-a": "'-a", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx",
    "\rx": "'\rx", "-5": "-5", "+3.2": "+3.2", "-1,234.50": "-1,234.50", "+1e-7": "+1e-7",
    "-5+A1": "'-5+A1", "+49 123": "'+49 123", "'": "'", "'x": "'x", "'=x": "''=x",
    "'-5": "''-5", "''@": "'''@", "a=b": "a=b", "": "", "-": "'-", "=": "'=", "- 5": "'- 5",
}  # fmt: skip


def test_formula_guard(tmp_path: Path) -> None:
    texts = list(GUARDED)
    table = pa.table({"=n": range(-3, len(texts) - 3), "s": texts, "f": [-1.5] * len(texts)})
    out = write(tmp_path, table, formula_guard="escape")
    found = read(text(out))
    assert found[0] == ["'=n", "s", "f"]
    assert [row[0] for row in found[1:]] == [str(i) for i in range(-3, len(texts) - 3)]
    assert [row[1] for row in found[1:]] == list(GUARDED.values())
    changed = sum(a != b for a, b in GUARDED.items())
    assert lost(out) == {("s", "formula_guarded"): changed, ("=n", "formula_guarded"): 1}
    assert same(out.table(), table)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text(st.sampled_from("'=+-@\t\r1.a\n"), max_size=5), min_size=1))
def test_the_guard_can_be_undone_and_leaves_nothing_to_run(
    tmp_path_factory: Any, texts: list[str]
) -> None:
    table = pa.table({"n": range(len(texts)), "s": texts})
    out = write(tmp_path_factory.mktemp("x") / "y", table, formula_guard="escape")
    found = [row[1] for row in read(text(out))][1:]
    assert not [cell for cell in found if re.match(r"[=@\t\r]|[+-](?![\d.])", cell)]
    assert out.table()["s"].to_pylist() == texts


# ------------------------------------------------------------------ several files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "ascii"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    "limit",
    [
        {"rows_per_file": 30_000},
        {"bytes_per_file": 400_000},
        {"rows_per_file": 9_000, "bytes_per_file": 200_000},
    ],
)
def test_parts(tmp_path: Path, encoding: str, header: bool, limit: dict[str, int]) -> None:
    word = {"latin-1": "é", "ascii": "e"}.get(encoding, "é😀")
    rows = 70_000
    column = [word * (i % 7) + "\n" for i in range(rows)]
    table = pa.table({"n": range(rows), "s": column})
    out = write(tmp_path, table, encoding=encoding, header=header, **limit)
    assert len(out.files) > 2
    names = [f"out-{n:03d}.csv" for n in range(1, len(out.files) + 1)]
    assert [path.name for path in out.files] == names
    found = []
    for path in out.files:
        with path.open(encoding=encoding, newline="") as file:
            inner = list(csv.reader(file))
        assert not header or inner.pop(0) == ["n", "s"]
        assert 0 < len(inner) <= limit.get("rows_per_file", rows)
        assert path.stat().st_size <= limit.get("bytes_per_file", 10**9)
        found += inner
    assert found == [[str(n), s] for n, s in enumerate(column)]
    assert same(out.table(), table)


def test_a_row_larger_than_a_file_may_be_has_one_of_its_own(tmp_path: Path) -> None:
    table = pa.table({"s": ["a", "b", "x" * 100, "c", "d"]})
    out = write(tmp_path, table, bytes_per_file=6)
    found = [path.read_text().split()[1:] for path in out.files]
    assert found == [["a", "b"], ["x" * 100], ["c", "d"]]


def test_no_rows_are_one_part(tmp_path: Path) -> None:
    out = write(tmp_path, ODD.slice(0, 0), rows_per_file=10)
    assert [path.read_text() for path in out.files] == ["a,b,c\n"]
    assert out.table().schema == ODD.schema


def test_more_than_a_thousand_parts_are_read_in_order(tmp_path: Path) -> None:
    table = pa.table({"n": range(1_005)})
    assert same(write(tmp_path, table, rows_per_file=1).table(), table)


# ------------------------------------------------------------------ losses


def test_leading_zeros_are_counted_by_cells(tmp_path: Path) -> None:
    column = ["007", "0", "0.5", "00.5", "", None, "0x1", "012a", "7", "01,5"]
    table = pa.table({"n": range(10), "s": column, "d": pa.array(column).dictionary_encode()})
    out = write(tmp_path, pa.concat_tables([table] * 3))
    assert lost(out) == {("s", "leading_zeros"): 9, ("d", "leading_zeros"): 9}
    assert {loss.example for loss in out.losses} == {"007"}
    assert {loss.option for loss in out.losses} == {"format.type=excel"}


def test_dictionaries_lose_by_cells(tmp_path: Path) -> None:
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 0, None, 0]), pa.array([b"a", b"unused"]))
    floats = pa.array([0.125, 0.125, 1.5, 0.125]).dictionary_encode()
    out = write(tmp_path, pa.table({"b": coded, "f": floats}), decimals=2)
    assert lost(out) == {("b", "binary"): 3, ("f", "rounded"): 3}


def test_an_extension_type_is_not_told(tmp_path: Path) -> None:
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16)))
    out = write(tmp_path, pa.table({"n": [1, 2], "x": column}))
    assert lost(out) == {("x", "type"): 1, ("x", "binary"): 1}


# ------------------------------------------------------------------ other readers


FRAME = pa.table(
    {
        "id": range(5),
        "amount": [1234.5, -0.25, None, 1e6, 7.0],
        "day": [
            dt.date(2013, 1, 31),
            None,
            dt.date(1999, 12, 1),
            dt.date(2024, 2, 29),
            dt.date(1970, 1, 1),
        ],
        "moment": pa.array([0, 86_399, None, 10**9, 1], pa.timestamp("s")),
        "name": ["Ä, b", 'x "y"', None, "two\nlines", ""],
        "flag": [True, False, None, True, False],
    }
)


def test_pandas_reads_it(tmp_path: Path) -> None:
    out = write(
        tmp_path,
        FRAME,
        delimiter=";",
        decimal_separator=",",
        thousands_separator=".",
        decimals=2,
        date_format="%d.%m.%Y",
        timestamp_format="%d.%m.%Y %H:%M:%S",
        booleans=["ja", "nein"],
    )
    found = pd.read_csv(
        out.file,
        sep=";",
        decimal=",",
        thousands=".",
        true_values=["ja"],
        false_values=["nein"],
        parse_dates=["day", "moment"],
        date_format={"day": "%d.%m.%Y", "moment": "%d.%m.%Y %H:%M:%S"},
    )
    assert found["amount"].tolist()[:2] == [1234.5, -0.25]
    assert found["day"].tolist()[0] == pd.Timestamp("2013-01-31")
    assert found["moment"].tolist()[1] == pd.Timestamp("1970-01-01 23:59:59")
    assert found["name"].tolist()[:2] == ["Ä, b", 'x "y"']
    assert found["flag"].tolist()[:2] == [True, False]
    assert same(out.table(), FRAME)
    assert not out.losses


@pytest.mark.parametrize("escape", [None, "\\"])
@pytest.mark.parametrize("end", ["lf", "crlf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_duckdb_reads_it(tmp_path: Path, escape: str | None, end: str, encoding: str) -> None:
    chosen = {"null": "NA", "escape_char": escape, "line_terminator": end, "encoding": encoding}
    out = write(tmp_path, FRAME, **chosen)
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT * FROM read_csv(?, header = true, delim = ',', quote = '\"', nullstr = 'NA', "
            "allow_quoted_nulls = false, escape = ?, encoding = ?, columns = {id: BIGINT, "
            "amount: DOUBLE, day: DATE, moment: TIMESTAMP_S, name: VARCHAR, flag: BOOL})",
            [str(out.file), escape or '"', encoding.removesuffix("-sig")],
        ).fetchall()
    assert [list(row) for row in found] == [list(row.values()) for row in FRAME.to_pylist()]
    assert same(out.table(), FRAME)


@pytest.mark.parametrize("packing", ["gzip", "zstd", "brotli"])
@pytest.mark.parametrize("options", [{}, {"header": False, "delimiter": "§"}])
def test_the_reader_opens_what_is_packed(
    tmp_path: Path, packing: str, options: dict[str, Any]
) -> None:
    out = write(tmp_path / "x", FRAME, **options)
    packed = tmp_path / "packed"
    with pa.output_stream(str(packed), compression=packing) as file:
        file.write(out.file.read_bytes())
    names: dict[str, Any] = {}
    exec(CSV.reader(FRAME.schema, str(packed), CSV.options(**options), packing), names)
    assert same(names["table"], FRAME)
