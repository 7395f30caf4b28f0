"""An exported file that is opened to be sent: the one that was proved, from the first byte to the
last."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

from ..errors import Expired
from ..folders import open_checked

READ_BYTES = 1024**2
KNOWN_FILES = 1000

Identity = tuple[int, int, int, int, int]
"""Device, inode, bytes, times (ns) of the last change of the content and of the file."""


class Verified:
    """Files that were read once and found to be what their job proved. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Identity, str], None] = OrderedDict()

    def __contains__(self, found: tuple[Identity, str]) -> bool:
        with self._lock:
            return found in self._known

    def add(self, found: tuple[Identity, str]) -> None:
        with self._lock:
            self._known[found] = None
            while len(self._known) > KNOWN_FILES:
                self._known.popitem(last=False)


_verified = Verified()


class SentFile:
    """Open until ``close``, which waits for a read that is under way.

    Raises ``Expired`` when the file at ``path`` is gone, is not below ``root`` (None: anywhere) or
    has other bytes than ``sha256`` says.
    One that was touched since ``finished`` (seconds since 1970) is read for that, once; so is one
    of a file system whose clock is ahead of ours.
    """

    def __init__(
        self,
        path: Path,
        *,
        root: Path | None,
        name: str,
        size: int,
        sha256: str,
        finished: float | None,
    ) -> None:
        self._name = name
        self._using = threading.Lock()
        try:
            self._handle = open_checked(path, root)
        except OSError:
            raise Expired(
                f"The file “{name}” is no longer there.", hint="Export it again."
            ) from None
        try:
            self._identity = identity_of(self._handle)
            touched = max(self._identity[3:]) / 1e9
            if self._identity[2] != size:
                raise self._changed()
            if finished is None or touched > finished:
                self._verify(sha256)
        except BaseException:
            self.close()
            raise

    @property
    def modified(self) -> float:
        """When its content was last changed, in seconds since 1970."""
        return self._identity[3] / 1e9

    def seek(self, start: int) -> None:
        os.lseek(self._handle, start, os.SEEK_SET)

    def read(self, most: int) -> bytes:
        """Return at most so many of the next bytes; the last piece only while the file is what it
        was: raises ``Expired`` when it was changed meanwhile."""
        with self._using:
            piece = os.read(self._handle, most)
            now = identity_of(self._handle)
        # the time of the file itself changes when another one takes its name: that is no harm
        if now[:4] != self._identity[:4]:
            raise self._changed()
        return piece

    def close(self) -> None:
        with self._using:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _verify(self, sha256: str) -> None:
        if (self._identity, sha256) in _verified:
            return
        digest = hashlib.sha256()
        while piece := self.read(READ_BYTES):
            digest.update(piece)
        if digest.hexdigest() != sha256:
            raise self._changed()
        _verified.add((self._identity, sha256))
        self.seek(0)

    def _changed(self) -> Expired:
        return Expired(
            f"The file “{self._name}” was changed after its export.", hint="Export it again."
        )


def identity_of(handle: int) -> Identity:
    found = os.fstat(handle)
    # on Windows the last is the time of creation, which an export that replaces a file inherits
    changed = found.st_ctime_ns if os.name == "posix" else 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, changed
