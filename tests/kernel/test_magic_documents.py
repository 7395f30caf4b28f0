"""Documents on a line: a variable, a file, a template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.client import LocalClients
from jupyter_export.errors import (
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    OutputExists,
)
from jupyter_export.spec import parse
from jupyter_export.spec.template import frame_source

from .shells import FLIGHTS, run, sql

ONE_PLACE = True
LATE = "plane,delay\nN1,5.0\nN1,61.0\n"
REPORT = """\
name: late
source: {type: upload, id: "{{flights}}"}
where: delay > {{low=1}}
columns: {include: [plane, delay]}
format:
  type: csv
  delimiter: ";"
output:
  path: late.csv
"""


def text(name: str) -> str:
    return Path(name).read_text()


@pytest.fixture(autouse=True)
def no_templates() -> Any:
    yield
    client = LocalClients.here()
    for each in client.templates():
        client.delete_template(each["name"])


def test_a_variable_holds_the_document(shell: InteractiveShell) -> None:
    spec = {"source": FLIGHTS, "columns": ["plane", "delay"], "where": "delay > 1",
            "output": {"path": "own.csv"}}  # fmt: skip
    shell.user_ns.update(
        spec=spec,
        text=json.dumps({"source": frame_source("planes"), "format": "csv"}),
        model=parse({"source": {"type": "file", "path": "own.csv"}, "limit": 1}),
        frames={"a": FLIGHTS, "b": FLIGHTS.head(1)},
        name="given",
    )
    run(shell, "{spec}")
    assert text("own.csv") == LATE
    run(shell, "{spec} {name}.csv --limit 1")
    assert text("given.csv") == "plane,delay\nN1,5.0\n"
    with pytest.raises(OutputExists, match="add --replace"):
        run(shell, "spec")
    assert run(shell, "spec --replace --sort -delay").name == "own"
    assert text("own.csv") == "plane,delay\nN1,61.0\nN1,5.0\n"
    assert run(shell, "{text} planes.json").state["format"] == "json"
    run(shell, "{model} model.csv")
    assert text("model.csv").count("\n") == 2
    run(shell, "{frames} both.xlsx")
    assert list(pd.read_excel("both.xlsx", sheet_name=None, engine="openpyxl")) == ["a", "b"]
    run(shell, '{"source": flights.head(1), "format": "jsonl"} one.jsonl')
    run(shell, "{flights.head(1)} {flights} three.xlsx")
    assert text("one.jsonl").count("\n") == 1


def test_a_file_holds_the_document(shell: InteractiveShell) -> None:
    Path("report.yaml").write_text(REPORT)
    run(shell, "report.yaml")
    assert text("late.csv") == LATE.replace(",", ";")
    run(shell, "report.yaml --param low=10 --option delimiter=| --replace")
    assert text("late.csv") == "plane|delay\nN1|61.0\n"
    shell.user_ns["other"] = FLIGHTS.assign(delay=[1.0, 2.0, 3.0])
    run(shell, "report.yaml other 'other late.csv'")
    assert text("other late.csv") == "plane;delay\nN2;2.0\nN1;3.0\n"
    assert run(shell, "report.yaml late.parquet --no-wait").wait(60).state["format"] == "parquet"
    Path("two.json").write_text(
        json.dumps({"datasets": [{"name": n, "source": frame_source(n)}
                                 for n in ("flights", "planes")]})
    )  # fmt: skip
    run(shell, "two.json flights.head(1) two.xlsx --limit 1")
    assert [
        len(each) for each in pd.read_excel("two.xlsx", sheet_name=None, engine="openpyxl").values()
    ] == [1, 1]


@pytest.mark.parametrize(
    ("written", "line", "said", "shown"),
    [
        (REPORT.replace("delimiter", "delimitr"), "report.yaml",
         "report.yaml, line 7: “delimitr” is not an option of csv. Did you mean delimiter?",
         '  7 │   delimitr: ";"\n        ^^^^^^^^'),
        (REPORT.replace("[plane, delay]", "[plane, 3]"), "report.yaml", "report.yaml, line 4: ",
         "  4 │ columns: {include: [plane, 3]}\n                                 ^"),
        (REPORT.replace("{{flights}}", "{{fligths}}"), "report.yaml", "Did you mean flights?",
         "  %export report.yaml\n          ^^^^^^^^^^^"),
        (REPORT.replace("{{low=1}}", "{{low}}"), "report.yaml", "line 3: The parameter “low” has",
         "  3 │ where: delay > {{low}}"),
        (REPORT, "report.yaml --param lo=1", "“lo” is not a parameter", "--param lo=1\n" + 30 * " "
         + "^^"),
        (REPORT, "report.yaml planes flights x.csv", "takes 1 frame, and the line names 2.",
         "^^^^^^^"),
        (REPORT, "report.yaml --compress gzp", "Did you mean gzip?", "^^^"),
        ("source: {type: upload\nwhere: x\n", "report.yaml", "report.yaml, line 2: this is no YAML",
         "  2 │ where: x\n           ^"),
        ("- 1", "report.yaml", "exists, and holds no spec.", "^^^^^^^^^^^"),
        (REPORT + "name: again\n", "report.yaml", "line 10: this is no YAML: the key “name” stands",
         "  10 │ name: again\n       ^"),
        (REPORT, "repotr.yaml", "There is no file “repotr.yaml”. Did you mean report.yaml?",
         "^^^^^^^^^^^"),
        (REPORT, "dir.yaml", "There is no file “dir.yaml”.", "^^^^^^^^"),
        (REPORT.replace("[plane, delay]", "[plane, report]"), "report.yaml", "yaml, line 4: ",
         "  4 │ columns: {include: [plane, report]}"),
        (REPORT, "{1: 2} x.csv", "The spec is a mapping, and holds no spec.", "^^^^^^"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_shown_there(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str],
    written: str, line: str, said: str, shown: str,
) -> None:  # fmt: skip
    Path("report.yaml").write_text(written)
    shell.colors = "nocolor"
    result = shell.run_cell(f"%export {line}")
    assert isinstance(result.error_in_exec, ExportError)
    assert said in str(result.error_in_exec)
    assert shown in capsys.readouterr().out
    assert not Path("late.csv").exists()


def test_a_file_is_read_as_json_is(shell: InteractiveShell) -> None:
    """Keys and dates of YAML are texts; a mark of UTF-8 is none of the document."""
    days = pd.DataFrame({"day": pd.to_datetime(["2013-01-01", "2013-01-02"]), "n": [1, 2],
                         "who": ["AA", "UA"]})  # fmt: skip
    shell.user_ns["days"] = days
    Path("days.yml").write_text(
        "source: {type: upload, id: '{{days}}'}\n"
        "time_range: {column: day, start: 2013-01-01, end: 2013-01-02}\n"
        "pivot: {index: [day], on: who, values: n, function: max}\n",
        encoding="utf-8-sig",
    )
    run(shell, "days.yml days.csv")
    assert text("days.csv") == "day,AA\n2013-01-01 00:00:00,1\n"
    Path("twice.json").write_text(
        '{"source": {"type": "file", "path": "a"}, "limit": 1, "limit": 2}'
    )
    with pytest.raises(InvalidSpec, match=r"twice\.json: The key “limit” stands twice"):
        run(shell, "twice.json x.csv")


def test_a_line_is_saved_and_used_again(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["other"] = FLIGHTS.assign(delay=[1.0, 2.0, 3.0])
    line = 'flights late.csv --columns plane,delay --where "delay > {{low=1}}" --option delimiter=;'
    run(shell, f"{line} --save-template late")
    assert text("late.csv") == LATE.replace(",", ";")
    assert "Saved as the template “late”: %export --template late" in capsys.readouterr().out
    kept = LocalClients.here().template("late")["spec"]
    assert kept["datasets"][0]["source"] == frame_source("flights")
    assert kept["output"] == {"path": "late.csv"}
    run(shell, "--template late other other.csv --param low=2")
    assert text("other.csv") == "plane;delay\nN1;3.0\n"
    run(shell, "--template late --replace --limit 1 --format jsonl")
    assert text("late.csv") == '{"plane":"N1","delay":5.0}\n'
    run(shell, "other plain.csv --limit 1 --save-template late --replace")
    run(shell, "--template late again.csv")
    assert text("again.csv") == "carrier,delay,plane\nUA,1.0,N1\n"
    run(shell, "--template late two.csv --save-template both")
    Path("report.yaml").write_text(REPORT)
    run(shell, "report.yaml three.csv --param low=6 --save-template six")
    assert LocalClients.here().template("six")["spec"]["datasets"][0]["where"] == "delay > 6"
    shell.run_line_magic("export", "flights x.csv --preview --save-template seen")
    assert not Path("x.csv").exists()
    assert run(shell, "--template seen").name == "flights"
    job = sql(shell, "lite.csv --connection lite --save-template lite --param low=5",
              "SELECT 1 AS n WHERE 9 > :low") if _lite(shell) else None  # fmt: skip
    assert job is not None
    run(shell, "--template lite lite2.csv")
    assert text("lite2.csv") == "n\n1\n"


def _lite(shell: InteractiveShell) -> bool:
    import sqlite3

    shell.user_ns["lite"] = sqlite3.connect(":memory:")
    return True


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("--template lat", NotFound, "Did you mean late?"),
        ("--template late --param a=1", InvalidSpec, "“a” is not a parameter of this template."),
        ("--template late x.csv --columns dely", ExportError, "delay"),
        ("flights x.csv --save-template late", InvalidRequest, "“late” already. Choose another"),
        ("flights x.csv --save-template 'a b'", InvalidRequest, "cannot be the name"),
        ("flights.head(1) x.csv --save-template e", InvalidRequest, "Give them a name first"),
        ("flights x.csv --where 'delay > {{low}}' --save-template e", InvalidSpec,
         "Give it as --param low=VALUE."),
        ("flights x.csv --columns dely --save-template e", ExportError, "delay"),
        ("flights x.csv --param a=1 --save-template e", InvalidSpec, "“a” is not a parameter"),
    ],
)  # fmt: skip
def test_templates_that_are_wrong(
    shell: InteractiveShell, line: str, error: type[ExportError], said: str
) -> None:
    client = LocalClients.here()
    client.save_template("late", {"source": frame_source("flights"), "format": "csv"})
    with pytest.raises(error) as caught:
        run(shell, line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [each["name"] for each in client.templates()] == ["late"]
    with pytest.raises(InvalidRequest, match="A document cannot say"):
        shell.run_cell_magic("export", "x.csv --save-template q", "SELECT * FROM flights")
    assert not Path("x.csv").exists()


def test_the_panel_opens_with_the_line(shell: InteractiveShell) -> None:
    from collections import ChainMap

    from jupyter_export.magic.arguments import parse as parse_line
    from jupyter_export.magic.panel import made

    names = ChainMap(shell.user_ns)
    for line in (
        "--panel flights p.csv --sort delay",
        "--panel flights.head(2) p.csv --sort delay",
        "--panel",
    ):
        panel = made(parse_line(line), None, names)
        try:
            if line != "--panel":
                assert panel.spec["output"]["path"] == "p.csv"
                assert "delay" in json.dumps(panel.spec)
        finally:
            panel.close()
    panel = made(parse_line("--panel flights p.pdf --option password=word"), None, names)
    assert panel.spec["format"]["password"] == "word"
    assert "word" not in repr(panel)
    panel.close()
    with pytest.raises(InvalidRequest, match="--limit needs a frame"):
        made(parse_line("--panel --limit 3"), None, names)


def test_a_template_with_a_password_is_refused_before_a_file_is_written(
    shell: InteractiveShell,
) -> None:
    with pytest.raises(InvalidSpec, match="A template holds no password"):
        run(shell, "flights x.pdf --option password=swordfish --save-template secret")
    assert not Path("x.pdf").exists()
    run(shell, 'flights x.csv --option delimiter=";" --save-template plain')
    assert Path("x.csv").exists()
