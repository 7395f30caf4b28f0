"""The files that belong to a job: what it makes, and what it leaves when it does not finish."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Container, Iterable
from datetime import datetime
from pathlib import Path

from ..errors import InvalidSpec
from .model import Job
from .naming import part_of
from .settings import Settings

log = logging.getLogger(__name__)


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


def scratch_of(job_id: str, settings: Settings) -> Path:
    """Return the folder that the engine of a job (or of a preview) spills into."""
    return settings.scratch / job_id


def clean(job: Job, settings: Settings) -> None:
    """Remove what a job that did not finish may have left: its part file or part folder, its spill
    folder, and the folders that were made for it, where they are empty."""
    part = part_of(Path(job.target), job.id)
    _put_back(part.with_name(f"{part.name}.old"), Path(job.target), job)
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        _remove(part, job)
    shutil.rmtree(scratch_of(job.id, settings), ignore_errors=True)
    remove_empty(job.made)


def remove_empty(folders: Iterable[str]) -> None:
    """Remove ``folders``, the innermost first, up to the first that is not empty."""
    for folder in folders:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return


def _put_back(old: Path, target: Path, job: Job) -> None:
    """Undo a replacement that was cut off between the old folder's going and the new one's coming,
    or finish one that was cut off behind that."""
    if not old.is_dir() or old.is_symlink():
        return
    try:
        if os.path.lexists(target):
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(old, target)
    except OSError:
        log.warning("the folder that job %s was to replace is at %s", job.id, old, exc_info=True)


def sweep_scratch(settings: Settings, active: Container[str], before: datetime) -> None:
    """Remove what processes that were killed left in the scratch folder before that time."""
    for path in settings.scratch.iterdir():
        if path.name not in active and _changed_at(path) < before.timestamp():
            shutil.rmtree(path, ignore_errors=True)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf


def remove_finished(job: Job) -> bool:
    """Remove the files that ``job`` made, if it made any; return whether they are gone.

    What has another size by now was written by somebody else under the same name, and stays. Of a
    folder, the files that the job recorded go, and then it and its folders where they are empty.
    """
    if job.result is None:
        return True
    target = Path(job.target)
    files = {Path(job.root) / str(f["path"]): int(f["bytes"]) for f in job.result.files}
    if not job.is_folder:
        files.setdefault(target, job.result.bytes)
    elif target.is_symlink():
        return True  # Somebody put a link in its place: what it leads to is not ours.
    outcomes = [_remove(path, job) for path in sorted(files) if _has_size(path, files[path])]
    if job.is_folder:
        inner = {folder for path in files for folder in path.parents if target in folder.parents}
        deepest_first = sorted(inner, key=lambda folder: len(folder.parts), reverse=True)
        for folder in (*deepest_first, target):
            remove_empty([str(folder)])
    return all(outcomes)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.lstat().st_size == size
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # It cannot be looked at; removing it says why.


def _remove(path: Path, job: Job) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        log.warning("a file of job %s could not be removed", job.id, exc_info=True)
        return False
    return True
