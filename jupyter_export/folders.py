"""Folders that are held open, so that no link put into a path afterwards leads out of it.

A path is checked once and used later, and whoever can write into one of its folders may put a
symbolic link there in between. So what was checked is opened component by component without
following any link (POSIX ``openat`` with ``O_NOFOLLOW``), and everything else happens relative to
the open folder. Where the system has no such calls (Windows) paths are used as they are.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

HELD = os.name == "posix" and os.open in os.supports_dir_fd
"""Whether this system opens files relative to an open folder."""
NAMED = os.path.isdir("/proc/self/fd")
"""Whether an open file can be opened again by a name (Linux, proc(5))."""
_CLOSED = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_STAY = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | _CLOSED | getattr(os, "O_PATH", 0)
"""To go through a folder is enough: it need not be readable."""


class Folder:
    """One open folder. Methods take names in it and raise ``OSError``; a link is not followed.

    With ``root``, the components of ``path`` below it must be folders, and none of them a link
    (``NotADirectoryError``, or ELOOP); what leads to ``root`` itself may be anything. Without, all
    of ``path`` may hold links.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._root = root
        self._fd = _walked(path, root) if HELD else None

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def check(self) -> None:
        """Raise ``OSError`` unless the path still leads to this folder, and without a link."""
        if self._fd is None:
            return
        again = _walked(self.path, self._root)
        try:
            if not os.path.samestat(os.fstat(again), os.fstat(self._fd)):
                raise NotADirectoryError
        finally:
            os.close(again)

    def below(self, name: str) -> Folder:
        """Return the folder of that name in this one, open on its own. Raises ``OSError``."""
        if self._fd is None:
            return Folder(self.path / name, self.path)
        found = Folder.__new__(Folder)
        found.path, found._root = self.path / name, self.path
        found._fd = os.open(name, _FOLDER | _STAY, dir_fd=self._fd)
        return found

    def is_same(self, found: os.stat_result) -> bool:
        """Tell whether ``found`` (of ``look``) is this folder."""
        return self._fd is None or os.path.samestat(os.fstat(self._fd), found)

    # ------------------------------------------------------------- what is in it

    def open(self, below: Sequence[str], flags: int, mode: int = 0o666) -> int:
        """Open the file at that way below the folder; return its descriptor."""
        *between, name = below
        flags |= _STAY | _CLOSED
        if self._fd is None:
            return os.open(self.path.joinpath(*below), flags, mode)
        with _down(self._fd, between) as folder:
            return os.open(name, flags, mode, dir_fd=folder)

    def make(self, below: Sequence[str]) -> None:
        """Make the folders of that way below the folder, where they are missing."""
        if self._fd is None:
            self.path.joinpath(*below).mkdir(parents=True, exist_ok=True)
            return
        for depth, name in enumerate(below):
            with _down(self._fd, below[:depth]) as folder, suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)

    def look(self, name: str) -> os.stat_result | None:
        """Return what ``lstat`` tells of the name; None where there is nothing."""
        try:
            if self._fd is None:
                return os.lstat(self.path / name)
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def files(self, name: str) -> Iterator[str]:
        """Yield the files of the folder ``name`` and below it, as paths with “/” from it on."""
        if self._fd is None:
            top = self.path / name
            walked = ((at, names) for at, _, names in os.walk(top))
            start = str(top)
        else:
            walked = ((at, names) for at, _, names, _ in os.fwalk(name, dir_fd=self._fd))
            start = name
        for at, names in walked:
            within = os.path.relpath(at, start).replace(os.sep, "/")
            for each in sorted(names):
                yield each if within == "." else f"{within}/{each}"

    # ------------------------------------------------------------- names

    def replace(self, old: str, new: str) -> None:
        if self._fd is None:
            os.replace(self.path / old, self.path / new)
        else:
            os.replace(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def rename(self, old: str, new: str) -> None:
        if self._fd is None:
            os.rename(self.path / old, self.path / new)
        else:
            os.rename(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name. Raises ``FileExistsError``."""
        if self._fd is None:
            os.link(self.path / old, self.path / new, follow_symlinks=False)
        else:
            os.link(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file or link; nothing happens where there is none."""
        with suppress(FileNotFoundError):
            if self._fd is None:
                os.unlink(self.path / name)
            else:
                os.unlink(name, dir_fd=self._fd)

    def remove_empty(self, name: str) -> None:
        """Remove an empty folder. Raises ``OSError`` for one that is not empty, or not there."""
        if self._fd is None:
            os.rmdir(self.path / name)
        else:
            os.rmdir(name, dir_fd=self._fd)

    def remove_all(self, name: str) -> None:
        """Remove a folder and everything in it, or the file or link of that name."""
        known = self.look(name)
        if known is None:
            return
        if not stat.S_ISDIR(known.st_mode):
            self.remove(name)
        elif self._fd is None:
            import shutil

            shutil.rmtree(self.path / name)
        else:
            self._remove_tree(name)

    def _remove_tree(self, name: str) -> None:
        for _, folders, files, at in os.fwalk(name, topdown=False, dir_fd=self._fd):
            for file in files:
                with suppress(FileNotFoundError):  # Somebody else was quicker.
                    os.unlink(file, dir_fd=at)
            for folder in folders:
                try:
                    os.rmdir(folder, dir_fd=at)
                except NotADirectoryError:  # a link to a folder
                    os.unlink(folder, dir_fd=at)
        os.rmdir(name, dir_fd=self._fd)

    def flush(self, below: Sequence[str] = ()) -> None:
        """Have the names in a folder written to the disk. A folder that cannot be flushed is no
        failure: its files are there already."""
        if self._fd is None:
            return
        with suppress(OSError), _down(self._fd, below) as folder:
            handle = os.open(".", os.O_RDONLY | _CLOSED, dir_fd=folder)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextmanager
def held(path: Path, root: Path | None = None) -> Iterator[Folder]:
    """Yield the open ``Folder``. Raises ``OSError``."""
    folder = Folder(path, root)
    try:
        yield folder
    finally:
        folder.close()


def is_away(error: OSError) -> bool:
    """Tell whether a path leads nowhere: something is missing on its way, or a link in its place
    (``ELOOP``, or ``ENOTDIR`` on Linux)."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def open_checked(path: Path, root: Path | None) -> int:
    """Open a regular file for reading. With ``root`` only one that is below it: links that lead
    there already are followed, one that is put into the path meanwhile is not.

    Raises ``OSError``, also for a file that is a link itself.
    """
    if root is None:
        return open_beneath(path, path.parent)
    try:
        top, real = root.resolve(), path.parent.resolve() / path.name
    except RuntimeError:  # Links in a circle, before Python 3.13.
        raise FileNotFoundError from None
    if not real.is_relative_to(top):
        raise FileNotFoundError
    return open_beneath(real, top)


def open_beneath(path: Path, root: Path) -> int:
    """Open a regular file for reading, no component of whose path below ``root`` is a link.

    Raises ``OSError``, also for a device, a pipe or a folder, for which nobody waits.
    """
    with held(path.parent, root) as folder:
        file = folder.open([path.name], os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError
    return file


def _walked(path: Path, root: Path | None) -> int:
    """Return a descriptor of the folder ``path``."""
    if root is None:
        return os.open(path, _FOLDER)
    start = root if path.is_relative_to(root) else Path(path.anchor)
    base = os.open(start, _FOLDER)
    try:
        with _down(base, path.relative_to(start).parts) as folder:
            return os.dup(folder)
    finally:
        os.close(base)


@contextmanager
def _down(folder: int, way: Sequence[str]) -> Iterator[int]:
    """Yield the folder at that way below ``folder``; no link on the way is followed."""
    here = os.dup(folder)
    try:
        for name in way:
            below = os.open(name, _FOLDER | _STAY, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)
