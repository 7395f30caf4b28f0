"""The page's side of the panel: plain files, joined to one module and one style sheet.

There is no build step: what stands in ``view`` is what a browser runs. The parts share one module
scope, in the order of ``PARTS``; the last one says what the module exports.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

PARTS: tuple[str, ...] = (
    "dom.js",
    "icons.js",
    "words.js",
    "readable.js",
    "model.js",
    "controls.js",
    "source.js",
    "columns.js",
    "tree.js",
    "values.js",
    "conditions.js",
    "steps.js",
    "reshape.js",
    "formats.js",
    "shapes.js",
    "options.js",
    "preview.js",
    "footer.js",
    "jobs.js",
    "panel.js",
)
"""Files of JavaScript in ``view``, in the order in which they are joined."""
SHEETS: tuple[str, ...] = (
    "panel.css",
    "controls.css",
    "chips.css",
    "sections.css",
    "outcome.css",
)
"""Files of CSS in ``view``, in the order in which they are joined."""


@cache
def module() -> str:
    """Return the ES module whose default export draws the panel."""
    return _joined(PARTS)


@cache
def style() -> str:
    """Return the style sheet; all its classes begin with ``jxp-``."""
    return _joined(SHEETS)


def _joined(names: tuple[str, ...]) -> str:
    view = files(__package__) / "view"
    return "\n".join((view / name).read_text(encoding="utf-8") for name in names)
