"""The magic in a kernel that a real Jupyter server started."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from .conftest import Server
from .kernels import Kernel, Ran, kernel_of

SETUP = """
import pandas as pd, pyarrow as pa
from pathlib import Path
%load_ext jupyter_export
small = pd.DataFrame({"n": range(1000), "text": [f"row {i}" for i in range(1000)]})
big = pa.table({name: [i / 7 for i in range(3_000_000)] for name in "abcd"})
"""
WIDGET = "application/vnd.jupyter.widget-view+json"
CARD = "application/vnd.jupyter-export.job.v1+json"


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    with kernel_of(server, "notebooks") as running:
        ran = running.run(SETUP)
        assert ran.status == "ok", ran.text
        yield running


def words(html: str) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)


def test_a_frame_is_exported_by_the_server(server: Server, kernel: Kernel) -> None:
    ran = kernel.run("%export small small.csv")
    assert ran.status == "ok", ran.text
    assert (server.root / "notebooks" / "small.csv").read_text().count("\n") == 1001
    job = server.ask("GET", "jupyter-export/v1/jobs?q=small.csv")["jobs"][0]
    assert job["status"] == "completed"
    assert job["result"]["path"] == "notebooks/small.csv"


def test_one_card_is_kept_with_links_of_the_server(kernel: Kernel) -> None:
    ran = kernel.run("job = %export small card.csv")
    assert len(ran.outputs) == 1
    data = ran.outputs[0]["data"]
    assert set(data) == {CARD, "text/html", "text/plain"}
    assert data[CARD]["job"]["status"] == "completed"
    assert data[CARD]["columns"] == 2
    assert "1,000 rows · 2 columns" in data["text/plain"]
    assert "checked: rows read = written = counted" in words(data["text/html"])
    assert 'href="card.csv"' in data["text/html"]
    assert re.search(r'href="/jupyter-export/v1/jobs/\w+/download"', data["text/html"])
    assert "card.csv" in kernel.run("job.path").text
    assert "1000" in kernel.run("len(job.read())").text


def test_the_last_value_of_a_cell_is_not_shown_twice(kernel: Kernel) -> None:
    assert len(kernel.run("%export small once.csv").outputs) == 1
    again = kernel.run("_")
    assert [output["kind"] for output in again.outputs] == ["display_data"]
    assert "once.csv" in again.text


def test_progress_is_drawn_while_the_cell_runs(kernel: Kernel) -> None:
    ran = kernel.run("%export big progress.csv.gz")
    assert ran.status == "ok", ran.text
    assert len(ran.outputs) == 1
    assert len(ran.updates) >= 2
    seen = ran.outputs[0]["data"]["text/plain"]
    assert seen.startswith("● progress.csv.gz · 3,000,000 rows")
    assert any("of 3,000,000 rows" in update["text/plain"] for update in ran.updates)


def test_no_wait_gives_the_prompt_back_and_ends_as_plain_html(kernel: Kernel) -> None:
    ran = kernel.run("later = %export big later.csv.gz --no-wait")
    assert ran.status == "ok", ran.text
    shown = [ran.outputs[-1]["data"], *ran.updates]
    assert any(WIDGET in data and "text/html" in data for data in shown)
    kernel.listen(0.1, ran)
    assert "'completed'" in kernel.run("later.wait(60).status").text
    kernel.listen(1.0, ran)
    kept = [output for output in ran.outputs if "later.csv.gz" in str(output)]
    assert len(kept) == 1
    assert set(kept[0]["data"]) == {CARD, "text/html", "text/plain"}
    assert kept[0]["data"]["text/plain"].startswith("● later.csv.gz")


def test_the_kernels_interrupt_cancels(server: Server, kernel: Kernel) -> None:
    kernel.run("before = set(Path.cwd().iterdir())")
    code = "%export big stopped.csv.gz"
    message = kernel.client.execute(code, allow_stdin=False, store_history=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        jobs = server.ask("GET", "jupyter-export/v1/jobs?q=stopped.csv.gz")["jobs"]
        if jobs and jobs[0]["status"] == "running":
            break
        time.sleep(0.01)
    kernel.interrupt()
    reply = kernel.client.get_shell_msg(timeout=30)
    while reply["parent_header"]["msg_id"] != message:
        reply = kernel.client.get_shell_msg(timeout=30)
    assert reply["content"]["status"] == "error"
    assert "interrupted and cancelled" in reply["content"]["evalue"]
    job = server.ask("GET", "jupyter-export/v1/jobs?q=stopped.csv.gz")["jobs"][0]
    assert job["status"] == "cancelled"
    kernel.listen(0.3, Ran())
    assert "set()" in kernel.run("print(set(Path.cwd().iterdir()) - before)").text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("%export smal x.csv", "Did you mean small?"),
        ("%export small x.csv --replce", "Did you mean --replace?"),
        ("%export small x.csv --format exel", "exel"),
        ('%export small x.csv --where "m > 1"', "Column “m” is not in small."),
        ('%export small x.csv --where "1 / (n - 5) > 0"', "x.csv was not exported."),
        ("%%export x.csv\nSELECT * FROM smal", "Did you mean small?"),
    ],
)
def test_a_wrong_line_fails_its_cell_without_a_traceback(
    kernel: Kernel, code: str, said: str
) -> None:
    """Run All, nbclient and papermill stop at a cell whose reply is an error."""
    ran = kernel.run(code)
    assert ran.status == "error"
    errors = [output for output in ran.outputs if output["kind"] == "error"]
    assert len(errors) == 1
    assert len(errors[0]["traceback"]) == 1
    assert said in errors[0]["traceback"][0]
    assert "Traceback" not in ran.text


def test_a_path_outside_the_root_is_written_by_the_kernel(server: Server, kernel: Kernel) -> None:
    outside = server.root.parent / "outside"
    outside.mkdir(exist_ok=True)
    before = len(server.ask("GET", "jupyter-export/v1/jobs")["jobs"])
    ran = kernel.run(f"%export small {outside / 'x.csv'} --replace")
    assert ran.status == "ok", ran.text
    assert (outside / "x.csv").read_text().count("\n") == 1001
    assert len(server.ask("GET", "jupyter-export/v1/jobs")["jobs"]) == before


def test_a_named_download_comes_without_a_path(server: Server, kernel: Kernel) -> None:
    ran = kernel.run("%export small")
    assert ran.status == "ok", ran.text
    assert list((server.root / "exports").glob("small_*.csv"))


def test_the_command_line_speaks_to_the_kernels_server(kernel: Kernel) -> None:
    ran = kernel.run("!{__import__('sys').executable} -m jupyter_export.cli jobs --limit 1")
    assert "small" in ran.text
    assert "completed" in ran.text
