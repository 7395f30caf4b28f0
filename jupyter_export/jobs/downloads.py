"""The finished file of a job, or the files of its folder as a zip, ready to be sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Expired, NotReady
from ..folders import open_checked
from ..registry import ZIP_ENDING
from .model import Job
from .sending import SentFile
from .zipping import Packed, zipped

ZIP_MEDIA_TYPE = "application/zip"
COMPRESSED = {
    "gzip": "application/gzip",
    "zstd": "application/zstd",
    "brotli": "application/x-brotli",
}
"""What compressed bytes are called; they are given out as such, not as an encoding of others."""


@dataclass(frozen=True)
class Download:
    """``path`` is what to send, ``name`` what to call it.

    ``size`` in bytes; None for a folder, which is sent as a zip that is made on the way: its bytes
    are those of ``pieces``.
    """

    path: Path
    name: str
    media_type: str
    size: int | None
    sha256: str
    on_done: Callable[[], None] = field(repr=False)
    files: tuple[Packed, ...] = ()
    on_begin: Callable[[str], None] = field(default=lambda _: None, repr=False)
    on_broken_off: Callable[[], None] = field(default=lambda: None, repr=False)
    finished: float | None = None
    """When the job ended, in seconds since 1970: a file that was touched later is looked at."""
    modified: int | None = None
    """When the file was last changed, in whole seconds since 1970."""
    root: Path | None = None
    """What is opened must lie below this folder; None: anywhere."""
    parts: bool = True
    """False: it is sent whole or not at all, whatever ``Range`` asks."""

    def pieces(self) -> Generator[bytes]:
        """Yield the zip of a folder in pieces, the same bytes each time.

        Raises ``Expired`` when one of its files is gone or is not the one that was exported; what
        was sent until then has no end, so that nobody takes it for whole.
        """
        return zipped(self.files)

    def open(self) -> SentFile:
        """Open the file to send it. Raises ``Expired`` unless it is the one that was proved."""
        assert self.size is not None, "a folder has no file to open"
        return SentFile(
            self.path,
            root=self.root,
            name=self.name,
            size=self.size,
            sha256=self.sha256,
            finished=self.finished,
        )

    def begin(self, part: str = "") -> None:
        """Call before the first byte is sent; ``part`` is what ``Range`` asked for, if it did.

        Raises ``ServerUnavailable`` when the audit trail cannot take it, ``Expired`` when it may
        not be sent any more; then nothing is to be sent.
        """
        self.on_begin(part)

    def broken_off(self) -> None:
        """Call after ``begin`` of the whole when its last byte was not sent."""
        self.on_broken_off()

    def done(self) -> None:
        """Count a download whose last byte was sent; removes a file that was asked to go then."""
        self.on_done()


def ready(job: Job, *, root: Path | None, media_type: str, on_done: Callable[[], None]) -> Download:
    """Return the download of ``job``, whose file must lie below ``root`` (None: anywhere).

    Raises ``NotReady`` unless it is completed, ``Expired`` when its file is gone or is another one
    by now.
    """
    path = Path(job.target)
    name = path.name
    if job.status == "expired":
        raise Expired(f"The file “{name}” has expired.", hint="Retry the export to make it again.")
    if job.status != "completed" or job.result is None:
        how = "is not finished yet" if not job.final else f"was {job.status}"
        if job.status == "failed":
            how = "failed"
        raise NotReady(
            f"The export “{job.name}” {how}, so there is no file to download.",
            hint="Wait until it is completed." if not job.final else "Retry it.",
        )
    sha256 = job.result.sha256
    if job.is_folder:
        packed = tuple(_packed(job, file, root) for file in job.result.files)
        zip_name = f"{name}{ZIP_ENDING}"
        return Download(path, zip_name, ZIP_MEDIA_TYPE, None, sha256, on_done, packed, root=root)
    found = _look(path, root)
    _check_same(name, found, job.result.bytes)
    if name.lower().endswith(ZIP_ENDING):
        media_type = ZIP_MEDIA_TYPE
    finished = job.finished_at.timestamp() if job.finished_at else None
    return Download(
        path,
        name,
        media_type,
        job.result.bytes,
        sha256,
        on_done,
        finished=finished,
        modified=int(found.st_mtime) if found is not None else None,
        root=root,
    )


def _packed(job: Job, file: dict[str, object], root: Path | None) -> Packed:
    target = Path(job.target)
    path = Path(job.root) / str(file["path"])
    name = path.relative_to(target).as_posix()
    expected = int(str(file["bytes"]))
    _check_same(f"{target.name}/{name}", _look(path, root), expected)
    return Packed(path, name, expected, str(file["sha256"]), root)


def _look(path: Path, root: Path | None) -> os.stat_result | None:
    """Return what the system tells of the file, or None when there is none below ``root``."""
    try:
        # Whoever can write into the folder could have put a link to any file there.
        handle = open_checked(path, root)
    except OSError:
        return None
    try:
        return os.fstat(handle)
    finally:
        os.close(handle)


def _check_same(name: str, found: os.stat_result | None, expected: int) -> None:
    if found is None:
        raise Expired(f"The file “{name}” is no longer there.", hint="Export it again.")
    if found.st_size != expected:
        raise Expired(f"The file “{name}” was changed after its export.", hint="Export it again.")
