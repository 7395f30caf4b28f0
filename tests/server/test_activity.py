"""What a culler of idle servers sees of us: a server with work to do is not idle, any other is.

Jupyter's own ``shutdown_no_activity`` asks for activity; JupyterHub is told ``last_activity``.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from jupyter_export.server import host
from jupyter_export.server.app import ExportApp

from .client import Api, numbers

LONG_AGO = timedelta(hours=5)


@pytest.fixture
def stops(jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let the server stop as soon as it is idle, and note that it would have."""
    stopped: list[bool] = []
    jp_serverapp.shutdown_no_activity_timeout = -1
    monkeypatch.setattr(jp_serverapp, "stop", lambda: stopped.append(True))
    return stopped


async def slow_job(api: Api) -> str:
    """Start a job that takes seconds."""
    job = await api.export(numbers(2_000_000), wait=0, output={"path": "a.csv.gz"})
    job_id: str = job["id"]
    return job_id


async def until(condition: Any, seconds: float = 30) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def test_no_server_is_culled_in_the_middle_of_a_job(
    api: Api, app: ExportApp, jp_serverapp: Any, stops: list[bool]
) -> None:
    job_id = await slow_job(api)
    waiting = await api.export(numbers(10), wait=0, output={"path": "b.csv"})
    jp_serverapp.shutdown_no_activity()
    assert stops == []
    assert app.current_activity() == {"active_jobs": 2}
    await api("POST", f"jobs/{job_id}/cancel")
    await api("GET", f"jobs/{waiting['id']}/events")
    await until(lambda: not app.current_activity())
    jp_serverapp.shutdown_no_activity()
    assert stops == [True]


async def test_a_hub_hears_of_activity_as_long_as_a_job_runs(
    api: Api, app: ExportApp, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No request, no kernel, no change of the job: only that it is still active.
    monkeypatch.setattr(host, "BREATH", 0.05)
    job_id = await slow_job(api)
    settings = jp_serverapp.web_app.settings
    jp_serverapp.kernel_manager.last_kernel_activity -= LONG_AGO

    def age() -> None:
        for name in settings:
            if name.endswith("_last_activity") or name == "started":
                settings[name] = datetime.now(timezone.utc) - LONG_AGO
        settings["last_activity_times"].clear()

    for _ in range(3):
        age()
        aged = jp_serverapp.web_app.last_activity()
        await until(lambda before=aged: jp_serverapp.web_app.last_activity() > before)  # type: ignore[misc]
    await api("DELETE", f"jobs/{job_id}", no_track_activity="1")
    await until(lambda: not app.current_activity())
    await asyncio.sleep(0.1)  # A breath that was already drawn.
    age()
    aged = jp_serverapp.web_app.last_activity()
    await asyncio.sleep(0.3)
    assert jp_serverapp.web_app.last_activity() == aged


async def test_a_job_that_another_server_took_over_keeps_nobody_alive(
    api: Api, app: ExportApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "BREATH", 0.05)
    job_id = await slow_job(api)
    assert app.host is not None
    service = await app.host.start()
    # As when this server's lease has run out: its end is told elsewhere.
    assert service.active == {job_id}
    board = service._board
    monkeypatch.setattr(board, "show", lambda *args, **kwargs: None)
    board.drop(job_id)
    await until(lambda: not app.current_activity())
