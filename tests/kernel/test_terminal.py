"""IPython in a real terminal, driven as a person drives it: keys in, a screen out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from jupyter_export.client.find import ROOT, SERVER, TOKEN

from .conftest import SOURCE

CONFIG = """\
c.HistoryManager.enabled = False
c.TerminalInteractiveShell.autosuggestions_provider = None
c.TerminalInteractiveShell.colors = "nocolor"
c.TerminalInteractiveShell.confirm_exit = False
c.TerminalInteractiveShell.display_completions = "readlinelike"
c.TerminalInteractiveShell.term_title = False
c.TerminalIPythonApp.display_banner = False
"""
SETUP = """\
import pandas as pd, numpy as np
flights = pd.DataFrame({"carrier": ["UA", "AA"], "delay": [5.0, None], "code": ["007", "9"]})
zoned = flights.assign(at=pd.Timestamp("2013-01-01", tz="Europe/Paris"))
large = pd.DataFrame({"number": np.arange(400_000), "text": "some text that takes its time"})
"""
_CODES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>78])")
_CODE = r"(?:\x1b\[[0-9;?]*[a-zA-Z])*"


class Terminal:
    """``run`` types a line and returns what the screen shows until the next prompt."""

    def __init__(self, folder: Path) -> None:
        profile = folder / "ipython" / "profile_default"
        (profile / "startup").mkdir(parents=True)
        (profile / "ipython_config.py").write_text(f"c = get_config()\n{CONFIG}")
        (profile / "startup" / "frames.py").write_text(SETUP)
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "IPYTHONDIR": str(folder / "ipython"),
            "XDG_STATE_HOME": str(folder / "state"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        for name in (SERVER, TOKEN, ROOT, "JPY_PARENT_PID", "JPY_SESSION_NAME", "NO_COLOR"):
            environment.pop(name, None)
        self.here = folder / "here"
        self.child = pexpect.spawn(
            sys.executable, ["-m", "IPython"], env=environment, cwd=str(self.here),
            encoding="utf-8", timeout=90, dimensions=(50, 100),
        )  # fmt: skip
        self._number = 0
        self.prompt()

    def prompt(self) -> str:
        self._number += 1
        self.child.expect(rf"In {_CODE}\[{_CODE}{self._number}{_CODE}\]:")
        before: str = self.child.before or ""
        return _CODES.sub("", before)

    def run(self, line: str) -> str:
        self.child.send(line + "\r")
        return self.prompt()

    def shows(self, pattern: str) -> str:
        """Wait until the screen shows ``pattern``; return it."""
        self.child.expect(pattern)
        found: str = self.child.match.group()
        return found


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    running = Terminal(tmp_path)
    try:
        yield running
    finally:
        running.child.send("\x15exit\r")
        try:
            running.child.expect(pexpect.EOF, timeout=30)
        finally:
            running.child.close(force=True)


def test_a_session(terminal: Terminal) -> None:
    terminal.run("%load_ext jupyter_export")

    said = terminal.run("%export flights out/flights.parquet")
    assert "● flights.parquet · 2 rows · 3 columns" in said
    assert "  out/flights.parquet" in said
    assert "pq.read_table('out/flights.parquet')" in said
    assert (terminal.here / "out/flights.parquet").stat().st_size > 0

    said = terminal.run("%export flights flights.csv")
    assert "▲ code: " in said
    assert "avoid it with --format excel" in said

    said = terminal.run('%export flights --preview --where "delay > 1"')
    assert re.search(r"carrier +delay +code", said)
    assert re.search(r"UA +5\.0 +007", said)
    assert not re.search(r"^ *AA ", said, re.MULTILINE)
    assert "▲ 1 column would change:" in said

    said = terminal.run('%export flights a.csv --where "dlay > 1"')
    assert "“dlay”" in said
    assert "Did you mean delay?" in said
    line, caret = said.rstrip().splitlines()[-2:]
    assert caret.strip() == "^^^^"
    assert line[caret.index("^") :].startswith("dlay")
    assert "Traceback" not in said

    said = terminal.run("%export zoned zoned.xlsx --no-wait")
    assert "zoned.xlsx" in said
    assert "zoned.xlsx" in terminal.run("%export --jobs")

    said = terminal.run("%export flights packed.csv --compre\t gzip")
    assert "--compress gzip" in said
    assert (terminal.here / "packed.csv").read_bytes()[:2] == b"\x1f\x8b"

    terminal.child.send("%export large large.pdf\r")
    terminal.shows(r"\r◌ large\.pdf · [^\r]*[0-9,]+ of 400,000 rows")
    terminal.child.sendcontrol("c")
    said = terminal.prompt()
    assert "The export of large.pdf was interrupted and cancelled; nothing was written." in said
    assert "Traceback" not in said
    terminal.run("import os")
    assert not [each.name for each in terminal.here.rglob("*large*")]
