"""GET and HEAD jobs/{id}/download: the finished file, whole or a part, never decoded; a folder as
a zip that is made while it is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tornado import web
from tornado.iostream import StreamClosedError

from ..errors import Expired, ShuttingDown
from ..jobs.downloads import COMPRESSED, ZIP_MEDIA_TYPE
from ..jobs.model import Caller
from ..registry import COMPRESSION_ENDINGS
from . import metrics
from .access import authorized
from .base import ExportHandler
from .ranges import (
    ByteRange,
    Unsatisfiable,
    asked_range,
    content_disposition,
    http_date,
    precondition,
    range_holds,
)

if TYPE_CHECKING:
    from ..jobs.downloads import Download
    from ..jobs.sending import SentFile
    from ..jobs.service import ExportService

Find: TypeAlias = "Callable[[ExportService], tuple[Download, str]]"
PIECE_BYTES = 1024**2


class DownloadHandler(ExportHandler):
    """A reader that is slow stops the reading; at most two pieces are in memory."""

    auth_resource = "jupyter_export:jobs"
    cache_control = "private, no-cache"

    @web.authenticated
    @authorized("read")
    async def get(self, job_id: str) -> None:
        await self._send(self._of_job(job_id), body=True)

    @web.authenticated
    @authorized("read")
    async def head(self, job_id: str) -> None:
        await self._send(self._of_job(job_id), body=False)

    def _of_job(self, job_id: str) -> Find:
        caller = self.caller
        return lambda service: found(service, service.download(job_id, caller), job_id, caller)

    @property
    def content_security_policy(self) -> str:
        # Whatever the file holds, opened as a page it may do nothing.
        return super().content_security_policy + "; sandbox"

    def compute_etag(self) -> None:
        """Keep tornado from hashing: the ETag is the SHA-256 that the job proved."""

    async def _send(self, find: Find, *, body: bool) -> None:
        download, media_type = await self.ask(find)
        # A configured compression would change the bytes under the ETag and the ranges.
        self._transforms = []
        etag = f'"{download.sha256}"'
        self.set_header("ETag", etag)
        self.set_header("Accept-Ranges", "bytes" if self._in_parts(download) else "none")
        self.set_header("Cache-Control", self.cache_control)
        if download.modified is not None:
            self.set_header("Last-Modified", http_date(download.modified))
        decided = precondition(self.request.headers, etag, download.modified)
        if decided == 304:
            self.set_status(304)
            await self.finish()
            return
        if decided == 412:
            await self._refuse(412, "The file is not the one that the request's condition names.")
            return
        self.set_header("Content-Type", media_type)
        self.set_header("Content-Disposition", content_disposition(download.name))
        if download.size is None:
            await self._send_zip(download, body=body)
        else:
            await self._send_file(download, download.size, body=body)

    async def _send_file(self, download: Download, size: int, *, body: bool) -> None:
        media_type = self._headers["Content-Type"]
        whole = ByteRange(0, size)
        try:
            asked = self._asked(download, size) if body and self._in_parts(download) else None
        except Unsatisfiable:
            self.set_header("Content-Range", f"bytes */{size}")
            await self._refuse(
                416, f"The file has {size} bytes; the range asked for is outside it."
            )
            return
        part = asked or whole
        if asked is not None:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
        self.set_header("Content-Length", str(part.length))
        if body:
            # before anything is said of it: what cannot be sent is not handed out
            file = await self.host.run(_opened, download, part.start)
            try:
                async with self._handed_out(download, None if part == whole else part):
                    await self._stream(file, download, part)
            finally:
                file.close()
        await self.finish(set_content_type=media_type)

    @contextlib.asynccontextmanager
    async def _handed_out(self, download: Download, part: ByteRange | None) -> AsyncIterator[None]:
        """Say that the file is about to be sent, and then whether all of it was."""
        await self.host.run(download.begin, f"{part.start}-{part.stop - 1}" if part else "")
        try:
            yield
        except BaseException:
            metrics.downloaded(self.bytes_written, whole=part is None, finished=False)
            if part is None:
                with contextlib.suppress(ShuttingDown):  # No thread is left to say it.
                    await self.host.run(download.broken_off)
            raise
        metrics.downloaded(self.bytes_written, whole=part is None)
        if part is None:
            await self.host.run(download.done)

    @staticmethod
    def _in_parts(download: Download) -> bool:
        return download.parts and download.size is not None

    def _asked(self, download: Download, size: int) -> ByteRange | None:
        headers = self.request.headers
        if not range_holds(headers.get("If-Range"), f'"{download.sha256}"', download.modified):
            return None  # Another version: the part would not fit what the client has.
        return asked_range(headers.get("Range"), size)

    async def _send_zip(self, download: Download, *, body: bool) -> None:
        """Send the zip of a folder, whose length nobody knows before its end.

        A file that is not the exported one any more, or a disk that fails, breaks the connection:
        a zip that ended as if nothing had been would be taken for whole.
        """
        if not body:
            await self.flush()
            await self.finish(set_content_type=download.media_type)
            return
        with contextlib.closing(download.pieces()) as pieces:
            # Before the first byte a failure is an answer as any other.
            piece = await self._next(pieces)
            async with self._handed_out(download, None):
                await self._send_pieces(download, pieces, piece)
        await self.finish(set_content_type=download.media_type)

    async def _send_pieces(self, download: Download, pieces: Iterator[bytes], piece: bytes) -> None:
        while piece:
            self.write(piece)
            making = self._next(pieces)
            try:
                await self.flush()
            except StreamClosedError:
                with contextlib.suppress(Exception):  # Nobody is left to be told.
                    await making
                raise web.Finish from None
            try:
                piece = await making
            except Exception as error:
                self.log.warning("jupyter_export: %s broke off: %s", download.name, error)
                self.detach().close()
                raise web.Finish from None

    def _next(self, pieces: Iterator[bytes]) -> asyncio.Future[bytes]:
        """Have the next piece made in a thread, while the one before is on its way."""
        return asyncio.ensure_future(self.host.run(next, pieces, b""))

    async def _refuse(self, status: int, message: str) -> None:
        self.set_status(status)
        self.clear_header("Content-Disposition")
        error = {"code": "invalid_request", "message": message, "hint": None, "field": None}
        await self.finish({"message": message, "error": error})

    async def _stream(self, file: SentFile, download: Download, part: ByteRange) -> None:
        """Send ``part``: while one piece is on its way, a thread reads the next.

        A file that is changed meanwhile breaks the connection: a part of one and a part of another
        must not look like a whole.
        """
        left = part.length
        reading: asyncio.Future[bytes] | None = self._read(file, left)
        while reading is not None:
            try:
                piece = await reading
            except Expired as error:
                self.log.warning("jupyter_export: %s broke off: %s", download.name, error)
                self.detach().close()
                raise web.Finish from None
            left -= len(piece)
            reading = self._read(file, left) if piece and left > 0 else None
            self.write(piece)
            try:
                await self.flush()
            except StreamClosedError:
                if reading is not None:
                    with contextlib.suppress(Expired):  # The file is closed after its last reader.
                        await reading
                raise web.Finish from None

    def _read(self, file: SentFile, left: int) -> asyncio.Future[bytes] | None:
        if left <= 0:
            return None
        return asyncio.ensure_future(self.host.run(file.read, min(PIECE_BYTES, left)))


def found(
    service: ExportService, download: Download, job_id: str, caller: Caller
) -> tuple[Download, str]:
    """Return the file, and the media type of its bytes: a compressed CSV is no text."""
    if download.media_type == ZIP_MEDIA_TYPE:
        return download, ZIP_MEDIA_TYPE
    # As the registry decides: what the spec says, then what the name says.
    compression = service.get(job_id, caller).spec.get("compression")
    if compression is None:
        compression = COMPRESSION_ENDINGS.get(Path(download.name).suffix.lower(), "none")
    return download, COMPRESSED.get(compression, download.media_type)


def _opened(download: Download, start: int) -> SentFile:
    file = download.open()
    file.seek(start)
    return file
