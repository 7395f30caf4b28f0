"""When a job that failed is tried again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import (
    ConnectionFailed,
    ConnectionLost,
    DiskFull,
    ExportError,
    Interrupted,
    ServerUnavailable,
    ShuttingDown,
    Throttled,
    WorkerCrashed,
)
from .model import Job
from .settings import Backoff, Settings

PASSING: tuple[type[ExportError], ...] = (
    ConnectionFailed,
    ConnectionLost,
    DiskFull,
    Interrupted,
    ServerUnavailable,
    ShuttingDown,
    Throttled,
    WorkerCrashed,
)
"""What time may heal. All else would fail in the same way: the query is wrong, a user or an
administrator has decided, or the same rows would need the same time, memory and losses again."""


def may_pass(error: ExportError) -> bool:
    """Return whether the same job may succeed when it is run again, and nothing was changed."""
    return isinstance(error, PASSING)


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how long apart. Times in seconds."""

    max_attempts: int
    backoff: Backoff
    first_delay: float
    max_delay: float

    @classmethod
    def of(cls, settings: Settings) -> RetryPolicy:
        return cls(
            settings.max_attempts,
            settings.retry_backoff,
            settings.retry_delay,
            settings.retry_max_delay,
        )

    def delay(self, tries: int, chance: float) -> float:
        """Return the seconds to wait after try number ``tries`` (from 1) before the next.

        ``chance``, 0 to 1, decides between half of the time and the whole: what failed together
        shall not come back together ("equal jitter").
        """
        if self.backoff == "linear":
            whole = self.first_delay * tries
        else:
            # The cap is reached long before; 2**n of a large n is no float any more.
            whole = self.first_delay * 2.0 ** min(tries - 1, 64)
        whole = min(whole, self.max_delay)
        return whole * (0.5 + chance / 2)

    def again(self, job: Job, error: ExportError) -> bool:
        """Return whether a job that failed so has a try left that makes sense."""
        return job.tries < self.max_attempts and may_pass(error)
