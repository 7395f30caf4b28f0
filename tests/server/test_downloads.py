"""Downloads: the bytes that the job proved, whole or in parts."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from tornado import web

from jupyter_export.server import downloads

from .client import Api, numbers, problem


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PIECE_BYTES", 1000)


async def test_the_whole_file(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(1000), output={"path": "Größe.csv"})
    response = await api("GET", f"jobs/{job['id']}/download")
    content = (jp_root_dir / "Größe.csv").read_bytes()
    assert response.code == 200
    assert response.body == content
    assert hashlib.sha256(content).hexdigest() == job["result"]["sha256"]
    headers = response.headers
    assert headers["ETag"] == f'"{job["result"]["sha256"]}"'
    assert headers["Content-Length"] == str(len(content))
    assert headers["Content-Type"].startswith("text/csv")
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv" in headers["Content-Disposition"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"].startswith("private")
    assert headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in headers
    # counted behind the last byte, so the reader may be a moment ahead of the count
    for _ in range(100):
        if (await api.json("GET", f"jobs/{job['id']}"))["download_count"]:
            break
        await asyncio.sleep(0.02)
    assert (await api.json("GET", f"jobs/{job['id']}"))["download_count"] == 1

    head = await api("HEAD", f"jobs/{job['id']}/download")
    assert (head.code, head.body) == (200, b"")
    ignored = {"Date", "X-Http-Reason", "Set-Cookie"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in headers.items() if k not in ignored
    }
    assert (await api.json("GET", f"jobs/{job['id']}"))["download_count"] == 1


async def test_parts_and_conditions(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(1000), output={"path": "a.csv"})
    path, content = f"jobs/{job['id']}/download", (jp_root_dir / "a.csv").read_bytes()
    size, etag = len(content), f'"{job["result"]["sha256"]}"'

    part = await api("GET", path, headers={"Range": "bytes=100-2599"})
    assert (part.code, part.body) == (206, content[100:2600])
    assert part.headers["Content-Range"] == f"bytes 100-2599/{size}"
    assert part.headers["Content-Length"] == "2500"

    tail = await api("GET", path, headers={"Range": "bytes=-7", "If-Range": etag})
    assert (tail.code, tail.body) == (206, content[-7:])
    other = await api("GET", path, headers={"Range": "bytes=-7", "If-Range": '"old"'})
    assert (other.code, other.body) == (200, content)

    outside = await api("GET", path, headers={"Range": f"bytes={size}-"})
    assert outside.code == 416
    assert outside.headers["Content-Range"] == f"bytes */{size}"
    assert str(size) in problem(outside)["message"]

    for method in ("GET", "HEAD"):
        known = await api(method, path, headers={"If-None-Match": etag, "Range": "bytes=0-1"})
        assert (known.code, known.body) == (304, b"")
        assert known.headers["ETag"] == etag
    # Only whole files are counted: the one whose If-Range did not hold.
    assert (await api.json("GET", f"jobs/{job['id']}"))["download_count"] == 1


async def test_a_compressed_export_is_served_as_it_is(api: Api, jp_root_dir: Path) -> None:
    for spec in (
        {"output": {"path": "a.csv.gz"}},
        {"output": {"path": "b.csv"}, "compression": "gzip"},
    ):
        job = await api.export(numbers(1000), **spec)
        response = await api("GET", f"jobs/{job['id']}/download")
        assert response.headers["Content-Type"] == "application/gzip"
        assert "Content-Encoding" not in response.headers
        assert response.body == (jp_root_dir / spec["output"]["path"]).read_bytes()
        assert gzip.decompress(response.body).startswith(b"n,word")


async def test_a_server_that_compresses_does_not_touch_it(
    api: Api, jp_root_dir: Path, jp_serverapp: Any
) -> None:
    jp_serverapp.web_app.transforms.append(web.GZipContentEncoding)
    job = await api.export(numbers(1000), output={"path": "a.csv"})
    asked = {"Accept-Encoding": "gzip", "Range": "bytes=0-1999"}
    response = await api("GET", f"jobs/{job['id']}/download", headers=asked)
    assert (response.code, response.headers["Content-Length"]) == (206, "2000")
    assert "Content-Encoding" not in response.headers
    assert response.body == (jp_root_dir / "a.csv").read_bytes()[:2000]


async def test_a_temporary_download_may_be_for_one(api: Api) -> None:
    job = await api.export(numbers(10), format="csv", retention={"delete_after_download": True})
    path = f"jobs/{job['id']}/download"
    assert (await api("HEAD", path)).code == 200
    assert (await api("GET", path)).code == 200
    gone = await api("GET", path)
    assert (gone.code, problem(gone)["code"]) == (410, "expired")


async def test_a_file_that_was_changed_or_removed_is_not_sent(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(10), output={"path": "a.csv"})
    path = f"jobs/{job['id']}/download"
    with open(jp_root_dir / "a.csv", "a") as file:
        file.write("more")
    changed = await api("GET", path)
    assert (changed.code, problem(changed)["code"]) == (410, "expired")
    (jp_root_dir / "a.csv").unlink()
    gone = await api("GET", path)
    assert (gone.code, problem(gone)["code"]) == (410, "expired")
    assert str(jp_root_dir) not in problem(gone)["message"]


async def test_before_the_end_there_is_nothing_to_download(api: Api) -> None:
    upload = await api.upload(numbers(2_000_000))
    spec = {"source": {"type": "upload", "id": upload["id"]}, "output": {"path": "a.csv.gz"}}
    job = await api.json("POST", "jobs", spec)
    response = await api("GET", f"jobs/{job['id']}/download")
    assert (response.code, problem(response)["code"]) == (409, "not_ready")
