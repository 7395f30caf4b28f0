"""The notebook's frames and connections, as a panel sees them: named, described, frozen."""

from __future__ import annotations

import re
import sys
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..client import notebook
from ..client.draft import read
from ..client.own import names_own_connection
from ..client.rows import Rows
from ..errors import ExportError, InvalidRequest, nearest
from .columns import Column, column
from .document import Document, datasets_of, frame_names
from .identity import number_of

if TYPE_CHECKING:
    import pyarrow as pa

LOOKED_AT = 1000
"""Rows that tell the types of a pandas frame, whose columns of objects have none of their own."""
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Resolved:
    """A document's dataset with what this process holds in the place of names."""

    source: Any
    """A frame, or a spec's source, whose connection may be an object."""
    key: Any = None
    """Equal as long as the rows are, as far as can be seen without reading them; None: they are
    not sent at all."""


class Holdings:
    """The variables of a notebook, and the frames that were given to a panel without a name."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._given: dict[str, Any] = {}

    def name_of(self, value: Any, *, default: str = "data") -> str:
        """Return the name of a frame or connection; one that no variable holds gets a name."""
        for name, each in list(self._names.items()):
            if each is value and not name.startswith("_") and _NAME.fullmatch(name):
                return name
        for name, each in self._given.items():
            if each is value:
                return name
        name, number = default, 1
        while name in self._names or name in self._given:
            number += 1
            name = f"{default}_{number}"
        self._given[name] = value
        return name

    def is_variable(self, name: str) -> bool:
        """Tell whether a line of the notebook would find the frame by that name."""
        return name not in self._given and name in self._names

    @property
    def variables(self) -> Mapping[str, Any]:
        """The names of the notebook, and those that were given to the panel."""
        return ChainMap(self._given, dict(self._names))

    def forget_given(self) -> None:
        """Let go of what was given without a name."""
        self._given.clear()

    def frames(self) -> Iterator[tuple[str, Any]]:
        """Yield names and frames, those without a variable of their own first."""
        for name, value in self._given.items():
            if _is_frame(value):
                yield name, value
        for name in notebook.frames(self._names):
            value = self._names.get(name)
            hidden = name in self._given  # A variable that came later: the panel has the other.
            if _NAME.fullmatch(name) and not hidden and value is not None and not gives_once(value):
                yield name, value

    def connections(self) -> list[str]:
        given = [name for name, each in self._given.items() if not _is_frame(each)]
        return [*given, *notebook.connections(self._names)]

    def frame(self, name: str) -> Any:
        """Return the frame of that name. Raises ``InvalidRequest`` with the nearest."""
        value = self._given.get(name, self._names.get(name))
        if value is not None and _is_frame(value):
            return value
        known = [each for each, _ in self.frames()]
        close = nearest(name, known)
        raise InvalidRequest(
            f"There is no frame “{name}” in this notebook.",
            hint=f"Did you mean {close}?" if close else "Run the cell that makes it.",
            field="source",
        )

    def connection(self, name: Any) -> Any | None:
        """Return the notebook's own connection of that name, or None."""
        value = self._given.get(name, self._names.get(name)) if isinstance(name, str) else None
        return value if value is not None and notebook.is_connection_here(value) else None

    def resolved(self, document: Mapping[str, Any]) -> list[Resolved]:
        """Return the sources of a document's datasets with the objects that they name.

        Raises ``InvalidRequest`` for a frame that is not there.
        """
        named, found = frame_names(document), []
        for index, dataset in enumerate(datasets_of(document)):
            source = dataset.get("source")
            if index in named:
                frame = self.frame(named[index])
                found.append(Resolved(frame, ("frame", *fingerprint(frame))))
                continue
            if isinstance(source, Mapping) and source.get("type") in ("sql", "table"):
                connection = self.connection(source.get("connection"))
                if connection is not None:
                    key = ("rows", repr(sorted(source.items(), key=str)), number_of(connection))
                    found.append(Resolved({**source, "connection": connection}, key))
                    continue
            found.append(Resolved(source))
        return found

    def described(self) -> list[dict[str, Any]]:
        """Return ``{"name", "kind", "rows", "columns"}`` of each frame; no row is read or
        counted."""
        return [
            {
                "name": name,
                "kind": kind(value),
                "rows": rows(value),
                "columns": len(found) if (found := names(value)) is not None else None,
            }
            for name, value in self.frames()
        ]

    def named(self, source: Any) -> Any:
        """Return a spec's source in which an own connection is called by its name."""
        if isinstance(source, Mapping) and names_own_connection(source):
            name = self.name_of(source["connection"], default="connection")
            return {**source, "connection": name}
        return source


# ----------------------------------------------------------------- one frame


def _is_frame(value: Any) -> bool:
    return isinstance(value, Rows) or (notebook.is_frame_here(value) and not gives_once(value))


def gives_once(value: Any) -> bool:
    """Tell a reader of batches: a preview would take the rows away from the export."""
    return hasattr(value, "read_next_batch")


def _library(frame: Any) -> str:
    return type(frame).__module__.partition(".")[0].lstrip("_")


def kind(frame: Any) -> str:
    """Return such as ``pandas DataFrame``."""
    if isinstance(frame, Rows):
        return "SQL query"
    name = {"DuckDBPyRelation": "relation"}.get(type(frame).__name__, type(frame).__name__)
    return f"{_library(frame)} {name}"


def _knows_its_length(frame: Any) -> bool:
    """Tell frames that hold their rows from those that would run a query to count them."""
    return _library(frame) in ("pandas", "polars", "pyarrow") and hasattr(frame, "__len__")


def rows(frame: Any) -> int | None:
    return len(frame) if _knows_its_length(frame) else None


def names(frame: Any) -> list[str] | None:
    """Return the names of the columns where the frame tells them without a query."""
    if type(frame).__name__ == "Series":
        return [str(frame.name)] if frame.name else ["value"]
    for attribute in ("column_names", "columns"):
        try:
            found = getattr(frame, attribute, None)
        except Exception:  # An object may do anything when it is asked for an attribute.
            return None
        if found is not None and not callable(found):
            return [str(each) for each in found]
    schema = getattr(frame, "schema", None)
    given = getattr(schema, "names", None)
    return list(map(str, given)) if isinstance(given, (list, tuple)) else None


def cells(frame: Any) -> int | None:
    """Return rows times columns, where both are known."""
    found, count = names(frame), rows(frame)
    return None if count is None else count * max(len(found or ()), 1)


def size(frame: Any) -> int | None:
    """Return the bytes of a frame in memory where it knows them at once: texts that pandas keeps
    as objects are not looked at."""
    try:
        if _library(frame) == "polars":
            return int(frame.estimated_size())
        if _library(frame) == "pyarrow":
            return int(frame.nbytes)
        if _library(frame) == "pandas":
            used = frame.memory_usage(index=False)
            return int(getattr(used, "sum", lambda: used)())
    except Exception:  # Only an estimate: a frame that cannot tell is judged by its cells.
        return None
    return None


def changes_in_place(frame: Any) -> bool:
    """Tell frames whose values a cell may change where ``fingerprint`` does not see it."""
    return _library(frame) in ("pandas", "polars") and _knows_its_length(frame)


def first_rows(frame: Any, count: int) -> Any | None:
    """Return the first rows as a frame of the same kind; None where only reading it gives them."""
    if not _knows_its_length(frame):
        return None
    return frame.slice(0, count) if _library(frame) == "pyarrow" else frame.head(count)


def columns(frame: Any) -> list[Column] | None:
    """Return the columns with their types; None where only a query tells them."""
    head = first_rows(frame, LOOKED_AT)
    if head is not None:
        return _of_schema(read(head).schema)
    if hasattr(frame, "__arrow_c_schema__"):
        import pyarrow as pa

        return _of_schema(pa.schema(frame))
    return None


def _of_schema(schema: pa.Schema) -> list[Column]:
    return [column(field.name, str(field.type)) for field in schema]


def fingerprint(frame: Any) -> tuple[Any, ...]:
    """Return a value that another frame has, and most often one that was changed: identity, length,
    columns, and where the values of the first columns are. Values that were changed in place are
    not seen."""
    found = names(frame)
    return (number_of(frame), rows(frame), tuple(found or ())[:1000], _addresses(frame))


def _addresses(frame: Any) -> tuple[Any, ...]:
    if _library(frame) != "pandas" or not hasattr(frame, "iloc"):
        return ()
    found: list[Any] = []
    try:
        several = getattr(frame, "ndim", 1) > 1
        for index in range(min(frame.shape[1], 50) if several else 1):
            values = (frame.iloc[:, index] if several else frame).array
            arrow = getattr(values, "_pa_array", None)
            if arrow is not None:
                chunks = getattr(arrow, "chunks", [arrow])
                found.append(chunks[0].buffers()[-1].address if chunks else 0)
            else:
                plain = getattr(values, "_ndarray", getattr(values, "_data", None))
                found.append(plain.__array_interface__["data"][0] if plain is not None else 0)
    except Exception:  # pandas' own insides: without them only identity and shape are compared.
        return ()
    return tuple(found)


def frozen(frame: Any) -> Any:
    """Return ``frame`` as it is now: what the notebook does to it later changes nothing.

    A pandas frame is copied (lazily, where pandas copies on write), frames that nothing changes in
    place are kept, and all others begin to be read: they give their rows once.
    """
    library = _library(frame)
    if isinstance(frame, Rows):
        return frame  # It is run again, over what the notebook holds then.
    if library == "pandas":
        return frame.copy(deep=not _copies_on_write())
    if library == "polars":
        return frame.clone()
    if library == "pyarrow":
        return frame
    return read(frame)


def _copies_on_write() -> bool:
    pandas = sys.modules["pandas"]
    if int(pandas.__version__.split(".", 1)[0]) >= 3:
        return True
    try:
        return pandas.get_option("mode.copy_on_write") is True
    except (KeyError, ValueError):
        return False


def frozen_document(document: Document, holdings: Holdings) -> list[Resolved]:
    """Return the sources of a document with its frames as they are now. Raises ``ExportError``."""
    return [
        each
        if each.key is None or each.key[0] != "frame"
        else Resolved(frozen(each.source), each.key)
        for each in holdings.resolved(document)
    ]


def columns_here(source: Any, holdings: Holdings) -> list[Column] | None:
    """Return the columns of a document's source where this process tells them at once."""
    name = frame_names({"source": source}).get(0)
    if name is None:
        return None
    try:
        return columns(holdings.frame(name))
    except ExportError:
        return None  # A column of mixed types, say: the preview tells what is wrong with it.
