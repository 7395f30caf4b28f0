"""A run ends before it takes the last of a disk."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from jupyter_export import pipeline
from jupyter_export.errors import DiskFull
from jupyter_export.room import LOOK_SECONDS, Room, free_of, size
from jupyter_export.spec import parse

MB = 1000**2
GB = 1000**3


class Disks:
    """So many free bytes in each folder, and a clock."""

    def __init__(self) -> None:
        self.free: dict[str, int | None] = {"target": 500 * MB, "scratch": 500 * MB}
        self.looks = 0
        self.seconds = 0.0

    def __call__(self, folder: Path) -> int | None:
        self.looks += 1
        return self.free[folder.name]

    def clock(self) -> float:
        return self.seconds


def room(disks: Disks, least: int = 200 * MB) -> Room:
    return Room(Path("target/a.csv"), Path("scratch"), least, free=disks, clock=disks.clock)


@pytest.mark.parametrize(
    ("where", "said"),
    [("target", "where “a.csv” is written"), ("scratch", "where the export spills its data")],
)
def test_a_run_ends_where_a_disk_fills_up(where: str, said: str) -> None:
    disks = Disks()
    watched = room(disks)
    watched.check()
    disks.free[where] = 199 * MB
    watched.check()  # It has just looked.
    disks.seconds += LOOK_SECONDS
    with pytest.raises(DiskFull) as caught:
        watched.check()
    assert caught.value.message == (
        f"The disk was nearly full {said}: 199 MB were free, and 200 MB must stay free. Nothing "
        "was left of the export."
    )


def test_a_run_keeps_to_its_budget(tmp_path: Path) -> None:
    disks = Disks()
    disks.free[tmp_path.name] = 500 * MB
    watched = Room(None, tmp_path, 0, most=3000, free=disks, clock=disks.clock)
    (tmp_path / "spilled").mkdir()
    (tmp_path / "spilled" / "a.tmp").write_bytes(bytes(2000))
    watched.check(1000)
    watched.check(1001)  # It has just looked.
    with pytest.raises(DiskFull, match=r"3 kB \(max_disk\)"):
        watched.check(1001, at_once=True)


def test_it_looks_twice_a_second_and_not_at_each_chunk() -> None:
    disks = Disks()
    watched = room(disks)
    for _ in range(1000):
        watched.check()
    assert disks.looks == 2


def test_nothing_is_kept_free_where_nothing_must() -> None:
    disks = Disks()
    disks.free = {"target": 0, "scratch": 0}
    room(disks, least=0).check()
    assert disks.looks == 0


def test_a_disk_that_tells_nothing_ends_no_run() -> None:
    disks = Disks()
    disks.free = {"target": None, "scratch": None}
    room(disks).check()


def test_a_run_without_a_file_needs_no_room_for_one() -> None:
    disks = Disks()
    disks.free["target"] = 0
    Room(None, Path("scratch"), 200 * MB, free=disks, clock=disks.clock).check()


AS_MUCH_AS_NO_DISK_HAS = 10**18


def test_a_run_that_would_take_the_last_of_the_disk_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "source.csv").write_text("a\n1\n")
    (tmp_path / "scratch").mkdir()
    here = pipeline.Surroundings(
        root=tmp_path,
        target=tmp_path / "out.csv",
        part=tmp_path / ".out.csv.part",
        uploads=tmp_path,
        scratch=tmp_path / "scratch",
        min_free_disk=AS_MUCH_AS_NO_DISK_HAS,
    )
    spec = parse({"source": {"type": "file", "path": "source.csv"}})
    with pytest.raises(DiskFull, match="must stay free"):
        list(pipeline.run(spec, here))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", "source.csv"]


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source.csv").write_text("a\n" + "1\n" * 300_000)
    (tmp_path / "scratch").mkdir()
    usage = namedtuple("usage", "total used free")
    frees = iter([500 * MB] * 4)  # Two looks at two places, and no room after that.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(GB, 0, next(frees, 0)))
    monkeypatch.setattr("jupyter_export.room.LOOK_SECONDS", 0)
    here = pipeline.Surroundings(
        root=tmp_path,
        target=tmp_path / "out.csv",
        part=tmp_path / ".out.csv.part",
        uploads=tmp_path,
        scratch=tmp_path / "scratch",
        min_free_disk=200 * MB,
    )
    spec = parse({"source": {"type": "file", "path": "source.csv"}})
    steps = pipeline.run(spec, here)
    next(steps)
    with pytest.raises(DiskFull, match=r"where “out\.csv” is written"):
        list(steps)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", "source.csv"]


# ------------------------------------------------------------------ asking the system


def test_the_disk_of_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "not" / "yet", tmp_path / "file" / "below"):
        free = free_of(folder)
        assert free is not None
        assert free > 0


def test_a_file_system_without_a_size_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 0))
    assert free_of(tmp_path) is None

    def refused(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(shutil, "disk_usage", refused)
    assert free_of(tmp_path) is None


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1_550_000, "1.6 MB"),
        (200 * MB, "200 MB"),
        (50 * GB, "50 GB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes_are_said_in_words(count: int, shown: str) -> None:
    assert size(count) == shown
