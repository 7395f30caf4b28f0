"""A real Jupyter server with a real kernel, and the time from Enter to the finished cell."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

START_TIMEOUT = 60
"""Seconds that the server, or the kernel, may take to start."""
CELL_TIMEOUT = 300
"""Seconds that one cell may take."""


class CellFailed(Exception):
    """A cell raised, or its export is not what was asked for."""


class Notebook:
    """Runs cells in a kernel of the server, and asks the server what became of them."""

    def __init__(self, url: str, token: str, kernel: BlockingKernelClient) -> None:
        self._url = url
        self._token = token
        self._kernel = kernel

    def ask(self, expression: str) -> str:
        """Return the text of a Python expression's value."""
        reply = self._kernel.execute_interactive(
            "", timeout=CELL_TIMEOUT, user_expressions={"asked": expression}
        )
        found = reply["content"]["user_expressions"]["asked"]
        if found["status"] != "ok":
            raise CellFailed(f"“{expression}” failed: {found['ename']}: {found['evalue']}")
        text: str = found["data"]["text/plain"]
        return text

    def run(self, cell: str) -> float:
        """Run one cell; return the seconds until the kernel is idle again."""
        said: list[str] = []

        def heard(message: dict[str, Any]) -> None:
            if message["msg_type"] in ("stream", "error"):
                content = message["content"]
                said.append(content.get("text") or f"{content['ename']}: {content['evalue']}")

        start = time.perf_counter()
        reply = self._kernel.execute_interactive(cell, timeout=CELL_TIMEOUT, output_hook=heard)
        took = time.perf_counter() - start
        if reply["content"]["status"] != "ok":
            raise CellFailed(f"“{cell}” failed: {''.join(said)[-300:]}")
        return took

    def export(self, frame: str, path: str, rows: int) -> float:
        """Run ``%export frame path``; return its seconds, once the server's own job agrees."""
        took = self.run(f"%export {frame} {path}")
        answer = _ask(f"{self._url}jupyter-export/v1/jobs?limit=1", self._token)
        newest = (answer["jobs"] or [{"status": "missing"}])[0]
        result = newest.get("result") or {}
        if (newest["status"], result.get("path"), result.get("rows")) != ("completed", path, rows):
            raise CellFailed(f"The server's job for {path} is {newest['status']}: {result}.")
        return took


@dataclass(frozen=True)
class Served:
    """A Jupyter server that runs: where, for whom, and which process."""

    url: str
    token: str
    pid: int
    runtime: Path

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """Return the JSON answer of ``path``; with a ``body``, of a POST."""
        return _ask(f"{self.url}{path}", self.token, body)


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """Start a server whose root is ``folder``, with more ``options``; stop it at the end."""
    token = secrets.token_hex(16)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    runtime = folder / "runtime"
    environment = {
        **os.environ,
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.jpserver_extensions=jupyter_export=True",
        f"--ExportApp.state_dir={folder / 'state'}",
        *options,
    ]
    with (
        (folder / "server.log").open("w+") as log,
        subprocess.Popen(
            command,
            # A path in a cell is relative to the kernel's folder, and that is the server's.
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            _wait_until_up(server, url, token, folder / "server.log")
            yield Served(url, token, server.pid, runtime)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


@contextmanager
def notebook(folder: Path) -> Iterator[Notebook]:
    """Start a server whose root is ``folder``, with one kernel; stop both at the end."""
    with served(folder) as server:
        kernel_id = server.ask("api/kernels", b"{}")["id"]
        with _client(server.runtime / f"kernel-{kernel_id}.json") as client:
            yield Notebook(server.url, server.token, client)


@contextmanager
def kernel_alone(folder: Path) -> Iterator[Notebook]:
    """Start a kernel in ``folder`` that no server has started; stop it at the end."""
    from jupyter_client.manager import KernelManager

    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JPY_", "JUPYTER_"))
    }
    environment |= {
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "IPYTHONDIR": str(folder / "ipython"),
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    manager = KernelManager(connection_file=str(folder / "kernel.json"))
    manager.start_kernel(cwd=str(folder), env=environment)
    try:
        with _client(folder / "kernel.json") as client:
            yield Notebook("", "", client)
    finally:
        manager.shutdown_kernel(now=True)


@contextmanager
def _client(connection: Path) -> Iterator[BlockingKernelClient]:
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    # A second without a heartbeat is no death where a loaded machine starts the kernel.
    client.hb_channel.time_to_dead = float(START_TIMEOUT)
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_TIMEOUT)
        yield client
    finally:
        client.stop_channels()


def _wait_until_up(server: subprocess.Popen[bytes], url: str, token: str, log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and server.poll() is None:
        try:
            _ask(f"{url}api/status", token)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise CellFailed(f"The Jupyter server did not start: {log.read_text()[-500:]}")


def _ask(url: str, token: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
