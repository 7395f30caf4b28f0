"""``jupyter export audit``: the trail of a store, without a server."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest

from jupyter_export import cli
from jupyter_export.jobs.audit_trail import AuditTrail
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.settings import Settings

Shown = pytest.CaptureFixture[str]


def now() -> datetime:
    return datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a server that is not running, with ten entries."""
    folder = tmp_path / "server-state"
    folder.mkdir()
    database = StoreDatabase(folder)
    database.start()
    trail = AuditTrail(database, Settings(folder, folder), now=now)
    for number in range(10):
        caller = Caller("ada" if number % 2 else "bob", address="192.0.2.7")
        trail.require("download", caller, f"job{number}", owner="ada", outcome="begun")
    database.close()
    return folder


def tamper(state: Path, statement: str) -> None:
    connection = sqlite3.connect(state / "jobs.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()


def audit(*words: str) -> int:
    return cli.main(["audit", *words])


def test_verify_finds_what_was_done(state: Path, capsys: Shown) -> None:
    where = ["--state-dir", str(state)]
    assert audit("verify", *where) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "The audit trail is whole: 10 entries."
    head = said[1].removeprefix("Head: ")
    assert head.startswith("10:")
    assert audit("verify", *where, "--head", head) == 0

    tamper(state, "UPDATE jupyter_export_audit SET actor = 'eve' WHERE seq = 4")
    assert audit("verify", *where) == 1
    assert "Entry 4 is not as it was recorded" in capsys.readouterr().out
    tamper(state, "DELETE FROM jupyter_export_audit WHERE seq > 8")
    assert audit("verify", *where, "--json") == 1
    verdict = json.loads(capsys.readouterr().out)
    assert not verdict["whole"]
    assert [fault["seq"] for fault in verdict["faults"]] == [4, 10]
    # Whoever removes the note beside the store, too, is found by a head that was kept elsewhere.
    (state / "audit-head.json").unlink()
    tamper(state, "UPDATE jupyter_export_audit SET actor = 'ada' WHERE seq = 4")
    assert audit("verify", *where) == 0
    assert audit("verify", *where, "--head", head) == 1
    assert "The end of the trail is missing" in capsys.readouterr().out


def test_list_shows_the_newest_first(state: Path, capsys: Shown) -> None:
    where = ["--state-dir", str(state)]
    assert audit("list", *where, "--limit", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["10", "9", "8"]
    assert "ada @192.0.2.7" in lines[0]
    assert "download begun" in lines[0]
    assert audit("list", *where, "--actor", "bob", "--subject", "job2", "--json") == 0
    [entry] = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["seq"], entry["at"]) == (3, "2026-03-01T12:00:00Z")
    assert audit("list", *where, "--since", "2026-03-02") == 0
    assert capsys.readouterr().out == "There are no such entries.\n"
    assert audit("list", *where, "--until", "never") == cli.WRONG
    assert "“never” is not a time." in capsys.readouterr().err


def test_it_is_exported_to_any_format(state: Path, capsys: Shown) -> None:
    where = ["--state-dir", str(state)]
    assert audit("export", *where, "--action", "download", "audit.xlsx") == 0
    assert "audit.xlsx" in capsys.readouterr().out
    frame = pd.read_excel("audit.xlsx", engine="openpyxl")
    assert frame["seq"].tolist() == list(range(1, 11))
    assert frame["subject"].tolist()[:2] == ["job0", "job1"]
    assert audit("export", *where, "audit.xlsx") == cli.WRONG
    assert "exists" in capsys.readouterr().err
    assert audit("export", *where, "audit.csv", "--actor", "ada", "--json") == 0
    assert json.loads(capsys.readouterr().out)["result"]["rows"] == 5


def test_the_store_is_the_configured_one(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(config))
    written = config / "jupyter_server_config.py"
    written.write_text("c.ExportApp.state_dir = '/nowhere'\n")
    ours = config / "jupyter_export_config.py"
    ours.write_text(
        f"c.ExportApp.state_dir = {str(state)!r}\nc.ExportApp.link_secret = 'env:NOT_SET'\n"
    )
    assert audit("verify") == 0
    ours.unlink()
    assert audit("verify") == cli.WRONG
    assert "no job store in /nowhere" in capsys.readouterr().err
    written.write_text(f"c.ExportApp.state_dir = {str(state)!r}\n")
    assert audit("verify") == 0
    assert "10 entries" in capsys.readouterr().out
    written.write_text("1 / 0")
    assert audit("verify") == cli.WRONG
    assert "cannot be read (ZeroDivisionError)" in capsys.readouterr().err
    written.unlink()
    assert audit("verify", "--state-dir", str(tmp_path)) == cli.WRONG
    assert "There is no job store" in capsys.readouterr().err
    assert not (tmp_path / "jobs.sqlite").exists()


def test_the_store_of_this_folder(capsys: Shown) -> None:
    pd.DataFrame({"n": range(3)}).to_csv("in.csv", index=False)
    Path("spec.json").write_text(
        json.dumps({"source": {"type": "file", "path": "in.csv"}, "output": {"path": "out.jsonl"}})
    )
    assert cli.main(["run", "spec.json"]) == cli.DONE
    capsys.readouterr()
    assert audit("list", "--here", "--action", "submit") == 0
    assert "path=out.jsonl" in capsys.readouterr().out
    assert audit("verify", "--here") == 0


def test_wrong_commands(tmp_path: Path, capsys: Shown) -> None:
    assert audit() == cli.WRONG
    assert audit("prove") == cli.WRONG
    assert audit("verify", "--head", "12") == cli.WRONG
    assert "not the head" in capsys.readouterr().err
    old = StoreDatabase(tmp_path)
    with old.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE something (n INTEGER)")
    old.close()
    assert audit("verify", "--state-dir", str(tmp_path)) == cli.WRONG
    assert "has no audit trail" in capsys.readouterr().err


def test_no_row_is_obeyed_by_a_terminal(state: Path, capsys: Shown) -> None:
    """Whoever can write the store can write what looks like another line, or clears the screen."""
    tamper(
        state,
        "UPDATE jupyter_export_audit SET subject = 'x' || char(10) || 'All is well' WHERE seq = 3",
    )
    tamper(state, "UPDATE jupyter_export_audit SET actor = char(27) || '[2J', address = char(13)")
    assert audit("list", "--state-dir", str(state)) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 10
    assert "\x1b" not in shown
