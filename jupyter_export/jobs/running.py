"""What the dispatcher knows of a job beyond its record: who runs it, and when what is due."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ExportError
from .model import Job
from .workers import Message, WorkerProcess

CANCEL_GRACE = 0.8
"""Seconds that a worker has to stop by itself before it is killed."""
PUBLISH_SECONDS = 0.2
STORE_SECONDS = 0.5
CHECK_SECONDS = 2.0
"""How often a running job's record is looked at: another process may have cancelled it."""


@dataclass(eq=False)
class Running:
    """A job in a worker's hands. Times are of the monotonic clock, in seconds."""

    job: Job
    stored: int
    """The version that the store holds."""
    worker: WorkerProcess
    order: Message = field(repr=False)
    """What the worker was sent; another one gets it when the first was dead already. It may hold
    the password of a database."""
    checked_at: float
    begun: bool = False
    other_workers: int = 2
    """How many more workers may be tried as long as none has begun."""
    deadline: float | None = None
    ends: ExportError | None = None
    """Why it was told to stop, if it was."""
    kill_at: float | None = None
    published_at: float = 0.0
    stored_at: float = 0.0
    unpublished: bool = False

    @property
    def next_due(self) -> float:
        times = [self.checked_at + CHECK_SECONDS]
        times += [t for t in (self.deadline, self.kill_at) if t is not None]
        if self.unpublished:
            times.append(self.published_at + PUBLISH_SECONDS)
        return min(times)
