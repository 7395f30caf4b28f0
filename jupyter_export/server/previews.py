"""POST preview: the first rows of a spec and what it would lose, answered at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado import web

from ..errors import InvalidRequest, did_you_mean
from .access import authorized
from .asking import AskingHandler
from .base import JsonBody

if TYPE_CHECKING:
    from ..jobs.model import Caller
    from ..jobs.previews import PendingPreview
    from ..jobs.service import ExportService

FIELDS = ("spec", "rows")
DEFAULT_ROWS = 20


@web.stream_request_body
class PreviewHandler(AskingHandler, JsonBody):
    """Reads the spec's data as a job would, and writes nothing."""

    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        caller, parse = self.caller, self.json_body()
        await self.answer_to(lambda service: _begin(service, parse(), caller))


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
