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
STORE_PAUSE = 1.0
"""Seconds after which the store is asked again when it could not be used."""
CHECK_SECONDS = 0.5
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
    began_at: float
    begun: bool = False
    other_workers: int = 2
    """How many more workers may be tried as long as none has begun."""
    deadline: float | None = None
    ends: ExportError | None = None
    """Why it was told to stop, if it was."""
    taken_over: bool = False
    """True: it is another service's by now, and its record is no concern of ours."""
    kill_at: float | None = None
    asks: Message | None = None
    """What it wants to publish, until the store has taken that."""
    ask_at: float | None = None
    """When the store is asked again to take it."""
    published_at: float = field(init=False)
    stored_at: float = field(init=False)
    check_at: float = field(init=False)
    unpublished: bool = False

    def __post_init__(self) -> None:
        self.published_at = self.stored_at = self.began_at
        self.checked(self.began_at)

    def checked(self, now: float) -> None:
        """Its record was looked at."""
        self.check_at = now + CHECK_SECONDS

    @property
    def next_due(self) -> float:
        times = [self.check_at]
        times += [t for t in (self.deadline, self.kill_at, self.ask_at) if t is not None]
        if self.unpublished:
            times.append(self.published_at + PUBLISH_SECONDS)
        return min(times)
