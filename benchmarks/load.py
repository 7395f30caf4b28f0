"""Many clients at once: how one server bears them, with everybody watching.

    python -m benchmarks.load                            200 jobs of 20 clients, 100,000 rows each
    python -m benchmarks.load --jobs 20 --clients 4 --rows 1000    does it work at all?

One real Jupyter server with as many workers as there are cores. Each client sends a frame once,
asks for its exports one behind the other, and watches each to its end by server-sent events;
others listen to Jupyter's own events by websocket, and one asks for other things all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from . import meter
from .notebook import Served, served
from .report import Target, at_most, table

API = "jupyter-export/v1/"
EVENTS = "https://jupyter-export.readthedocs.io/events/job/v1"
FORMATS = ("csv", "parquet", "jsonl", "excel")
ENDINGS = {"csv": ".csv", "parquet": ".parquet", "jsonl": ".jsonl", "excel": ".xlsx"}
SUBSCRIBERS = 4
PAUSE = 0.02
"""Seconds between two of the other requests."""
ANSWER_MS = 100
"""For 99 of 100 of the other requests."""
GROWTH_MB = 50
PATIENCE = 600.0


@dataclass
class Figures:
    """What was seen, in seconds and counts. ``errors`` are sentences."""

    submit: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    changes: int = 0
    heard: Counter[str] = field(default_factory=Counter)
    """Events of each subscriber, and final ones."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    wall: float = 0.0
    growth: float = 0.0
    """Bytes."""


def load(folder: Path, *, jobs: int, clients: int, rows: int) -> tuple[str, list[Target]]:
    """Run ``jobs`` exports of ``rows`` rows for ``clients`` clients; return tables and targets."""
    figures = Figures()
    with served(folder, f"--ExportApp.max_pending_per_user={jobs + 1}") as server:
        _warm_up(server)
        before = meter.anonymous_memory(server.pid) or 0
        with _memory(server.pid) as peak, _subscribers(server, figures):
            begun = time.perf_counter()
            asyncio.run(_clients(server, figures, jobs, clients, rows))
            figures.wall = time.perf_counter() - begun
        figures.growth = max(peak[0] - before, 0)
    wrong = _wrong_files(folder, figures, rows)
    return _tables(figures, jobs, rows), _targets(figures, jobs, wrong)


def _warm_up(server: Served) -> None:
    """Have the service started, and a first export made."""
    data = _arrow(_frame(100, 0))
    with httpx.Client(base_url=server.url, headers=_head(server), timeout=60) as client:
        upload = client.post(f"{API}uploads", content=data).raise_for_status().json()
        spec = {"source": {"type": "upload", "id": upload["id"]}, "format": "csv"}
        client.post(f"{API}jobs", json=spec, params={"wait": 30}).raise_for_status()


# ------------------------------------------------------------------ clients


async def _clients(server: Served, figures: Figures, jobs: int, clients: int, rows: int) -> None:
    shares = [len(range(number, jobs, clients)) for number in range(clients)]
    other = asyncio.create_task(_other_requests(server, figures))
    try:
        await asyncio.gather(
            *(_client(server, figures, n, share, rows) for n, share in enumerate(shares))
        )
    finally:
        other.cancel()
        with suppress(asyncio.CancelledError):
            await other


def _http(server: Served) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(
        base_url=server.url, headers=_head(server), timeout=PATIENCE, limits=limits
    )


async def _client(server: Served, figures: Figures, number: int, share: int, rows: int) -> None:
    async with _http(server) as client:
        try:
            data = await asyncio.to_thread(lambda: _arrow(_frame(rows, number)))
            sent = await client.post(f"{API}uploads", content=data)
            upload = sent.raise_for_status().json()["id"]
            watches = []
            for each in range(share):
                kind = FORMATS[(number + each) % len(FORMATS)]
                spec = {
                    "source": {"type": "upload", "id": upload},
                    "format": kind,
                    "output": {"path": f"load/{number}-{each}{ENDINGS[kind]}"},
                }
                asked = time.perf_counter()
                answer = await client.post(f"{API}jobs", json=spec)
                figures.submit.append(time.perf_counter() - asked)
                job = answer.raise_for_status().json()
                watches.append(asyncio.create_task(_watch(client, figures, job["id"], asked)))
            await asyncio.gather(*watches)
        except (httpx.HTTPError, OSError, KeyError, ValueError) as error:
            figures.errors.append(f"client {number}: {type(error).__name__}: {error}")


async def _watch(client: httpx.AsyncClient, figures: Figures, job: str, asked: float) -> None:
    """Follow the server-sent events of a job to its final one."""
    began = False
    async with client.stream("GET", f"{API}jobs/{job}/events") as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            if not line.startswith("data: "):
                continue
            state = json.loads(line.removeprefix("data: "))
            figures.changes += 1
            if not began and state["status"] != "pending":
                began = True
                figures.first.append(time.perf_counter() - asked)
            if state["status"] in ("completed", "failed", "cancelled"):
                figures.end.append(time.perf_counter() - asked)
                figures.jobs[job] = state
                if state["status"] != "completed":
                    figures.errors.append(f"job {job} {state['status']}: {state['error']}")
    if job not in figures.jobs:
        figures.errors.append(f"the events of job {job} ended without its end")


async def _other_requests(server: Served, figures: Figures) -> None:
    """Ask what a page asks meanwhile: jobs, formats, a folder's contents, the server's state."""
    paths = (f"{API}jobs?limit=50", f"{API}formats", "api/contents", "api/status")
    async with _http(server) as client:
        while True:
            for path in paths:
                asked = time.perf_counter()
                answer = await client.get(path)
                figures.other.append(time.perf_counter() - asked)
                if answer.status_code != 200:
                    figures.errors.append(f"GET {path}: {answer.status_code}")
                await asyncio.sleep(PAUSE)


# ------------------------------------------------------------------ listeners


@contextmanager
def _subscribers(server: Served, figures: Figures) -> Iterator[None]:
    """Have ``SUBSCRIBERS`` websockets listen to Jupyter Events, each in a thread."""
    import websocket

    url = f"{server.url.replace('http', 'ws', 1)}api/events/subscribe"
    sockets = [
        websocket.create_connection(url, header=_head(server), timeout=PATIENCE)
        for _ in range(SUBSCRIBERS)
    ]

    def listen(connection: Any) -> None:
        try:
            while text := connection.recv():
                event = json.loads(text)
                if event.get("schema_id") == EVENTS:
                    figures.heard["all"] += 1
                    figures.heard["final"] += event["status"] == "completed"
        except (websocket.WebSocketException, OSError):
            return  # It is closed at the end.

    threads = [threading.Thread(target=listen, args=(each,), daemon=True) for each in sockets]
    for thread in threads:
        thread.start()
    try:
        yield
        # The last events are on their way.
        deadline = time.monotonic() + 10
        while figures.heard["final"] < SUBSCRIBERS * len(figures.jobs):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
    finally:
        for connection in sockets:
            connection.shutdown()
        for thread in threads:
            thread.join(10)


@contextmanager
def _memory(pid: int) -> Iterator[list[int]]:
    """Yield a list whose one item is the most anonymous memory of the process so far. Bytes."""
    peak, end = [0], threading.Event()

    def look() -> None:
        while not end.wait(0.05):
            peak[0] = max(peak[0], meter.anonymous_memory(pid) or 0)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        end.set()
        thread.join()


# ------------------------------------------------------------------ figures


def _wrong_files(folder: Path, figures: Figures, rows: int) -> list[str]:
    """Return what is wrong with the files: their hash, their size, their rows, their number."""
    wrong = []
    for job in figures.jobs.values():
        result = job["result"]
        if result is None:
            continue
        path = folder / result["path"]
        data = path.read_bytes()
        read = {
            ".csv": lambda path=path: pa.csv.read_csv(path).num_rows,
            ".parquet": lambda path=path: pq.read_metadata(path).num_rows,
            ".jsonl": lambda data=data: data.count(b"\n"),
        }.get(path.suffix, lambda: rows)
        if (
            len(data) != result["bytes"]
            or hashlib.sha256(data).hexdigest() != result["sha256"]
            or not read() == rows == result["rows"]
        ):
            wrong.append(path.name)
    there = {path.name for path in (folder / "load").iterdir()}
    return wrong + sorted(there ^ {Path(j["result"]["path"]).name for j in figures.jobs.values()})


def _tables(figures: Figures, jobs: int, rows: int) -> str:
    def line(what: str, seconds: Sequence[float], unit: str = "ms") -> tuple[str, ...]:
        factor = 1000 if unit == "ms" else 1
        shown = [f"{share(seconds, p) * factor:,.1f}" for p in (50, 95, 99)]
        return (f"{what}, {unit}", *shown, f"{max(seconds, default=0) * factor:,.1f}")

    latencies = table(
        ("", "p50", "p95", "p99", "most"),
        [
            line("submit (POST jobs)", figures.submit),
            line("another GET meanwhile", figures.other),
            line("from the POST to the first progress", figures.first, "s"),
            line("from the POST to the end", figures.end, "s"),
        ],
    )
    done = len(figures.end)
    totals = table(
        ("", "figure"),
        [
            ("jobs completed", f"{done} of {jobs}"),
            ("wall, s", f"{figures.wall:.1f}"),
            ("jobs a second", f"{done / figures.wall:.1f}"),
            ("rows a second", f"{done * rows / figures.wall:,.0f}"),
            ("other requests", f"{len(figures.other):,}"),
            ("server-sent events", f"{figures.changes:,}"),
            (f"Jupyter Events, {SUBSCRIBERS} listeners", f"{figures.heard['all']:,}"),
            ("server memory growth, MB", f"{figures.growth / 1e6:.1f}"),
            ("errors", f"{len(figures.errors)}"),
        ],
    )
    shown = "".join(f"\n- {error}" for error in figures.errors[:10])
    return f"{latencies}\n\n{totals}{shown}"


def _targets(figures: Figures, jobs: int, wrong: list[str]) -> list[Target]:
    finals = SUBSCRIBERS * jobs
    return [
        at_most("errors", len(figures.errors), 0, "errors", 0),
        Target(
            "files right (size, SHA-256, rows)",
            f"{len(figures.end) - len(wrong)} of {jobs}" + "".join(f", {w}" for w in wrong[:5]),
            f"{jobs}",
            not wrong and len(figures.end) == jobs,
        ),
        Target(
            "ends heard by websocket",
            f"{figures.heard['final']:,}",
            f"{finals:,}",
            figures.heard["final"] == finals,
        ),
        at_most("99 of 100 other requests", share(figures.other, 99) * 1000, ANSWER_MS, "ms", 0),
        at_most("server memory growth", figures.growth / 1e6, GROWTH_MB, "MB", 1),
    ]


def share(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] if ordered else 0.0


def _frame(rows: int, number: int) -> pa.Table:
    return pa.table(
        {
            "n": pa.array(range(rows), pa.int64()),
            "word": pa.array([f"word {n % 1000} of {number}" for n in range(rows)]),
            "price": pa.array([n / 4 for n in range(rows)]),
        }
    )


def _arrow(frame: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, frame.schema) as writer:
        writer.write_table(frame)
    return bytes(out.getvalue())


def _head(server: Served) -> dict[str, str]:
    return {"Authorization": f"token {server.token}"}


def main() -> int:
    arguments = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("--jobs", type=int, default=200)
    arguments.add_argument("--clients", type=int, default=20)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    chosen = arguments.parse_args()
    if min(chosen.jobs, chosen.clients, chosen.rows) < 1:
        arguments.error("--jobs, --clients and --rows start at 1")
    print(
        f"# Load: {chosen.jobs} jobs of {chosen.clients} clients, {chosen.rows:,} rows each\n\n"
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}.\n",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="jupyter-export-load-") as folder:
        tables, targets = load(
            Path(folder), jobs=chosen.jobs, clients=chosen.clients, rows=chosen.rows
        )
    print(tables, "", *(f"- {target}" for target in targets), sep="\n")
    return 1 if chosen.strict and not all(target.met for target in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
