"""The routes of download links: made, listed and revoked by the job's owner; opened by anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web

from ..errors import InvalidRequest, did_you_mean
from ..jobs.model import Caller
from .access import authorized
from .base import ExportHandler, JsonBody, parse_json
from .downloads import DownloadHandler, Find, found

if TYPE_CHECKING:
    from ..jobs.service import ExportService
    from .host import ServiceHost
    from .kernel_tokens import KernelIdentity, KernelTokens

FIELDS = ("expires_after", "max_downloads")
HIDDEN = "[secret]"
OPENED = "/jupyter-export/v1/d/"
"""What stands before a token in an address."""


@web.stream_request_body
class LinksHandler(JsonBody):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("read")
    async def get(self, job_id: str) -> None:
        caller = self.caller
        links = await self.ask(lambda service: service.links.list(job_id, caller))
        await self.answer(lambda: {"links": [link.to_json() for link in links]})

    @web.authenticated
    @authorized("write")
    async def post(self, job_id: str) -> None:
        caller, body = self.caller, b"".join(self._pieces)
        link, token = await self.ask(
            lambda service: service.links.create(job_id, caller, **_asked(body))
        )
        # the last one: a user of JupyterHub may be called “jobs”
        below = self.request.path.rpartition("/jobs/")[0]
        opened = {"token": token, "url": f"{below}/d/{token}"}
        await self.answer(lambda: {**link.to_json(), **opened}, 201)


class LinkHandler(ExportHandler):
    auth_resource = "jupyter_export:jobs"

    @web.authenticated
    @authorized("write")
    async def delete(self, link_id: str) -> None:
        caller = self.caller
        await self.ask(lambda service: service.links.revoke(link_id, caller))
        self.set_status(204)
        await self.finish()


class LinkDownloadHandler(DownloadHandler):
    """The one route without a login: the token is the right to this file, and to nothing else."""

    cache_control = "private, no-store"

    def initialize(
        self, host: ServiceHost, tokens: KernelTokens, kernel_identity: KernelIdentity
    ) -> None:
        # Whatever is logged from here on shows the address without what opens it.
        hidden = f"{self.request.path.partition(OPENED)[0]}{OPENED}{HIDDEN}"
        self.request.uri = self.request.path = hidden
        super().initialize(host, tokens, kernel_identity)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", self.cache_control)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")

    @property
    def content_security_policy(self) -> str:
        # Jupyter's own asks the browser to report to the server, and a report holds the address.
        return "default-src 'none'; frame-ancestors 'none'; sandbox"

    @allow_unauthenticated
    async def get(self, token: str) -> None:
        await self._send(self._of_token(token), body=True)

    @allow_unauthenticated
    async def head(self, token: str) -> None:
        await self._send(self._of_token(token), body=False)

    def _of_token(self, token: str) -> Find:
        address = self.request.remote_ip or ""

        def find(service: ExportService) -> Any:
            download, job = service.links.open(token, address)
            return found(service, download, job.id, Caller(job.created_by))

        return find


def job_with_links(service: ExportService, job_id: str, caller: Caller) -> dict[str, Any]:
    """Return a job with its links, as ``GET jobs/{id}`` shows it."""
    job = service.get(job_id, caller)
    links = service.links.of(job) if job.final else ()
    return {**job.to_json(), "links": [link.to_json() for link in links]}


def _asked(body: bytes) -> dict[str, Any]:
    """Return what a new link is to be; no body means all as usual."""
    given = parse_json(body) if body.strip() else {}
    if not isinstance(given, Mapping):
        raise InvalidRequest(
            "The body is not a JSON object.",
            hint='Send {"expires_after": "2h", "max_downloads": 1}.',
        )
    for name in given:
        if name not in FIELDS:
            raise InvalidRequest(
                f"“{name[:40]}” is not a field of a link.",
                hint=did_you_mean(name[:200], FIELDS),
                field=name[:200],
            )
    return dict(given)
