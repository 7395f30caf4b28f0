"""What the OpenAPI document says of one method of one path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .schemas import Schema

JSON = "application/json"
ANY = "*/*"
ARROW = "application/vnd.apache.arrow.stream"


def query(name: str, description: str, **schema: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def header(name: str, description: str) -> Schema:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
    }


@dataclass(frozen=True)
class Operation:
    """One method of one path: what it does, what it takes, what it answers."""

    method: str
    path: str
    name: str
    summary: str
    answers: dict[int, tuple[str, str | None, Schema]]
    """Status -> description, media type (None: no body), schema."""
    errors: tuple[int, ...] = ()
    """Beside 403, which every operation has."""
    parameters: tuple[Schema, ...] = ()
    body: tuple[str, Schema] | None = None
    headers: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Status -> headers that are always there, of ``schemas.HEADERS``."""
    body_required: bool = True
    login: bool = True
    """False: whoever knows the address may ask."""


OF_FILE = ("ETag", "Accept-Ranges", "Content-Disposition")
"""Headers of every answer that is a file."""
PARTS = (
    header("Range", "One range of bytes."),
    header("If-Range", "The ETag for which “Range” holds."),
    header("If-None-Match", "ETags that the client has."),
)
"""Headers of a request for a part of a file."""
