"""POST stream: a spec, answered with the export's bytes as they are made."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from tornado import web
from tornado.iostream import StreamClosedError

from ..errors import ExportError, InvalidRequest
from . import metrics
from .access import authorized
from .base import JsonBody
from .ranges import content_disposition

if TYPE_CHECKING:
    from ..jobs.streaming import PendingStream

SIGN_SECONDS = 10.0
"""How often a long stream is noted as activity of the server."""


@web.stream_request_body
class StreamHandler(JsonBody):
    """Until the first piece a failure is an answer as any other; after it, the connection is broken
    off, and never ended as if this had been all.

    One piece is in memory beside those that the stream holds; a slow reader stops the worker, one
    that goes away ends it.
    """

    auth_resource = "jupyter_export:jobs"
    _export: PendingStream | None = None
    _left = False
    _noted = 0.0

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        if self.request.version == "HTTP/1.0":
            # there, the end of the connection is the end of the answer, whatever the reason
            raise InvalidRequest(
                "A stream needs HTTP/1.1: in HTTP/1.0 a part looks like the whole.",
                hint="Let your client or proxy speak HTTP/1.1, or run the export as a job.",
            )
        caller, parse = self.caller, self.json_body()
        export = await self.ask(lambda service: service.streams.begin(parse(), caller))
        self._export = export
        finished = False
        try:
            if self._left:
                raise web.Finish
            await self._send(export)
            finished = True
        finally:
            metrics.streamed(self.bytes_written, finished=finished)
            export.cancel()

    @property
    def content_security_policy(self) -> str:
        # Whatever the bytes are, opened as a page they may do nothing.
        return super().content_security_policy + "; sandbox"

    def compute_etag(self) -> None:
        """Keep tornado from hashing: the bytes are gone when they are sent."""

    async def _send(self, export: PendingStream) -> None:
        piece = await asyncio.wrap_future(export.next())
        # A configured compression would hold pieces back.
        self._transforms = []
        self.set_header("Content-Type", export.media_type)
        self.set_header("Content-Disposition", content_disposition(export.name))
        self.set_header("Cache-Control", "no-store")
        self.set_header("Accept-Ranges", "none")
        # A proxy that stores the answer would wait for it, and make an end of a break.
        self.set_header("X-Accel-Buffering", "no")
        while piece:
            self._note_activity()
            self.write(piece)
            try:
                await self.flush()
            except StreamClosedError:
                raise web.Finish from None
            try:
                piece = await asyncio.wrap_future(export.next())
            except ExportError as error:
                self.log.warning(
                    "jupyter_export: the stream of %s broke off: %s", export.name, error
                )
                # the connection ends, and the last chunk does not come (RFC 9112, section 8)
                self.detach().close()
                raise web.Finish from None
        with contextlib.suppress(StreamClosedError):
            await self.finish(set_content_type=export.media_type)

    def _note_activity(self) -> None:
        """No idle-culler stops a server in the middle of a stream."""
        now = time.monotonic()
        if now - self._noted > SIGN_SECONDS:
            self._noted = now
            self.update_api_activity()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._left = True
        if self._export is not None:
            self._export.cancel()
