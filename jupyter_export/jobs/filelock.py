"""An operating-system lock on a file: it ends with its holder, however that one ends.

``flock`` and ``LockFile`` are released by the system when a process dies, so a lock that can be
taken proves that its holder is gone.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType

from ..errors import ServerUnavailable


def try_lock(fd: int) -> bool:
    """Lock the open file for as long as it is open; return False when another process has it."""
    try:
        _lock(fd)
    except OSError:
        return False
    return True


class FileLock:
    """Holds ``path`` locked from ``acquire`` to ``release``. Not re-entrant."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def handle(self) -> int | None:
        """The open file; who inherits it holds the lock, too."""
        return self._fd

    def acquire(self) -> bool:
        """Try once; return whether the lock is held now."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(fd):
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def is_at_its_path(self) -> bool:
        """Return whether the file that is locked is still the one that others will find."""
        if self._fd is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except FileNotFoundError:
            return False


class Waiting:
    """``with Waiting(path, seconds):`` holds the lock, or raises ``ServerUnavailable``."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._lock = FileLock(path)
        self._seconds = seconds

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._seconds
        while not self._lock.acquire():
            if time.monotonic() > deadline:
                raise ServerUnavailable(
                    f"“{self._lock.path.name}” has been locked by another process for "
                    f"{self._seconds:.0f} seconds.",
                    hint="Another service over the same state_dir may hang; end it.",
                )
            time.sleep(0.02)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
