"""The files that belong to a job: what it makes, and what it leaves when it does not finish."""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InvalidSpec
from ..folders import Folder, held, is_away
from .model import Job
from .naming import part_of
from .settings import Settings

log = logging.getLogger(__name__)

DEAD = 10**8
"""Added to the number of an attempt in the name of its part folder while that is removed."""
_PART = re.compile(r"\..*\.([0-9a-f]{16})(?:\.([1-9][0-9]{0,8}))?\.part", re.DOTALL)


def make_folders(settings: Settings) -> None:
    """Make the folders of the service, for its owner alone. Raises ``InvalidSpec``."""
    try:
        for folder in (settings.state_dir, settings.uploads, settings.scratch):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix":
            settings.state_dir.chmod(0o700)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidSpec(
            f"The folder of state_dir cannot be used: {reason}.",
            hint="Name one that you may write to.",
        ) from error


def scratch_of(job_id: str, settings: Settings, attempt: int = 1) -> Path:
    """Return the folder that the engine of a job's attempt (or of a preview) spills into."""
    return settings.scratch / f"{job_id}.{attempt}"


def part_in(name: str) -> tuple[str, int] | None:
    """Return the job and the attempt whose part file (or folder) has that name, as
    ``naming.part_of`` gives it; None for any other name."""
    found = _PART.fullmatch(name)
    return (found[1], int(found[2] or 1)) if found else None


def clean(job: Job, settings: Settings) -> None:
    """Remove what a job that did not finish may have left: its part file or part folder, its spill
    folder, and the folders that were made for it, where they are empty."""
    target, top = Path(job.target), _top(job)
    part = part_of(target, job.id, job.attempt).name
    with _looked_after(job.id), held(target.parent, top) as folder:
        found, name = folder.look(part), part
        if found is not None and stat.S_ISDIR(found.st_mode):
            # By another name first: a folder that is half removed must never get the target's.
            dead = part_of(target, job.id, job.attempt + DEAD).name
            with suppress(OSError):  # The name is too long, say: then it is removed where it is.
                folder.rename(part, dead)
                name = dead
        with _looked_after(job.id):
            folder.remove_all(name)
        _put_back(folder, f"{part}.old", target.name)
    shutil.rmtree(scratch_of(job.id, settings, job.attempt), ignore_errors=True)
    remove_empty(job.made, top)


def remove_part(part: Path, root: Path, job_id: str) -> None:
    """Remove a part file or part folder of a job; no link below ``root`` is followed."""
    with _looked_after(job_id), held(part.parent, root) as folder:
        folder.remove_all(part.name)


def remove_empty(folders: Iterable[str], root: Path | None = None) -> None:
    """Remove ``folders``, the innermost first, up to the first that is not empty; no link below
    ``root`` (None: no link at all) is followed."""
    for each in map(Path, folders):
        try:
            with held(each.parent, root or Path(each.anchor)) as folder:
                folder.remove_empty(each.name)
        except FileNotFoundError:
            continue
        except OSError:
            return


def put_back(old: Path, target: Path, job: Job) -> None:
    """Undo a replacement that was cut off between the old folder's going and the new one's coming,
    or finish one that was cut off behind that."""
    with _looked_after(job.id), held(target.parent, _top(job)) as folder:
        _put_back(folder, old.name, target.name)


def _put_back(folder: Folder, old: str, target: str) -> None:
    found = folder.look(old)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return
    if folder.look(target) is not None:
        folder.remove_all(old)
    else:
        folder.rename(old, target)


def remove_finished(job: Job) -> bool:
    """Remove the files that ``job`` made, if it made any; return whether they are gone.

    What has another size by now was written by somebody else under the same name, and stays. Of a
    folder, the files that the job recorded go, and then it and its folders where they are empty.
    What a link leads to that was put into the place of a folder is not ours, and stays, too.
    """
    if job.result is None:
        return True
    target, top = Path(job.target), _top(job)
    files = {Path(job.root) / str(f["path"]): int(f["bytes"]) for f in job.result.files}
    if not job.is_folder:
        files.setdefault(target, job.result.bytes)
    outcomes = [_removed(path, files[path], top, job) for path in sorted(files)]
    if job.is_folder:
        inner = {folder for path in files for folder in path.parents if target in folder.parents}
        deepest_first = sorted(inner, key=lambda folder: len(folder.parts), reverse=True)
        for folder in (*deepest_first, target):
            remove_empty([str(folder)], top)
    return all(outcomes)


def _top(job: Job) -> Path:
    """Return the folder below which no link is followed on the way to the files of ``job``."""
    return Path(job.root) if job.confined else Path(job.target).parent


def _removed(path: Path, size: int, top: Path, job: Job) -> bool:
    """Remove a file of so many bytes; return whether none is there."""
    try:
        with held(path.parent, top) as folder:
            found = folder.look(path.name)
            if found is not None and found.st_size == size:
                folder.remove(path.name)
    except OSError as error:
        if not is_away(error):
            log.warning("a file of job %s could not be removed", job.id, exc_info=True)
            return False
    return True


@contextmanager
def _looked_after(job_id: str) -> Iterator[None]:
    """Log what cannot be removed: whoever sweeps next tries again. A folder that is gone, or whose
    place a link has taken, holds nothing of ours."""
    try:
        yield
    except OSError as error:
        if not is_away(error):
            log.warning("what job %s has left could not be removed", job_id, exc_info=True)
