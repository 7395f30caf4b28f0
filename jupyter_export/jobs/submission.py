"""From a spec to a job: what is checked of it before, and the record that it becomes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import registry
from ..errors import InvalidRequest, NotFound, OutputExists, QueueFull
from ..spec import ExportSpec, FileSource, UploadSource, parse
from . import connections
from .files import remove_empty
from .line import estimate_wait
from .model import Caller, Job
from .naming import Target, inside, place
from .orders import preview_order
from .pace import Pace
from .previews import MAX_ROWS, last_second
from .settings import Settings
from .store import JobStore
from .uploads import ENDING, ids_in
from .workers import Message


@dataclass(frozen=True)
class Checked:
    """A spec that can be run, as far as can be told before it runs."""

    spec: ExportSpec
    document: dict[str, Any]
    choice: registry.Choice
    uploads: tuple[str, ...]
    weight: int
    """Bytes of its uploads and files; 0: not known."""


def check(document: Any, settings: Settings, store: JobStore, caller: Caller) -> Checked:
    """Parse and check everything but the target.

    Raises ``InvalidSpec`` (also for a connection that ``caller`` may not use), ``Forbidden`` (a
    source outside the root) and ``NotFound`` (an upload that is gone, or is somebody else's).
    """
    spec = parse(document)
    name = Path(spec.output.path).name if spec.output.path is not None else None
    choice = registry.choose(spec, name)
    connections.check(spec, settings.connections, caller, os.environ)
    for index, dataset in enumerate(spec.datasets):
        if isinstance(dataset.source, FileSource) and dataset.source.connection is None:
            inside(dataset.source.path, settings, field=f"datasets[{index}].source.path")
    plain = spec.to_json()
    uploads = tuple(ids_in(plain))
    for upload_id in uploads:
        upload = store.get_upload(upload_id)
        if upload is None or not (caller.admin or upload.owner == caller.name):
            raise _no_upload(upload_id)
        if not (settings.uploads / f"{upload_id}{ENDING}").is_file():
            raise _no_upload(upload_id)
    return Checked(spec, plain, choice, uploads, _weight(spec, settings))


def _weight(spec: ExportSpec, settings: Settings) -> int:
    """Return the bytes of the sources; 0 where that of one is not known."""
    total = 0
    for dataset in spec.datasets:
        source = dataset.source
        if isinstance(source, UploadSource):
            path = settings.uploads / f"{source.id}{ENDING}"
        elif isinstance(source, FileSource) and source.connection is None:
            path = settings.root / source.path
        else:
            return 0
        try:
            total += path.stat().st_size
        except (OSError, ValueError):
            return 0  # The run says what is wrong with it.
    return total


def check_queue(owner: str, settings: Settings, store: JobStore, pace: Pace) -> None:
    """Raise ``QueueFull`` when as many jobs of ``owner`` wait as may."""
    most = settings.max_pending_per_user
    if store.count_pending(owner) >= most:
        full = QueueFull(
            f"{most:,} exports of yours wait already.",
            hint="Wait until some of them are finished, or cancel some.",
        )
        owners = len({job.created_by for job in store.active()})
        full.retry_after = estimate_wait(pace.seconds(), size=settings.max_workers, owners=owners)
        raise full


def choose_target(
    checked: Checked, settings: Settings, store: JobStore, *, job_id: str, moment: datetime
) -> Target:
    """Name the file (or folder) and make sure that no other active job writes it; call it under
    one lock.

    Raises what ``naming.place`` raises.
    """

    def writer_of(path: Path) -> Job | None:
        job = store.writing_to(str(path))
        return job if job is not None and job.id != job_id else None

    def taken(path: Path) -> bool:
        return writer_of(path) is not None

    target = place(
        checked.spec,
        settings,
        job_id=job_id,
        ending=checked.choice.ending,
        moment=moment,
        taken=taken,
        folder=checked.choice.layout == "folder",
    )
    other = writer_of(target.absolute)
    if other is not None:
        remove_empty(target.made)
        raise OutputExists(
            f"“{target.path}” is being written by another export, {other.id} (“{other.name}”).",
            hint="Wait until it is finished, cancel it, or choose another name.",
            field="output.path",
        )
    return target


def first_attempt(
    checked: Checked,
    target: Target,
    settings: Settings,
    *,
    job_id: str,
    owner: str,
    moment: datetime,
    instance: str,
    place: str,
) -> Job:
    """Return the pending job of a spec; ``instance`` names the service that runs it, ``place`` its
    state folder."""
    return Job(
        id=job_id,
        name=checked.spec.name,
        status="pending",
        format=checked.choice.format.type,
        created_by=owner,
        created_at=moment,
        spec=checked.document,
        path=target.path,
        temporary=target.temporary,
        version=1,
        target=str(target.absolute),
        root=str(settings.root.resolve()),
        instance=instance,
        made=target.made,
        place=place,
        confined=settings.confined,
        weight=checked.weight,
    )


def next_attempt(job: Job, target: Target, settings: Settings, *, instance: str, place: str) -> Job:
    """Return a job that has ended as pending again, because somebody asks for it."""
    return job.again(
        job.error,
        finished_at=job.finished_at,
        status=job.status,
        path=target.path,
        target=str(target.absolute),
        root=str(settings.root.resolve()),
        instance=instance,
        place=place,
        confined=settings.confined,
        made=target.made,
        tries=1,
    )


def order_preview(
    checked: Checked, settings: Settings, *, preview_id: str, rows: Any, moment: datetime
) -> Message:
    """Return what a worker is told of the preview of ``rows`` rows of a spec.

    Raises ``InvalidRequest`` for a wrong number of rows, and for a path what ``submit`` would.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows <= MAX_ROWS:
        raise InvalidRequest(
            f"“{str(rows)[:40]}” is not a number of rows to preview.",
            hint=f"Give a whole number from 0 to {MAX_ROWS:,}.",
            field="rows",
        )
    path = checked.spec.output.path
    if path is not None:
        inside(path, settings)
    return preview_order(
        preview_id,
        checked.spec,
        settings,
        seconds=last_second(),
        file_name=Path(path).name if path else f"preview{checked.choice.ending}",
        format=checked.choice.format.type,
        rows=rows,
        now=moment,
    )


def _no_upload(upload_id: str) -> NotFound:
    return NotFound(
        f"The upload {upload_id} is not here, or no longer.",
        hint="Send the data again.",
        field="source.id",
    )
