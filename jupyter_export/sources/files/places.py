"""Where files are: under the root, or below the place that a connection leads to.

A place finds the files that a path means, one or a folder of them, and gives each as a file of this
machine or as something that can be read from. A path never leads out of its place.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import Forbidden, InvalidSpec, NotFound, SourceFailed
from ...folders import HELD, NAMED, open_beneath
from ...registry import Surroundings, split_ending
from .waiting import heard

FIELD = "source.path"
MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 64 * 2**20
_MOST_HELD = 200
"""Files held open at a time: far below what a process may have."""
_MOST = 100_000
"""Files of one folder."""


@dataclass(frozen=True)
class Entry:
    """One file of a place."""

    shown: str
    """What the user calls it: the path of the spec, and the way from there."""
    below: tuple[str, ...]
    """The folders between the path of the spec and the file."""
    ref: Any
    """Where it is, as its place knows it."""

    @property
    def name(self) -> str:
        return PurePosixPath(self.shown).name


@dataclass(frozen=True)
class Found:
    """What a path means."""

    entries: tuple[Entry, ...]
    folder: bool


class Place(ABC):
    """Finds and opens files. Every method may raise ``NotFound``, ``Forbidden`` and
    ``SourceFailed``, and ``Cancelled`` while it waits."""

    @abstractmethod
    def find(self, path: str) -> Found:
        """Return the file, or all files of the folder in their order."""

    @abstractmethod
    def local(self, entry: Entry) -> Path:
        """Return the file as one of this machine, copied where it is elsewhere."""

    @abstractmethod
    def open(self, entry: Entry) -> Any:
        """Return what PyArrow reads and seeks in: a path, or a file."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """A folder for copies, removed when the place is closed."""

    @abstractmethod
    def close(self) -> None: ...


class LocalPlace(Place):
    """The files below ``root``; ``confined``: and no others, whatever links say.

    A file is opened when it is found to be below the root, and read by that open file: a link that
    is put in the place of one of its folders afterwards leads nobody out. Of folders with very many
    files, and on systems where open files have no names, the path is looked at again instead.
    """

    def __init__(
        self, root: Path, here: Surroundings, scratch: Scratch, *, confined: bool, of: str | None
    ) -> None:
        self._root = root
        self._here = here
        self._scratch = scratch
        self._confined = confined
        self._of = of
        self._held: dict[Path, tuple[int, Path]] = {}

    def find(self, path: str) -> Found:
        try:
            given = Path(path) if self._confined else Path(path).expanduser()
            start = (self._root / given).resolve()
            folder = start.is_dir()
            exists = folder or start.is_file()
        except (OSError, ValueError, RuntimeError):
            raise NotFound(f"There is no file “{path[:200]}”.", field=FIELD) from None
        self._check(start, path)
        if not exists:
            raise NotFound(f"There is no file “{path}”.", field=FIELD)
        if not folder:
            return Found((Entry(path, (), start),), folder=False)
        entries: list[Entry] = []
        self._walk(start, path.rstrip("/"), (), entries, frozenset())
        if not entries:
            raise nothing_in(path)
        return Found(tuple(sorted(entries, key=in_order)), folder=True)

    def _check(self, path: Path, shown: str) -> None:
        if self._confined and not path.is_relative_to(self._root.resolve()):
            where = (
                "outside the folder that this server serves"
                if self._of is None
                else f"outside the place that the connection {self._of} leads to"
            )
            raise Forbidden(f"“{shown}” is {where}.", hint="Give a path below it.", field=FIELD)

    def _walk(
        self,
        folder: Path,
        shown: str,
        below: tuple[str, ...],
        entries: list[Entry],
        above: frozenset[Path],
    ) -> None:
        heard(self._here)
        if folder in above:
            raise SourceFailed(f"The links in “{shown}” lead in a circle.", field=FIELD)
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            raise SourceFailed(
                f"The folder “{shown}” cannot be read: {error.strerror}.", field=FIELD
            ) from None
        refuse_tables(names, shown)
        if MANIFEST in names:
            manifest = folder / MANIFEST
            if manifest.is_file() and manifest.stat().st_size <= _LARGEST_MANIFEST:
                refuse_several(manifest.read_bytes(), shown)
        for name in names:
            if is_hidden(name):
                continue
            each = (folder / name).resolve()
            self._check(each, f"{shown}/{name}")
            if each.is_dir():
                self._walk(each, f"{shown}/{name}", (*below, name), entries, above | {folder})
            elif each.is_file():
                entries.append(Entry(f"{shown}/{name}", below, each))
                check_number(len(entries), shown)
            else:
                raise NotFound(f"“{shown}/{name}” is no file, or a link to none.", field=FIELD)

    def local(self, entry: Entry) -> Path:
        path: Path = entry.ref
        if not self._confined:
            return path
        if path in self._held:
            return self._held[path][1]
        if not HELD:
            self._check(path.resolve(), entry.shown)
            return path
        try:
            file = open_beneath(path, self._root.resolve())
        except OSError:
            raise NotFound(f"There is no file “{entry.shown}”.", field=FIELD) from None
        if not NAMED or len(self._held) >= _MOST_HELD:
            os.close(file)
            return path
        _, ending, packed = split_ending(entry.name)
        name = self.folder / f"{uuid.uuid4().hex}{ending}{packed}"
        self._held[path] = file, name
        name.symlink_to(f"/proc/self/fd/{file}")
        return name

    def open(self, entry: Entry) -> Any:
        return str(self.local(entry))

    @property
    def folder(self) -> Path:
        return self._scratch.folder

    def close(self) -> None:
        while self._held:
            _, (file, _) = self._held.popitem()
            os.close(file)
        self._scratch.close()


class Scratch:
    """A folder of this source's own below the scratch folder, made when it is needed."""

    def __init__(self, here: Surroundings) -> None:
        self._here = here
        self._made: Any = None

    @property
    def folder(self) -> Path:
        import tempfile

        if self._made is None:
            self._here.scratch.mkdir(parents=True, exist_ok=True)
            self._made = tempfile.TemporaryDirectory(prefix="files-", dir=self._here.scratch)
        return Path(self._made.name)

    def close(self) -> None:
        if self._made is not None:
            self._made.cleanup()
            self._made = None


# ------------------------------------------------------------------ what a folder holds


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder holds no rows by its name: ``.crc``, ``_SUCCESS``,
    ``_metadata`` (Spark's and Hive's convention), and the manifest of our own exports. A column
    whose name begins so names folders all the same."""
    return name == MANIFEST or (name.startswith((".", "_")) and "=" not in name)


def in_order(entry: Entry) -> list[list[tuple[int, int, str]]]:
    """Sort by path, numbers in names by their size: part-2 before part-10."""
    parts = (*entry.below, entry.name)
    return [
        [
            (0, int(piece), piece) if piece.isascii() and piece.isdigit() else (1, 0, piece)
            for piece in re.split(r"([0-9]+)", part)
        ]
        for part in parts
    ]


def nothing_in(path: str) -> NotFound:
    return NotFound(f"The folder “{path}” holds no file with rows.", field=FIELD)


def check_number(count: int, shown: str) -> None:
    if count > _MOST:
        raise SourceFailed(f"The folder “{shown}” holds more than {_MOST:,} files.", field=FIELD)


def refuse_tables(names: Iterable[str], shown: str) -> None:
    """Refuse the folder of a table format, whose files alone do not tell which rows are valid."""
    kinds = {"_delta_log": "Delta", ".hoodie": "Hudi"}
    for name in names:
        if name in kinds:
            raise InvalidSpec(
                f"“{shown}” is a {kinds[name]} table: its log says which of its files count.",
                hint=f"Read it with a {kinds[name]} library and export the frame.",
                field=FIELD,
            )


def refuse_several(manifest: bytes, shown: str) -> None:
    """Refuse a folder that one of our exports filled with several datasets."""
    try:
        datasets = [each["name"] for each in json.loads(manifest)["datasets"]]
    except (ValueError, KeyError, TypeError):
        return
    if len(datasets) > 1:
        named = ", ".join(f"“{name}”" for name in datasets[:10])
        raise InvalidSpec(
            f"The folder “{shown}” holds several datasets: {named}.",
            hint="Name the file or folder of one of them.",
            field=FIELD,
        )
