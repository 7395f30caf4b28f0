"""How a preview looks, and how much of a frame it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from jupyter_export.client import export
from jupyter_export.client.card import Card
from jupyter_export.client.draft import Draft, draft_of
from jupyter_export.client.find import LocalClients
from jupyter_export.client.local import LocalClient
from jupyter_export.client.loss_text import loss_text
from jupyter_export.client.preview import SAMPLE_ROWS, Head, text, without_totals
from jupyter_export.client.preview_html import html
from jupyter_export.client.rows import Rows
from jupyter_export.errors import InvalidSpec
from jupyter_export.pipeline.preview import SAMPLE_ROWS as LOOKED_AT

from .conftest import Server

ONE_PLACE = True

LOSS = {
    "kind": "nested",
    "column": "legs",
    "count": 1200,
    "message": "lists become JSON text",
    "option": None,
    "example": "[1, 2]",
    "dataset": None,
    "estimated": True,
}
FOUND: dict[str, Any] = {
    "datasets": [
        {
            "name": "flights",
            "columns": [
                {"name": "carrier", "type": "string"},
                {"name": "delay", "type": "int64"},
                {"name": "late", "type": "bool"},
            ],
            "rows": [["UA", 5, True], ["日本航空\n", None, False], ["x" * 100, -12, None]],
            "total_rows": 336776,
            "estimated": False,
        }
    ],
    "losses": [],
    "format": "csv",
    "bytes_estimate": 2_100_000,
}


def test_rows_stand_in_columns_under_their_types() -> None:
    assert text(FOUND).splitlines() == [
        "flights · 336,776 rows · 3 columns",
        "  carrier                       delay  late",
        "  string                        int64  bool",
        "  UA                                5  true",
        "  日本航空␣                         ∅  false",
        "  xxxxxxxxxxxxxxxxxxxxxxxxxxx…    -12  ∅",
        "",
        "Nothing would be lost in csv.",
        "About 2.1 MB as csv.",
    ]


def test_losses_are_said_before_they_happen() -> None:
    lines = text({**FOUND, "losses": [LOSS], "bytes_estimate": None}).splitlines()
    assert lines[-2:] == [
        "▲ 1 column would change:",
        "  legs: lists become JSON text (about 1,200 of them, e.g. “[1, 2]”)",
    ]


def test_an_estimate_says_about() -> None:
    dataset = {**FOUND["datasets"][0], "total_rows": 10_000_000, "estimated": True}
    assert text({**FOUND, "datasets": [dataset]}).startswith("flights · about 10,000,000 rows · 3")


MOMENTS = "a, b were read from warehouse one after the other: the database has no snapshot"


def test_losses_of_a_database() -> None:
    unlike = {**LOSS, "kind": "database_type", "count": None, "example": None}
    unlike |= {"column": "address", "message": "inet is written as its text"}
    moments = {**unlike, "kind": "not_point_in_time", "message": MOMENTS}
    moments = [{**moments, "column": name, "dataset": name} for name in ("a", "b")]
    assert text({**FOUND, "losses": [unlike, *moments]}).splitlines()[-4:] == [
        "▲ 1 column would change:",
        "  address: inet is written as its text",
        f"  {MOMENTS}",
        "About 2.1 MB as csv.",
    ]
    assert text({**FOUND, "losses": moments}).splitlines()[-3:-1] == ["▲ To know:", f"  {MOMENTS}"]
    beyond = {**moments[0], "kind": "rows_beyond_limit", "message": "a sheet holds few rows"}
    assert loss_text(beyond) == "a: a sheet holds few rows"


def test_losses_of_a_database_on_the_card() -> None:
    losses = [
        {**LOSS, "kind": "not_point_in_time", "column": name, "dataset": name, "message": MOMENTS,
         "count": None, "example": None}
        for name in ("a", "b")
    ]  # fmt: skip
    progress = {"phase": "done", "rows": 1, "total_rows": 1, "percent": None, "bytes": 1}
    result = {"path": "x.csv", "rows": 1, "bytes": 1, "sha256": "0" * 64, "files": []}
    shown = Card(
        {
            "status": "completed", "name": "x", "spec": {}, "progress": progress, "error": None,
            "created_at": None, "finished_at": None, "result": {**result, "losses": losses},
        }
    )  # fmt: skip
    assert shown.text().splitlines()[1:] == [f"  ▲ {MOMENTS}"]
    assert shown.html().count(MOMENTS) == 1
    assert "▲ To know:" in shown.html()


def test_control_characters_are_no_commands_of_the_terminal() -> None:
    dataset = {**FOUND["datasets"][0], "name": "a\x1b[31m"}
    loss = {**LOSS, "column": "legs\nx", "example": "\x1b]0;title\x07"}
    lines = text({**FOUND, "datasets": [dataset], "losses": [loss]})
    assert all(c.isprintable() for line in lines.split("\n") for c in line)
    assert lines.startswith("a␣[31m")


def test_columns_without_room_are_counted() -> None:
    columns = [{"name": f"column_{n:02}", "type": "string"} for n in range(40)]
    dataset = {**FOUND["datasets"][0], "columns": columns, "rows": [["x"] * 40], "total_rows": None}
    lines = text({**FOUND, "datasets": [dataset, dataset]}).splitlines()
    assert lines[0] == "flights · rows not counted yet · 40 columns"
    assert lines[4] == "  … and 30 more columns"
    assert max(map(len, lines)) <= 112
    assert lines.count("") == 2


def test_a_dataset_without_rows_or_columns() -> None:
    dataset = {**FOUND["datasets"][0], "rows": [], "total_rows": 0}
    assert "flights · 0 rows" in text({**FOUND, "datasets": [dataset]})
    dataset["columns"] = []
    assert "0 columns" in text({**FOUND, "datasets": [dataset]})


# ------------------------------------------------------------------ in a notebook


def test_a_table_of_html() -> None:
    loss = {**LOSS, "option": "nested=error", "column": "<legs>"}
    shown = html({**FOUND, "losses": [loss], "format": "excel"})
    assert '<b>flights</b> <span class="jx-muted">first 3 of 336,776 rows · 3 columns' in shown
    assert '<th scope="col" class="jx-right">delay<span>int64</span></th>' in shown
    assert '<td>UA</td><td class="jx-right">5</td><td>true</td>' in shown
    assert shown.count('aria-label="null">∅</span>') == 2
    assert "About 2.1 MB as excel." in shown
    assert "▲ 1 column would change:" in shown
    assert "<b>&lt;legs&gt;</b>: lists become JSON text" in shown
    assert "<code>--option nested=error</code>" in shown


def test_nothing_of_the_data_is_a_tag() -> None:
    bad = "<script>alert(1)</script>\"'\x1b"
    dataset = {
        "name": bad, "columns": [{"name": bad, "type": bad}], "rows": [[bad], [[bad]], [bad * 99]],
        "total_rows": 3, "estimated": False,
    }  # fmt: skip
    loss = {**LOSS, "column": bad, "message": bad, "example": bad, "option": bad, "dataset": bad}
    shown = html({"datasets": [dataset], "losses": [loss], "format": bad, "bytes_estimate": None})
    assert "<script" not in shown
    assert "alert(1)&lt;/script&gt;&quot;&#x27;␣" in shown


def test_many_columns_and_no_rows_as_html() -> None:
    columns = [{"name": f"c{n}", "type": "string"} for n in range(150)]
    dataset = {**FOUND["datasets"][0], "columns": columns, "rows": [], "total_rows": None}
    shown = html({**FOUND, "datasets": [dataset, dataset], "bytes_estimate": None})
    assert shown.count("rows not counted yet · 150 columns") == 2
    assert shown.count("… and 50 more columns") == 2
    assert "As csv; nothing would be lost." in shown


# ------------------------------------------------------------------ how much is sent


def test_more_is_sent_than_is_looked_at() -> None:
    """Else a preview would take the head of a frame for all of it."""
    assert SAMPLE_ROWS > LOOKED_AT


@pytest.mark.parametrize("rows", [0, 1, SAMPLE_ROWS, SAMPLE_ROWS + 1, 3 * SAMPLE_ROWS])
@pytest.mark.parametrize("size", [7_000, SAMPLE_ROWS, 10**6])
def test_the_head_of_a_frame(rows: int, size: int) -> None:
    head = Head()
    taken = head.of(pa.table({"n": range(rows)}).to_reader(max_chunksize=size)).read_all()
    assert taken.num_rows == min(rows, SAMPLE_ROWS)
    assert head.cut is (rows > SAMPLE_ROWS)
    assert not head.counted


@pytest.fixture(params=["local", "server"])
def service(request: pytest.FixtureRequest) -> None:
    if request.param == "server":
        request.getfixturevalue("as_kernel")


@pytest.mark.usefixtures("service")
def test_a_frame_says_how_many_rows_it_has() -> None:
    frame = pd.DataFrame({"n": range(100_000), "l": [[1, 2]] * 100_000})
    found = export.preview(frame, "x.csv", rows=3)
    (dataset,) = found["datasets"]
    assert (len(dataset["rows"]), dataset["total_rows"]) == (3, 100_000)
    (loss,) = found["losses"]
    assert (loss["column"], loss["count"], loss["estimated"]) == ("l", 100_000, True)
    assert not Path("x.csv").exists()


def test_a_condition_is_tried_on_all_rows() -> None:
    frame = pd.DataFrame({"n": range(100_000)})
    found = export.preview(frame, "x.csv", where="n >= 99999")
    assert found["datasets"][0]["rows"] == [[99_999]]


def test_a_stream_of_unknown_length_claims_none() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 10**9, 10_000):
            yield pa.record_batch({"l": [[start]] * 10_000})

    schema = pa.schema({"l": pa.list_(pa.int64())})
    endless = Rows(lambda: pa.RecordBatchReader.from_batches(schema, batches()))
    found = export.preview(endless, "x.csv")
    assert found["datasets"][0]["total_rows"] is None
    assert [loss["count"] for loss in found["losses"]] == [None]
    assert found["bytes_estimate"] is None
    closed = []
    short = Rows(lambda: pa.table({"n": [1, 2]}).to_reader(), close=lambda: closed.append(True))
    assert export.preview(short, "x.csv")["datasets"][0]["total_rows"] == 2
    assert closed == [True]
    here = Rows(lambda: endless.read(), here=True)
    assert export.preview(here, "x.csv")["datasets"][0]["total_rows"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"time_range": {"column": "t", "start": "2013-01-01"}},
        {"sample": {"rows": 5}},
        {"sort": ["n"]},
        {"distinct": True},
        {"group_by": ["n"]},
        {"aggregates": [{"function": "count"}]},
        {"pivot": {"on": "n", "values": "t"}},
        {"where": "n > 1"},
    ],
)
def test_what_needs_all_rows_gets_all_of_them(fields: dict[str, Any]) -> None:
    rows = 3 * SAMPLE_ROWS
    frame = pa.table({"n": range(rows), "t": pa.array(range(rows), pa.timestamp("s"))})
    draft = draft_of(frame, {**fields, "format": "csv"}, lambda file: file)
    assert sent_for(draft) == [rows]


def test_a_followed_relation_needs_all_rows_of_both_ends() -> None:
    rows = 3 * SAMPLE_ROWS
    frames = {name: pa.table({"n": range(rows)}) for name in ("a", "b", "c")}
    relations = [{"name": "r", "from": "a.n", "to": "b.n", "follow": True}]
    draft = draft_of(frames, {"relations": relations, "format": "csv"}, lambda file: file)
    assert sent_for(draft) == [rows, rows, SAMPLE_ROWS]


def sent_for(draft: Draft) -> list[int]:
    """Return the rows that a preview of ``draft`` sends of each frame."""
    sent = []

    class Counts(LocalClient):
        def __init__(self) -> None:
            pass

        def upload(self, reader: Any, **_: Any) -> dict[str, Any]:
            sent.append(reader.read_all().num_rows)
            return {"id": f"u{len(sent)}"}

        def preview(self, document: Any, rows: int = 20, **_: Any) -> dict[str, Any]:
            return {"datasets": [], "losses": [], "bytes_estimate": None}

    export._previewed(Counts(), draft, 20)
    return sent


def test_only_the_datasets_that_are_not_counted_lose_their_numbers() -> None:
    datasets = [{**FOUND["datasets"][0], "name": name} for name in ("a", "b")]
    losses = [{**LOSS, "dataset": name} for name in ("a", "b")]
    found = without_totals({**FOUND, "datasets": datasets, "losses": losses}, {"b"})
    assert [d["total_rows"] for d in found["datasets"]] == [336776, None]
    assert [loss["count"] for loss in found["losses"]] == [1200, None]


def test_a_wrong_option_is_refused_before_a_row_is_sent() -> None:
    uploads = LocalClients.here()._service.settings.uploads
    before = set(uploads.iterdir())
    with pytest.raises(InvalidSpec, match="delimiter"):
        export.preview(pd.DataFrame({"n": [1]}), "x.csv", options={"delimitr": ";"})
    assert set(uploads.iterdir()) == before


def test_a_server_that_is_away_is_replaced(
    as_kernel: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_EXPORT_TOKEN", "forged")
    found = export.preview(pd.DataFrame({"n": [1]}), "x.csv")
    assert found["datasets"][0]["rows"] == [[1]]
