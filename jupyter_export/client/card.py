"""How a job looks: one line of text, or a small HTML card. Pure functions of the job's JSON.

One line for each fact; what a format changed stands beside the export that changed it. Colours
follow the theme of the page (JupyterLab's variables, then VS Code's), so that a stored card is
readable in light and dark.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import PurePath, PureWindowsPath
from typing import Any
from urllib.parse import quote

from .protocol import JobJson

ACTIVE = ("pending", "running")


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
        lines += [f"  ▲ {line}" for line in loss_lines(losses(self.state))]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)

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
        phase = phase_of(self.state)
        share = percent(progress)
        bar = (
            ""
            if share is None
            else f'<span class="jx-bar"><i style="width:{share:.1f}%"></i></span>'
        )
        facts = rate(progress)
        return (
            f'<div class="jx-row"><b>{escape(title(self.state))}</b>'
            f'<span class="jx-pill">{escape(phase)}</span>{bar}'
            f'<span class="jx-num">{escape(rows_so_far(progress))}</span>'
            + (f'<span class="jx-muted jx-num">{escape(facts)}</span>' if facts else "")
            + "</div>"
        )

    def _completed(self) -> str:
        result = self.state["result"]
        links = "".join(
            f'<a class="jx-link" href="{escape(self.links[name])}"{extra}>{label}</a>'
            for name, label, extra in (
                ("open", "Open", ""),
                ("download", "Download", ' download target="_blank"'),
            )
            if name in self.links
        )
        head = (
            f'<div class="jx-row"><span class="jx-ok">●</span><b>{escape(title(self.state))}</b>'
            f'<span class="jx-muted jx-num">{escape(facts(self.state, self.columns))}</span>'
            f'<span class="jx-space"></span>{links}</div>'
        )
        return head + self._losses() + _proof(result, self.reader)

    def _ended(self) -> str:
        status = self.state["status"]
        cross = '<span class="jx-err">✕</span>' if status == "failed" else "<span>○</span>"
        error = self.state["error"] or {}
        said = "" if status == "failed" else f'<span class="jx-muted">{escape(status)}</span>'
        if status == "failed" or (error and error.get("code") != "cancelled"):
            said = f"<span>{escape(error.get('message') or 'The export failed.')}</span>"
        hint = error.get("hint") if status == "failed" else None
        return f'<div class="jx-row">{cross}<b>{escape(title(self.state))}</b>{said}</div>' + (
            f'<div class="jx-muted jx-indent">{escape(hint)}</div>' if hint else ""
        )

    def _losses(self) -> str:
        found = losses(self.state)
        if not found:
            return ""
        shown = dict.fromkeys(map(_loss_html, found))
        tag = "span" if len(shown) == 1 else "div"
        lines = "".join(f" <{tag}>{line}</{tag}>" for line in shown)
        return f'<div class="jx-loss"><span class="jx-warn">▲ {changed(found)}</span>{lines}</div>'


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
        speed = progress["rows_per_second"]
        known.append(f"{round(speed, -3 if speed >= 10_000 else 0):,.0f}/s")
    if progress["eta_seconds"] is not None and progress["rows"]:
        known.append(f"{duration(progress['eta_seconds'])} left")
    return " · ".join(known)


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
    known = [phase_of(state), rows_so_far(state["progress"]), rate(state["progress"])]
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
    """Return the seconds from the job's start, waiting included, to its end."""
    try:
        start, end = _moment(state["created_at"]), _moment(state["finished_at"])
    except (TypeError, ValueError, AttributeError):
        return None
    return (end - start).total_seconds()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


# ----------------------------------------------------------------- losses and proof


def losses(state: JobJson) -> Sequence[Mapping[str, Any]]:
    return list(state["result"]["losses"]) if state["result"] else []


def changed(found: Sequence[Mapping[str, Any]], *, would: bool = False) -> str:
    """Return such as ``2 columns changed:``, or ``2 columns would change:``."""
    columns = {(loss.get("dataset"), loss["column"]) for loss in found if not _of_rows(loss)}
    if not columns:
        return "To know:"
    return f"{counted(len(columns), 'column')} {'would change' if would else 'changed'}:"


def loss_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the losses as lines; what is said of several datasets at once is said once."""
    return list(dict.fromkeys(map(loss_text, found)))


def loss_text(loss: Mapping[str, Any]) -> str:
    """Return one loss as a line: column, what happens, how often, and what avoids it."""
    flag = _flag(loss)
    avoid = f" — avoid it with {flag}" if flag else ""
    column = _lost_column(loss)
    return f"{column}{': ' if column else ''}{loss['message']}{_how_often(loss)}{avoid}"


def _loss_html(loss: Mapping[str, Any]) -> str:
    flag = _flag(loss)
    avoid = f" — avoid it with <code>{escape(flag)}</code>" if flag else ""
    said = escape(f"{loss['message']}{_how_often(loss)}")
    column = _lost_column(loss)
    return f"<b>{escape(column)}</b>: {said}{avoid}" if column else f"{said}{avoid}"


def _of_rows(loss: Mapping[str, Any]) -> bool:
    """Tell a loss of a whole dataset, whose name stands for a column."""
    return loss["kind"] in ("not_point_in_time", "rows_beyond_limit")


def _lost_column(loss: Mapping[str, Any]) -> str:
    """Return the column, behind its dataset where the export has several."""
    dataset = loss.get("dataset")
    if loss["kind"] == "not_point_in_time":
        return ""  # Its sentence names the datasets.
    if _of_rows(loss):
        return str(loss["column"])
    return f"{dataset}.{loss['column']}" if dataset else str(loss["column"])


def _flag(loss: Mapping[str, Any]) -> str:
    """Return the magic's flag for the option that avoids the loss; empty where none does."""
    option = str(loss.get("option") or "")
    if option.startswith("format.type="):
        return option.replace("format.type=", "--format ")
    return f"--option {option}" if option else ""


def _how_often(loss: Mapping[str, Any]) -> str:
    """Return such as `` (about 1,200 of them, e.g. “007”)``; empty where nothing is known."""
    known = []
    if loss.get("count"):
        known.append(f"{'about ' if loss.get('estimated') else ''}{loss['count']:,} of them")
    if loss.get("example") is not None:
        known.append(f"e.g. “{loss['example']}”")
    return f" ({', '.join(known)})" if known else ""


def can_be_read(reader: str) -> bool:
    """Tell lines that read a file back from a comment that says why there are none."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in reader.splitlines())


def short_hash(digest: str) -> str:
    return f"{digest[:4]}…{digest[-4:]}"


def _proof(result: Mapping[str, Any], reader: str | None) -> str:
    said = "checked: rows read = written = counted"
    proof = (
        f'<span title="{escape(result["sha256"])}">SHA-256 {short_hash(result["sha256"])}</span>'
    )
    if not reader or not can_be_read(reader):
        return f'<div class="jx-muted">{said} · {proof}</div>'
    return (
        f"<details><summary>read it back · {said} · {proof}</summary>"
        f"<pre>{escape(reader)}</pre></details>"
    )


# ----------------------------------------------------------------- links


def links(state: JobJson, path: str | None, base_path: str | None) -> dict[str, str]:
    """Return the addresses of a finished file for the page that shows the notebook.

    ``open`` is relative to the notebook, which makes JupyterLab open it in a tab of its own;
    ``download`` goes through the server and so works for a file that this machine cannot see. A
    folder is no page to open; its download is a zip.
    """
    if state["status"] != "completed" or base_path is None:
        return {}
    found = {"download": f"{base_path}jupyter-export/v1/jobs/{quote(state['id'])}/download"}
    if path is not None and os.path.isabs(path) and not is_folder(state):
        notebook = os.environ.get("JPY_SESSION_NAME", "")
        folder = os.path.dirname(notebook) if os.path.isabs(notebook) else os.getcwd()
        with suppress(ValueError, OSError):  # Another drive on Windows.
            found["open"] = quote(PurePath(os.path.relpath(path, folder)).as_posix())
    return found


STYLE = """<style>
.jx-card{--jx-fg:var(--jp-ui-font-color1,var(--vscode-foreground,CanvasText));
--jx-muted:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,GrayText));
--jx-line:var(--jp-border-color2,var(--vscode-panel-border,rgba(128,128,128,.35)));
--jx-brand:var(--jp-brand-color1,var(--vscode-progressBar-background,#1976d2));
--jx-ok:var(--jp-success-color1,#1a7f37);--jx-err:var(--jp-error-color1,#cf222e);
--jx-warn:var(--jp-warn-color1,#9a6700);
box-sizing:border-box;max-width:860px;margin:2px 0;padding:8px 12px;border:1px solid var(--jx-line);
border-radius:6px;color:var(--jx-fg);font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif)}
.jx-card .jx-row{display:flex;align-items:center;gap:4px 10px;flex-wrap:wrap}
.jx-card .jx-num{font-variant-numeric:tabular-nums}
.jx-card .jx-muted,.jx-card summary{color:var(--jx-muted)}
.jx-card .jx-indent{margin-left:20px}
.jx-card .jx-space{flex:1}
.jx-card .jx-ok{color:var(--jx-ok)}.jx-card .jx-err{color:var(--jx-err)}
.jx-card .jx-warn{color:var(--jx-warn)}
.jx-card .jx-pill{border:1px solid var(--jx-line);border-radius:10px;padding:0 8px;font-size:11px}
.jx-card .jx-bar{flex:1;min-width:120px;height:6px;border-radius:3px;overflow:hidden;
background:var(--jx-line)}
.jx-card .jx-bar i{display:block;height:100%;background:var(--jx-brand)}
.jx-card a.jx-link{border:1px solid var(--jx-line);border-radius:4px;padding:2px 10px;
font-size:12px;color:var(--jx-fg);text-decoration:none}
.jx-card a.jx-link:hover{border-color:var(--jx-brand);color:var(--jx-brand)}
.jx-card .jx-loss{background:rgba(227,179,65,.16);border-radius:4px;padding:5px 9px;margin-top:6px}
.jx-card details{margin-top:5px}.jx-card summary{cursor:pointer}
.jx-card details pre{margin:5px 0 0;padding:6px 9px;overflow-x:auto;color:inherit;
background:transparent;border:1px solid var(--jx-line);border-radius:4px;
font:12px/1.5 var(--jp-code-font-family,ui-monospace,monospace)}
.jx-card code{font-family:var(--jp-code-font-family,ui-monospace,monospace);color:inherit;
background:transparent}
.jx-card table{border-collapse:collapse;font-size:12px;width:100%}
.jx-card table th,.jx-card table td{padding:2px 8px;text-align:left;
border-bottom:1px solid var(--jx-line)}
</style>"""
