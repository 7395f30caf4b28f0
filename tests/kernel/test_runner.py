"""Which service runs an export: the server's, or one in the kernel when the server is away."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import jupyter_export
from jupyter_export.client import find_client
from jupyter_export.client.find import ROOT, SERVER, TOKEN
from jupyter_export.client.local import LocalClient
from jupyter_export.client.server import ServerClient
from jupyter_export.errors import ServerUnavailable

from .conftest import Server

FRAME = pd.DataFrame({"n": [1, 2, 3], "text": ["a", None, ""]})
PLANES = pa.table({"plane": ["N1", "N2"], "seats": [100, 200]})


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
    with pytest.raises(ServerUnavailable):
        jupyter_export.export({"a": FRAME, "b": pa.table({"n": [1]}).to_reader()}, "x.csv")


def test_several_frames_run_in_the_kernel_without_a_server(dead_server: str) -> None:
    job = jupyter_export.export({"a": FRAME, "b": PLANES}, "out", format="csv")
    assert job.result()["rows"] == 5
    assert "runs in the kernel instead" in job.notes[0]


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
