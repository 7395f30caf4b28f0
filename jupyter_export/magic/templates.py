"""Templates: a line saved as a document whose frames are slots, and used again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..client.draft import draft_of
from ..errors import InvalidRequest, NotFound, did_you_mean
from ..spec.template import check_name, filled, slots
from ..spec.template_secrets import check_secrets
from .arguments import Arguments
from .caret import Span, at
from .options import all_formats, format_for
from .request import Request
from .service import answering_client
from .specs import Document


def template(name: str, span: Span) -> Document:
    """Return the saved template. Raises ``NotFound`` naming the nearest one."""
    client = answering_client()
    try:
        found = client.template(name)
    except NotFound as error:
        if error.hint is None:
            known = [str(each["name"]) for each in client.templates()]
            error.hint = did_you_mean(name, known) if known else "There are no templates yet."
        raise at(error, span) from None
    return Document(found["spec"], f"The template “{name}”", words=0, span=span)


def to_be_saved(asked: Arguments, request: Request) -> tuple[dict[str, Any], Request]:
    """Return the document of a line, with its slots, and what is exported now: the same with the
    values of --param, and the slots' defaults, in their places.

    Raises ``InvalidRequest`` where no template can be saved under that name, or none of these rows,
    and ``InvalidSpec`` where it would hold a password.
    """
    name = asked.save_template or ""
    span = asked.places.of("--save-template")[-1].whole
    try:
        check_name(name)
        taken = any(each["name"] == name for each in answering_client().templates())
        if taken and not asked.replace:
            raise InvalidRequest(
                f"There is a template “{name}” already.",
                hint="Choose another name, or add --replace.",
            )
        document = document_of(request)
    except InvalidRequest as error:
        raise at(error, span) from None
    check_secrets(document)  # before anything is written
    known = slots(document)
    if request.origin is not None:
        # a document has its values by now, in what is saved as well
        asked = replace(asked, params={k: v for k, v in asked.params.items() if k in known})
    if not known and not (asked.params and asked.connection is None):
        return document, request
    of_sql = {} if asked.connection is None else asked.params
    values = {k: v for k, v in asked.params.items() if k in known or k not in of_sql}
    return document, _with(request, filled(document, values))


def _with(request: Request, document: dict[str, Any]) -> Request:
    """Return ``request`` with the fields of ``document``, and its own frames."""
    fields = {k: v for k, v in document.items() if k not in ("datasets", "output")}
    output = document.get("output", {})
    several = isinstance(request.source, dict) and "type" not in request.source
    frames = list(request.source.values()) if several else [request.source]
    source = {
        dataset.get("name", "data"): {
            **{k: v for k, v in dataset.items() if k != "name"},
            "source": frame["source"] if isinstance(frame, dict) and "source" in frame else frame,
        }
        for dataset, frame in zip(document["datasets"], frames, strict=True)
    }
    fields |= {"if_exists": output.get("if_exists"), "options": {}}
    fields.setdefault("name", "export")
    return replace(request, source=source, path=output.get("path"), fields=fields)


def save(name: str, document: dict[str, Any]) -> str:
    """Save ``document`` and return the sentence that says so."""
    answering_client().save_template(name, document)
    return f"Saved as the template “{name}”: %export --template {name}"


def document_of(request: Request) -> dict[str, Any]:
    """Return the document of a line, with its frames as slots.

    Raises ``InvalidRequest`` for rows that no document can name: those of an expression, and of
    SQL over the notebook's frames.
    """
    for described in request.described:
        if described is None:
            raise InvalidRequest(
                "A document cannot say where these rows come from.",
                hint="Give them a name first (late = df.query(…)) and export that; SQL can be kept "
                "on a connection (--connection).",
            )
    fields = {k: v for k, v in request.fields.items() if k not in ("options", "if_exists")}
    output = {"path": request.path, "if_exists": request.fields.get("if_exists")}
    fields["output"] = {k: v for k, v in output.items() if v is not None} or None
    options = request.fields.get("options") or {}
    if options:
        fields["format"] = _with_options(fields.get("format"), options, request.path)
    draft = draft_of(request.source, fields, lambda source: source)
    document = dict(draft.document)
    document["datasets"] = [
        {**dataset, "source": dict(described or {})}
        for dataset, described in zip(document["datasets"], request.described, strict=True)
    ]
    return document


def _with_options(chosen: Any, options: dict[str, Any], path: str | None) -> dict[str, Any]:
    if isinstance(chosen, dict):
        return {**chosen, **options}
    found = format_for(chosen, path, all_formats())
    return {"type": found["type"] if found else chosen or "csv", **options}
