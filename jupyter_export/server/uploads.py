"""POST uploads: an Arrow IPC stream of any size, from the socket to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import TYPE_CHECKING

from jupyter_core.utils import ensure_async
from tornado import web

from ..errors import ShuttingDown
from . import metrics
from .access import authorized
from .base import ExportHandler

if TYPE_CHECKING:
    from ..jobs.uploads import UploadWriter

READ_BYTES = 1024**2
"""What is read from the socket at once; tornado's own 64 KiB halve the speed."""
WRITE_BYTES = 4 * 1024**2
"""What is collected before a thread writes it."""
NO_LIMIT = 2**63 - 1
LINGER = 1.0
"""Seconds for which the rest of a refused body is read and thrown away: a connection that is
closed while its sender still sends loses the answer on its way."""


@web.stream_request_body
class UploadsHandler(ExportHandler):
    """The body is refused before it is read, or written while it is read.

    At most two pieces of ``WRITE_BYTES`` are in memory: the one that is being written, and the
    one that is being read. A slow disk stops the reading, and so the sender.
    """

    auth_resource = "jupyter_export:uploads"
    _writer: UploadWriter | None = None  # A client may be gone before ``prepare``.

    async def prepare(self) -> None:  # type: ignore[override]
        self._writer = None
        self._writing: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._pieces: list[bytes] = []
        self._length = 0
        await super().prepare()
        if self.request.method != "POST" or self._finished:
            return
        # The decorators of post() speak only after the body: too late for one of any size.
        user = self.current_user
        if not user or not await ensure_async(
            self.authorizer.is_authorized(self, user, "write", self.auth_resource)
        ):
            raise web.HTTPError(403)
        caller, declared = self.caller, self.declared_length()
        self._writer = await self.ask(lambda service: service.open_upload(caller, declared))
        self._widen_pipe()

    def _widen_pipe(self) -> None:
        """Lift the length limit and read bigger pieces, for this request only."""
        connection = self.request.connection
        set_limit = getattr(connection, "set_max_body_size", None)
        if set_limit is not None:
            set_limit(NO_LIMIT)
        params, stream = getattr(connection, "params", None), getattr(connection, "stream", None)
        if params is not None and stream is not None:
            # All connections of the server share the one object.
            connection.params = copy.copy(params)  # type: ignore[union-attr]
            connection.params.chunk_size = READ_BYTES  # type: ignore[union-attr]
            stream.read_chunk_size = min(READ_BYTES, stream.max_buffer_size)

    async def data_received(self, chunk: bytes) -> None:
        if self._writer is None:
            return
        self._pieces.append(chunk)
        self._length += len(chunk)
        if self._length < WRITE_BYTES:
            return
        try:
            await self._flush_pieces()
        except Exception as error:
            await self._abort()
            self._failure = error
            self.log_exception(type(error), error, error.__traceback__)
            # The sender may be waiting, or may have gigabytes still to send.
            asyncio.get_running_loop().call_later(LINGER, self._answer_failure)

    def _answer_failure(self) -> None:
        if self._failure is not None and not self._finished:
            self.send_error(exc_info=(type(self._failure), self._failure, None))

    async def _flush_pieces(self) -> None:
        """Wait for the piece before this one, then start to write this one."""
        writer, pieces = self._writer, self._pieces
        assert writer is not None
        self._pieces, self._length = [], 0
        await self._written()
        self._writing = asyncio.ensure_future(self.host.run(lambda: writer.write(b"".join(pieces))))

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    @web.authenticated
    @authorized("write")
    async def post(self) -> None:
        if self._failure is not None:
            self._answer_failure()
            return
        try:
            if self._pieces:
                await self._flush_pieces()
            await self._written()
        except Exception:
            await self._abort()
            raise
        writer, self._writer = self._writer, None
        assert writer is not None
        upload = await self.host.run(writer.finish)
        metrics.uploaded(upload.bytes)
        await self.answer(upload.to_json, 201)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._writer is not None:
            self._aborting = asyncio.ensure_future(self._abort())

    async def _abort(self) -> None:
        """Remove what has been written, after the write that may be under way."""
        writer, self._writer = self._writer, None
        self._pieces.clear()
        with contextlib.suppress(Exception):  # The answer tells of the first failure.
            await self._written()
        if writer is None:
            return
        with contextlib.suppress(ShuttingDown):  # The next start sweeps what is left.
            await self.host.run(writer.abort)
