"""What is checked of a spec before it becomes a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import registry
from ..errors import InvalidSpec, NotFound, OutputExists
from ..spec import ExportSpec, FileSource, parse
from . import connections
from .model import Caller, Job
from .naming import Target, inside, place
from .settings import Settings
from .store import JobStore
from .uploads import ENDING, ids_in


@dataclass(frozen=True)
class Checked:
    """A spec that can be run, as far as can be told before it runs."""

    spec: ExportSpec
    document: dict[str, Any]
    format: str
    ending: str
    uploads: tuple[str, ...]


def check(document: Any, settings: Settings, store: JobStore, caller: Caller) -> Checked:
    """Parse and check everything but the target.

    Raises ``InvalidSpec``, ``Forbidden`` (a source outside the root) and ``NotFound`` (an upload
    that is gone, or is somebody else's).
    """
    spec = parse(document)
    if "\0" in spec.name:
        raise InvalidSpec("The name holds a NUL character.", hint="Leave it out.", field="name")
    name = Path(spec.output.path).name if spec.output.path is not None else None
    choice = registry.choose(spec, name)
    connections.check(spec, settings.connections)
    for index, dataset in enumerate(spec.datasets):
        if isinstance(dataset.source, FileSource):
            inside(dataset.source.path, settings, field=f"datasets[{index}].source.path")
    plain = spec.to_json()
    uploads = tuple(ids_in(plain))
    for upload_id in uploads:
        upload = store.get_upload(upload_id)
        if upload is None or not (caller.admin or upload.owner == caller.name):
            raise _no_upload(upload_id)
        if not (settings.uploads / f"{upload_id}{ENDING}").is_file():
            raise _no_upload(upload_id)
    return Checked(spec, plain, choice.format.type, choice.ending, uploads)


def choose_target(
    checked: Checked, settings: Settings, store: JobStore, *, job_id: str, moment: datetime
) -> Target:
    """Name the file and make sure that no other active job writes it; call it under one lock.

    Raises what ``naming.place`` raises.
    """

    def writer_of(path: Path) -> Job | None:
        job = store.writing_to(str(path))
        return job if job is not None and job.id != job_id else None

    def taken(path: Path) -> bool:
        return writer_of(path) is not None

    target = place(
        checked.spec, settings, job_id=job_id, ending=checked.ending, moment=moment, taken=taken
    )
    other = writer_of(target.absolute)
    if other is not None:
        raise OutputExists(
            f"“{target.path}” is being written by another export, {other.id} (“{other.name}”).",
            hint="Wait until it is finished, cancel it, or choose another name.",
            field="output.path",
        )
    return target


def _no_upload(upload_id: str) -> NotFound:
    return NotFound(
        f"The upload {upload_id} is not here, or no longer.",
        hint="Send the data again.",
        field="source.id",
    )
