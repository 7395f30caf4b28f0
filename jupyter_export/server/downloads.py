"""GET and HEAD jobs/{id}/download: the finished file, whole or a part, never decoded; a folder as
a zip that is made while it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tornado import web
from tornado.iostream import StreamClosedError

from ..errors import Expired
from ..jobs.downloads import ZIP_MEDIA_TYPE
from ..jobs.model import Caller
from ..registry import COMPRESSION_ENDINGS
from .access import authorized
from .base import ExportHandler
from .ranges import ByteRange, Unsatisfiable, asked_range, content_disposition, is_named

if TYPE_CHECKING:
    from ..jobs.downloads import Download
    from ..jobs.service import ExportService

PIECE_BYTES = 1024**2
COMPRESSED = {
    "gzip": "application/gzip",
    "zstd": "application/zstd",
    "brotli": "application/x-brotli",
}
"""What compressed bytes are called; served as such, without Content-Encoding."""


class DownloadHandler(ExportHandler):
    """A reader that is slow stops the reading; at most two pieces are in memory."""

    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self, job_id: str) -> None:
        await self._send(job_id, body=True)

    @web.authenticated
    @authorized("read")
    async def head(self, job_id: str) -> None:
        await self._send(job_id, body=False)

    @property
    def content_security_policy(self) -> str:
        # Whatever the file holds, opened as a page it may do nothing.
        return super().content_security_policy + "; sandbox"

    def compute_etag(self) -> None:
        """Keep tornado from hashing: the ETag is the SHA-256 that the job proved."""

    async def _send(self, job_id: str, *, body: bool) -> None:
        caller = self.caller
        download, media_type = await self.ask(lambda service: _found(service, job_id, caller))
        # A configured compression would change the bytes under the ETag and the ranges.
        self._transforms = []
        etag = f'"{download.sha256}"'
        self.set_header("ETag", etag)
        self.set_header("Accept-Ranges", "none" if download.size is None else "bytes")
        self.set_header("Cache-Control", "private, no-cache")
        if is_named(self.request.headers.get("If-None-Match"), etag):
            self.set_status(304)
            await self.finish()
            return
        self.set_header("Content-Type", media_type)
        self.set_header("Content-Disposition", content_disposition(download.name))
        if download.size is None:
            await self._send_zip(download, body=body)
        else:
            await self._send_file(download, download.size, etag, body=body)

    async def _send_file(self, download: Download, size: int, etag: str, *, body: bool) -> None:
        media_type = self._headers["Content-Type"]
        whole = ByteRange(0, size)
        try:
            asked = self._asked(etag, size) if body else None
        except Unsatisfiable:
            await self._refuse_range(size)
            return
        part = asked or whole
        if asked is not None:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
        self.set_header("Content-Length", str(part.length))
        if body:
            await self._stream(download, part)
            if part == whole:
                await self.host.run(download.done)
        await self.finish(set_content_type=media_type)

    def _asked(self, etag: str, size: int) -> ByteRange | None:
        condition = self.request.headers.get("If-Range")
        if condition is not None and condition.strip() != etag:
            return None  # Another version: the part would not fit what the client has.
        return asked_range(self.request.headers.get("Range"), size)

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
                    return
        await self.host.run(download.done)
        await self.finish(set_content_type=download.media_type)

    def _next(self, pieces: Iterator[bytes]) -> asyncio.Future[bytes]:
        """Have the next piece made in a thread, while the one before is on its way."""
        return asyncio.ensure_future(self.host.run(next, pieces, b""))

    async def _refuse_range(self, size: int) -> None:
        self.set_status(416)
        self.clear_header("Content-Disposition")
        self.set_header("Content-Range", f"bytes */{size}")
        message = f"The file has {size} bytes; the range asked for is outside it."
        error = {"code": "invalid_request", "message": message, "hint": None, "field": None}
        await self.finish({"message": message, "error": error})

    async def _stream(self, download: Download, part: ByteRange) -> None:
        """Send ``part``: while one piece is on its way, a thread reads the next."""
        file = await self.host.run(_open, download, part.start)
        try:
            left = part.length
            reading: asyncio.Future[bytes] | None = self._read(file, left)
            while reading is not None:
                piece = await reading
                left -= len(piece)
                reading = self._read(file, left) if piece and left > 0 else None
                self.write(piece)
                try:
                    await self.flush()
                except StreamClosedError:
                    if reading is not None:
                        await reading  # The file is closed after its last reader.
                    raise web.Finish from None
            if left:
                # Too short by now: an answer without an end is the only honest one.
                raise OSError("The file became shorter while it was sent.")
        finally:
            await self.host.run(file.close)

    def _read(self, file: BinaryIO, left: int) -> asyncio.Future[bytes] | None:
        if left <= 0:
            return None
        return asyncio.ensure_future(self.host.run(file.read, min(PIECE_BYTES, left)))


def _found(service: ExportService, job_id: str, caller: Caller) -> tuple[Download, str]:
    """Return the file, and the media type of its bytes: a compressed CSV is no text."""
    download = service.download(job_id, caller)
    if download.media_type == ZIP_MEDIA_TYPE:
        return download, ZIP_MEDIA_TYPE
    # As the registry decides: what the spec says, then what the name says.
    compression = service.get(job_id, caller).spec.get("compression")
    if compression is None:
        compression = COMPRESSION_ENDINGS.get(Path(download.name).suffix.lower(), "none")
    return download, COMPRESSED.get(compression, download.media_type)


def _open(download: Download, start: int) -> BinaryIO:
    """Open the file at ``start``; raise ``Expired`` when it is not the one that was exported."""
    try:
        file = open(download.path, "rb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        raise Expired(
            f"The file {download.name} is no longer there.", hint="Export it again."
        ) from None
    if os.fstat(file.fileno()).st_size != download.size:
        file.close()
        raise Expired(
            f"The file {download.name} was changed after its export.", hint="Export it again."
        )
    file.seek(start)
    return file
