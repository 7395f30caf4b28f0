"""Files below the place that a connection leads to: memory, a folder, a web server."""

from __future__ import annotations

import errno
import re
import threading
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jupyter_export.errors import (
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    Forbidden,
    InvalidSpec,
    LoginRefused,
    MissingDependency,
    NotFound,
    Throttled,
)
from jupyter_export.jobs.retrying import may_pass

from .conftest import Bench, read, write

SECRET = "hunter2-and-more"
TABLE = pa.table({"a": list(range(200_000)), "t": [f"row {i}" for i in range(200_000)]})


def fill(root: Path) -> None:
    """Write one file of every kind, and a folder."""
    root.mkdir(exist_ok=True)
    few = TABLE.slice(0, 100)
    pq.write_table(TABLE, root / "x.parquet", row_group_size=20_000)
    with pa.ipc.new_file(root / "x.arrow", few.schema) as out:
        out.write_table(few)
    lines = "".join(f"{row['a']},{row['t']}\n" for row in few.to_pylist())
    write(root, "x.csv", f"a,t\n{lines}")
    write(root, "x.jsonl", "".join(f'{{"a":{r["a"]},"t":"{r["t"]}"}}\n' for r in few.to_pylist()))
    book = openpyxl.Workbook()
    for row in (few.column_names, *(list(r.values()) for r in few.to_pylist())):
        book.active.append(row)
    book.save(root / "x.xlsx")
    for year in (2023, 2024):
        (root / f"d/year={year}").mkdir(parents=True)
        pq.write_table(few, root / f"d/year={year}/x.parquet")
    write(root, "d/_SUCCESS", "")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    fill(tmp_path / "files")
    return tmp_path / "files"


@pytest.fixture
def memory(files: Path) -> Iterator[str]:
    """The URL of a place in memory that holds the files."""
    system = fsspec.filesystem("memory")
    base = f"/{uuid.uuid4().hex}"
    for path in files.rglob("*"):
        if path.is_file():
            system.pipe(f"{base}/{path.relative_to(files).as_posix()}", path.read_bytes())
    yield f"memory:/{base}"
    system.rm(base, recursive=True)


@dataclass
class Web:
    """A web server over a folder, with ranges, and what it was asked."""

    root: Path
    url: str = ""
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path, bytes sent."""
    status: int | None = None
    """Answers every request with it."""
    ranges: bool = True
    cut: bool = False
    """Breaks off in the middle of what it sends."""
    busy_after: int | None = None
    """Answers so many requests, and the rest with 503."""
    silent: threading.Event | None = None
    """No answer before it is set."""

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        if self.silent is not None:
            self.silent.wait(60)
        path = self.root / request.path.lstrip("/")
        status = self.status or (200 if path.is_file() else 404)
        if self.busy_after is not None and len(self.asked) >= self.busy_after:
            status = 503
        data = path.read_bytes() if status == 200 else b""
        size = len(data)
        told = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if told and status == 200 and self.ranges:
            status, first = 206, int(told[1])
            data = data[first : int(told[2]) + 1]
        request.send_response(status)
        if status == 206:
            request.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{size}")
        if self.ranges:
            request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        self.asked.append((request.command, request.path, len(data) if body else 0))
        if body:
            request.wfile.write(data[: len(data) // 2] if self.cut else data)


@pytest.fixture
def web(files: Path) -> Iterator[Web]:
    served = Web(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self, body=True)

        def do_HEAD(self) -> None:
            served.answer(self, body=False)

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    served.url = f"http://user:{SECRET}@127.0.0.1:{server.server_port}/"
    yield served
    if served.silent is not None:
        served.silent.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_kind_in_every_place(bench: Bench, files: Path, memory: str, web: Web) -> None:
    places = {"file": f"file://{files}", "memory": memory, "web": web.url}
    for place in places:
        for kind in ("parquet", "arrow", "csv", "jsonl", "xlsx"):
            table = read(bench, f"x.{kind}", place, connections=places)
            assert table.equals(TABLE.slice(0, table.num_rows))
            assert table.num_rows == (200_000 if kind == "parquet" else 100)
    for place in ("file", "memory"):
        table = read(bench, "d", place, connections=places)
        assert table.num_rows == 200
        assert set(table["year"].to_pylist()) == {2023, 2024}


def test_parquet_is_read_where_it_lies(bench: Bench, web: Web) -> None:
    from jupyter_export.sources.file import open_file
    from jupyter_export.spec import FileSource

    here = bench.surroundings(connections={"web": web.url})
    stream = open_file(FileSource(type="file", path="x.parquet", connection="web"), here)
    assert list(bench.scratch.iterdir()) == []
    assert stream.total_rows == 200_000
    assert sum(batch.num_rows for batch in stream.batches) == 200_000
    stream.close()
    assert any(method == "GET" for method, _, _ in web.asked)


def test_parquet_from_a_server_without_ranges(bench: Bench, web: Web) -> None:
    web.ranges = False
    assert read(bench, "x.parquet", "web", connections={"web": web.url}).equals(TABLE)


def test_a_path_does_not_leave_its_place(bench: Bench, files: Path, memory: str, web: Web) -> None:
    (files / "inner").mkdir()
    (files / "inner/out.csv").symlink_to(files / "x.csv")
    places = {"file": f"file://{files}/inner", "memory": f"{memory}/d", "web": f"{web.url}d"}
    for place in places:
        for path in ("../x.csv", "year=2023/../../x.csv", "/x.csv", f"{files}/x.csv"):
            with pytest.raises(Forbidden):
                read(bench, path, place, connections=places)
    with pytest.raises(Forbidden):
        read(bench, "out.csv", "file", connections=places)
    for path in ("http://127.0.0.1/x.csv", "a::b.csv", "..\\x.csv"):
        with pytest.raises(Forbidden):
            read(bench, path, "memory", connections=places)
    with pytest.raises(NotFound):
        read(bench, "%2e%2e/x.csv", "web", connections=places)
    assert all(path.startswith("/d/") for _, path, _ in web.asked)
    # what would be another query is a name
    with pytest.raises(NotFound):
        read(bench, "x.csv?a=1.csv", "web", connections=places)
    assert web.asked[-1][1].startswith("/d/x.csv%3Fa")


def test_what_goes_wrong(bench: Bench, memory: str, web: Web) -> None:
    places = {"memory": memory, "web": web.url, "dead": f"http://u:{SECRET}@127.0.0.1:1/"}
    for path, place, status, kind, sentence in (
        ("no.csv", "memory", None, NotFound, "There is no file “no.csv” at the connection memory"),
        ("no.csv", "web", None, NotFound, "There is no file “no.csv” at the connection web"),
        ("x.csv", "web", 401, LoginRefused, "connection web is not allowed to read “x.csv”"),
        ("x.csv", "web", 403, LoginRefused, "connection web is not allowed to read “x.csv”"),
        ("x.csv", "web", 500, ConnectionFailed, "answers “x.csv” with status 500"),
        ("x.csv", "web", 429, Throttled, "asks to be asked for “x.csv” less often (status 429)"),
        ("x.csv", "web", 503, Throttled, "asks to be asked for “x.csv” less often (status 503)"),
        ("x.csv", "dead", None, ConnectionFailed, "connection dead cannot be reached"),
        ("x.csv", "nobody", None, InvalidSpec, "“nobody” is not a known connection"),
    ):
        web.status = status
        with pytest.raises(kind) as caught:
            read(bench, path, place, connections=places)
        assert sentence in str(caught.value)
        told = "".join(traceback.format_exception(caught.value))
        assert SECRET not in told
        assert "127.0.0.1" not in told


def test_a_place_that_is_asked_too_often_in_the_middle(bench: Bench, web: Web) -> None:
    """A Parquet file is read piece by piece, and each piece is a question of its own."""
    web.busy_after = 4
    with pytest.raises(Throttled, match="less often") as caught:
        read(bench, "x.parquet", "web", connections={"web": web.url})
    assert may_pass(caught.value)
    assert SECRET not in str(caught.value)


class _OfBotocore(Exception):
    """As botocore.exceptions.ClientError has it."""

    def __init__(self, code: str, status: int) -> None:
        self.response = {
            "Error": {"Code": code, "Message": f"reduce your rate, {SECRET}"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }


class _OfAzure(Exception):
    """As azure.core.exceptions.HttpResponseError has it."""

    def __init__(self, code: str, status: int | None) -> None:
        self.error_code, self.status_code = code, status


class _OfGoogle(Exception):
    """As gcsfs.retry.HttpError has it."""

    def __init__(self, code: int) -> None:
        self.code = code


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (_OfBotocore("SlowDown", 503), Throttled),
        (_OfBotocore("RequestLimitExceeded", 400), Throttled),
        (_OfBotocore("InternalError", 500), ConnectionFailed),
        (_OfAzure("ServerBusy", 503), Throttled),
        (_OfAzure("ServerBusy", None), Throttled),
        (_OfAzure("InternalError", 500), ConnectionFailed),
        (_OfGoogle(429), Throttled),
        (_OfGoogle(500), ConnectionFailed),
    ],
)
def test_stores_say_in_many_ways_that_they_are_busy(
    bench: Bench, memory: str, monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: Any
) -> None:
    def busy(*_: Any, **__: Any) -> None:
        # As s3fs does: an error of the system, caused by the driver's own.
        raise OSError(errno.EBUSY, "Please reduce your request rate.") from raised

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.info", busy)
    with pytest.raises(kind) as caught:
        read(bench, "x.csv", "memory", connections={"memory": memory})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_transfer_that_breaks_off(bench: Bench, web: Web) -> None:
    web.cut = True
    for name in ("x.arrow", "x.parquet"):
        with pytest.raises((ConnectionLost, ConnectionFailed)) as caught:
            read(bench, name, "web", connections={"web": web.url})
        assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_cancel_does_not_wait_for_a_server(bench: Bench, web: Web, name: str) -> None:
    web.silent = threading.Event()
    here = bench.surroundings()
    timer = threading.Timer(0.2, here.cancelled.set)
    timer.start()
    with pytest.raises(Cancelled):
        read(bench, name, "web", connections={"web": web.url}, cancelled=here.cancelled)
    timer.join()
    assert not web.silent.is_set()


def test_connections_that_lead_to_no_files(bench: Bench) -> None:
    for url in (f"postgresql+psycopg://u:{SECRET}@h/d", "nonsense", f"blah://u:{SECRET}@h"):
        with pytest.raises(InvalidSpec) as caught:
            read(bench, "x.csv", "c", connections={"c": url})
        assert "The connection c does not lead to a place with files" in str(caught.value)
        assert SECRET not in str(caught.value)


def test_a_package_that_is_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    options = {"url": "s3://bucket/x", "options": {"secret": SECRET}}
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependency, match="The connection c needs s3fs") as caught:
        read(bench, "x.csv", "c", connections={"c": options})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependency, match=r"jupyter-export\[files\]"):
        read(bench, "x.csv", "c", connections={"c": "memory://x"})
