"""A zip of the files of an export, which appears at its path whole, or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ..registry import Bytes, Compression
from .folder import FolderSink
from .local import LocalSink
from .sink import IfExists, Sink, Written

COMPACT = (
    *(".gz", ".zst", ".br", ".zip", ".parquet", ".pq", ".xlsx", ".pdf"),
    *(".arrow", ".arrows", ".feather"),
)
"""Endings of files that deflate would make no smaller, or that are read in place."""
_LEVEL = 1
"""zlib's fastest: files leave the export several times faster than at its default of 6."""
_PIECE = 1024**2
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same rows give the same bytes: no entry tells its time."""


class ZipSink(Sink):
    """Files are written into ``scratch`` by turns, and packed one after another at the end.

    ``bytes`` are those of the files until ``seal``, and those of the zip from then on.
    ``check`` is called again and again while the files are packed, and may raise. The zip goes
    ``into`` another sink where one is given.
    """

    def __init__(
        self,
        target: Path,
        part: Path,
        scratch: Path,
        *,
        root: Path | None = None,
        if_exists: IfExists = "error",
        compression: Compression = "none",
        check: Callable[[], None] = lambda: None,
        into: Sink | None = None,
    ) -> None:
        self.target = target
        self._check = check
        self._inside = FolderSink(
            target, scratch / "zipped", compression=compression, check=check, durable=False
        )
        self._zip = into or LocalSink(target, part, root=root, if_exists=if_exists)
        self._packed = False

    @property
    def bytes(self) -> int:
        return self._zip.bytes if self._packed else self._inside.bytes

    @property
    def sha256(self) -> str:
        return self._zip.sha256

    def files(self) -> list[Written]:
        return self._zip.files() if self._packed else self._inside.files()

    def path_of(self, file: str) -> Path:
        return self._inside.path_of(file)

    def __enter__(self) -> ZipSink:
        self._zip.__enter__()
        try:
            self._inside.__enter__()
        except BaseException:
            self._zip.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._inside.__exit__(kind, error, trace)
        finally:
            self._zip.__exit__(kind, error, trace)

    def write(self, data: Bytes, file: str = "") -> None:
        self._inside.write(data, file)

    def finish(self) -> None:
        self._inside.finish()

    def seal(self) -> None:
        if not self._packed:
            self._pack()
            self._zip.finish()

    def publish(self) -> Path:
        self.seal()
        self.target = self._zip.publish()
        return self.target

    def _pack(self) -> None:
        self._packed = True
        out: Any = _Out(self._zip)
        with zipfile.ZipFile(out, "w") as archive:
            for name, size, _ in self._inside.files():
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.external_attr = 0o644 << 16
                # the archive's own level is for names alone; public from Python 3.13 on
                entry._compresslevel = _LEVEL  # type: ignore[attr-defined]
                stored = name.lower().endswith(COMPACT)
                entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                big = size > zipfile.ZIP64_LIMIT // 2
                with (
                    open(self._inside.path_of(name), "rb") as plain,
                    archive.open(entry, "w", force_zip64=big) as packed,
                ):
                    while piece := plain.read(_PIECE):
                        self._check()
                        packed.write(piece)


class _Out:
    """A sink as the file that cannot seek which ``zipfile`` writes to."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Bytes) -> int:
        self._sink.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass
