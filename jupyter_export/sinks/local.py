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
from ..folders import Folder
from ..registry import Bytes, Compression, split_ending
from .sink import IfExists, Sink, Written
from .written import WrittenFile, another, explain

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalSink(Sink):
    """Write, hash and count bytes; ``publish`` gives them their name. Leaving without it removes
    what was written.

    ``bytes`` and ``sha256`` speak of the finished (compressed) file. The folder is opened once and
    held, below ``root`` without following any link, so that nothing is written elsewhere when
    somebody puts a link in the place of one of its folders meanwhile.
    """

    def __init__(
        self,
        target: Path,
        part: Path,
        *,
        root: Path | None = None,
        if_exists: IfExists = "error",
        compression: Compression = "none",
    ) -> None:
        self.target = target
        self.part = part
        self._root = root
        self._folder: Folder | None = None
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
        self._folder = open_folder(self.part.parent, self._root, self.target)
        try:
            self._file = WrittenFile(
                self._folder,
                [self.part.name],
                self.target.name,
                compression=self._compression,
                hashing=self._hashing,
            )
        except BaseException:
            self._folder.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hashing.shutdown()
        self._written.rest()
        folder = self._held
        try:
            folder.remove(self.part.name)
        finally:
            folder.close()

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
            self._held.check()
            if not self._written.is_at(self.part.name):
                raise another(self.target.name)
            published = self._name_it()
            self._held.flush()
        except OSError as error:
            raise explain(error, self.target.name) from error
        self.target = published
        return published

    @property
    def _written(self) -> WrittenFile:
        assert self._file is not None, "the sink is not open"
        return self._file

    @property
    def _held(self) -> Folder:
        assert self._folder is not None, "the sink is not open"
        return self._folder

    def _name_it(self) -> Path:
        folder, part = self._held, self.part.name
        if self._if_exists == "replace":
            _keep_mode(folder, self.target.name, part)
            folder.replace(part, self.target.name)
            return self.target
        names = iter([self.target]) if self._if_exists == "error" else free_names(self.target)
        for name in names:
            try:
                _rename_exclusively(folder, part, name.name)
            except FileExistsError:
                continue
            return name
        raise already_there(self.target)


def _keep_mode(folder: Folder, old: str, new: str) -> None:
    """Give ``new`` the permissions of the file that it replaces, if that is one."""
    if sys.platform == "win32":
        return  # they are those of the folder
    with suppress(OSError):
        known = folder.look(old)
        if known is not None and stat.S_ISREG(known.st_mode):
            file = folder.open([new], os.O_RDONLY)
            try:
                os.fchmod(file, stat.S_IMODE(known.st_mode) & 0o777)
            finally:
                os.close(file)


def open_folder(path: Path, root: Path | None, target: Path) -> Folder:
    """Return the folder ``path``, made where it is missing."""
    try:
        if root is not None and path.is_relative_to(root):
            base = Folder(root, root)
            try:
                base.make(path.relative_to(root).parts)
            finally:
                base.close()
        else:
            path.mkdir(parents=True, exist_ok=True)
        return Folder(path, root)
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


def _rename_exclusively(folder: Folder, part: str, target: str) -> None:
    """Rename, or raise ``FileExistsError``: never over another file, whoever made it meanwhile."""
    if sys.platform == "win32":
        folder.rename(part, target)
        return
    try:
        folder.link(part, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # a file system without hard links: reserve the name, then replace the reservation
        os.close(folder.open([target], os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        folder.replace(part, target)
        return
    folder.remove(part)
