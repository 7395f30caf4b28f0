"""``export``, ``submit`` and ``Job`` in Python, and what happens when the server is away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import jupyter_export
from jupyter_export.client import find, find_client
from jupyter_export.client.find import ROOT, SERVER, TOKEN, LocalClients
from jupyter_export.client.local import LocalClient
from jupyter_export.client.server import ServerClient
from jupyter_export.errors import (
    Cancelled,
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    OutputExists,
    ServerUnavailable,
    SourceFailed,
)

from .conftest import SOURCE, Server

FRAME = pd.DataFrame({"n": [1, 2, 3], "text": ["a", None, ""]})


def test_a_frame_is_frozen_when_export_returns() -> None:
    frame = pd.DataFrame({"n": range(200_000)})
    job = jupyter_export.export(frame, "x.parquet")
    frame["n"] = -1
    assert job.read()["n"].tolist() == list(range(200_000))


def test_fields_of_the_spec() -> None:
    job = jupyter_export.export(
        FRAME,
        Path("x.out"),
        format="csv",
        options={"delimiter": ";"},
        columns=["text", "n"],
        where={"column": "n", "op": ">", "value": 1},
        limit=1,
        name="some",
    )
    assert job.result()["rows"] == 1
    assert Path("x.out").read_text() == "text;n\n;2\n"
    assert job.name == "some"
    assert job.columns == 2


def test_a_file_is_a_source_too() -> None:
    jupyter_export.export(FRAME, "a.parquet").result()
    job = jupyter_export.export({"type": "file", "path": "a.parquet"}, "b.jsonl")
    assert job.result()["rows"] == 3


def test_submit_takes_a_document(tmp_path: Path) -> None:
    jupyter_export.export(FRAME, "a.parquet").result()
    spec = {"source": {"type": "file", "path": "a.parquet"}, "output": {"path": "b.csv"}}
    assert jupyter_export.submit(spec).result()["rows"] == 3
    spec["output"] = {"path": str(tmp_path / "c.csv")}
    job = jupyter_export.submit(
        jupyter_export.ExportSpec.model_validate(
            {"datasets": [{"source": spec["source"]}], "output": spec["output"]}
        )
    )
    assert job.path == str(tmp_path / "c.csv")
    assert job.result()["rows"] == 3


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: jupyter_export.export("a text", "x.csv"), InvalidRequest, "A str is not a frame."),
        (lambda: jupyter_export.export(FRAME, ""), InvalidRequest, "The path is empty."),
        (lambda: jupyter_export.export(FRAME, "folder.csv/"), InvalidSpec, "names a folder"),
        (lambda: jupyter_export.export(FRAME, "x.csv", limt=1), InvalidSpec, "limit"),
        (
            lambda: jupyter_export.export(FRAME, "x", options={"a": 1}),
            InvalidSpec,
            "The options need a format",
        ),
        (
            lambda: jupyter_export.export(pd.DataFrame({"m": [1, "a", {}]}), "x.csv"),
            SourceFailed,
            "“m”",
        ),
        (lambda: jupyter_export.submit("{"), InvalidSpec, "not valid JSON"),
    ],
)
def test_wrong_calls_are_one_sentence(call: Any, error: type[ExportError], said: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value)


def test_a_failed_job_raises_its_error() -> None:
    job = jupyter_export.export(FRAME, "x.csv", where="nope > 1").wait()
    assert job.status == "failed"
    assert isinstance(job.error, ExportError)
    assert "nope" in repr(job)
    with pytest.raises(type(job.error), match="nope"):
        job.result()
    assert not Path("x.csv").exists()


def test_a_job_knows_its_file_and_says_so() -> None:
    job = jupyter_export.export(FRAME, "x.csv")
    job.result()
    assert job.path == os.path.abspath("x.csv")
    assert repr(job).startswith("<Job ● x.csv · 3 rows")
    assert "x.csv" in job._repr_html_()
    assert job.reader is not None
    assert "'x.csv'" in job.reader
    assert job.losses == []
    assert job.cancel().status == "completed"
    with pytest.raises(OutputExists):
        jupyter_export.export(FRAME, "x.csv")
    Path("x.csv").unlink()
    with pytest.raises(NotFound, match="is gone"):
        job.read()


def test_result_times_out_and_a_cancelled_job_says_so() -> None:
    big = pa.table({name: pa.array(range(2_000_000), pa.float64()) for name in "abcdef"})
    job = jupyter_export.export(big, "big.csv.gz")
    with pytest.raises(TimeoutError, match="after 0 s"):
        job.result(0)
    assert job.cancel().wait(10).status == "cancelled"
    with pytest.raises(Cancelled):
        job.result()
    assert not Path("big.csv.gz").exists()


def test_a_script_may_end_before_its_exports(tmp_path: Path) -> None:
    script = (
        "import jupyter_export, pyarrow as pa\n"
        "jupyter_export.export(pa.table({'n': range(300000)}), 'out.csv')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "out.csv").read_bytes().count(b"\n") == 300_001


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_has_a_service_of_its_own(tmp_path: Path) -> None:
    parent = LocalClients.here()
    child = os.fork()
    if child == 0:
        fresh = LocalClients._started == {} and find._server is None
        os._exit(0 if fresh else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert LocalClients.here() is parent
    assert jupyter_export.export(FRAME, "x.csv").result()["rows"] == 3


# ----------------------------------------------------------------- which service


def test_without_a_server_the_service_is_in_this_process() -> None:
    found = find_client()
    assert isinstance(found, LocalClient)
    assert found is find_client()


def test_with_a_server_its_client_is_kept(as_kernel: Server) -> None:
    found = find_client()
    assert isinstance(found, ServerClient)
    assert found is find_client()
    assert found.root == as_kernel.root


def test_a_kernel_without_variables_asks_for_its_parent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", str(server.process.pid))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(server.root.parent / "runtime"))
    found = find_client()
    assert isinstance(found, ServerClient)
    found.check()


@pytest.fixture
def dead_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """This process was started by a server that has stopped."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setenv(SERVER, url)
    monkeypatch.setenv(TOKEN, "gone")
    monkeypatch.setenv(ROOT, str(tmp_path))
    return url


def test_a_server_that_is_away_is_replaced_and_said(dead_server: str) -> None:
    with pytest.raises(ServerUnavailable, match="does not answer"):
        find_client().check()
    job = jupyter_export.export(FRAME, "x.csv")
    assert job.result()["rows"] == 3
    assert job.path == os.path.abspath("x.csv")
    assert job.notes == (
        (
            f"The Jupyter server at {dead_server} does not answer. "
            "This export runs in the kernel instead."
        ),
    )
    assert job.notes[0] in job.card().text()


def test_a_reader_of_batches_is_not_read_twice(dead_server: str) -> None:
    reader = pa.table({"n": [1]}).to_reader()
    with pytest.raises(ServerUnavailable):
        jupyter_export.export(reader, "x.csv")


def test_a_server_that_does_not_know_us_is_replaced(
    as_kernel: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "forged")
    job = jupyter_export.export(FRAME, "x.csv")
    assert job.result()["rows"] == 3
    assert "does not accept this kernel's token" in job.notes[0]


def test_a_kernel_that_does_not_see_the_root(
    as_kernel: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT, "")
    name = f"{os.urandom(4).hex()}.csv"
    job = jupyter_export.export(FRAME, name)
    assert job.result()["rows"] == 3
    assert job.path == name
    assert (as_kernel.root / name).exists()
    assert "under the server's root" in job.notes[0]
    assert job.read()["n"].tolist() == [1, 2, 3]
