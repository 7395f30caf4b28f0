"""A file of this machine that appears at its path whole, or not at all.

The bytes go into a hidden file beside the target (the same disk, so that the rename is atomic),
are flushed to the disk, and only then get the final name; the folder is flushed as well.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType

from ..errors import OutputExists
from ..registry import Bytes, Compression, split_ending
from .sink import IfExists, Sink, Written
from .written import WrittenFile, explain

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalSink(Sink):
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
        self._if_exists = if_exists
        self._compression: Compression = compression
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="jupyter-export-hash")
        self._file: WrittenFile | None = None

    @property
    def bytes(self) -> int:
        return self._written.bytes

    @property
    def sha256(self) -> str:
        return self._written.sha256

    def files(self) -> list[Written]:
        return [Written("", self.bytes, self.sha256)]

    def path_of(self, file: str) -> Path:
        return self.part

    def __enter__(self) -> LocalSink:
        make_folder(self.part.parent, self.target)
        self._file = WrittenFile(
            self.part,
            self.target.name,
            compression=self._compression,
            hashing=self._hashing,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hashing.shutdown()
        self._written.rest()
        self.part.unlink(missing_ok=True)

    def write(self, data: Bytes, file: str = "") -> None:
        self._written.write(data)

    def finish(self) -> None:
        self._written.finish()

    def publish(self) -> Path:
        """Give the finished file its name and return it.

        Raises ``OutputExists`` when ``if_exists`` is ``error`` and something has appeared there;
        with ``rename`` the first free name of ``name (1).ending``, … is taken.
        """
        try:
            published = self._name_it()
            flush_folder(published.parent)
        except OSError as error:
            raise explain(error, self.target.name) from error
        self.target = published
        return published

    @property
    def _written(self) -> WrittenFile:
        assert self._file is not None, "the sink is not open"
        return self._file

    def _name_it(self) -> Path:
        if self._if_exists == "replace":
            _keep_mode(self.target, self.part)
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


def _keep_mode(old: Path, new: Path) -> None:
    """Give ``new`` the permissions of the file that it replaces, if that is one."""
    with suppress(OSError):
        known = os.lstat(old)
        if stat.S_ISREG(known.st_mode):
            os.chmod(new, stat.S_IMODE(known.st_mode) & 0o777)


def make_folder(folder: Path, target: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, target.name) from error


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


def flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    # the file has its name already: where a folder cannot be flushed, that is no failure any more
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
