"""Large files through a real server: what they cost it in memory, whoever is slow."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest

from ..kernel.conftest import Server, jupyter_server

SIZE = 200 * 1000**2
GROWTH = 30 * 1000**2
API = "/jupyter-export/v1/"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells of anonymous memory"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server(tmp_path_factory.mktemp("transfer"), "--ExportApp.max_workers=1") as server:
        yield server


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Arrow stream that nothing shrinks."""
    path = tmp_path_factory.mktemp("frame") / "frame.arrows"
    values = pa.array(np.random.default_rng(1).integers(0, 2**62, 500_000))
    batch = pa.record_batch([values], names=["n"])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        for _ in range(SIZE // batch.nbytes):
            stream.write_batch(batch)
    return path


def held(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))


def talk(server: Server, method: str, path: str, length: int = 0) -> socket.socket:
    port = urlsplit(server.url).port
    assert port is not None
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection.sendall(
        f"{method} {API}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: token {server.token}\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return connection


def upload(server: Server, frame: Path) -> str:
    with (
        talk(server, "POST", "uploads", frame.stat().st_size) as connection,
        frame.open("rb") as it,
    ):
        connection.sendfile(it)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    identifier: str = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
    return identifier


def test_neither_way_is_held_in_memory(server: Server, frame: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.arrows"
    with pa.OSFile(str(small), "wb") as file, pa.ipc.open_stream(str(frame)) as whole:
        batch = next(iter(whole))
        with pa.ipc.new_stream(file, batch.schema) as stream:
            stream.write_batch(batch)
    # libraries are imported, and threads started, by the first of each kind
    source = {"type": "upload", "id": upload(server, small)}
    spec = {"source": source, "format": "arrow"}
    job = server.ask("POST", f"{API[1:]}jobs?wait=30", spec)
    read(server, "GET", f"jobs/{job['id']}/download")
    read(server, "POST", "stream", spec)

    before = held(server)
    source["id"] = upload(server, frame)
    assert held(server) - before < GROWTH

    job = server.ask("POST", f"{API[1:]}jobs?wait=30", spec)
    while job["status"] in ("pending", "running"):
        job = server.ask("GET", f"{API[1:]}jobs/{job['id']}")
    most = before + GROWTH
    path = f"jobs/{job['id']}/download"
    assert read(server, "GET", path, slow_until=10**7, most=most) > SIZE
    assert read(server, "POST", "stream", spec, slow_until=10**7, most=most) > SIZE


def read(
    server: Server,
    method: str,
    path: str,
    spec: object = None,
    slow_until: int = 0,
    most: int | None = None,
) -> int:
    """Read an answer, its first bytes in small pieces; return its bytes, framing included."""
    body = b"" if spec is None else json.dumps(spec).encode()
    size = 0
    with talk(server, method, path, len(body)) as connection:
        connection.sendall(body)
        while piece := connection.recv(4096 if size < slow_until else 2**20):
            size += len(piece)
            if most is not None and size % 64 == 0:
                assert held(server) < most
    return size
