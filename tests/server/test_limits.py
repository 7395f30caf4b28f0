"""What a caller may send at all: too much of anything is an answer, and the server goes on."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from tornado.httpclient import HTTPClientError, HTTPResponse
from tornado.simple_httpclient import HTTPStreamClosedError

from jupyter_export.server.base import MAX_JSON_BYTES

from .client import Api, problem

SHORT = 4000
"""Bytes of an answer that repeats nothing of what was sent."""


def in_deep(levels: int) -> bytes:
    return b'{"spec": ' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("path", ["jobs", "preview"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (in_deep(100_000), "nested too deeply"),
        (in_deep(900), "nested|not a field|datasets|not a JSON object"),
        (b'{"spec": 1, "spec": 2}', "stands twice"),
        (b'{"spec": {"limit": 1e999}, "limit": 1e999}', "too large"),
        (json.dumps({"spec": {"k" * 3_000_000: 1}, "k" * 1_000_000: 1}).encode(), "field|text"),
        (b"[%s1]" % (b"1," * 2_000_000), "not a JSON object"),
    ],
)
async def test_a_document(api: Api, path: str, body: bytes, said: str) -> None:
    response = await api("POST", path, body)
    error = problem(response)
    assert (response.code, len(response.body) < SHORT) == (400, True)
    assert any(word in f"{error['message']}" for word in said.split("|")), error


@pytest.mark.parametrize("path", ["jobs", "preview"])
async def test_a_body_that_is_too_long(api: Api, path: str) -> None:
    response = await api("POST", path, b" " * (MAX_JSON_BYTES + 1))
    assert (response.code, problem(response)["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "query",
    [
        {"q": "q" * 30_000},
        {"q": "%_" * 15_000},
        {"q": "\0\ud7ff\x1b"},
        {"cursor": "A" * 30_000},
        {"cursor": "A\0"},
        {"status": "completed," * 3_000},
        {"format": "f" * 30_000},
        {"limit": "9" * 30_000},
        {"limit": "1e400"},
    ],
)
async def test_a_query_value(api: Api, query: dict[str, str]) -> None:
    response = await api("GET", "jobs", **query)
    assert response.code in (200, 400)
    assert len(response.body) < SHORT


async def test_a_name_in_the_address(api: Api) -> None:
    for name in ("x" * 30_000, "%00", "%2e%2e%2f", "..%2f..%2fetc%2fpasswd", "%ff", "a%0d%0ab"):
        for path in (f"jobs/{name}", f"jobs/{name}/download", f"connections/{name}/tables"):
            response = await api("GET", path)
            assert 400 <= response.code < 500, (path[:40], response.code)
            assert len(response.body) < SHORT


async def test_headers_that_are_too_long(api: Api) -> None:
    """Tornado takes 64 KiB of them; it closes the connection of whoever sends more."""
    for headers in ({"X-Long": "x" * 100_000}, {f"X-{i}": "x" for i in range(20_000)}):
        told: HTTPResponse | None = None
        with suppress(HTTPClientError, HTTPStreamClosedError, OSError):
            told = await api("GET", "jobs", headers=headers)
        assert told is None or told.code in (400, 413, 431, 599)
        assert (await api("GET", "jobs")).code == 200
