"""Requests of somebody who means harm, against a running server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.server.base import JsonBody
from jupyter_export.server.links import LinksHandler

from .client import PREFIX, Api, numbers, problem

NOBODY = {"Authorization": ""}
PUBLIC = ("place",)
"""What says nothing that is secret."""
MANY = "9" * 5000
"""A whole number of so many digits is one that CPython refuses to read."""


async def shared(api: Api, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    job = await api.export(numbers(), output={"path": "shared.csv"})
    return job, await api.json("POST", f"jobs/{job['id']}/links", fields)


async def test_numbers_that_are_too_long(api: Api) -> None:
    job = await api.export(numbers())
    path = f"jobs/{job['id']}/download"
    whole = (await api("GET", path)).body
    for sent, code, body in (
        (f"bytes=0-{MANY}", 206, whole),
        (f"bytes=1-{MANY}", 206, whole[1:]),
        (f"bytes=-{MANY}", 206, whole),
        (f"bytes={MANY}-", 416, None),
        ("bytes=\u0661-\u0662".encode().decode("latin-1"), 200, whole),
    ):
        response = await api("GET", path, headers={"Range": sent})
        assert response.code == code, sent
        assert body is None or response.body == body
    events = await api("GET", f"jobs/{job['id']}/events", headers={"Last-Event-ID": MANY})
    assert events.code == 200


async def test_no_log_shows_what_opens_a_link(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is made of the address, and whatever becomes of the request."""
    caplog.set_level(logging.DEBUG)
    _, link = await shared(api)
    token = link["token"]
    hidden: list[str] = []
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        for path in (token, f"{token}/d/", f"{token}/d/{token}", f"{token}/", f"x{token}"):
            headers = {**NOBODY, "X-XSRFToken": "x", "Range": f"bytes={MANY}-"}
            response = await api(method, f"d/{path}", headers=headers, t=token)
            hidden.append(f"{method} {response.code}")
            if response.code >= 300:
                assert token not in response.body.decode()
                assert token not in str(list(response.headers.get_all()))
    assert [each for each in hidden if " 5" in each] == []
    said = [record for record in caplog.records if token in record.getMessage()]
    # what the test's own client writes of its requests is not the server's
    assert [r for r in said if r.name not in ("asyncio", "tornado.general")] == []
    page = await api.json("GET", "audit", limit=500)
    assert token not in json.dumps(page)


async def test_the_address_of_a_link_where_a_user_is_called_jobs(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = LinksHandler.prepare

    async def below_jobs(self: Any) -> None:
        self.request.path = f"/user/jobs{self.request.path}"
        await prepare(self)

    monkeypatch.setattr(LinksHandler, "prepare", below_jobs)
    _, link = await shared(api)
    assert link["url"].startswith("/user/jobs/")
    assert link["url"].endswith(f"{PREFIX}/d/{link['token']}")


async def test_a_link_does_not_open_what_took_the_place_of_its_file(
    api: Api, jp_root_dir: Path, tmp_path: Path
) -> None:
    """The same size and older than the export: only its place tells it apart."""
    job, link = await shared(api)
    target = jp_root_dir / "shared.csv"
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"s" * target.stat().st_size)
    target.unlink()
    target.symlink_to(theirs)
    os.utime(theirs, (1, 1))
    for path in (f"d/{link['token']}", f"jobs/{job['id']}/download"):
        response = await api("GET", path)
        assert (response.code, problem(response)["code"]) == (410, "expired")


@pytest.mark.parametrize("length", ["\u00b2", MANY])
async def test_lengths_that_are_none(
    length: str, api: Api, jp_http_port: int, jp_base_url: str, jp_auth_header: Any
) -> None:
    await api("GET", "formats")
    for path in ("jobs", "preview", "uploads"):
        request = (
            f"POST {jp_base_url}{PREFIX}/{path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {jp_auth_header['Authorization']}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
        try:
            writer.write(request.encode("latin-1"))
            answer = await asyncio.wait_for(reader.readline(), 30)
        finally:
            writer.close()
        # a connection that ends without an answer is refused as well
        assert answer.split()[1:2] in ([], [b"400"], [b"413"], [b"507"]), (path, answer)


async def test_the_body_of_somebody_without_a_login_is_not_kept(
    api: Api, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The XSRF cookie, which anybody gets with the login page, is no login."""
    jp_serverapp.web_app.settings["disable_check_xsrf"] = True
    kept: list[int] = []
    finish = JsonBody.on_finish

    def look(self: JsonBody) -> None:
        kept.append(sum(map(len, self._pieces)))
        finish(self)

    monkeypatch.setattr(JsonBody, "on_finish", look)
    for headers, most in ((NOBODY, 0), ({}, 1_000_000)):
        response = await api("POST", "jobs", b" " * 1_000_000, headers=headers)
        assert response.code == (400 if most else 403)
        assert kept.pop() == most


@pytest.mark.skipif(os.name != "posix", reason="other systems have other rights")
async def test_what_is_kept_is_its_owners_alone(api: Api, tmp_path: Path) -> None:
    await api.export(numbers(10))
    state = tmp_path / "state"
    loose = [
        path.name
        for path in (state, *state.glob("*"), *state.glob("uploads/*"))
        if path.lstat().st_mode & 0o077 and path.name not in PUBLIC
    ]
    assert loose == []


async def test_where_somebody_is_cannot_be_made_up(api: Api) -> None:
    """Unless the server says that it trusts a proxy (``ServerApp.trust_xheaders``)."""
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Real-Ip": "6.6.6.6", "X-User": "root"}
    job = await api.export(numbers(1))
    await api("GET", f"jobs/{job['id']}/download", headers=forged)
    page = await api.json("GET", "audit", limit=500, action="download")
    assert {each["address"] for each in page["entries"]} == {"127.0.0.1"}
    assert {each["actor"] for each in page["entries"]} == {job["created_by"]}
