"""Downloads: the bytes that the job proved, whole or in parts."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tornado import web
from tornado.iostream import IOStream, StreamClosedError
from tornado.simple_httpclient import HTTPStreamClosedError
from tornado.tcpclient import TCPClient

from jupyter_export.jobs import zipping
from jupyter_export.server import downloads

from .client import PREFIX, Api, numbers, problem


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
    await counted(api, job["id"], 1)

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
    await counted(api, job["id"], 1)


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


async def test_conditions_by_date_and_by_etag(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(1000), output={"path": "a.csv"})
    path, content = f"jobs/{job['id']}/download", (jp_root_dir / "a.csv").read_bytes()
    etag = f'"{job["result"]["sha256"]}"'
    date = (await api("HEAD", path)).headers["Last-Modified"]
    old, new = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2094 08:49:37 GMT"
    for headers, status in (
        ({"If-Match": etag}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"old"'}, 412),
        ({"If-Match": f"W/{etag}"}, 412),
        ({"If-Unmodified-Since": date}, 200),
        ({"If-Unmodified-Since": old}, 412),
        ({"If-Unmodified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": date}, 304),
        ({"If-Modified-Since": new}, 304),
        ({"If-Modified-Since": old}, 200),
        ({"If-None-Match": '"old"', "If-Modified-Since": date}, 200),
    ):
        answer = await api("GET", path, headers=headers)
        assert answer.code == status, headers
        assert (await api("HEAD", path, headers=headers)).code == status
        if status == 412:
            assert problem(answer)["code"] == "invalid_request"
    for condition, status in ((date, 206), (etag, 206), (old, 200), (f"W/{etag}", 200)):
        part = await api("GET", path, headers={"Range": "bytes=100-", "If-Range": condition})
        assert (part.code, len(part.body)) == (status, len(content) - (100 if status == 206 else 0))
    several = await api("GET", path, headers={"Range": "bytes=0-1,5-6"})
    assert (several.code, several.body) == (200, content)


async def connected(jp_serverapp: Any, address: str, *headers: str) -> IOStream:
    stream = await TCPClient().connect("127.0.0.1", jp_serverapp.port)
    token = f"Authorization: token {jp_serverapp.identity_provider.token}"
    await stream.write(
        "\r\n".join(
            [f"GET {address} HTTP/1.1", "Host: localhost", token, *headers, "", ""]
        ).encode()
    )
    return stream


async def test_a_broken_download_goes_on_where_it_broke(
    api: Api, jp_serverapp: Any, jp_base_url: str, jp_root_dir: Path
) -> None:
    job = await api.export(numbers(500_000), output={"path": "a.csv"})
    content = (jp_root_dir / "a.csv").read_bytes()
    path = f"jobs/{job['id']}/download"
    stream = await connected(jp_serverapp, f"{jp_base_url}{PREFIX}/{path}")
    head = await stream.read_until(b"\r\n\r\n")
    etag = next(line[6:] for line in head.decode().split("\r\n") if line.startswith("Etag: "))
    first = await stream.read_bytes(1_000_001)
    stream.close()
    headers = {"Range": f"bytes={len(first)}-", "If-Range": etag}
    rest = await api("GET", path, headers=headers)
    assert rest.code == 206
    assert first + rest.body == content
    # only what was sent in one go counts
    assert (await api.json("GET", f"jobs/{job['id']}"))["download_count"] == 0
    await until(lambda: open_files(jp_root_dir) == [])


async def test_parts_do_not_take_a_file_away_that_is_for_one(api: Api) -> None:
    job = await api.export(numbers(10), format="csv", retention={"delete_after_download": True})
    path, size = f"jobs/{job['id']}/download", job["result"]["bytes"]
    for part in (f"0-{size // 2}", f"{size // 2 + 1}-"):
        assert (await api("GET", path, headers={"Range": f"bytes={part}"})).code == 206
    assert (await api("GET", path)).code == 200
    assert (await api("GET", path)).code == 410


async def test_another_file_of_the_same_length_is_not_sent(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(1000), output={"path": "a.csv"})
    path, file = f"jobs/{job['id']}/download", jp_root_dir / "a.csv"
    content = file.read_bytes()
    later = file.stat().st_mtime + 60
    file.write_bytes(content.replace(b"w1", b"W1"))
    os.utime(file, (later, later))
    for headers in ({}, {"Range": "bytes=10-"}):
        changed = await api("GET", path, headers=headers)
        assert (changed.code, problem(changed)["code"]) == (410, "expired")
    # one that was touched, or brought back, is the same for all that
    file.write_bytes(content)
    os.utime(file, (later + 60, later + 60))
    for _ in range(2):
        assert (await api("GET", path)).body == content


async def test_a_file_that_changes_while_it_is_sent_breaks_the_connection(
    api: Api, jp_serverapp: Any, jp_base_url: str, jp_root_dir: Path
) -> None:
    job = await api.export(numbers(1_000_000), output={"path": "a.csv"})
    address = f"{jp_base_url}{PREFIX}/jobs/{job['id']}/download"
    stream = await connected(jp_serverapp, address)
    await stream.read_until(b"\r\n\r\n")
    with open(jp_root_dir / "a.csv", "r+b") as file:
        file.write(b"changed")
    later = os.stat(jp_root_dir / "a.csv").st_mtime + 60
    os.utime(jp_root_dir / "a.csv", (later, later))
    with pytest.raises(StreamClosedError):
        await stream.read_bytes(job["result"]["bytes"])


async def test_one_that_takes_its_name_while_it_is_sent_is_no_harm(
    api: Api, jp_serverapp: Any, jp_base_url: str, jp_root_dir: Path
) -> None:
    job = await api.export(numbers(1_000_000), output={"path": "a.csv"})
    content = (jp_root_dir / "a.csv").read_bytes()
    stream = await connected(jp_serverapp, f"{jp_base_url}{PREFIX}/jobs/{job['id']}/download")
    await stream.read_until(b"\r\n\r\n")
    (jp_root_dir / "b.csv").write_bytes(b"x" * len(content))
    os.replace(jp_root_dir / "b.csv", jp_root_dir / "a.csv")
    assert await stream.read_bytes(len(content)) == content
    stream.close()
    assert (await api("GET", f"jobs/{job['id']}/download")).code == 410


async def test_a_reader_that_goes_away_leaves_no_open_file(
    api: Api, jp_serverapp: Any, jp_base_url: str, jp_root_dir: Path
) -> None:
    job = await api.export(numbers(1_000_000), output={"path": "a.csv"})
    stream = await connected(jp_serverapp, f"{jp_base_url}{PREFIX}/jobs/{job['id']}/download")
    await stream.read_bytes(10_000)
    if sys.platform == "linux":
        assert open_files(jp_root_dir) == [str(jp_root_dir / "a.csv")]
    stream.close()
    await until(lambda: open_files(jp_root_dir) == [])


def open_files(folder: Path) -> list[str]:
    """Return the files below ``folder`` that this process, which is the server, holds open."""
    files = psutil.Process().open_files()
    return [each.path for each in files if Path(each.path).is_relative_to(folder)]


async def counted(api: Api, job_id: str, downloads: int) -> None:
    """Wait for the count, which is stored behind the last byte."""
    for _ in range(1500):
        if (await api.json("GET", f"jobs/{job_id}"))["download_count"] == downloads:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It was not counted.")


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It did not happen.")


# ------------------------------------------------------------------ folders and zips


async def folder(api: Api, path: str = "out", rows: int = 3000) -> dict[str, Any]:
    """Export two datasets to two files."""
    upload = await api.upload(numbers(rows))
    source = {"type": "upload", "id": upload["id"]}
    spec = {
        "datasets": [{"name": name, "source": source} for name in ("a", "b")],
        "format": "csv",
        "output": {"path": path},
    }
    job: dict[str, Any] = await api.json("POST", "jobs", spec, wait=30)
    assert job["status"] == "completed", job["error"]
    return job


async def test_a_folder_comes_as_a_zip(
    api: Api, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipping, "PIECE_BYTES", 1000)
    job = await folder(api)
    pieces: list[bytes] = []
    path = f"jobs/{job['id']}/download"
    response = await api("GET", path, headers={"Range": "bytes=0-9"})
    assert response.code == 200
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["a.csv", "b.csv", "manifest.json"]
        assert archive.read("a.csv") == (jp_root_dir / "out" / "a.csv").read_bytes()
    headers = response.headers
    assert headers["Content-Type"] == "application/zip"
    assert headers["ETag"] == f'"{job["result"]["sha256"]}"'
    assert headers["Accept-Ranges"] == "none"
    assert "out.zip" in headers["Content-Disposition"]
    again = await api("GET", path, streaming_callback=pieces.append)
    assert again.code == 200
    assert b"".join(pieces) == response.body

    head = await api("HEAD", path)
    assert (head.code, head.body) == (200, b"")
    assert "Content-Length" not in head.headers
    assert head.headers["Content-Type"] == "application/zip"
    known = await api("GET", path, headers={"If-None-Match": headers["ETag"]})
    assert (known.code, known.body) == (304, b"")
    await counted(api, job["id"], 2)


async def test_a_file_that_changes_meanwhile_breaks_the_connection(
    api: Api, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that ended as if nothing had been would be taken for whole."""
    monkeypatch.setattr(zipping, "PIECE_BYTES", 1000)
    job = await folder(api)
    file = jp_root_dir / "out" / "b.csv"
    file.write_bytes(file.read_bytes().replace(b"w1", b"W1"))
    with pytest.raises(HTTPStreamClosedError):
        await api("GET", f"jobs/{job['id']}/download")
    assert (await api.json("GET", f"jobs/{job['id']}"))["download_count"] == 0
    file.write_text("other")
    gone = await api("GET", f"jobs/{job['id']}/download")
    assert (gone.code, problem(gone)["code"]) == (410, "expired")


async def test_one_that_is_wrong_from_the_start_is_an_answer(api: Api, jp_root_dir: Path) -> None:
    job = await folder(api, rows=10)
    file = jp_root_dir / "out" / "a.csv"
    file.write_bytes(file.read_bytes().replace(b"w1", b"W1"))
    response = await api("GET", f"jobs/{job['id']}/download")
    assert (response.code, problem(response)["code"]) == (410, "expired")
    assert response.headers["Content-Type"].startswith("application/json")


async def test_a_zip_that_was_asked_for_is_a_file_with_ranges(api: Api, jp_root_dir: Path) -> None:
    for path in ("out.zip", "out.csv.gz.zip"):
        job = await folder(api, path)
        content = (jp_root_dir / path).read_bytes()
        whole = await api("GET", f"jobs/{job['id']}/download")
        assert whole.body == content
        assert whole.headers["Content-Type"] == "application/zip"
        part = await api("GET", f"jobs/{job['id']}/download", headers={"Range": "bytes=4-9"})
        assert (part.code, part.body) == (206, content[4:10])
        assert hashlib.sha256(content).hexdigest() == job["result"]["sha256"]


async def test_a_reader_that_goes_away_ends_the_zip(
    api: Api,
    jp_serverapp: Any,
    jp_base_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(zipping, "PIECE_BYTES", 1000)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(_: Any) -> Generator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr("jupyter_export.jobs.downloads.zipped", endless)
    job = await folder(api, rows=10)
    stream = await TCPClient().connect("127.0.0.1", jp_serverapp.port)
    await stream.write(
        f"GET {jp_base_url}{PREFIX}/jobs/{job['id']}/download HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: token {jp_serverapp.identity_provider.token}\r\n\r\n".encode()
    )
    await stream.read_bytes(300_000)
    stream.close()
    await asyncio.wait_for(ended.wait(), 20)
    assert (await api.json("GET", f"jobs/{job['id']}"))["download_count"] == 0
    assert not [r for r in caplog.records if r.levelname in ("ERROR", "CRITICAL") and r.exc_info]
