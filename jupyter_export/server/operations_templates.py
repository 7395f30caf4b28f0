"""The operations of templates, for the OpenAPI document."""

from __future__ import annotations

from .operation import JSON, Operation
from .schemas import json_object, ref

_WHOLE = ref("TemplateWithSpec")

TEMPLATES: tuple[Operation, ...] = (
    Operation(
        "get",
        "templates",
        "listTemplates",
        "Your templates, by name, with their parameters.",
        {
            200: (
                "The templates.",
                JSON,
                json_object(
                    "templates", {"templates": {"type": "array", "items": ref("Template")}}
                ),
            )
        },
        (503,),
    ),
    Operation(
        "get",
        "templates/{name}",
        "getTemplate",
        "One template, with its document.",
        {200: ("The template.", JSON, _WHOLE)},
        (404, 503),
    ),
    Operation(
        "put",
        "templates/{name}",
        "saveTemplate",
        "Keep a document under this name, in the place of yours of that name.",
        {
            200: ("The template, which has replaced one.", JSON, _WHOLE),
            201: ("The template, which is new.", JSON, _WHOLE),
        },
        (400, 413, 503),
        body=(JSON, ref("TemplateDocument")),
    ),
    Operation(
        "delete",
        "templates/{name}",
        "deleteTemplate",
        "Remove a template.",
        {204: ("It is gone.", None, {})},
        (404, 503),
    ),
)
