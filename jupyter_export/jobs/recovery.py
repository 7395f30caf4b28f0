"""Jobs whose service has died: finished, run again, or ended with a reason. Nothing is lost, and
nothing is done twice.

Whoever finds such a job takes it over by one conditional write, and only then touches its files:
of several finders one wins, and what the dead service's last worker may still do is refused.

A run whose file was about to get its name has left a note of it (``Job.prepared``). Where the file
is there under that name, the job is completed, and says so; else its part is removed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import ExportError, Interrupted, ServerUnavailable
from ..progress import Result
from ..sinks.local import free_names
from ..spec import parse
from . import instances
from .completion import completed
from .endings import interrupted, not_again
from .files import clean
from .instances import instances_folder
from .leases import Watch
from .model import Job
from .replay import why_not
from .settings import Settings
from .store import JobStore, StaleVersion
from .worker import identity_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
COMES_BACK = timedelta(hours=1)
"""How long at least a service is waited for that may only be starting again."""
ABANDONED = timedelta(hours=24)
"""After this time a job of another state folder, whose service has died, is given up: only a
service over that folder could run it again."""
MOST_NAMES = 1000
"""Names that ``if_exists: rename`` may have tried."""


class Recovery:
    """Looks for orphaned jobs at the start (``look``) and then now and then, in a thread.

    ``adopt`` gets each job that is to be run here; ``show`` every other change; ``knows`` tells
    whether a job is in this service's hands, as each is before ``submitting`` is let go.
    """

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        *,
        instance: str,
        place: Callable[[], str],
        now: Callable[[], datetime],
        adopt: Callable[[Job], None],
        show: Callable[[Job], None],
        hold: Callable[[], None],
        knows: Callable[[str], bool],
        submitting: threading.Lock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._instance = instance
        self._place = place
        self._now = now
        self._adopt = adopt
        self._show = show
        self._hold = hold
        self._knows = knows
        self._submitting = submitting
        self._missed: dict[str, datetime] = {}
        self._unknown: dict[str, int] = {}
        self._watch = Watch()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="export recovery", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Adopt nothing more. Seconds."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                log.warning("looking for jobs of dead services failed; it is tried again")
                log.debug("what failed", exc_info=True)

    def look(self) -> None:
        """Settle the jobs of services that are dead now. Raises ``ServerUnavailable``."""
        with instances.dead(instances_folder(self._settings.state_dir)) as names:
            for name in names:
                self._store.end_service(name)
            for record in self._watch.silent(self._store.services()):
                if record.id != self._instance:
                    self._store.end_service(record.id, beat=record.beat)
            orphans = self._store.orphans()
            self._missed = {j.id: self._missed.get(j.id, self._now()) for j in orphans}
            # A job of ours may be one that is being submitted at this moment.
            for job in [*(j for j in orphans if j.instance != self._instance), *self._strays()]:
                if self._stopped.is_set():
                    return
                try:
                    self._settle(job)
                except ServerUnavailable:
                    raise
                except Exception:
                    # The trouble of one job must not keep the others, or a start, waiting.
                    log.exception("job %s of a dead service could not be settled", job.id)

    def _strays(self) -> list[Job]:
        """Return the jobs of this service that it does not know: others took it for dead and left
        them alone, or the store's answer to a write was lost."""
        before, mine = self._unknown, self._store.held_by(self._instance)
        with self._submitting:  # What is being submitted gets known before the lock is let go.
            self._unknown = {each: mine[each] for each in mine if not self._knows(each)}
        still = [each for each in self._unknown if before.get(each) == self._unknown[each]]
        found = map(self._store.get, still)
        return [job for job in found if job is not None and job.version == before[job.id]]

    def _settle(self, job: Job) -> None:
        now = self._now()
        if job.place != self._place() and job.place:
            old = now - (job.started_at or job.created_at) > ABANDONED
            # It may be old, and have been asked for again just before its service died.
            if old and now - self._missed.get(job.id, now) >= COMES_BACK:
                self._end(job, interrupted("ended and did not come back"))
            return
        refused = self._why_not(job)
        if refused is not None and job.prepared is None:
            self._end(job, refused)
            return
        # Also a service without a job of its own has a lease from here on.
        self._hold()
        # A clock that was wrong when it was written must not make it wait for ever.
        latest = now + timedelta(seconds=self._settings.retry_max_delay)
        due = None if job.retry_at is None else min(job.retry_at, latest)
        mine = job.changed(instance=self._instance, retry_at=due)
        if not self._store_it(mine, job):
            return
        # First the part goes, then one looks: without it nobody can publish any more.
        clean(job, self._settings)
        result = published(job)
        if result is not None:
            done = completed(mine, result, self._settings, now)
            if self._store_it(done, mine):
                self._show(done)
        elif job.status == "pending":
            self._adopt(mine)
        elif refused is not None:
            self._end(mine, refused)
        else:
            error = interrupted("ended unexpectedly").to_json()
            again = mine.again(error, finished_at=now, tries=job.tries + 1)
            if self._store_it(again, mine):
                self._adopt(again)

    def _why_not(self, job: Job) -> ExportError | None:
        """Return why ``job`` cannot be run again here, or None."""
        if job.status == "pending" and job.confined == self._settings.confined:
            return None if self._same_root(job) else interrupted("ended unexpectedly")
        if job.confined != self._settings.confined or not self._same_root(job):
            return interrupted("ended unexpectedly")
        if job.tries >= self._settings.max_attempts:
            return Interrupted(
                f"The export was interrupted {job.tries:,} times because its service ended "
                "unexpectedly.",
                hint="It may need more memory than there is. Retry it when that is mended.",
            )
        try:
            reason = why_not(parse(job.spec), self._settings)
        except ExportError as error:
            return error  # A spec of an older version, which this one does not understand.
        return None if reason is None else not_again("ended unexpectedly", reason)

    def _same_root(self, job: Job) -> bool:
        """A kernel's service runs jobs of any folder, a server's only those of its own."""
        return not self._settings.confined or job.root == str(self._settings.root.resolve())

    def _end(self, job: Job, error: ExportError) -> None:
        ended = job.changed(status="failed", finished_at=self._now(), error=error.to_json())
        if self._store_it(ended, job):
            clean(job, self._settings)
            self._show(ended)

    def _store_it(self, changed: Job, job: Job) -> bool:
        try:
            self._store.update(changed, expected=job.version)
        except StaleVersion:
            return False  # Somebody else was quicker.
        return True


def published(job: Job) -> Result | None:
    """Return the result of a run that has given its files their name, or None if it has not.

    The files are known by device and inode, which a name does not change; where nobody could tell
    those, by their size, and only under the name that was asked for.
    """
    if job.prepared is None:
        return None
    result = Result.from_json(job.prepared["result"])
    identity = job.prepared["identity"]
    target = Path(job.target)
    names = [target]
    if job.spec.get("output", {}).get("if_exists") == "rename":
        names = [name for name, _ in zip(free_names(target), range(MOST_NAMES), strict=False)]
    for name in names:
        found = identity_of(name)
        if found == identity and identity is not None:
            return _under(result, target, name, Path(job.root))
        if identity is None and name.is_file() and name.stat().st_size == result.bytes:
            return result
    return None


def _under(result: Result, target: Path, name: Path, root: Path) -> Result:
    """Return ``result`` with the paths that it has under ``name``."""
    if name == target:
        return result

    def moved(path: str) -> str:
        inner = (root / path).relative_to(target)
        new = name / inner if inner.parts else name
        try:
            return new.relative_to(root).as_posix()
        except ValueError:
            return str(new)

    files: tuple[dict[str, Any], ...] = tuple(
        {**file, "path": moved(str(file["path"]))} for file in result.files
    )
    # The lines that read it back name the file; they are told again for its new name.
    reader = result.reader and result.reader.replace(target.name, name.name)
    return Result(
        **{**result.__dict__, "path": moved(result.path), "files": files, "reader": reader}
    )
