"""Free space of the disks that are written to, and the run that must not take the last of it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .errors import DiskFull

LOOK_SECONDS = 0.5
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def free_of(folder: Path) -> int | None:
    """Return the bytes that are free for us where ``folder`` is, or will be; None: not known."""
    for each in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(each)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
        # Some network file systems tell nothing, and call it a disk of no size.
        return usage.free if usage.total else None
    return None


def size(count: int) -> str:
    """Return ``1.5 GB`` for 1,500,000,000 bytes."""
    amount, unit = float(count), UNITS[0]
    for larger in UNITS[1:]:
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.0f} {unit}" if amount == int(amount) else f"{amount:,.1f} {unit}"


def held_in(folder: Path) -> int:
    """Return the bytes of the files in ``folder``, those of its folders too."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # It went while we looked.
                total += os.lstat(os.path.join(below, name)).st_size
    return total


class Room:
    """Looks twice a second at most whether ``least`` bytes are free where a run writes: beside
    ``target`` (None: it makes no file), and in ``scratch``; and whether it keeps to the ``most``
    bytes that it may take of a budget (None: any)."""

    def __init__(
        self,
        target: Path | None,
        scratch: Path,
        least: int,
        *,
        most: int | None = None,
        free: Callable[[Path], int | None] = free_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = [(scratch, "where the export spills its data")]
        if target is not None:
            self._places.insert(0, (target.parent, f"where “{target.name}” is written"))
        self._scratch = scratch
        self._least = least
        self._most = most
        self._free = free
        self._clock = clock
        self._look_at: float | None = None

    def check(self, written: int = 0, *, at_once: bool = False) -> None:
        """Raise ``DiskFull`` when less is free: others need the rest of the disk; or when the
        ``written`` bytes that count, with those that are spilled, are more than the budget."""
        now = self._clock()
        if self._look_at is not None and now < self._look_at and not at_once:
            return
        self._look_at = now + LOOK_SECONDS
        if self._most is not None and written + held_in(self._scratch) > self._most:
            raise DiskFull(
                f"The export needs more room than is left for uploads, spilled data and temporary "
                f"exports together: {size(self._most)} (max_disk). Nothing was left of it.",
                hint="Delete exports that are no longer needed, or give this one a path.",
            )
        if not self._least:
            return
        for folder, where in self._places:
            free = self._free(folder)
            if free is not None and free < self._least:
                raise DiskFull(
                    f"The disk was nearly full {where}: {size(free)} were free, and "
                    f"{size(self._least)} must stay free. Nothing was left of the export.",
                    hint="Free some space, export fewer rows, or export to another disk.",
                )
