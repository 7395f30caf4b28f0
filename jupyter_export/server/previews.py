"""POST preview: the first rows of a spec and what it would lose, answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado import web

from ..errors import InvalidRequest, did_you_mean
from .access import authorized
from .base import JsonBody

if TYPE_CHECKING:
    from ..jobs.model import Caller
    from ..jobs.previews import PendingPreview
    from ..jobs.service import ExportService

FIELDS = ("spec", "rows")
DEFAULT_ROWS = 20


@web.stream_request_body
class PreviewHandler(JsonBody):
    """Reads the spec's data as a job would, and writes nothing.

    No thread waits for the answer; a client that goes away ends the work.
    """

    auth_resource = "jupyter_export:jobs"
    _asked: PendingPreview | None = None
    _left = False

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        caller, parse = self.caller, self.json_body()
        asked = self._asked = await self.ask(lambda service: _begin(service, parse(), caller))
        if self._left:
            asked.cancel()
        found = await asyncio.wrap_future(asked.future)
        await self.answer(lambda: found)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._left = True
        if self._asked is not None:
            self._asked.cancel()


def _begin(service: ExportService, body: Any, caller: Caller) -> PendingPreview:
    """Ask for the preview that the request's body describes."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("The body is not a JSON object.", hint='Send {"spec": …, "rows": 20}.')
    for name in body:
        if name not in FIELDS:
            raise InvalidRequest(
                f"“{name[:40]}” is not a field of a preview.",
                hint=did_you_mean(name, FIELDS),
                field=name[:200],
            )
    if "spec" not in body:
        raise InvalidRequest(
            "The body has no “spec”.", hint='Send {"spec": …, "rows": 20}.', field="spec"
        )
    return service.begin_preview(body["spec"], caller, body.get("rows", DEFAULT_ROWS))
