"""A document as the ``%export`` line that makes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ExportError
from ..spec import ExportSpec, parse
from ..spec.template import frames
from .command_steps import steps
from .command_words import Unsayable, flag_with, word
from .draft import PENDING_UPLOAD, unique

_EXPANDED = re.compile(r"""(?<!\{)\{(?!\s*["'])[^{}]*[^\W\d][^{}]*\}(?!\})""")
"""What the magic may take for variables of the notebook."""
_STEPS_OF_ALL = {"limit", "sample"}
"""Fields of a dataset that a line of several frames may give; they then hold for each."""


def export_line(document: Mapping[str, Any]) -> str | None:
    """Return the line, or the cell for a query, that makes this document; None where none can.

    Frames are named by their slots (``{{flights}}``). What the line says by itself (a format that
    the path's ending implies) is left out, and a tree of conditions becomes SQL of the same
    meaning; ``contains`` and the like then want a column of text. Several frames can be said
    without steps of their own, relations, retention and what has no slot cannot.
    """
    try:
        spec = _parsed(document)
        line, query = _said(spec, frames(document))
    except (ExportError, Unsayable):
        return None
    if len(line.splitlines()) > 1 or _EXPANDED.search(line):
        return None
    return f"%export {line}" if query is None else f"%%export {line}".rstrip() + f"\n{query}"


def _parsed(document: Mapping[str, Any]) -> ExportSpec:
    """Check a document; its frames need not be sent yet."""
    checked = dict(document)
    checked.pop("description", None)
    named = frames(document)
    if isinstance(checked.get("datasets"), list):
        checked["datasets"] = [
            {**each, "source": PENDING_UPLOAD} if index in named else each
            for index, each in enumerate(checked["datasets"])
        ]
    elif named:
        checked["source"] = PENDING_UPLOAD
    return parse(checked)


def _said(spec: ExportSpec, named: Mapping[int, str]) -> tuple[str, str | None]:
    """Return what stands behind the magic's name, and the query of the cell if it is one."""
    known = {"name", "datasets", "format", "compression", "output", "on_loss"}
    document = spec.to_json()
    if not document.keys() <= known:
        raise Unsayable
    datasets = document["datasets"]
    words, query, implied = _sources(spec, named)
    path = spec.output.path
    if path is not None:
        words.insert(len(named), _path(path))
    title = document.get("name", implied)
    if spec.name != "export" and title != _implied_name(implied, path):
        words += flag_with("--name", title)
    fields = [{k: v for k, v in each.items() if k not in ("name", "source")} for each in datasets]
    if len(fields) > 1 and (
        any(each != fields[0] for each in fields) or not fields[0].keys() <= _STEPS_OF_ALL
    ):
        raise Unsayable
    words += steps(fields[0])
    words += _file(spec)
    return " ".join(words), query


def _sources(spec: ExportSpec, named: Mapping[int, str]) -> tuple[list[str], str | None, str]:
    """Return the words that name the sources, the cell's text if it is one, and the name that the
    export then has without a path."""
    sources = [dataset.source for dataset in spec.datasets]
    if all(index in named for index in range(len(sources))):
        names = [named[index] for index in range(len(sources))]
        if not all(name.isidentifier() for name in names):
            raise Unsayable
        called = [dataset.name for dataset in spec.datasets]
        if len(names) > 1 and called != unique(names):
            raise Unsayable  # a line has no other names for its datasets
        return names, None, names[0] if len(names) == 1 else ""
    if len(sources) > 1:
        raise Unsayable
    source = sources[0].model_dump(mode="json", by_alias=True)
    words = flag_with("--connection", source.get("connection") or "")
    if source["type"] == "sql":
        for key, value in source["params"].items():
            words += _key_value("--param", key, value)
        query = source["query"].strip().rstrip(";").strip()
    elif source["type"] == "table":
        query = f"SELECT * FROM {_table(source)}"
    else:
        raise Unsayable
    if not query:
        raise Unsayable
    return words, query, "query"


def _table(source: Mapping[str, Any]) -> str:
    """Return a table's name for a query; databases quote names in ways of their own."""
    from sqlalchemy.sql.compiler import RESERVED_WORDS

    names = [each for each in (source["schema"], source["table"]) if each is not None]
    for name in names:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name in RESERVED_WORDS:
            raise Unsayable
    return ".".join(names)


def _implied_name(implied: str, path: str | None) -> str:
    """Return how the magic calls an export without --name."""
    if implied:
        return implied
    name = (path or "").replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return name.split(".", 1)[0] or name


def _path(path: str) -> str:
    if path.startswith("-"):
        path = f"./{path}"
    # a word that could be a variable is one, unless it stands in quotes
    return f'"{path}"' if path.isidentifier() else word(path)


# ----------------------------------------------------------------- the file


def _file(spec: ExportSpec) -> Iterator[str]:
    from .. import registry

    path = spec.output.path
    options = dict(spec.format.options) if spec.format is not None else {}
    bare = spec.model_copy(update={"format": None, "compression": None})
    name = path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] if path else None
    try:
        implied = registry.choose(bare, name)
    except ExportError:
        implied = None
    by_path = implied.format.type if implied is not None and path is not None else None
    if spec.format is not None and spec.format.type != by_path:
        yield from flag_with("--format", spec.format.type)
    if spec.compression is not None and (
        implied is None or implied.compression != spec.compression
    ):
        yield from flag_with("--compress", spec.compression)
    sheet = options.get("sheet")
    if isinstance(sheet, str):
        del options["sheet"]
        yield from flag_with("--sheet", sheet)
    for key, value in options.items():
        yield from _key_value("--option", key, value)
    if spec.output.if_exists == "replace":
        yield "--replace"
    elif spec.output.if_exists != "error":
        yield from flag_with("--if-exists", spec.output.if_exists)
    if spec.on_loss != "warn":
        yield from flag_with("--on-loss", spec.on_loss)


def _key_value(flag: str, key: str, value: Any) -> list[str]:
    if not key.isidentifier():
        raise Unsayable
    text = f"{key}={value}"
    plain = isinstance(value, str) and value.isprintable() and not _is_json(value)
    if plain and not _is_json(word(text).partition("=")[2]):
        return [flag, word(text)]
    return [flag, word(f"{key}={json.dumps(value, ensure_ascii=False)}")]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
