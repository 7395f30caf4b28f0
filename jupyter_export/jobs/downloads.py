"""The finished file of a job, ready to be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Expired, NotReady
from .model import Job


@dataclass(frozen=True)
class Download:
    """``path`` is what to send, ``name`` what to call it. ``size`` in bytes."""

    path: Path
    name: str
    media_type: str
    size: int
    sha256: str
    on_done: Callable[[], None] = field(repr=False)

    def done(self) -> None:
        """Count a download whose last byte was sent; removes a file that was asked to go then."""
        self.on_done()


def ready(job: Job, *, root: Path | None, media_type: str, on_done: Callable[[], None]) -> Download:
    """Return the download of ``job``, whose file must lie below ``root`` (None: anywhere).

    Raises ``NotReady`` unless it is completed, ``Expired`` when its file is gone or is another one
    by now.
    """
    name = Path(job.target).name
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
    path = Path(job.target)
    try:
        # Whoever can write into the folder could have put a link to any file there.
        real = path.resolve()
        away = root is not None and not real.is_relative_to(root.resolve())
        size = real.stat().st_size if real.is_file() and not away else None
    except (OSError, RuntimeError):
        size = None
    if size is None:
        raise Expired(f"The file “{name}” is no longer there.", hint="Export it again.")
    if size != job.result.bytes:
        raise Expired(f"The file “{name}” was changed after its export.", hint="Export it again.")
    return Download(path, name, media_type, size, job.result.sha256, on_done)
