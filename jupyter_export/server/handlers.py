"""The REST routes of jobs: parse, ask the service, answer."""

from __future__ import annotations

from tornado import web

from .access import authorized
from .base import ExportHandler, JsonBody
from .links import job_with_links
from .openapi import document

MAX_WAIT = 30
"""Longest ``wait`` of a new job, in seconds."""
MAX_PAGE = 500


class FormatsHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        formats = await self.ask(lambda service: service.formats())
        await self.answer(lambda: {"formats": formats})


class SchemaHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        schema = await self.ask(lambda service: service.schema())
        await self.answer(lambda: schema)


class OpenApiHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        base_url = self.base_url
        await self.answer(lambda: document(base_url))


@web.stream_request_body
class JobsHandler(JsonBody):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        wait = self.number("wait", 0, 0, MAX_WAIT)
        caller, parse = self.caller, self.json_body()
        job = await self.ask(lambda service: service.submit(parse(), caller))
        if wait and not job.final:
            with self.watch(job.id) as watch:
                job = await self.host.settle(job, caller, watch, wait)
        self.set_header("Location", f"{self.request.path}/{job.id}")
        await self.answer(job.to_json, 201)

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        caller = self.caller
        status = self.get_query_argument("status", "") or None
        kind = self.get_query_argument("format", "") or None
        q = self.get_query_argument("q", "") or None
        limit = self.whole("limit", 50, 1, MAX_PAGE)
        cursor = self.get_query_argument("cursor", "") or None
        page = await self.ask(
            lambda service: service.list(
                caller, status=status, format=kind, q=q, limit=limit, cursor=cursor
            )
        )
        await self.answer(
            lambda: {
                "jobs": [job.to_json() for job in page.jobs],
                "next_cursor": page.next_cursor,
            }
        )


class JobHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self, job_id: str) -> None:
        caller = self.caller
        job = await self.ask(lambda service: job_with_links(service, job_id, caller))
        await self.answer(lambda: job)

    @web.authenticated
    @authorized("write")
    async def delete(self, job_id: str) -> None:
        caller, delete_file = self.caller, self.flag("delete_file")
        await self.ask(lambda service: service.delete(job_id, caller, delete_file=delete_file))
        self.set_status(204)
        await self.finish()


class JobCancelHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("execute")
    async def post(self, job_id: str) -> None:
        caller = self.caller
        job = await self.ask(lambda service: service.cancel(job_id, caller))
        await self.answer(job.to_json, 202)


class JobRetryHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("execute")
    async def post(self, job_id: str) -> None:
        caller = self.caller
        job = await self.ask(lambda service: service.retry(job_id, caller))
        await self.answer(job.to_json, 202)


class NowhereHandler(ExportHandler):
    """Any other address under ours: an error in JSON, not a page."""

    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    async def get(self, _path: str) -> None:
        raise web.HTTPError(404)

    head = post = put = patch = delete = get
