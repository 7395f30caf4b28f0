"""The routes of the audit trail: a page of it, and all of it as the source of an export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tornado import web

from ..errors import InvalidRequest, did_you_mean
from ..jobs.store_audit import FILTERS, MAX_PAGE, AuditQuery, parse_cursor
from .access import authorized
from .base import ExportHandler, JsonBody, parse_json


class AuditHandler(ExportHandler):
    auth_resource = "jupyter_export:audit"

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        caller = self.caller
        query = AuditQuery.parse({name: self.get_query_argument(name, "") for name in FILTERS})
        limit = self.whole("limit", 50, 1, MAX_PAGE)
        before = parse_cursor(self.get_query_argument("cursor", ""))
        entries, cursor = await self.ask(
            lambda service: service.audit.page(caller, query, limit=limit, before=before)
        )
        await self.answer(
            lambda: {
                "entries": [entry.to_json() for entry in entries],
                "next_cursor": None if cursor is None else str(cursor),
            }
        )


@web.stream_request_body
class AuditUploadsHandler(JsonBody):
    auth_resource = "jupyter_export:audit"

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        caller, body = self.caller, b"".join(self._pieces)
        upload = await self.ask(lambda service: service.audit.upload(caller, _query(body)))
        await self.answer(upload.to_json, 201)


def _query(body: bytes) -> AuditQuery:
    """Return which entries are meant; no body means all."""
    given: Any = parse_json(body) if body.strip() else {}
    if not isinstance(given, Mapping):
        raise InvalidRequest("The body is not a JSON object.", hint='Send {"actor": "ada"}.')
    for name, value in given.items():
        if name not in FILTERS:
            raise InvalidRequest(
                f"“{name[:40]}” is not a filter of the audit trail.",
                hint=did_you_mean(name[:200], FILTERS),
                field=name[:200],
            )
        if not isinstance(value, str):
            raise InvalidRequest(f"{name} is not a text.", field=name)
    return AuditQuery.parse(given)
