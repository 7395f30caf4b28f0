"""What a line of ``%export`` says beside the word that is typed: frame, flags, columns."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...client.notebook import Namespace, is_frame_here
from ...errors import ExportError
from ..flags import FLAGS, SHORT
from ..typed import TypedLine, Word

if TYPE_CHECKING:
    from .answers import Asked

PACKED = (".gz", ".zst", ".br")


@dataclass(frozen=True)
class Offer:
    """What may stand in place of what was typed, and a word for what it is."""

    text: str
    kind: str


def starts(name: str, begun: str) -> bool:
    """Tell whether a name goes on what was typed, small and capital letters alike."""
    return name.lower().startswith(begun.lower())


@dataclass
class Said:
    """What stands on the line beside the word that is typed."""

    typed: TypedLine
    names: Namespace
    asked: Asked
    reads: Sequence[str] = ()
    """The frames that the cell's SQL reads."""
    query: str = ""
    words: list[Word] = field(default_factory=list)
    """Frames and path in front of the typed word."""
    later: list[Word] = field(default_factory=list)
    """Frames and path behind it."""
    values: dict[str, list[str]] = field(default_factory=dict)
    """The flags and what was given to each."""
    pending: str | None = None
    """The flag whose value is typed."""

    def __post_init__(self) -> None:
        self.pending = self._take(self.typed.before, self.words)
        self._take(self.typed.after, self.later)

    def _take(self, words: Iterable[Word], plain: list[Word]) -> str | None:
        pending: str | None = None
        for word in words:
            if pending is not None:
                self.values[pending].append(word.text)
                pending = None
                continue
            name, sign, value = word.text.partition("=")
            flag = FLAGS.get(SHORT.get(name, name))
            if flag is None:
                plain.append(word)
                continue
            self.values.setdefault(flag.name, []).extend([value] if sign else [])
            pending = flag.name if flag.takes is not None and not sign else None
        return pending

    @cached_property
    def format(self) -> str | None:
        """The type of the line's format, as far as it can be told."""
        if self.values.get("--format"):
            return self.values["--format"][-1]
        known = {end: each.type for each in self.formats for end in each.endings}
        for word in [*self.words, *self.later]:
            name = word.text.lower().removesuffix(".zip")
            for packed in PACKED:
                name = name.removesuffix(packed)
            found = known.get(os.path.splitext(name)[1])
            if found is not None:
                return str(found)
        return "csv"

    @cached_property
    def formats(self) -> list[Any]:
        return list(self.asked.formats().values())

    @cached_property
    def frame(self) -> str | None:
        """The name that the line's first word begins with, if it is a frame."""
        for word in [*self.words, *self.later][:1]:
            found = re.match(r"\(*\s*([^\W\d]\w*)", word.text)
            if found and is_frame_here(self.names.get(found[1])):
                return found[1]
        return None

    @cached_property
    def columns(self) -> list[tuple[str, str]]:
        """The columns of what is exported with their types, before any step."""
        found = self.reads if self.typed.is_cell else [self.frame] if self.frame else []
        known: dict[str, str] = {}
        for name in found:
            known |= dict(columns_of_frame(self.names[name]))
        return list(known.items())

    def computed(self) -> list[tuple[str, str]]:
        """The columns, those of --compute among them."""
        from ..steps import computed

        made = [(each["name"], "") for each in self._steps("--compute", computed)]
        return [*self.columns, *made]

    def grouped(self) -> list[tuple[str, str]]:
        """The columns after --group-by and --aggregate."""
        from ...spec import Aggregate
        from ..steps import aggregates, group_by

        names = {name for name, _ in self.columns}
        keys = self._steps("--group-by", lambda text: group_by(text, names))
        made = self._steps("--aggregate", aggregates)
        if not keys and not made:
            return self.computed()
        found = [key.get("as") or key.get("column") or "" for key in keys]
        found += [Aggregate.model_validate(each).name for each in made]
        return [(name, "") for name in found if name]

    def shaped(self) -> list[tuple[str, str]]:
        """The columns after all steps; of a pivot, those that can be told without its rows."""
        from ..steps import pivot

        with suppress(ExportError):
            for text in self.values.get("--pivot", [])[-1:]:
                index = pivot(text).get("index")
                gone = {pivot(text)["on"], pivot(text)["values"]}
                kept = index or [name for name, _ in self.grouped() if name not in gone]
                return [(name, "") for name in kept]
        return self.grouped()

    def _steps(self, flag: str, read: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for text in self.values.get(flag, []):
            with suppress(ExportError):  # A mistake in it is said when the line is run.
                found += read(text)
        return found


def columns_of_frame(frame: Any) -> list[tuple[str, str]]:
    """Return a frame's columns with their types as text, without reading a row; what of a pandas
    index becomes columns is among them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A library may warn of what costs time.
        names, types = _names_and_types(frame)
        index = getattr(getattr(frame, "index", None), "names", ())
    labels = [(str(label), "") for label in index if label is not None]
    shown = [".".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in names]
    kinds = [*map(str, types), *[""] * len(shown)]
    return [*labels, *zip(shown, kinds, strict=False)]


def _names_and_types(frame: Any) -> tuple[list[Any], list[Any]]:
    for names, types in (("columns", "dtypes"), ("columns", "types"), ("names", "types")):
        holder = getattr(frame, "schema", None) if names == "names" else frame
        found, kinds = getattr(holder, names, None), getattr(holder, types, None)
        if found is not None and kinds is not None and not callable(found):
            return list(found), [] if callable(kinds) else list(kinds)
    if hasattr(frame, "columns") and not callable(frame.columns):
        return list(frame.columns), []
    return ([frame.name] if isinstance(getattr(frame, "name", None), str) else []), []
