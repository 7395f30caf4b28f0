"""The audit trail: who asked for, ran, got, shared and deleted what, when, and from which address.

| action | subject | outcomes |
| --- | --- | --- |
| submit, retry, cancel | job | ok |
| run | job | started, requeued, completed, failed, cancelled, expired |
| download | job | begun, completed, broken_off; ``details.link`` where a link was used |
| share, revoke | link | ok |
| delete | job | ok |
| save_template, delete_template | name of the template | ok |
| upload | upload | ok |
| stream | stream | begun, completed, failed |
| preview | | ok: its rows leave the server |
| tables | connection | ok |
| export | upload | ok: the trail itself was given out |
| trim | | ok: old entries were removed |
| lost | | so many entries were given up because the store took none for too long |
| refused | | so many refused attempts beyond those that have entries |

An attempt on what belongs to somebody else, or with a forged link, is an entry with the outcome
``refused``; only the first hundred of an hour are written, then counted. What Jupyter itself turns
away (no login, no right, no XSRF token) never comes here; its log has it. No entry holds data,
query text or a secret: of a spec it has the SHA-256 and the connections' names.

Nobody gets a file, a link or a deletion without its entry: ``require`` writes it first and fails
when the store cannot take it. What has happened anyway (``note``) waits, in memory and in a file of
the state folder, until the store takes it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..errors import ExportError, Forbidden, ServerUnavailable
from ..spec import seconds
from .audit_chain import TRIM, Draft, Entry, Head, Verdict, Verification, details_text
from .audit_head import HeadNote
from .audit_limits import Recent, RefusalBudget
from .audit_rows import write_stream
from .audit_spool import AuditSpool
from .database import StoreDatabase
from .model import ACTIVE, Caller, Job, Upload
from .settings import Settings
from .store import microseconds
from .store_audit import AuditQuery, AuditTable
from .uploads import UploadWriter

log = logging.getLogger(__name__)

MOST_WAITING = 20_000
"""Entries that wait for the store; when there are more, the oldest are counted and given up."""
MOST_ENDED = 10_000
AGAIN_SECONDS = 2.0
"""How long the writer rests before it asks a store again that did not take an entry."""
TICK_SECONDS = 60.0
NAMED = 20
LONGEST_PATH = 500


class AuditTrail:
    """One for each service; thread-safe. ``start`` comes after the store's, ``stop`` before it."""

    def __init__(
        self,
        database: StoreDatabase,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        open_upload: Callable[[Caller], UploadWriter] | None = None,
    ) -> None:
        self._table = AuditTable(database)
        self._settings = settings
        self._now = now
        self._open_upload = open_upload
        self._head = HeadNote(settings)
        self._spool = AuditSpool(settings.state_dir)
        self._budget = RefusalBudget()
        self._recent = Recent()
        self._changed = threading.Condition()
        self._waiting: deque[Draft] = deque()
        self._given_up = 0
        self._active: dict[str, tuple[int, str]] = {}
        self._ended: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._writing = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.on_failure: Callable[[], object] = lambda: None
        """Called, from any thread, each time the store did not take what it should."""

    # -------------------------------------------------------------- life

    def start(self) -> None:
        """Take what an earlier service could not write, and begin to write."""
        with self._changed:
            self._waiting.extendleft(reversed(self._spool.adopt()))
        self._thread = threading.Thread(target=self._write_on, name="export audit", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write what waits; what the store does not take stays in the state folder. Idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        self._sum_up(all_kinds=True)
        self._flush()

    # -------------------------------------------------------------- recording

    def note(
        self,
        action: str,
        caller: Caller | None,
        subject: str,
        *,
        owner: str = "",
        outcome: str = "ok",
        once_a_minute: bool = False,
        **details: Any,
    ) -> None:
        """Record what has happened, or will whatever becomes of the entry. Never fails, never
        waits for the store."""
        text = details_text(details)
        actor, address = (caller.name, caller.address) if caller else ("", "")
        if once_a_minute and not self._recent.is_new(
            (action, actor, address, subject, outcome, text)
        ):
            return
        self._put(self._draft(action, caller, subject, owner, outcome, text))

    def require(
        self,
        action: str,
        caller: Caller | None,
        subject: str,
        *,
        owner: str = "",
        outcome: str = "ok",
        **details: Any,
    ) -> None:
        """Record what must not happen without its entry; return when the store has it.

        Raises ``ServerUnavailable`` when it cannot take it.
        """
        text = details_text(details)
        draft = self._draft(action, caller, subject, owner, outcome, text)
        try:
            self._flush_with(draft)
        except ExportError as error:
            self.on_failure()
            raise ServerUnavailable(
                "This cannot be entered in the audit trail now, so it was not done.",
                hint="Try again in a minute; the server's log says what is wrong.",
            ) from error

    def require_part(self, caller: Caller, job: Job, part: str, **details: Any) -> None:
        """Record that a part of a job's file is about to be sent; those of a minute are one."""
        key = ("part", caller.name, caller.address, job.id, details_text(details))
        if self._recent.is_new(key):
            self.require(
                "download", caller, job.id, owner=job.created_by, outcome="begun",
                part=part, **of_file(job), **details,
            )  # fmt: skip

    def refused(self, action: str, caller: Caller, subject: str, *, owner: str = "") -> None:
        """Record that somebody asked for what is not theirs."""
        kind = "link" if action == "link" else "job"
        if self._budget.allows(kind):
            self.note(action, caller, subject, owner=owner, outcome="refused")

    def hear(self, job: Job) -> None:
        """Record a change of a job's status; a subscriber of the board."""
        now = (job.attempt, job.status)
        with self._changed:
            before = self._active.get(job.id)
            if before == now or self._ended.get(job.id) == now:
                return
            if job.status in ACTIVE:
                self._active[job.id] = now
            else:
                self._active.pop(job.id, None)
                self._ended[job.id] = now
                while len(self._ended) > MOST_ENDED:
                    self._ended.popitem(last=False)
        if job.status == "pending" and (before is None or before[1] != "running"):
            return  # “submit” and “retry” have told.
        if job.status == "completed" and before is None and job.download_count:
            return  # It was completed long ago, and is shown because it was downloaded.
        outcome = {"pending": "requeued", "running": "started"}.get(job.status, job.status)
        at = job.finished_at if job.final and job.status != "expired" else None
        ran = Draft(
            microseconds(at or self._now()),
            "" if job.status == "expired" else job.created_by,
            "run",
            job.id,
            job.created_by,
            outcome=outcome,
            details=details_text({"attempt": job.attempt, **of_run(job)}),
        )
        self._put(ran)

    # -------------------------------------------------------------- reading

    def page(
        self, caller: Caller, query: AuditQuery, *, limit: int = 50, before: int | None = None
    ) -> tuple[tuple[Entry, ...], int | None]:
        """Return the newest entries, and what ``before`` is for the next page (None: the last).

        Raises ``Forbidden``.
        """
        self.check_reader(caller)
        self._flush()
        found = self._table.page(query, limit=limit + 1, before=before)
        more = len(found) > limit
        return found[:limit], found[limit - 1].seq if more else None

    def entries(self, query: AuditQuery) -> Iterable[Entry]:
        """Return all entries in order, for whom ``check_reader`` has let in."""
        self._flush()
        return self._table.entries(query)

    def upload(self, caller: Caller, query: AuditQuery) -> Upload:
        """Return the entries as an upload, which a spec names as its source.

        Raises ``Forbidden``, ``ServerUnavailable``, and what writing an upload raises.
        """
        self.check_reader(caller)
        assert self._open_upload is not None
        with self._open_upload(caller) as writer:
            self.require("export", caller, writer.id, owner=caller.name)
            write_stream(self.entries(query), writer.write)
            return writer.finish()

    def check_reader(self, caller: Caller) -> None:
        """Raise ``Forbidden`` for somebody who may not read the trail: it tells of everybody.

        An administrator may; so may the one owner of a server whose store is its own.
        """
        if not (caller.admin or (caller.sole and self._settings.db_url is None)):
            raise Forbidden(
                "Only administrators may read the audit trail.",
                hint="Ask one; ExportApp.admin_users names them.",
            )

    def verify(self, *heads: Head) -> Verdict:
        """Check every entry against the one before it, and the end against what was noted here and
        against ``heads``. Raises ``ServerUnavailable``."""
        verdict = self._verify(heads)
        # Entries that are trimmed while they are read look like a fault.
        return verdict if verdict.whole else self._verify(heads)

    def _verify(self, heads: Sequence[Head]) -> Verdict:
        noted = self._head.read()
        trim = self._table.newest(TRIM)
        checking = Verification(trim, [*heads, *([noted] if noted else [])])
        for entry in self._table.entries(AuditQuery()):
            checking.take(entry)
        return checking.verdict()

    # -------------------------------------------------------------- retention

    def trim(self) -> None:
        """Remove entries that are older than ``audit_retention``, once they are a tenth of it, at
        most a day, too old: each removal is an entry itself. Raises ``ServerUnavailable``."""
        keep = timedelta(seconds=seconds(self._settings.audit_retention))
        limit = self._now() - keep
        oldest = self._table.oldest()
        if oldest is None or oldest >= microseconds(limit - min(keep / 10, timedelta(days=1))):
            return
        with self._writing:
            ends = self._table.trim(limit, self._now())
            if ends is not None:
                self._head.advance(*ends, self._table.hash_of)

    # -------------------------------------------------------------- inner

    def _draft(
        self, action: str, caller: Caller | None, subject: str, owner: str, outcome: str, text: str
    ) -> Draft:
        return Draft(
            microseconds(self._now()),
            caller.name if caller else "",
            action,
            subject,
            owner,
            caller.address if caller else "",
            outcome,
            text,
        )

    def _put(self, *drafts: Draft) -> None:
        with self._changed:
            self._waiting.extend(drafts)
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self._given_up += 1
            self._changed.notify_all()

    def _flush_with(self, *drafts: Draft) -> None:
        """Append what waits, then ``drafts``, in one transaction; raise what the store raises."""
        with self._writing:
            with self._changed:
                waiting = list(self._waiting)
                given_up = self._given_up
            lost = [self._lost(given_up)] if given_up else []
            if not (lost or waiting or drafts):
                return
            before, head = self._table.append([*lost, *waiting, *drafts])
            with self._changed:
                for written in waiting:
                    if self._waiting and self._waiting[0] is written:
                        self._waiting.popleft()
                self._given_up -= given_up
            self._spool.keep([])
            self._head.advance(before, head, self._table.hash_of)

    def _lost(self, count: int) -> Draft:
        return self._draft("lost", None, "", "", "failed", details_text({"count": count}))

    def _flush(self) -> bool:
        """Append what waits; keep it in the state folder, too, when the store does not take it."""
        try:
            self._flush_with()
        except Exception:
            # Whatever it is, what has happened is still to be recorded: it waits.
            log.warning("the audit trail cannot be written; it is tried again", exc_info=True)
            self.on_failure()
            with self._changed:
                self._spool.keep(list(self._waiting))
            return False
        return True

    def _sum_up(self, *, all_kinds: bool = False) -> None:
        for kind, count in self._budget.over(all_kinds=all_kinds).items():
            self.note("refused", None, "", outcome="refused", kind=kind, count=count)

    def _write_on(self) -> None:
        written, ticked = True, float("-inf")
        while True:
            with self._changed:
                if written:
                    self._changed.wait_for(lambda: self._stopping or self._waiting, TICK_SECONDS)
                else:
                    self._changed.wait_for(lambda: self._stopping, AGAIN_SECONDS)
                if self._stopping:
                    return
            if time.monotonic() - ticked >= TICK_SECONDS:
                ticked = time.monotonic()
                self._tick()
            written = self._flush()

    def _tick(self) -> None:
        self._sum_up()
        try:
            self.trim()
        except ExportError:
            log.warning("old entries of the audit trail were not removed", exc_info=True)


def of_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """Return what an entry says of a spec: its hash, and the names of what it reads."""
    sources = [dataset.get("source", {}) for dataset in spec.get("datasets", [])]
    named = sorted({str(source["connection"]) for source in sources if source.get("connection")})
    return {
        "spec": hashlib.sha256(details_text(spec).encode()).hexdigest(),
        "sources": sorted({str(source.get("type")) for source in sources}),
        "connections": named[:NAMED],
    }


def of_job(job: Job) -> dict[str, Any]:
    """Return what an entry says of a job that was asked for."""
    asked = {"attempt": job.attempt, "format": job.format, "path": job.path[:LONGEST_PATH]}
    return {**asked, **of_spec(job.spec)}


def of_file(job: Job) -> dict[str, Any]:
    """Return what an entry says of a finished file."""
    if job.result is None:
        return {}
    return {"path": job.path[:LONGEST_PATH], "sha256": job.result.sha256}


def of_run(job: Job) -> dict[str, Any]:
    """Return what an entry says of a job in its state."""
    if job.status == "completed" and job.result is not None:
        return {**of_file(job), "rows": job.result.rows, "bytes": job.result.bytes}
    error = job.error
    if error is None and job.status == "pending" and job.history:
        error = job.history[-1].get("error")
    return {"error": error["code"]} if error else {}
