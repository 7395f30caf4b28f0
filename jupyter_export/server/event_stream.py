"""GET jobs/{id}/events: server-sent events, as the HTML standard defines them (section 9.2)."""

from __future__ import annotations

import asyncio
import contextlib
import json

from tornado import web
from tornado.iostream import StreamClosedError

from ..errors import NotFound
from ..jobs.model import Job
from .access import authorized
from .base import ExportHandler
from .feed import Watch

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy gives up the connection."""


class JobEventsHandler(ExportHandler):
    """The state now, then each change; the stream ends with the final one.

    A slow reader gets fewer states, never a queue of old ones.
    """

    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self, job_id: str) -> None:
        seen = _version(self.request.headers.get("Last-Event-ID"))
        with self.watch(job_id) as watch:
            job = await self.host.look(job_id, self.caller)
            if job.final and job.version <= seen:
                # An EventSource comes back after each end; this is how it is told to stay away.
                self.set_status(204)
                await self.finish()
                return
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("Cache-Control", "no-cache, no-transform")
            self.set_header("X-Accel-Buffering", "no")
            # The reader went away, or the job was deleted: the stream is at its end.
            with contextlib.suppress(StreamClosedError, NotFound):
                await self._tell(job, watch, seen)
            with contextlib.suppress(StreamClosedError):
                await self.finish(set_content_type="text/event-stream")

    async def _tell(self, job: Job, watch: Watch, seen: int) -> None:
        loop, caller = asyncio.get_running_loop(), self.caller
        await self.flush()
        spoken = loop.time()
        while True:
            if job.version > seen:
                self.write(await self.host.run(_event, job))
                seen, spoken = job.version, loop.time()
                await self.flush()
            elif loop.time() - spoken >= HEARTBEAT:
                self.write(": waiting\n\n")
                spoken = loop.time()
                await self.flush()
            if job.final or watch.closed:
                return
            job = await self.host.next_state(job, caller, watch, HEARTBEAT)


def _event(job: Job) -> str:
    data = json.dumps(job.to_json(), ensure_ascii=False)
    return f"id: {job.version}\nevent: job\ndata: {data}\n\n"


def _version(last_event_id: str | None) -> int:
    """Return the version that the reader has; -1 when it has none."""
    given = last_event_id or ""
    # no version has so many digits; of thousands of them CPython makes no number at all
    return int(given) if given.isdecimal() and len(given) <= 18 else -1
