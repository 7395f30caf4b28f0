"""What goes through the server: large files both ways beside nginx, and answers while it is busy.

One real Jupyter server. Its memory is that of the server process alone (``RssAnon``, above what it
held before). nginx serves the same file from the same folder, with ``sendfile``, to the same
client, which throws the bytes away; the two take turns.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from . import meter
from .notebook import CellFailed, Served, free_port, served
from .report import Target, at_least, at_most, table, unmeasured

TITLE = "Transfer through a Jupyter server"
BYTES_A_ROW = 2000
"""The file has so many bytes for each row of the plan: 2 GB for a million."""
GROWTH_MB = 30
SHARE = 0.25
"""Of nginx's rate."""
ANSWER_MS = 100
"""For 99 of 100 requests."""
PIECE = 1024**2
CLEAR = "/jupyter-export/v1/"
BUSY_SECONDS = 20
SLOW_SECONDS = 3.0
NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    {temporary}
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def transfer(folder: Path, size: int, runs: int) -> tuple[str, list[Target]]:
    """Measure with a file of about ``size`` bytes; ``folder`` holds everything meanwhile."""
    root = folder / "transfer"
    root.mkdir(parents=True)
    try:
        with served(root, "--ExportApp.max_workers=2") as server:
            return _measure(server, root, size, runs)
    except (CellFailed, OSError) as error:
        problem = " ".join(str(error).split())
        return problem, [unmeasured(TITLE, problem)]
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _measure(server: Served, root: Path, size: int, runs: int) -> tuple[str, list[Target]]:
    frame = root / "frame.arrows"
    _write(frame, size)
    small = root / "small.arrows"
    _write(small, PIECE)
    _download(server, _export(server, _upload(server, small), "warm.arrow"))

    with _growth(server.pid) as upload_grew:
        start = time.perf_counter()
        upload = _upload(server, frame)
        upload_s = time.perf_counter() - start
    print(f"  upload {frame.stat().st_size / upload_s / 1e6:.0f} MB/s", file=sys.stderr)
    job = _export(server, upload, "big.arrow")
    big = root / "big.arrow"
    whole = big.stat().st_size

    ours: list[float] = []
    theirs: list[float] = []
    problem = None
    with ExitStack() as stack:
        try:
            port = stack.enter_context(_nginx(root))
        except (OSError, CellFailed) as error:
            problem = f"nginx: {error}"
        with _growth(server.pid) as download_grew:
            for turn in range(max(runs, 2)):
                print(f"  download, run {turn + 1}", file=sys.stderr)
                ours.append(_timed(lambda: _download(server, job), whole))
                if problem is None:
                    theirs.append(_timed(lambda: _get(port, "/big.arrow"), whole))
    with _growth(server.pid) as slow_grew:
        _slow_download(server, job)
    rate = statistics.median(ours)
    lines = [
        ("upload", f"{frame.stat().st_size / upload_s / 1e6:.0f}", _mb(upload_grew)),
        ("download", f"{rate:.0f}", _mb(download_grew)),
        ("download, reader stands still", "–", _mb(slow_grew)),
    ]
    targets = [
        _grown(f"upload of {whole / 1e9:.1f} GB, growth of the server's memory", upload_grew),
        _grown(f"download of {whole / 1e9:.1f} GB, growth of the server's memory", download_grew),
        _grown("download by a slow reader, growth of the server's memory", slow_grew),
    ]
    if problem is not None:
        targets.append(unmeasured("download beside nginx", problem))
    else:
        nginx = statistics.median(theirs)
        lines.append(("nginx, the same file", f"{nginx:.0f}", "–"))
        targets.append(at_least("download, share of nginx's rate", rate / nginx, SHARE, "x"))
    text = table(("", "MB/s", "memory grew by MB"), lines)
    more, latency = _busy(server, root, size, job, runs)
    return f"{text}\n\n{more}", [*targets, *latency]


# ------------------------------------------------------------------ while the server is busy


def _busy(server: Served, root: Path, size: int, job: str, runs: int) -> tuple[str, list[Target]]:
    """Ask small things while two workers export and two downloads run."""
    seconds = BUSY_SECONDS if runs > 1 else 5
    frame = root / "busy.arrows"
    _write(frame, size // 4)
    upload = _upload(server, frame)
    source = {"source": {"type": "upload", "id": upload}}
    over = threading.Event()
    command = [
        *("curl", "-s", "-S", "-o", "/dev/null", "-H", f"Authorization: token {server.token}"),
        f"{server.url}jupyter-export/v1/jobs/{job}/download",
    ]

    def keep_exporting(name: str) -> None:
        path = {"path": f"{name}.csv", "if_exists": "replace"}
        body = json.dumps({**source, "output": path}).encode()
        while not over.is_set():
            state = server.ask("jupyter-export/v1/jobs?wait=10", body)
            while state["status"] in ("pending", "running") and not over.wait(0.5):
                state = server.ask(f"jupyter-export/v1/jobs/{state['id']}")

    def keep_downloading() -> None:
        while not over.is_set():
            with subprocess.Popen(command) as curl:
                while curl.poll() is None:
                    if over.wait(0.1):
                        curl.terminate()

    threads = [
        *(threading.Thread(target=keep_exporting, args=(f"busy{n}",)) for n in range(2)),
        *(threading.Thread(target=keep_downloading) for _ in range(2)),
    ]
    asked = [
        ("GET", f"{CLEAR}jobs?limit=20", None),
        ("GET", f"{CLEAR}formats", None),
        ("GET", "/api/status", None),
        ("POST", f"{CLEAR}preview", json.dumps({"spec": {**source}, "rows": 5}).encode()),
    ]
    took: dict[str, list[float]] = {path: [] for _, path, _ in asked}
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 60
        while (running := _running(server)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        if running < 2:
            raise CellFailed("The two exports did not start.")
        # a preview that finds no worker starts one: the first is not what is promised
        _answer(server, *asked[3])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for method, path, body in asked:
                took[path].append(_answer(server, method, path, body))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    lines = []
    for path, times in took.items():
        name = path.removeprefix("/").removeprefix("jupyter-export/v1/").partition("?")[0]
        lines.append((name, f"{len(times)}", *(f"{1000 * each:.0f}" for each in _shape(times))))
    # what a worker computes is not an answer of the server alone
    light = [each for path, times in took.items() if "preview" not in path for each in times]
    p99 = 1000 * _shape(light)[1]
    head = ("while 2 exports and 2 downloads run", "asked", "median ms", "99 % ms", "longest ms")
    return table(head, lines), [
        at_most("answers while it is busy, 99th percentile", p99, ANSWER_MS, "ms", 0)
    ]


def _shape(times: list[float]) -> tuple[float, float, float]:
    ordered = sorted(times)
    return statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]


def _running(server: Served) -> int:
    jobs = server.ask("jupyter-export/v1/jobs?status=running")["jobs"]
    return len(jobs)


def _answer(server: Served, method: str, path: str, body: bytes | None) -> float:
    """Return the seconds from the request, on a connection of its own, to the whole answer."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=60)
    try:
        connection.request(method, path, body, {"Authorization": f"token {server.token}"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise CellFailed(f"{method} {path}: {answer.status} {content[:200]!r}")
    return time.perf_counter() - start


# ------------------------------------------------------------------ files both ways


def _write(path: Path, size: int) -> None:
    """Write an Arrow IPC stream of about ``size`` bytes: numbers, which nothing shrinks."""
    rows, columns = 65_536, 8
    random = np.random.default_rng(1)
    arrays = [pa.array(random.integers(0, 2**62, rows)) for _ in range(columns)]
    batch = pa.record_batch(arrays, names=[f"n{i}" for i in range(columns)])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        for _ in range(max(size // batch.nbytes, 1)):
            stream.write_batch(batch)


def _upload(server: Served, path: Path) -> str:
    port = urlsplit(server.url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=300) as talk, path.open("rb") as it:
        talk.sendall(
            f"POST {CLEAR}uploads HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: token {server.token}\r\nConnection: close\r\n"
            f"Content-Length: {path.stat().st_size}\r\n\r\n".encode()
        )
        talk.sendfile(it)
        answer = b"".join(iter(lambda: talk.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 201 " not in head.split(b"\r\n")[0]:
        raise CellFailed(f"The upload failed: {answer[:300]!r}")
    identifier: str = json.loads(body)["id"]
    return identifier


def _export(server: Served, upload: str, path: str) -> str:
    """Export an upload as an Arrow file; return the job's id."""
    spec = {"source": {"type": "upload", "id": upload}, "output": {"path": path}}
    state = server.ask("jupyter-export/v1/jobs?wait=10", json.dumps(spec).encode())
    while state["status"] in ("pending", "running"):
        time.sleep(0.2)
        state = server.ask(f"jupyter-export/v1/jobs/{state['id']}")
    if state["status"] != "completed":
        raise CellFailed(f"The export is {state['status']}: {state['error']}")
    job: str = state["id"]
    return job


def _download(server: Served, job: str) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return _get(port, f"{CLEAR}jobs/{job}/download", server.token)


def _get(
    port: int, path: str, token: str = "", pause: Callable[[int], bool] = lambda _: True
) -> int:
    """Read a response and throw it away; return its length, and raise when it is not whole.

    ``pause`` is called with the bytes so far, and says whether to go on.
    """
    piece = memoryview(bytearray(PIECE))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as talk:
        talk.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token {token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            got = talk.recv(65_536)
            if not got:
                raise CellFailed(f"No answer to GET {path}")
            head += got
        head, _, body = head.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise CellFailed(f"GET {path}: {head[:200]!r}")
        lines = head.decode("latin1").lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-len"))
        left = length - len(body)
        while left and pause(length - left):
            size = talk.recv_into(piece)
            if not size:
                raise CellFailed(f"GET {path} broke off, {left} bytes before its end.")
            left -= size
    return length


def _slow_download(server: Served, job: str) -> None:
    """Read a little, then nothing for a while, then go away."""
    end = time.monotonic() + SLOW_SECONDS

    def pause(so_far: int) -> bool:
        time.sleep(0.01 if so_far < 10 * PIECE else 0.5)
        return time.monotonic() < end

    port = urlsplit(server.url).port
    assert port is not None
    _get(port, f"{CLEAR}jobs/{job}/download", server.token, pause)


def _timed(get: Callable[[], int], expected: int) -> float:
    """Return the rate in MB/s."""
    start = time.perf_counter()
    length = get()
    if length != expected:
        raise CellFailed(f"{length} bytes came instead of {expected}.")
    return length / (time.perf_counter() - start) / 1e6


@contextmanager
def _nginx(root: Path) -> Iterator[int]:
    """Start an nginx that serves ``root``; yield its port."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise CellFailed("not installed (apt-get install nginx-light)")
    folder, port = root / "nginx", free_port()
    folder.mkdir()
    temporary = "\n    ".join(f"{each}_temp_path {folder}/{each};" for each in _TEMPORARY)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, root=root, port=port, temporary=temporary))
    with subprocess.Popen(
        [program, "-c", str(config), "-e", str(folder / "error.log")], stderr=subprocess.DEVNULL
    ) as nginx:
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if nginx.poll() is not None or time.monotonic() > deadline:
                        raise CellFailed((folder / "error.log").read_text()[-300:]) from None
                    time.sleep(0.05)
            yield port
        finally:
            nginx.terminate()


# ------------------------------------------------------------------ memory


@contextmanager
def _growth(pid: int) -> Iterator[list[float]]:
    """Have another process watch ``pid``; the list gets the growth in MB, where it can be read."""
    found: list[float] = []
    before = meter.anonymous_memory(pid)
    if before is None:
        yield found
        return
    watcher = subprocess.Popen(
        [sys.executable, str(Path(meter.__file__)), str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    watcher.stdout.readline()
    try:
        yield found
    finally:
        said, _ = watcher.communicate()
        found.append((int(said) - before) / 1e6)


def _mb(grew: list[float]) -> str:
    return f"{grew[0]:.1f}" if grew else "–"


def _grown(what: str, grew: list[float]) -> Target:
    if not grew:
        return unmeasured(what, "the system does not tell")
    return at_most(what, grew[0], GROWTH_MB, "MB", 1)


def main(arguments: Any = None) -> None:
    """Measure this part alone, with a file of ``MB`` (2,000): ``python -m benchmarks.transfer``."""
    megabytes = int((arguments or sys.argv[1:] or ["2000"])[0])
    folder = Path(__file__).parent / "output"
    text, targets = transfer(folder, megabytes * 10**6, 3)
    print(text, *targets, sep="\n")


if __name__ == "__main__":
    main()
