"""What processes that were killed left behind, found by its name; never a file of somebody else.

A job that is settled after its service died is cleaned up by whoever settles it. This finds the
rest: what could not be removed then, and what belongs to nobody that the store knows.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from . import uploads
from .files import part_in, put_back, remove_part
from .naming import part_of
from .settings import Settings
from .store import JobStore

log = logging.getLogger(__name__)

WARMING = timedelta(minutes=10)
"""A worker needs seconds to warm up."""
ENDING = timedelta(minutes=1)
"""An attempt that is over, or believed dead, may still be at work for a moment."""
WARM = "warm-"
OLD = ".old"


class Orphans:
    """Removes what no job needs. Jobs of another store may write into the same folders: what this
    store knows nothing of goes when it has not been touched for ``uploads.KEEP``."""

    def __init__(self, settings: Settings, store: JobStore) -> None:
        self._settings = settings
        self._store = store

    def remove_parts(self, folder: Path, now: datetime) -> None:
        """Remove the part files and part folders in ``folder`` that are written no more, and give
        a folder its name back whose replacement was cut off."""
        for path in _entries(folder):
            if path.name.endswith(OLD):
                self._put_back(path)
                continue
            named = part_in(path.name)
            if named is None or not _is_ours(path):
                continue
            job_id, attempt = named
            job = self._store.get(job_id)
            if job is not None and (job.final or job.attempt > attempt):
                remove_part(path, self._top(folder), job_id)
            elif job is None and _changed_at(path) < (now - uploads.KEEP).timestamp():
                log.info("a part file of an unknown export was removed: %s", job_id)
                remove_part(path, self._top(folder), job_id)

    def _top(self, folder: Path) -> Path:
        """Return the folder below which no link is followed."""
        return self._settings.root if self._settings.confined else folder

    def _put_back(self, old: Path) -> None:
        name = old.name.removesuffix(OLD)
        job_id, attempt = part_in(name) or ("", 0)
        job = self._store.get(job_id) if job_id else None
        if job is None or not (job.final or job.attempt > attempt):
            return
        target = Path(job.target)
        if part_of(target, job_id, attempt) == old.with_name(name):
            put_back(old, target, job)

    def remove_scratch(self, now: datetime) -> None:
        """Remove spilled data of attempts that are over, and of previews and workers that died."""
        for path in _entries(self._settings.scratch):
            job_id, _, attempt = path.name.partition(".")
            job = self._store.get(job_id) if attempt.isdecimal() else None
            if job is None:
                keep = WARMING if path.name.startswith(WARM) else uploads.KEEP
            elif job.final or job.attempt > int(attempt):
                keep = ENDING
            else:
                continue
            if _changed_at(path) < (now - keep).timestamp():
                _remove_any(path)

    def forget_uploads(self, now: datetime) -> None:
        """Remove the records of uploads whose file is gone; a new one's may still be coming.

        Only of a store of our own: in one that is shared, another server may have the file.
        """
        if self._settings.db_url is not None:
            return
        for upload in self._store.uploads():
            if now - upload.created_at < ENDING:
                continue
            path = self._settings.uploads / f"{upload.id}{uploads.ENDING}"
            if self._settings.uploads.is_dir() and not path.exists():
                self._store.delete_upload(upload.id)


def _is_ours(path: Path) -> bool:
    """We make plain files and folders; a link or a pipe of such a name is somebody's own."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as found:
            names = [entry.path for entry in found]
    except OSError:
        return
    yield from map(Path, names)


def _changed_at(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return math.inf


def _remove_any(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:
        log.warning("%s could not be removed", path.name, exc_info=True)
