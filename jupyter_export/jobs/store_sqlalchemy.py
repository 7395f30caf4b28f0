"""The job store on any SQLAlchemy database: SQLite in WAL mode, or what ``db_url`` names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import InvalidSpec, ServerUnavailable
from ..progress import Progress, Result
from ..registry import missing
from .migrate import upgrade
from .model import ACTIVE, Job, JobPage, Status, Upload
from .store import JobQuery, StaleVersion, encode_cursor, microseconds, moment
from .tables import job_uploads, jobs, uploads

log = logging.getLogger(__name__)

BUSY_SECONDS = 15
"""How long a write waits for another process's write before it fails."""


class SqlAlchemyStore:
    """Implements ``JobStore``. Every method is one short transaction of its own."""

    def __init__(self, state_dir: Path, db_url: str | None = None) -> None:
        self._state_dir = state_dir
        try:
            url = make_url(db_url) if db_url else _default_url(state_dir)
            self._sqlite = url.get_backend_name() == "sqlite"
            self._engine = create_engine(
                url,
                pool_pre_ping=not self._sqlite,
                connect_args={"timeout": BUSY_SECONDS} if self._sqlite else {},
            )
        except ArgumentError:
            raise InvalidSpec(
                "db_url is not an SQLAlchemy URL of a database that is known here.",
                hint="For example postgresql+psycopg://user@host/database.",
            ) from None
        except ModuleNotFoundError as error:
            raise missing(error.name, "The job store of db_url") from None
        if self._sqlite:
            event.listen(self._engine, "connect", _sqlite_pragmas)

    # -------------------------------------------------------------- life

    def start(self) -> None:
        with self._translated():
            upgrade(self._engine, self._state_dir / "store.lock")

    def close(self) -> None:
        self._engine.dispose()

    # -------------------------------------------------------------- jobs

    def add(self, job: Job, uploads: Collection[str]) -> None:
        with self._transaction() as connection:
            connection.execute(insert(jobs).values(**_job_row(job)))
            if uploads:
                connection.execute(
                    insert(job_uploads),
                    [{"job_id": job.id, "upload_id": each} for each in sorted(set(uploads))],
                )

    def update(self, job: Job, *, expected: int) -> None:
        with self._transaction() as connection:
            written = connection.execute(
                update(jobs)
                .where(jobs.c.id == job.id, jobs.c.version == expected)
                .values(**_job_row(job))
            )
            if written.rowcount != 1:
                raise StaleVersion(job.id)

    def get(self, job_id: str) -> Job | None:
        found = self._jobs(jobs.c.id == job_id)
        return found[0] if found else None

    def page(self, query: JobQuery) -> JobPage:
        conditions: list[ColumnElement[bool]] = []
        if query.owner is not None:
            conditions.append(jobs.c.created_by == query.owner)
        if query.statuses:
            conditions.append(jobs.c.status.in_(sorted(query.statuses)))
        if query.format is not None:
            conditions.append(jobs.c.format == query.format)
        if query.text is not None:
            conditions.append(
                or_(
                    jobs.c.name.icontains(query.text, autoescape=True),
                    jobs.c.path.icontains(query.text, autoescape=True),
                )
            )
        if query.after is not None:
            created, job_id = query.after
            conditions.append(
                or_(
                    jobs.c.created_at < created,
                    and_(jobs.c.created_at == created, jobs.c.id < job_id),
                )
            )
        statement = (
            select(jobs)
            .where(*conditions)
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(query.limit + 1)
        )
        with self._reading() as connection:
            found = [_job(row) for row in connection.execute(statement).mappings()]
        shown = tuple(found[: query.limit])
        return JobPage(shown, encode_cursor(shown[-1]) if len(found) > query.limit else None)

    def delete(self, job_id: str) -> None:
        with self._transaction() as connection:
            connection.execute(delete(job_uploads).where(job_uploads.c.job_id == job_id))
            connection.execute(delete(jobs).where(jobs.c.id == job_id))

    def active(self) -> Sequence[Job]:
        return self._jobs(jobs.c.status.in_(sorted(ACTIVE)))

    def count_pending(self, owner: str) -> int:
        statement = select(func.count()).where(
            jobs.c.created_by == owner, jobs.c.status == "pending"
        )
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def writing_to(self, target: str) -> Job | None:
        found = self._jobs(jobs.c.target == target, jobs.c.status.in_(sorted(ACTIVE)))
        return found[0] if found else None

    def expiring(self, now: datetime) -> Sequence[Job]:
        return self._jobs(jobs.c.status == "completed", jobs.c.expires_at <= microseconds(now))

    # -------------------------------------------------------------- uploads

    def add_upload(self, upload: Upload) -> None:
        row = {
            "id": upload.id,
            "owner": upload.owner,
            "rows": upload.rows,
            "bytes": upload.bytes,
            "columns": list(upload.columns),
            "created_at": microseconds(upload.created_at),
        }
        with self._transaction() as connection:
            connection.execute(insert(uploads).values(**row))

    def get_upload(self, upload_id: str) -> Upload | None:
        with self._reading() as connection:
            row = (
                connection.execute(select(uploads).where(uploads.c.id == upload_id))
                .mappings()
                .first()
            )
        return _upload(row) if row is not None else None

    def delete_upload(self, upload_id: str) -> None:
        with self._transaction() as connection:
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))

    def uploads(self) -> Sequence[Upload]:
        with self._reading() as connection:
            rows = connection.execute(select(uploads).order_by(uploads.c.created_at)).mappings()
            return [_upload(row) for row in rows]

    def uploads_of(self, job_id: str) -> Sequence[str]:
        statement = select(job_uploads.c.upload_id).where(job_uploads.c.job_id == job_id)
        with self._reading() as connection:
            return [str(found) for found in connection.execute(statement).scalars()]

    def readers(self, upload_id: str) -> Sequence[Job]:
        of_upload = select(job_uploads.c.job_id).where(job_uploads.c.upload_id == upload_id)
        return self._jobs(jobs.c.id.in_(of_upload))

    # -------------------------------------------------------------- inner

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the database's errors into ours; SQLite's words are safe, a server's name it."""
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            log.warning("the job store failed", exc_info=True)
            cause = getattr(error, "orig", None)
            said = f": {cause}" if self._sqlite and cause is not None else ""
            raise ServerUnavailable(
                f"The job store cannot be used{said}.",
                hint="Check state_dir and db_url, and that their disk has room.",
            ) from error

    def _jobs(self, *conditions: ColumnElement[bool]) -> list[Job]:
        statement = select(jobs).where(*conditions).order_by(jobs.c.created_at, jobs.c.id)
        with self._reading() as connection:
            return [_job(row) for row in connection.execute(statement).mappings()]


def _default_url(state_dir: Path) -> URL:
    return URL.create("sqlite", database=str(state_dir / "jobs.sqlite"))


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # WAL: readers never wait for the writer. NORMAL: a power cut loses the last commits, not more.
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.close()


def _job_row(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "format": job.format,
        "created_by": job.created_by,
        "created_at": microseconds(job.created_at),
        "started_at": _since(job.started_at),
        "finished_at": _since(job.finished_at),
        "expires_at": _since(job.expires_at),
        "spec": job.spec,
        "path": job.path,
        "target": job.target,
        "root": job.root,
        "temporary": job.temporary,
        "progress": job.progress.to_json(),
        "attempt": job.attempt,
        "download_count": job.download_count,
        "result": job.result.to_json() if job.result else None,
        "error": job.error,
        "version": job.version,
        "instance": job.instance,
        "made": list(job.made) or None,
    }


def _job(row: RowMapping) -> Job:
    return Job(
        id=row["id"],
        name=row["name"],
        status=cast(Status, row["status"]),
        format=row["format"],
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
        started_at=_at(row["started_at"]),
        finished_at=_at(row["finished_at"]),
        expires_at=_at(row["expires_at"]),
        spec=row["spec"],
        path=row["path"],
        target=row["target"],
        root=row["root"],
        temporary=row["temporary"],
        progress=Progress.from_json(row["progress"]),
        attempt=row["attempt"],
        download_count=row["download_count"],
        result=Result.from_json(row["result"]) if row["result"] else None,
        error=row["error"],
        version=row["version"],
        instance=row["instance"],
        made=tuple(row["made"] or ()),
    )


def _upload(row: RowMapping) -> Upload:
    return Upload(
        id=row["id"],
        owner=row["owner"],
        rows=row["rows"],
        bytes=row["bytes"],
        columns=tuple(row["columns"]),
        created_at=moment(row["created_at"]),
    )


def _since(value: datetime | None) -> int | None:
    return None if value is None else microseconds(value)


def _at(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
