"""The caret under the word that is wrong."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.errors import (
    ExportError,
    InvalidRequest,
    InvalidSpec,
    OutputExists,
    QueryFailed,
    ServerUnavailable,
)
from jupyter_export.magic.arguments import parse
from jupyter_export.magic.caret import Excerpt, Places, Span, excerpt_of, locate, sketch
from jupyter_export.magic.query import Query, place_told, pointed
from jupyter_export.magic.request import request_of
from jupyter_export.magic.steps import steps_of

from .shells import FLIGHTS

ONE_PLACE = True

NAMES = {"flights": FLIGHTS, "planes": FLIGHTS, "answer": 42}


def under(line: str, span: Span | None) -> str | None:
    return None if span is None else line[span.start : span.end]


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("df x.csv --replce", "--replce"),
        ("df x.csv --colums=a", "--colums"),
        ("df x.csv --limit many", "many"),
        ("df --limit=-5 x.csv", "-5"),
        ("df x.csv --where", "--where"),
        ("df x.csv --replace=yes", "yes"),
        ("df x.csv --option delimiter", "delimiter"),
        ("df x.csv --on-loss fail", "fail"),
        ("df x.csv --to clipbord", "clipbord"),
        ("df x.csv --replace --if-exists rename", "rename"),
        ("df 'x.csv", "'x.csv"),
        ('df "a b" --name "x y', '"x y'),
        ("df x.csv --seed 3", "--seed"),
        ('df x.csv --aggregate "n=count(*), mean(delay)"', "mean"),
        ('df x.csv --pivot "on=a value=b"', "value"),
        ("df x.csv --sort 'a, -b asc'", "-b asc"),
        ('df x.csv --sample "0.1"', "0.1"),
        ("df x.csv --columns '*, a'", "a"),
        ("df x.csv --rename tail", "tail"),
    ],
)
def test_the_line_itself_is_wrong(line: str, marked: str) -> None:
    seen = [Places(line)]

    def read() -> None:
        asked = parse(line)
        seen.append(asked.places)
        steps_of(asked)

    with pytest.raises(InvalidRequest) as caught:
        read()
    assert under(line, locate(caught.value, seen[-1])) == marked


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("fligths x.csv", "fligths"),
        ("flights plnes x.csv", "plnes"),
        ("fligths.head() x.csv", "fligths"),
        ("flights.nope x.csv", "nope"),
        ("flights.loc['x y'] x.csv", "x y"),
        ("flights.head(1, 2) x.csv", "flights.head(1, 2)"),
        ("answer x.csv", "answer"),
        ("flights x.csv --where delay > 5", "delay > 5"),
        ("flights planes x.csv --distinct --sort a", "--distinct"),
        ("flights x.csv --connection db", "db"),
        ("flights x.csv --param a=1", "a=1"),
    ],
)
def test_a_word_means_nothing_in_this_notebook(line: str, marked: str) -> None:
    asked = parse(line)
    with pytest.raises(ExportError) as caught:
        request_of(asked, None, NAMES)
    assert under(line, locate(caught.value, asked.places)) == marked


@pytest.mark.parametrize(
    ("line", "message", "field", "marked"),
    [
        ('df x --where "a > 1 AND delai > 5"', "Column “delai” is not in df.", "where", "delai"),
        ('df x --where "a >"', "The condition “a >” cannot be read near “>”.", "where", ">"),
        ("df x --columns carrier,dep_dely", "Column “dep_dely” is not", "columns.include",
         "dep_dely"),
        ('df x --columns "a b, \\"b c\\", d"', "Column “b c” is not", "columns.include", "b c"),
        ("df x --rename 'a as b'", "Column “a” is not in df.", "columns.rename", "a"),
        ("df x --sort a,b --sort c,aa", "Column “aa” is not", "datasets[0].sort[3].column", "aa"),
        ("df x --sort ab,b,b", "It stands twice.", "sort[2]", "b"),
        ("df x --aggregate avg(a) --aggregate avg(b)", "Column “b” is not", "aggregates[1].column",
         "b"),
        ('df x --compute "a=b+"', "The expression “b+” cannot be read near “+”.",
         "computed[0].expression", "+"),
        ("df x --pivot 'on=carier values=b'", "Column “carier” is not", "pivot.on", "carier"),
        ("df x --time-range 'our 2013..'", "Column “our” is not in df.", "time_range.column",
         "our"),
        ("df x.cvs", "The format of “x.cvs” is unknown: “.cvs” is not", "output.path", ".cvs"),
        ("df x --format parqet", "“parqet” is not a known format.", "format.type", "parqet"),
        ("df x --compress gzp", "“gzp” is not a value of compression.", "compression", "gzp"),
        ("df x --option quote=all --option delimiter=abc",
         "The csv option “delimiter” cannot be used: it must be one character.",
         "format.delimiter", "abc"),
        ("df x --option delimitr=;", "“delimitr” is not an option of csv.", "format.delimitr",
         "delimitr"),
        ("df x --option freeze-panes=ZZZ", "The option cannot be used: “ZZZ” is not a cell such as",
         "format.freeze_panes", "ZZZ"),
        ("df x --sheet a", "“sheet” is not an option of csv.", "format.sheet", "a"),
        ("df x --limit 5", "datasets[0].limit cannot be “5”.", "datasets[0].limit", "5"),
        ("df s3://a/b.csv", "“s3://a/b.csv” is an address, not a path.", None, "s3://a/b.csv"),
        ("a b x", "Column “c” is not in b.", "datasets[1].where", "b"),
        ("df x", "The format options do not fit.", "format", None),
    ],
)  # fmt: skip
def test_what_the_service_says_is_found_in_the_line(
    line: str, message: str, field: str | None, marked: str | None
) -> None:
    places = parse(line).places
    assert under(line, locate(InvalidSpec(message, field=field), places)) == marked


def test_what_is_not_the_lines_fault_has_no_caret() -> None:
    places = parse("df x.csv").places
    assert locate(ServerUnavailable("The server at “x.csv” does not answer."), places) is None
    found = locate(OutputExists("“x.csv” exists already.", field="output.path"), places)
    assert under("df x.csv", found) == "x.csv"


def test_a_sketch() -> None:
    assert sketch("df http://me:word@x y", Span(3, 19)) == (
        "  df http://me:****@x y\n     ^^^^^^^^^^^^^^^^"
    )
    assert sketch("df x.cvs", Span(4, 8), before="%export ") == (
        "  %export df x.cvs\n              ^^^^"
    )
    # a wide letter takes two columns, a tab becomes a blank
    assert sketch("長\tx", Span(2, 3)) == "  長 x\n     ^"
    long = sketch(f"{'a, ' * 100}here{', b' * 100}", Span(300, 304))
    line, carets = long.split("\n")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "here"
    assert len(line) <= 100
    assert line.startswith("  …")
    assert line.endswith("…")
    assert sketch("a b", Span(2, 3), colour=True).endswith("\x1b[31m^\x1b[0m")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("SELECT carier FROM flights", "  2 │ SELECT carier FROM flights\n             ^^^^^^"),
        ("\n-- all\nSELECT *\nFROM fligths", "  5 │ FROM fligths\n           ^^^^^^^"),
        ("SELECT 1 +\n FROM flights", "  3 │  FROM flights\n       ^^^^"),
        ("  SELECT nope(delay)\nFROM flights", "  2 │   SELECT nope(delay)\n               ^^^^"),
        (f"SELECT {'1, ' * 60}carier FROM flights", None),
    ],
)
def test_a_cells_sql_is_marked_where_the_engine_points(cell: str, shown: str | None) -> None:
    with pytest.raises(QueryFailed) as caught:
        Query(cell, NAMES).read()
    excerpt = excerpt_of(caught.value)
    assert excerpt is not None
    if shown is None:
        assert excerpt.text[excerpt.span.start : excerpt.span.end] == "carier"
    else:
        assert excerpt.shown() == shown


def test_a_place_that_an_engine_tells_in_a_cut_line() -> None:
    sql = f"SELECT 1\nFROM {'a' * 50}, nope WHERE x"
    message = "Error: bad\n\nLINE 2: ...aaaa, nope WHERE x\n                 ^"
    span = place_told(message, sql)
    assert span is not None
    assert sql[span.start : span.end] == "nope"
    assert place_told("LINE 9: x\n        ^", "SELECT 1") is None


def test_a_databases_word_is_found_in_the_cell() -> None:
    cell = "SELECT 'nope', x -- nope\nFROM nope"
    found = pointed(QueryFailed("relation “nope” does not exist"), cell)
    assert found == Excerpt(cell, Span(30, 34), first=2)
    assert pointed(QueryFailed("The query failed: no such table: main.nope."), cell) == found
    assert pointed(QueryFailed("relation “other” does not exist"), cell) is None
    assert pointed(InvalidRequest("“nope” is wrong."), cell) is None


def test_a_cell_shows_its_line_and_a_caret(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.colors = "nocolor"
    caught = shell.run_cell("%export flights x.cvs --limit 1").error_in_exec
    assert str(caught).endswith("Did you mean .csv? Or say the format itself.")
    assert capsys.readouterr().out.splitlines() == [
        f"✕ {caught}",
        "  %export flights x.cvs --limit 1",
        "                   ^^^^",
    ]
    shell.colors = "linux"
    shell.run_cell("%%export x.csv --limt 1\nSELECT 1")
    assert (
        "%%export x.csv --limt 1\n                 \x1b[31m^^^^^^\x1b[0m" in capsys.readouterr().out
    )
