"""Where files go, and that none goes anywhere else."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jupyter_export.errors import (
    ExportError,
    Forbidden,
    InvalidSpec,
    OutputExists,
    WriteFailed,
)
from jupyter_export.jobs.naming import MAX_NAME_BYTES, Target, inside, part_of, place
from jupyter_export.jobs.settings import Settings
from jupyter_export.spec import parse

MOMENT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=timezone.utc)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")


def named(
    path: str | None,
    settings: Settings,
    if_exists: str = "error",
    name: str = "delays",
    *,
    folder: bool = False,
) -> Target:
    output = {"if_exists": if_exists} | ({} if path is None else {"path": path})
    spec = parse({"name": name, "source": {"type": "upload", "id": "u"}, "output": output})
    return place(
        spec,
        settings,
        job_id="0123456789abcdef",
        ending=".csv.gz",
        moment=MOMENT,
        taken=lambda _: False,
        folder=folder,
    )


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../a.csv", Forbidden),
        ("a/../../b.csv", Forbidden),
        ("a/../../root/b.csv", Forbidden),
        ("/etc/passwd", Forbidden),
        ("//server/share/a.csv", Forbidden),
        ("\\\\server\\share\\a.csv", Forbidden),
        ("~/a.csv", Forbidden),
        ("~root/a.csv", Forbidden),
        ("C:a.csv", Forbidden),
        ("C:/a.csv", Forbidden),
        ("C:\\a.csv", Forbidden),
        ("a\\..\\..\\b.csv", InvalidSpec),
        (".ssh/authorized_keys.csv", Forbidden),
        ("a/.hidden.csv", Forbidden),
        ("...", Forbidden),
        ("a\0.csv", InvalidSpec),
        ("a\n.csv", InvalidSpec),
        ("a\x9b.csv", InvalidSpec),
        ("a\u202evsc.exe", InvalidSpec),
        ("a\u2028b.csv", InvalidSpec),
        ("file:///etc/passwd", InvalidSpec),
        ("FILE:/etc/passwd", InvalidSpec),
        ("s3://bucket/a.csv", InvalidSpec),
        ("//?/C:/a.csv", Forbidden),
        ("~", Forbidden),
        ("folder/", InvalidSpec),
        ("folder", InvalidSpec),
        (".", InvalidSpec),
        ("..", InvalidSpec),
        ("/", InvalidSpec),
        ("file.csv/b.csv", InvalidSpec),
        ("x" * 256 + ".csv", InvalidSpec),
        ("é" * 128 + ".csv", InvalidSpec),
        ("taken.csv", OutputExists),
    ],
)
def test_refused(path: str, error: type[ExportError], settings: Settings) -> None:
    (settings.root / "folder").mkdir()
    (settings.root / "file.csv").touch()
    (settings.root / "taken.csv").touch()
    with pytest.raises(error) as caught:
        named(path, settings)
    assert type(caught.value) is error
    assert caught.value.field == "output.path"
    assert str(settings.root) not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a.csv", "a.csv"),
        ("./a.csv", "a.csv"),
        ("new/deep/a.csv", "new/deep/a.csv"),
        ("new//a.csv", "new/a.csv"),
        ("new/../a.csv", "a.csv"),
        ("a..b.csv", "a..b.csv"),
        ("Größe 日本 (2).csv", "Größe 日本 (2).csv"),
        ("x" * 251 + ".csv", "x" * 251 + ".csv"),
    ],
)
def test_accepted(path: str, shown: str, settings: Settings) -> None:
    target = named(path, settings)
    assert target.path == shown
    assert target.absolute == settings.root.resolve() / shown
    assert target.absolute.parent.is_dir()
    assert not target.temporary


def test_a_folder_of_files_may_be_named_with_a_slash(settings: Settings) -> None:
    for path in ("new/out", "new/out/"):
        target = named(path, settings, folder=True)
        assert target.path == "new/out"
        assert not target.absolute.exists()
    for path in ("/", ".", "..", "a/.."):
        with pytest.raises((InvalidSpec, Forbidden)):
            named(path, settings, folder=True)


def test_a_folder_that_exists(settings: Settings) -> None:
    (settings.root / "out").mkdir()
    with pytest.raises(OutputExists):
        named("out", settings, folder=True)
    assert named("out", settings, "rename", folder=True).path == "out (1)"
    # Whether it may go is for the one to say who knows what is in it.
    assert named("out", settings, "replace", folder=True).path == "out"
    (settings.root / "file").touch()
    with pytest.raises(OutputExists, match="is a file"):
        named("file", settings, "replace", folder=True)


def test_the_folders_that_are_made_are_told(settings: Settings) -> None:
    (settings.root / "old").mkdir()
    root = settings.root.resolve()
    made = named("old/new/deep/a.csv", settings).made
    assert made == (str(root / "old/new/deep"), str(root / "old/new"))
    assert named("old/new/deep/b.csv", settings).made == ()


PIECES = st.sampled_from(
    ["..", ".", "", "a", "b.csv", "link", "~", "C:", "/", "\\", "\0", "é", ".x", "con", "..."]
)


@given(
    parts=st.lists(PIECES | st.text(max_size=8), min_size=1, max_size=6),
    separator=st.sampled_from(["/", "\\", "//"]),
)
@hypothesis_settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_no_path_leaves_the_root(parts: list[str], separator: str, settings: Settings) -> None:
    outside = settings.root.parent / "outside"
    outside.mkdir(exist_ok=True)
    link = settings.root / "link"
    if not link.is_symlink():
        link.symlink_to(outside, target_is_directory=True)
    try:
        found = inside(separator.join(parts), settings)
    except (Forbidden, InvalidSpec):
        return
    assert found.parent.resolve().is_relative_to(settings.root.resolve())
    assert found != settings.root.resolve()
    assert ".." not in found.parts


@posix_only
def test_a_link_out_of_the_root_is_no_way_out(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (settings.root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(Forbidden):
        named("link/a.csv", settings)
    with pytest.raises(Forbidden):
        named("link/new/a.csv", settings)
    assert list((tmp_path / "outside").iterdir()) == []


@posix_only
def test_a_link_inside_the_root_is_followed(settings: Settings) -> None:
    (settings.root / "real").mkdir()
    (settings.root / "link").symlink_to(settings.root / "real")
    assert named("link/a.csv", settings).path == "real/a.csv"


@posix_only
def test_links_in_a_circle_are_refused(settings: Settings) -> None:
    (settings.root / "a").symlink_to(settings.root / "b")
    (settings.root / "b").symlink_to(settings.root / "a")
    with pytest.raises((InvalidSpec, WriteFailed)):
        named("a/x.csv", settings)


@posix_only
def test_a_link_at_the_target_is_what_gets_replaced(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "precious.csv").write_text("precious")
    (settings.root / "link.csv").symlink_to(tmp_path / "precious.csv")
    with pytest.raises(OutputExists):
        named("link.csv", settings)
    assert named("link.csv", settings, "replace").absolute == settings.root.resolve() / "link.csv"


@posix_only
def test_a_pipe_is_not_replaced(settings: Settings) -> None:
    os.mkfifo(settings.root / "pipe.csv")
    with pytest.raises(InvalidSpec, match="pipe"):
        named("pipe.csv", settings, "replace")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that is closed to root too")
def test_a_folder_that_cannot_be_written_is_said_at_once(settings: Settings) -> None:
    with pytest.raises(WriteFailed, match="closed"):
        named("/sys/closed/a.csv", replace(settings, confined=False))


@pytest.mark.parametrize("name", ["con", "NUL.csv", "com1.tar.csv", "ab:c.csv", "a?.csv", "a. "])
def test_names_that_windows_cannot_hold(name: str, settings: Settings) -> None:
    with pytest.raises(InvalidSpec, match="Windows"):
        inside(name, settings, windows=True)
    if sys.platform != "win32":
        assert inside(name, settings, windows=False).name == name


def test_a_name_of_ours_is_composed(settings: Settings) -> None:
    """Both ways to write é (Unicode NFC and NFD) make one name."""
    names = {
        named(None, settings, name=name).absolute.name for name in ("\xe9t\xe9", "e\u0301te\u0301")
    }
    assert len(names) == 1


def test_hidden_names_where_the_server_shows_them(settings: Settings) -> None:
    shows = replace(settings, allow_hidden=True)
    assert named(".hidden/.a.csv", shows).path == ".hidden/.a.csv"
    for path in ("../.a.csv", ".hidden/../../a.csv", "/.a.csv"):
        with pytest.raises(Forbidden):
            named(path, shows)


def test_a_kernel_may_name_any_path(settings: Settings, tmp_path: Path) -> None:
    free = replace(settings, confined=False)
    elsewhere = tmp_path / "elsewhere" / "a.csv"
    target = named(str(elsewhere), free)
    assert target.path == str(elsewhere.resolve())
    assert named("../b.csv", free).absolute == tmp_path.resolve() / "b.csv"
    assert named(".hidden.csv", free).path == ".hidden.csv"


def test_a_home_folder_is_known_in_a_kernel(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    free = replace(settings, confined=False)
    assert named("~/a.csv", free).absolute == tmp_path.resolve() / "a.csv"


def test_rename_takes_the_first_free_name(settings: Settings) -> None:
    assert named("delays.csv.gz", settings, "rename").path == "delays.csv.gz"
    (settings.root / "delays.csv.gz").touch()
    assert named("delays.csv.gz", settings, "rename").path == "delays (1).csv.gz"
    (settings.root / "delays (1).csv.gz").touch()
    assert named("delays.csv.gz", settings, "rename").path == "delays (2).csv.gz"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("delays", "delays"),
        ("Q1/Q2 report: 50%", "Q1_Q2_report_50"),
        ("../../etc/passwd", "etc_passwd"),
        (".hidden", "hidden"),
        ("***", "export"),
        ("日本", "日本"),
        ("é" * 100, "é" * 40),
    ],
)
def test_a_file_without_a_path_is_named_by_us(name: str, file: str, settings: Settings) -> None:
    target = named(None, settings, name=name)
    assert target.path == f"exports/{file}_20260301T120005Z_01234567.csv.gz"
    assert target.temporary
    assert target.absolute.parent.is_dir()


_SEEN = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"])


@given(name=st.text(_SEEN, min_size=1, max_size=200))
@hypothesis_settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_no_name_of_a_spec_leaves_the_output_folder(name: str, settings: Settings) -> None:
    target = named(None, settings, name=name)
    assert target.absolute.parent == settings.root.resolve() / "exports"
    assert len(os.fsencode(target.absolute.name)) <= MAX_NAME_BYTES
    assert not target.absolute.name.startswith(".")


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_the_part_file_is_hidden_beside_the_target(name: str) -> None:
    target = Path("/root") / name
    part = part_of(target, "0123456789abcdef")
    assert part.parent == target.parent
    assert part.name.startswith(".")
    assert part.name.endswith(".0123456789abcdef.1.part")
    # Room for what a folder is called that is being replaced.
    assert len(os.fsencode(f"{part.name}.old")) <= MAX_NAME_BYTES
