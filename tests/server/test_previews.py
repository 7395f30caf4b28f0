"""POST preview: what it answers, and to whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tornado.iostream import IOStream
from tornado.tcpclient import TCPClient

from jupyter_export.jobs import previews
from jupyter_export.server.app import ExportApp

from .client import PREFIX, Api, NamedUsers, numbers, problem


async def spec_of(api: Api, rows: int = 1000, **fields: Any) -> dict[str, Any]:
    upload = await api.upload(numbers(rows))
    return {"source": {"type": "upload", "id": upload["id"]}, **fields}


async def test_first_rows_columns_and_counts(api: Api, jp_root_dir: Path) -> None:
    spec = await spec_of(api, 30_000, output={"path": "out/a.csv"})
    found = await api.json("POST", "preview", {"spec": spec, "rows": 2})
    assert found["datasets"][0]["columns"][1] == {"name": "word", "type": "string"}
    assert found["datasets"][0]["rows"] == [[0, "w0"], [1, "w1"]]
    assert found["datasets"][0]["total_rows"] == 30_000
    assert (found["format"], found["losses"]) == ("csv", [])
    assert (await api.json("GET", "jobs"))["jobs"] == []
    assert list(jp_root_dir.iterdir()) == []
    found = await api.json("POST", "preview", {"spec": spec})
    assert len(found["datasets"][0]["rows"]) == 20


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"format": {"type": "cvs"}}, "invalid_spec", ["cvs", "csv"]),
        ({"colums": {}}, "invalid_spec", ["colums", "columns"]),
        ({"output": {"path": "../out.csv"}}, "forbidden", ["out.csv"]),
        ({"source": {"type": "upload", "id": "none"}}, "not_found", ["none"]),
        ({"columns": {"include": ["m"]}}, "invalid_spec", ["“m”"]),
        ({"where": "nope > 1"}, "invalid_spec", ["nope"]),
    ],
)
async def test_a_wrong_spec_is_explained(
    api: Api, change: dict[str, Any], code: str, words: list[str]
) -> None:
    response = await api("POST", "preview", {"spec": {**await spec_of(api), **change}})
    error = problem(response)
    status = {"forbidden": 403, "not_found": 404}.get(code, 400)
    assert (response.code, error["code"]) == (status, code)
    for word in words:
        assert word in f"{error['message']} {error['hint']}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "not a JSON object"),
        ({}, "no “spec”"),
        ({"spec": {}, "row": 3}, "“row” is not a field of a preview"),
        ({"spec": None}, "not a JSON object"),
        ("{", "not valid JSON"),
        ("", "no body"),
    ],
)
async def test_a_wrong_body_is_explained(api: Api, body: Any, said: str) -> None:
    sent = body.encode() if isinstance(body, str) else body
    response = await api("POST", "preview", sent)
    assert response.code == 400
    assert said in problem(response)["message"]


@pytest.mark.parametrize("rows", [-1, 1001, "many", 1.5, None])
async def test_a_wrong_number_of_rows_is_explained(api: Api, rows: Any) -> None:
    response = await api("POST", "preview", {"spec": await spec_of(api, 1), "rows": rows})
    assert response.code == 400
    assert problem(response)["field"] == "rows"


async def test_other_peoples_uploads_do_not_exist(api: Api, named_users: NamedUsers) -> None:
    ada, bob = {"X-User": "ada"}, {"X-User": "bob"}
    upload = await api.upload(numbers(), headers=ada)
    body = {"spec": {"source": {"type": "upload", "id": upload["id"]}}}
    assert (await api("POST", "preview", body, headers=bob)).code == 404
    assert (await api("POST", "preview", body, headers=ada)).code == 200


async def test_one_that_takes_too_long_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "PREVIEW_SECONDS", 0.0)
    response = await api("POST", "preview", {"spec": await spec_of(api)})
    assert (response.code, problem(response)["code"]) == (504, "timed_out")


async def test_a_client_that_goes_away_ends_it(
    api: Api, app: ExportApp, jp_serverapp: Any, jp_base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    cancel = previews.PendingPreview.cancel

    def heard(self: previews.PendingPreview) -> None:
        cancel(self)
        loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(previews.PendingPreview, "cancel", heard)
    # Nobody hands it to a worker: it would wait to the end of its time.
    monkeypatch.setattr(previews.Previews, "hand_out", lambda self: None)
    body = json.dumps({"spec": await spec_of(api)}).encode()
    stream: IOStream = await TCPClient().connect("127.0.0.1", jp_serverapp.port)
    await stream.write(
        f"POST {jp_base_url}{PREFIX}/preview HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: token {jp_serverapp.identity_provider.token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    # The server has taken it when it is scratching for it.
    assert app.host is not None
    scratch = app.host.settings.scratch
    while not list(scratch.glob("preview-*")):
        await asyncio.sleep(0.02)
    stream.close()
    await asyncio.wait_for(ended.wait(), 20)
    for _ in range(500):
        if not list(scratch.glob("preview-*")):
            break
        await asyncio.sleep(0.02)
    assert list(scratch.glob("preview-*")) == []
