"""A folder of files that appears at its path whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType

from ..errors import OutputExists
from ..folders import Folder
from ..registry import Bytes, Compression
from .local import already_there, free_names, open_folder
from .sink import IfExists, Sink, Written
from .written import WrittenFile, another, explain

MANIFEST = "manifest.json"
_OPEN = 64
"""Files held open at a time: far below what a process may have."""
_COMPRESSING = 8
"""Files compressed at a time: a compressor holds up to 7 MB."""
_LARGEST_MANIFEST = 64 * 1024**2
_NOT_FREE = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


class FolderSink(Sink):
    """Write files by turns into a hidden folder beside the target, which becomes it.

    Only a folder that holds nothing but what such an export has written is replaced, since
    everything in it goes. ``check`` is called again and again while many files are finished, and
    may raise. The files of a folder that is not ``durable`` are not flushed to the disk. ``root``
    is as for a ``LocalSink``: what stands below it is held open, and no link is followed.
    """

    def __init__(
        self,
        target: Path,
        part: Path,
        *,
        root: Path | None = None,
        if_exists: IfExists = "error",
        compression: Compression = "none",
        check: Callable[[], None] = lambda: None,
        durable: bool = True,
    ) -> None:
        self.target = target
        self.part = part
        self._root = root
        self._around: Folder | None = None
        self._inner: Folder | None = None
        self._if_exists = if_exists
        self._compression: Compression = compression
        self._check = check
        self._durable = durable
        self._most_open = _OPEN if compression == "none" else _COMPRESSING
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="jupyter-export-hash")
        self._files: dict[str, WrittenFile] = {}
        self._open: OrderedDict[str, None] = OrderedDict()
        self._total = 0

    @property
    def bytes(self) -> int:
        return self._total

    @property
    def sha256(self) -> str:
        """SHA-256 of the lines ``{sha256}  {path}`` of all files in order of their paths."""
        lines = "".join(f"{each.sha256}  {each.name}\n" for each in self.files())
        return hashlib.sha256(lines.encode()).hexdigest()

    def files(self) -> list[Written]:
        return [Written(n, f.bytes, f.sha256) for n, f in sorted(self._files.items())]

    def path_of(self, file: str) -> Path:
        return self.part.joinpath(*PurePosixPath(file).parts)

    def __enter__(self) -> FolderSink:
        self._around = open_folder(self.part.parent, self._root, self.target)
        try:
            self._around.remove_all(self.part.name)
            self._around.make([self.part.name])
            self._inner = self._around.below(self.part.name)
            self._check_part()
        except OSError as error:
            with suppress(OSError):
                self._around.remove_all(self.part.name)
            self._close()
            raise explain(error, self.target.name) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hashing.shutdown()
        for file in self._files.values():
            file.rest()
        try:
            self._held.remove_all(self.part.name)
        finally:
            self._close()

    def write(self, data: Bytes, file: str = "") -> None:
        written = self._files.get(file)
        if written is None:
            written = self._new(file)
        before = written.bytes
        written.write(data)
        self._total += written.bytes - before
        if written.is_open:
            self._open[file] = None
            self._open.move_to_end(file)
            if len(self._open) > self._most_open:
                self._set_aside(self._files[self._open.popitem(last=False)[0]])

    def _set_aside(self, file: WrittenFile) -> None:
        before = file.bytes
        file.set_aside()
        self._total += file.bytes - before

    def finish(self) -> None:
        for file in self._files.values():
            self._check()
            before = file.bytes
            file.finish()
            self._total += file.bytes - before
        self._open.clear()
        if not self._durable:
            return
        for way in {PurePosixPath(name).parent.parts for name in self._files}:
            self._own.flush(way)

    def publish(self) -> Path:
        """Give the finished folder its name and return it.

        Raises ``OutputExists`` when something is there, or when ``replace`` would remove what no
        such export has written.
        """
        try:
            self._held.check()
            self._check_part()
            published = self._name_it()
            self._held.flush()
        except OSError as error:
            raise explain(error, self.target.name) from error
        self.target = published
        return published

    def _new(self, file: str) -> WrittenFile:
        way = PurePosixPath(file).parts
        try:
            self._own.make(way[:-1])
        except OSError as error:
            raise explain(error, self.target.name) from error
        plain = "none" if file == MANIFEST else self._compression
        written = WrittenFile(
            self._own,
            way,
            f"{self.target.name}/{file}",
            compression=plain,
            hashing=self._hashing,
            durable=self._durable,
        )
        self._files[file] = written
        self._open[file] = None
        return written

    def _name_it(self) -> Path:
        folder = self._held
        if self._if_exists == "replace" and folder.look(self.target.name) is not None:
            return self._replace()
        names = free_names(self.target) if self._if_exists == "rename" else iter([self.target])
        for name in names:
            if folder.look(name.name) is not None:
                continue
            try:
                # never over a file or a folder with something in it, whoever made it meanwhile
                folder.rename(self.part.name, name.name)
            except OSError as error:
                if error.errno in _NOT_FREE:
                    continue
                raise
            return name
        raise already_there(self.target)

    def _replace(self) -> Path:
        folder, target = self._held, self.target.name
        known = folder.look(target)
        if known is None or not stat.S_ISDIR(known.st_mode):
            raise OutputExists(
                f"“{self.target.name}” is a file, and this export makes a folder.",
                hint="Choose another name.",
                field="output.path",
            )
        foreign = self._foreign()
        if foreign is not None:
            raise OutputExists(
                f"The folder “{self.target.name}” holds “{foreign}”, which no such export has "
                "written, so it is not replaced.",
                hint="Choose another name, or remove the folder yourself.",
                field="output.path",
            )
        old = f"{self.part.name}.old"
        folder.rename(target, old)
        try:
            folder.rename(self.part.name, target)
        except OSError:
            folder.rename(old, target)
            raise
        with suppress(OSError):
            folder.remove_all(old)
        return self.target

    @property
    def _held(self) -> Folder:
        assert self._around is not None, "the sink is not open"
        return self._around

    @property
    def _own(self) -> Folder:
        assert self._inner is not None, "the sink is not open"
        return self._inner

    def _check_part(self) -> None:
        """Raise unless the hidden folder still has its name."""
        found = self._held.look(self.part.name)
        if found is None or not self._own.is_same(found):
            raise another(self.target.name)

    def _close(self) -> None:
        for folder in (self._inner, self._around):
            if folder is not None:
                folder.close()

    def _foreign(self) -> str | None:
        """Return a file of the folder that is neither in its manifest nor named as ours are."""
        listed = self._listed()
        shapes = {_shape(name) for name in self._files}
        for file in self._held.files(self.target.name):
            if file != MANIFEST and file not in listed and _shape(file) not in shapes:
                return file
        return None

    def _listed(self) -> set[str]:
        """Return the files that the manifest of the folder that is there names; none where it is
        no manifest of ours."""
        try:
            with open(self._held.open([self.target.name, MANIFEST], os.O_RDONLY), "rb") as file:
                datasets = json.loads(file.read(_LARGEST_MANIFEST))["datasets"]
            return {file["path"] for dataset in datasets for file in dataset["files"]}
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return set()


def _shape(file: str) -> tuple[str, ...]:
    """Return what the names of all parts, or of all partitions (``key=value/``), share."""
    *folders, name = file.split("/")
    return (*(each for each in folders if "=" not in each), re.sub(r"[0-9]+", "0", name))
