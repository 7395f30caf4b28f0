"""POST stream: bytes as they are made, and an answer without its end where they are not all."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

from jupyter_export.jobs.previews import Previews
from jupyter_export.server.app import ExportApp

from .client import PREFIX, Api, arrow, numbers, problem

LARGE = 1_000_000
"""Rows that are more than all that lies between worker and reader: 16 MB."""


@pytest.fixture
def address(jp_serverapp: Any, jp_base_url: str) -> str:
    return f"http://127.0.0.1:{jp_serverapp.port}{jp_base_url}{PREFIX}/stream"


@pytest.fixture
def headers(jp_serverapp: Any) -> dict[str, str]:
    return {"Authorization": f"token {jp_serverapp.identity_provider.token}"}


async def until(condition: Any, seconds: float = 30) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It did not happen.")


async def spec_of(api: Api, rows: int = 1000, **fields: Any) -> dict[str, Any]:
    upload = await api.json("POST", "uploads", arrow(numbers(rows)))
    return {"name": "numbers", "source": {"type": "upload", "id": upload["id"]}, **fields}


async def previews_of(app: ExportApp) -> Previews:
    assert app.host is not None
    service = await app.host.start()
    return service._dispatcher._previews


async def ask(
    spec: dict[str, Any], address: str, headers: dict[str, str], version: str = "1.1"
) -> IOStream:
    """Send the request on a connection of its own; the answer is not read yet."""
    url = httpx.URL(address)
    assert url.port is not None
    stream = await TCPClient().connect("127.0.0.1", url.port)
    body = json.dumps(spec).encode()
    await stream.write(
        f"POST {url.raw_path.decode()} HTTP/{version}\r\nHost: localhost\r\n"
        f"Authorization: {headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return stream


async def test_the_bytes_of_a_file_that_is_not_made(api: Api, jp_root_dir: Path) -> None:
    spec = await spec_of(api, output={"path": "Größe.csv"})
    before = sorted(jp_root_dir.rglob("*"))
    response = await api("POST", "stream", spec)
    assert response.code == 200
    assert sorted(jp_root_dir.rglob("*")) == before
    assert (await api.json("GET", "jobs"))["jobs"] == []
    sent = response.headers
    assert sent["Content-Type"].startswith("text/csv")
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv" in sent["Content-Disposition"]
    assert sent["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in sent
    assert "Etag" not in sent
    assert sent["Cache-Control"] == "no-store"
    assert sent["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in sent["Content-Security-Policy"]
    await api.json("POST", "jobs", spec, wait=30)
    assert response.body == (jp_root_dir / "Größe.csv").read_bytes()


async def test_several_files_are_a_zip(api: Api) -> None:
    spec = await spec_of(api, format={"type": "csv", "rows_per_file": 400})
    response = await api("POST", "stream", spec)
    assert response.headers["Content-Type"] == "application/zip"
    assert "numbers.csv.zip" in response.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"format": "nope"}, 400, "invalid_spec"),
        ({"columns": {"include": ["nope"]}}, 400, "invalid_spec"),
        ({"source": {"type": "upload", "id": "gone"}}, 404, "not_found"),
        ({"source": {"type": "file", "path": "../a.csv"}}, 403, "forbidden"),
        ({"output": {"path": "/etc/a.csv"}}, 403, "forbidden"),
    ],
)
async def test_before_the_first_byte_it_is_an_answer(
    api: Api, fields: dict[str, Any], status: int, code: str
) -> None:
    response = await api("POST", "stream", {**await spec_of(api, 10), **fields})
    assert (response.code, problem(response)["code"]) == (status, code)
    assert response.headers["Content-Type"].startswith("application/json")
    assert "Content-Disposition" not in response.headers


class TestLimit:
    @pytest.fixture
    def jp_server_config(self, tmp_path: Path) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_export": True}},
            "ExportApp": {
                "state_dir": str(tmp_path / "state"),
                "max_workers": 1,
                "max_rows": LARGE - 1,
            },
        }

    async def test_a_failure_in_the_middle_is_no_end_for_any_client(
        self, api: Api, address: str, headers: dict[str, str]
    ) -> None:
        spec = await spec_of(api, LARGE)
        body = json.dumps(spec).encode()

        stream = await ask(spec, address, headers)
        with pytest.raises(StreamClosedError):
            await stream.read_until(b"\r\n0\r\n\r\n", max_bytes=2**30)
        stream = await ask(spec, address, headers)
        whole = await stream.read_until_close()
        assert whole.startswith(b"HTTP/1.1 200")
        assert not whole.endswith(b"\r\n0\r\n\r\n")

        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream("POST", address, headers=headers, content=body) as response,
        ):
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                await response.aread()

        program = shutil.which("curl")
        if program is None:
            assert "CI" not in os.environ, "curl is not installed"
            pytest.skip("curl is not installed")
        curl = await asyncio.create_subprocess_exec(
            *(program, "-sS", "-o", os.devnull, "--data-binary", "@-"),
            *("-H", f"Authorization: {headers['Authorization']}", address),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await curl.communicate(body)
        assert curl.returncode == 18  # the transfer ended before its end


async def test_a_lost_worker_is_no_end(
    api: Api, app: ExportApp, address: str, headers: dict[str, str]
) -> None:
    stream = await ask(await spec_of(api, LARGE), address, headers)
    await stream.read_until(b"\r\n\r\n")
    await stream.read_bytes(1000)
    (running,) = (await previews_of(app))._streams._running.values()
    assert running.worker is not None
    psutil.Process(running.worker.pid).kill()
    with pytest.raises(StreamClosedError):
        await stream.read_until(b"\r\n0\r\n\r\n", max_bytes=2**30)


async def test_a_whole_answer_has_its_last_chunk(
    api: Api, address: str, headers: dict[str, str]
) -> None:
    stream = await ask(await spec_of(api, 10), address, headers)
    assert (await stream.read_until(b"\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200")
    stream.close()


async def test_http_1_0_cannot_tell_a_part_from_the_whole(
    api: Api, address: str, headers: dict[str, str]
) -> None:
    stream = await ask(await spec_of(api, 10), address, headers, version="1.0")
    answer = await stream.read_until_close()
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert b"HTTP/1.1" in answer.split(b"\r\n\r\n", 1)[1]


def in_scratch(app: ExportApp) -> list[Path]:
    """Return the files there, but for those of a worker that warms up."""
    assert app.host is not None
    found = app.host.settings.scratch.rglob("*")
    return [each for each in found if each.is_file() and "warm-" not in str(each)]


async def test_a_reader_that_goes_away_ends_the_run(
    api: Api, app: ExportApp, address: str, headers: dict[str, str], jp_root_dir: Path
) -> None:
    stream = await ask(await spec_of(api, LARGE), address, headers)
    await stream.read_until(b"\r\n\r\n")
    streams = (await previews_of(app))._streams
    assert len(streams._running) == 1
    assert app.host is not None
    # while it runs, nothing of it is in any folder
    assert list(jp_root_dir.rglob("*")) == []
    assert in_scratch(app) == []
    stream.close()
    await until(lambda: not streams._running)
    assert in_scratch(app) == []
    assert (await api("POST", "stream", await spec_of(api, 10))).code == 200


async def test_one_that_leaves_before_the_first_byte(
    api: Api, app: ExportApp, address: str, headers: dict[str, str]
) -> None:
    spec = await spec_of(api, LARGE, format="parquet")
    stream = await ask(spec, address, headers)
    streams = (await previews_of(app))._streams
    await until(lambda: streams._running)
    stream.close()
    await until(lambda: not streams._running)


async def test_a_slow_reader_is_not_read_ahead_for(
    api: Api, app: ExportApp, address: str, headers: dict[str, str]
) -> None:
    stream = await ask(await spec_of(api, LARGE), address, headers)
    streams = (await previews_of(app))._streams
    await until(lambda: any(not each.untouched for each in streams._running.values()))
    (running,) = streams._running.values()
    for _ in range(20):
        assert (await api("GET", "formats")).code == 200
    # sockets hold a few megabytes of their own
    assert running._received < 10_000_000
    whole = await stream.read_until(b"\r\n0\r\n\r\n")
    assert len(whole) > 14_000_000
    stream.close()


async def test_no_room_is_429(api: Api, app: ExportApp, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = await spec_of(api, 10)
    await previews_of(app)
    monkeypatch.setattr("jupyter_export.jobs.streaming.MAX_WAITING", 0)
    response = await api("POST", "stream", spec)
    assert (response.code, problem(response)["code"]) == (429, "queue_full")
    assert int(response.headers["Retry-After"]) > 0
