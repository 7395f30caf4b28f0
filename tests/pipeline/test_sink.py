"""The local file: whole or not at all, whatever the folder, the disk or another program does."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pytest
import zstandard

from jupyter_export import pipeline
from jupyter_export.errors import DiskFull, ExportError, OutputExists, WriteFailed
from jupyter_export.pipeline import Progress, Result
from jupyter_export.sinks import local
from jupyter_export.sinks.local import LocalSink
from jupyter_export.spec import parse

from .conftest import Bench

TABLE = pa.table({"a": range(10)})
CSV = b"a\n" + b"".join(b"%d\n" % i for i in range(10))


def sink(bench: Bench, **options: Any) -> LocalSink:
    return LocalSink(bench.root / "x.csv.gz", bench.root / ".part", **options)


def test_nothing_has_the_name_before_it_is_whole(bench: Bench) -> None:
    with sink(bench) as open_sink:
        open_sink.write(b"half")
        assert bench.left() == [".part"]
        open_sink.finish()
        assert bench.left() == [".part"]
        assert open_sink.publish() == bench.root / "x.csv.gz"
        assert bench.left() == ["x.csv.gz"]
    assert bench.left() == ["x.csv.gz"]
    assert (open_sink.bytes, open_sink.sha256) == (4, hashlib.sha256(b"half").hexdigest())


def test_the_bytes_are_on_the_disk_before_the_name_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noted(name: str) -> Any:
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            which = name
            if name == "fsync":
                folder = stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
                which = "flush folder" if folder else "flush file"
            calls.append(which)
            return real(*arguments, **named)

        return call

    for name in ("write", "fsync", "link", "replace"):
        monkeypatch.setattr(local.os, name, noted(name))
    bench.export(TABLE)
    assert calls[-3:] == ["flush file", "link", "flush folder"]
    bench.export(TABLE, output={"if_exists": "replace"})
    assert calls[-3:] == ["flush file", "replace", "flush folder"]


def test_an_error_removes_the_part(bench: Bench) -> None:
    def failing() -> None:
        with sink(bench) as open_sink:
            open_sink.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert bench.left() == []


@pytest.mark.parametrize("moment", ["before", "while it runs"])
@pytest.mark.parametrize("if_exists", ["error", "replace", "rename"])
def test_a_file_that_is_there(bench: Bench, if_exists: str, moment: str) -> None:
    """Also one that appears between the first byte and the last."""
    target = bench.root / "x.tar.csv.gz"
    source = {"type": "upload", "id": bench.freeze(TABLE)}
    document = {"source": source, "output": {"if_exists": if_exists}}
    run = pipeline.run(parse(document), bench.surroundings(target.name))
    result = None
    if moment == "before":
        target.write_text("theirs")
    try:
        for value in run:
            if isinstance(value, Progress) and value.phase == "publishing":
                target.write_text("theirs")
            result = value
    except OutputExists as error:
        assert if_exists == "error"
        assert "“x.tar.csv.gz” exists already" in str(error)  # noqa: PT017
    if if_exists != "replace":
        assert target.read_text() == "theirs"
    if if_exists == "error":
        assert bench.left() == ["x.tar.csv.gz"]
        return
    assert isinstance(result, Result)
    assert result.path == ("x.tar (1).csv.gz" if if_exists == "rename" else "x.tar.csv.gz")
    assert gzip.decompress((bench.root / result.path).read_bytes()) == CSV
    assert result.path in str(result.reader)


def test_rename_takes_the_first_free_name(bench: Bench) -> None:
    paths = [bench.export(TABLE, output={"if_exists": "rename"}).path for _ in range(3)]
    assert paths == ["out.csv", "out (1).csv", "out (2).csv"]


def test_without_hard_links(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any, **named: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(local.os, "link", refused)
    assert bench.export(TABLE).path == "out.csv"
    assert (bench.root / "out.csv").read_bytes() == CSV
    with pytest.raises(OutputExists):
        bench.export(TABLE)
    assert bench.export(TABLE, output={"if_exists": "rename"}).path == "out (1).csv"
    assert bench.left() == ["out (1).csv", "out.csv"]


def test_a_dangling_link_is_something_that_is_there(bench: Bench, tmp_path: Path) -> None:
    (bench.root / "out.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(OutputExists):
        bench.export(TABLE)
    bench.export(TABLE, output={"if_exists": "replace"})
    assert not (bench.root / "out.csv").is_symlink()
    assert not (tmp_path / "outside.csv").exists()


def test_a_link_at_the_part_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (bench.root / ".out.csv.part").symlink_to(victim)
    with pytest.raises(WriteFailed):
        bench.export(TABLE)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, WriteFailed)],
)
@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_what_the_disk_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, error: Any, call: str
) -> None:
    def refused(*arguments: Any, **named: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(local.os, call, refused)
    with pytest.raises(error) as caught:
        bench.export(TABLE)
    assert "“out.csv”" in str(caught.value)
    assert str(bench.root) not in str(caught.value)
    assert bench.left() == []


def test_a_folder_that_cannot_be_flushed_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its name already: to say that it failed would be wrong."""
    real = os.fsync

    def picky(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        real(handle)

    monkeypatch.setattr(local.os, "fsync", picky)
    assert bench.export(TABLE).rows == 10


FULL = """
import resource, signal, sys
from pathlib import Path
from jupyter_export import pipeline
from jupyter_export.errors import ExportError
from jupyter_export.spec import parse
root, uploads, scratch = map(Path, sys.argv[1:])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
here = pipeline.Surroundings(root=root, target=root / "out.csv", part=root / ".part",
                             uploads=uploads, scratch=scratch)
try:
    list(pipeline.run(parse({"source": {"type": "upload", "id": sys.argv[0] and "upload0"}}), here))
except ExportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_file_that_may_not_grow(bench: Bench) -> None:
    """A real refusal of the operating system in the middle of a file."""
    bench.freeze(pa.table({"a": range(50_000)}))
    ran = subprocess.run(
        [sys.executable, "-c", FULL, bench.root, bench.uploads, bench.scratch],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("WriteFailed “out.csv” could not be written: File too large.")
    assert bench.left() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root writes anywhere")
def test_a_disk_that_is_full(bench: Bench) -> None:
    """A real disk of 64 KiB, where this machine lets us mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", bench.root], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(DiskFull, match=r"The disk is full: “out.csv” could not be written"):
            bench.export(pa.table({"a": range(50_000)}))
        assert bench.left() == []
    finally:
        subprocess.run(["umount", bench.root], check=True)


def test_a_folder_that_is_a_file(bench: Bench) -> None:
    (bench.root / "file").write_text("")
    with pytest.raises(ExportError) as caught:
        bench.export(TABLE, "file/out.csv")
    assert isinstance(caught.value, WriteFailed)
    with pytest.raises(WriteFailed):
        bench.export(TABLE, "x" * 300 + ".csv")
    (bench.root / "folder.csv").mkdir()
    with pytest.raises(WriteFailed):
        bench.export(TABLE, "folder.csv", output={"if_exists": "replace"})
    assert bench.left() == ["file"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that is closed to root too")
def test_a_folder_that_is_closed() -> None:
    closed = Path("/sys")
    with (
        pytest.raises(WriteFailed, match=r"The folder of “out.csv” cannot be written to"),
        LocalSink(closed / "out.csv", closed / ".out.csv.part"),
    ):
        pass


def test_the_mode_follows_the_umask(bench: Bench) -> None:
    before = os.umask(0o027)
    try:
        bench.export(TABLE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((bench.root / "out.csv").stat().st_mode) == 0o640


@pytest.mark.parametrize("rows", [0, 1, 200_000])
def test_others_unpack_the_plain_bytes(bench: Bench, rows: int) -> None:
    table = pa.table({"a": range(rows)})
    bench.export(table, "x.csv")
    plain = (bench.root / "x.csv").read_bytes()
    for ending in ("gz", "zst", "br"):
        bench.export(table, f"x.csv.{ending}")
    packed = {ending: bench.root / f"x.csv.{ending}" for ending in ("gz", "zst", "br")}
    assert gzip.decompress(packed["gz"].read_bytes()) == plain
    with packed["zst"].open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file).read() == plain
    with pa.input_stream(str(packed["br"]), compression="brotli") as stream:
        assert stream.read() == plain
    if rows > 1:
        assert all(path.stat().st_size < len(plain) * 0.6 for path in packed.values())
        assert polars.read_csv(packed["gz"])["a"].sum() == sum(range(rows))


def test_gzip_states_no_time(bench: Bench) -> None:
    bench.export(TABLE, "x.csv.gz")
    assert (bench.root / "x.csv.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_a_replaced_file_keeps_its_permissions(bench: Bench) -> None:
    bench.export(TABLE, "a.csv")
    (bench.root / "a.csv").chmod(0o600)
    bench.export(TABLE, "a.csv", output={"if_exists": "replace"})
    assert stat.S_IMODE((bench.root / "a.csv").stat().st_mode) == 0o600
