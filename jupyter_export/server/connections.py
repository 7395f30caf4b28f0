"""The routes of named connections: their names and dialects, their tables; never a URL."""

from __future__ import annotations

from tornado import web

from .access import authorized
from .asking import AskingHandler
from .base import ExportHandler


class ConnectionsHandler(ExportHandler):
    auth_resource = "jupyter_export:connections"

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        caller = self.caller
        found = await self.ask(lambda service: service.connections(caller))
        await self.answer(lambda: {"connections": found})


class TablesHandler(AskingHandler):
    auth_resource = "jupyter_export:connections"

    @web.authenticated
    @authorized("read")
    async def get(self, name: str) -> None:
        caller = self.caller
        schema = self.get_query_argument("schema", "") or None
        q = self.get_query_argument("q", "") or None
        await self.answer_to(lambda service: service.begin_tables(name, caller, schema=schema, q=q))
