"""The OpenAPI 3.1 document: one table of operations."""

from __future__ import annotations

import functools
import re

from .operation import ANY, ARROW, JSON, OF_FILE, PARTS, Operation, header, query
from .operations_sharing import SHARING
from .operations_templates import TEMPLATES
from .schemas import EVENT, HEADERS, STATUSES, Schema, json_object, ref, schemas

_JOB = ("The job.", JSON, ref("Job"))
_JOB_ERRORS = (404,)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "get",
        "formats",
        "listFormats",
        "Every format with its options and abilities.",
        {
            200: (
                "The formats.",
                JSON,
                json_object("formats", {"formats": {"type": "array", "items": ref("Format")}}),
            )
        },
    ),
    Operation(
        "get",
        "schema",
        "getSchema",
        "The JSON Schema of the spec.",
        {200: ("A JSON Schema.", JSON, {"type": "object"})},
    ),
    Operation(
        "get",
        "openapi.json",
        "getOpenApi",
        "This document.",
        {200: ("An OpenAPI 3.1 document.", JSON, {"type": "object"})},
    ),
    Operation(
        "get",
        "connections",
        "listConnections",
        "The databases, and places with files, that you may name in a spec; never a URL.",
        {
            200: (
                "The connections, by name.",
                JSON,
                json_object(
                    "connections", {"connections": {"type": "array", "items": ref("Connection")}}
                ),
            )
        },
    ),
    Operation(
        "get",
        "connections/{name}/tables",
        "listTables",
        "The tables and views of a database that can be read, with their columns.",
        {
            200: (
                "The tables, by schema and name.",
                JSON,
                json_object("tables", {"tables": {"type": "array", "items": ref("Table")}}),
            )
        },
        (400, 404, 429, 503, 504),
        (
            query("schema", "Only tables of this schema.", type="string"),
            query("q", "Only tables whose name holds this text.", type="string"),
        ),
    ),
    Operation(
        "post",
        "uploads",
        "createUpload",
        "Send an Arrow IPC stream of any size, to name it as the source of a spec.",
        {201: ("The upload.", JSON, ref("Upload"))},
        (400, 413, 429, 503, 507),
        body=(ARROW, {}),
    ),
    Operation(
        "post",
        "preview",
        "preview",
        "The first rows of a spec, its columns, and what it would lose; nothing is written.",
        {200: ("What would be exported.", JSON, ref("Preview"))},
        (400, 404, 413, 429, 503, 504),
        body=(
            JSON,
            json_object(
                "spec",
                {
                    "spec": ref("ExportSpec"),
                    "rows": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 20},
                },
            ),
        ),
    ),
    Operation(
        "post",
        "stream",
        "stream",
        "The bytes of a spec as they are made: no job, no file; “output.path” only names them. An "
        "answer without its last chunk has failed, and is not the whole.",
        {200: ("The export; several files come as a zip.", ANY, {})},
        (400, 404, 413, 429, 500, 503, 504, 507),
        body=(JSON, ref("ExportSpec")),
        headers={200: ("Content-Disposition",)},
    ),
    Operation(
        "get",
        "jobs",
        "listJobs",
        "Your jobs, the newest first.",
        {200: ("One page.", JSON, ref("JobPage"))},
        (400,),
        (
            query("status", "Only jobs with this status; several with commas.", **STATUSES),
            query("format", "Only jobs of this format.", type="string"),
            query("q", "Only jobs whose name or path holds this text.", type="string"),
            query("limit", "Jobs on a page.", type="integer", minimum=1, maximum=500, default=50),
            query("cursor", "“next_cursor” of the page before.", type="string"),
        ),
    ),
    Operation(
        "post",
        "jobs",
        "createJob",
        "Run a spec.",
        {201: ("The job; finished if that took less than “wait”.", JSON, ref("Job"))},
        (400, 404, 409, 413, 429, 503),
        (
            query(
                "wait",
                "Seconds to wait for the end of the job.",
                type="number",
                minimum=0,
                maximum=30,
                default=0,
            ),
        ),
        (JSON, ref("ExportSpec")),
        {201: ("Location",)},
    ),
    Operation("get", "jobs/{id}", "getJob", "One job.", {200: _JOB}, _JOB_ERRORS),
    Operation(
        "delete",
        "jobs/{id}",
        "deleteJob",
        "Cancel the job if it is active, then remove its record and its temporary file.",
        {204: ("It is gone.", None, {})},
        (400, 404),
        (
            query(
                "delete_file",
                "Remove the file that the user named, too.",
                type="boolean",
                default=False,
            ),
        ),
    ),
    Operation(
        "post",
        "jobs/{id}/cancel",
        "cancelJob",
        "Cancel an active job; a final one stays as it is.",
        {202: _JOB},
        _JOB_ERRORS,
    ),
    Operation(
        "post",
        "jobs/{id}/retry",
        "retryJob",
        "Run a failed, cancelled or expired job again.",
        {202: _JOB},
        (400, 404, 409, 429, 503),
    ),
    Operation(
        "get",
        "jobs/{id}/events",
        "watchJob",
        "Server-sent events: the job now, then each change; ends when the job is final. "
        "“event” is “job”, “data” the job as JSON, “id” its version.",
        {
            200: ("The stream, event by event.", "text/event-stream", EVENT),
            204: ("The job is final, and “Last-Event-ID” was its last event.", None, {}),
        },
        _JOB_ERRORS,
        (header("Last-Event-ID", "The last event that was received."),),
    ),
    Operation(
        "get",
        "jobs/{id}/download",
        "download",
        "The finished file, or the files of a folder as a zip that is made on the way: that has "
        "no length and no ranges.",
        {
            200: ("The file, as the media type of its format.", ANY, {}),
            206: ("The part that “Range” asks for.", ANY, {}),
            304: ("“If-None-Match” names the file.", None, {}),
        },
        (404, 409, 410, 416),
        PARTS,
        headers={200: OF_FILE, 206: (*OF_FILE, "Content-Range"), 304: ("ETag",)},
    ),
    Operation(
        "head",
        "jobs/{id}/download",
        "describeDownload",
        "The headers of the finished file.",
        {200: ("Its headers.", None, {}), 304: ("“If-None-Match” names the file.", None, {})},
        (404, 409, 410),
        headers={200: OF_FILE, 304: ("ETag",)},
    ),
    *SHARING,
    *TEMPLATES,
)

_ERRORS = {
    400: "The request or its spec is wrong.",
    403: "Not logged in, or not allowed.",
    404: "No such job, upload, connection or template of yours.",
    409: "The output exists, or the job is not finished.",
    410: "The file has been removed or changed.",
    413: "The body is too long.",
    416: "The range is outside the file.",
    429: "Too many jobs or previews are waiting; “Retry-After” says when to come back.",
    500: "The export failed for a reason that is not the request's.",
    503: "The server is shutting down, exports are not available, or a database is not.",
    504: "The source did not answer in time.",
    507: "The disk is full, or cannot be written to.",
}

_ERROR_HEADERS = {416: ("Content-Range",), 429: ("Retry-After",)}

_IN_PATH = re.compile(r"\{(\w+)\}")


def document(base_url: str) -> Schema:
    """Return the OpenAPI document of a server under ``base_url`` (such as ``/user/ada/``)."""
    return {**_fixed(), "servers": [{"url": f"{base_url.rstrip('/')}/jupyter-export/v1"}]}


@functools.cache
def _fixed() -> Schema:
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/{operation.path}", {})[operation.method] = _described(operation)
    for path, methods in paths.items():
        named = _IN_PATH.findall(path)
        if named:
            methods["parameters"] = [_place(name) for name in named]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter_export",
            "version": "1",
            "description": "Exports of notebook data: one document, run as one job.",
        },
        "security": [{"token": []}, {"cookie": [], "xsrf": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "headers": HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


_SECURITY = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "“token …”: the server's token, a JupyterHub one, or a kernel's.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "username-localhost-8888",
        "description": "Jupyter's login; the name holds the server's host and port.",
    },
    "xsrf": {"type": "apiKey", "in": "header", "name": "X-XSRFToken"},
}


def _place(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _described(operation: Operation) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            **{
                str(status): _response(*answer, operation.headers.get(status, ()))
                for status, answer in operation.answers.items()
            },
            **{
                str(status): _response(
                    _ERRORS[status], JSON, ref("Failure"), _ERROR_HEADERS.get(status, ())
                )
                for status in sorted({403, *operation.errors})
            },
        },
    }
    if not operation.login:
        described["security"] = []
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        media_type, schema = operation.body
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {media_type: {"schema": schema}},
        }
    return described


def _response(
    description: str, media_type: str | None, schema: Schema, headers: tuple[str, ...]
) -> Schema:
    response: Schema = {"description": description}
    if headers:
        response["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in sorted(headers)
        }
    if media_type is not None:
        response["content"] = {media_type: {"schema": schema}}
    return response
