"""The document: what to export, how, and where to. Every surface holds this and nothing else.

The models validate at construction. ``parse`` turns whatever a caller sent into an ``ExportSpec``
or one ``InvalidSpec`` that names the field, the value and the nearest right name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..errors import InvalidSpec
from . import limits
from .document import (
    DATASET_FIELDS,
    Columns,
    Dataset,
    ExportSpec,
    FormatChoice,
    Link,
    Output,
    Relation,
    Retention,
    seconds,
)
from .sentences import first_sentence
from .sources import FileSource, SqlSource, TableSource, UploadSource
from .steps import (
    Aggregate,
    AggregateFunction,
    Bucket,
    Computed,
    Pivot,
    Sample,
    Sort,
    TimeRange,
)
from .where import MAX_DEPTH, And, Comparison, Not, Or

__all__ = [
    "MAX_DEPTH",
    "Aggregate",
    "AggregateFunction",
    "And",
    "Bucket",
    "Columns",
    "Comparison",
    "Computed",
    "Dataset",
    "ExportSpec",
    "FileSource",
    "FormatChoice",
    "Link",
    "Not",
    "Or",
    "Output",
    "Pivot",
    "Relation",
    "Retention",
    "Sample",
    "Sort",
    "SqlSource",
    "TableSource",
    "TimeRange",
    "UploadSource",
    "parse",
    "prepared",
    "seconds",
]

PLANNED = {"deliver"}
"""Fields of the document that this version knows and cannot run yet: refused, never ignored."""


def parse(document: Any) -> ExportSpec:
    """Return the spec that ``document`` (a mapping, JSON text or an ``ExportSpec``) describes.

    Raises ``InvalidSpec``: one sentence, the field's path, and the nearest known name.
    """
    if isinstance(document, ExportSpec):
        return document
    document = prepared(document)
    try:
        spec = ExportSpec.model_validate(document)
    except ValidationError as error:
        raise first_sentence(error, document) from None
    _refuse_what_json_cannot_hold(spec)
    return spec


def prepared(document: Any) -> dict[str, Any]:
    """Return ``document`` (a mapping or JSON text) in its long form, for ``ExportSpec``.

    Raises ``InvalidSpec`` for what is too large, and for what this version cannot run.
    """
    if isinstance(document, (str, bytes)):
        document = limits.read(document)
    if not isinstance(document, Mapping):
        raise InvalidSpec("The spec is not a JSON object.")
    limits.check(document)
    for place in (document, *_mappings(document.get("datasets"))):
        for planned in sorted(PLANNED & set(place)):
            if place[planned]:
                raise InvalidSpec(
                    f"“{planned}” cannot be run by this version yet.",
                    hint="Leave it out; nothing was exported.",
                    field=planned,
                )
    wide = _widen({key: value for key, value in document.items() if key not in PLANNED})
    if isinstance(wide.get("datasets"), list):
        wide["datasets"] = [
            {k: v for k, v in each.items() if k not in PLANNED}
            if isinstance(each, Mapping)
            else each
            for each in wide["datasets"]
        ]
    return wide


def _refuse_what_json_cannot_hold(spec: ExportSpec) -> None:
    """A job shows its spec: one value that cannot be sent would break every list of jobs."""
    try:
        json.dumps(spec.to_json(), ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise InvalidSpec(
            "The spec holds a number that JSON does not have (NaN or Infinity).",
            hint="Write a finite number.",
        ) from None


def _widen(document: Mapping[str, Any]) -> dict[str, Any]:
    """Move ``source``, ``where``, … at the top level into the one dataset they mean."""
    wide = dict(document)
    if isinstance(wide.get("format"), str):
        wide["format"] = {"type": wide["format"]}
    short = {key: wide.pop(key) for key in DATASET_FIELDS if key in wide}
    if short and "datasets" in wide:
        raise InvalidSpec(
            f"“{next(iter(short))}” stands beside “datasets”.",
            hint="Put it inside the dataset that it means.",
            field=next(iter(short)),
        )
    if short:
        name = wide.get("name")
        wide["datasets"] = [{**({"name": name} if name else {}), **short}]
    return wide


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
