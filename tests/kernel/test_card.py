"""How a job looks, as a pure function of its JSON."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.client import card, listing
from jupyter_export.client.card import Card
from jupyter_export.magic.live import TerminalSurface

PROGRESS = {
    "phase": "writing",
    "rows": 16_742,
    "total_rows": 27_059,
    "percent": None,
    "bytes": 10,
    "rows_per_second": 410_123.4,
    "eta_seconds": 1.2,
}
RESULT = {
    "path": "a/delays.csv",
    "rows": 27_059,
    "bytes": 2_100_000,
    "sha256": "9f2c" + "0" * 56 + "41ab",
    "files": [],
    "losses": [],
    "reader": "df = read('a/delays.csv')",
}
LOSS = {
    "kind": "time_zone",
    "column": "time_<hour>",
    "count": 1200,
    "message": "the time zone is dropped",
    "option": "timezone=text",
    "example": "05:00+00 <b>",
    "dataset": None,
    "estimated": False,
}


def job(**fields: Any) -> dict[str, Any]:
    return {
        "id": "0123",
        "name": "delays",
        "status": "running",
        "progress": PROGRESS,
        "spec": {"output": {"path": "a/delays.csv"}},
        "result": None,
        "error": None,
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": None,
        **fields,
    }


def done(**result: Any) -> dict[str, Any]:
    return job(
        status="completed",
        result={**RESULT, **result},
        finished_at="2026-01-01T00:00:00.400000Z",
    )


def visible(html: str) -> str:
    """Return the words of a card, without its style and its tags."""
    plain = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(plain.split())


def test_running() -> None:
    shown = Card(job())
    assert shown.text() == "◌ delays.csv · writing · 16,742 of 27,059 rows · 410,000/s · 1.2 s left"
    assert 'style="width:61.9%"' in shown.html()
    assert visible(shown.html()) == (
        "delays.csv writing 16,742 of 27,059 rows 410,000/s · 1.2 s left"
    )


def test_the_bar_has_its_value_for_everybody() -> None:
    assert (
        'role="progressbar" aria-label="Progress of delays.csv" aria-valuemin="0" '
        'aria-valuemax="100" aria-valuenow="62"'
    ) in Card(job()).html()


def test_running_without_a_total_has_a_bar_that_moves_and_has_no_value() -> None:
    progress = {**PROGRESS, "total_rows": None, "eta_seconds": None, "rows_per_second": None}
    shown = Card(job(progress=progress)).html().split("</style>")[1]
    assert "jx-moving" in shown
    assert "aria-valuenow" not in shown
    assert "16,742 rows" in visible(shown)


def test_a_job_that_waits_for_its_next_try_says_when_and_why() -> None:
    error = {"code": "source_failed", "message": "The database is away.", "hint": None}
    over = {"attempt": 1, "status": "failed", "error": error}
    over |= {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:12Z"}
    retry_at = "2026-01-01T00:00:20Z"
    waiting = {**PROGRESS, "phase": "waiting", "rows": 0, "total_rows": None}
    waiting |= {"rows_per_second": None, "eta_seconds": None}
    state = job(status="pending", progress=waiting, retry_at=retry_at, attempt=2, history=[over])
    at = datetime(2026, 1, 1, 0, 0, 20, tzinfo=timezone.utc).astimezone().strftime("%H:%M:%S")
    assert Card(state).text() == f"◌ delays.csv · waiting · again at {at} · attempt 2"
    assert visible(Card(state).html()) == (
        f"delays.csv waiting again at {at} · attempt 2 1 earlier attempt "
        "attempt 1 · failed · after 12 s · The database is away."
    )
    assert "jx-bar" not in Card(state).html().split("</style>")[1]


def test_completed() -> None:
    links = {"open": "delays.csv", "download": "/jupyter-export/v1/jobs/0123/download"}
    shown = Card(done(), columns=19, links=links, reader=RESULT["reader"])  # type: ignore[arg-type]
    assert shown.text().splitlines() == [
        "● delays.csv · 27,059 rows · 19 columns · 2.1 MB · 0.4 s · 68,000/s",
        "  a/delays.csv",
        "  | df = read('a/delays.csv')",
    ]
    assert visible(shown.html()) == (
        "● delays.csv 27,059 rows · 19 columns · 2.1 MB · 0.4 s · 68,000/s Open Download "
        "read it back · checked: rows read = written = counted · SHA-256 9f2c…41ab "
        "df = read(&#x27;a/delays.csv&#x27;)"
    )
    assert 'href="delays.csv"' in shown.html()


def test_many_lines_that_read_a_file_back_are_only_named_in_text() -> None:
    reader = "\n".join(f"a{n} = {n}" for n in range(9))
    assert Card(done(), reader=reader).text().splitlines()[2:] == [
        "  read it back: .read() of this job, whose lines are its .reader"
    ]


def test_a_job_that_was_tried_again_took_as_long_as_its_last_attempt() -> None:
    again = done() | {"attempt": 2, "started_at": "2026-01-01T00:00:00.300000Z"}
    assert card.line(again).endswith(" · 0.1 s · 271,000/s")


def test_more_than_three_losses_are_folded_under_their_columns() -> None:
    shown = Card(done(losses=[{**LOSS, "column": f"c{n}"} for n in range(4)])).html()
    assert '<details class="jx-loss"><summary>' in shown
    assert "▲ 4 columns changed: c0, c1, c2, c3 c0 : the time zone" in visible(shown)
    assert "<details" not in Card(done(losses=[LOSS] * 3)).html()


def test_a_front_end_gets_what_a_card_shows_and_no_more() -> None:
    secret = {"source": {"query": "SELECT 'secret'"}, "name": "flights"}
    state = done(
        losses=[{**LOSS, "column": str(n)} for n in range(500)],
        files=[{"path": f"a/delays.csv/{n}.csv", "sha256": "0" * 64} for n in range(5000)],
    )
    state["spec"]["datasets"] = [secret]
    state["created_by"] = "ada"
    document = Card(state, columns=19, notes=["A note."], reader="df = read()").document()
    assert document["columns"] == 19
    assert document["notes"] == ["A note."]
    assert document["reader"] == "df = read()"
    assert document["job"]["spec"] == {
        "output": {"path": "a/delays.csv"}, "datasets": [{"name": "flights"}]
    }  # fmt: skip
    assert document["job"]["result"]["file_count"] == 5000
    text = json.dumps(document)
    assert len(text) < 50_000
    assert "secret" not in text
    assert "ada" not in text


def test_only_a_job_of_a_server_can_be_asked_for() -> None:
    assert not Card(job(), links=card.links(job(), "/a.csv", None)).is_served
    assert Card(job(), links=card.links(job(), "/a.csv", "/user/ada/")).is_served


def cases() -> list[Any]:
    """What the JupyterLab extension's own tests expect too: both draw the same words."""
    path = Path(__file__).parents[2] / "labextension" / "test" / "cards.json"
    return [pytest.param(case, id=case["name"]) for case in json.loads(path.read_text("utf-8"))]


@pytest.mark.parametrize("case", cases())
def test_the_same_words_as_in_jupyterlab(case: dict[str, Any]) -> None:
    state, expected = case["job"], case["words"]
    found = card.losses(state)
    assert {
        "title": card.title(state),
        "facts": card.facts(state, case["columns"]) if state["result"] else "",
        "rows": card.rows_so_far(state["progress"]),
        "rate": card.rate(state["progress"]),
        "changed": card.changed(found) if found else "",
        "losses": card.loss_lines(found),
        "attempts": card.attempt_lines(state),
    } == expected


def test_a_loss_stands_beside_its_export_and_is_escaped() -> None:
    shown = Card(done(losses=[LOSS]))
    assert shown.text().splitlines()[2] == (
        "  ▲ time_<hour>: the time zone is dropped (1,200 of them, e.g. “05:00+00 <b>”) "
        "— avoid it with --option timezone=text"
    )
    assert (
        "▲ 1 column changed: time_&lt;hour&gt; : the time zone is dropped (1,200 of them, e.g. "
        "“05:00+00 &lt;b&gt;”) — avoid it with --option timezone=text "
    ) in visible(shown.html())
    assert "<hour>" not in shown.html()


def test_another_format_is_a_flag_of_its_own() -> None:
    shown = Card(done(losses=[{**LOSS, "option": "format.type=parquet"}]))
    assert shown.text().endswith("— avoid it with --format parquet")
    assert "<code>--format parquet</code>" in shown.html()


def test_a_format_for_people_has_no_lines_to_run() -> None:
    reader = "# A table for people. Export to Parquet beside it."
    shown = visible(Card(done(reader=reader), reader=reader).html())
    assert "read it back" not in shown
    assert "SHA-256" in shown


def test_losses_of_several_datasets_name_theirs() -> None:
    losses = [
        {**LOSS, "dataset": "flights", "estimated": True, "example": None, "option": None},
        {**LOSS, "dataset": "planes", "count": None, "option": None},
    ]
    assert Card(done(losses=losses)).text().splitlines()[2:] == [
        "  ▲ flights.time_<hour>: the time zone is dropped (about 1,200 of them)",
        "  ▲ planes.time_<hour>: the time zone is dropped (e.g. “05:00+00 <b>”)",
    ]
    assert "▲ 2 columns changed:" in visible(Card(done(losses=losses)).html())


def test_a_folder_says_how_many_files() -> None:
    files = [{"path": f"a/delays.csv/{n}.csv"} for n in range(12)]
    state = done(files=files)
    state["spec"] = {**state["spec"], "datasets": [{"name": "a"}, {"name": "b"}]}
    assert card.is_folder(state)
    assert card.line(state) == (
        "● delays.csv · 27,059 rows · 2 datasets · 12 files · 2.1 MB · 0.4 s · 68,000/s"
    )
    one = done(files=[{"path": RESULT["path"]}])
    assert not card.is_folder(one)
    assert "file" not in card.line(one)


def test_a_folder_is_downloaded_and_not_opened() -> None:
    files = [{"path": "a/delays.csv/1.csv"}]
    folder = card.links(done(files=files), "/srv/a/delays.csv", "/")
    assert list(folder) == ["self", "download"]
    assert set(card.links(done(), "/srv/a/delays.csv", "/")) == {"self", "open", "download"}


def test_failed_says_what_and_what_to_do() -> None:
    error = {
        "code": "disk_full",
        "message": "The disk is full.",
        "hint": "Free <b>.",
        "field": None,
    }
    shown = Card(job(status="failed", error=error))
    assert shown.text() == "✕ delays.csv · The disk is full. Free <b>."
    assert visible(shown.html()) == "✕ delays.csv The disk is full. Free &lt;b&gt;."


def test_notes_and_names_are_escaped() -> None:
    shown = Card(job(spec={"output": {"path": "<i>.csv"}}), notes=["a & b"]).html()
    assert '<b title="&lt;i&gt;.csv">&lt;i&gt;.csv</b>' in shown
    assert "a &amp; b" in shown


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (99_960, "100 kB"),
     (999_600, "1.0 MB"), (2_100_000, "2.1 MB"), (123_000_000, "123 MB"), (5 * 10**15, "5000 TB")],
)  # fmt: skip
def test_sizes(count: int, said: str) -> None:
    assert card.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0064, "6 ms"), (0.42, "0.4 s"), (12.3, "12 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert card.duration(seconds) == said


def test_a_list_has_one_line_for_each_job() -> None:
    lines = listing.table_text(
        [done(), job(status="failed", error={"message": "No."})]
    ).splitlines()
    assert len(lines) == 3
    assert "27,059 rows" in lines[1]
    assert "No." in lines[2]
    assert listing.table_text([]) == "There are no exports yet."
    assert listing.table_html([done()]).count("<tr>") == 2


def test_a_line_of_progress_fits_its_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that wraps could not be written over."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((20, 24)))
    TerminalSurface()._over("flights.csv · writing · 16,742 of 27,059 rows")
    assert capsys.readouterr().out == "\rflights.csv · writi"
