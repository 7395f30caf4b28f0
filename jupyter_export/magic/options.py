"""The options of a format: which there are, and what the text of ``--option key=value`` means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, InvalidSpec, did_you_mean, nearest
from ..registry import split_ending
from .arguments import Arguments, key_and_value
from .caret import at, span_of
from .service import answering_client

if TYPE_CHECKING:
    from .request import Request

YES = {"true", "yes", "on"}
NO = {"false", "no", "off"}
ZIP = ".zip"


def typed_options(asked: Arguments, request: Request) -> dict[str, Any]:
    """Return the options of the line with the types that the format gives them.

    Raises ``InvalidSpec`` for an option that the format does not have, and names the nearest.
    Values are checked by the format itself, before any row is sent.
    """
    found: dict[str, Any] = dict(asked.options)
    if asked.sheet is not None:
        found["sheet"] = asked.sheet
    if not found:
        return {}
    formats = answering_client().formats()
    given = request.fields.get("format")
    kind = given["type"] if isinstance(given, Mapping) and "type" in given else given
    chosen = format_for(kind, request.path, formats)
    if chosen is None:
        return found  # Whoever checks the document says what is wrong with its format.
    schema = chosen["options"]
    for each in asked.places.of("--option"):
        key, text, raw = key_and_value(each, asked.places.line)
        name = key.replace("-", "_")
        if name not in schema.get("properties", {}):
            assert each.value is not None
            raise at(_unknown(name, chosen, formats), span_of(each.value, 0, len(key)))
        found[name] = read(text, raw, schema["properties"][name], schema.get("$defs", {}))
    return found


def format_for(
    kind: Any, path: str | None, formats: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the format of that type, or of a path's ending; None for one that nobody knows."""
    if kind is not None:
        return next((each for each in formats if each["type"] == kind), None)
    name = "x.csv" if path is None else path.rstrip("/\\").removesuffix(ZIP)
    ending = split_ending(name)[1]
    return next((each for each in formats if ending in each["endings"]), None)


def _unknown(
    name: str, chosen: Mapping[str, Any], formats: Sequence[Mapping[str, Any]]
) -> InvalidSpec:
    known = chosen["options"].get("properties", {})
    others = [each["type"] for each in formats if name in each["options"].get("properties", {})]
    close = nearest(name, known)
    said = f"“{name}” is not an option of {chosen['type']}."
    if others and close is None:
        said, hint = f"{said} It belongs to {' and '.join(others)}.", None
    else:
        hint = did_you_mean(name, known)
    return InvalidSpec(said, hint=hint, field=f"format.{name}")


# ----------------------------------------------------------------- a value


def read(text: str, raw: str, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    """Return what ``text`` (``raw``: with the quotes of the line) means for an option.

    ``schema`` is the option's JSON Schema. Text stays text where the option is one: ``null=5``.
    What fits none of its types is returned as text, for the format to refuse.
    """
    parts = list(_parts(schema, defs))
    types = {str(part["type"]) for part in parts if isinstance(part.get("type"), str)}
    said, written = _json(text), _json(raw)
    for given in (said, written):
        if isinstance(given, str) and "string" in types:
            return given
    if text == "null" and "null" in types:
        return None
    for part in parts:
        for value in part.get("enum", [part["const"]] if "const" in part else []):
            if value == text or (not isinstance(value, str) and json.dumps(value) == text.lower()):
                return value
    lower = text.lower()
    if lower in YES | NO and ("boolean" in types or _takes_boolean(parts)):
        return lower in YES
    if types & {"integer", "number"}:
        number = _json(text.replace("_", ""))
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            return number
    for given in (said, written):
        if (isinstance(given, list) and "array" in types) or (
            isinstance(given, dict) and "object" in types
        ):
            return given
    texts = next(
        (part for part in parts if part.get("type") == "array" and _of_texts(part, defs)), None
    )
    if texts is not None and "string" not in types:
        return [item for item in (each.strip() for each in text.split(",")) if item]
    # a shorthand that the schema does not tell, such as totals=true, is the format's to read
    return text if "string" in types or said is None else said


def _takes_boolean(parts: Sequence[Mapping[str, Any]]) -> bool:
    return any(isinstance(value, bool) for part in parts for value in part.get("enum", ()))


def _of_texts(part: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    members = part.get("prefixItems") or [part.get("items") or {}]
    return all(
        any(inner.get("type") == "string" for inner in _parts(member, defs)) for member in members
    )


def _parts(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas of which a value meets one."""
    if "$ref" in schema:
        yield from _parts(defs.get(schema["$ref"].rpartition("/")[2], {}), defs)
    for word in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(word, ()):
            yield from _parts(part, defs)
    if "type" in schema or "enum" in schema or "const" in schema:
        yield schema


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


# ----------------------------------------------------------------- described


def described(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """Return the values that an option takes, in a few words: ``yes|no``, ``text``, ``a|b``."""
    words: list[str] = []
    for part in _parts(schema, defs):
        words += _values(part)
    return "|".join(dict.fromkeys(words)) or "JSON"


def _values(part: Mapping[str, Any]) -> list[str]:
    if "enum" in part:
        return [_shown(each) for each in part["enum"]]
    if "const" in part:
        return [_shown(part["const"])]
    names = {"boolean": "yes|no", "string": "text", "integer": "N", "number": "N", "array": "list",
             "object": "JSON"}  # fmt: skip
    word = names.get(str(part.get("type")))
    return word.split("|") if word else []


def default_of(schema: Mapping[str, Any]) -> str:
    """Return an option's default as the line would have it; nothing where there is none."""
    value = schema.get("default")
    if value is None or value in ("", [], {}):
        return ""
    return _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value if value.isprintable() and value else json.dumps(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return json.dumps(value, ensure_ascii=False)


def all_formats() -> Sequence[Mapping[str, Any]]:
    """Return the formats of the service, or those that are installed here."""
    try:
        return answering_client().formats()
    except ExportError:
        from .. import registry

        return [
            {"type": each.type, "label": each.label, "endings": each.endings,
             "options": each.options.model_json_schema()}
            for each in registry.formats().values()
        ]  # fmt: skip
