"""The flags that narrow and shape the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.errors import ExportError, InvalidRequest
from jupyter_export.magic.arguments import parse
from jupyter_export.magic.flags import FLAGS
from jupyter_export.magic.helptext import PAGE
from jupyter_export.magic.steps import steps_of
from jupyter_export.spec import parse as parse_spec

from .shells import run

ONE_PLACE = True

FLIGHTS = pd.DataFrame(
    {
        "carrier": ["UA", "AA", "UA", "AA", "UA"],
        "delay": [5.0, 10.0, 61.0, None, 5.0],
        "hour": pd.to_datetime(
            ["2013-01-01 05:00", "2013-01-01 23:59", "2013-01-02", "2013-01-02", "2013-02-01"],
            format="ISO8601",
        ),
        "-odd": [1, 2, 3, 4, 5],
    }
)
PIVOTED = (
    '--group-by "m=time_bucket(hour, 1 month), carrier" --aggregate n=count '
    '--pivot "on=carrier values=n"'
)


def steps(line: str, known: Any = ()) -> dict[str, Any]:
    return steps_of(parse(f"df x.csv {line}"), known)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("--sort delay", {"sort": [{"column": "delay"}]}),
        ("--sort -delay,carrier",
         {"sort": [{"column": "delay", "descending": True}, {"column": "carrier"}]}),
        ("--sort -h", {"sort": [{"column": "h", "descending": True}]}),
        ("--sort=-a --sort b", {"sort": [{"column": "a", "descending": True}, {"column": "b"}]}),
        ('--sort "delay DESC nulls first, Dep Delay asc"',
         {"sort": [{"column": "delay", "descending": True, "nulls": "first"},
                   {"column": "Dep Delay"}]}),
        ("--sort '\"-odd\" desc, \"a, \"\"b\"\"\"'",
         {"sort": [{"column": "-odd", "descending": True}, {"column": 'a, "b"'}]}),
        ("--distinct", {"distinct": True}),
        ("--sample 1,000", {"sample": {"rows": 1000}}),
        ("--sample 2.5% --seed 7", {"sample": {"percent": 2.5, "seed": 7}}),
        ('--time-range "hour 2013-01-01..2013-02-01"',
         {"time_range": {"column": "hour", "start": "2013-01-01", "end": "2013-02-01"}}),
        ('--time-range "hour 2013-01-01 05:00.."',
         {"time_range": {"column": "hour", "start": "2013-01-01 05:00"}}),
        ("--time-range '\"The Hour\" .. 2013'",
         {"time_range": {"column": "The Hour", "end": "2013"}}),
        ('--compute "hours=delay / 60" --compute "late=delay > 60, cast(x AS text) AS \\"a b\\""',
         {"computed": [{"name": "hours", "expression": "delay / 60"},
                       {"name": "late", "expression": "delay > 60"},
                       {"name": "a b", "expression": "cast(x AS text)"}]}),
        ("--compute \"ua=carrier = 'U,A'\"",
         {"computed": [{"name": "ua", "expression": "carrier = 'U,A'"}]}),
        ("--group-by carrier,origin", {"group_by": [{"column": "carrier"}, {"column": "origin"}]}),
        ('--group-by "day=time_bucket(hour, 1 day), carrier as c"',
         {"group_by": [{"column": "hour", "time_bucket": "1 day", "as": "day"},
                       {"column": "carrier", "as": "c"}]}),
        ("--group-by \"time_bucket(interval '1 week', hour, 'Europe/Paris') AS week\"",
         {"group_by": [{"column": "hour", "time_bucket": "1 week", "time_zone": "Europe/Paris",
                        "as": "week"}]}),
        ('--group-by "late=delay > 60, Dep Delay"',
         {"group_by": [{"expression": "delay > 60", "as": "late"}, {"column": "Dep Delay"}]}),
        ('--aggregate "p95=percentile(delay, 0.95)" --aggregate "AVG(delay), count(*)"',
         {"aggregates": [{"function": "percentile", "column": "delay", "p": 0.95, "as": "p95"},
                         {"function": "avg", "column": "delay"}, {"function": "count"}]}),
        ('--aggregate "count, count(delay), count(distinct \\"Tail Num\\") as planes"',
         {"aggregates": [{"function": "count"}, {"function": "count", "column": "delay"},
                         {"function": "count_distinct", "column": "Tail Num", "as": "planes"}]}),
        ('--aggregate "total=sum(round(a, 2) * b), last(a order by hour)"',
         {"aggregates": [{"function": "sum", "expression": "round(a, 2) * b", "as": "total"},
                         {"function": "last", "column": "a", "order_by": "hour"}]}),
        ('--pivot "on=carrier values=p95"', {"pivot": {"on": "carrier", "values": "p95"}}),
        ('--pivot "on=\\"The Carrier\\" values=percentile(a, 0.5) index=day,b"',
         {"pivot": {"on": "The Carrier", "values": "a", "function": "percentile", "p": 0.5,
                    "index": ["day", "b"]}}),
        ('--pivot "on=a values=b function=max"',
         {"pivot": {"on": "a", "values": "b", "function": "max"}}),
    ],
)  # fmt: skip
def test_flags_become_steps_of_the_document(line: str, expected: dict[str, Any]) -> None:
    found = steps(line)
    assert found == expected
    parse_spec({"source": {"type": "upload", "id": "x"}, **found})


def test_a_name_that_exists_is_that_column() -> None:
    assert steps("--sort -odd,-delay", {"-odd", "delay"}) == {
        "sort": [{"column": "-odd"}, {"column": "delay", "descending": True}]
    }
    assert steps('--sort "-odd desc"', {"-odd"})["sort"] == [{"column": "-odd", "descending": True}]
    assert steps('--group-by "upper(x)"', {"upper(x)"}) == {"group_by": [{"column": "upper(x)"}]}
    made = steps('--group-by carrier --aggregate "\\"-n\\"=count(*)" --sort -n')
    assert made["sort"] == [{"column": "-n"}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--sort", "--sort needs a value."),
        ("--sort --distinct", "--sort needs a value."),
        ('--sort "-a asc"', "both descending (the minus) and ascending"),
        ("--sort a,,b", "has an empty place in its list"),
        ("--order-by a", "Did you mean --sort?"),
        ("--groupby a", "Did you mean --group-by?"),
        ("--seed 5", "--seed belongs to --sample."),
        ("--sample 0.1", "“0.1” is neither a number of rows nor a percentage."),
        ("--sample", "--sample needs a value."),
        ("--time-range hour 2013..2014", "“hour” is not a column and a range."),
        ('--time-range "hour .."', "is not a column and a range."),
        ('--compute "a + b"', "--compute: “a + b” needs a name. Write NAME=a + b."),
        ('--group-by "upper(c)"', "--group-by: “upper(c)” needs a name."),
        ('--group-by "time_bucket(hour, day)"', "Write time_bucket(COLUMN, 1 day)"),
        ('--aggregate "sum(a * b)"', "“sum(a * b)” needs a name."),
        ('--aggregate "sum(a) / sum(b)"', "“sum(a) / sum(b)” is not one aggregate."),
        ('--aggregate "summ(a)"', "“summ” is not an aggregate. Did you mean sum?"),
        ('--aggregate "mean(a)"', "“mean” is not an aggregate. Did you mean avg?"),
        ('--aggregate "percentile(a)"', "Write percentile(COLUMN, 0.95)."),
        ('--aggregate "percentile(a, 95)"', "Give a number from 0 to 1"),
        ('--aggregate "avg()"', "Write avg(COLUMN)."),
        ('--pivot "carrier p95"', "“carrier” is not KEY=VALUE."),
        ('--pivot "on=a value=b"', "“value” is not a part of a pivot. Did you mean values?"),
        ('--pivot "on=a"', "--pivot has no “values”."),
    ],
)
def test_mistakes_are_one_sentence(line: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        steps(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_flag_is_in_the_help() -> None:
    for flag in FLAGS:
        assert flag in PAGE or flag == "--wait"


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("--columns delay --sort -delay --limit 2", "delay\n61.0\n10.0\n"),
        ("--columns=-odd --sort -odd --limit 2", "-odd\n1\n2\n"),
        ("--columns=-odd --sort '-odd desc' --limit 2", "-odd\n5\n4\n"),
        ("--group-by carrier --aggregate count,avg(delay)",
         "carrier,count,avg_delay\nAA,2,10.0\nUA,3,23.666666666666668\n"),
        ('--aggregate "p50=percentile(delay, 0.5)"', "p50\n7.5\n"),
        ('--group-by "day=time_bucket(hour, 1 day)" --aggregate n=count --sort -n,day --limit 1',
         "day,n\n2013-01-01 00:00:00,2\n"),
        (PIVOTED, "m,AA,UA\n2013-01-01 00:00:00,2,2\n2013-02-01 00:00:00,,1\n"),
        ("--columns carrier --distinct --sort carrier", "carrier\nAA\nUA\n"),
        ('--time-range "hour 2013-01-02..2013-02-01" --columns carrier', "carrier\nUA\nAA\n"),
        ('--compute "hours=delay / 50" --columns hours --where "delay < 10" --limit 1',
         "hours\n0.1\n"),
    ],
)  # fmt: skip
def test_what_comes_out(shell: InteractiveShell, line: str, written: str) -> None:
    shell.user_ns["df"] = FLIGHTS
    job = run(shell, f"df x.csv {line}")
    assert Path("x.csv").read_text() == written
    columns = written.split("\n", 1)[0].count(",") + 1
    assert job.columns == (None if "--pivot" in line else columns)


def test_a_sample_is_the_same_again(shell: InteractiveShell) -> None:
    shell.user_ns["df"] = pd.DataFrame({"n": range(10_000)})
    run(shell, "df a.csv --sample 100 --seed 7")
    run(shell, "df b.csv --sample 100 --seed 7")
    run(shell, "df c.csv --sample 100 --seed 8")
    texts = [Path(f"{name}.csv").read_text() for name in "abc"]
    assert texts[0].count("\n") == 101
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("df x.csv --sort dely", "delay"),
        ("df x.csv --group-by carier", "carrier"),
        ("df x.csv --aggregate sum(dely)", "delay"),
        ('df x.csv --compute "a=dely + 1"', "delay"),
        ('df x.csv --time-range "our 2013.."', "hour"),
        ('df x.csv --pivot "on=carier values=delay"', "carrier"),
        ("df x.csv --pivot on=carrier values=delay", "--pivot has no “values”"),
        ('df x.csv --compute "a=1; DROP TABLE x"', "a"),
        ("df df x.csv --sort delay", "--sort means one frame, and the line names 2."),
        ("df df x.csv --group-by carrier", "--group-by means one frame"),
        ("df df x.csv --compute a=1", "--compute means one frame"),
        ("df df x.csv --distinct", "--distinct means one frame"),
        ("df x.csv --param a=1", "--param needs SQL."),
    ],
)
def test_wrong_steps_fail_with_the_nearest(shell: InteractiveShell, line: str, said: str) -> None:
    shell.user_ns["df"] = FLIGHTS
    with pytest.raises(ExportError) as caught:
        run(shell, line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("x.csv").exists()


def test_a_sample_means_each_of_several_frames(shell: InteractiveShell) -> None:
    shell.user_ns.update(a=pd.DataFrame({"n": range(100)}), b=pd.DataFrame({"n": range(50)}))
    job = run(shell, "a b out --format csv --sample 10% --limit 100")
    assert 0 < job.result()["rows"] < 150
    assert run(shell, "a b out --format csv --sample 5 --replace").result()["rows"] == 10
