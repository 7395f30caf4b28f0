"""No path leads out of the root: none that a spec holds, and none that is changed later."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.errors import ExportError, WriteFailed
from jupyter_export.folders import HELD, NAMED, Folder, open_beneath
from jupyter_export.jobs.service import ExportService
from jupyter_export.pipeline import Surroundings
from jupyter_export.sinks import FolderSink, LocalSink

from .conftest import ME, MakeService, document, send

SECONDS = 60.0
PRECIOUS = b"name,secret\nours,Zq7\n"
posix = pytest.mark.skipif(not HELD, reason="this system has no openat")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root, with a file of every kind that a path may name."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("data.csv", "book.xlsx", "logo.png", "font.ttf"):
        (folder / name).write_bytes(PRECIOUS)
    return folder


PATHS = ["output", "source", "folder", "connection", "template", "logo", "font"]
"""Everything in a spec that is a path."""
ENDINGS = {"template": "book.xlsx", "logo": "logo.png", "font": "font.ttf"}


def spec_with(kind: str, path: str, upload: str) -> dict[str, Any]:
    if kind == "output":
        return document(upload, path, format="csv")
    if kind in ("source", "folder"):
        return {"source": {"type": "file", "path": path}, "format": "csv"}
    if kind == "connection":
        return {"source": {"type": "file", "path": path, "connection": "share"}, "format": "csv"}
    if kind == "template":
        return document(upload, format={"type": "excel", "template": path})
    if kind == "logo":
        return document(upload, format={"type": "pdf", "logo": path})
    return document(upload, format={"type": "pdf", "font": path})


def escapes(kind: str, name: str, outside: Path) -> Iterator[str]:
    below = "" if kind == "folder" else f"/{name}"
    yield f"../outside{below}"
    yield f"a/../../outside{below}"
    yield f"{outside}{below}"
    yield f"link{below}"
    yield f"deep/link{below}"
    yield f"file://{outside}{below}"
    yield f"//localhost{outside}{below}"
    yield f"..\\outside\\{name}"
    yield f"C:\\{name}"
    yield f"\\\\server\\share\\{name}"
    yield f"~/{name}"
    yield f"/proc/self/cwd/{name}"
    yield f"/proc/self/root{outside}{below}"
    yield f".hidden/{name}"
    if kind != "output":
        yield f"file_link_{name}"


def test_no_path_of_a_spec_leads_out(make_service: MakeService, outside: Path) -> None:
    share = outside.parent / "share"
    service = make_service(max_workers=2, connections={"share": f"file://{share}"})
    root = service.settings.root
    upload = send(service, 10)
    for place in (root, share):
        for folder in ("deep", ".hidden", "a"):
            (place / folder).mkdir(parents=True)
        (place / "link").symlink_to(outside)
        (place / "deep" / "link").symlink_to("../../outside")
        for name in ("data.csv", *ENDINGS.values()):
            (place / f"file_link_{name}").symlink_to(outside / name)
            (place / ".hidden" / name).write_bytes(PRECIOUS)
    before = sorted(outside.rglob("*"))
    wrong: list[tuple[str, str, str]] = []
    for kind in PATHS:
        for path in escapes(kind, ENDINGS.get(kind, "data.csv"), outside):
            if kind == "connection" and path.startswith(".hidden"):
                continue  # the place is the administrator's, and shows what is in it
            told = code_of(service, spec_with(kind, path, upload))
            if told not in ("forbidden", "not_found", "invalid_spec"):
                wrong.append((kind, path, told))
    assert wrong == []
    assert sorted(outside.rglob("*")) == before
    assert {path.read_bytes() for path in before} == {PRECIOUS}
    for path in service.settings.state_dir.rglob("*"):
        assert not path.is_file() or b"Zq7" not in path.read_bytes()


def code_of(service: ExportService, spec: dict[str, Any]) -> str:
    """Return the code of the error that a spec ends with, or “completed”."""
    try:
        job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    except ExportError as error:
        return error.code if "Zq7" not in str(error) else "told"
    assert "Zq7" not in str(job.error)
    return str(job.error["code"]) if job.error else job.status


def test_hidden_files_are_as_the_server_shows_them(make_service: MakeService) -> None:
    for shown, told in ((False, "forbidden"), (True, "completed")):
        service = make_service(max_workers=1, allow_hidden=shown)
        spec = document(send(service, 1), ".hidden/a.csv", output={"path": ".hidden/a.csv"})
        assert code_of(service, spec) == told
        read = {"source": {"type": "file", "path": ".hidden/a.csv"}, "format": "csv"}
        assert code_of(service, read) == told
        service.stop()


# ------------------------------------------------------------------ links that come later


@contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[None]:
    """Put a link to ``outside`` in the place of ``folder`` and the folder back, again and again."""
    (folder / "kept").write_text("by this, no job takes the folder for an empty one of its own")
    aside = folder.with_name("aside")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            os.rename(folder, aside)
            with suppress(FileExistsError):
                os.symlink(outside, folder)
            over.wait(0.0005)
            while aside.exists():
                # an export may have made a folder of that name, while there was none
                if folder.is_symlink():
                    folder.unlink()
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    os.rename(aside, folder)
            over.wait(0.0005)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@posix
@pytest.mark.parametrize("name", ["x.csv", "x", "x.zip"])
def test_nothing_is_written_through_a_link_that_comes_later(
    name: str, service: ExportService, outside: Path
) -> None:
    """One file, a folder of files, a zip, in a folder that is a link half of the time."""
    root = service.settings.root
    folder = root / "a"
    folder.mkdir()
    (outside / name).write_bytes(PRECIOUS)
    before = {path: path.read_bytes() for path in outside.rglob("*")}
    upload = send(service, 1000)
    options = {"type": "csv"} if name == "x.csv" else {"type": "csv", "rows_per_file": 100}
    ended: set[str] = set()
    with swapping(folder, outside):
        for number in range(40):
            path = f"a/{'b/' if number % 2 else ''}{name}"
            output = {"path": path, "if_exists": "replace"}
            ended.add(code_of(service, document(upload, format=options, output=output)))
    assert {path: path.read_bytes() for path in outside.rglob("*")} == before
    assert ended <= {
        *("completed", "forbidden", "write_failed", "invalid_spec", "output_exists"),
    }, ended
    for left in folder.rglob(".*"):
        raise AssertionError(left)


@posix
def test_nothing_is_read_through_a_link_that_comes_later(
    service: ExportService, outside: Path
) -> None:
    folder = service.settings.root / "a"
    folder.mkdir()
    (folder / "data.csv").write_bytes(b"name,secret\nmine,none\n")
    spec = {"source": {"type": "file", "path": "a/data.csv"}, "format": "csv"}
    (folder / "b").mkdir()
    (folder / "b" / "data.csv").write_bytes(b"name,secret\nmine,none\n")
    (outside / "b").mkdir()
    (outside / "b" / "data.csv").write_bytes(PRECIOUS)
    whole = {"source": {"type": "file", "path": "a/b"}, "format": "csv"}
    ended: set[str] = set()
    with swapping(folder, outside):
        for number in range(40):
            ended.add(code_of(service, whole if number % 2 else spec))
    assert ended <= {
        *("completed", "forbidden", "not_found", "source_failed", "invalid_spec"),
    }, ended
    for path in service.settings.root.rglob("*.csv"):
        assert b"Zq7" not in path.read_bytes()


@posix
@pytest.mark.parametrize("moment", ["before", "while it is written", "before it is published"])
@pytest.mark.parametrize("kind", [LocalSink, FolderSink])
def test_each_moment(
    kind: type[LocalSink] | type[FolderSink], moment: str, tmp_path: Path, outside: Path
) -> None:
    root = tmp_path / "root"
    folder = root / "a" / "b"
    folder.mkdir(parents=True)

    def swap(now: str) -> None:
        if now == moment:
            (root / "a").rename(root / "aside")
            (root / "a").symlink_to(outside)

    (outside / "b").mkdir()
    before = sorted(outside.rglob("*"))
    swap("before")

    def export() -> None:
        with kind(folder / "x", folder / ".x.part", root=root) as sink:
            sink.write(b"1", "one.csv")
            swap("while it is written")
            sink.write(b"2", "two.csv")
            sink.finish()
            swap("before it is published")
            sink.publish()

    with pytest.raises(WriteFailed, match="replaced by a link"):
        export()
    assert sorted(outside.rglob("*")) == before
    assert [path for path in root.rglob("*") if path.is_file() or "part" in path.name] == []


@posix
def test_a_part_that_somebody_replaces_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    with LocalSink(tmp_path / "x.csv", tmp_path / ".part", root=tmp_path) as sink:
        sink.write(b"ours")
        sink.finish()
        os.replace(tmp_path / "theirs", tmp_path / ".part")
        with pytest.raises(WriteFailed, match="replaced"):
            sink.publish()
    assert not (tmp_path / "x.csv").exists()


@posix
def test_another_name_of_a_file_is_not_written_through(tmp_path: Path, outside: Path) -> None:
    """A hard link at the part's name: it is removed, and what it was keeps its bytes."""
    os.link(outside / "data.csv", tmp_path / ".part")
    sink = LocalSink(tmp_path / "x.csv", tmp_path / ".part", root=tmp_path)
    with sink:
        sink.write(b"ours")
        sink.finish()
        sink.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"ours"
    assert (outside / "data.csv").read_bytes() == PRECIOUS


# ------------------------------------------------------------------ folders held open


@posix
def test_an_open_folder(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    folder = Folder(root / "a", root)
    try:
        folder.make(["b", "c"])
        folder.make(["b", "c"])
        os.close(folder.open(["b", "c", "f"], os.O_WRONLY | os.O_CREAT))
        os.close(folder.open(["f"], os.O_WRONLY | os.O_CREAT))
        (root / "a" / "out").symlink_to(outside)
        assert sorted(folder.files("b")) == ["c/f"]
        for way in (["out", "data.csv"], ["out"]):
            with pytest.raises(OSError, match=r"link|directory"):
                folder.open(way, os.O_RDONLY)
        with pytest.raises(OSError, match=r"link|directory"):
            folder.make(["out", "new"])
        folder.check()
        folder.remove_all("b")
        folder.remove_all("out")
        folder.remove_all("nothing")
        assert os.listdir(root / "a") == ["f"]
        assert (outside / "data.csv").read_bytes() == PRECIOUS
        (root / "a").rename(root / "z")
        with pytest.raises(OSError, match="No such file"):
            folder.check()
        (root / "a").mkdir()
        with pytest.raises(NotADirectoryError):
            folder.check()
    finally:
        folder.close()


@posix
def test_only_files_are_opened_beneath(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "root").mkdir()
    root = tmp_path / "root"
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to(outside / "data.csv")
    (root / "file").write_bytes(b"x")
    for name in ("pipe", "link", "nothing"):
        with pytest.raises(OSError, match=r"^"):
            open_beneath(root / name, root)
    file = open_beneath(root / "file", root)
    try:
        assert os.read(file, 9) == b"x"
    finally:
        os.close(file)


def test_a_run_of_many_files_holds_few_open(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "many"
    folder.mkdir(parents=True)
    for number in range(210):
        (folder / f"{number}.parquet").write_bytes(b"")
    here = Surroundings(
        root=tmp_path / "root",
        target=tmp_path / "root" / "x.csv",
        part=tmp_path / "root" / ".x.part",
        uploads=tmp_path,
        scratch=tmp_path / "scratch",
    )
    from jupyter_export.sources.files.places import LocalPlace, Scratch

    place = LocalPlace(here.root, here, Scratch(here), confined=True, of=None)
    found = place.find("many")
    before = len(os.listdir("/proc/self/fd")) if NAMED else 0
    try:
        paths = [place.local(entry) for entry in found.entries]
        assert len(set(paths)) == 210
        assert not NAMED or len(os.listdir("/proc/self/fd")) - before <= 200
    finally:
        place.close()
    assert not NAMED or len(os.listdir("/proc/self/fd")) == before
    assert list(here.scratch.iterdir()) == []
