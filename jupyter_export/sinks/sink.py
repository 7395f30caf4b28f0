"""The contract of sinks: files that get their names together, whole, or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

from ..registry import Bytes

IfExists = Literal["error", "replace", "rename"]


class Written(NamedTuple):
    """One finished file: its name in the folder (empty: the export is this file), bytes, hash."""

    name: str
    bytes: int
    sha256: str


class Sink(ABC):
    """Takes bytes; ``publish`` gives them their name. Leaving without it removes everything.

    Raises ``DiskFull`` or ``WriteFailed``.
    """

    target: Path

    @property
    @abstractmethod
    def bytes(self) -> int:
        """Bytes on the disk so far, of all files together."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """The hash of what was published: the file's, or the one of a folder's list of hashes."""

    @abstractmethod
    def files(self) -> list[Written]:
        """Return the finished files as they lie under the published path."""

    @abstractmethod
    def path_of(self, file: str) -> Path:
        """Return where the finished file of that name can be read before it is published."""

    @abstractmethod
    def write(self, data: Bytes, file: str = "") -> None:
        """Append ``data`` to ``file``; the first time makes it, also without a byte."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is left and flush everything to the disk; all bytes are final after this."""

    def seal(self) -> None:
        """Make what is still to be made of the finished files; ``bytes``, ``sha256`` and ``files``
        are those of what will be published from now on."""
        return

    @abstractmethod
    def publish(self) -> Path:
        """Give what is finished its name and return it. Raises ``OutputExists``."""

    def __enter__(self) -> Sink:
        return self

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what has not been published."""
