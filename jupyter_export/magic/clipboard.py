"""``--to clipboard``: a small table for a spreadsheet or a mail, by the way of every export.

The rows come as CSV with tabs, which is the text of the clipboard; its HTML is the same cells. In
a notebook the page has the clipboard, in a terminal the machine.
"""

from __future__ import annotations

import base64
import csv
import importlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from html import escape
from typing import Any

from ..client.card import counted
from ..client.export import streamed
from ..client.loss_text import changed, loss_lines
from ..errors import Cancelled, InvalidRequest, NotReady, TooLarge
from . import live

MAX_CELLS = 50_000
MAX_BYTES = 5_000_000
"""Of the text; whoever pastes more waits for the other program, if it takes it at all."""
MAX_OSC52 = 74_994
"""Bytes that terminals take in one OSC 52 sequence: 100,000 characters of base64 in xterm."""
PATIENCE = 10
"""Seconds that a program of the machine may take."""
_FIXED = {
    "delimiter", "quote", "quote_char", "escape_char", "encoding", "line_terminator",
    "rows_per_file", "bytes_per_file",
}  # fmt: skip
"""Options of CSV that say how a file is written, not what its cells are."""


@dataclass(frozen=True)
class Copy:
    """What goes to the clipboard. ``rows`` are those below the heading, if there is one."""

    text: str
    html: str
    rows: int
    columns: int
    losses: Sequence[Mapping[str, Any]] = ()

    @property
    def shape(self) -> str:
        return f"{counted(self.rows, 'row')} × {counted(self.columns, 'column')}"

    @property
    def notes(self) -> list[str]:
        """The losses as lines, as a card has them."""
        if not self.losses:
            return []
        return [f"▲ {changed(self.losses)}", *loss_lines(self.losses)]


def copy(source: Any, fields: dict[str, Any], shell: Any) -> None:
    """Put the rows of ``source`` on the clipboard and show what came of it.

    ``fields`` are those of ``client.export.start``. Raises ``TooLarge`` beyond ``MAX_CELLS`` or
    ``MAX_BYTES``, ``InvalidRequest`` for several tables and for what belongs to a file,
    ``NotReady`` where no clipboard is in reach, and what an export raises.
    """
    try:
        found = read(source, fields)
    except KeyboardInterrupt:
        raise Cancelled("The copy was interrupted; the clipboard is as it was.") from None
    if live.has_front_end(shell):
        from .clipboard_widget import show

        show(found)
    else:
        print("\n  ".join([to_machine(found), *found.notes]))


def read(source: Any, fields: Mapping[str, Any]) -> Copy:
    """Return the rows of ``source`` as text and as HTML."""
    given = {name: value for name, value in fields.items() if value is not None}
    given.pop("if_exists", None)
    given.pop("remarks", None)
    options = dict(given.pop("options", None) or {})
    _refuse_what_is_of_a_file(source, given, options)
    head, pieces = streamed(
        source, options={**options, "delimiter": "tab"}, **{**given, "format": "csv"}
    )
    (dataset,) = head["datasets"]
    columns = len(dataset["columns"])
    text = _text(pieces, columns, dataset["total_rows"])
    cells = _cells(text)
    heading = 0 if options.get("header", True) is False else 1
    rows = len(cells) - heading
    if rows * columns > MAX_CELLS:
        raise _too_large(f"{rows * columns:,} cells")
    return Copy(text, table(cells, heading), rows, columns, tuple(head["losses"]))


def _refuse_what_is_of_a_file(
    source: Any, given: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    if isinstance(source, Mapping) and not isinstance(source.get("type"), str) and len(source) > 1:
        raise InvalidRequest(
            f"The clipboard holds one table, and the line names {len(source)}.",
            hint="Copy one after the other, or export them to a workbook.",
        )
    if given.get("compression") not in (None, "none"):
        raise InvalidRequest("--compress is of a file; the clipboard holds the rows themselves.")
    chosen = given.get("format")
    kind = chosen.get("type") if isinstance(chosen, Mapping) else chosen
    if kind not in (None, "csv"):
        raise InvalidRequest(
            f"The clipboard holds cells, not {kind}.",
            hint="Leave --format out; the rows are copied as text and as an HTML table.",
        )
    fixed = sorted(_FIXED & options.keys())
    if fixed:
        raise InvalidRequest(
            f"The option “{fixed[0]}” is of a file; cells on the clipboard are apart by tabs.",
            hint="Leave it out.",
        )


def _text(pieces: Generator[bytes], columns: int, rows: int | None) -> str:
    """Return the text; stop as soon as it is too large."""
    with closing(pieces):
        if rows is not None and rows * columns > MAX_CELLS:
            raise _too_large(f"{rows * columns:,} cells")
        parts: list[bytes] = []
        size = 0
        for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise _too_large(f"more than {MAX_BYTES // 1_000_000} MB")
    return b"".join(parts).decode()


def _cells(text: str) -> list[list[str]]:
    """Return the cells of a text; a null, alone in its row, is a row too."""
    longest = csv.field_size_limit(MAX_BYTES)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
        return [row or [""] for row in reader]
    finally:
        csv.field_size_limit(longest)


def _too_large(much: str) -> TooLarge:
    return TooLarge(
        f"The clipboard is for small tables: these are {much}, and {MAX_CELLS:,} cells or "
        f"{MAX_BYTES // 1_000_000} MB are the most.",
        hint="Add --limit, or export to a file.",
    )


def table(cells: Sequence[Sequence[str]], heading: int = 1) -> str:
    """Return ``cells`` as an HTML table as programs paste it; a line end stays in its cell."""
    rows = []
    for number, row in enumerate(cells):
        tag = "th" if number < heading else "td"
        shown = (escape(cell, quote=False).replace("\n", "<br>") for cell in row)
        rows.append(f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in shown)}</tr>")
    return f"<table>{''.join(rows)}</table>"


# ----------------------------------------------------------------- a terminal's machine


def to_machine(found: Copy) -> str:
    """Copy the text by what this machine has, and return what was done.

    Raises ``NotReady`` where it has nothing.
    """
    by = _by_library(found.text) or _by_program(found.text)
    if by:
        return f"● Copied {found.shape} to the clipboard by {by}."
    if not sys.stdout.isatty():
        raise _out_of_reach()
    data = found.text.encode()
    if len(data) > MAX_OSC52:
        raise _out_of_reach(f", and the terminal takes at most {MAX_OSC52:,} bytes")
    sys.stdout.write(f"\x1b]52;c;{base64.b64encode(data).decode()}\x07")
    sys.stdout.flush()
    return (
        f"● Sent {found.shape} to the terminal, which copies them if it knows OSC 52. "
        "If nothing can be pasted, install pyperclip, or export to a file."
    )


def _out_of_reach(more: str = "") -> NotReady:
    return NotReady(
        f"No clipboard is in reach of this process{more}.",
        hint="Install pyperclip, xclip or wl-clipboard where there is a desktop; else export to a "
        "file.",
    )


def _by_library(text: str) -> str | None:
    """Copy with pyperclip, which knows more machines than we do, where it is installed."""
    if importlib.util.find_spec("pyperclip") is None:
        return None
    library = importlib.import_module("pyperclip")
    try:
        library.copy(text)
    except library.PyperclipException:
        return None  # It found no clipboard; nothing was copied.
    return "pyperclip"


def _by_program(text: str) -> str | None:
    """Copy with the first program that there is and that succeeds; return its name."""
    for command, encoding in commands(sys.platform, os.environ):
        program = shutil.which(command[0])
        if program is None:
            continue
        with suppress(OSError, subprocess.SubprocessError):
            # xclip stays behind to serve the text: an open pipe would wait for its end.
            subprocess.run(
                [program, *command[1:]],
                input=text.encode(encoding),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE,
                check=True,
            )
            return command[0]
    return None


def commands(platform: str, environment: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Return the programs that may reach the clipboard, and the encoding that each reads."""
    found: list[tuple[list[str], str]] = []
    if platform == "darwin":
        found.append((["pbcopy"], "utf-8"))
    if platform == "win32":
        found.append((["clip"], "utf-16"))
    if environment.get("WAYLAND_DISPLAY"):
        found.append((["wl-copy", "--type", "text/plain"], "utf-8"))
    if environment.get("DISPLAY"):
        found.append((["xclip", "-selection", "clipboard"], "utf-8"))
        found.append((["xsel", "--clipboard", "--input"], "utf-8"))
    if environment.get("WSL_DISTRO_NAME"):
        found.append((["clip.exe"], "utf-16"))
    return found
