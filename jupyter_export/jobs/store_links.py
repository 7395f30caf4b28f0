"""Download links in the store's database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from ..errors import InvalidRequest
from .database import StoreDatabase
from .model import rfc3339
from .store import microseconds, moment
from .tables import links

LOCK = 0x6A65_6C6B
"""The number of the lock under which links are added (PostgreSQL's advisory lock)."""
MOST_LINKS = 100
"""Links of one job that open it at the same time."""
MOST_KEPT = 200
"""Links of one job that are listed; the oldest that open nothing any more are forgotten."""


@dataclass(frozen=True)
class Link:
    """A download link; the token that opens it is not kept."""

    id: str
    job_id: str
    sha256: str
    """The one file that it opens."""
    created_by: str
    created_at: datetime
    expires_at: datetime
    max_downloads: int | None = None
    downloads: int = 0
    """Whole downloads, those under way included."""
    revoked_at: datetime | None = None

    @property
    def used_up(self) -> bool:
        return self.max_downloads is not None and self.downloads >= self.max_downloads

    def opens(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at and not self.used_up

    def to_json(self) -> dict[str, Any]:
        """Return the link as the REST contract shows it: without its token."""
        return {
            "id": self.id,
            "expires_at": rfc3339(self.expires_at),
            "max_downloads": self.max_downloads,
            "downloads": self.downloads,
            "created_by": self.created_by,
            "created_at": rfc3339(self.created_at),
            "revoked": self.revoked_at is not None,
        }


class LinkTable:
    """Safe from several threads and processes. A deleted job takes its links with it."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def add(self, link: Link, now: datetime) -> None:
        """Keep a new link. Raises ``InvalidRequest`` when its job has ``MOST_LINKS`` that open."""
        of_job = select(links).where(links.c.job_id == link.job_id).order_by(links.c.created_at)
        with self._database.exclusive(LOCK) as connection:
            before = [_link(row) for row in connection.execute(of_job)]
            over = [each.id for each in before if not each.opens(now)]
            if len(before) - len(over) >= MOST_LINKS:
                raise InvalidRequest(
                    f"The export has {MOST_LINKS} links already.", hint="Revoke one of them first."
                )
            forgotten = over[: max(0, len(before) + 1 - MOST_KEPT)]
            if forgotten:
                connection.execute(delete(links).where(links.c.id.in_(forgotten)))
            connection.execute(insert(links).values(_row(link)))

    def get(self, link_id: str) -> Link | None:
        if not (link_id.isascii() and link_id.isprintable()):
            return None
        with self._database.reading() as connection:
            row = connection.execute(select(links).where(links.c.id == link_id)).one_or_none()
        return _link(row) if row is not None else None

    def of_job(self, job_id: str) -> tuple[Link, ...]:
        """Return the links of a job, the newest first."""
        newest = links.c.created_at.desc(), links.c.id
        chosen = select(links).where(links.c.job_id == job_id).order_by(*newest)
        with self._database.reading() as connection:
            return tuple(_link(row) for row in connection.execute(chosen))

    def revoke(self, link_id: str, now: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                update(links)
                .where(links.c.id == link_id, links.c.revoked_at.is_(None))
                .values(revoked_at=microseconds(now))
            )

    def reserve(self, link_id: str, now: datetime) -> bool:
        """Count a download that is about to begin; return False, and count nothing, when the link
        does not open any more. In one statement: two at once never share the last one."""
        with self._database.transaction() as connection:
            counted = connection.execute(
                update(links)
                .where(
                    links.c.id == link_id,
                    links.c.revoked_at.is_(None),
                    links.c.expires_at > microseconds(now),
                    or_(
                        links.c.max_downloads.is_(None),
                        links.c.downloads < links.c.max_downloads,
                    ),
                )
                .values(downloads=links.c.downloads + 1)
            )
            return counted.rowcount == 1

    def give_back(self, link_id: str) -> None:
        """Uncount a download that broke off."""
        with self._database.transaction() as connection:
            connection.execute(
                update(links)
                .where(links.c.id == link_id, links.c.downloads > 0)
                .values(downloads=links.c.downloads - 1)
            )


def _row(link: Link) -> dict[str, Any]:
    return {
        "id": link.id,
        "job_id": link.job_id,
        "sha256": link.sha256,
        "created_by": link.created_by,
        "created_at": microseconds(link.created_at),
        "expires_at": microseconds(link.expires_at),
        "max_downloads": link.max_downloads,
        "downloads": link.downloads,
        "revoked_at": None,
    }


def _link(row: Any) -> Link:
    return Link(
        row.id,
        row.job_id,
        row.sha256,
        row.created_by,
        moment(row.created_at),
        moment(row.expires_at),
        row.max_downloads,
        row.downloads,
        moment(row.revoked_at) if row.revoked_at is not None else None,
    )
