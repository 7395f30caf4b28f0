"""A client of the extension's routes for tests: it speaks JSON and Arrow."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider, User
from tornado import web
from tornado.httpclient import HTTPResponse

PREFIX = "jupyter-export/v1"


class NamedUsers(IdentityProvider):
    """Gives stable names: whoever the header X-User says."""

    def get_user(self, handler: web.RequestHandler) -> User | None:
        name = handler.request.headers.get("X-User")
        return User(name) if name else None

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        return True


class RecordingAuthorizer(Authorizer):
    """Notes what it is asked, and answers ``allow``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked: list[tuple[str, str, str]] = []
        self.allow = False

    def is_authorized(
        self, handler: web.RequestHandler, user: User, action: str, resource: str
    ) -> bool:
        self.asked.append((user.username, action, resource))
        return self.allow


class Api:
    """``await api("POST", "jobs", {...}, wait=10)``: the response, whatever its status."""

    def __init__(self, fetch: Callable[..., Awaitable[HTTPResponse]]) -> None:
        self._fetch = fetch

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        streaming_callback: Callable[[bytes], None] | None = None,
        **params: Any,
    ) -> HTTPResponse:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        return await self._fetch(
            PREFIX,
            path,
            method=method,
            body=body,
            headers=dict(headers or {}),
            params=params,
            raise_error=False,
            follow_redirects=False,
            allow_nonstandard_methods=True,
            streaming_callback=streaming_callback,
            request_timeout=40,
        )

    async def json(self, method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        response = await self(method, path, body, **kwargs)
        assert response.code < 300, (response.code, response.body)
        return json.loads(response.body)

    async def upload(self, table: pa.Table, **kwargs: Any) -> dict[str, Any]:
        upload: dict[str, Any] = await self.json("POST", "uploads", arrow(table), **kwargs)
        return upload

    async def export(self, table: pa.Table, wait: int = 30, **spec: Any) -> dict[str, Any]:
        """Send ``table`` and run a spec on it."""
        upload = await self.upload(table)
        document = {"source": {"type": "upload", "id": upload["id"]}, **spec}
        job: dict[str, Any] = await self.json("POST", "jobs", document, wait=wait)
        return job


def arrow(table: pa.Table) -> bytes:
    """Return the Arrow IPC stream of ``table``."""
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue().to_pybytes()


def numbers(rows: int = 1000) -> pa.Table:
    return pa.table({"n": range(rows), "word": [f"w{n}" for n in range(rows)]})


def problem(response: HTTPResponse) -> dict[str, Any]:
    """Return the error of a response, after checking that it has the contract's form."""
    body = json.loads(response.body)
    assert set(body["error"]) == {"code", "message", "hint", "field"}
    assert body["error"]["message"] in body["message"]
    assert "Traceback" not in body["message"]
    found: dict[str, Any] = body["error"]
    return found
