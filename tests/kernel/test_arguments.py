"""The line of ``%export``."""

from __future__ import annotations

import os

import pytest

from jupyter_export.errors import InvalidRequest
from jupyter_export.magic.arguments import parse, split, unquoted


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("df x.csv", ["df", "x.csv"]),
        ('df "my file.csv"', ["df", "my file.csv"]),
        ("df 'my file.csv'", ["df", "my file.csv"]),
        ('df.query("x>1") x.csv', ['df.query("x>1")', "x.csv"]),
        ('df.query("x > 1") x.csv', ['df.query("x > 1")', "x.csv"]),
        ('df[["a", "b"]] x.csv', ['df[["a", "b"]]', "x.csv"]),
        ("  df   x.csv  ", ["df", "x.csv"]),
        ("", []),
    ],
)
def test_words_are_split_outside_quotes_and_brackets(line: str, words: list[str]) -> None:
    found = list(split(line))
    assert [word.raw if "(" in word or "[" in word else str(word) for word in found] == words


@pytest.mark.skipif(os.name == "nt", reason="a backslash separates folders there")
def test_a_backslash_escapes_a_blank() -> None:
    assert [str(word) for word in split(r"df my\ file.csv")] == ["df", "my file.csv"]


def test_every_flag() -> None:
    found = parse(
        'df --format csv x.out --compress gzip --replace --columns "a, b" --where "a > 1" '
        "--limit 1,000 --option delimiter=; --option header=false --option null-text=NA "
        '--name n --no-wait --sheet Delays --preview --option \'header=["a b", "c"]\''
    )
    assert [unquoted(word) for word in found.words] == ["df", "x.out"]
    assert (found.format, found.compress, found.replace) == ("csv", "gzip", True)
    assert (found.columns, found.where, found.limit) == (("a, b",), "a > 1", 1000)
    assert found.options == {"delimiter": ";", "header": ["a b", "c"], "null_text": "NA"}
    assert (found.sheet, found.preview) == ("Delays", True)
    assert (found.name, found.wait) == ("n", False)
    assert parse("df").wait
    found = parse(
        'x.csv --connection w --param a=1 --param "b-c=x y" --time-range "t 2013.." --sample 5% '
        "--seed 1_000 --compute a=b --compute c=d --group-by a --aggregate count --distinct "
        '--pivot "on=a values=b" --sort -a,b'
    )
    assert (found.connection, found.params) == ("w", {"a": 1, "b-c": "x y"})
    assert (found.time_range, found.sample, found.seed) == ("t 2013..", "5%", 1000)
    assert (found.compute, found.group_by, found.aggregate) == (("a=b", "c=d"), ("a",), ("count",))
    assert (found.pivot, found.distinct, found.sort) == ("on=a values=b", True, ("-a,b",))
    assert found.words == ("x.csv",)


@pytest.mark.parametrize("line", ["df --sort -a x.csv", "df x.csv --sort=-a", "--sort -a df x.csv"])
def test_a_minus_begins_no_flag_behind_sort(line: str) -> None:
    found = parse(line)
    assert (found.words, found.sort) == (("df", "x.csv"), ("-a",))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("df x.csv --replce", "“--replce” is not a flag of %export. Did you mean --replace?"),
        ("df x.csv --colums=a", "Did you mean --columns?"),
        ("df x.csv --limit many", "--limit: “many” is not a whole number."),
        ("df x.csv --where", "--where needs a value."),
        ("df x.csv --option delimiter", "“delimiter” is not KEY=VALUE"),
        ("df x.csv --replace=yes", "--replace takes no value."),
        ("df 'x.csv", "has no end"),
    ],
)
def test_faults_are_one_sentence_with_the_nearest_flag(line: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(line)
    assert said in str(caught.value)


def test_a_value_may_be_json_with_texts_in_it() -> None:
    for line in (
        'df a --option partition_by=["origin"]',
        "df a --option 'partition_by=[\"origin\"]'",
    ):
        assert parse(line).options == {"partition_by": ["origin"]}
    assert parse('df a --option charts=[{"type": "line", "x": "a"}]').options == {
        "charts": [{"type": "line", "x": "a"}]
    }
    assert parse('df a --option null="NA"').options == {"null": "NA"}
