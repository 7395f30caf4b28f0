"""The card of a running export: drawn again while it runs, kept in the notebook as it ended."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Protocol

from IPython.display import display

from ..client.card import Card
from ..client.job import Job
from ..errors import ExportError

CARD = "application/vnd.jupyter-export.job.v1+json"
"""The MIME type of a card as a document, which the JupyterLab extension draws."""
REDRAW = 0.1
"""Shortest time between two drawings, in seconds: a page draws no faster than is read."""
PATIENCE = 0.25
"""An export that takes less than this is drawn once, finished."""


class Surface(Protocol):
    """Where a card is drawn. ``final`` is the last drawing, the one that is kept."""

    def draw(self, card: Card, *, final: bool) -> None: ...

    def leave(self) -> None:
        """End without a final card: an error will be shown instead."""


def _display(bundle: dict[str, Any], *, display_id: bool = False) -> Any:
    """Publish a mime bundle; return the handle that updates it, if it is to have an id."""
    return display(bundle, raw=True, display_id=display_id or None)  # type: ignore[no-untyped-call]


def _bundle(card: Card) -> dict[str, Any]:
    """Return the card for every front end; one with our extension draws the first of these, and
    asks the server for what becomes of the job when no kernel tells it any more."""
    own = {CARD: card.document()} if card.is_served else {}
    return {**own, "text/html": card.html(), "text/plain": card.text()}


class NotebookSurface:
    """One output of the cell, updated in place and stored with the notebook.

    ``update_display`` reaches every front end and needs no widget, so the card is the same after
    a reload, in a converted notebook and without a kernel.
    """

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, card: Card, *, final: bool) -> None:
        self.publish(_bundle(card))

    def publish(self, bundle: dict[str, Any]) -> None:
        if self._handle is None:
            self._handle = _display(bundle, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def leave(self) -> None:
        if self._handle is not None:
            self.publish({"text/plain": ""})


class TerminalSurface:
    """One line that is written over while it runs, where there is a terminal to do so."""

    def __init__(self) -> None:
        self._width = 0

    def draw(self, card: Card, *, final: bool) -> None:
        if final:
            self._over("")
            print(card.text())
        elif sys.stdout.isatty():
            self._over(card.text().splitlines()[0])

    def leave(self) -> None:
        self._over("")

    def _over(self, text: str) -> None:
        # a line that wraps is not written over
        text = text[: max(shutil.get_terminal_size().columns - 1, 1)]
        if text or self._width:
            sys.stdout.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
            sys.stdout.flush()
        self._width = len(text)


def surface_for(shell: Any) -> Surface:
    """Return a notebook's surface where there is a kernel, else a terminal's."""
    return NotebookSurface() if has_front_end(shell) else TerminalSurface()


def has_front_end(shell: Any) -> bool:
    return getattr(shell, "kernel", None) is not None


class Sending:
    """The card before there is a job: rows are on their way to the service."""

    def __init__(self, surface: Surface, title: str, rows: int | None) -> None:
        self._surface = surface
        self._state = {
            "id": "",
            "name": title,
            "status": "running",
            "spec": {},
            "result": None,
            "error": None,
            "progress": {
                "phase": "sending",
                "rows": 0,
                "total_rows": None,
                "percent": None,
                "bytes": 0,
                "rows_per_second": None,
                "eta_seconds": None,
            },
        }
        if rows is not None:
            self._state["progress"] |= {"rows": rows}  # type: ignore[operator]
        self._timer = threading.Timer(PATIENCE, self._draw)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._over = False

    def __enter__(self) -> Sending:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True

    def _draw(self) -> None:
        with self._lock:
            if not self._over:
                self._surface.draw(Card(self._state), final=False)


def follow(job: Job, surface: Surface) -> None:
    """Draw ``job`` until it is final. Raises ``ExportError`` when its service is lost."""
    drawn = 0.0
    for state in job.watch():
        now = time.monotonic()
        if job.final:
            break
        if now - drawn >= REDRAW or state["status"] == "pending":
            surface.draw(job.card(), final=False)
            drawn = now
    surface.draw(job.card(), final=True)


# ----------------------------------------------------------------- --no-wait


def show_unattended(job: Job, surface: Surface) -> None:
    """Draw a card that follows ``job`` after the cell has ended, with a button that cancels.

    JupyterLab's extension draws the card with a button of its own. Elsewhere it is a widget,
    because a click must reach the kernel, in the same output, with HTML for a page that has
    neither. When the job ends the output is the final card, so nothing stored needs a kernel.
    """
    if job.final or not isinstance(surface, NotebookSurface):
        surface.draw(job.card(), final=True)
        return
    widget = _widget_card(job)
    if widget is None:
        surface.draw(job.card(), final=False)
    else:
        view = widget[0]._repr_mimebundle_()
        data = view[0] if isinstance(view, tuple) else view
        surface.publish({**(data or {}), **_bundle(job.card())})
    threading.Thread(
        target=_follow_unattended,
        args=(job, surface, widget),
        name=f"jupyter-export-{job.id[:8]}",
        daemon=True,
    ).start()


def _follow_unattended(job: Job, surface: NotebookSurface, widget: tuple[Any, Any] | None) -> None:
    """Redraw until the job is final. Never print here: it would land in whichever cell runs."""
    drawn = 0.0
    with suppress(ExportError):
        for _ in job.watch():
            if time.monotonic() - drawn < REDRAW or job.final:
                continue
            drawn = time.monotonic()
            if widget is None:
                surface.draw(job.card(), final=False)
            else:
                widget[1].value = job.card().html()
    surface.draw(job.card(), final=True)
    if widget is not None:
        widget[0].close()


def _widget_card(job: Job) -> tuple[Any, Any] | None:
    """Return (box, html) of a card with a button, or None where ipywidgets is not installed."""
    try:
        import ipywidgets
    except ImportError:
        return None
    html = ipywidgets.HTML(job.card().html(), layout={"flex": "1 1 auto"})
    button = ipywidgets.Button(description="Cancel", layout={"width": "auto"})
    button.add_class("jupyter-export-cancel")

    def cancel(_: object) -> None:
        button.disabled = True
        with suppress(ExportError):
            job.cancel()

    button.on_click(cancel)
    box = ipywidgets.HBox([html, button], layout={"max_width": "860px", "align_items": "center"})
    return box, html


# ----------------------------------------------------------------- lists


def show_table(page: dict[str, Any], shell: Any) -> None:
    """Show a list of jobs, newest first."""
    from ..client.listing import table_html, table_text

    text = table_text(page["jobs"])
    if has_front_end(shell):
        _display({"text/html": table_html(page["jobs"]), "text/plain": text})
    else:
        print(text)
