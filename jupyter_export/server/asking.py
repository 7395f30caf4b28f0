"""Routes whose answer a worker makes while the client waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from .base import ExportHandler

if TYPE_CHECKING:
    from ..jobs.previews import PendingPreview
    from ..jobs.service import ExportService


class AskingHandler(ExportHandler):
    """No thread waits for the answer; a client that goes away ends the work."""

    _asked: PendingPreview | None = None
    _left = False

    async def answer_to(self, begin: Callable[[ExportService], PendingPreview]) -> None:
        """Put what ``begin`` asks to the service, and send the answer."""
        asked = self._asked = await self.ask(begin)
        if self._left:
            asked.cancel()
        found = await asyncio.wrap_future(asked.future)
        await self.answer(lambda: found)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._left = True
        if self._asked is not None:
            self._asked.cancel()
