"""A folder of files that appears at its path whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType

from ..errors import OutputExists
from ..registry import Bytes, Compression
from .local import already_there, flush_folder, free_names, make_folder
from .sink import IfExists, Sink, Written
from .written import WrittenFile, explain

MANIFEST = "manifest.json"
_OPEN = 64
"""Files held open at a time: far below what a process may have."""
_COMPRESSING = 8
"""Files compressed at a time: a compressor holds up to 7 MB."""
_NOT_FREE = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


class FolderSink(Sink):
    """Write files by turns into a hidden folder beside the target, which becomes it.

    Only a folder that holds nothing but what such an export has written is replaced, since
    everything in it goes. ``check`` is called again and again while many files are finished, and
    may raise. The files of a folder that is not ``durable`` are not flushed to the disk.
    """

    def __init__(
        self,
        target: Path,
        part: Path,
        *,
        if_exists: IfExists = "error",
        compression: Compression = "none",
        check: Callable[[], None] = lambda: None,
        durable: bool = True,
    ) -> None:
        self.target = target
        self.part = part
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
        make_folder(self.part.parent, self.target)
        self._clear()
        try:
            self.part.mkdir()
        except OSError as error:
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
        self._clear()

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
        for folder in {self.path_of(name).parent for name in self._files}:
            flush_folder(folder)

    def publish(self) -> Path:
        """Give the finished folder its name and return it.

        Raises ``OutputExists`` when something is there, or when ``replace`` would remove what no
        such export has written.
        """
        try:
            published = self._name_it()
            flush_folder(published.parent)
        except OSError as error:
            raise explain(error, self.target.name) from error
        self.target = published
        return published

    def _new(self, file: str) -> WrittenFile:
        path = self.path_of(file)
        make_folder(path.parent, self.target)
        plain = "none" if file == MANIFEST else self._compression
        written = WrittenFile(
            path,
            f"{self.target.name}/{file}",
            compression=plain,
            hashing=self._hashing,
            durable=self._durable,
        )
        self._files[file] = written
        self._open[file] = None
        return written

    def _name_it(self) -> Path:
        if self._if_exists == "replace" and os.path.lexists(self.target):
            return self._replace()
        names = free_names(self.target) if self._if_exists == "rename" else iter([self.target])
        for name in names:
            if os.path.lexists(name):
                continue
            try:
                # never over a file or a folder with something in it, whoever made it meanwhile
                os.rename(self.part, name)
            except OSError as error:
                if error.errno in _NOT_FREE:
                    continue
                raise
            return name
        raise already_there(self.target)

    def _replace(self) -> Path:
        if not self.target.is_dir() or self.target.is_symlink():
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
        old = self.part.with_name(f"{self.part.name}.old")
        os.rename(self.target, old)
        try:
            os.rename(self.part, self.target)
        except OSError:
            os.rename(old, self.target)
            raise
        shutil.rmtree(old, ignore_errors=True)
        return self.target

    def _foreign(self) -> str | None:
        """Return a file of the folder that is neither in its manifest nor named as ours are."""
        listed = _listed(self.target / MANIFEST)
        shapes = {_shape(name) for name in self._files}
        for folder, _, names in os.walk(self.target):
            for name in sorted(names):
                file = (Path(folder) / name).relative_to(self.target).as_posix()
                if file != MANIFEST and file not in listed and _shape(file) not in shapes:
                    return file
        return None

    def _clear(self) -> None:
        """Remove the hidden folder, or what a link or file of its name is; no link is followed."""
        if self.part.is_symlink() or self.part.is_file():
            self.part.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.part)


def _shape(file: str) -> tuple[str, ...]:
    """Return what the names of all parts, or of all partitions (``key=value/``), share."""
    *folders, name = file.split("/")
    return (*(each for each in folders if "=" not in each), re.sub(r"[0-9]+", "0", name))


def _listed(manifest: Path) -> set[str]:
    """Return the files that a manifest names; none where it is no manifest of ours."""
    try:
        datasets = json.loads(manifest.read_bytes())["datasets"]
        return {file["path"] for dataset in datasets for file in dataset["files"]}
    except (OSError, ValueError, LookupError, TypeError):
        return set()
