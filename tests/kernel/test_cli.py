"""``jupyter export``: commands, answers and exit codes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jupyter_export import cli
from jupyter_export.client.configured import VARIABLE, connections
from jupyter_export.client.find import SERVER, TOKEN, LocalClients

from .conftest import SOURCE, Server, configure


@pytest.fixture(autouse=True)
def data() -> None:
    pd.DataFrame({"n": range(10), "text": ["x"] * 10}).to_csv("in.csv", index=False)


def write(name: str, document: dict[str, Any]) -> str:
    Path(name).write_text(json.dumps(document))
    return name


SPEC = {"source": {"type": "file", "path": "in.csv"}, "output": {"path": "out.jsonl"}}


def test_run_writes_the_file_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", write("spec.json", SPEC)]) == cli.DONE
    shown = capsys.readouterr()
    assert "● out.jsonl · 10 rows" in shown.out
    assert str(Path("out.jsonl").resolve()) in shown.out
    assert shown.err == ""
    assert Path("out.jsonl").read_text().count("\n") == 10


def test_run_takes_yaml_a_path_and_answers_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("spec.yaml").write_text(
        "source: {type: file, path: in.csv}\nwhere: n > 4\nformat: {type: csv, delimiter: ';'}\n"
    )
    assert cli.main(["run", "spec.yaml", "--path", "out.txt", "--json"]) == cli.DONE
    job = json.loads(capsys.readouterr().out)
    assert (job["status"], job["result"]["rows"]) == ("completed", 5)
    assert cli.main(["run", "spec.yaml", "--path", "out.txt"]) == cli.WRONG
    assert "exists" in capsys.readouterr().err
    assert cli.main(["run", "spec.yaml", "--path", "out.txt", "--replace"]) == cli.DONE


def test_a_path_of_a_dash_is_stdout(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    spec = write("spec.json", SPEC)
    assert cli.main(["run", spec, "--path", "-"]) == cli.DONE
    shown = capfdbinary.readouterr()
    assert shown.out.count(b"\n") == 10
    assert json.loads(shown.out.splitlines()[0])["n"] == 0
    assert shown.err == b""
    assert not Path("out.jsonl").exists()
    bad = write("bad.json", {**SPEC, "columns": {"include": ["nope"]}})
    for words in ([bad], [spec, "--json"], [spec, "--no-wait"]):
        assert cli.main(["run", *words, "--path", "-"]) == cli.WRONG
        shown = capfdbinary.readouterr()
        assert shown.out == b""
        assert shown.err.startswith(b"jupyter export: ")


def test_preview_shows_the_first_rows(capsys: pytest.CaptureFixture[str]) -> None:
    spec = write("spec.json", SPEC)
    assert cli.main(["preview", spec, "--rows", "2"]) == cli.DONE
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith(" · 2 columns")
    assert shown[3].split() == ["0", "x"]
    assert len(shown) == 8
    assert cli.main(["preview", spec, "--json"]) == cli.DONE
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], len(found["datasets"][0]["rows"])) == ("jsonl", 10)
    assert not Path("out.jsonl").exists()


def test_jobs_show_cancel_and_download(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["jobs"]) == cli.DONE
    assert "There are no exports yet." in capsys.readouterr().out
    cli.main(["run", write("spec.json", SPEC), "--json"])
    job = json.loads(capsys.readouterr().out)
    assert cli.main(["jobs", "--status", "completed"]) == cli.DONE
    assert job["id"] in capsys.readouterr().out
    for command in ("show", "cancel"):
        assert cli.main([command, job["id"]]) == cli.DONE
        assert "● out.jsonl" in capsys.readouterr().out
    assert cli.main(["download", job["id"], str(tmp_path)]) == cli.DONE
    assert (tmp_path / "out.jsonl").read_bytes() == Path("out.jsonl").read_bytes()


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["formats"]) == cli.DONE
    assert "parquet" in capsys.readouterr().out
    assert cli.main(["formats", "--json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["formats"]


def test_connections(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert cli.main(["connections"]) == cli.DONE
    assert "There are no connections" in capsys.readouterr().out
    LocalClients.stop()
    given = {
        "warehouse": {"url": "postgresql://me:hunter2@db/w", "read_only": False},
        "lake": "s3://key:hunter2@bucket",
        "later": "env:NOT_SET_ANYWHERE",
    }
    monkeypatch.setenv(VARIABLE, json.dumps(given))
    assert cli.main(["connections"]) == cli.DONE
    shown = capsys.readouterr().out
    assert [line.split()[:2] for line in shown.splitlines()] == [
        ["name", "dialect"],
        ["lake", "s3"],
        ["later", "The"],
        ["warehouse", "postgresql"],
    ]
    assert "read-only, files" in shown
    assert "NOT_SET_ANYWHERE is empty" in shown
    assert "may write" in shown
    assert cli.main(["connections", "--json"]) == cli.DONE
    answer = capsys.readouterr().out
    assert [each["name"] for each in json.loads(answer)["connections"]] == sorted(given)
    assert "hunter2" not in shown + answer


def test_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, note TEXT)")
        database.execute("CREATE VIEW notes AS SELECT note FROM orders")
    database.close()
    configure(tmp_path / "config", {"shop": f"sqlite:///{tmp_path / 'shop.db'}"}, monkeypatch)
    assert cli.main(["tables", "shop"]) == cli.DONE
    shown = capsys.readouterr().out
    assert "notes (view)" in shown
    assert "id INTEGER, note TEXT" in shown
    assert cli.main(["tables", "shop", "--match", "order", "--json"]) == cli.DONE
    (orders,) = json.loads(capsys.readouterr().out)["tables"]
    assert (orders["name"], orders["kind"]) == ("orders", "table")
    assert cli.main(["tables", "shop", "--schema", "nowhere"]) == cli.DONE
    assert "There are no such tables." in capsys.readouterr().out
    assert cli.main(["tables", "shpo"]) == cli.WRONG
    assert "Did you mean shop?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "jupyter_export_config.py",
            "c.ExportApp.connections = {'x://hunter2'",
            "SyntaxError",
        ),
        ("jupyter_export_config.json", '{"ExportApp": hunter2', "cannot be read"),
        ("jupyter_export_config.py", "c.ExportApp.connections = 'hunter2'", "holds no mapping"),
        ("jupyter_export_config.py", "c.ExportApp.connections = {'a': 'hunter2'}", "has no URL"),
        ("", "{hunter2", "JUPYTER_EXPORT_CONNECTIONS holds no mapping"),
        ("", '["hunter2"]', "JUPYTER_EXPORT_CONNECTIONS holds no mapping"),
        ("", '{"a": {"url": "x://hunter2", "user": []}}', "Did you mean users?"),
    ],
)
def test_wrong_connections_are_one_sentence_without_a_secret(
    name: str,
    text: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    if name:
        (tmp_path / name).write_text(text)
    else:
        monkeypatch.setenv(VARIABLE, text)
    assert cli.main(["connections"]) == cli.WRONG
    shown = capsys.readouterr()
    assert said in shown.err
    assert "hunter2" not in shown.err + shown.out


def test_where_connections_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path / "lower", {"a": "file:///lower", "b": "file:///lower"}, monkeypatch)
    configure(tmp_path / "upper", {"b": "file:///upper", "c": "file:///upper"}, monkeypatch)
    (tmp_path / "upper" / "jupyter_export_config.py").write_text(
        "c.ExportApp.connections.update({'d': 'file:///python', 'c': 'file:///python'})"
    )
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "lower"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "upper"))
    monkeypatch.setenv(VARIABLE, '{"e": "file:///variable"}')
    found = {name: url.removeprefix("file:///") for name, url in connections().items()}
    assert found == {"a": "lower", "b": "upper", "c": "upper", "d": "python", "e": "variable"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], cli.WRONG, "No command is given."),
        (["rnu"], cli.WRONG, "Did you mean run?"),
        (["run"], cli.WRONG, "SPEC"),
        (["run", "spec.json", "--pth", "x"], cli.WRONG, "--pth"),
        (["run", "nothing.json"], cli.WRONG, "There is no file “nothing.json”."),
        (["run", "bad.json"], cli.WRONG, "not valid JSON"),
        (["run", "bad.yaml"], cli.WRONG, "not valid YAML at line"),
        (["run", "field.json"], cli.WRONG, "Did you mean compression?"),
        (["run", "spec.json", "--no-wait"], cli.WRONG, "--no-wait needs --server."),
        (["run", "column.json"], cli.FAILED, "nope"),
        (["preview", "column.json"], cli.WRONG, "nope"),
        (["preview", "spec.json", "--rows", "1001"], cli.WRONG, "from 0 to 1,000"),
        (["preview"], cli.WRONG, "SPEC"),
        (["show", "123"], cli.WRONG, "123"),
        (["jobs", "--status", "complete"], cli.WRONG, "completed"),
        (["jobs", "--server", "http://127.0.0.1:9/"], cli.FAILED, "does not answer"),
        (["jobs", "--server", "ftp://x"], cli.WRONG, "not the address of a server"),
    ],
)
def test_faults_are_one_sentence_and_an_exit_code(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("spec.json", SPEC)
    write("field.json", {**SPEC, "compresion": "gzip"})
    write("column.json", {**SPEC, "where": "nope > 1"})
    Path("bad.json").write_text("{")
    Path("bad.yaml").write_text("a: [1,\nb: {")
    assert cli.main(words) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_through_a_server(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (server.root / "in.csv").write_text("n\n1\n2\n")
    monkeypatch.setenv(SERVER, server.url)
    monkeypatch.setenv(TOKEN, server.token)
    spec = write("spec.json", SPEC)
    words = ["run", spec, "--path", "cli/out.jsonl", "--replace", "--no-wait", "--json"]
    assert cli.main(words) == cli.DONE
    job = json.loads(capsys.readouterr().out)
    assert cli.main(["run", spec, "--path", "cli/two.jsonl", "--replace"]) == cli.DONE
    assert "two.jsonl · 2 rows" in capsys.readouterr().out
    assert cli.main(["show", job["id"]]) == cli.DONE
    assert (server.root / "cli" / "two.jsonl").exists()
    capsys.readouterr()
    assert cli.main(["preview", spec]) == cli.DONE
    assert "2 rows · 1 column" in capsys.readouterr().out


def test_as_a_process() -> None:
    write("spec.json", SPEC)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "jupyter_export.cli", "run", "-", "--json"],
        input=json.dumps(SPEC),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["status"] == "completed"
