"""The event loop never waits for us, and nothing of us is left when the server has stopped."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import psutil
import pytest

from jupyter_export.errors import ServerUnavailable
from jupyter_export.jobs.service import ExportService
from jupyter_export.server import host
from jupyter_export.server.app import ExportApp

from .client import Api, arrow, numbers

LONGEST = 0.1
"""Seconds that the loop may be away, while this test's own client shares it."""


async def longest_pause(stop: asyncio.Event) -> float:
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest, last = max(longest, now - last - 0.005), now
    return longest


async def test_it_beats_on_during_upload_job_and_download(api: Api) -> None:
    body = arrow(numbers(500_000))
    # Libraries are imported with the first request.
    await api.export(numbers(10), output={"path": "warm.csv"})
    pauses = []
    # A busy machine may take the loop's turn once; work on the loop would take it each time.
    while len(pauses) < 5 and not (pauses and pauses[-1] < LONGEST):
        stop = asyncio.Event()
        heart = asyncio.ensure_future(longest_pause(stop))
        await everything(api, body)
        stop.set()
        pauses.append(await heart)
    assert min(pauses) < LONGEST


async def everything(api: Api, body: bytes) -> None:
    upload = await api.json("POST", "uploads", body)
    spec = {
        "source": {"type": "upload", "id": upload["id"]},
        "output": {"path": "a.csv", "if_exists": "replace"},
    }
    job = await api.json("POST", "jobs", spec, wait=30)
    size = 0

    def count(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    await api("GET", f"jobs/{job['id']}/download", streaming_callback=count)
    assert size == job["result"]["bytes"]
    for _ in range(10):
        await api.json("GET", "jobs")


async def test_waiting_callers_hold_no_thread(api: Api, app: ExportApp) -> None:
    upload = await api.upload(numbers(500_000))
    source = {"type": "upload", "id": upload["id"]}
    waiting = [
        asyncio.ensure_future(
            api.json("POST", "jobs", {"source": source, "output": {"path": f"{n}.csv.gz"}}, wait=30)
        )
        for n in range(8)
    ]
    await asyncio.sleep(0.3)
    started = time.perf_counter()
    assert (await api("GET", "schema")).code == 200
    assert time.perf_counter() - started < 5
    assert not all(each.done() for each in waiting)
    jobs = await asyncio.gather(*waiting)
    assert {job["status"] for job in jobs} == {"completed"}


async def test_nothing_is_left_after_the_stop(api: Api, app: ExportApp, jp_serverapp: Any) -> None:
    job = await api.export(numbers(2_000_000), wait=0, output={"path": "a.csv.gz"})
    reading = asyncio.ensure_future(api("GET", f"jobs/{job['id']}/events"))
    await asyncio.sleep(0.3)
    # children only: a server that another test keeps running has workers of its own
    workers = [
        child
        for child in psutil.Process().children()
        if any("jupyter_export.jobs.worker" in part for part in child.cmdline())
    ]
    assert workers
    await jp_serverapp.cleanup_extensions()
    # What was not finished in time is left to the next start, and the reader is let go.
    last = (await reading).body.rsplit(b"data: ", 1)[-1]
    assert json.loads(last)["status"] in ("pending", "running", "completed")
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []
    for _ in range(100):
        mine = [t for t in threading.enumerate() if t.name.startswith("jupyter-export")]
        if not mine:
            break
        await asyncio.sleep(0.02)
    assert mine == []
    assert (await api("GET", "jobs")).code == 503


@pytest.mark.parametrize("times", [2])
async def test_it_stops_twice_and_before_it_began(app: ExportApp, times: int) -> None:
    for _ in range(times):
        await app.stop_extension()


async def test_a_start_that_failed_is_tried_again(
    app: ExportApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is not there yet, a disk that is full: nobody has to start Jupyter anew."""
    monkeypatch.setattr(host, "START_AGAIN", 0.01)
    assert app.host is not None
    await app.host.ask(lambda service: None)  # That of the fixture has started.
    opened = host.ServiceHost._open
    failures = 3

    def failing(self: host.ServiceHost) -> ExportService:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise ServerUnavailable("The job store cannot be used.")
        return opened(self)

    monkeypatch.setattr(host.ServiceHost, "_open", failing)
    again = host.ServiceHost(
        app.host.settings, events=app.host._events, web_settings={}, log=app.host._log
    )
    with pytest.raises(ServerUnavailable, match="Exports are not available"):
        await again.ask(lambda service: service.formats())
    for _ in range(1000):
        try:
            assert await again.ask(lambda service: service.formats())
            break
        except ServerUnavailable:
            await asyncio.sleep(0.02)
    assert failures < 0
    await again.stop()
