"""What can be said of a template before its parameters have values.

Defaults are filled in. What still has a slot is checked for its structure: fields, operators and
types around the slot are looked at, the slot itself may be anything. What has none is checked as
any spec is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import InvalidSpec, TooLarge
from . import limits, parse, prepared
from .document import ExportSpec
from .sentences import sentence_of
from .sources import source_type
from .template import (
    CLOSE,
    DESCRIPTION,
    Parameter,
    frame_source,
    frames,
    holds_slot,
    parameters,
    replaced,
)

MAX_BYTES = 256 * 1024
"""Longest template, as JSON in UTF-8."""
MAX_DESCRIPTION = 1000
_ANY_UPLOAD = {"type": "upload", "id": "any"}
_NEVER_THE_SLOT = {"missing", "extra_forbidden", "too_long"}
"""Findings that are about the fields beside a slot, whatever the slot becomes."""


class Outline(NamedTuple):
    """What is sure of a template."""

    spec: ExportSpec
    """Without the parts whose values are not known yet; each frame, and each source with a slot,
    is an upload of no meaning."""
    document: dict[str, Any]
    """In its long form, with defaults in the place of slots that have one."""
    file_name: str | None
    """One with the ending that the file's name is sure to have."""

    @property
    def options_known(self) -> bool:
        return not holds_slot(self.document.get("format"))

    @property
    def format_known(self) -> bool:
        """Whether the format can be told: from the spec, or from the file's name."""
        given = self.document.get("format")
        if given is not None:
            return self.spec.format is not None
        if self.file_name is not None:
            return True
        return not holds_slot(self.document.get("output"))


def check(document: Mapping[str, Any]) -> Outline:
    """Return what is sure of a template.

    Raises ``InvalidSpec`` that says what is wrong, ``TooLarge`` beyond ``MAX_BYTES``.
    """
    limits.check(document)
    check_size(document)  # before its slots are looked for, which takes time for each
    known = {each.name: each for each in parameters(document)}
    _check_description(document)

    def default(parameter: Parameter) -> Any:
        return known[parameter.name].default

    wide = prepared(replaced(document, default))
    _check_uploads(prepared(document))
    for number in frames(wide):
        wide["datasets"][number] = {**wide["datasets"][number], "source": _ANY_UPLOAD}
    output = wide.get("output")
    path = output.get("path") if isinstance(output, Mapping) else None
    spec = _sure(wide) if holds_slot(wide) else parse(wide)
    return Outline(spec, wide, known_file_name(path))


def known_file_name(path: Any) -> str | None:
    """Return a file's name with the ending that a path with slots is sure to have, or None."""
    if not isinstance(path, str):
        return None
    name = path.replace("\\", "/").rpartition("/")[2]
    if not holds_slot(name):
        return name or None
    _, _, tail = name.rpartition(CLOSE)
    return f"file{tail}" if "." in tail else None


def _sure(wide: dict[str, Any]) -> ExportSpec:
    """Check a spec that has slots; return what has none."""
    try:
        ExportSpec.model_validate(wide)
    except ValidationError as error:
        found = [each for each in error.errors(include_url=False) if not _of_slot(each)]
        if found:
            raise sentence_of(found, wide) from None
    datasets = wide.get("datasets")
    if not isinstance(datasets, list):
        return parse({"source": _ANY_UPLOAD})
    sure = {key: value for key, value in wide.items() if not holds_slot(value)}
    sure["datasets"] = [
        _sure_dataset(number, each) if isinstance(each, Mapping) else {"source": _ANY_UPLOAD}
        for number, each in enumerate(datasets)
    ]
    if any(not isinstance(each, Mapping) or holds_slot(each.get("name")) for each in datasets):
        sure.pop("relations", None)
    given = wide.get("format")
    if isinstance(given, Mapping) and not holds_slot(given.get("type")):
        sure["format"] = {key: each for key, each in given.items() if not holds_slot({key: each})}
    return parse(sure)


def _sure_dataset(number: int, dataset: Mapping[str, Any]) -> dict[str, Any]:
    sure = {key: each for key, each in dataset.items() if not holds_slot(each)}
    if "name" in dataset:
        sure.setdefault("name", f"dataset {number}")
    return {"source": _ANY_UPLOAD, **sure}


def _of_slot(found: ErrorDetails) -> bool:
    """Tell whether a slot is what a finding complains of, or may be."""
    given, kind = found["input"], found["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return holds_slot(source_type(given)) if isinstance(given, Mapping) else holds_slot(given)
    return kind not in _NEVER_THE_SLOT and holds_slot(given)


def _check_uploads(wide: Mapping[str, Any]) -> None:
    """An upload is gone after a while; a template outlives it."""
    named = frames(wide)
    datasets = wide.get("datasets")
    for number, dataset in enumerate(datasets if isinstance(datasets, list) else ()):
        source = dataset.get("source") if isinstance(dataset, Mapping) else None
        if isinstance(source, Mapping) and source.get("type") == "upload" and number not in named:
            example = json.dumps(frame_source("flights"))
            raise InvalidSpec(
                "A template cannot name an upload, which is soon gone."
                if not holds_slot(source.get("id"))
                else "A frame's slot is its name alone, without a default.",
                hint=f"Name a frame of the notebook: {example}.",
                field=f"datasets[{number}].source.id",
            )


def _check_description(document: Mapping[str, Any]) -> None:
    given = document.get(DESCRIPTION)
    if given is not None and (not isinstance(given, str) or len(given) > MAX_DESCRIPTION):
        raise InvalidSpec(
            "The description is not a text."
            if not isinstance(given, str)
            else f"The description has {len(given):,} characters.",
            hint=f"Write a sentence or two, at most {MAX_DESCRIPTION:,} characters.",
            field=DESCRIPTION,
        )


def check_size(document: Mapping[str, Any]) -> None:
    """Raise ``InvalidSpec`` for what JSON cannot hold, ``TooLarge`` beyond ``MAX_BYTES``."""
    try:
        size = len(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError):
        raise InvalidSpec(
            "The template holds a value that JSON does not have.",
            hint="Use texts, finite numbers, true, false, null, lists and objects; in YAML a date "
            "stands in quotes.",
        ) from None
    if size > MAX_BYTES:
        raise TooLarge(
            f"The template has {size:,} bytes.",
            hint=f"At most {MAX_BYTES:,} are kept; put long lists into a file, and name that as a "
            "dataset.",
        )
