"""How a job looks, as a pure function of its JSON."""

from __future__ import annotations

import re
from typing import Any

import pytest

from jupyter_export.client import card, listing
from jupyter_export.client.card import Card

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


def test_running_without_a_total_has_no_bar() -> None:
    progress = {**PROGRESS, "total_rows": None, "eta_seconds": None, "rows_per_second": None}
    shown = Card(job(progress=progress)).html()
    assert "jx-bar" not in shown.split("</style>")[1]
    assert "16,742 rows" in visible(shown)


def test_completed() -> None:
    links = {"open": "delays.csv", "download": "/jupyter-export/v1/jobs/0123/download"}
    shown = Card(done(), columns=19, links=links, reader=RESULT["reader"])  # type: ignore[arg-type]
    assert shown.text() == "● delays.csv · 27,059 rows · 19 columns · 2.1 MB · 0.4 s"
    assert visible(shown.html()) == (
        "● delays.csv 27,059 rows · 19 columns · 2.1 MB · 0.4 s Open Download "
        "read it back · checked: rows read = written = counted · SHA-256 9f2c…41ab "
        "df = read(&#x27;a/delays.csv&#x27;)"
    )
    assert 'href="delays.csv"' in shown.html()


def test_a_loss_stands_beside_its_export_and_is_escaped() -> None:
    shown = Card(done(losses=[LOSS]))
    assert shown.text().splitlines()[1] == (
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
    assert Card(done(losses=losses)).text().splitlines()[1:] == [
        "  ▲ flights.time_<hour>: the time zone is dropped (about 1,200 of them)",
        "  ▲ planes.time_<hour>: the time zone is dropped (e.g. “05:00+00 <b>”)",
    ]
    assert "▲ 2 columns changed:" in visible(Card(done(losses=losses)).html())


def test_a_folder_says_how_many_files() -> None:
    files = [{"path": f"a/delays.csv/{n}.csv"} for n in range(12)]
    state = done(files=files)
    state["spec"] = {**state["spec"], "datasets": [{"name": "a"}, {"name": "b"}]}
    assert card.is_folder(state)
    assert card.line(state) == "● delays.csv · 27,059 rows · 2 datasets · 12 files · 2.1 MB · 0.4 s"
    one = done(files=[{"path": RESULT["path"]}])
    assert not card.is_folder(one)
    assert "file" not in card.line(one)


def test_a_folder_is_downloaded_and_not_opened() -> None:
    files = [{"path": "a/delays.csv/1.csv"}]
    folder = card.links(done(files=files), "/srv/a/delays.csv", "/")
    assert list(folder) == ["download"]
    assert set(card.links(done(), "/srv/a/delays.csv", "/")) == {"open", "download"}


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
    assert "<b>&lt;i&gt;.csv</b>" in shown
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
