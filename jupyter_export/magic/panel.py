"""``%export --panel``: the panel, with what the line says filled in."""

from __future__ import annotations

from typing import Any

from IPython.display import display

from ..client.notebook import Namespace
from ..errors import InvalidRequest, MissingDependency
from .arguments import Arguments
from .options import typed_options
from .request import request_of
from .templates import document_of


def show_panel(asked: Arguments, cell: str | None, names: Namespace) -> None:
    """Display the panel. Raises ``ExportError`` for a line that is wrong, as an export does."""
    display(made(asked, cell, names))  # type: ignore[no-untyped-call]


def made(asked: Arguments, cell: str | None, names: Namespace) -> Any:
    """Return the panel that a line asks for."""
    import jupyter_export

    try:
        panel: Any = jupyter_export.ExportPanel
    except ImportError as error:
        raise MissingDependency(
            "The panel needs anywidget, which is not installed.",
            hint="Install it: pip install anywidget.",
        ) from error
    if not asked.words and cell is None and asked.template is None:
        flags = {each.flag for each in asked.places.flags} - {"--panel", "--debug"}
        if flags:
            raise InvalidRequest(
                f"{min(flags)} needs a frame.", hint="Write %export --panel FRAME, then the flags."
            )
        return panel()
    request = request_of(asked, cell, names)
    request.fields["options"] = typed_options(asked, request)
    if list(request.described) != [None]:
        return panel(spec=document_of(request))
    shown = panel(request.source, request.path)  # an expression, which has no name of its own
    request.described = [shown.spec["source"]]
    shown.spec = document_of(request)
    return shown
