"""The audit trail in the store's database: appended, read, trimmed; nothing changes a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    insert,
    inspect,
    select,
)

from ..errors import InvalidRequest
from .audit_chain import NO_HASH, TRIM, Draft, Entry, Head, details_text, digest
from .database import StoreDatabase
from .store import microseconds
from .tables import audit

LOCK = 0x6A65_6175
"""The number of the lock under which entries get their numbers (PostgreSQL's advisory lock)."""
PAGE = 1000
MAX_PAGE = 500
FILTERS = ("since", "until", "actor", "action", "subject")


@dataclass(frozen=True)
class AuditQuery:
    """Which entries; an empty field means any."""

    since: datetime | None = None
    until: datetime | None = None
    """The first moment that is not meant any more."""
    actor: str = ""
    action: str = ""
    subject: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, str | None]) -> AuditQuery:
        """Return the query of ``FILTERS`` that a caller sent; ``since`` and ``until`` are RFC 3339
        times or dates (UTC where they name no zone). Raises ``InvalidRequest``."""
        texts = {name: given.get(name) or "" for name in FILTERS}
        since, until = (_moment(name, texts.pop(name)) for name in ("since", "until"))
        return cls(since, until, **{name: _plain(text) for name, text in texts.items()})

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.since is not None:
            yield audit.c.at >= microseconds(self.since)
        if self.until is not None:
            yield audit.c.at < microseconds(self.until)
        for name in ("actor", "action", "subject"):
            value = getattr(self, name)
            if value:
                yield audit.c[name] == value


class AuditTable:
    """Safe from several threads and processes: the chain never forks and has no gap."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def exists(self) -> bool:
        """Return whether the store has been made; raise ``ServerUnavailable`` where it cannot."""
        with self._database.reading() as connection:
            return bool(inspect(connection).has_table(audit.name))

    def append(self, drafts: Sequence[Draft]) -> tuple[Head | None, Head]:
        """Put ``drafts`` at the end, all or none; return what was the end before, and what is now.

        Raises ``ServerUnavailable``.
        """
        with self._database.exclusive(LOCK) as connection:
            before = _last(connection)
            return before, _append(connection, before, drafts)

    def trim(self, before: datetime, at: datetime) -> tuple[Head, Head] | None:
        """Remove the entries at the front that are older than ``before``, and say so in a new one
        of the time ``at``; return the ends before and after, None where nothing was that old."""
        with self._database.exclusive(LOCK) as connection:
            young = connection.scalar(
                select(func.min(audit.c.seq)).where(audit.c.at >= microseconds(before))
            )
            last = _last(connection)
            if last is None:
                return None
            kept = last.seq + 1 if young is None else young
            bounds = select(func.min(audit.c.seq), func.count()).where(audit.c.seq < kept)
            first, count = connection.execute(bounds).one()
            if not count:
                return None
            anchor = connection.scalar(select(audit.c.hash).where(audit.c.seq == kept - 1))
            said = {"first": kept, "before": anchor, "removed": count, "removed_from": first}
            draft = Draft(microseconds(at), "", TRIM, details=details_text(said))
            head = _append(connection, last, [draft])
            connection.execute(delete(audit).where(audit.c.seq < kept))
            return last, head

    def oldest(self) -> int | None:
        """Return when the first entry was made, in microseconds since 1970 UTC."""
        with self._database.reading() as connection:
            found: int | None = connection.scalar(select(audit.c.at).order_by(audit.c.seq).limit(1))
            return found

    def hash_of(self, seq: int) -> str | None:
        with self._database.reading() as connection:
            found: str | None = connection.scalar(select(audit.c.hash).where(audit.c.seq == seq))
            return found

    def newest(self, action: str) -> Entry | None:
        """Return the last entry with this action."""
        newest = select(audit).where(audit.c.action == action).order_by(audit.c.seq.desc())
        with self._database.reading() as connection:
            row = connection.execute(newest.limit(1)).one_or_none()
        return _entry(row) if row is not None else None

    def page(self, query: AuditQuery, *, limit: int, before: int | None) -> tuple[Entry, ...]:
        """Return the newest entries, those with a smaller number than ``before`` only."""
        chosen = _chosen(query).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            chosen = chosen.where(audit.c.seq < before)
        with self._database.reading() as connection:
            return tuple(_entry(row) for row in connection.execute(chosen))

    def entries(self, query: AuditQuery, page: int = PAGE) -> Iterator[Entry]:
        """Yield the entries in the order of their numbers, read ``page`` at a time; those that are
        appended meanwhile come, too."""
        last = -(2**62)
        while True:
            chosen = _chosen(query).where(audit.c.seq > last).order_by(audit.c.seq).limit(page)
            with self._database.reading() as connection:
                rows = connection.execute(chosen).all()
            yield from (_entry(row) for row in rows)
            if len(rows) < page:
                return
            last = rows[-1].seq


def _plain(text: str) -> str:
    """Return a text that every database takes, and that no other entry has."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # Python 3.10 knows no Z.
        found = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1] in "zZ" else text)
        found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        microseconds(found)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"“{text[:40]}” is not a time.",
            hint="Write 2026-03-01 or 2026-03-01T12:00:00Z.",
            field=name,
        ) from None
    return found


def parse_cursor(text: str | None) -> int | None:
    """Return the number that ``cursor`` holds; raise ``InvalidRequest`` for anything else."""
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidRequest(
            "The cursor is not one that a page of the audit trail gave.",
            hint="Leave it out to start at the newest entry.",
            field="cursor",
        )
    return int(text)


def _chosen(query: AuditQuery) -> Select[Any]:
    return select(audit).where(and_(True, *query.conditions()))


def _last(connection: Connection) -> Head | None:
    newest = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Head(row.seq, row.hash) if row is not None else None


def _append(connection: Connection, before: Head | None, drafts: Sequence[Draft]) -> Head:
    head = before or Head(0, NO_HASH)
    rows = []
    for draft in (each.fitted() for each in drafts):
        seq = head.seq + 1
        head = Head(seq, digest(head.hash, seq, draft))
        names = ("at", "actor", "action", "subject", "owner", "address", "outcome", "details")
        fields = {name: getattr(draft, name) for name in names}
        rows.append({**fields, "seq": seq, "hash": head.hash})
    connection.execute(insert(audit), rows)
    return head


def _entry(row: Any) -> Entry:
    return Entry(**row._mapping)
