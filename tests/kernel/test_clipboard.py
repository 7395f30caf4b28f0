"""``--to clipboard``: the cells, the limits, and the programs of a machine."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from jupyter_export.errors import InvalidRequest, NotReady, TooLarge
from jupyter_export.magic import clipboard, clipboard_widget
from jupyter_export.magic.clipboard import Copy, commands, copy, read, table, to_machine
from jupyter_export.magic.clipboard_widget import ClipboardWidget

FRAME = pd.DataFrame(
    {
        "n": pd.array([1, None, 3], "Int64"),
        "text": ['a\tb "c"\nd', None, "<i>&</i> é"],
        "list": [[1, 2], None, []],
    }
)
LOSS = {"kind": "x", "column": "a", "message": "it <changes>"}
NOT_A_NOTEBOOK = SimpleNamespace(kernel=None)


def test_the_cells_are_those_of_the_pipeline_in_both_kinds_and_not_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One test, since the service of this process is started once for it."""
    found = read(FRAME, {"name": "x", "where": "n is not null", "if_exists": None})
    assert found.text == (
        "n\ttext\tlist\n"
        '1\t"a\tb ""c""\nd"\t[1,2]\n'
        "3\t<i>&</i> é\t[]\n"
    )  # fmt: skip
    assert found.html == (
        "<table><tr><th>n</th><th>text</th><th>list</th></tr>"
        '<tr><td>1</td><td>a\tb "c"<br>d</td><td>[1,2]</td></tr>'
        "<tr><td>3</td><td>&lt;i&gt;&amp;&lt;/i&gt; é</td><td>[]</td></tr></table>"
    )
    assert found.shape == "2 rows × 3 columns"
    assert found.notes[0] == "▲ 1 column changed:"
    assert found.notes[1].startswith("list: ")

    long = pd.DataFrame({"a": [None, "x" * 200_000, None]})
    found = read(long, {"name": "x", "options": {"header": False}})
    assert found.rows == 3
    assert found.html.startswith("<table><tr><td></td></tr><tr><td>xxx")

    many = pd.DataFrame({"a": range(50_001), "b": 0})
    with pytest.raises(TooLarge, match="100,002 cells") as told:
        read(many, {"name": "x"})
    assert "--limit" in str(told.value.hint)
    monkeypatch.setattr(clipboard, "MAX_BYTES", 1000)
    with pytest.raises(TooLarge, match="MB are the most"):
        read(many, {"name": "x", "limit": 20_000})


@pytest.mark.parametrize(
    ("source", "fields", "said"),
    [
        ({"a": FRAME, "b": FRAME}, {}, "holds one table, and the line names 2"),
        (FRAME, {"compression": "gzip"}, "--compress"),
        (FRAME, {"format": "excel"}, "not excel"),
        (FRAME, {"options": {"delimiter": ";"}}, "apart by tabs"),
    ],
)
def test_what_belongs_to_a_file_is_refused(source: Any, fields: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read(source, {"name": "x", **fields})


def test_a_heading_is_marked_where_there_is_one() -> None:
    assert table([["a"], ["b"]]) == "<table><tr><th>a</th></tr><tr><td>b</td></tr></table>"
    assert "<th>" not in table([["a"]], 0)


@pytest.mark.parametrize(
    ("platform", "environment", "names"),
    [
        ("darwin", {}, ["pbcopy"]),
        ("win32", {}, ["clip"]),
        ("linux", {}, []),
        ("linux", {"DISPLAY": ":0"}, ["xclip", "xsel"]),
        ("linux", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}, ["wl-copy", "xclip", "xsel"]),
        ("linux", {"WSL_DISTRO_NAME": "Debian"}, ["clip.exe"]),
    ],
)
def test_each_machine_has_its_programs(
    platform: str, environment: dict[str, str], names: list[str]
) -> None:
    assert [command[0] for command, _ in commands(platform, environment)] == names


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop without programs: an empty folder is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(clipboard, "_by_library", lambda text: None)
    return folder


def test_the_first_program_that_succeeds_copies(
    programs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _program(programs / "xclip", "sys.exit(1)")
    got = tmp_path / "got"
    _program(programs / "xsel", f"open({str(got)!r}, 'wb').write(sys.stdin.buffer.read())")
    found = Copy("a\n1\né\n", "<table></table>", 2, 1, [LOSS])
    monkeypatch.setattr(clipboard, "read", lambda source, fields: found)
    copy(FRAME, {}, NOT_A_NOTEBOOK)
    assert capsys.readouterr().out == (
        "● Copied 2 rows × 1 column to the clipboard by xsel.\n"
        "  ▲ 1 column changed:\n"
        "  a: it <changes>\n"
    )
    assert got.read_bytes() == "a\n1\né\n".encode()


def test_a_terminal_is_asked_and_what_it_may_do_is_said(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = Copy("a\n1\n", "<table></table>", 1, 1)
    with pytest.raises(NotReady, match="No clipboard is in reach"):
        to_machine(small)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "if it knows OSC 52" in to_machine(small)
    assert capsys.readouterr().out == "\x1b]52;c;YQoxCg==\x07"
    with pytest.raises(NotReady, match="at most 74,994 bytes"):
        to_machine(Copy("x" * 80_000, "", 1, 1))


def test_a_notebook_gets_a_widget_and_then_a_sentence_that_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[dict[str, Any]] = []
    handle = SimpleNamespace(update=lambda bundle, raw: shown.append(bundle))
    made: list[ClipboardWidget] = []

    def make(**given: Any) -> ClipboardWidget:
        made.append(ClipboardWidget(**given))
        return made[0]

    def publish(bundle: dict[str, Any], **_: Any) -> Any:
        shown.append(bundle)
        return handle

    monkeypatch.setattr(clipboard_widget, "ClipboardWidget", make)
    monkeypatch.setattr(clipboard_widget, "display", publish)
    found = Copy("a\n1\n", "<table></table>", 2, 1, [LOSS])
    monkeypatch.setattr(clipboard, "read", lambda source, fields: found)

    copy(FRAME, {}, SimpleNamespace(kernel=object()))
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert shown[0]["text/plain"].startswith("○ 2 rows × 1 column, for the clipboard")
    assert made[0].text == "a\n1\n"

    made[0].state = "copied"
    assert set(shown[1]) == {"text/plain", "text/html"}
    assert shown[1]["text/plain"].startswith("● Copied 2 rows × 1 column\n  ▲ 1 column")
    assert 'data-state="copied"' in shown[1]["text/html"]
    assert "it &lt;changes&gt;" in shown[1]["text/html"]


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    assert os.access(path, os.X_OK)
