"""Uploads: any size, any framing, whole or not at all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.server import uploads
from jupyter_export.server.app import ExportApp

from .client import PREFIX, Api, arrow, numbers, problem


@pytest.fixture
def spool(app: ExportApp) -> Path:
    assert app.host is not None
    return app.host.settings.uploads


def left(spool: Path) -> list[str]:
    return sorted(path.name for path in spool.glob("*"))


async def until(condition: Any, seconds: float = 5) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It did not happen.")


async def test_the_answer_says_what_arrived(api: Api, spool: Path) -> None:
    body = arrow(numbers(2500))
    response = await api("POST", "uploads", body)
    assert response.code == 201
    upload = json.loads(response.body)
    assert upload["rows"] == 2500
    assert upload["bytes"] == len(body)
    assert [column["name"] for column in upload["columns"]] == ["n", "word"]
    assert (spool / f"{upload['id']}.arrows").read_bytes() == body


async def test_pieces_of_any_size_arrive_in_order(
    api: Api, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WRITE_BYTES", 50_000)
    monkeypatch.setattr(uploads, "READ_BYTES", 30_000)
    body = arrow(numbers(100_000))
    upload = await api.json("POST", "uploads", body)
    assert (spool / f"{upload['id']}.arrows").read_bytes() == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (arrow(numbers())[:-100], "cut off"),
        (arrow(numbers())[:-8], "cut off"),
        (b"a,b\n1,2\n", "Arrow"),
        (b"", "empty"),
    ],
)
async def test_what_is_not_a_whole_stream_is_refused(
    api: Api, spool: Path, body: bytes, expected: str
) -> None:
    response = await api("POST", "uploads", body)
    assert response.code == 400
    error = problem(response)
    assert error["code"] == "invalid_request"
    assert expected.casefold() in f"{error['message']} {error['hint']}".casefold()
    assert left(spool) == []


class Socket:
    """A request by hand, for what no client would do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self) -> tuple[int, bytes]:
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = next(
            int(line.split(b":")[1])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length")
        )
        return int(head.split()[1]), await self.reader.readexactly(length)


@pytest.fixture
def connect(
    http_server: Any, http_server_port: Any, jp_base_url: str, jp_auth_header: dict[str, str]
) -> Any:
    async def connected(*headers: str, token: bool = True) -> Socket:
        socket = Socket(*await asyncio.open_connection("127.0.0.1", http_server_port[1]))
        lines = [
            f"POST {jp_base_url}{PREFIX}/uploads HTTP/1.1",
            "Host: 127.0.0.1",
            *([f"Authorization: {jp_auth_header['Authorization']}"] if token else []),
            *headers,
        ]
        socket.send("\r\n".join([*lines, "", ""]).encode())
        return socket

    return connected


async def test_chunked_transfer(connect: Any, spool: Path) -> None:
    body = arrow(numbers(20_000))
    socket = await connect("Transfer-Encoding: chunked")
    for start in range(0, len(body), 7001):
        piece = body[start : start + 7001]
        socket.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    socket.send(b"0\r\n\r\n")
    status, answer = await socket.response()
    assert status == 201
    assert json.loads(answer)["bytes"] == len(body)
    socket.writer.close()


async def test_a_stranger_is_refused_before_the_body(connect: Any, spool: Path) -> None:
    socket = await connect("Content-Length: 900000000000", token=False)
    # Not one byte of the body is sent.
    status, answer = await socket.response()
    assert status == 403
    assert json.loads(answer)["error"]["code"] == "forbidden"
    assert left(spool) == []
    socket.writer.close()


async def test_a_sender_that_goes_away_leaves_nothing(connect: Any, spool: Path) -> None:
    body = arrow(numbers(1_000_000))
    socket = await connect(f"Content-Length: {len(body)}")
    socket.send(body[: len(body) // 2])
    await until(lambda: left(spool))
    await socket.writer.drain()
    socket.writer.close()
    await until(lambda: not left(spool))


async def test_a_failing_disk_is_told_at_once(
    connect: Any, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_export.errors import DiskFull
    from jupyter_export.jobs.uploads import UploadWriter

    def full(self: UploadWriter, data: bytes) -> int:
        self.abort()
        raise DiskFull("The disk is full.", hint="Free some space.")

    monkeypatch.setattr(uploads, "WRITE_BYTES", 100_000)
    monkeypatch.setattr(uploads, "LINGER", 0.3)
    monkeypatch.setattr(UploadWriter, "write", full)
    # A hundredth of what is announced: the answer does not wait for the rest.
    socket = await connect("Content-Length: 100000000")
    for _ in range(10):
        socket.send(bytes(100_000))
        await asyncio.sleep(0.01)
    status, answer = await socket.response()
    assert status == 507
    assert json.loads(answer)["error"]["code"] == "disk_full"
    assert left(spool) == []
    socket.writer.close()
