"""``%export`` and ``%%export``: a line of the notebook becomes a job, shown while it runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..client.job import Job
from . import completion
from .magics import ExportMagics


def load(shell: Any) -> None:
    """Register the magics, their completion, and the way a ``Job`` displays itself."""
    magics = ExportMagics(shell)
    shell.register_magics(magics)
    shell.display_formatter.ipython_display_formatter.for_type(Job, magics.display_job)
    completion.register(shell)


def unload(shell: Any) -> None:
    completion.unregister(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("export", None)
    with suppress(KeyError):
        shell.display_formatter.ipython_display_formatter.pop(Job)
