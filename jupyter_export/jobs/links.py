"""Download links: whoever has one gets one file, without a login, until it ends.

A link ends when it is revoked, when its time is over (never later than the file's), when it was
used as often as it may, and with its job or its file. It opens one artifact, by its SHA-256: when
the export is run again and another file is made, the old link does not open that one.

A download counts when its last byte was sent. It is counted when it begins, so that several at once
never exceed the limit, and given back when it breaks off; one that ends with its server stays
counted. A link with a limit is sent whole or not at all (``Range`` is ignored, RFC 9110 section
14.2), for the parts of a file would be none of them a download. Without a limit parts are sent, and
not counted. So the limit counts whole downloads; it does not hide the file from somebody who breaks
off shortly before the end, each of whose attempts stands in the audit trail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..errors import Expired, InvalidRequest, InvalidSpec, NotFound, NotReady
from ..spec import seconds
from .audit_trail import AuditTrail, of_file
from .database import StoreDatabase
from .downloads import Download
from .handing_out import HandingOut
from .link_tokens import ARTIFACT_DIGITS, LinkTokens, Signed
from .model import Caller, Job, rfc3339
from .settings import Settings
from .store_links import Link, LinkTable

DEFAULT_EXPIRY = "24h"
MOST_DOWNLOADS = 1_000_000_000
_ASK = "Ask whoever sent it for a new one."


class Links:
    """One for each service; thread-safe.

    ``get`` returns the job that a caller wants to do something with, or raises ``NotFound``;
    ``find`` returns it whoever asks.
    """

    def __init__(
        self,
        database: StoreDatabase,
        settings: Settings,
        handing_out: HandingOut,
        audit: AuditTrail,
        *,
        get: Callable[[str, Caller, str], Job],
        find: Callable[[str], Job | None],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._table = LinkTable(database)
        self._tokens = LinkTokens(settings)
        self._settings = settings
        self._handing_out = handing_out
        self._get = get
        self._find = find
        self._audit = audit
        self._now = now
        self._new_id = new_id

    def create(
        self,
        job_id: str,
        caller: Caller,
        *,
        expires_after: Any = DEFAULT_EXPIRY,
        max_downloads: Any = None,
    ) -> tuple[Link, str]:
        """Return a new link, and the token that opens it: nobody can ask for that again.

        ``expires_after`` is a duration such as “2h”, at most ``link_max_expiry``; ``max_downloads``
        1 or more, or None. Raises ``InvalidRequest``, ``NotFound``, ``NotReady`` unless the job is
        completed, ``Expired`` when its file is gone, ``ServerUnavailable``.
        """
        job = self._get(job_id, caller, "share")
        length = self._length(expires_after)
        limit = _limit(max_downloads)
        if job.status != "completed" or job.result is None:
            raise NotReady(
                f"The export “{job.name}” is {job.status}, so it cannot be shared.",
                hint="Only a completed export has a file to share.",
            )
        self._handing_out.ready(job)
        now = self._now().replace(microsecond=0)
        end = now + timedelta(seconds=length)
        if job.expires_at is not None:
            end = min(end, job.expires_at.replace(microsecond=0))
        link = Link(self._new_id(), job.id, job.result.sha256, caller.name, now, end, limit)
        token = self._tokens.sign(_said_by(link))
        self._audit.require(
            "share",
            caller,
            link.id,
            owner=job.created_by,
            job=job.id,
            expires_at=rfc3339(end),
            max_downloads=limit,
            **of_file(job),
        )
        self._table.add(link, now)
        return link, token

    def list(self, job_id: str, caller: Caller) -> tuple[Link, ...]:
        """Return the links of a job, the newest first. Raises ``NotFound``."""
        return self.of(self._get(job_id, caller, "read"))

    def of(self, job: Job) -> tuple[Link, ...]:
        return self._table.of_job(job.id)

    def revoke(self, link_id: str, caller: Caller) -> None:
        """End a link at once; one that has ended stays as it is. Raises ``NotFound``."""
        link = self._table.get(link_id)
        job = self._find(link.job_id) if link else None
        mine = job is not None and (caller.admin or job.created_by == caller.name)
        if link is None or job is None or not mine:
            if job is not None:
                self._audit.refused("revoke", caller, link_id, owner=job.created_by)
            raise NotFound(f"There is no link {link_id[:64]}.", hint="It may have been deleted.")
        if link.revoked_at is None:
            self._audit.require("revoke", caller, link.id, owner=job.created_by, job=job.id)
            self._table.revoke(link.id, self._now())

    def open(self, token: str, address: str) -> tuple[Download, Job]:
        """Return the download that ``token`` stands for, asked for from ``address``, and its job.

        Raises ``NotFound`` for a token that was not signed here or whose link is gone, alike, and
        ``Expired`` for a link that has ended or whose file has.
        """
        anybody = Caller("", address=address)
        signed = self._tokens.read(token)
        link = self._table.get(signed.link) if signed else None
        job = self._find(link.job_id) if link else None
        if link is None or job is None or signed != _said_by(link):
            self._audit.refused("link", anybody, signed.link if signed else "")
            raise NotFound("There is no such link.", hint=_ASK)
        try:
            download = self._opened(link, job)
        except Expired:
            self._audit.refused("link", anybody, link.id, owner=job.created_by)
            raise
        return self._handing_out.to(anybody, job, download, link=link.id), job

    # -------------------------------------------------------------- inner

    def _opened(self, link: Link, job: Job) -> Download:
        now = self._now()
        if not link.opens(now):
            raise _ended(link, now)
        if job.status != "completed" or job.result is None or job.result.sha256 != link.sha256:
            raise Expired("The file of this link is no longer there.", hint=_ASK)
        try:
            download = self._handing_out.ready(job)
        except (Expired, NotReady):
            raise Expired("The file of this link is no longer there.", hint=_ASK) from None

        def begin(part: str) -> None:
            # A part is no download, but the link may have been revoked this moment.
            newest = self._table.get(link.id)
            if newest is None or not newest.opens(self._now()):
                raise _ended(newest or link, self._now())
            if not part and not self._table.reserve(link.id, self._now()):
                raise _ended(self._table.get(link.id) or link, self._now())

        return replace(
            download,
            on_begin=begin,
            on_broken_off=lambda: self._table.give_back(link.id),
            parts=download.parts and link.max_downloads is None,
        )

    def _length(self, expires_after: Any) -> int:
        """Return seconds."""
        longest = self._settings.link_max_expiry
        try:
            length = seconds(expires_after) if isinstance(expires_after, str) else None
        except InvalidSpec as error:
            raise InvalidRequest(error.message, hint=error.hint, field="expires_after") from None
        if length is None:
            raise InvalidRequest(
                "expires_after is not a text.", hint="Write 90s, 15m, 24h or 7d.",
                field="expires_after",
            )  # fmt: skip
        if not 1 <= length <= seconds(longest):
            raise InvalidRequest(
                f"A link cannot be valid for {expires_after.strip()[:40]}.",
                hint=f"At most {longest}, and a second at least.",
                field="expires_after",
            )
        return length


def _limit(max_downloads: Any) -> int | None:
    if max_downloads is None:
        return None
    if type(max_downloads) is not int or not 1 <= max_downloads <= MOST_DOWNLOADS:
        raise InvalidRequest(
            "max_downloads is not a number of downloads.",
            hint=f"Use 1 to {MOST_DOWNLOADS:,}, or null for no limit.",
            field="max_downloads",
        )
    return max_downloads


def _said_by(link: Link) -> Signed:
    """Return what the token of ``link`` says."""
    return Signed(link.id, link.sha256[:ARTIFACT_DIGITS], int(link.expires_at.timestamp()))


def _ended(link: Link, now: datetime) -> Expired:
    if link.revoked_at is not None:
        return Expired("This link was revoked.", hint=_ASK)
    if now >= link.expires_at:
        return Expired("The time of this link is over.", hint=_ASK)
    return Expired("This link was used as often as it may be.", hint=_ASK)
