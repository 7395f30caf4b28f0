"""The JSON Schemas that the OpenAPI document names: the pydantic models', and those of answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, get_args

from pydantic import TypeAdapter

from ..errors import ExportError
from ..jobs.model import Status
from ..progress import Progress
from ..spec import ExportSpec

Schema: TypeAlias = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def json_object(required: str, properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def schemas() -> dict[str, Schema]:
    template = "#/components/schemas/{model}"
    spec = ExportSpec.model_json_schema(by_alias=True, ref_template=template)
    parts = spec.pop("$defs", {})
    progress = TypeAdapter(Progress).json_schema(ref_template=template)
    return {**parts, "ExportSpec": spec, "Progress": progress, **_SCHEMAS}


def _codes(kind: type[ExportError]) -> Iterator[str]:
    for each in kind.__subclasses__():
        yield each.code
        yield from _codes(each)


def _header(description: str, **schema: Any) -> Schema:
    return {"description": description, "required": True, "schema": {"type": "string", **schema}}


HEADERS: dict[str, Schema] = {
    "Accept-Ranges": _header("“none” for a zip that is made on the way.", enum=["bytes", "none"]),
    "Content-Disposition": _header("“attachment”, with the file's name (RFC 6266)."),
    "Content-Range": _header("Which bytes of how many (RFC 9110).", pattern="^bytes "),
    "ETag": _header("The SHA-256 of the file, in quotes.", pattern='^"[0-9a-f]{64}"$'),
    "Location": _header("The path of what was made."),
    "Retry-After": _header("Seconds after which asking again makes sense.", pattern="^[0-9]+$"),
}
"""Headers of answers."""

_STATUS = {"type": "string", "enum": list(get_args(Status))}
_ANY_STATUS = "|".join(get_args(Status))
STATUSES: Schema = {"type": "string", "pattern": f"^(({_ANY_STATUS})(,({_ANY_STATUS}))*)?$"}
_TIME = {"type": ["string", "null"], "format": "date-time"}


EVENT: Schema = json_object(
    "id event data",
    {
        "id": {"type": "string"},
        "event": {"const": "job"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": ref("Job"),
        },
    },
)
"""One server-sent event."""
_FILE = json_object(
    "path rows bytes sha256",
    {
        "path": {"type": "string"},
        "rows": {"type": "integer"},
        "bytes": {"type": "integer"},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
)
_COLUMN = json_object("name type", {"name": {"type": "string"}, "type": {"type": "string"}})
_RESULT = json_object(
    "path rows bytes sha256 files losses reader",
    {
        **_FILE["properties"],
        "files": {"type": "array", "items": _FILE},
        "losses": {"type": "array", "items": ref("Loss")},
        "reader": or_null("string"),
    },
)
_ERROR = json_object(
    "code message hint field",
    {
        "code": {"type": "string", "description": f"{', '.join(_codes(ExportError))}; or newer."},
        "message": {"type": "string"},
        "hint": or_null("string"),
        "field": or_null("string"),
    },
)
_LINK: dict[str, Schema] = {
    "expires_at": {"type": "string", "format": "date-time"},
    "max_downloads": or_null("integer"),
    "downloads": {"type": "integer"},
    "created_by": {"type": "string"},
    "created_at": {"type": "string", "format": "date-time"},
    "revoked": {"type": "boolean"},
}
_TEMPLATE: dict[str, Schema] = {
    "name": {"type": "string"},
    "description": or_null("string"),
    "parameters": {
        "type": "array",
        "items": json_object(
            "name default required",
            {
                "name": {"type": "string"},
                "default": {"description": "Any JSON value; null where it is required."},
                "required": {"type": "boolean"},
            },
        ),
    },
    "frames": {
        "type": "array",
        "items": {"type": "string"},
        "description": "The frames of a notebook that it needs, by their names there.",
    },
    "format": {
        **or_null("string"),
        "description": "Null where it is known only when the parameters have values.",
    },
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
}
_SCHEMAS: dict[str, Schema] = {
    "Job": json_object(
        "id name status progress format created_by created_at started_at finished_at expires_at "
        "attempt download_count result error spec",
        {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "status": _STATUS,
            "progress": ref("Progress"),
            "format": {"type": "string"},
            "created_by": {"type": "string"},
            "created_at": {"type": "string", "format": "date-time"},
            "started_at": _TIME,
            "finished_at": _TIME,
            "expires_at": _TIME,
            "attempt": {"type": "integer", "minimum": 1},
            "download_count": {"type": "integer", "minimum": 0},
            "links": {
                "type": "array",
                "items": ref("Link"),
                "description": "Of one job that is asked for by its id.",
            },
            "result": {"anyOf": [_RESULT, {"type": "null"}]},
            "error": {"anyOf": [ref("Error"), {"type": "null"}]},
            "spec": {"type": "object"},
        },
    ),
    "JobPage": json_object(
        "jobs next_cursor",
        {"jobs": {"type": "array", "items": ref("Job")}, "next_cursor": or_null("string")},
    ),
    "Upload": json_object(
        "id rows bytes columns",
        {
            "id": {"type": "string"},
            "rows": {"type": "integer"},
            "bytes": {"type": "integer"},
            "columns": {"type": "array", "items": _COLUMN},
        },
    ),
    "Connection": json_object(
        "name dialect kind read_only statement_timeout error",
        {
            "name": {"type": "string"},
            "dialect": {
                **or_null("string"),
                "description": "SQLAlchemy's name of a database, fsspec's scheme of a place.",
            },
            "kind": {"enum": ["database", "files", None]},
            "read_only": {"type": "boolean"},
            "statement_timeout": {**or_null("integer"), "description": "Seconds."},
            "error": {
                "anyOf": [ref("Error"), {"type": "null"}],
                "description": "What is missing where the server runs; dialect and kind are null.",
            },
        },
    ),
    "Table": json_object(
        "schema name kind columns rows",
        {
            "schema": or_null("string"),
            "name": {"type": "string"},
            "kind": {"enum": ["table", "view"]},
            "columns": {"type": "array", "items": _COLUMN},
            "rows": {**or_null("integer"), "description": "An estimate."},
        },
    ),
    "Format": {
        **json_object("type", {"type": {"type": "string"}}),
        "description": "type, label, endings, media type, JSON Schema of the options, abilities.",
    },
    "Loss": json_object(
        "kind column count message option example dataset estimated",
        {
            "kind": {"type": "string"},
            "column": {"type": "string"},
            "count": or_null("integer"),
            "message": {"type": "string"},
            "option": or_null("string"),
            "example": or_null("string"),
            "dataset": or_null("string"),
            "estimated": {"type": "boolean"},
        },
    ),
    "Preview": json_object(
        "datasets losses format bytes_estimate",
        {
            "datasets": {
                "type": "array",
                "items": json_object(
                    "name columns rows total_rows estimated",
                    {
                        "name": {"type": "string"},
                        "columns": {"type": "array", "items": _COLUMN},
                        "rows": {"type": "array", "items": {"type": "array"}},
                        "total_rows": or_null("integer"),
                        "estimated": {"type": "boolean"},
                    },
                ),
            },
            "losses": {"type": "array", "items": ref("Loss")},
            "format": {"type": "string"},
            "bytes_estimate": or_null("integer"),
        },
    ),
    "Link": json_object("id " + " ".join(_LINK), {"id": {"type": "string"}, **_LINK}),
    "NewLink": json_object(
        "id url token " + " ".join(_LINK),
        {
            "id": {"type": "string"},
            "url": {"type": "string", "description": "The path on this server."},
            "token": {"type": "string", "description": "Told once, and kept nowhere."},
            **_LINK,
        },
    ),
    "LinkRequest": {
        "type": "object",
        "properties": {
            "expires_after": {
                "type": "string",
                "pattern": r"^[0-9]+[smhd]$",
                "default": "24h",
                "description": "90s, 15m, 24h or 7d; never longer than the file is kept.",
            },
            "max_downloads": {**or_null("integer"), "minimum": 1, "maximum": 1_000_000_000},
        },
        "additionalProperties": False,
    },
    "AuditPage": json_object(
        "entries next_cursor",
        {
            "entries": {"type": "array", "items": ref("AuditEntry")},
            "next_cursor": or_null("string"),
        },
    ),
    "AuditEntry": json_object(
        "seq at actor action subject owner address outcome details hash",
        {
            "seq": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
            **{
                name: {"type": "string"}
                for name in ("actor", "action", "subject", "owner", "address", "outcome")
            },
            "details": {"type": "object"},
            "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
    ),
    "AuditFilters": {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("since", "until", "actor", "action", "subject")
        },
        "additionalProperties": False,
    },
    "Template": json_object(" ".join(_TEMPLATE), _TEMPLATE),
    "TemplateWithSpec": json_object(
        "spec " + " ".join(_TEMPLATE), {**_TEMPLATE, "spec": {"type": "object"}}
    ),
    "TemplateDocument": {
        "type": "object",
        "description": "An ExportSpec with slots: “{{year}}” or “{{year=2013}}” in the place of "
        "any value is a parameter, “{{flights}}” as the id of an upload a frame of the notebook "
        "that uses it.",
        "properties": {"description": {**or_null("string"), "maxLength": 1000}},
    },
    "Error": _ERROR,
    "Failure": json_object("message error", {"message": {"type": "string"}, "error": ref("Error")}),
}
