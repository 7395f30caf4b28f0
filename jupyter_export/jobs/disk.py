"""Room on disks: what may still be taken, asked for before it is taken.

Two settings limit it: ``min_free_disk``, the room that stays free on every disk that we write to,
and ``max_disk``, the room that uploads, spilled data and temporary exports take together. Both are
measured, not booked: what was removed by hand is free again, and nothing has to be counted right
over a crash. Folders are measured seldom, and what is written in between is added.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import DiskFull
from ..room import free_of, size
from .files import part_in
from .settings import Settings

CHECK_BYTES = 16 * 1000**2
"""How many bytes of an upload are written between two looks at the disk."""
MEASURE_SECONDS = 2.0
SHARE = 50
"""A measurement that takes long is repeated after so many times as long."""
_TEMPORARY = re.compile(r"_\d{8}T\d{6}Z_[0-9a-f]{8}(\.|$)")
"""The end of the names that ``naming.place`` gives to files nobody has named."""


class DiskBudget:
    """Safe from several threads. ``free`` tells the free bytes of the disk of a folder."""

    def __init__(
        self,
        settings: Settings,
        *,
        free: Callable[[Path], int | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._free = free or free_of
        self._clock = clock
        self._lock = threading.Lock()
        self._measured = 0
        self._written = 0
        self._measure_at: float | None = None

    # -------------------------------------------------------------- what there is

    def used(self) -> int:
        """Return the bytes that uploads, spilled data and temporary exports hold, a few seconds
        old at most (longer where there are very many files)."""
        with self._lock:
            began = self._clock()
            if self._measure_at is None or began >= self._measure_at:
                self._measured = sum(self._sizes())
                self._written = 0
                ended = self._clock()
                self._measure_at = ended + max(MEASURE_SECONDS, SHARE * (ended - began))
            return self._measured + self._written

    def left(self) -> int | None:
        """Return the bytes that ``max_disk`` leaves, 0 or more; None without such a limit."""
        most = self._settings.max_disk
        return None if most is None else max(most - self.used(), 0)

    # -------------------------------------------------------------- what may begin

    def upload(self, declared: int | None = None) -> UploadRoom:
        """Return what watches an upload of ``declared`` bytes (None: not known).

        Raises ``DiskFull`` when there is no room for it.
        """
        self.check_upload(declared)
        return UploadRoom(self)

    def check_upload(self, declared: int | None = None) -> None:
        """Raise ``DiskFull`` when an upload of that many more bytes has no room."""
        more = declared or 0
        again = "then send it again"
        self._check_free(self._settings.uploads, "where uploads are kept", more, again)
        left = self.left()
        if left is not None and (left == 0 or more > left):
            raise self._full(again)

    def check_job(self, target: Path, *, temporary: bool) -> None:
        """Raise ``DiskFull`` when a job that writes ``target`` should not begin.

        A file that its user has named does not count towards ``max_disk``, so it is not refused
        for what others keep.
        """
        again = "then export again"
        self._check_free(self._settings.scratch, "where running exports spill their data", 0, again)
        self._check_free(target.parent, f"where “{target.name}” is to be written", 0, again)
        if temporary and self.left() == 0:
            raise self._full(again)

    def grew(self, count: int) -> None:
        """Note bytes that were written since the folders were measured."""
        with self._lock:
            self._written += count

    # -------------------------------------------------------------- inner

    def _check_free(self, folder: Path, where: str, more: int, again: str) -> None:
        least = self._settings.min_free_disk
        free = self._free(folder)
        # Nothing is kept free with 0, but what is known not to fit need not be tried.
        if free is None or (free - more >= least and free >= more):
            return
        wanted = f", {size(more)} are needed" if more else ""
        kept = f", and {size(least)} must stay free" if least else ""
        raise DiskFull(
            f"The disk is nearly full {where}: {size(free)} are free{wanted}{kept}.",
            hint=f"Free some space, {again}.",
        )

    def _full(self, again: str) -> DiskFull:
        most = self._settings.max_disk or 0
        return DiskFull(
            f"Uploads, spilled data and temporary exports hold {size(self.used())}; "
            f"{size(most)} are allowed (max_disk).",
            hint=f"Delete exports that are no longer needed, or wait until they expire, {again}.",
        )

    def _sizes(self) -> Iterator[int]:
        yield from _below(self._settings.uploads)
        yield from _below(self._settings.scratch)
        for entry in _entries(self._settings.root / self._settings.output_dir):
            if _TEMPORARY.search(entry.name) or part_in(entry.name):
                yield from _of(entry)


class UploadRoom:
    """Asks again and again while one upload is written. Not for several threads at once."""

    def __init__(self, budget: DiskBudget) -> None:
        self._budget = budget
        self._unchecked = 0

    def grow(self, count: int) -> None:
        """Call before ``count`` more bytes are written. Raises ``DiskFull``."""
        self._budget.grew(count)
        self._unchecked += count
        if self._unchecked >= CHECK_BYTES:
            self._unchecked = 0
            self._budget.check_upload()


def _below(folder: Path) -> Iterator[int]:
    for entry in _entries(folder):
        yield from _of(entry)


def _of(entry: os.DirEntry[str]) -> Iterator[int]:
    try:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))
        else:
            yield entry.stat(follow_symlinks=False).st_size
    except OSError:
        return  # It went while we looked.


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
