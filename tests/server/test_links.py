"""Download links: made by the owner, opened by whoever has them, without a login."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado import web
from tornado.simple_httpclient import HTTPStreamClosedError

from jupyter_export.server import downloads
from jupyter_export.server.app import ExportApp

from .client import PREFIX, Api, NamedUsers, numbers, problem

NOBODY = {"Authorization": ""}
Open = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def strict(jp_serverapp: Any) -> None:
    # Every other route of the server would refuse somebody without a login, in whatever way.
    jp_serverapp.web_app.settings["allow_unauthenticated_access"] = False


@pytest.fixture
def follow(api: Api) -> Open:
    """Open a link as somebody who has nothing but the link."""

    async def follow(link: dict[str, Any] | str, method: str = "GET", **kwargs: Any) -> Any:
        token = link if isinstance(link, str) else link["token"]
        headers = {**NOBODY, **kwargs.pop("headers", {})}
        return await api(method, f"d/{token}", headers=headers, **kwargs)

    return follow


async def share(api: Api, job: dict[str, Any], **fields: Any) -> dict[str, Any]:
    link: dict[str, Any] = await api.json("POST", f"jobs/{job['id']}/links", fields)
    return link


async def audited(api: Api, **filters: str) -> list[dict[str, Any]]:
    page = await api.json("GET", "audit", limit=500, **filters)
    entries: list[dict[str, Any]] = page["entries"]
    return entries


async def counted(api: Api, job: dict[str, Any], downloads: int) -> dict[str, Any]:
    """Return the first link when it was counted so often: that is behind the last byte."""
    for _ in range(1500):
        link: dict[str, Any] = (await api.json("GET", f"jobs/{job['id']}/links"))["links"][0]
        if link["downloads"] == downloads:
            return link
        await asyncio.sleep(0.02)
    raise AssertionError(link)


async def test_a_link_is_all_that_is_needed(
    api: Api, follow: Open, jp_root_dir: Path, jp_base_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    job = await api.export(numbers(), output={"path": "a b.csv"})
    link = await share(api, job, expires_after="2h", max_downloads=2)
    assert link["url"] == f"{jp_base_url}{PREFIX}/d/{link['token']}"
    assert (link["downloads"], link["max_downloads"], link["revoked"]) == (0, 2, False)

    head = await follow(link, "HEAD")
    assert (head.code, head.body) == (200, b"")
    response = await follow(link, headers={"Range": "bytes=0-9"})
    content = (jp_root_dir / "a b.csv").read_bytes()
    # A link with a count is sent whole: ten bytes would be no download.
    assert (response.code, response.body) == (200, content)
    for answer in (head, response):
        headers = answer.headers
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"].split("; ")
        assert "report-uri" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["Content-Disposition"].startswith('attachment; filename="a b.csv"')
        assert headers["Content-Length"] == str(len(content))
        assert headers["Accept-Ranges"] == "none"
        assert headers["ETag"] == f'"{job["result"]["sha256"]}"'

    listed = await counted(api, job, 1)
    assert "token" not in listed
    assert "url" not in listed
    assert (await api.json("GET", f"jobs/{job['id']}"))["links"] == [listed]
    assert (await follow(link)).code == 200
    await counted(api, job, 2)
    used_up = await follow(link)
    assert used_up.code == 410
    assert problem(used_up)["code"] == "expired"
    assert used_up.headers["Referrer-Policy"] == "no-referrer"
    assert used_up.headers["Cache-Control"] == "private, no-store"

    entries = await audited(api, subject=job["id"])
    used = [each for each in entries if each["details"].get("link") == link["id"]]
    assert {each["address"] for each in used} == {"127.0.0.1"}
    assert [each["outcome"] for each in reversed(used)] == ["begun", "completed"] * 2
    for told in (caplog.text, json.dumps(entries)):
        assert link["token"] not in told
    assert "/d/[secret]" in caplog.text


async def test_parts_of_a_link_without_a_count(api: Api, follow: Open, jp_root_dir: Path) -> None:
    job = await api.export(numbers(), output={"path": "a.csv"})
    link = await share(api, job)
    content = (jp_root_dir / "a.csv").read_bytes()
    part = await follow(link, headers={"Range": "bytes=10-19"})
    assert (part.code, part.body) == (206, content[10:20])
    rest = {"Range": "bytes=20-", "If-Range": part.headers["ETag"]}
    assert (await follow(link, headers=rest)).body == content[20:]
    assert (await follow(link, headers={"Range": f"bytes={len(content)}-"})).code == 416
    same = await follow(link, headers={"If-None-Match": part.headers["ETag"]})
    assert (same.code, same.body) == (304, b"")
    assert (await follow(link)).body == content
    await counted(api, job, 1)


async def test_how_links_end(
    api: Api, follow: Open, jp_root_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    job = await api.export(numbers(), output={"path": "a.csv"})
    revoked, gone, deleted = [await share(api, job) for _ in range(3)]
    assert (await api("DELETE", f"links/{revoked['id']}")).code == 204
    assert (await api("DELETE", f"links/{revoked['id']}")).code == 204
    answers = [await follow(revoked)]
    (jp_root_dir / "a.csv").unlink()
    answers.append(await follow(gone))
    assert [answer.code for answer in answers] == [410, 410]
    assert [problem(answer)["message"] for answer in answers] == [
        "This link was revoked.",
        "The file of this link is no longer there.",
    ]
    assert (await api("DELETE", f"jobs/{job['id']}")).code == 204
    unknown = await follow(deleted)
    token = deleted["token"]
    forged = [await follow(text) for text in (token[:-4] + "AAAA", "x", "%00", token + "/more", "")]
    # Whether a token was ever one cannot be told from the answer.
    assert {answer.code for answer in (unknown, *forged)} == {404}
    assert {answer.body for answer in forged} == {unknown.body}
    assert (await follow(token, "POST", body=b"{}")).code in (403, 405)
    refused = [each["subject"] for each in await audited(api, action="link")]
    assert {revoked["id"], gone["id"], deleted["id"], ""} == set(refused)
    for link in (revoked, gone, deleted):
        assert link["token"] not in caplog.text


async def test_it_opens_nothing_else(api: Api, follow: Open) -> None:
    job = await api.export(numbers(), output={"path": "a.csv"})
    link = await share(api, job)
    for path in (f"jobs/{job['id']}", f"jobs/{job['id']}/download", "jobs", "audit"):
        for headers in (NOBODY, {"Authorization": f"token {link['token']}"}):
            assert (await api("GET", path, headers=dict(headers))).code == 403
        assert (await api("GET", path, headers=NOBODY, token=link["token"])).code == 403
    assert (await follow(link)).code == 200
    # A page of another site cannot read it.
    origin = {"Origin": "https://example.org"}
    assert (await follow(link, headers=origin)).code == 404


async def test_a_download_that_breaks_off_is_given_back(
    api: Api, follow: Open, app: ExportApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PIECE_BYTES", 1000)
    job = await api.export(numbers(2000), output={"path": "a.csv"})
    link = await share(api, job, max_downloads=1)
    stream = downloads.DownloadHandler._stream

    async def broken(self: Any, *arguments: Any) -> None:
        self.write(b"n,word\n")
        await self.flush()
        assert (await follow(link)).code == 410  # It is taken as long as it is under way.
        self.request.connection.stream.close()
        raise web.Finish

    monkeypatch.setattr(downloads.DownloadHandler, "_stream", broken)
    with pytest.raises(HTTPStreamClosedError):
        await follow(link)
    monkeypatch.setattr(downloads.DownloadHandler, "_stream", stream)
    await counted(api, job, 0)
    assert (await follow(link)).code == 200
    await counted(api, job, 1)
    told = [each["outcome"] for each in await audited(api, action="download")]
    assert list(reversed(told)) == ["begun", "broken_off", "begun", "completed"]


async def test_many_at_once_get_no_more_than_the_count(api: Api, follow: Open) -> None:
    job = await api.export(numbers(), output={"path": "a.csv"})
    link = await share(api, job, max_downloads=3)
    answers = await asyncio.gather(*(follow(link) for _ in range(8)))
    assert sorted(answer.code for answer in answers) == [200] * 3 + [410] * 5


async def test_a_folder_comes_as_a_zip(api: Api, follow: Open) -> None:
    job = await api.export(
        numbers(), format={"type": "parquet", "partition_by": ["n"]}, limit=3, output={"path": "p"}
    )
    assert job["status"] == "completed", job["error"]
    link = await share(api, job, max_downloads=1)
    response = await follow(link)
    assert (response.code, response.headers["Content-Type"]) == (200, "application/zip")
    assert response.body[:2] == b"PK"
    await counted(api, job, 1)


async def test_wrong_requests(api: Api, named_users: NamedUsers) -> None:
    ada, bob = {"X-User": "ada"}, {"X-User": "bob"}
    upload = await api.upload(numbers(), headers=ada)
    spec = {"source": {"type": "upload", "id": upload["id"]}}
    job = await api.json("POST", "jobs", spec, headers=ada, wait=30)
    path = f"jobs/{job['id']}/links"
    for body, field in (
        ({"expires_after": "400d"}, "expires_after"),
        ({"max_downloads": 0}, "max_downloads"),
        ({"max_download": 1}, "max_download"),
        ([], None),
    ):
        response = await api("POST", path, body, headers=ada)
        assert (response.code, problem(response)["field"]) == (400, field)
    empty = await api("POST", path, b"", headers=ada)
    assert empty.code == 201
    link = json.loads(empty.body)
    for method, address in (("GET", path), ("POST", path), ("DELETE", f"links/{link['id']}")):
        response = await api(method, address, b"{}" if method == "POST" else None, headers=bob)
        assert response.code == 404
    assert (await api("GET", f"d/{link['token']}", headers=bob)).code == 200
    refused = await api("GET", "audit", headers=ada)
    assert (refused.code, problem(refused)["code"]) == (403, "forbidden")
    failed = await api.json(
        "POST", "jobs", {**spec, "columns": {"include": ["none"]}}, headers=ada, wait=30
    )
    response = await api("POST", f"jobs/{failed['id']}/links", {}, headers=ada)
    assert (response.code, problem(response)["code"]) == (409, "not_ready")
