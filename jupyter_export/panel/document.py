"""The document that a panel holds: read, checked and kept in step with itself. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidSpec
from ..registry import COMPRESSION_ENDINGS, split_ending
from ..spec import ExportSpec, limits, parse
from ..spec.document import DATASET_FIELDS
from ..spec.template import filled, frame_source, frames, parameters
from ..spec.written import from_yaml

Document = dict[str, Any]
FOLDER = "exports"
"""Where a file goes that nobody named."""
_SENT = "sent-by-the-panel"
"""Stands for a frame's upload while a document is checked."""
_SAFE = 2**53 - 1
"""The largest whole number that JavaScript holds as it is."""
_STEPS = tuple(name for name in DATASET_FIELDS if name != "source")


def read_text(text: str) -> Document:
    """Return the spec that pasted JSON or YAML holds, in the form that a panel shows.

    Raises ``InvalidSpec`` for what is neither.
    """
    if not text.strip():
        raise InvalidSpec("There is nothing to paste.", hint="Copy a spec as JSON or YAML first.")
    if text.lstrip()[:1] in "{[":
        return held(limits.read(text))
    import yaml

    try:
        found = from_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise InvalidSpec(f"What was pasted is neither JSON nor YAML{where}.") from None
    if not isinstance(found, Mapping):
        raise InvalidSpec(
            "What was pasted is no spec.", hint="Paste a spec as JSON or YAML, or a %export line."
        )
    return held(found)


def held(document: Any) -> Document:
    """Return ``document`` as a panel holds it: JSON values, and one dataset in the short form.

    Raises ``InvalidSpec`` for what is no JSON object.
    """
    if isinstance(document, ExportSpec):
        document = document.to_json()
    if isinstance(document, (str, bytes)):
        document = limits.read(document)
    if not isinstance(document, Mapping):
        raise InvalidSpec("The spec is not a JSON object.")
    limits.check(document)
    try:
        plain = json.loads(json.dumps(dict(document), allow_nan=False))
    except (TypeError, ValueError):
        raise InvalidSpec("The spec holds a value that JSON does not have.") from None
    for dataset in [plain, *_listed(plain.get("datasets"))]:
        if "where" in dataset:
            dataset["where"] = _in_digits(dataset["where"])
    return _short(plain)


def _in_digits(where: Any) -> Any:
    """Return a condition whose whole numbers beyond those of a browser are texts: it would round
    them, and a text that is compared with a column of numbers keeps every digit."""
    if isinstance(where, Mapping):
        return {key: _in_digits(each) for key, each in where.items()}
    if isinstance(where, list):
        return [_in_digits(each) for each in where]
    large = isinstance(where, int) and not isinstance(where, bool) and abs(where) > _SAFE
    return str(where) if large else where


def _short(document: Document) -> Document:
    datasets = document.get("datasets")
    if not isinstance(datasets, list) or len(datasets) != 1 or not isinstance(datasets[0], dict):
        return document
    if any(name in document for name in DATASET_FIELDS) or document.get("relations"):
        return document
    (dataset,) = datasets
    name = dataset.get("name")
    if name is not None and name != document.get("name", name):
        return document  # Two names: the export's and the dataset's.
    rest = {key: value for key, value in document.items() if key != "datasets"}
    return {**({"name": name} if name else {}), **rest, **dataset}


def datasets_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the datasets with their names, whichever form the document has."""
    several = document.get("datasets")
    if isinstance(several, list):
        return [dict(each) for each in several if isinstance(each, Mapping)]
    own = {key: value for key, value in document.items() if key in DATASET_FIELDS}
    if not own:
        return []
    return [{**({"name": document["name"]} if document.get("name") else {}), **own}]


def is_short(document: Mapping[str, Any]) -> bool:
    return "datasets" not in document


def frame_names(document: Mapping[str, Any]) -> dict[int, str]:
    """Return the number of each dataset that is a frame of the notebook, and the frame's name."""
    return frames(document)


def with_defaults(document: Mapping[str, Any]) -> Document:
    """Return the document with the defaults of a template's parameters.

    Raises ``InvalidSpec`` that names the parameters which have none.
    """
    needed = parameters(document)
    missing = [each for each in needed if each.required]
    if missing:
        names = ", ".join(f"“{each.name}”" for each in missing)
        raise InvalidSpec(
            f"The template's {'parameter' if len(missing) == 1 else 'parameters'} {names} "
            f"{'has' if len(missing) == 1 else 'have'} no value.",
            hint=f"Write a value in the place of {{{{{missing[0].name}}}}}.",
            field=missing[0].field,
        )
    return filled(document, {})


def checked(document: Mapping[str, Any]) -> ExportSpec:
    """Return the spec of a document, its frames and defaults filled in. Raises ``InvalidSpec``
    whose field is that of the document as it stands."""
    try:
        named = frames(document)
        whole = with_defaults(document)
        if not datasets_of(whole):
            raise InvalidSpec("Choose what to export.", field="source")
        sent = {"type": "upload", "id": _SENT}
        if is_short(whole):
            return parse({**whole, "source": sent} if named else whole)
        datasets = [
            {**each, "source": sent} if index in named else each
            for index, each in enumerate(whole["datasets"])
        ]
        return parse({**whole, "datasets": datasets})
    except InvalidSpec as error:
        raise _as_written(error, short=is_short(document)) from None


def _as_written(error: InvalidSpec, *, short: bool) -> InvalidSpec:
    field = field_as_written(error.field, short=short)
    message = error.message.removeprefix(f"{error.field}: ") if error.field else error.message
    if short:
        message = message.replace("datasets[0].", "")
    message = message[:1].upper() + message[1:]
    return InvalidSpec(message, hint=error.hint, field=field)


def field_as_written(field: str | None, *, short: bool) -> str | None:
    """Return the field of an error as the short form calls it."""
    return field.removeprefix("datasets[0].") if field and short else field


def problem(error: Any) -> dict[str, Any]:
    """Return ``{"field", "message", "hint"}`` of an ``ExportError``."""
    return {"field": error.field, "message": error.message, "hint": error.hint}


# ----------------------------------------------------------------- names and endings


def beginning(name: str, source: Mapping[str, Any], path: str | None) -> Document:
    """Return the document of a panel that opens on a source."""
    return {
        "name": name,
        "source": dict(source),
        "output": {"path": path if path is not None else f"{FOLDER}/{file_stem(name)}.csv"},
    }


def of_frame(name: str, path: str | None = None) -> Document:
    return beginning(name, frame_source(name), path)


def file_stem(name: str) -> str:
    """Return a name without what a file's name cannot hold."""
    plain = "".join("_" if c in '\\/:*?"<>|' or not c.isprintable() else c for c in name)
    return plain.strip(" .")[:100] or "export"


def path_of(document: Mapping[str, Any]) -> str | None:
    output = document.get("output")
    path = output.get("path") if isinstance(output, Mapping) else None
    return path if isinstance(path, str) and path.strip() else None


def suggested(document: Mapping[str, Any], endings: Mapping[str, list[str]]) -> str:
    """Return a path for a document that names none; ``endings``: format -> its endings."""
    name = document.get("name") or name_of_source(document.get("source")) or "export"
    path = f"{FOLDER}/{file_stem(str(name))}"
    kind, packing = format_of(document) or "csv", document.get("compression")
    return with_ending(path, endings, kind, packing if isinstance(packing, str) else "none")


def format_of(document: Mapping[str, Any]) -> str | None:
    """Return the format that a document says, if it says one."""
    found = document.get("format")
    kind = found.get("type") if isinstance(found, Mapping) else found
    return kind if isinstance(kind, str) else None


def name_of_source(source: Any) -> str | None:
    """Return what an export of a source is called: the frame's, table's or file's name."""
    if not isinstance(source, Mapping):
        return None
    kind = source.get("type")
    if kind == "upload":
        return frames({"source": source}).get(0)
    if kind == "table":
        return str(source.get("table") or "") or None
    if kind == "file":
        last = str(source.get("path") or "").replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        return split_ending(last)[0] or None
    return "query" if kind == "sql" else None


def with_ending(path: str, endings: Mapping[str, list[str]], kind: str, packing: str | None) -> str:
    """Return ``path`` with an ending of the format ``kind``, its stem and folder kept.

    ``endings``: format -> its endings; an ending that no format has is a part of the name.
    ``packing``: the compression that the document says; None keeps the path's own.
    """
    folder, slash, name = path.rpartition("/")
    zipped = ".zip" if name.lower().endswith(".zip") else ""
    stem, ending, packed = split_ending(name[: len(name) - len(zipped)] if zipped else name)
    if not stem:
        return path
    known = {each for many in endings.values() for each in many}
    mine = endings.get(kind) or [""]
    if ending not in mine:
        stem = stem if ending in known or not ending else f"{stem}{ending}"
        ending = mine[0]
    if packing is not None:
        packed = next((e for e, c in COMPRESSION_ENDINGS.items() if c == packing), "")
    return f"{folder}{slash}{stem}{ending}{packed}{zipped}"


def followed(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    formats: Mapping[str, Mapping[str, Any]],
) -> Document:
    """Return ``after`` with what one choice means for the others: the path's ending follows the
    format and the compression, the format follows the path's ending, and a name that came from the
    source follows the source.

    ``formats``: type -> the format as the service describes it. A document in which more than one
    of these changed was written as a whole (pasted, a template), and stays as it is.
    """
    made = dict(after)
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    if not before or not changed:
        return made
    if "source" in changed and not changed & {"output", "format", "compression", *_STEPS}:
        made = _named_after_source(before, made)
    path, endings = path_of(made), {kind: list(each["endings"]) for kind, each in formats.items()}
    kind = format_of(made)
    only = changed & {"output", "format", "compression", "source"}
    if path is None or not formats:
        return made
    if only == {"output"} and path_of(before) != path:
        of_path = _format_of_path(path, endings)
        if of_path and kind is not None and kind in formats and of_path != kind:
            made["format"] = {"type": of_path}
            kind = of_path
        packed = COMPRESSION_ENDINGS.get(split_ending(path.removesuffix(".zip"))[2])
        if "compression" in made and packed != made["compression"]:
            made.pop("compression")
    elif only == {"format"} and kind and kind in formats and format_of(before) != kind:
        outer = bool(formats[kind]["capabilities"].get("outer_compression", True))
        if not outer:
            made.pop("compression", None)
        packing = None if outer else "none"
        made["output"] = {**made["output"], "path": with_ending(path, endings, kind, packing)}
    elif only == {"compression"}:
        kind = kind if kind in formats else _format_of_path(path, endings)
        if kind is not None:
            packing = made.get("compression") or "none"
            made["output"] = {**made["output"], "path": with_ending(path, endings, kind, packing)}
    return made


def _named_after_source(before: Mapping[str, Any], after: Document) -> Document:
    old, new = name_of_source(before.get("source")), name_of_source(after.get("source"))
    if not old or not new or old == new:
        return after
    made = dict(after)
    if made.get("name") == old:
        made["name"] = new
    path = path_of(made)
    if path is not None:
        folder, slash, name = path.rpartition("/")
        stem = file_stem(old)
        if name == stem or name.startswith(f"{stem}."):
            path = f"{folder}{slash}{file_stem(new)}{name[len(stem) :]}"
            made["output"] = {**made["output"], "path": path}
    return made


def _format_of_path(path: str, endings: Mapping[str, list[str]]) -> str | None:
    ending = split_ending(path.rpartition("/")[2].removesuffix(".zip"))[1]
    return next((kind for kind, many in endings.items() if ending and ending in many), None)


def names_used(document: Mapping[str, Any]) -> set[str]:
    """Return the columns that the steps of a short document name (those of SQL texts aside)."""
    made = {each["name"] for each in _listed(document.get("computed")) if "name" in each}
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            column = value.get("column")
            if isinstance(column, str):
                found.add(column)
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for step in ("where", "time_range", "group_by", "aggregates"):
        walk(document.get(step))
    grouped = document.get("group_by") or []
    found |= {each for each in grouped if isinstance(each, str)} if grouped else set()
    columns = document.get("columns")
    if not grouped and not document.get("aggregates") and isinstance(columns, Mapping):
        for key in ("include", "exclude", "order"):
            found |= {each for each in columns.get(key) or [] if isinstance(each, str)}
    return found - made


def without_steps(document: Mapping[str, Any]) -> Document:
    """Return the document with all rows and columns of its source."""
    return {key: value for key, value in document.items() if key not in _STEPS}


def _listed(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
