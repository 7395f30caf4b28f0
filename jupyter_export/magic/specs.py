"""Documents as the source of an export: a variable (``{spec}``), a file, a template.

Paths in them are the notebook's, as those of a line are: relative to the working directory. A
frame by its slot (``{{flights}}``) is the notebook's variable of that name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..client.draft import PENDING_UPLOAD, unique
from ..client.notebook import Namespace, is_frame_here
from ..client.own import names_own_connection
from ..errors import ExportError, InvalidRequest, InvalidSpec, nearest
from ..spec import limits, parse
from ..spec.document import DATASET_FIELDS
from ..spec.template import filled, frame_source, frames
from ..spec.written import from_yaml
from .arguments import Arguments, unquoted
from .caret import Excerpt, Span, at, excerpt_of, span_of, with_excerpt
from .expansion import is_document, value_of
from .options import all_formats, format_for
from .places_in_file import place_in
from .sources import connection_of, frame_of, is_name_of_frame

ENDINGS = (".json", ".yaml", ".yml")
_NAME = re.compile(r"[\w.]+")
MAX_CHARACTERS = 1_000_000
"""Of a spec's file: a longer one is data."""


@dataclass(frozen=True)
class Document:
    """A document that a line names, by its first ``words`` words."""

    value: Mapping[str, Any]
    called: str
    """How sentences name it: ``report.yaml``, ``the template “weekly”``, ``spec``."""
    words: int = 1
    span: Span | None = None
    """Where the line names it."""
    text: str | None = field(default=None, repr=False)
    """The text of a file."""

    def explained(self, error: ExportError) -> ExportError:
        """Return ``error``, which is about a field of the document, in words that say where."""
        if not isinstance(error, InvalidSpec):
            return at(error, self.span)
        place = error.field or ""
        found = None if self.text is None else place_in(self.text, place)
        line, span = (0, None) if found is None else (found.line, found.of(error.message))
        where = f"{self.called}, line {line}" if line else self.called
        inside = f" ({place})" if place and not line else ""
        said = type(error)(f"{where}{inside}: {error.message}", hint=error.hint, field=error.field)
        vars(said).update({k: v for k, v in vars(error).items() if k == "sentence"})
        if self.text is not None and span is not None:
            return with_excerpt(said, Excerpt(self.text, span))
        return at(said, self.span)


@dataclass
class Lowered:
    """A document as ``client.export.start`` takes it."""

    datasets: dict[str, dict[str, Any]]
    fields: dict[str, Any]
    described: list[Mapping[str, Any] | None]
    path: str | None
    """The document's."""
    path_given: str | None
    """The line's."""


# ----------------------------------------------------------------- which one


def of_line(asked: Arguments, names: Namespace) -> Document | None:
    """Return the document that a line names; None where it names frames."""
    if asked.template is not None:
        from .templates import template

        return template(asked.template, asked.places.of("--template")[-1].whole)
    if not asked.words:
        return None
    word, span = asked.words[0], span_of(asked.places.words[0])
    found = _of_file(unquoted(word), span, names) or _of_value(word, span, names)
    return found


def _of_file(name: str, span: Span, names: Namespace) -> Document | None:
    path = Path(name).expanduser()
    if path.suffix.lower() not in ENDINGS:
        return None
    if not path.is_file():
        if re.match(r"\w+", name) and path.is_dir():
            raise at(InvalidRequest(f"“{name}” is a folder."), span)
        if _is_only_a_path(name, names):
            raise at(InvalidRequest(f"There is no file “{name}”.", hint=_near(path)), span)
        return None
    try:
        if path.stat().st_size > 4 * MAX_CHARACTERS:
            raise at(InvalidSpec(f"“{name}” is too large for a spec."), span)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise at(InvalidRequest(f"“{name}” cannot be read: {why}."), span) from None
    try:
        return Document(_read(text, name), path.name, span=span, text=text)
    except ExportError as error:
        if excerpt_of(error) is None:
            at(error, span)
        raise


def _is_only_a_path(name: str, names: Namespace) -> bool:
    """Tell whether a word can be no expression: ``df.json`` is an attribute of ``df``."""
    return re.search(r"[(\[{]", name) is None and re.split(r"\W", name)[0] not in names


def _near(path: Path) -> str | None:
    """Return the hint that names the spec file of the folder that is called most alike."""
    try:
        beside = [each.name for each in path.parent.iterdir() if each.suffix.lower() in ENDINGS]
    except OSError:
        return "Its folder cannot be read." if path.parent.exists() else "Nor is there its folder."
    stems = {each.rpartition(".")[0]: each for each in beside}
    close = nearest(path.stem, stems)
    return f"Did you mean {stems[close]}?" if close else None


def _read(text: str, name: str) -> Mapping[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise InvalidSpec(f"“{name}” is too large for a spec.")
    try:
        value = _json(text, name) if name.lower().endswith(".json") else _yaml(text, name)
    except ExportError:
        raise
    except (ValueError, RecursionError):
        raise InvalidSpec(f"“{name}” cannot be read as a spec.") from None
    if not _is_spec(value):
        raise InvalidRequest(
            f"“{name}” exists, and holds no spec.",
            hint="A spec says “source”, or “datasets”. To export a frame, name it first: "
            f"%export FRAME {name}.",
        )
    found: Mapping[str, Any] = value
    return found


def _is_spec(value: Any) -> bool:
    return isinstance(value, Mapping) and bool({"datasets", *DATASET_FIELDS} & value.keys())


def _json(text: str, name: str) -> Any:
    try:
        json.loads(text)  # for the place of a mistake
    except json.JSONDecodeError as error:
        raise with_excerpt(
            InvalidSpec(f"{name}, line {error.lineno}: this is no JSON: {error.msg}."),
            Excerpt(text, Span(error.pos, error.pos + 1)),
        ) from None
    try:
        return limits.read(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"{name}: {error.message}", hint=error.hint) from None


def _yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return from_yaml(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is None:
            raise InvalidSpec(f"{name} is no YAML: {error.problem}.") from None
        raise with_excerpt(
            InvalidSpec(f"{name}, line {mark.line + 1}: this is no YAML: {error.problem}."),
            Excerpt(text, Span(mark.index, mark.index + 1)),
        ) from None
    except yaml.YAMLError as error:
        raise InvalidSpec(f"{name} is no YAML: {str(error).splitlines()[0]}.") from None


def _of_value(word: str, span: Span, names: Namespace) -> Document | None:
    """Return the document that a variable or an expression gives, in braces or without."""
    plain = word[1:-1].strip() if word[:1] == "{" and word[-1:] == "}" else ""
    value = value_of(plain, names) if plain and ":" not in plain else None
    if not is_document(value):
        # a frame may take long to evaluate: only what looks like a mapping is looked at
        if word in names:
            value = names[word]
        else:
            value = value_of(word, names) if word[:1] == "{" or word.startswith("dict(") else None
        plain = word
    if value is None or is_frame_here(value) or not is_document(value):
        return None
    called = f"“{plain}”" if _NAME.fullmatch(plain) else "the spec"
    if isinstance(value, str):
        try:
            value = limits.read(value)
        except ExportError as error:
            raise at(error, span) from None
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if not isinstance(value, Mapping):
        return None
    if value and all(is_frame_here(each) for each in value.values()):
        value = {"datasets": [{"name": str(k), "source": v} for k, v in value.items()]}
    if not _is_spec(value):
        raise at(
            InvalidRequest(
                f"{called[0].upper()}{called[1:]} is a mapping, and holds no spec.",
                hint="A spec says “source”, or “datasets”; a mapping of names to frames is one, "
                "too.",
            ),
            span,
        )
    return Document(value, called, span=span)


# ----------------------------------------------------------------- lowered


def lowered(document: Document, asked: Arguments, names: Namespace) -> Lowered:
    """Return ``document`` with its frames, and its parameters filled from ``--param``.

    Raises ``InvalidSpec`` for what is wrong with it, and for a parameter without a value.
    """
    wide, objects = _without_objects(document.value)
    wide = _filled(wide, asked)
    slots = frames(wide)
    _check(wide, slots)
    words = list(asked.words[document.words :])
    path = _path_of(words, len(slots), names)
    line_frames = words[:-1] if path is not None else words
    if len(line_frames) > len(slots):
        index = document.words + len(slots)
        takes = f"{len(slots) or 'no'} frame{'s' * (len(slots) != 1)}"
        raise at(
            InvalidRequest(
                f"{document.called} takes {takes}, and the line names {len(line_frames)}.",
                hint="Behind the frames stands a path, in quotes where it could be a name.",
            ),
            span_of(asked.places.words[index]),
        )
    described: list[Mapping[str, Any] | None] = []
    datasets: dict[str, dict[str, Any]] = {}
    given = iter(enumerate(line_frames, document.words))
    called = unique([each.get("name", "") for each in wide["datasets"]])
    for number, dataset in enumerate(wide.pop("datasets")):
        source = dataset["source"]
        said: Mapping[str, Any] | None = source
        if number in objects:
            source, said = objects[number], None
        elif number in slots:
            source, said = _frame(slots[number], next(given, None), asked, names)
        elif source["type"] in ("sql", "table"):
            own = connection_of(source.get("connection"), names)
            source = {**source, "connection": own} if own is not None else source
        described.append(said)
        rest = {k: v for k, v in dataset.items() if k not in ("name", "source")}
        datasets[called[number]] = {"source": source, **rest}
    wide.setdefault("output", {})
    return Lowered(
        datasets,
        wide,
        described,
        wide["output"].get("path"),
        None if path is None else unquoted(path),
    )


def _filled(document: dict[str, Any], asked: Arguments) -> dict[str, Any]:
    try:
        return filled(document, asked.params)
    except InvalidSpec as error:
        for each in asked.places.of("--param"):
            key = each.text.partition("=")[0]
            if each.value is not None and error.message.startswith(f"“{key}”"):
                raise at(error, span_of(each.value, 0, len(key))) from None
        raise


def _frame(
    slot: str, given: tuple[int, str] | None, asked: Arguments, names: Namespace
) -> tuple[Any, Mapping[str, Any] | None]:
    from .request import pointing

    if given is None:
        return frame_of(slot, names)[1], frame_source(slot)
    index, word = given
    with pointing(asked.places, index):
        name, frame = frame_of(word, names)
    return frame, frame_source(name) if name else None


def _path_of(words: list[str], slots: int, names: Namespace) -> str | None:
    """Return the last word where it is a path, and no frame."""
    if not words:
        return None
    last = words[-1]
    expression = any(mark in last for mark in "([") and last[:1] not in "\"'"
    if len(words) <= slots and (is_name_of_frame(last, names) or expression or last.isidentifier()):
        return None
    return None if len(words) > slots and is_name_of_frame(last, names) else last


def _without_objects(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[int, Any]]:
    """Return the document in its long form, with uploads in the place of objects of this process,
    and these objects by the number of their dataset."""
    wide = dict(document)
    if isinstance(wide.get("format"), str):
        wide["format"] = {"type": wide["format"]}
    if "datasets" not in wide:
        short = {key: wide.pop(key) for key in DATASET_FIELDS if key in wide}
        name = {"name": wide["name"]} if isinstance(wide.get("name"), str) else {}
        wide["datasets"] = [{**name, **short}]
    if not isinstance(wide["datasets"], (list, tuple)):
        return wide, {}
    objects: dict[int, Any] = {}
    datasets = wide["datasets"] = list(wide["datasets"])
    for number, dataset in enumerate(datasets):
        if not isinstance(dataset, Mapping):
            continue
        source = dataset.get("source")
        if isinstance(source, BaseModel):
            source = source.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        elif source is not None and (
            not isinstance(source, Mapping) or names_own_connection(source)
        ):
            objects[number], source = source, PENDING_UPLOAD
        datasets[number] = {**dataset, **({} if source is None else {"source": source})}
    return wide, objects


def _check(document: Mapping[str, Any], slots: Mapping[int, str]) -> None:
    """Raise ``InvalidSpec`` for a document that is wrong whatever its frames hold."""
    datasets = document["datasets"]
    if isinstance(datasets, list) and slots:
        datasets = [
            {**each, "source": PENDING_UPLOAD} if number in slots else each
            for number, each in enumerate(datasets)
        ]
    parse({**document, "datasets": datasets})


def chosen_format(lowered: Lowered, asked: Arguments) -> dict[str, Any]:
    """Return format and compression, where the line's come before the document's: a path with the
    ending of another format means that one, and the options of the former go with it."""
    found = {name: lowered.fields.get(name) for name in ("format", "compression")}
    theirs = (found["format"] or {}).get("type")
    if asked.format is not None and asked.format != theirs:
        found["format"] = asked.format
    elif asked.format is None and lowered.path_given is not None:
        known = format_for(None, lowered.path_given, all_formats())
        if known is not None:
            found["compression"] = None  # the endings say it
            if theirs is not None and known["type"] != theirs:
                found["format"] = None
    if asked.compress is not None:
        found["compression"] = asked.compress
    return found
