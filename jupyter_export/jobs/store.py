"""The contract of a job store. ``store_sqlalchemy`` holds the implementation."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol, get_args

from ..errors import InvalidRequest, did_you_mean
from .model import Job, JobPage, ServiceRecord, Status, Upload

MAX_PAGE = 500
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


class StaleVersion(Exception):
    """The stored job is another version than the writer thought: nothing was written."""


class StoreTooNew(InvalidRequest):
    """The database was made by a newer version of this package."""


@dataclass(frozen=True)
class JobQuery:
    """Which jobs a page shows. Build it with ``parse``, which checks what a caller sent."""

    owner: str | None
    """None: everybody's."""
    statuses: frozenset[str] = frozenset()
    """Empty: any."""
    format: str | None = None
    text: str | None = None
    """Part of the name or the path, in any case; none of its characters is a wildcard."""
    limit: int = 50
    after: tuple[int, str] | None = None
    """(created_at in microseconds, id) of the last job of the page before."""

    @classmethod
    def parse(
        cls,
        owner: str | None,
        *,
        status: str | None,
        format: str | None,
        q: str | None,
        limit: int | str,
        cursor: str | None,
    ) -> JobQuery:
        """Check the filters of a listing; raise ``InvalidRequest`` that names the wrong one."""
        known = get_args(Status)
        statuses = frozenset(part.strip() for part in (status or "").split(",") if part.strip())
        for each in sorted(statuses):
            if each not in known:
                raise InvalidRequest(
                    f"“{each}” is not a status.", hint=did_you_mean(each, known), field="status"
                )
        try:
            number = int(limit)
        except (TypeError, ValueError):
            number = 0
        if not 1 <= number <= MAX_PAGE:
            raise InvalidRequest(
                f"limit is {limit}.", hint=f"Use 1 to {MAX_PAGE} jobs a page.", field="limit"
            )
        for field, text in (("format", format), ("q", q)):
            if not _storable(text or ""):
                raise InvalidRequest(
                    f"{field} holds a character that no text holds.",
                    hint="Leave out NUL characters and halves of surrogate pairs.",
                    field=field,
                )
        return cls(
            owner,
            statuses,
            format or None,
            q or None,
            number,
            _decode_cursor(cursor) if cursor else None,
        )


def encode_cursor(created_at: int, job_id: str) -> str:
    """Return the opaque cursor of the page that follows the job that was made at ``created_at``
    (microseconds since 1970 UTC)."""
    place = json.dumps([created_at, job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, job_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if type(created) is int and abs(created) < 2**62 and _storable(job_id):
            return created, job_id
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise InvalidRequest(
        "The cursor is not one that a page of jobs gave.",
        hint="Leave it out to start at the newest job.",
        field="cursor",
    )


def _storable(text: object) -> bool:
    """Return whether a database can compare with it: no lone surrogate, and no NUL, which
    PostgreSQL's text cannot hold."""
    try:
        return isinstance(text, str) and b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970 UTC; exact, unlike ``timestamp()``."""
    return (moment - EPOCH) // MICROSECOND


def moment(microseconds_since_1970: int) -> datetime:
    return EPOCH + microseconds_since_1970 * MICROSECOND


class JobStore(Protocol):
    """Keeps jobs and uploads. Safe from several threads, and from several processes."""

    def start(self) -> None:
        """Open it and bring its tables up to date; raise ``StoreTooNew``. Idempotent."""

    def close(self) -> None:
        """Let go of every connection. Idempotent."""

    def add(self, job: Job, uploads: Collection[str]) -> None:
        """Keep a new job, and which uploads it reads."""

    def update(self, job: Job, *, expected: int) -> None:
        """Replace the stored version ``expected`` of this job.

        Raises ``StaleVersion`` when the stored one is another version, or is gone: so a late
        progress write never covers a final state.
        """

    def get(self, job_id: str) -> Job | None: ...

    def page(self, query: JobQuery) -> JobPage:
        """Return jobs newest first, ordered by (created_at, id).

        What it costs grows with the jobs shown and, where a filter keeps few of them, with the
        narrow index rows passed over; never with the size of the specs that are not shown.
        """

    def delete(self, job_id: str) -> None: ...

    def active(self) -> Sequence[Job]:
        """Return the jobs of all services that are pending or running, oldest first."""

    def count_pending(self, owner: str) -> int: ...

    def counts(self) -> dict[str, int]:
        """Return how many jobs there are of each status, 0 of those that no job has."""

    def beat(self, record: ServiceRecord, *, first: bool) -> bool:
        """Write the heartbeat of a service; ``first`` adds its row.

        Returns False, and writes nothing, when its row is gone: others have taken its jobs over.
        """

    def services(self) -> Sequence[ServiceRecord]: ...

    def end_service(self, service_id: str, *, beat: int | None = None) -> bool:
        """Remove the row of a service, only with that ``beat`` if one is given; return whether this
        call removed it."""

    def orphans(self) -> Sequence[Job]:
        """Return the active jobs whose ``instance`` has no row in ``services``, oldest first: a
        service ends its row only when it has let go of its jobs, so nobody runs these."""

    def held_by(self, instance: str) -> dict[str, int]:
        """Return the active jobs of one service: id -> version."""

    def writing_to(self, target: str) -> Job | None:
        """Return the active job, of any service, whose file is ``target``."""

    def expiring(self, now: datetime, *, limit: int | None = None, skip: int = 0) -> Sequence[Job]:
        """Return the completed jobs whose file was to be kept until ``now`` at most, those that
        are due longest first: ``limit`` of them at most, behind the first ``skip``."""

    def add_upload(self, upload: Upload) -> None: ...

    def get_upload(self, upload_id: str) -> Upload | None: ...

    def delete_upload(self, upload_id: str) -> None: ...

    def uploads(self) -> Sequence[Upload]: ...

    def uploads_of(self, job_id: str) -> Sequence[str]: ...

    def readers(self, upload_id: str) -> Sequence[Job]:
        """Return the jobs that read this upload."""
