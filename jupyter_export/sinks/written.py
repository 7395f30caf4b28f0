"""One file on its way to the disk: compressed, hashed, counted, flushed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress

from ..errors import DiskFull, ExportError, WriteFailed
from ..folders import Folder
from ..registry import Bytes, Compression
from .compression import Compressor, compressor

_WRITEBACK = 8 * 1024**2
"""Bytes after which the kernel is asked to start writing, so that the final fsync is short."""


class WrittenFile:
    """Append bytes to a new file, ``way`` below ``folder``; ``bytes`` and ``sha256`` speak of what
    is in it.

    The file may be set aside for a while and is opened again by the next write; what is written
    then is a further member of a gzip file (RFC 1952, section 2.2), and refused by the other kinds
    of compression. ``durable`` files are flushed to the disk at the end. ``shown`` is the name that
    errors say. Raises ``DiskFull`` or ``WriteFailed``.
    """

    def __init__(
        self,
        folder: Folder,
        way: Sequence[str],
        shown: str,
        *,
        compression: Compression,
        hashing: Executor,
        durable: bool = True,
    ) -> None:
        self.bytes = 0
        self._folder = folder
        self._way = tuple(way)
        self._shown = shown
        self._durable = durable
        self._compression: Compression = compression
        self._compressor: Compressor | None = compressor(compression)
        self._hash = _Hash(hashing)
        self._flushed = 0
        self._finished = False
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._make()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def write(self, data: Bytes) -> None:
        """Append ``data``, compressed."""
        if self._compressor is None:
            self._compressor = self._another()
        self._append(self._compressor.compress(data))

    def finish(self) -> None:
        """Write what is left and flush the file to the disk; its bytes are final after this."""
        if self._finished:
            return
        self._finished = True
        self._end_compression()
        if not self._durable:
            self.rest()
            return
        if self._file is None:
            self._open(os.O_APPEND)
        assert self._file is not None
        try:
            os.fsync(self._file)
        except OSError as error:
            raise explain(error, self._shown) from error
        finally:
            self.rest()

    def set_aside(self) -> None:
        """Close the file until more is written, and give back what its compressor holds."""
        if self._compression != "none":
            self._end_compression()
        self.rest()

    def rest(self) -> None:
        """Close the file until more is written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _end_compression(self) -> None:
        if self._compressor is not None:
            self._append(self._compressor.finish())
            self._compressor = None

    def _another(self) -> Compressor:
        if self._compression != "gzip":
            raise WriteFailed(
                f"“{self._shown}” is written by turns with too many other files, which "
                f"{self._compression} does not allow.",
                hint="Choose gzip, or no compression.",
                field="compression",
            )
        return compressor("gzip")

    def _make(self) -> None:
        """Make the file anew: what has its name already may have another name elsewhere, too."""
        try:
            self._open(os.O_CREAT | os.O_EXCL)
        except WriteFailed as error:
            left = self._folder.look(self._way[0]) if len(self._way) == 1 else None
            if left is None or not stat.S_ISREG(left.st_mode):
                raise error
            self._folder.remove(self._way[0])
            self._open(os.O_CREAT | os.O_EXCL)

    def _open(self, how: int) -> None:
        try:
            self._file = self._folder.open(self._way, os.O_WRONLY | how)
            found = os.fstat(self._file)
        except OSError as error:
            raise explain(error, self._shown) from error
        known = self._identity
        self._identity = (found.st_dev, found.st_ino)
        if known is not None and known != self._identity:
            self.rest()
            raise another(self._shown)

    def is_at(self, name: str) -> bool:
        """Tell whether ``name`` in the folder is this file, and no other that took its place."""
        found = self._folder.look(name)
        return found is not None and (found.st_dev, found.st_ino) == self._identity

    def _append(self, data: Bytes) -> None:
        if not len(data):
            return
        self._hash.update(data)
        if self._file is None:
            self._open(os.O_APPEND)
        assert self._file is not None
        view = memoryview(data)
        try:
            while len(view):
                written = os.write(self._file, view)
                view = view[written:]
        except OSError as error:
            raise explain(error, self._shown) from error
        self.bytes += len(data)
        if self.bytes - self._flushed >= _WRITEBACK:
            _start_writing(self._file, self._flushed, self.bytes - self._flushed)
            self._flushed = self.bytes


class _Hash:
    """SHA-256 on another thread, beside the writing: neither waits for the other's bytes."""

    def __init__(self, threads: Executor) -> None:
        self._sum = hashlib.sha256()
        self._threads = threads
        self._latest: Future[None] | None = None

    def update(self, data: Bytes) -> None:
        """Take ``data``, which nobody may change any more, once what came before is done."""
        if self._latest is not None:
            self._latest.result()
        self._latest = self._threads.submit(self._sum.update, data)

    def hexdigest(self) -> str:
        if self._latest is not None:
            self._latest.result()
        return self._sum.hexdigest()


def explain(error: OSError, shown: str) -> ExportError:
    """Return our error for what the file system said of the file that is ``shown`` so."""
    if isinstance(error, ExportError):
        return error
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DiskFull(
            f"The disk is full: “{shown}” could not be written, and nothing was left of it.",
            hint="Free some space, or export to another disk.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WriteFailed(
            f"The folder of “{shown}” cannot be written to.",
            hint="Choose a folder that you may write to.",
            field="output.path",
        )
    if error.errno == errno.ELOOP or isinstance(error, NotADirectoryError):
        return another(shown)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return WriteFailed(f"“{shown}” could not be written: {reason}.", field="output.path")


def another(shown: str) -> WriteFailed:
    """Return the error for a folder, or a part file, that somebody has put another in place of."""
    return WriteFailed(
        f"“{shown}” could not be written: its folder, or the file itself, was moved or replaced "
        "by a link while the export ran.",
        hint="Export it again, to a folder that nobody changes meanwhile.",
        field="output.path",
    )


def _start_writing(file: int, offset: int, length: int) -> None:
    """Ask for early write-back where the platform has a call for it; only a hint."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        # DONTNEED starts writing dirty pages on Linux and frees those that are clean already
        with suppress(OSError):
            advise(file, offset, length, os.POSIX_FADV_DONTNEED)
