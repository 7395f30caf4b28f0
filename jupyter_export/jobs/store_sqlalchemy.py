"""Jobs and uploads in the tables of a ``StoreDatabase``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, cast, get_args

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    TextClause,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from ..progress import Progress, Result
from .database import StoreDatabase
from .model import ACTIVE, Job, JobPage, ServiceRecord, Status, Upload
from .store import JobQuery, StaleVersion, encode_cursor, microseconds, moment
from .tables import (
    IS_ACTIVE,
    IS_KEPT,
    IS_LONG,
    job_uploads,
    jobs,
    search_columns,
    services,
    uploads,
)


class SqlAlchemyStore:
    """Implements ``JobStore``. Every method is one short transaction of its own."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    # -------------------------------------------------------------- life

    def start(self) -> None:
        self._database.start()

    def close(self) -> None:
        self._database.close()

    # -------------------------------------------------------------- jobs

    def add(self, job: Job, uploads: Collection[str]) -> None:
        with self._database.transaction() as connection:
            connection.execute(insert(jobs).values(**job_row(job)))
            if uploads:
                connection.execute(
                    insert(job_uploads),
                    [{"job_id": job.id, "upload_id": each} for each in sorted(set(uploads))],
                )

    def update(self, job: Job, *, expected: int) -> None:
        with self._database.transaction() as connection:
            written = connection.execute(
                update(jobs)
                .where(jobs.c.id == job.id, jobs.c.version == expected)
                .values(**job_row(job))
            )
            if written.rowcount != 1:
                raise StaleVersion(job.id)

    def get(self, job_id: str) -> Job | None:
        found = self._jobs(jobs.c.id == job_id)
        return found[0] if found else None

    def page(self, query: JobQuery) -> JobPage:
        narrow = (
            select(jobs.c.created_at, jobs.c.id)
            .where(*self._filters(query))
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(query.limit + 1)
        )
        with self._database.reading() as connection:
            found = connection.execute(narrow).all()
            shown = [place.id for place in found[: query.limit]]
            # A statement of its own: joined, a planner may read all jobs in the order of the page.
            wide = connection.execute(select(jobs).where(jobs.c.id.in_(shown))).mappings()
            by_id = {row["id"]: _job(row) for row in wide}
        more = len(found) > query.limit
        return JobPage(
            # One that was deleted between the statements is not there.
            tuple(by_id[job_id] for job_id in shown if job_id in by_id),
            encode_cursor(*found[query.limit - 1]) if more else None,
        )

    def _filters(self, query: JobQuery) -> Iterator[ColumnElement[bool] | TextClause]:
        owner: ColumnElement[str] = jobs.c.created_by
        if query.statuses:
            yield jobs.c.status.in_(sorted(query.statuses))
            if query.statuses <= ACTIVE:
                # What a sidebar asks most, and few jobs are. An expression instead of the column
                # keeps SQLite from passing over all jobs of the owner to spare itself the sorting.
                yield text(IS_ACTIVE)
                owner = jobs.c.created_by.concat("")
        if query.owner is not None:
            yield owner == query.owner
        if query.format is not None:
            yield jobs.c.format == query.format
        if query.text is not None:
            folded = query.text.casefold()
            other = jobs.alias()
            long = select(other.c.id).where(
                text(IS_LONG), self._contains(other.c.long_search, folded)
            )
            yield or_(
                self._contains(jobs.c.search, folded),
                and_(jobs.c.search == "", jobs.c.id.in_(long)),
            )
        if query.after is not None:
            created, job_id = query.after
            # The first of the two is what an index can begin at.
            yield jobs.c.created_at <= created
            yield or_(jobs.c.created_at < created, jobs.c.id < job_id)

    def _contains(self, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
        if self._database.is_sqlite:
            return column.contains(part, autoescape=True)
        # Faster than LIKE there, and its planner does not guess that hardly any row has it.
        return func.strpos(column, part) > 0

    def delete(self, job_id: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(delete(job_uploads).where(job_uploads.c.job_id == job_id))
            connection.execute(delete(jobs).where(jobs.c.id == job_id))

    def beat(self, record: ServiceRecord, *, first: bool) -> bool:
        values = {"beat": record.beat, "seen_at": microseconds(record.seen_at)}
        with self._database.transaction() as connection:
            written = connection.execute(
                update(services).where(services.c.id == record.id).values(**values)
            )
            if written.rowcount == 1:
                return True
            if first:
                connection.execute(
                    insert(services).values(id=record.id, place=record.place, **values)
                )
            return first

    def services(self) -> Sequence[ServiceRecord]:
        with self._database.reading() as connection:
            rows = connection.execute(select(services).order_by(services.c.id)).mappings()
            return [
                ServiceRecord(row["id"], row["place"], row["beat"], moment(row["seen_at"]))
                for row in rows
            ]

    def end_service(self, service_id: str, *, beat: int | None = None) -> bool:
        conditions = [services.c.id == service_id]
        if beat is not None:
            conditions.append(services.c.beat == beat)
        with self._database.transaction() as connection:
            return connection.execute(delete(services).where(*conditions)).rowcount == 1

    def active(self) -> Sequence[Job]:
        return self._jobs(text(IS_ACTIVE))

    def count_pending(self, owner: str) -> int:
        statement = (
            select(func.count())
            .select_from(jobs)
            .where(text(IS_ACTIVE), jobs.c.created_by == owner, jobs.c.status == "pending")
        )
        with self._database.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def counts(self) -> dict[str, int]:
        # One pass over a narrow index; GROUP BY would sort its rows.
        statuses = get_args(Status)
        statement = select(
            *(func.count().filter(jobs.c.status == status) for status in statuses)
        ).select_from(jobs)
        with self._database.reading() as connection:
            return dict(zip(statuses, connection.execute(statement).one(), strict=True))

    def orphans(self) -> Sequence[Job]:
        alive = select(services.c.id)
        return self._jobs(text(IS_ACTIVE), jobs.c.instance.not_in(alive))

    def held_by(self, instance: str) -> dict[str, int]:
        statement = select(jobs.c.id, jobs.c.version).where(
            text(IS_ACTIVE), jobs.c.instance == instance
        )
        with self._database.reading() as connection:
            return {row.id: row.version for row in connection.execute(statement)}

    def writing_to(self, target: str) -> Job | None:
        found = self._jobs(text(IS_ACTIVE), jobs.c.target == target)
        return found[0] if found else None

    def expiring(self, now: datetime, *, limit: int | None = None, skip: int = 0) -> Sequence[Job]:
        statement = (
            select(jobs)
            .where(text(IS_KEPT), jobs.c.expires_at <= microseconds(now))
            .order_by(jobs.c.expires_at, jobs.c.id)
            .limit(limit)
            .offset(skip or None)
        )
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(statement).mappings()]

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
        with self._database.transaction() as connection:
            connection.execute(insert(uploads).values(**row))

    def get_upload(self, upload_id: str) -> Upload | None:
        with self._database.reading() as connection:
            row = (
                connection.execute(select(uploads).where(uploads.c.id == upload_id))
                .mappings()
                .first()
            )
        return _upload(row) if row is not None else None

    def delete_upload(self, upload_id: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))

    def uploads(self) -> Sequence[Upload]:
        with self._database.reading() as connection:
            rows = connection.execute(select(uploads).order_by(uploads.c.created_at)).mappings()
            return [_upload(row) for row in rows]

    def uploads_of(self, job_id: str) -> Sequence[str]:
        statement = select(job_uploads.c.upload_id).where(job_uploads.c.job_id == job_id)
        with self._database.reading() as connection:
            return [str(found) for found in connection.execute(statement).scalars()]

    def readers(self, upload_id: str) -> Sequence[Job]:
        of_upload = select(job_uploads.c.job_id).where(job_uploads.c.upload_id == upload_id)
        return self._jobs(jobs.c.id.in_(of_upload))

    # -------------------------------------------------------------- inner

    def _jobs(self, *conditions: ColumnElement[bool] | TextClause) -> list[Job]:
        statement = select(jobs).where(*conditions).order_by(jobs.c.created_at, jobs.c.id)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(statement).mappings()]


def job_row(job: Job) -> dict[str, Any]:
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
        "place": job.place,
        "confined": job.confined,
        "tries": job.tries,
        "retry_at": _since(job.retry_at),
        "weight": job.weight,
        "history": list(job.history) or None,
        "prepared": job.prepared,
        **search_columns(job.name, job.path),
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
        place=row["place"],
        confined=row["confined"],
        tries=row["tries"],
        retry_at=_at(row["retry_at"]),
        weight=row["weight"],
        history=tuple(row["history"] or ()),
        prepared=row["prepared"],
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
