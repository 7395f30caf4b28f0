"""Tab on a line of %export: what is offered, what it replaces, and that typing never waits."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.client import find_client
from jupyter_export.magic.completion import IDENTIFIER
from jupyter_export.magic.completion.answers import Answers
from jupyter_export.magic.typed import quoted, sql_name, words_of
from jupyter_export.spec.template import frame_source

from .conftest import Server, configure
from .kernels import kernel_of
from .shells import run, shell_with_frames

ODD = pd.DataFrame(
    {
        "größe": [1], "dep delay": [2], 'say "hi"': [3], "it's": [4], "a,b": [5], "order": [6],
        "at": pd.to_datetime(["2013-01-01"]),
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def typing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """One shell for all: nothing that is completed changes anything."""
    with shell_with_frames() as shell:
        shell.user_ns.update(odd=ODD, warehouse=duckdb.connect())
        yield shell


def completed(shell: InteractiveShell, text: str) -> tuple[set[str], list[str]]:
    """Return what would be replaced in ``text``, whose “|” is the cursor, and what with."""
    before, _, after = text.partition("|")
    with provisionalcompleter():
        found = list(shell.Completer.completions(before + after, len(before)))
    assert {each.end for each in found} <= {len(before)}
    return {before[each.start :] for each in found}, [each.text for each in found]


WHOLE = [
    # frames
    ("%export fl|", "fl", ["flights"]),
    ("x = 1\njob = %export pl|\nprint(2)", "pl", ["planes"]),
    ("export ans|", "", []),
    # flags
    ("%export flights a.csv --comp|", "--comp", ["--compute", "--compress"]),
    ("%export flights a.csv --compress gzip --compress|", "--compress", ["--compress"]),
    ("%export flights a.csv --sort delay --so|", "--so", ["--sort"]),
    ("%export flights a.csv --no-wait --wa|", "--wa", ["--wa"]),
    ("%export flights a.csv --co| --where x", "--co", ["--compute", "--columns", "--compress",
                                                       ]),
    ("%export flights \\\n  a.csv --dist|", "--dist", ["--distinct"]),
    # values that are words
    ("%export flights a.csv --compress z|", "z", ["zstd"]),
    ("%export flights --format ma|", "ma", ["markdown"]),
    ("%export flights a.csv --if-exists re|", "re", ["replace", "rename"]),
    ("%export flights a.xlsx --option freeze|", "freeze", ["freeze_panes="]),
    ("%export flights a --format excel --option freeze|", "freeze", ["freeze_panes="]),
    ("%export flights a.csv --option quote=a|", "quote=a", ["quote=all"]),
    ("%export flights a.csv --option header=|", "header=", ["header=true", "header=false"]),
    ("%%export a.csv --connection ware|\nSELECT 1", "ware", ["warehouse"]),
    ("%%export a.csv --connection warehouse --param |\nSELECT :year, x::int", "", ["year="]),
    # columns
    ("%export flights a.csv --columns |", "", ["carrier", "delay", "plane"]),
    ("%export --columns=carrier,p| flights a.csv", "p", ["plane"]),
    ("%export flights.query('delay > 1') a.csv --columns pl|", "pl", ["plane"]),
    ("%export flights a.csv --where |", "", ['"carrier ', '"delay ', '"plane ']),
    ("%export flights a.csv --where \"delay > 1 and ca|\" --limit 5", "ca", ["carrier"]),
    ("%export flights a.csv --sort -de|", "de", ["delay"]),
    ("%export planes a.csv --sort s|", "s", ["seats"]),
    ("%export airports a.csv --columns f|", "f", ["faa"]),
    ("%export flights a.csv --group-by carrier --aggregate a|", "a", ["avg("]),
    ("%export flights a.csv --aggregate avg(de|", "de", ["delay"]),
    ("%export flights a.csv --aggregate \"percentile(delay, |\"", "", ["0.5", "0.9", "0.95",
                                                                       "0.99"]),
    ('%export flights a.csv --group-by carrier --aggregate "m=avg(delay)" --sort |', "",
     ["carrier", "m"]),
    ('%export flights a.csv --compute "hours=delay/60" --columns h|', "h", ["hours"]),
    ("%export flights a.csv --pivot |", "", ['"on=', '"values=', '"index=', '"function=', '"p=']),
    ('%export flights a.csv --pivot "on=carrier values=max(d|', "d", ["delay"]),
    ('%export odd a.csv --group-by "time_b|', "time_b", ["time_bucket("]),
    # names that need quotes
    ("%export odd a.csv --columns |", "", [
        "größe", '"dep delay"', '\'"say ""hi"""\'', '"\\"it\'s\\""', "'\"a,b\"'", "order", "at"]),
    ('%export odd a.csv --columns "größe,dep d|', "dep d", ["dep delay"]),
    ('%export odd a.csv --where "dep|', "dep", ['\\"dep delay\\"']),
    ("%export odd a.csv --where 'größe > 1 and \"dep d|", '"dep d', ['"dep delay"']),
    ("%export odd a.csv --where 'or|", "or", ['"order"']),
    ("%export odd a.csv --aggregate avg(dep|", "dep", ["'\"dep delay\"'"]),
    # no name is meant
    ("%export flights a.csv --where \"carrier = 'c|", "'c", ["'c"]),
    ("%export flights a.csv --limit |", "--limit ", ["--limit "]),
    # paths
    ("%export flights flights.x|", "flights.x", ["flights.xlsx"]),
    ("%export flights flights.csv.z|", "flights.csv.z", ["flights.csv.zst"]),
    ("%export flights flights --format excel|", "excel", ["excel"]),
    # SQL
    ("%%export a.csv\nSELECT c| FROM flights", "c",
     ["carrier", "case", "count", "cast"]),
    ("%%export a.csv\nSELECT f.| FROM flights AS f", "", ["carrier", "delay", "plane"]),
    ("%%export a.csv\nSELECT p.s|\nFROM flights f, planes p", "s", ["seats"]),
    ("%%export a.csv\nSELECT * FROM air|", "air", ["airports"]),
    ('%%export a.csv\nSELECT o."dep| FROM odd o', '"dep', ['"dep delay"']),
    ("%%export a.csv\nSELECT 1 -- fl|", "fl", ["fl"]),
    ("%%export a.csv --columns se|\nSELECT * FROM planes", "se", ["seats"]),
    ("%%export pla|\nSELECT * FROM planes", "pla", [
        f"planes.{end}" for end in
        ("csv", "json", "jsonl", "parquet", "arrow", "xlsx", "pdf", "html", "md")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "replaced", "offered"), WHOLE, ids=[each[0] for each in WHOLE])
def test_what_is_offered(
    typing: InteractiveShell, text: str, replaced: str, offered: list[str]
) -> None:
    found, texts = completed(typing, text)
    assert texts == offered
    assert found <= {replaced}


def test_paths_of_the_working_directory(typing: InteractiveShell) -> None:
    Path("specs").mkdir()
    for name in ("monthly.yaml", "notes.txt", "specs/weekly.json", "my flights.csv"):
        Path(name).touch()
    assert completed(typing, "%export mon|")[1] == ["monthly.yaml"]
    assert completed(typing, "%export specs/w|")[1] == ["specs/weekly.json"]
    assert '"my flights.csv"' in completed(typing, "%export flights my|")[1]
    assert "specs/" in completed(typing, "%export flights sp|")[1]
    assert completed(typing, "%%export a.csv\nSELECT * FROM 'my|")[1] == ["my flights.csv"]


def test_an_expression_stays_with_python(typing: InteractiveShell) -> None:
    assert "query" in completed(typing, "%export flights.qu|")[1]
    assert "carrier" in completed(typing, '%export flights["ca|')[1]


def test_what_the_service_knows(
    typing: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE orders (number, price)")
    shop.close()
    configure(tmp_path / "settings", {"shop": f"sqlite:///{tmp_path}/shop.db"}, monkeypatch)
    job = run(typing, "flights a.csv")
    assert completed(typing, "%export --status |")[1] == [job.id]
    assert completed(typing, "%export --cancel |")[1] == ["--cancel "]  # none is active

    client = find_client()
    client.save_template("weekly", {"source": frame_source("df"), "where": "year = {{year}}"})
    assert completed(typing, "%export --template w|")[1] == ["weekly"]
    assert completed(typing, "%export --template weekly --param |")[1] == ["year="]

    assert completed(typing, "%%export b.csv --connection sh|\nSELECT 1")[1] == ["shop"]
    cell = "%%export b.csv --connection shop\nSELECT"
    assert eventually(typing, f"{cell} * FROM o|") == ["orders"]
    assert eventually(typing, f"{cell} p| FROM orders")[0] == "price"


def eventually(shell: InteractiveShell, text: str) -> list[str]:
    """Press Tab until somebody has answered: a database may take longer than a key press."""
    deadline = time.monotonic() + 60
    while True:
        _, texts = completed(shell, text)
        if len(texts[0]) > 1 or time.monotonic() > deadline:
            return texts


def test_a_frame_that_breaks_disturbs_nobody(
    typing: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        __arrow_c_stream__ = None

        @property
        def columns(self) -> list[str]:
            raise ValueError("gone")

    typing.user_ns["broken"] = Broken()
    try:
        assert completed(typing, "%export bro|")[1] == ["broken"]
        completed(typing, "%export broken a.csv --columns |")
    finally:
        del typing.user_ns["broken"]
    assert capsys.readouterr() == ("", "")


def test_the_completer_goes_with_the_extension(typing: InteractiveShell) -> None:
    def registered() -> list[Any]:
        known = typing.Completer.custom_matchers
        return [each for each in known if getattr(each, "matcher_identifier", "") == IDENTIFIER]

    assert len(registered()) == 1
    typing.run_line_magic("reload_ext", "jupyter_export")
    assert len(registered()) == 1
    typing.run_line_magic("unload_ext", "jupyter_export")
    assert registered() == []
    typing.run_line_magic("load_ext", "jupyter_export")


def test_whoever_does_not_answer_is_not_waited_for() -> None:
    go = threading.Event()

    def slow() -> list[str]:
        go.wait(60)
        return ["late"]

    def broken() -> list[str]:
        raise OSError("away")

    answers = Answers()
    assert answers.get("slow", slow, [], patience=0.01) == []
    go.set()
    assert answers.get("slow", slow, [], patience=60) == ["late"]
    assert answers.get("broken", broken, [], patience=60) == []


@pytest.mark.parametrize("name", ["plain", "dep delay", 'say "hi"', "it's", "a\\b", "x(", "größe"])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_what_is_written_is_read_alike(name: str, quote: str) -> None:
    for text in (name, sql_name(name)):
        written = quoted(text, quote)
        if written is None:
            assert (quote, "'" in name) == ("'", True)
            continue
        (word,) = words_of(f"{quote}{written}{quote}")
        assert word.text == text


def test_in_a_kernel_with_a_server(server: Server) -> None:
    """As JupyterLab asks: a complete_request, answered with ranges and types."""
    with kernel_of(server, "completing") as kernel:
        setup = (
            "%load_ext jupyter_export\nimport pandas\n"
            "flights = pandas.DataFrame({'carrier': ['UA'], 'dep delay': [1]})\n"
            "job = %export flights done.csv"
        )
        assert kernel.run(setup).status == "ok"

        def complete(text: str) -> dict[str, Any]:
            before, _, after = text.partition("|")
            kernel.client.complete(before + after, len(before))
            reply: dict[str, Any] = kernel.client.get_shell_msg(timeout=60)["content"]
            assert reply["cursor_end"] == len(before)
            reply["replaced"] = before[reply["cursor_start"] :]
            return reply

        answer = complete("x = 1\n%export fl|\ny = 2")
        assert (answer["matches"], answer["replaced"]) == (["flights"], "fl")
        assert answer["metadata"]["_jupyter_types_experimental"][0]["type"] == "frame"
        answer = complete('%export flights a.csv --where "dep| > 1"')
        assert (answer["matches"], answer["replaced"]) == (['\\"dep delay\\"'], "dep")
        assert "query" in complete("%export flights.que|")["matches"]
        done = kernel.run("print(job.id)").text.strip()
        wanted = {"%export --status |": done, "%%export b.csv --connection sh|\nSELECT 1": "shop"}
        deadline = time.monotonic() + 60
        for text, offered in wanted.items():  # A first answer may come too late for its key press.
            while offered not in (texts := complete(text)["matches"]):
                assert time.monotonic() < deadline, texts
