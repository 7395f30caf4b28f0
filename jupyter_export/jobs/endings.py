"""Why a job ended without a file: one sentence each."""

from __future__ import annotations

from ..errors import Cancelled, ExportError, Interrupted, TimedOut, WorkerCrashed
from .worker import OUT_OF_MEMORY_EXIT, out_of_memory


def cancelled() -> Cancelled:
    return Cancelled("The export was cancelled.")


def interrupted(how: str = "stopped") -> Interrupted:
    return Interrupted(f"The export was interrupted because its service {how}.", hint="Retry it.")


def not_again(how: str, reason: str) -> Interrupted:
    """Return the error of a job that was interrupted and cannot be run again, for that reason."""
    return Interrupted(
        f"The export was interrupted because its service {how}. It was not run again: {reason}",
        hint="Retry it if that does no harm.",
    )


def timed_out(seconds: int) -> TimedOut:
    return TimedOut(
        f"The export took longer than {seconds:,} seconds and was stopped.",
        hint="Export fewer rows, or raise job_timeout.",
    )


def crashed(code: int) -> ExportError:
    """Say why a worker ended in the middle of a job. ``code`` as ``Popen.returncode``."""
    if code == OUT_OF_MEMORY_EXIT:
        return out_of_memory()
    if code == -9:
        return WorkerCrashed(
            "The worker of this export was killed (signal 9), most likely because the machine ran "
            "out of memory.",
            hint="Export fewer columns or rows, or lower memory_limit_per_job or max_workers.",
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return WorkerCrashed(
        f"The worker of this export ended unexpectedly ({how}).",
        hint="Retry it; the reason is in the log, at level debug.",
    )
