"""A document with slots: parameters that are filled when it is used, and frames of a notebook.

- ``{{year}}`` in any text is a parameter, ``{{year=2013}}`` one with a default (a JSON value). A
  text that is nothing but a slot becomes the value with its type; inside a longer text stands the
  value's text. Keys may hold slots, too (a new name in ``rename``).
- ``{"type": "upload", "id": "{{flights}}"}`` as a source is no parameter: it names the frame
  ``flights`` of the notebook that runs the document, and is left to the client.
- ``{{"{{"}}`` is two braces that are meant as such; an open slot that is no slot is an error.

A value is never looked at for slots again. ``description`` at the top of a template is a sentence
about it, and no part of the spec.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any, TypeAlias

from ..errors import InvalidRequest, InvalidSpec, did_you_mean
from . import limits

OPEN, CLOSE = "{{", "}}"
DESCRIPTION = "description"
"""The key of a template that says what it is for."""
MAX_NAME = 100
MAX_FILLED = 10_000_000
"""Characters that the values of parameters take in all their places: one long default, used in
thousands of places, would fill the memory."""
_NAME = re.compile(r"\w[\w.-]*")
_PARAMETER = re.compile(r"\s*([^\W\d]\w*)\s*")
_FRAME = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_SPACE = re.compile(r"\s*")


class _Required:
    """What stands where a parameter has no default: None is one."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True)
class Parameter:
    """A parameter of a template, and where it stands first."""

    name: str
    default: Any = REQUIRED
    field: str | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def to_json(self) -> dict[str, Any]:
        """Return ``{name, default, required}``; the default is None where there is none."""
        default = None if self.required else self.default
        return {"name": self.name, "default": default, "required": self.required}


_Piece: TypeAlias = "str | Parameter"

# ------------------------------------------------------------------ what there is


def slots(document: Any) -> tuple[str, ...]:
    """Return the names of the parameters in order of first use; frames are not among them.

    Raises ``InvalidSpec`` for a slot that is not well formed, and for a document too large.
    """
    return tuple(parameter.name for parameter in parameters(document))


def parameters(document: Any) -> tuple[Parameter, ...]:
    """Return the parameters in order of first use. A default that stands with one of the slots
    holds for all of them. Raises ``InvalidSpec``, also for two defaults that differ."""
    found: dict[str, Parameter] = {}
    for text, field in _texts(_checked(document)):
        for piece in _pieces(text, field):
            if isinstance(piece, str):
                continue
            known = found.setdefault(piece.name, piece)
            if known.required:
                found[piece.name] = Parameter(piece.name, piece.default, known.field)
            elif not piece.required and _text_of(known.default) != _text_of(piece.default):
                raise InvalidSpec(
                    f"The parameter “{piece.name}” has two defaults: {_text_of(known.default)} "
                    f"and {_text_of(piece.default)}.",
                    hint=f"Leave one as {OPEN}{piece.name}{CLOSE}.",
                    field=field,
                )
    return tuple(found.values())


def frames(document: Any) -> dict[int, str]:
    """Return which datasets are frames of a notebook: the dataset's number (from 0; the short form
    is dataset 0) and the frame's name."""
    named: dict[int, str] = {}
    for number, _, source in _sources(document):
        found = _frame_of(source)
        if found is not None:
            named[number] = found
    return named


def frame_source(name: str) -> dict[str, str]:
    """Return the source that is the frame ``name`` of the notebook that runs the document."""
    return {"type": "upload", "id": f"{OPEN}{name}{CLOSE}"}


def check_name(name: Any) -> str:
    """Return the name of a template (NFC), or raise ``InvalidRequest``: 1 to 100 letters, digits,
    ``-``, ``_`` and ``.``, the first of them a letter, a digit or ``_``."""
    plain = unicodedata.normalize("NFC", name) if isinstance(name, str) else ""
    if not _NAME.fullmatch(plain) or len(plain) > MAX_NAME:
        raise InvalidRequest(
            f"“{limits.shown(str(name))}” cannot be the name of a template.",
            hint=f"Use 1 to {MAX_NAME} letters, digits, “-”, “_” and “.”, and begin with a letter "
            "or a digit.",
            field="name",
        )
    return plain


# ------------------------------------------------------------------ filled in


def filled(document: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec that a template is with ``values`` for its parameters, and its defaults for
    the others. Frames stay the slots that they are.

    Raises ``InvalidSpec`` that names the parameters without a value, or the one that the template
    does not have (with the nearest that it has).
    """
    known = {parameter.name: parameter for parameter in parameters(document)}
    for name in values:
        if name not in known:
            raise InvalidSpec(
                f"“{limits.shown(name)}” is not a parameter of this template.",
                hint=did_you_mean(name, known) if known else "It has no parameters.",
            )
    missing = [each for each in known.values() if each.required and each.name not in values]
    if missing:
        named = ", ".join(f"“{each.name}”" for each in missing)
        one = len(missing) == 1
        raise InvalidSpec(
            f"The parameter {named} has no value." if one else f"The parameters {named} have none.",
            hint=f"Give {'it' if one else 'them'} as "
            + " ".join(f"--param {each.name}=VALUE" for each in missing[:5])
            + (" …" if len(missing) > 5 else "")
            + ".",
            field=missing[0].field,
        )
    return replaced(document, lambda each: values.get(each.name, known[each.name].default))


def replaced(document: Any, value: Callable[[Parameter], Any]) -> dict[str, Any]:
    """Return ``document`` with ``value`` of each parameter in its place, without its description;
    where that is ``REQUIRED``, the slot is left as it stands."""
    document = _checked(document)
    made = _replaced(document, "", _Frames(document), _counted(value))
    assert isinstance(made, dict)
    return made


def _counted(value: Callable[[Parameter], Any]) -> Callable[[Parameter], Any]:
    """Return ``value`` that raises ``InvalidSpec`` when it has given more than ``MAX_FILLED``."""
    lengths: dict[str, int] = {}
    left = MAX_FILLED

    def counted(parameter: Parameter) -> Any:
        nonlocal left
        given = value(parameter)
        if given is REQUIRED:
            return given
        if parameter.name not in lengths:
            lengths[parameter.name] = len(_text_of(given))
        left -= lengths[parameter.name]
        if left < 0:
            raise InvalidSpec(
                "The template is too large with its parameters filled in.",
                hint=f"At most {MAX_FILLED:,} characters can be filled in; put long values into a "
                "file, and name that as a dataset.",
                field=parameter.field,
            )
        return given

    return counted


def holds_slot(value: Any) -> bool:
    """Tell whether a slot stands anywhere in ``value`` (of a document that was looked at)."""
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, Mapping):
        return any(holds_slot(key) or holds_slot(each) for key, each in value.items())
    return isinstance(value, (list, tuple)) and any(holds_slot(each) for each in value)


def _replaced(value: Any, field: str, frames: _Frames, filling: Callable[[Parameter], Any]) -> Any:
    if isinstance(value, str):
        return value if field in frames else _filled_text(value, field, filling)
    if isinstance(value, Mapping):
        made: dict[Any, Any] = {}
        for key, each in value.items():
            if not field and key == DESCRIPTION:
                continue
            new = _filled_key(key, field, filling)
            if new in made:
                raise InvalidSpec(f"“{limits.shown(str(new))}” stands twice.", field=field or None)
            made[new] = _replaced(each, _below(field, key), frames, filling)
        return made
    if isinstance(value, (list, tuple)):
        return [_replaced(each, f"{field}[{at}]", frames, filling) for at, each in enumerate(value)]
    return value


def _filled_text(text: str, field: str, filling: Callable[[Parameter], Any]) -> Any:
    if OPEN not in text:
        return text
    pieces = _pieces(text, field)
    if len(pieces) == 1:
        (only,) = pieces
        if isinstance(only, str):
            return only
        given = filling(only)
        return text if given is REQUIRED else given
    parts: list[str] = []
    for each in pieces:
        if isinstance(each, str):
            parts.append(each)
            continue
        given = filling(each)
        if given is REQUIRED:
            return text
        parts.append(_inside(each.name, given, field))
    return "".join(parts)


def _filled_key(key: Any, field: str, filling: Callable[[Parameter], Any]) -> Any:
    if not isinstance(key, str) or OPEN not in key:
        return key
    made = _filled_text(key, field, filling)
    return made if isinstance(made, str) else _inside(key, made, field)


def _inside(name: str, value: Any, field: str) -> str:
    """Return the text of a value inside a longer one."""
    if isinstance(value, str):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise InvalidSpec(
        f"The parameter “{limits.shown(name)}” stands inside a text, and its value is no text or "
        f"number: {limits.shown(_text_of(value), 40)}.",
        field=field,
    )


# ------------------------------------------------------------------ slots of a text


def _pieces(text: str, field: str) -> list[_Piece]:
    """Take a text apart into what stands between slots, and the slots."""
    pieces: list[_Piece] = []
    end = 0
    while (start := text.find(OPEN, end)) >= 0:
        if start > end:
            pieces.append(text[end:start])
        piece, end = _slot(text, start + len(OPEN), field)
        pieces.append(piece)
    if end < len(text) or not pieces:
        pieces.append(text[end:])
    return pieces


def _slot(text: str, start: int, field: str) -> tuple[_Piece, int]:
    """Return the slot whose inside begins at ``start``, and where the text goes on."""
    named = _PARAMETER.match(text, start)
    if named is None:
        made, end = _json_at(text, _after_space(text, start), start, field)
        if not isinstance(made, str):
            raise _no_slot(text, start, field)
        piece: _Piece = made
    else:
        end = named.end()
        default: Any = REQUIRED
        if text.startswith("=", end):
            default, end = _json_at(text, _after_space(text, end + 1), start, field)
        piece = Parameter(named[1], default, field)
    if not text.startswith(CLOSE, end):
        raise _no_slot(text, start, field)
    return piece, end + len(CLOSE)


def _json_at(text: str, at: int, start: int, field: str) -> tuple[Any, int]:
    """Return the JSON value that stands at ``at``, and where the next thing behind it does."""
    try:
        value, end = _DECODER.raw_decode(text, at)
        limits.check({"": value})
        json.dumps(value, allow_nan=False)  # 1e999 is read as Infinity
    except (ValueError, RecursionError):
        raise _no_slot(text, start, field) from None
    return value, _after_space(text, end)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _no_slot(text: str, start: int, field: str) -> InvalidSpec:
    begun = limits.shown(text[start - len(OPEN) :], 30)
    return InvalidSpec(
        f"“{begun}” is not a slot.",
        hint="Write {{name}} or {{name=default}}, the default as JSON: {{year=2013}}, "
        '{{carrier="AA"}}. Two braces as such are {{"{{"}}.',
        field=field,
    )


# ------------------------------------------------------------------ places


class _Frames:
    """The fields whose text is a frame's slot."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._fields = {
            _below(field, "id")
            for _, field, source in _sources(document)
            if _frame_of(source) is not None
        }

    def __contains__(self, field: str) -> bool:
        return field in self._fields


def _sources(document: Any) -> Iterator[tuple[int, str, Any]]:
    """Yield number, field and source of each dataset."""
    if not isinstance(document, Mapping):
        return
    if "source" in document:
        yield 0, "source", document["source"]
    datasets = document.get("datasets")
    if isinstance(datasets, (list, tuple)):
        for number, each in enumerate(datasets):
            if isinstance(each, Mapping) and "source" in each:
                yield number, f"datasets[{number}].source", each["source"]


def _frame_of(source: Any) -> str | None:
    if not isinstance(source, Mapping) or source.get("type") != "upload":
        return None
    found = _FRAME.fullmatch(source["id"]) if isinstance(source.get("id"), str) else None
    return found[1] if found else None


def _checked(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise InvalidSpec("The template is not a JSON object.")
    limits.check(document)
    return document


def _texts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the texts that may hold parameters, in the document's order, and their fields."""
    frames = _Frames(document)

    def walk(value: Any, field: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            if OPEN in value and field not in frames:
                yield value, field
        elif isinstance(value, Mapping):
            for key, each in value.items():
                if not field and key == DESCRIPTION:
                    continue
                if isinstance(key, str) and OPEN in key:
                    yield key, field
                yield from walk(each, _below(field, key))
        elif isinstance(value, (list, tuple)):
            for at, each in enumerate(value):
                yield from walk(each, f"{field}[{at}]")

    return walk(document, "")


def _below(field: str, key: Any) -> str:
    return f"{field}.{key}" if field else str(key)


def _text_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
