"""A file of this machine that appears at its path whole, or not at all.

The bytes go into a hidden file beside the target (the same disk, so that the rename is atomic),
are flushed to the disk, and only then get the final name; the folder is flushed as well.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Literal

from ..errors import DiskFull, ExportError, OutputExists, WriteFailed
from ..registry import Bytes, Compression, split_ending
from .compression import compressor

IfExists = Literal["error", "replace", "rename"]
_WRITEBACK = 8 * 1024**2
"""Bytes after which the kernel is asked to start writing, so that the final fsync is short."""
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalSink:
    """Write, hash and count bytes; ``publish`` gives them their name. Leaving without it removes
    what was written.

    ``bytes`` and ``sha256`` speak of the finished (compressed) file.
    """

    def __init__(
        self,
        target: Path,
        part: Path,
        *,
        if_exists: IfExists = "error",
        compression: Compression = "none",
    ) -> None:
        self.target = target
        self.part = part
        self.bytes = 0
        self._if_exists = if_exists
        self._compressor = compressor(compression)
        self._hash = _Hash()
        self._file: int | None = None
        self._flushed = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __enter__(self) -> LocalSink:
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
            flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self.part, flags, 0o666)
        except OSError as error:
            raise explain(error, self.target) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hash.close()
        self._close()
        self.part.unlink(missing_ok=True)

    def write(self, data: Bytes) -> None:
        """Append ``data``. Raises ``DiskFull`` or ``WriteFailed``."""
        self._append(self._compressor.compress(data))

    def finish(self) -> None:
        """Write what is left and flush the file to the disk; its bytes are final after this."""
        self._append(self._compressor.finish())
        assert self._file is not None
        try:
            os.fsync(self._file)
        except OSError as error:
            raise explain(error, self.target) from error
        finally:
            self._close()

    def publish(self) -> Path:
        """Give the finished file its name and return it.

        Raises ``OutputExists`` when ``if_exists`` is ``error`` and something has appeared there;
        with ``rename`` the first free name of ``name (1).ending``, … is taken.
        """
        try:
            published = self._name_it()
            _flush_folder(published.parent)
        except OSError as error:
            if isinstance(error, ExportError):
                raise
            raise explain(error, self.target) from error
        self.target = published
        return published

    def _name_it(self) -> Path:
        if self._if_exists == "replace":
            os.replace(self.part, self.target)
            return self.target
        names = iter([self.target]) if self._if_exists == "error" else free_names(self.target)
        for name in names:
            try:
                _rename_exclusively(self.part, name)
            except FileExistsError:
                continue
            return name
        raise already_there(self.target)

    def _append(self, data: Bytes) -> None:
        if not len(data):
            return
        self._hash.update(data)
        assert self._file is not None
        view = memoryview(data)
        try:
            while len(view):
                written = os.write(self._file, view)
                view = view[written:]
        except OSError as error:
            raise explain(error, self.target) from error
        self.bytes += len(data)
        if self.bytes - self._flushed >= _WRITEBACK:
            _start_writing(self._file, self._flushed, self.bytes - self._flushed)
            self._flushed = self.bytes

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _Hash:
    """SHA-256 on a thread of its own, beside the writing: neither waits for the other's bytes."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jupyter-export-hash")
        self._latest: Future[None] | None = None

    def update(self, data: Bytes) -> None:
        """Take ``data``, which nobody may change any more, once what came before is done."""
        if self._latest is not None:
            self._latest.result()
        self._latest = self._thread.submit(self._sum.update, data)

    def hexdigest(self) -> str:
        if self._latest is not None:
            self._latest.result()
        return self._sum.hexdigest()

    def close(self) -> None:
        self._thread.shutdown()


def free_names(target: Path) -> Iterator[Path]:
    """Yield ``target``, then ``name (1).ending``, ``name (2).ending``, … without end."""
    yield target
    stem, _, _ = split_ending(target.name)
    tail = target.name[len(stem) :]
    for number in count(1):
        yield target.with_name(f"{stem} ({number}){tail}")


def already_there(target: Path) -> OutputExists:
    return OutputExists(
        f"“{target.name}” exists already.",
        hint="Choose another name, or say replace or rename in output.if_exists.",
        field="output.path",
    )


def explain(error: OSError, target: Path) -> ExportError:
    """Return our error for what the file system said."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DiskFull(
            f"The disk is full: “{target.name}” could not be written, and nothing was left of it.",
            hint="Free some space, or export to another disk.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WriteFailed(
            f"The folder of “{target.name}” cannot be written to.",
            hint="Choose a folder that you may write to.",
            field="output.path",
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return WriteFailed(f"“{target.name}” could not be written: {reason}.", field="output.path")


def _rename_exclusively(part: Path, target: Path) -> None:
    """Rename, or raise ``FileExistsError``: never over another file, whoever made it meanwhile."""
    if sys.platform == "win32":
        os.rename(part, target)
        return
    try:
        os.link(part, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # a file system without hard links: reserve the name, then replace the reservation
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        os.replace(part, target)
        return
    os.unlink(part)


def _start_writing(file: int, offset: int, length: int) -> None:
    """Ask for early write-back where the platform has a call for it; only a hint."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        # DONTNEED starts writing dirty pages on Linux and frees those that are clean already
        with suppress(OSError):
            advise(file, offset, length, os.POSIX_FADV_DONTNEED)


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    # the file has its name already: where a folder cannot be flushed, that is no failure any more
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
