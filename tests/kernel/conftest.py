"""A real Jupyter server in a process of its own, and a process without one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.client import find
from jupyter_export.client.find import ROOT, SERVER, TOKEN, LocalClients

from .connections import own
from .shells import shell_with_frames

__all__ = ["own"]

SOURCE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    """A running server: its address with a slash at the end, its login token, its folder."""

    url: str
    token: str
    root: Path
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


SHOP = {"shop": "sqlite://"}
"""The connections that the tests' servers, and processes without one, know."""


def configure(folder: Path, connections: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``folder`` the only one of Jupyter's config folders that defines connections."""
    folder.mkdir(exist_ok=True)
    settings = {"ExportApp": {"connections": connections}}
    (folder / "jupyter_export_config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder))


@contextmanager
def jupyter_server(home: Path, *arguments: str, command: str = "server") -> Iterator[Server]:
    """Start a server with folders of its own; end it, and its kernels, whatever happens."""
    root = home / "root"
    root.mkdir(parents=True)
    (home / "config").mkdir(exist_ok=True)
    settings = {"ExportApp": {"connections": SHOP}}
    (home / "config" / "jupyter_export_config.json").write_text(json.dumps(settings))
    token = secrets.token_hex(16)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONWARNINGS": "default",
    }
    for name in (SERVER, TOKEN, ROOT, "JPY_PARENT_PID", "JPY_SESSION_NAME"):
        environment.pop(name, None)
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter", command, "--no-browser", "--allow-root",
                "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
                f"--ServerApp.root_dir={root}",
                "--ServerApp.jpserver_extensions=jupyter_export=True",
                f"--ExportApp.state_dir={home / 'server-state'}",
                *arguments,
            ],
            env=environment, cwd=root, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}/", token, root, process, log)
    try:
        _until_it_answers(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.ask("GET", "jupyter-export/v1/formats")
            return
        except OSError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                said = server.log.read_text(errors="replace")
                raise AssertionError(f"The server did not start: {error}\n{said}") from None
            time.sleep(0.1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of the session; each test writes under names of its own."""
    with jupyter_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def one_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(autouse=True)
def alone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """No server, an empty working directory, a state folder of the test's own.

    A module that says ``ONE_PLACE = True`` has one of each for all its tests, emptied after each:
    its service, and the warm worker of that, live on.
    """
    shared = getattr(request.module, "ONE_PLACE", False)
    place: Path = request.getfixturevalue("one_place") if shared else tmp_path
    for name in (SERVER, TOKEN, ROOT, "JPY_PARENT_PID", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(place / "state"))
    (place / "here").mkdir(exist_ok=True)
    monkeypatch.chdir(place / "here")
    yield
    if shared:
        _empty(place / "here")
    else:
        LocalClients.stop()
    if find._server is not None:
        find._server[1].close()
        find._server = None


def _empty(here: Path) -> None:
    """Take away the jobs of a place and its files."""
    os.chdir(here)
    with suppress(KeyError):
        client = LocalClients._started[here]
        while jobs := client.list(limit=200)["jobs"]:
            for job in jobs:
                client.delete(job["id"])
    for left in here.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


@pytest.fixture(scope="module", autouse=True)
def stopped_at_the_end() -> Iterator[None]:
    yield
    LocalClients.stop()


@pytest.fixture
def as_kernel(monkeypatch: pytest.MonkeyPatch, server: Server) -> Server:
    """This process is what a kernel of ``server`` is: it has its address, and sits in its root."""
    monkeypatch.setenv(SERVER, server.url)
    monkeypatch.setenv(TOKEN, server.token)
    monkeypatch.setenv(ROOT, str(server.root))
    folder = server.root / secrets.token_hex(4)
    folder.mkdir()
    monkeypatch.chdir(folder)
    return server


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with shell_with_frames() as found:
        yield found
