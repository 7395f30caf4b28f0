"""The routes of templates: everybody's own, by name."""

from __future__ import annotations

from tornado import web

from .access import authorized
from .base import ExportHandler, JsonBody


class TemplatesHandler(ExportHandler):
    auth_resource = "jupyter_export:templates"

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        caller = self.caller
        found = await self.ask(lambda service: service.templates.list(caller))
        await self.answer(lambda: {"templates": [each.to_json() for each in found]})


@web.stream_request_body
class TemplateHandler(JsonBody):
    auth_resource = "jupyter_export:templates"

    @web.authenticated
    @authorized("read")
    async def get(self, name: str) -> None:
        caller = self.caller
        found = await self.ask(lambda service: service.templates.get(name, caller))
        await self.answer(found.with_spec)

    @web.authenticated
    @authorized("write")
    async def put(self, name: str) -> None:
        caller, parse = self.caller, self.json_body()
        kept, new = await self.ask(lambda service: service.templates.save(name, parse(), caller))
        await self.answer(kept.with_spec, 201 if new else 200)

    @web.authenticated
    @authorized("write")
    async def delete(self, name: str) -> None:
        caller = self.caller
        await self.ask(lambda service: service.templates.delete(name, caller))
        self.set_status(204)
        await self.finish()
