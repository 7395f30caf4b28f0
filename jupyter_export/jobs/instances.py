"""Which services are alive: each holds a lock on a file of its own as long as it lives.

Several kernels of one user may run a service each over the same ``state_dir``. A file whose lock
can be taken belongs to a service that ended without saying so, and whose workers have ended too:
they inherit the lock, so that nobody runs a job again beside the one that still writes it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .filelock import FileLock

ENDING = ".lock"
ATTEMPTS = 200


def instances_folder(state_dir: Path) -> Path:
    return state_dir / "instances"


class Instance:
    """This service's own entry. ``register`` once, ``release`` at the end."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        self._lock = FileLock(folder / f"{name}{ENDING}")

    def register(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Whoever looks for dead services may find the new file before it is locked, and remove it.
        for _ in range(ATTEMPTS):
            if self._lock.acquire() and self._lock.is_at_its_path():
                return
            self._lock.release()
            time.sleep(0.01)
        raise RuntimeError(f"the service {self.name} runs already")

    @property
    def handle(self) -> int | None:
        """The file descriptor that workers inherit; None where they cannot (Windows)."""
        return None if sys.platform == "win32" else self._lock.handle

    def release(self) -> None:
        """Take the entry away; nothing of this service is left to be recovered."""
        _remove(self._lock.path)
        self._lock.release()
        _remove(self._lock.path)


@contextmanager
def dead(folder: Path) -> Iterator[list[str]]:
    """Yield the names of the services that died, locked against everybody else who asks.

    Their entries are removed at the end, unless the body raised: then the next who asks gets them.
    """
    taken: list[FileLock] = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        lock = FileLock(path)
        try:
            if lock.acquire():
                taken.append(lock)
        except OSError:
            continue
    try:
        yield [lock.path.name.removesuffix(ENDING) for lock in taken]
        for lock in taken:
            _remove(lock.path)
    finally:
        for lock in taken:
            lock.release()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # Windows does not remove an open file; the next try does.
        return
