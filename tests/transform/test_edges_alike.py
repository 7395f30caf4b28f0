"""Where the engine and PostgreSQL would part by themselves: they give the same, or both refuse."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from jupyter_export.registry import Relation
from jupyter_export.transform.push import push

from .both import Both, dataset
from .test_expressions import compile_, refused

PATTERNS = [
    r"\w+é", r"[\w]$", "[[:word:]]$", r"\bÄé", r"é\b", r"\Bé", r"Ä\B", "[[:alpha:]]{2}", r"\W",
    r"\D", r"\S+$", r"[^\s]", r"[^\w]", "[[:punct:]]", "[[:space:]]", "[[:upper:]]", "[[:graph:]]$",
    "(?i)[[:upper:]]b", r"[\d,]", r"\x61b", r"\x{e9}", r"[\x61-\x62]", r"[\x{e9}]", "a{255}",
    r"[a\-\w]", r"[,\w-]", "[[a]", "a{,2}", "a{", "[]a]", "[^]]", r"[\]]", "[.]", "[=]", "%",
    r"a\_", r"\\", "b$|^B", r"\A..\z", r"\n", "(?:a|b)+c", "",
]  # fmt: skip
UNSHARED = [
    r"\x00", "a{0,300}", "^*", "$+", r"\b*", r"[\w-x]", "[[:<:]]a", "[[:foo:]]", "[[:^alpha:]]",
    "[[.a.]]", "[a-", "(?s).", "a++",
]  # fmt: skip
UNREADABLE = ["(a", ")", "a**", r"\u0041", r"\e", r"\x{110000}", "[z-a]", "*a", "a{1,0}"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_find_the_same(both: Both, pattern: str) -> None:
    both.column(f"word ~ '{pattern}'")
    both.rows(where={"column": "word", "op": "regex", "value": pattern}, sort=["id"])


@pytest.mark.parametrize("pattern", [*UNSHARED, *UNREADABLE])
def test_patterns_that_only_one_has(pattern: str) -> None:
    words = "do not read alike" if pattern in UNSHARED else "cannot be read: "
    assert words in refused(f"word ~ '{pattern}'").message


EXPRESSIONS = [
    r"regexp_replace(word, 'b+', 'x', 'g')", r"regexp_replace(word, 'b*', 'x')",
    r"regexp_replace(word, '\w', '<\0>', 'g')", r"regexp_replace(word, 'a', '\\\0\\&$1')",
    r"regexp_extract(word, '\b\w+\b')", r"regexp_extract(word, '[[:alpha:]]+')",
    "upper('straße ẞ')", "-id - small", "left(word, -9223372036854775808)",
    "left(word, 9223372036854775807)", "right(word, id * -3000000000)", "left(word, small)",
    "sin(number * 0)", "cast(-0e0 as text)", "cast(cast('-0' as double) as text)", "flag > false",
    "flag <= true", "false < flag", "true > false", "flag between false and true",
    "cast('2020-01-01T0' || id || ':00' as timestamp)",
    "cast('2020-01-01 0' || id || ':00+1530' as timestamptz)",
    "cast('2020-01-01 0' || id || ':00Z ' as timestamptz)",
    "cast('2020-01-0' || (id + 1) || ' ' as timestamptz)", "cast('1E' || id as double)",
    "cast(finite as decimal(18, 0))", "cast(-finite as decimal(18, 0))",
    "cast(finite as decimal(18, 2))", "cast(finite / 1e14 as decimal(18, 15))",
    "cast(-number as text)", "'x' || -number", "2 ** -1000",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_give_the_same(both: Both, expression: str) -> None:
    assert len(both.column(expression)) == 8


def test_what_comes_out(both: Both) -> None:
    assert both.column("upper('straße')")[0] == "STRAẞE"
    assert both.column("cast(-number as text)")[3] == "nan"
    assert str(both.column("cast(finite as decimal(18, 0))")[5]) == "1234567890123457"
    assert both.column(r"regexp_replace(word, '\b', '|')")[0] == "|ab"


@pytest.mark.parametrize(
    "expression",
    ["regexp_replace(word, 'b*', 'x', 'g')", "regexp_replace(word, '(?i)B{0,1}', 'x', 'g')",
     "regexp_replace(word, '[b]?$', 'x', 'g')", "regexp_replace(word, '^', '>', 'g')",
     "cast(finite as decimal(38, 2))"],
)  # fmt: skip
def test_what_postgres_does_otherwise_is_left_to_the_engine(both: Both, expression: str) -> None:
    made = dataset(computed=[{"name": "made", "expression": expression}])
    pushed = push(made, Relation(both.there, both.table.schema), "postgresql")
    assert pushed.rest.computed == made.computed


@pytest.mark.parametrize(
    "expression",
    ["-(-9223372036854775807 - 1 + id * 0)", "sin(number)", "cos(1 / (number - number))",
     "2 ** (-1080 + id)", "cast('2020-02-29 23:59:6' || (id * 0) as timestamp)",
     "cast('24:00:0' || (id * 0) as time)", "cast('2020-01-01t0' || id || ':00' as timestamp)",
     "cast('2020-01-01 0' || id || ':00+16' as timestamptz)",
     "cast('0000-01-0' || (id + 1) as date)", "cast(number as decimal(10, 2))",
     "cast(number * 0 as decimal(10, 2))", "cast(finite as decimal(17, 2))"],
)  # fmt: skip
def test_what_fails_in_both(both: Both, expression: str) -> None:
    steps = {"computed": [{"name": "made", "expression": expression}]}
    with pytest.raises(Exception, match=r"."):
        both.in_engine(**steps)
    with pytest.raises(sa.exc.DBAPIError):
        both.in_postgres(**steps)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (r"regexp_replace(word, 'a', '\&')", "in the replacement of “regexp_replace”"),
        (r"regexp_replace(word, 'a', '\x')", "in the replacement of “regexp_replace”"),
        (r"regexp_replace(word, 'a', 'x\')", "in the replacement of “regexp_replace”"),
        ("strftime(at, '')", "gives “strftime” no format"),
        ("round(1e15+0.5)", "Write blanks around + and -."),
    ],
)
def test_what_is_said_before_anything_runs(expression: str, sentence: str) -> None:
    assert sentence in str(refused(expression))


def test_a_number_with_blanks_around_its_sign_is_fine() -> None:
    assert compile_("1e3 + 1")
