"""Run quickstart.ipynb in a kernel of a real Jupyter server, and print the files it exported.

Starts a server of its own on a free port, with this folder as its root; runs each code cell in a
kernel that the server started; asks the server what was exported; stops it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat
from jupyter_client.blocking.client import BlockingKernelClient

HERE = Path(__file__).resolve().parent
START_SECONDS = 60
CELL_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """A running server: a client that is logged in, and the folder of its kernels' sockets."""

    http: httpx.Client
    runtime: Path


class CellFailed(Exception):
    """A cell raised; the message holds its code and what it showed."""


@contextmanager
def jupyter_server(root: Path) -> Iterator[Server]:
    """Start a Jupyter server on a free port; at the end it and its kernels are stopped."""
    token = secrets.token_hex(24)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="jupyter-export-demo-") as home:
        runtime = Path(home, "runtime")
        log = Path(home, "server.log")
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(Path(home, "config")),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTER_TOKEN": token,
        }
        arguments = [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={root}",
            "--ServerApp.jpserver_extensions=jupyter_export=True",
            f"--ExportApp.state_dir={Path(home, 'state')}",
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/",
            headers={"Authorization": f"token {token}"},
            timeout=60,
            trust_env=False,
        )
        try:
            _until_it_answers(http, process, log)
            yield Server(http, runtime)
        finally:
            http.close()
            _stop(process)


def _until_it_answers(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if http.get("jupyter-export/v1/formats").is_success:
                return
        except httpx.TransportError:
            pass  # It is still starting.
        time.sleep(0.1)
    raise SystemExit(f"The Jupyter server did not start:\n{log.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # SIGTERM is the stop that asks no question; Windows knows only the other kind.
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_notebook(server: Server, notebook: Path) -> nbformat.NotebookNode:
    """Run the code cells of ``notebook`` in a kernel that ``server`` starts; return it executed.

    The kernel's folder is the server's root. Raises ``CellFailed`` at the first cell that fails.
    """
    document = nbformat.read(notebook, as_version=4)
    kernel = server.http.post("api/kernels", json={"name": "python3", "path": ""})
    kernel = kernel.raise_for_status().json()
    client = BlockingKernelClient()
    client.load_connection_file(str(server.runtime / f"kernel-{kernel['id']}.json"))
    # A second without a heartbeat is no death where a busy machine starts the kernel.
    client.hb_channel.time_to_dead = START_SECONDS
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_SECONDS)
        for cell in document.cells:
            if cell.cell_type == "code":
                _run_cell(client, cell)
    finally:
        client.stop_channels()
        server.http.delete(f"api/kernels/{kernel['id']}")
    return document


def _run_cell(client: BlockingKernelClient, cell: nbformat.NotebookNode) -> None:
    displays: dict[str, nbformat.NotebookNode] = {}

    def hear(message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        name = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            if name in displays:
                displays[name].data = nbformat.from_dict(content["data"])
        elif kind in ("stream", "display_data", "execute_result", "error"):
            output = nbformat.v4.output_from_msg(message)
            cell.outputs.append(output)
            if name:
                displays[name] = output

    reply = client.execute_interactive(
        cell.source, allow_stdin=False, timeout=CELL_SECONDS, output_hook=hear
    )["content"]
    cell.execution_count = reply.get("execution_count")
    if reply["status"] != "ok":
        shown = "\n".join(reply.get("traceback") or [f"{reply['ename']}: {reply['evalue']}"])
        raise CellFailed(f"This cell failed:\n\n{cell.source}\n\n{shown}")


def exported(server: Server) -> list[dict[str, Any]]:
    """Return the server's completed jobs, oldest first."""
    answer = server.http.get("jupyter-export/v1/jobs", params={"status": "completed"})
    jobs: list[dict[str, Any]] = answer.raise_for_status().json()["jobs"]
    return jobs[::-1]


def table(jobs: list[dict[str, Any]], root: Path) -> str:
    """Return one line for each file: path, rows, bytes, seconds."""
    from jupyter_export.client.card import seconds_taken

    lines = [f"{'file':<44}{'rows':>10}{'bytes':>14}{'seconds':>9}"]
    for job in jobs:
        result = job["result"]
        path = os.path.relpath(root / result["path"])
        taken = seconds_taken(job) or 0.0
        lines.append(f"{path:<44}{result['rows']:>10,}{result['bytes']:>14,}{taken:>9.2f}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the quickstart in a real Jupyter server.")
    parser.add_argument("notebook", nargs="?", type=Path, default=HERE / "quickstart.ipynb")
    notebook = parser.parse_args().notebook.resolve()
    root = notebook.parent
    began = time.perf_counter()
    print("Starting a Jupyter server …", flush=True)
    with jupyter_server(root) as server:
        print(f"Running {os.path.relpath(notebook)} in a kernel of it …", flush=True)
        try:
            run_notebook(server, notebook)
        except CellFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        jobs = exported(server)
        missing = [job for job in jobs if not (root / job["result"]["path"]).is_file()]
        print(table(jobs, root))
    if missing or not jobs:
        print("A file that the server reported is not there.", file=sys.stderr)
        return 1
    print(f"{len(jobs)} files exported and read back, {time.perf_counter() - began:.1f} s in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
