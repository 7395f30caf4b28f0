"""Every change is told: as a server-sent event, and as a Jupyter Event."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from jupyter_export.jobs.model import Caller
from jupyter_export.server import event_stream, host
from jupyter_export.server.app import ExportApp
from jupyter_export.server.events import SCHEMA_ID
from jupyter_export.server.kernel_tokens import os_user

from .client import PREFIX, Api, numbers


def events(text: str) -> list[dict[str, Any]]:
    """Return ``{"id", "event", "data"}`` of each block of a stream, without comments."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith(":")]
        if lines:
            found.append(dict(line.split(": ", 1) for line in lines))
    return [{**each, "data": json.loads(each["data"])} for each in found]


async def until(condition: Any, seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It did not happen.")


async def test_a_stream_ends_with_the_final_state(api: Api, app: ExportApp) -> None:
    job = await api.export(numbers(200_000), wait=0, output={"path": "a.csv.gz"})
    response = await api("GET", f"jobs/{job['id']}/events")
    assert response.headers["Content-Type"] == "text/event-stream"
    stream = events(response.body.decode())
    versions = [int(event["id"]) for event in stream]
    assert versions == sorted(set(versions))
    assert {event["event"] for event in stream} == {"job"}
    assert [event["data"]["status"] for event in stream][-1] == "completed"
    assert all(event["data"]["id"] == job["id"] for event in stream)
    assert app.host is not None
    assert app.host.feed.watching == 0

    # The last event again, for one who missed it; nothing, for one who has it.
    missed = await api("GET", f"jobs/{job['id']}/events", headers={"Last-Event-ID": "0"})
    assert [each["id"] for each in events(missed.body.decode())] == [str(versions[-1])]
    known = await api(
        "GET", f"jobs/{job['id']}/events", headers={"Last-Event-ID": str(versions[-1])}
    )
    assert (known.code, known.body) == (204, b"")


async def test_silence_is_filled_and_a_lost_reader_forgotten(
    api: Api,
    app: ExportApp,
    monkeypatch: pytest.MonkeyPatch,
    http_server_port: Any,
    jp_base_url: str,
    jp_auth_header: dict[str, str],
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.05)
    monkeypatch.setattr(host, "LOOK", 0.05)
    assert app.host is not None
    feed = app.host.feed
    job = await api.export(numbers(10), output={"path": "a.csv"})
    done = await app.host.look(job["id"], Caller(os_user()))
    frozen = replace(done, status="running")
    await app.host.ask(lambda service: setattr(service, "get", lambda *_: frozen))

    reader, writer = await asyncio.open_connection("127.0.0.1", http_server_port[1])
    writer.write(
        f"GET {jp_base_url}{PREFIX}/jobs/{job['id']}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {jp_auth_header['Authorization']}\r\n\r\n".encode()
    )
    await asyncio.wait_for(reader.readuntil(b"event: job"), 5)
    await asyncio.wait_for(reader.readuntil(b": waiting\n\n"), 5)
    assert feed.watching == 1
    writer.close()
    await until(lambda: feed.watching == 0)


async def test_a_listener_hears_id_status_progress_and_owner_and_no_more(
    api: Api, jp_serverapp: Any
) -> None:
    heard: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
    job = await api.export(numbers(10), name="secret", output={"path": "secret.csv"})
    await until(lambda: heard and heard[-1]["status"] == "completed")
    assert heard[0]["status"] == "pending"
    for each in heard:
        assert set(each) == {"id", "status", "progress", "owner"}
        assert (each["id"], each["owner"]) == (job["id"], os_user())
    assert "secret" not in json.dumps(heard)
    assert sum(each["status"] == "completed" for each in heard) == 1


async def test_the_browsers_subscription_gets_each_change_once(
    api: Api, jp_ws_fetch: Any, http_server: Any, jp_http_port: Any, http_server_port: Any
) -> None:
    socket = await jp_ws_fetch("api", "events", "subscribe")
    job = await api.export(numbers(10), output={"path": "a.csv"})
    statuses = []
    while not statuses or statuses[-1] != "completed":
        message = json.loads(await asyncio.wait_for(socket.read_message(), 10))
        if message["schema_id"] == SCHEMA_ID:
            assert message["id"] == job["id"]
            statuses.append(message["status"])
    assert statuses.count("completed") == 1
    socket.close()


async def test_a_running_job_keeps_the_server_alive(
    api: Api, app: ExportApp, jp_serverapp: Any
) -> None:
    assert not app.current_activity()
    seen: list[Any] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        seen.append(app.current_activity())

    jp_serverapp.event_logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
    before = jp_serverapp.web_app.last_activity()
    job = await api.export(numbers(10), output={"path": "a.csv"}, wait=0)
    await api("GET", f"jobs/{job['id']}/events", no_track_activity="1")
    assert {"active_jobs": 1} in seen
    assert not app.current_activity()
    assert jp_serverapp.web_app.settings["jupyter_export_last_activity"] > before
