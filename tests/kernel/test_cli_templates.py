"""``jupyter export``: templates, and documents with parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from jupyter_export import cli

MONTHLY = """\
description: The rows of a month
source: {type: file, path: in.csv}
where: {column: month, op: in, value: "{{months}}"}
output: {path: "{{year=2013}}-{{tag}}.csv"}
"""


@pytest.fixture(autouse=True)
def data() -> None:
    pd.DataFrame({"n": range(10), "month": [1, 2] * 5}).to_csv("in.csv", index=False)
    Path("monthly.yaml").write_text(MONTHLY)


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = cli.DONE) -> str:
    assert cli.main(list(words)) == code
    shown = capsys.readouterr()
    return shown.out if code == cli.DONE else shown.err


def test_a_template_is_saved_listed_run_and_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "templates") == "There are no templates yet.\n"
    kept = said(capsys, "save-template", "monthly", "monthly.yaml")
    assert kept == "● monthly saved · months, year=2013, tag\n"
    again = said(capsys, "save-template", "monthly", "monthly.yaml", code=cli.WRONG)
    assert "There is a template “monthly” already. Use --replace" in again
    assert "replaced" in said(capsys, "save-template", "monthly", "monthly.yaml", "--replace")
    (_, line) = said(capsys, "templates").splitlines()
    assert " ".join(line.split()) == "monthly csv months, year=2013, tag The rows of a month"
    (listed,) = json.loads(said(capsys, "templates", "--json"))["templates"]
    assert listed["name"] == "monthly"

    run = ["run", "--template", "monthly", "--param", "months=[2]"]
    job = json.loads(said(capsys, *run, "--param", "tag=a", "--json"))
    assert (job["result"]["path"], job["result"]["rows"]) == ("2013-a.csv", 5)
    said(capsys, *run, "--param", "tag=01", "--param", "year=2014", "--path", "other.csv")
    assert Path("other.csv").read_bytes() == Path("2013-a.csv").read_bytes()
    shown = said(capsys, "preview", *run[1:], "--param", "tag=b", "--rows", "1")
    assert "· 2 columns" in shown
    missing = said(capsys, *run, code=cli.WRONG)
    assert "The parameter “tag” has no value. Give it as --param tag=VALUE." in missing
    unknown = said(capsys, *run, "--param", "yaer=1", code=cli.WRONG)
    assert "Did you mean year?" in unknown
    other = said(capsys, "run", "--template", "montly", code=cli.WRONG)
    assert "You have no template “montly”. Did you mean monthly?" in other

    assert "was deleted" in said(capsys, "delete-template", "monthly")
    assert "You have none yet" in said(capsys, "delete-template", "monthly", code=cli.WRONG)


def test_a_file_may_have_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "monthly.yaml", "--param", "months=[1, 2]", "--param"]
    assert "● 2013-x.csv · 10 rows" in said(capsys, *words, "tag=x")
    for wrong, why in (
        (["run"], "No document is given"),
        (["run", "monthly.yaml", "--template", "a"], "Two documents are given"),
        ([*words, "tag"], "“tag” is not NAME=VALUE"),
        (["save-template", "a/b", "monthly.yaml"], "cannot be the name"),
        (["save-template", "a", "in.csv"], "not valid JSON"),
    ):
        assert why in said(capsys, *wrong, code=cli.WRONG)
    frame = {"source": {"type": "upload", "id": "{{flights}}"}, "format": "csv"}
    Path("frame.json").write_text(json.dumps(frame))
    told = said(capsys, "run", "frame.json", code=cli.WRONG)
    assert "needs the frame “flights” of a notebook" in told
    assert "frame flights" in said(capsys, "save-template", "frames", "frame.json")
