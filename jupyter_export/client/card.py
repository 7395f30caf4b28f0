"""How a job looks: lines of text, a small HTML card, or a document that a front end draws. Pure
functions of the job's JSON.

One line for each fact; what a format changed stands beside the export that changed it. Colours
follow the theme of the page (JupyterLab's variables, then VS Code's), so that a stored card is
readable in light and dark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import PurePath, PureWindowsPath
from typing import Any
from urllib.parse import quote

from .loss_text import changed as changed
from .loss_text import loss_html, lost_columns
from .loss_text import loss_lines as loss_lines
from .protocol import JobJson

ACTIVE = ("pending", "running")
_CSS = files(__package__).joinpath("card.css").read_text("utf-8")
_BLANK = re.compile(r"/\*.*?\*/|(?<=[{};:,])\s+|\s+(?=[{}])", re.DOTALL)
STYLE = f"<style>{_BLANK.sub('', _CSS).strip()}</style>"
"""Every stored card has it, so it is short."""
MANY = 3
"""Losses beyond this many are folded."""
SHORT = 3
"""Lines that read a file back, up to which they are shown in text."""
KEPT_LOSSES = 100
"""Losses in a document at most; a service that still has the job has them all."""
_KEPT = (
    "id", "name", "status", "progress", "format", "created_at", "started_at", "finished_at",
    "expires_at", "attempt", "retry_at", "history", "error",
)  # fmt: skip
_QUICK = 0.1
_FEW_ROWS = 1000


@dataclass(frozen=True)
class Card:
    """What is shown of one job. ``sending`` stands for a job whose rows are still on their way."""

    state: JobJson
    columns: int | None = None
    notes: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    reader: str | None = None

    def text(self) -> str:
        """Return the card as plain lines."""
        lines = [line(self.state, self.columns)]
        path = path_of(self.state)
        if self.state["status"] == "completed" and path != title(self.state):
            lines.append(f"  {path}")
        lines += [f"  ▲ {line}" for line in loss_lines(losses(self.state))]
        lines += [f"  {note}" for note in self.notes]
        if self.state["status"] == "completed" and self.reader and can_be_read(self.reader):
            code = self.reader.strip().splitlines()
            lines += (
                [f"  | {line}" for line in code]
                if len(code) <= SHORT
                else ["  read it back: .read() of this job, whose lines are its .reader"]
            )
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the card for a front end that draws it: ``{"job", "columns", "notes", "reader"}``.

        The job as REST has it, without what a card does not show: of its spec only the file's path
        and the datasets' names, of its result no list of files but their number.
        """
        spec = self.state["spec"]
        job: dict[str, Any] = {name: self.state.get(name) for name in _KEPT}
        datasets = [{"name": each.get("name")} for each in spec.get("datasets") or ()]
        job["spec"] = {"output": {"path": path_of(self.state)}, "datasets": datasets}
        result = self.state["result"]
        job["result"] = result and {
            **{name: result.get(name) for name in ("path", "rows", "bytes", "sha256", "reader")},
            "losses": list(result["losses"][:KEPT_LOSSES]),
            "files": [{"path": file["path"]} for file in result["files"][:1]],
            "file_count": len(result["files"]),
        }
        notes = list(self.notes)
        return {"job": job, "columns": self.columns, "notes": notes, "reader": self.reader}

    @property
    def is_served(self) -> bool:
        """True for a job of a Jupyter server, which a page can ask for its state of now."""
        return "self" in self.links

    def html(self) -> str:
        """Return the card as HTML that needs nothing but itself."""
        status = self.state["status"]
        head = {
            "completed": self._completed,
            "failed": self._ended,
            "cancelled": self._ended,
            "expired": self._ended,
        }.get(status, self._active)()
        notes = "".join(f'<div class="jx-muted">{escape(note)}</div>' for note in self.notes)
        return (
            f'{STYLE}<div class="jx-card" data-jupyter-export-status="{escape(status)}">'
            f"{head}{notes}</div>"
        )

    # ------------------------------------------------------------- one for each status

    def _active(self) -> str:
        progress = self.state["progress"]
        waits = self.state["status"] == "pending"
        known = again(self.state) if waits else rate(progress)
        return (
            f'<div class="jx-row">{self._title()}'
            f'<span class="jx-pill">{escape(phase_of(self.state))}</span>'
            + ("" if waits else self._bar(percent(progress)))
            + f'<span class="jx-num">{escape(rows_so_far(progress))}</span>'
            + (f'<span class="jx-muted jx-num">{escape(known)}</span>' if known else "")
            + f"</div>{_attempts(self.state)}"
        )

    def _bar(self, share: float | None) -> str:
        """Return a bar; one whose end is not known moves, and has no value."""
        known = "" if share is None else f' aria-valuenow="{share:.0f}"'
        done = "" if share is None else f' style="width:{share:.1f}%"'
        return (
            f'<span class="jx-bar{" jx-moving" if share is None else ""}" role="progressbar" '
            f'aria-label="Progress of {escape(title(self.state))}" aria-valuemin="0" '
            f'aria-valuemax="100"{known}><i{done}></i></span>'
        )

    def _completed(self) -> str:
        shown = "".join(
            f'<a class="jx-link" href="{escape(self.links[name])}"{extra}>{label}</a>'
            for name, label, extra in (
                ("open", "Open", ""),
                ("download", "Download", ' download target="_blank"'),
            )
            if name in self.links
        )
        head = (
            f'<div class="jx-row"><span class="jx-ok" aria-label="completed">●</span>'
            f"{self._title()}"
            f'<span class="jx-muted jx-num">{escape(facts(self.state, self.columns))}</span>'
            f'<span class="jx-space"></span>{shown}</div>'
        )
        return head + self._losses() + self._proof()

    def _ended(self) -> str:
        status = self.state["status"]
        cross = (
            '<span class="jx-err" aria-label="failed">✕</span>'
            if status == "failed"
            else '<span aria-hidden="true">○</span>'
        )
        error = self.state["error"] or {}
        said = "" if status == "failed" else f'<span class="jx-muted">{escape(status)}</span>'
        if status == "failed" or (error and error.get("code") != "cancelled"):
            said = f"<span>{escape(error.get('message') or 'The export failed.')}</span>"
        hint = error.get("hint") if status == "failed" else None
        return (
            f'<div class="jx-row">{cross}{self._title()}{said}</div>'
            + (f'<div class="jx-muted jx-indent">{escape(hint)}</div>' if hint else "")
            + _attempts(self.state)
        )

    def _title(self) -> str:
        return f'<b title="{escape(path_of(self.state) or "")}">{escape(title(self.state))}</b>'

    def _losses(self) -> str:
        found = losses(self.state)
        if not found:
            return ""
        shown = loss_html(found)
        if len(shown) > MANY:
            head = f'<span class="jx-warn">▲ {changed(found)}</span>'
            names = escape(", ".join(lost_columns(found)))
            lines = "".join(f"<div>{line}</div>" for line in shown)
            summary = f"<summary>{head} {names}</summary>"
            return f'<details class="jx-loss">{summary}{lines}</details>'
        tag = "span" if len(shown) == 1 else "div"
        lines = "".join(f" <{tag}>{line}</{tag}>" for line in shown)
        return f'<div class="jx-loss"><span class="jx-warn">▲ {changed(found)}</span>{lines}</div>'

    def _proof(self) -> str:
        digest = self.state["result"]["sha256"]
        proof = (
            "checked: rows read = written = counted · "
            f'<span title="{escape(digest)}">SHA-256 {short_hash(digest)}</span>'
        )
        if not self.reader or not can_be_read(self.reader):
            return f'<div class="jx-muted">{proof}</div>{_attempts(self.state)}'
        return (
            f"<details><summary>read it back · {proof}</summary>"
            f"<pre>{escape(self.reader)}</pre></details>{_attempts(self.state)}"
        )


def _attempts(state: JobJson) -> str:
    """Return the attempts that are over, folded."""
    lines = attempt_lines(state)
    if not lines:
        return ""
    shown = "".join(f'<div class="jx-indent">{escape(line)}</div>' for line in lines)
    summary = counted(len(lines), "earlier attempt")
    return f"<details><summary>{summary}</summary>{shown}</details>"


# ----------------------------------------------------------------- words and numbers


def is_folder(state: JobJson) -> bool:
    """Tell whether a completed job made a folder of files, as opposed to one file."""
    result = state["result"]
    return bool(result) and [file["path"] for file in result["files"]] not in ([], [result["path"]])


def path_of(state: JobJson) -> str | None:
    """Return the file's path as the job says it, or None while it has none."""
    if state["result"]:
        return str(state["result"]["path"])
    given = (state["spec"].get("output") or {}).get("path")
    return str(given) if given else None


def title(state: JobJson) -> str:
    """Return the file's name, or the job's name while the file has none."""
    path = path_of(state)
    if path is None:
        return str(state["name"])
    return (PureWindowsPath(path) if "\\" in path else PurePath(path)).name or path


def phase_of(state: JobJson) -> str:
    return "waiting" if state["status"] == "pending" else str(state["progress"]["phase"])


def percent(progress: Mapping[str, Any]) -> float | None:
    """Return 0 to 100, or None where the total is not known."""
    share = progress["percent"]
    if share is None and progress["total_rows"]:
        share = 100.0 * progress["rows"] / progress["total_rows"]
    return None if share is None else min(max(float(share), 0.0), 100.0)


def rows_so_far(progress: Mapping[str, Any]) -> str:
    total = progress["total_rows"]
    if total is None:
        return f"{progress['rows']:,} rows" if progress["rows"] else ""
    return f"{progress['rows']:,} of {total:,} rows"


def rate(progress: Mapping[str, Any]) -> str:
    """Return such as ``410,000/s · 3 s left``; empty while nothing is known."""
    known = []
    if progress["rows_per_second"]:
        known.append(per_second(progress["rows_per_second"]))
    if progress["eta_seconds"] is not None and progress["rows"]:
        known.append(f"{duration(progress['eta_seconds'])} left")
    return " · ".join(known)


def per_second(rows: float) -> str:
    return f"{round(rows, -3 if rows >= 10_000 else 0):,.0f}/s"


def again(state: JobJson) -> str:
    """Return such as ``again at 14:05:08 · attempt 2`` of a job that waits for its next try."""
    known = []
    if state.get("retry_at"):
        known.append(f"again at {_moment(state['retry_at']).astimezone():%H:%M:%S}")
    if (state.get("attempt") or 1) > 1:
        known.append(f"attempt {state['attempt']}")
    return " · ".join(known)


def attempt_lines(state: JobJson) -> list[str]:
    """Return such as ``attempt 1 · failed · after 12 s · The disk is full.``, the oldest first."""
    lines = []
    for over in state.get("history") or ():
        taken = _between(over.get("started_at"), over.get("finished_at"))
        known = [f"attempt {over['attempt']}", str(over["status"])]
        if taken is not None:
            known.append(f"after {duration(taken)}")
        if over.get("error"):
            known.append(str(over["error"]["message"]))
        lines.append(" · ".join(known))
    return lines


def facts(state: JobJson, columns: int | None = None) -> str:
    """Return such as ``27,059 rows · 19 columns · 2.1 MB · 0.4 s`` of a completed job."""
    result = state["result"]
    known = [counted(result["rows"], "row")]
    if columns is not None:
        known.append(counted(columns, "column"))
    datasets = len(state["spec"].get("datasets") or ())
    if datasets > 1:
        known.append(counted(datasets, "dataset"))
    if is_folder(state):
        known.append(counted(len(result["files"]), "file"))
    known.append(size(result["bytes"]))
    taken = seconds_taken(state)
    if taken is not None:
        known.append(duration(taken))
        if taken >= _QUICK and result["rows"] >= _FEW_ROWS:
            known.append(per_second(result["rows"] / taken))
    return " · ".join(known)


def line(state: JobJson, columns: int | None = None) -> str:
    """Return the job in one line of text."""
    status = state["status"]
    if status == "completed":
        return f"● {title(state)} · {facts(state, columns)}"
    if status == "failed":
        error = state["error"] or {}
        said = " ".join(filter(None, (error.get("message"), error.get("hint"))))
        return f"✕ {title(state)} · {said or 'failed'}"
    if status not in ACTIVE:
        return f"○ {title(state)} · {status}"
    so_far = state["progress"]
    known = [phase_of(state), rows_so_far(so_far), rate(so_far), again(state)]
    return " · ".join([f"◌ {title(state)}", *filter(None, known)])


def counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def size(count: int) -> str:
    """Return a number of bytes as people read it (powers of 1000)."""
    if count < 1000:
        return counted(count, "byte")
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def duration(seconds: float) -> str:
    if seconds < 0.095:
        return f"{max(seconds, 0.0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def seconds_taken(state: JobJson) -> float | None:
    """Return the seconds from the start, waiting included, to the end; of a job that was tried
    again those of its last attempt."""
    first = (state.get("attempt") or 1) == 1
    return _between(state["created_at" if first else "started_at"], state["finished_at"])


def _between(start: str | None, end: str | None) -> float | None:
    try:
        return (_moment(end or "") - _moment(start or "")).total_seconds()
    except ValueError:
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def losses(state: JobJson) -> Sequence[Mapping[str, Any]]:
    return list(state["result"]["losses"]) if state["result"] else []


def can_be_read(reader: str) -> bool:
    """Tell lines that read a file back from a comment that says why there are none."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in reader.splitlines())


def short_hash(digest: str) -> str:
    return f"{digest[:4]}…{digest[-4:]}"


# ----------------------------------------------------------------- links


def links(state: JobJson, path: str | None, base_path: str | None) -> dict[str, str]:
    """Return the addresses of a job and its finished file for the page that shows the notebook.

    ``self`` is the job on its Jupyter server; ``open`` is relative to the notebook, which makes
    JupyterLab open it in a tab of its own; ``download`` goes through the server and so works for a
    file that this machine cannot see. A folder is no page to open; its download is a zip.
    """
    if base_path is None:
        return {}
    found = {"self": f"{base_path}jupyter-export/v1/jobs/{quote(state['id'])}"}
    if state["status"] != "completed":
        return found
    found["download"] = f"{found['self']}/download"
    if path is not None and os.path.isabs(path) and not is_folder(state):
        notebook = os.environ.get("JPY_SESSION_NAME", "")
        folder = os.path.dirname(notebook) if os.path.isabs(notebook) else os.getcwd()
        with suppress(ValueError, OSError):  # Another drive on Windows.
            found["open"] = quote(PurePath(os.path.relpath(path, folder)).as_posix())
    return found
