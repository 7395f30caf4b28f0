"""Runs that nobody watches: papermill, nbclient, ``jupyter nbconvert --execute``."""

from __future__ import annotations

from typing import Any

from ..client.job import Job

NOTE = "The cell waited: nobody watches this run, and the job would end with its kernel."


def ends_with_run(job: Job, shell: Any) -> bool:
    """Tell whether ``job`` would be lost with the run: nobody sits in front of it, so its kernel is
    ended behind the last cell, and the job is run by that kernel.

    A job of a server goes on by itself. Whoever executes a notebook says with each cell that it
    can answer no question (``allow_stdin``, Jupyter messaging, “execute”); front ends can.
    """
    return not (job.final or job.card().is_served or _can_be_asked(shell))


def _can_be_asked(shell: Any) -> bool:
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return True  # A terminal; a script there waits for its exports when it ends.
    content = (kernel.get_parent("shell") or {}).get("content", {})
    return bool(content.get("allow_stdin", True))
