"""Copies of bytes that are sent as they are made, for the counters that read them once more."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import TooLarge
from ..registry import Bytes

Reads: TypeAlias = Literal["nothing", "end", "file"]
END_BYTES = 16 * 1024**2


class Copies:
    """What counters that ``reads`` so look at, of each file.

    On Linux in memory; elsewhere in ``scratch``, until ``close``. Raises ``TooLarge`` beyond
    ``most`` bytes.
    """

    def __init__(self, reads: Reads, scratch: Path, most: int) -> None:
        self._reads = reads
        self._scratch = scratch
        self._most = most
        self._kept = 0
        self._copies: dict[str, _Copy] = {}

    def add(self, file: str, data: Bytes) -> None:
        if self._reads == "nothing":
            return
        copy = self._copies.get(file)
        if copy is None:
            copy = self._copies[file] = _Copy(self._scratch / f"copy-{len(self._copies)}")
        self._kept += copy.add_end(data) if self._reads == "end" else copy.append(data)
        if self._kept > self._most:
            raise TooLarge(
                f"The export would keep more than {self._most // 1000**2:,} MB of itself to count "
                "its rows, too much for one that is sent as it is made.",
                hint="Run it as a job, and download its file.",
            )

    def path_of(self, file: str) -> Path:
        """Return where what was kept can be read; of an end, zeros stand before it."""
        copy = self._copies.get(file)
        return copy.readable() if copy is not None else Path(os.devnull)

    def close(self) -> None:
        for copy in self._copies.values():
            copy.close()
        self._copies.clear()


@dataclass
class _Copy:
    place: Path
    """Where it is on systems that have no files in memory."""
    size: int = 0
    end: deque[Bytes] = field(default_factory=deque)
    held: int = 0
    handle: int | None = None

    def append(self, data: Bytes) -> int:
        """Keep ``data``; return its bytes."""
        view = memoryview(data).cast("B")
        handle = self._opened()
        while len(view):
            view = view[os.write(handle, view) :]
        return len(data)

    def add_end(self, data: Bytes) -> int:
        """Keep ``data`` until there is enough behind it; return by how much more is held."""
        before = self.held
        self.end.append(data)
        self.size += len(data)
        self.held += len(data)
        while self.held - len(self.end[0]) >= END_BYTES:
            self.held -= len(self.end.popleft())
        return self.held - before

    def readable(self) -> Path:
        if self.end:
            os.lseek(self._opened(), self.size - self.held, os.SEEK_SET)
            while self.end:
                self.append(self.end.popleft())
        handle = self._opened()
        return Path(f"/proc/self/fd/{handle}") if sys.platform == "linux" else self.place

    def close(self) -> None:
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
            if sys.platform != "linux":
                with suppress(OSError):  # It goes with its folder.
                    self.place.unlink(missing_ok=True)

    def _opened(self) -> int:
        if self.handle is None:
            if sys.platform == "linux":
                self.handle = os.memfd_create("jupyter-export", os.MFD_CLOEXEC)
            else:
                self.place.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
                self.handle = os.open(self.place, flags, 0o600)
        return self.handle
