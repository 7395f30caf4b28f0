"""A table on its way to the clipboard of the page that shows the notebook."""

from __future__ import annotations

import threading
from html import escape
from importlib.resources import files
from typing import Any

import anywidget
import traitlets
from IPython.display import display

from .clipboard import Copy

ARRIVAL = 10.0
"""Seconds after which the page does not copy by itself: who looks later did not just ask for it."""
_CSS = files(__package__).joinpath("clipboard.css").read_text("utf-8")


class ClipboardWidget(anywidget.AnyWidget):
    """Copies on arrival where the page may, else shows a button; ``state`` says what came of it:
    ``new``, ``copied``, ``ready`` (press the button) or ``refused`` (copy by hand)."""

    _esm = files(__package__).joinpath("clipboard.js").read_text("utf-8")
    _css = _CSS
    text = traitlets.Unicode().tag(sync=True)
    html = traitlets.Unicode().tag(sync=True)
    shape = traitlets.Unicode().tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    state = traitlets.Unicode("new").tag(sync=True)


def show(found: Copy) -> None:
    """Show a widget that copies. When it has, the output becomes the plain sentence of that, so
    that nothing stored needs a kernel."""
    widget = ClipboardWidget(text=found.text, html=found.html, shape=found.shape, notes=found.notes)

    def too_late() -> None:
        if widget.state == "new":
            widget.state = "ready"

    def changed(_: object) -> None:
        if widget.state == "copied":
            handle.update(_plain(f"Copied {found.shape}", found, "copied"), raw=True)
            widget.close()

    widget.observe(changed, "state")
    timer = threading.Timer(ARRIVAL, too_late)
    timer.daemon = True
    timer.start()
    view: Any = widget._repr_mimebundle_() or {}
    bundle = view[0] if isinstance(view, tuple) else view
    said = f"{found.shape}, for the clipboard of a page that runs widgets"
    handle: Any = display(  # type: ignore[no-untyped-call]
        {**bundle, **_plain(said, found, "new")}, raw=True, display_id=True
    )


def _plain(said: str, found: Copy, state: str) -> dict[str, str]:
    mark = "●" if state == "copied" else "○"
    notes = "".join(f'<div class="jxc-note">{escape(note)}</div>' for note in found.notes)
    return {
        "text/plain": "\n  ".join([f"{mark} {said}", *found.notes]),
        "text/html": f'<style>{_CSS}</style><div class="jxc-clipboard" data-state="{state}">'
        f'<div class="jxc-line"><span class="jxc-mark" aria-hidden="true">{mark}</span>'
        f'<span class="jxc-said">{escape(said)}</span></div>{notes}</div>',
    }
