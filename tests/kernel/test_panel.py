"""The panel in this process, with a front end that sets traits and sends messages."""

from __future__ import annotations

import gc
import json
import queue
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export import ExportPanel
from jupyter_export.errors import ExportError, InvalidRequest, InvalidSpec
from jupyter_export.panel import sending

from .conftest import Server

PATIENCE = 60.0
MANY = pd.DataFrame({
    "carrier": ["UA", "AA", "DL"] * 10_000,
    "delay": [float(n % 200) for n in range(30_000)],
    "hour": pd.date_range("2013-01-01", periods=30_000, freq="h", tz="UTC"),
})  # fmt: skip


class Page:
    """What a browser does with a panel: it draws traits, sets the document, sends messages."""

    def __init__(self, panel: ExportPanel) -> None:
        self.panel = panel
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        panel.send = lambda content, buffers=None: self.answers.put(content)

    def choose(self, **fields: Any) -> dict[str, Any]:
        """Write a new document as the page does, and return the preview that follows."""
        spec = {key: value for key, value in {**self.panel.spec, **fields}.items() if value}
        self.panel.set_state({"spec": json.loads(json.dumps(spec))})
        return self.preview()

    def preview(self) -> dict[str, Any]:
        self.until(lambda: self.panel.preview["status"] not in ("busy", "none"))
        found: dict[str, Any] = self.panel.preview
        json.dumps(found)
        return found

    def tell(self, do: str, **content: Any) -> None:
        self.panel._handle_custom_msg({"do": do, **content}, [])

    def notice(self, do: str, **content: Any) -> dict[str, Any]:
        """Send a message and return the line that it is answered with."""
        before = self.panel.notice["n"]
        self.tell(do, **content)
        self.until(lambda: self.panel.notice["n"] > before)
        said: dict[str, Any] = self.panel.notice
        return said

    def finished(self, number: int = 1) -> dict[str, Any]:
        """Return the newest job when it is over, as the one with this number."""
        final = ("completed", "failed", "cancelled")
        self.until(lambda: len(self.panel.jobs) == number and self.panel.jobs[0]["status"] in final)
        job: dict[str, Any] = self.panel.jobs[0]
        return job

    def until(self, there: Callable[[], Any]) -> None:
        changed = threading.Event()
        self.panel.observe(lambda _: changed.set())
        deadline = time.monotonic() + PATIENCE
        while not there():
            assert time.monotonic() < deadline, (self.panel.preview, self.panel.notice)
            changed.wait(0.1)
            changed.clear()


@contextmanager
def page_of(*given: Any, **named: Any) -> Iterator[Page]:
    panel = ExportPanel(*given, **named)
    try:
        yield Page(panel)
    finally:
        panel.close()


def columns(preview: dict[str, Any]) -> list[str]:
    return [each["name"] for each in preview["datasets"][0]["columns"]]


def test_an_export_put_together_in_the_panel(shell: InteractiveShell) -> None:
    shell.user_ns["many"] = many = MANY.copy()
    with page_of(many) as page:
        panel = page.panel
        first = page.preview()
        assert panel.spec["source"] == {"type": "upload", "id": "{{many}}"}
        assert columns(first) == ["carrier", "delay", "hour"]
        assert len(first["datasets"][0]["rows"]) == 20
        assert first["datasets"][0]["total_rows"] == 30_000
        assert [each["kind"] for each in panel.columns["source"]] == ["text", "number", "time"]
        page.until(lambda: panel.catalog["formats"])
        assert {"csv", "excel"} <= {each["type"] for each in panel.catalog["formats"]}
        assert all(each["purpose"] for each in panel.catalog["formats"])
        described = {each["name"]: each for each in panel.catalog["frames"]}
        assert described["many"] == {
            "name": "many", "kind": "pandas DataFrame", "rows": 30_000, "columns": 3
        }  # fmt: skip
        assert panel.catalog["has_server"] is False
        page.until(lambda: panel.summary["recommended"])

        # rows, counted though the preview reads the first ones only
        late = page.choose(where={"column": "delay", "op": ">", "value": 190})
        assert late["datasets"][0]["rows"][0][1] == 191.0
        page.until(lambda: panel.preview["datasets"][0]["total_rows"] == 1350)
        assert panel.summary["line"].startswith("%export many exports/many.csv --where")
        # groups, then a pivot whose columns are narrowed: all of them can still be chosen
        page.choose(
            group_by=["carrier", {"column": "hour", "time_bucket": "1 year", "as": "year"}],
            aggregates=[{"function": "max", "column": "delay", "as": "worst"}],
            pivot={"index": ["year"], "on": "carrier", "values": "worst"},
        )
        narrowed = page.choose(columns={"include": ["year", "UA"]})
        assert columns(narrowed) == ["year", "UA"]
        page.until(lambda: len(panel.columns["shaped"]) == 4)
        assert {each["name"] for each in panel.columns["shaped"]} == {"year", "AA", "DL", "UA"}

        # the format: its losses, and the path that follows
        plain = page.choose(
            where=None, group_by=None, aggregates=None, pivot=None, columns=None,
            sort=[{"column": "delay", "descending": True}], format={"type": "excel"},
        )  # fmt: skip
        assert plain["datasets"][0]["rows"][0][1] == 199.0
        assert plain["datasets"][0]["total_rows"] == 30_000
        assert panel.spec["output"]["path"] == "exports/many.xlsx"
        assert panel.preview["losses"][0]["column"] == "hour"
        assert panel.preview["losses"][0]["text"].startswith("hour: ")

        # distinct values, of any type, for the picker
        page.tell("distinct", n=1, column="carrier", q="a")
        assert page.answers.get(timeout=PATIENCE) == {
            "n": 1, "more": False, "error": None,
            "values": [{"value": v, "text": v} for v in ("AA", "UA")],
        }  # fmt: skip
        page.tell("distinct", n=2, column="hour", q="2013-01-02")
        days = page.answers.get(timeout=PATIENCE)
        assert len(days["values"]) == 24
        chosen = {"column": "hour", "op": "in", "value": [days["values"][0]["value"]]}
        assert page.choose(where=chosen)["datasets"][0]["rows"][0][1] == 24.0
        page.tell("distinct", n=3, column="nope", q="")
        assert "nope" in page.answers.get(timeout=PATIENCE)["error"]

        # what is exported is the frame of the moment of the click
        page.choose(where=None, sort=None, format=None, output={"path": "out.csv"})
        page.tell("export")
        many.loc[0, "delay"] = -1.0
        job = page.finished()
        assert job["status"] == "completed"
        assert job["result"]["rows"] == 30_000
        assert pd.read_csv("out.csv").delay[0] == 0.0
        # not twice under one name, and the choice is marked
        refused = page.notice("export")
        assert refused["kind"] == "error"
        assert "exists already" in refused["text"]
        assert panel.summary["problems"][0]["field"] == "output.path"
        # the value that changed in place is there after a look again
        page.tell("refresh")
        assert page.preview()["datasets"][0]["rows"][0][1] == -1.0
        # a variable that a cell made anew is seen by itself
        shell.run_cell("many = many.assign(twice=many.delay * 2)")
        page.until(lambda: len(panel.columns["source"]) == 4)
        page.until(lambda: columns(page.preview())[-1] == "twice")
        assert "many (30,000 rows, 4 columns) → out.csv" in repr(panel)
        assert "%export many out.csv" in repr(panel)
        assert "out.csv" in str(panel._repr_mimebundle_()[0]["text/plain"])
    assert not [each for each in threading.enumerate() if "panel" in each.name and each.is_alive()]


def test_documents_of_others_are_shown(shell: InteractiveShell) -> None:
    Path("a.csv").write_text("x,y\n1,a\n2,b\n")
    shell.user_ns["con"] = con = sqlite3.connect(":memory:")
    con.execute("CREATE TABLE t (n INTEGER, name TEXT)")
    con.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"n{n}") for n in range(40)])
    with page_of("flights") as page:
        panel = page.panel
        # a file, as YAML
        said = page.notice("paste", text="source: {type: file, path: a.csv}\nlimit: 1")
        assert said["kind"] == "ok"
        assert page.preview()["datasets"][0]["rows"] == [[1, "a"]]
        page.until(lambda: [each["name"] for each in panel.columns["source"]] == ["x", "y"])
        assert panel.spec == {"source": {"type": "file", "path": "a.csv"}, "limit": 1}
        assert panel.summary["path"].startswith("exports/a")
        # what Python sets stays as it is
        panel.spec = {**panel.spec, "output": {"path": "b.csv"}}
        panel.spec = {**panel.spec, "format": {"type": "excel"}}
        assert panel.spec["output"] == {"path": "b.csv"}
        # what cannot be read changes nothing
        assert page.notice("paste", text="{")["kind"] == "error"
        assert panel.spec["limit"] == 1
        # a query on the notebook's own connection, which belongs to one thread
        panel.spec = {
            "name": "q",
            "source": {"type": "sql", "connection": con, "query": "SELECT * FROM t"},
            "where": "n >= 30",
        }
        assert panel.spec["source"]["connection"] == "con"
        assert panel.catalog["own_connections"] == ["con"]
        assert "check_same_thread" in page.preview()["error"]["hint"]
        page.tell("export")
        assert page.finished()["result"]["rows"] == 10
        # a line, or a cell, of the magic; what is no line changes nothing
        line = """%export flights a.xlsx --where "delay > 1" --option freeze_panes=A2"""
        assert page.notice("paste", text=line)["kind"] == "ok"
        assert panel.spec["where"] == "delay > 1"
        assert panel.spec["format"] == {"type": "excel", "freeze_panes": "A2"}
        assert panel.summary["line"] == line
        assert page.preview()["status"] == "ok"
        wrong = page.notice("paste", text="%export flights a.csv --wher x")
        assert "--where" in wrong["text"]
        page.notice("paste", text="%%export b.csv --connection shop\nSELECT 1 AS one")
        assert panel.spec["source"]["query"] == "SELECT 1 AS one"
        with page_of(spec=panel.spec) as other:
            assert other.panel.spec == panel.spec
        # several frames; the page looks at the second one
        panel.spec = {"datasets": [{"name": "f", "source": shell.user_ns["flights"]},
                                   {"name": "p", "source": shell.user_ns["planes"]}],
                      "output": {"path": "both.xlsx"}}  # fmt: skip
        assert [each["name"] for each in page.preview()["datasets"]] == ["f", "p"]
        assert panel.columns["source"][0]["name"] == "carrier"
        page.tell("dataset", index=1)
        page.until(lambda: panel.columns["source"][0]["name"] == "plane")
        page.preview()
        page.tell("export")
        assert page.finished(2)["result"]["rows"] == 5
        page.tell("dataset", index=0)
        # something wrong is said where it is, and nothing is raised
        wrong = {
            **page.panel.spec,
            "datasets": None,
            "source": {"type": "upload", "id": "{{fligths}}"},
        }
        panel.set_state({"spec": {k: v for k, v in wrong.items() if v}})
        assert page.preview()["error"]["hint"] == "Did you mean flights?"
        assert panel.summary["problems"][0]["field"] == "source"
        page.choose(source={"type": "upload", "id": "{{flights}}"}, wher="x")
        assert panel.summary["problems"][0]["hint"] == "Did you mean where?"
        assert panel.preview["status"] == "error"
        assert page.notice("export")["kind"] == "error"
        page.choose(wher=None, where={"column": "dely", "op": ">", "value": 1})
        assert "delay" in page.preview()["error"]["hint"]
        # another frame lacks the columns of the choices
        page.choose(where={"column": "delay", "op": ">", "value": 1}, output={"path": "a.csv"})
        page.choose(source={"type": "upload", "id": "{{airports}}"})
        assert "where" not in panel.spec
        assert columns(page.preview()) == ["faa", "name"]
        # a template: saved, not twice, and shown by a notebook whose frame has another name
        page.choose(source={"type": "upload", "id": "{{flights}}"}, limit=2)
        assert page.notice("save_template", name="two")["kind"] == "ok"
        assert "already" in page.notice("save_template", name="two")["text"]
        assert page.notice("save_template", name="two", replace=True)["kind"] == "ok"
        assert panel.catalog["templates"] == ["two"]
        shell.user_ns["others"] = shell.user_ns.pop("flights")
        page.choose(source={"type": "upload", "id": "{{others}}"}, limit=None)
        assert page.notice("load_template", name="two")["kind"] == "ok"
        assert panel.spec["limit"] == 2
        assert panel.spec["source"] == {"type": "upload", "id": "{{others}}"}
        assert page.notice("load_template", name="nope")["kind"] == "error"
        page.tell("nonsense")
        page.tell("cancel", id="no-such-job")
    con.close()


def test_it_follows_the_notebook_and_lets_go(shell: InteractiveShell) -> None:
    shell.user_ns["few"] = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    given = pd.DataFrame({"a": range(3)})
    alive = weakref.ref(given)
    with page_of("few") as page, page_of(given) as other:
        panel = page.panel
        assert page.preview()["datasets"][0]["rows"] == [[1, "x"], [2, "y"]]
        # a value that a cell changes in place, which nothing but the cell's text tells of
        assert shell.run_cell("few.loc[0, 'a'] = 77").success
        page.until(lambda: panel.preview["datasets"][0]["rows"][0] == [77, "x"])
        assert page.preview()["status"] == "ok"
        # a frame that goes away is no traceback, and one that comes again is shown
        assert shell.run_cell("few = None").success
        assert page.preview()["error"]["message"].startswith("There is no frame “few”")
        assert panel.summary["recommended"] is None
        shell.user_ns["few"] = pd.DataFrame({"c": [5]})
        assert shell.run_cell("1").success
        page.until(lambda: panel.preview["status"] == "ok")
        assert columns(panel.preview) == ["c"]
        # a document that is refused is not shown either: the page gets back what is held
        sent: list[Any] = []
        panel.send_state = lambda key=None: sent.append(key)
        deep: dict[str, Any] = {"column": "c", "op": "=", "value": 5}
        for _ in range(200):
            deep = {"not": deep}
        before = dict(panel.spec)
        panel.set_state({"spec": {**before, "where": deep}})
        assert (panel.spec, sent[:1]) == (before, ["spec"])
        assert panel.notice["kind"] == "error"
        assert other.preview()["datasets"][0]["total_rows"] == 3
        # what one panel starts, the other one follows
        other.tell("export")
        job = other.finished()
        assert (job["status"], page.finished()["id"]) == ("completed", job["id"])
    # closed, a panel that somebody still has keeps no frame alive
    del given
    deadline = time.monotonic() + PATIENCE
    while alive() is not None and time.monotonic() < deadline:
        gc.collect()
    assert alive() is None
    assert repr(other.panel).startswith("ExportPanel")


def test_a_panel_without_frames_or_service_is_quiet(shell: InteractiveShell) -> None:
    for name in ("flights", "planes", "airports"):
        shell.user_ns.pop(name)
    with page_of() as page:
        assert page.panel.spec == {}
        assert page.panel.summary["problems"][0]["field"] == "source"
        assert "nothing yet" in repr(page.panel)
    with pytest.raises(InvalidRequest):
        ExportPanel(5)
    with pytest.raises(InvalidSpec):
        ExportPanel(spec="not a spec")
    with pytest.raises(ExportError):
        ExportPanel("unknown")


def test_with_a_server(
    shell: InteractiveShell, as_kernel: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.user_ns["many"] = MANY
    with page_of("many", "sub/many.parquet") as page:
        page.until(lambda: page.panel.catalog["has_server"])
        assert [each["name"] for each in page.panel.catalog["connections"]] == ["shop"]
        page.tell("tables", connection="shop")
        page.until(lambda: "shop" in page.panel.catalog["tables"])
        page.choose(sort=[{"column": "delay"}])
        page.tell("export")
        job = page.finished()
        assert job["status"] == "completed"
        assert {"open", "download"} <= set(job["links"])
        assert len(pd.read_parquet("sub/many.parquet")) == 30_000
        # the upload is gone: it is sent again
        for upload in list((as_kernel.root.parent / "server-state").rglob("*.arrows")):
            upload.unlink()
        again = page.choose(sort=[{"column": "carrier"}])
        assert again["status"] == "ok"
        assert again["datasets"][0]["rows"][0][0] == "AA"
        # of a frame that is too large to be sent, the first rows are looked at, and it says so
        monkeypatch.setattr(sending, "MOST_CELLS", 30_000)
        page.tell("refresh")
        part = page.choose(sort=None, where={"column": "delay", "op": "<", "value": 1})
        assert part["note"] == "The preview looks at the first 10,000 of 30,000 rows."
        assert part["datasets"][0]["total_rows"] is None
        # one that runs is cancelled, and its list entry says so
        page.choose(output={"path": "slow.xlsx"}, where=None)
        page.tell("export")
        page.until(lambda: page.panel.jobs[0]["id"] not in (job["id"], "sending"))
        page.tell("cancel", id=page.panel.jobs[0]["id"])
        assert page.finished(2)["status"] in ("cancelled", "completed")
