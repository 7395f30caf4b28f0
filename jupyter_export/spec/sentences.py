"""The one sentence that says what is wrong with a document, where, and what would be right."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import InvalidSpec, did_you_mean, nearest
from . import limits
from .document import DATASET_FIELDS, Columns, Dataset, ExportSpec, Output, Retention
from .sources import SOURCE_FIELDS, SOURCE_TYPES, source_type
from .steps import Aggregate, Bucket, Computed, Pivot, Sample, Sort, TimeRange

_KNOWN: dict[str, tuple[str, ...]] = {
    "": (*ExportSpec.model_fields, *DATASET_FIELDS),
    "datasets": tuple(Dataset.model_fields),
    "columns": tuple(Columns.model_fields),
    "output": tuple(Output.model_fields),
    "retention": tuple(Retention.model_fields),
    "source": (),  # another tuple for each type of source
    "relations": ("name", "from", "to", "follow"),
    **{
        field: tuple(each.alias or name for name, each in model.model_fields.items())
        for field, model in (
            ("time_range", TimeRange),
            ("sample", Sample),
            ("computed", Computed),
            ("group_by", Bucket),
            ("aggregates", Aggregate),
            ("pivot", Pivot),
            ("sort", Sort),
        )
    },
    "where": ("column", "op", "value", "and", "or", "not"),
}
_PRIORITY = {"extra_forbidden": 0, "too_long": 1, "string_too_long": 1}
_TAGS = {*SOURCE_TYPES, "comparison", "and", "or", "not", "constrained-str"}


def _path_in(document: Any, location: tuple[int | str, ...]) -> str:
    """Return ``location`` without the union tags that pydantic mixes into it."""
    path = ""
    here = document
    for index, part in enumerate(location):
        if isinstance(part, int) and isinstance(here, list) and part < len(here):
            path, here = f"{path}[{part}]", here[part]
        elif isinstance(here, Mapping) and part in here:
            path, here = f"{path}.{part}" if path else str(part), here[part]
        elif isinstance(here, Mapping) and index == len(location) - 1 and part not in _TAGS:
            path = f"{path}.{part}" if path else str(part)
    return path


def _fields_of(owner: str, location: tuple[int | str, ...]) -> tuple[str, ...]:
    if owner != "source":
        return _KNOWN[owner]
    kind = next((part for part in location if part in SOURCE_FIELDS), None)
    return SOURCE_FIELDS[str(kind)] if kind else ("type",)


def _too_long(found: ErrorDetails, field: str | None) -> InvalidSpec:
    """Say how long something is, and how long it may be."""
    most = found["ctx"]["max_length"]
    if found["type"] == "string_too_long":
        return InvalidSpec(
            f"{field} has {len(found['input']):,} characters.",
            hint=f"At most {most:,} are allowed.",
            field=field,
        )
    # of a list of models pydantic counts no further than one too many
    count = len(found["input"])
    return InvalidSpec(
        f"{field} has {count:,} entries.",
        hint=f"At most {most:,} are allowed; put a long list into a file or frame, and name that "
        "as a dataset."
        if most >= limits.MAX_COLUMNS
        else f"At most {most:,} are allowed.",
        field=field,
    )


def _text(value: Any) -> str:
    """Return the beginning of what a value looks like."""
    return value if isinstance(value, str) else reprlib.repr(value)


def first_sentence(error: ValidationError, document: Mapping[str, Any]) -> InvalidSpec:
    """Say the first of pydantic's findings in one sentence of our own."""
    return sentence_of(error.errors(include_url=False), document)


def sentence_of(found: Sequence[ErrorDetails], document: Mapping[str, Any]) -> InvalidSpec:
    """Say the first of some findings, at least one."""
    # a misspelt name is the reason why the right one is missing; what is too long is of the right
    # type, whatever the other members of a union say
    first = min(found, key=lambda each: _PRIORITY.get(each["type"], 2))
    field = limits.shown(_path_in(document, first["loc"]), 300) or None
    kind = first["type"]
    if kind in ("too_long", "string_too_long"):
        return _too_long(first, field)
    if kind == "extra_forbidden":
        name = limits.shown(str(first["loc"][-1]))
        owner = next(
            (p for p in reversed(first["loc"][:-1]) if isinstance(p, str) and p in _KNOWN), ""
        )
        return InvalidSpec(
            f"“{name}” is not a field of {owner or 'the spec'}.",
            hint=did_you_mean(name, _fields_of(owner, first["loc"])),
            field=field,
        )
    if kind == "union_tag_invalid" or kind == "union_tag_not_found":
        given = source_type(first["input"])
        given = given and limits.shown(given)
        if given is None:
            return InvalidSpec(
                "The source has no “type”.", hint=f"One of {', '.join(SOURCE_TYPES)}.", field=field
            )
        return InvalidSpec(
            f"“{given}” is not a type of source.",
            hint=did_you_mean(given, SOURCE_TYPES),
            field=field,
        )
    if kind == "missing":
        if field == "datasets":
            return InvalidSpec(
                "The spec names no data.",
                hint="Give it a “source”, or a list of “datasets”.",
                field="datasets",
            )
        return InvalidSpec(f"“{field}” is missing.", field=field)
    if kind == "literal_error":
        given = limits.shown(str(first["input"]))
        expected = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        close = nearest(given, expected)
        return InvalidSpec(
            f"“{given}” is not a value of {field}.",
            hint=f"Did you mean {close}?" if close else f"One of {', '.join(expected)}.",
            field=field,
        )
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return InvalidSpec(f"“{field}” is not a JSON object.", field=field)
    message = first["msg"].removeprefix("Value error, ")
    if message.startswith(("Input should ", "String should ", "List should ")):
        # pydantic's words, about a value that stands in the document
        must = re.sub(r"^\w+ should ", "it must ", message)
        given = limits.shown(_text(first["input"]))
        return InvalidSpec(f"{field} cannot be “{given}”: {must}.", field=field)
    where = f"{field}: " if field else ""
    end = "" if message.endswith("?") else "."
    return InvalidSpec(f"{where}{message}{end}", field=field)
