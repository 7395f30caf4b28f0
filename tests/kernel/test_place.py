"""What a path means: one table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_export.client.place import Place, place_for
from jupyter_export.errors import InvalidRequest


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The server's root with a notebook folder in it, and a folder outside."""
    (tmp_path / "root" / "work").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return tmp_path / "root", tmp_path / "outside"


@pytest.mark.parametrize(
    ("given", "runner", "path"),
    [
        (None, "server", None),
        ("x.csv", "server", "work/x.csv"),
        ("sub/x.csv", "server", "work/sub/x.csv"),
        ("../x.csv", "server", "x.csv"),
        ("./a/../x.csv", "server", "work/x.csv"),
        ("{root}/x.csv", "server", "x.csv"),
        ("{root}/deep/er/x.csv", "server", "deep/er/x.csv"),
        ("folder/", "server", "work/folder/"),
        ("{outside}/x.csv", "kernel", "{outside}/x.csv"),
        ("../../outside/x.csv", "kernel", "{outside}/x.csv"),
        (".hidden/x.csv", "kernel", "{root}/work/.hidden/x.csv"),
    ],
)
def test_with_a_server_that_shares_the_disk(
    folders: tuple[Path, Path], given: str | None, runner: str, path: str | None
) -> None:
    root, outside = folders

    def filled(text: str | None) -> str | None:
        return text and text.format(root=root, outside=outside)

    found = place_for(
        filled(given),
        cwd=root / "work",
        has_server=True,
        server_root=str(root),
        root_visible=True,
    )
    assert found == Place(runner, filled(path))  # type: ignore[arg-type]


def test_a_kernel_outside_the_root_writes_itself(folders: tuple[Path, Path]) -> None:
    root, outside = folders
    found = place_for(
        "x.csv", cwd=outside, has_server=True, server_root=str(root), root_visible=True
    )
    assert found == Place("kernel", str(outside / "x.csv"))


def test_links_are_followed_both_ways(folders: tuple[Path, Path]) -> None:
    root, outside = folders
    try:
        (root / "out").symlink_to(outside)
        (outside / "in").symlink_to(root / "work")
    except OSError:
        pytest.skip("links need a right here")

    def place(path: str, cwd: Path) -> Place:
        return place_for(path, cwd=cwd, has_server=True, server_root=str(root), root_visible=True)

    assert place("out/x.csv", root) == Place("kernel", str(root / "out" / "x.csv"))
    assert place("in/x.csv", outside) == Place("server", "work/x.csv")


def test_without_a_server_the_kernel_writes(tmp_path: Path) -> None:
    assert place_for("a/x.csv", cwd=tmp_path, has_server=False) == Place(
        "kernel", str(tmp_path / "a" / "x.csv")
    )
    assert place_for(None, cwd=tmp_path, has_server=False) == Place("kernel", None)


@pytest.mark.skipif(os.name == "nt", reason="the paths are those of POSIX")
@pytest.mark.parametrize(
    ("given", "runner", "path", "note"),
    [
        ("x.csv", "server", "x.csv", "under the server's root as x.csv"),
        ("a/./x.csv", "server", "a/x.csv", "under the server's root"),
        ("/srv/books/a/x.csv", "server", "a/x.csv", None),
        ("/elsewhere/x.csv", "kernel", "/elsewhere/x.csv", "on the kernel's machine"),
        (None, "server", None, None),
    ],
)
def test_a_kernel_on_another_machine_says_where_it_writes(
    given: str | None, runner: str, path: str | None, note: str | None
) -> None:
    found = place_for(given, cwd=Path("/kernel/cwd"), has_server=True, server_root="/srv/books")
    assert (found.runner, found.path) == (runner, path)
    assert (note in found.note) if note and found.note else found.note is None


@pytest.mark.parametrize("given", ["", "  ", "s3://bucket/x.csv"])
def test_what_is_no_path_is_refused_with_a_sentence(given: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"flights\.csv"):
        place_for(given, cwd=tmp_path, has_server=False)
