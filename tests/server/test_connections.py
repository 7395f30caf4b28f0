"""GET connections and their tables: what is answered, and to whom."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.iostream import IOStream
from tornado.tcpclient import TCPClient

from jupyter_export import errors
from jupyter_export.jobs import previews
from jupyter_export.server.app import ExportApp
from jupyter_export.server.base import status_of

from .client import PREFIX, Api, NamedUsers, problem

PASSWORD = "hunter2-in-the-url"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def jp_server_config(
    jp_server_config: dict[str, Any], tmp_path: Path, silent: int
) -> dict[str, Any]:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, note TEXT)")
        database.execute("CREATE TABLE returns (id INTEGER)")
    database.close()
    lite = f"sqlite:///{tmp_path / 'shop.db'}"
    jp_server_config["ExportApp"] |= {
        "connections": {
            "shop": lite,
            "finance": {"url": lite, "users": ["ada"]},
            "lake": f"s3://key:{PASSWORD}@bucket",
            "unset": "env:NOT_SET_ANYWHERE",
            "silent": f"postgresql://me:{PASSWORD}@127.0.0.1:{silent}/db",
            "nobody": f"postgresql://me:{PASSWORD}@127.0.0.1:9/db",
        },
        "admin_users": ["boss"],
    }
    return jp_server_config


async def test_names_and_dialects_and_no_url(api: Api) -> None:
    response = await api("GET", "connections")
    assert PASSWORD.encode() not in response.body
    assert b"sqlite:" not in response.body
    found = {each.pop("name"): each for each in json.loads(response.body)["connections"]}
    assert list(found) == ["lake", "nobody", "shop", "silent", "unset"]
    assert found["shop"] == {
        "dialect": "sqlite",
        "kind": "database",
        "read_only": True,
        "statement_timeout": None,
        "error": None,
    }
    assert (found["lake"]["dialect"], found["lake"]["kind"]) == ("s3", "files")
    assert (found["unset"]["dialect"], found["unset"]["kind"]) == (None, None)
    assert found["unset"]["error"]["code"] == "source_failed"


async def test_tables_with_their_columns(api: Api) -> None:
    found = (await api.json("GET", "connections/shop/tables"))["tables"]
    assert [each["name"] for each in found] == ["orders", "returns"]
    assert set(found[0]) == {"schema", "name", "kind", "columns", "rows"}
    assert [column["name"] for column in found[0]["columns"]] == ["id", "note"]
    assert [set(column) for column in found[0]["columns"]] == [{"name", "type"}] * 2
    found = (await api.json("GET", "connections/shop/tables", q="RET"))["tables"]
    assert [each["name"] for each in found] == ["returns"]
    found = await api.json("GET", "connections/shop/tables", schema="nowhere")
    assert found == {"tables": []}


@pytest.mark.parametrize(
    ("name", "status", "code", "said"),
    [
        ("shopp", 404, "not_found", "Did you mean shop?"),
        ("finance", 404, "not_found", "“finance” is not a connection that you may use."),
        ("a b", 404, "not_found", "“a b”"),
        ("lake", 400, "invalid_request", "a place with files"),
        ("unset", 400, "source_failed", "NOT_SET_ANYWHERE"),
        ("nobody", 503, "connection_failed", "nobody"),
    ],
)
async def test_what_cannot_be_listed(
    name: str, status: int, code: str, said: str, api: Api
) -> None:
    response = await api("GET", f"connections/{name}/tables")
    error = problem(response)
    assert (response.code, error["code"]) == (status, code)
    assert said in f"{error['message']} {error['hint']}"
    assert PASSWORD.encode() not in response.body


async def test_a_connection_of_others_does_not_exist(
    api: Api, app: ExportApp, named_users: NamedUsers
) -> None:
    def as_user(name: str) -> dict[str, str]:
        return {"X-User": name}

    source = {"type": "table", "connection": "finance", "table": "orders"}
    spec = {"source": source, "format": "csv"}
    for name, allowed in (("ada", True), ("boss", True), ("bob", False)):
        found = (await api.json("GET", "connections", headers=as_user(name)))["connections"]
        assert ("finance" in [each["name"] for each in found]) is allowed
        response = await api("GET", "connections/finance/tables", headers=as_user(name))
        assert response.code == (200 if allowed else 404)
        response = await api("POST", "preview", {"spec": spec}, headers=as_user(name))
        assert response.code == (200 if allowed else 400)
        response = await api("POST", "jobs", spec, headers=as_user(name), wait=30)
        assert response.code == (201 if allowed else 400)
    error = problem(response)
    assert error["message"] == "“finance” is not a connection that you may use."
    # A kernel acts for the owner of its server, who is not named here.
    token = {"Authorization": f"token {app._tokens.issue('kernel-1')}"}
    found = (await api.json("GET", "connections", headers=token))["connections"]
    assert "finance" not in [each["name"] for each in found]


async def test_a_database_that_hangs_is_given_up_in_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "PREVIEW_SECONDS", 2.0)
    monkeypatch.setattr(previews, "SLOW_SECONDS", 0.1)
    hanging = [
        asyncio.ensure_future(api("GET", "connections/silent/tables"))
        for _ in range(previews.PREVIEWS_AT_ONCE)
    ]
    # Nobody waits for it meanwhile.
    assert (await api.json("GET", "connections"))["connections"]
    for response in await asyncio.gather(*hanging):
        assert (response.code, problem(response)["code"]) == (504, "timed_out")


async def test_a_client_that_goes_away_ends_it(
    api: Api, app: ExportApp, jp_serverapp: Any, jp_base_url: str
) -> None:
    stream: IOStream = await TCPClient().connect("127.0.0.1", jp_serverapp.port)
    await stream.write(
        f"GET {jp_base_url}{PREFIX}/connections/silent/tables HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: token {jp_serverapp.identity_provider.token}\r\n\r\n".encode()
    )
    assert app.host is not None
    scratch = app.host.settings.scratch

    async def until(there: bool) -> None:
        deadline = asyncio.get_running_loop().time() + 20
        while bool(list(scratch.glob("preview-*"))) is not there:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)

    await until(True)
    stream.close()
    await until(False)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.LoginRefused, 400),
        (errors.SourceFailed, 400),
        (errors.ConnectionFailed, 503),
        (errors.ConnectionLost, 503),
        (errors.QueryFailed, 400),
        (errors.StatementTimeout, 504),
        (errors.QueryCancelled, 503),
    ],
)
def test_statuses(error: type[errors.ExportError], status: int) -> None:
    assert status_of(error("It went wrong.")) == status
