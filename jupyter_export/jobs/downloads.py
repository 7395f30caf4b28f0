"""The finished file of a job, or the files of its folder as a zip, ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Expired, NotReady
from ..registry import ZIP_ENDING
from .model import Job
from .zipping import Packed, zipped

ZIP_MEDIA_TYPE = "application/zip"


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

    def pieces(self) -> Generator[bytes]:
        """Yield the zip of a folder in pieces, the same bytes each time.

        Raises ``Expired`` when one of its files is gone or is not the one that was exported; what
        was sent until then has no end, so that nobody takes it for whole.
        """
        return zipped(self.files)

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
        return Download(path, zip_name, ZIP_MEDIA_TYPE, None, sha256, on_done, packed)
    size = _size(path, root)
    _check_same(name, size, job.result.bytes)
    if name.lower().endswith(ZIP_ENDING):
        media_type = ZIP_MEDIA_TYPE
    return Download(path, name, media_type, size, sha256, on_done)


def _packed(job: Job, file: dict[str, object], root: Path | None) -> Packed:
    target = Path(job.target)
    path = Path(job.root) / str(file["path"])
    name = path.relative_to(target).as_posix()
    expected = int(str(file["bytes"]))
    _check_same(f"{target.name}/{name}", _size(path, root), expected)
    return Packed(path, name, expected, str(file["sha256"]))


def _size(path: Path, root: Path | None) -> int | None:
    """Return the bytes of the file at ``path``, or None when there is none below ``root``."""
    try:
        # Whoever can write into the folder could have put a link to any file there.
        real = path.resolve()
        away = root is not None and not real.is_relative_to(root.resolve())
        return real.stat().st_size if real.is_file() and not away else None
    except (OSError, RuntimeError):
        return None


def _check_same(name: str, size: int | None, expected: int) -> None:
    if size is None:
        raise Expired(f"The file “{name}” is no longer there.", hint="Export it again.")
    if size != expected:
        raise Expired(f"The file “{name}” was changed after its export.", hint="Export it again.")
