"""What a line asks for: where the rows come from, where they go, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..client.draft import unique
from ..client.notebook import Namespace
from ..client.own import rows_of_query
from ..client.rows import Rows
from ..errors import ExportError, InvalidRequest
from ..spec.template import frame_source
from . import specs
from .arguments import Arguments, sql_condition_in, unquoted
from .caret import Places, Span, at, locate, locate_beside, span_of
from .query import Query, query_in
from .sources import (
    columns_of,
    connection_of,
    frame_of,
    is_name_of_frame,
    is_of_service_too,
)
from .steps import pivot, steps_of

if TYPE_CHECKING:
    from .specs import Document

OF_ONE = (
    "where", "time_range", "compute", "group_by", "aggregate", "pivot", "columns", "rename",
    "distinct", "sort",
)  # fmt: skip
"""Flags that mean one dataset; ``--limit`` and ``--sample`` mean each."""


@dataclass
class Request:
    """The arguments of ``client.export.start``, and what they were made of."""

    source: Any
    path: str | None
    fields: dict[str, Any]
    remarks: tuple[str, ...] = ()
    described: Sequence[Mapping[str, Any] | None] = ()
    """How a document names each dataset's source: a frame by its slot; None where it cannot."""
    origin: Document | None = field(default=None, repr=False)
    """The document that it was read from, so that its errors are shown there."""
    path_given: str | None = None
    """The path where it is the line's own, and no document's."""


def request_of(asked: Arguments, cell: str | None, names: Namespace) -> Request:
    """Return what a line, and its cell, ask for. Raises ``ExportError``: whose frame, whose flag,
    whose word is wrong."""
    if cell is not None:
        return _of_cell(asked, cell, names)
    if asked.connection is not None:
        raise InvalidRequest("--connection needs SQL.", hint="Write it in a cell of %%export.")
    document = specs.of_line(asked, names)
    if document is not None:
        return _of_document(asked, document, names)
    if asked.params and asked.save_template is None:
        raise InvalidRequest(
            "--param needs SQL.",
            hint="Write it in a cell of %%export, or use a template or a spec file.",
        )
    return _of_frames(asked, names)


# ----------------------------------------------------------------- a cell of SQL


def _of_cell(asked: Arguments, cell: str, names: Namespace) -> Request:
    if asked.template is not None:
        raise InvalidRequest(
            "--template brings its own rows, and the cell has SQL.",
            hint="Use %export --template, or leave --template out.",
        )
    if len(asked.words) > 1:
        raise at(
            InvalidRequest(
                f"%%export takes one path, and the line has {len(asked.words)} words.",
                hint="The rows come from the cell's SQL; put a path with blanks in quotes.",
            ),
            Span(asked.places.words[1].start, asked.places.words[-1].end),
        )
    path = unquoted(asked.words[0]) if asked.words else None
    source, described, remarks = _rows_of_cell(cell, asked, names)
    fields = _fields(asked, "query", path) | steps_of(asked)
    return Request(source, path, fields, remarks, (described,))


def _rows_of_cell(
    cell: str, asked: Arguments, names: Namespace
) -> tuple[Any, Mapping[str, Any] | None, tuple[str, ...]]:
    """Return the source that a cell's SQL is, on a database or over the notebook's frames, how a
    document says it, and what is to be remarked on it."""
    if not asked.connection:
        if asked.params:
            raise InvalidRequest(
                "--param belongs to SQL on a connection.",
                hint="Add --connection NAME; SQL over frames is the notebook's own, with its "
                "values in it.",
            )
        query = Query(cell, names)
        return Rows(query.read, query.interrupt, query.close), None, ()
    if "://" in asked.connection:
        # no caret: the line that it would stand under may hold a password
        raise InvalidRequest(
            "A URL is no name of a connection.",
            hint="Make an engine in the notebook (db = sqlalchemy.create_engine(…)) and write "
            "--connection db, or give the URL a name in the settings.",
        )
    sql = query_in(cell)
    described: dict[str, Any] = {"type": "sql", "connection": asked.connection, "query": sql}
    described |= {"params": asked.params} if asked.params else {}
    own = connection_of(asked.connection, names)
    if own is None:
        return described, described, ()
    rows = rows_of_query(own, sql, asked.params)
    if not is_of_service_too(asked.connection):
        return rows, described, ()
    name = asked.connection
    remark = f"“{name}” is this notebook's variable, not the connection of the settings."
    return rows, described, (remark,)


# ----------------------------------------------------------------- frames


def _of_frames(asked: Arguments, names: Namespace) -> Request:
    words = asked.words
    if asked.pivot is not None:
        pivot(asked.pivot)  # before what lost its quotes is taken for a frame
    if sql_condition_in(words):
        raise at(
            InvalidRequest(
                "The line has a condition without quotes.",
                hint='Write --where "dep_delay > 60".',
            ),
            _condition(asked.places),
        )
    if not words:
        raise InvalidRequest(
            "The line names no frame.", hint="Write %export FRAME PATH; %export --help shows more."
        )
    has_path = len(words) > 1 and not is_name_of_frame(words[-1], names)
    path = unquoted(words[-1]) if has_path else None
    named = words[:-1] if has_path else words
    found = []
    for index, word in enumerate(named):
        with pointing(asked.places, index):
            found.append(frame_of(word, names))
    if len(found) == 1:
        ((name, frame),) = found
        described = [frame_source(name) if name else None]
        fields = _fields(asked, name, path) | steps_of(asked, columns_of(frame))
        return Request(frame, path, fields, described=described)
    refuse_flags_of_one(asked, len(found))
    called = unique([name for name, _ in found])
    frames = {name: frame for name, (_, frame) in zip(called, found, strict=True)}
    fields = _fields(asked, stem(path) or "_".join(called)[:60], path) | steps_of(asked)
    return Request(
        frames, path, fields, described=[frame_source(n) if n else None for n, _ in found]
    )


def _condition(places: Places) -> Span | None:
    """Return the words that are a condition without quotes."""
    marks = [index for index, word in enumerate(places.words) if sql_condition_in([word.text])]
    if not marks:
        return None
    where = places.of("--where")
    start = where[0].whole.start if where and where[0].value else places.words[marks[0]].start
    last = places.words[min(marks[0] + 1, len(places.words) - 1)]
    return Span(start, last.end) if start < last.end else span_of(places.words[marks[0]])


@contextmanager
def pointing(places: Places, index: int) -> Iterator[None]:
    """Point errors at a word of the line: at the part that they quote, or at all of it."""
    try:
        yield
    except ExportError as error:
        if index < len(places.words):
            word = places.words[index]
            alone = Places(places.line, (word,))
            at(error, locate(error, alone) or span_of(word))
        raise


def refuse_flags_of_one(asked: Arguments, frames: int) -> None:
    """Raise ``InvalidRequest`` for a flag that means one of several datasets."""
    for name in OF_ONE:
        flag = f"--{name.replace('_', '-')}"
        if getattr(asked, name):
            raise at(
                InvalidRequest(
                    f"{flag} means one frame, and the line names {frames}.",
                    hint="Narrow the frames themselves, or use jupyter_export.export with a "
                    "mapping.",
                ),
                asked.places.of(flag)[-1].span,
            )


# ----------------------------------------------------------------- a document


def _of_document(asked: Arguments, document: Document, names: Namespace) -> Request:
    """Return what a document asks for, with the line's path and flags before its own."""
    try:
        lowered = specs.lowered(document, asked, names)
    except ExportError as error:
        if locate_beside(error, asked.places, None) is None:
            raise document.explained(error) from error
        raise
    datasets, fields = lowered.datasets, lowered.fields
    if len(datasets) > 1:
        refuse_flags_of_one(asked, len(datasets))
    for dataset in datasets.values():
        dataset |= steps_of(asked, columns_of(dataset["source"]))
    path = lowered.path_given or lowered.path
    output = fields.pop("output")
    fields |= {
        **specs.chosen_format(lowered, asked),
        "if_exists": asked.overwrites or output.get("if_exists"),
        "on_loss": asked.on_loss or fields.get("on_loss"),
    }
    if asked.name is not None:
        fields["name"] = asked.name
    fields.setdefault("name", stem(path) or next(iter(datasets)))
    return Request(
        datasets,
        path,
        fields,
        described=lowered.described,
        origin=document,
        path_given=lowered.path_given,
    )


# ----------------------------------------------------------------- the rest


def _fields(asked: Arguments, name: str | None, path: str | None) -> dict[str, Any]:
    return {
        "name": asked.name or name or stem(path) or "export",
        "format": asked.format,
        "compression": asked.compress,
        "if_exists": asked.overwrites,
        "on_loss": asked.on_loss,
    }


def file_name(path: str | None) -> str | None:
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] if path else None


def stem(path: str | None) -> str | None:
    """Return the name of a file without its endings."""
    name = file_name(path)
    return name.split(".", 1)[0] or name if name else None
