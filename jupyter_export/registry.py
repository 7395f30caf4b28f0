"""Names -> implementations, and the contracts of the seams, all on this page.

Built-ins come through the same door as plug-ins: a name, an import path, and the extra to install
when an import is missing. A third party adds an entry point in the group
``jupyter_export.formats`` (or ``.sources``) that points at the same kind of object.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import InvalidSpec, MissingDependency, did_you_mean, nearest
from .spec import ExportSpec

if TYPE_CHECKING:
    import pyarrow as pa

Compression: TypeAlias = Literal["none", "gzip", "zstd", "brotli"]
COMPRESSION_ENDINGS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".br": "brotli"}
Bytes: TypeAlias = "bytes | memoryview"

# ------------------------------------------------------------------ what a run knows


@dataclass(frozen=True)
class Surroundings:
    """What a run needs to know beside its spec."""

    root: Path
    """Relative paths (sources of type ``file``, the result's path) start here."""
    target: Path
    """The absolute path of the finished file; already checked against ``root``."""
    part: Path
    """The temporary file beside ``target`` that becomes it."""
    uploads: Path
    """The folder that holds ``{upload id}.arrows``."""
    scratch: Path
    """The folder that the engine may spill into."""
    confined: bool = True
    """True: nothing outside ``root`` is read."""
    connections: Mapping[str, str] = field(default_factory=dict)
    """Name -> SQLAlchemy URL, already looked up."""
    memory_limit: int = 512 * 1000**2
    """Bytes that the engine may hold before it spills."""
    threads: int = 2
    max_rows: int | None = None
    max_bytes: int | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set from any thread: the run stops within 0.2 s and raises ``Cancelled``."""


@contextmanager
def interrupting(cancelled: threading.Event, interrupt: Callable[[], None]) -> Iterator[None]:
    """Call ``interrupt`` once when ``cancelled`` is set, so that a read that waits ends too."""
    over = threading.Event()
    ending = threading.Lock()

    def watch() -> None:
        while not over.is_set():
            if cancelled.wait(0.1):
                with ending:
                    if not over.is_set():
                        interrupt()
                return

    # not joined: it would hold up the end of every run for the rest of its tenth of a second
    threading.Thread(target=watch, name="jupyter-export-interrupt", daemon=True).start()
    try:
        yield
    finally:
        with ending:
            over.set()


# ------------------------------------------------------------------ seam: sources


@dataclass(frozen=True)
class BatchStream:
    """Rows of a source as they come: one schema, batches that are read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    total_rows: int | None = None
    """Rows that will come, where the source knows."""
    interrupt: Callable[[], None] = lambda: None
    """Ends a read that waits, from another thread."""
    close: Callable[[], None] = lambda: None


OpenSource: TypeAlias = Callable[[Any, Surroundings], BatchStream]
"""Open a source. Raises ``SourceFailed``, ``NotFound``, ``Forbidden`` or ``InvalidSpec``."""

# ------------------------------------------------------------------ seam: formats


@dataclass(frozen=True)
class Loss:
    """What a format changes of a column. ``count`` None: not counted."""

    kind: str
    column: str
    count: int | None
    message: str
    option: str | None = None
    """The option that avoids it."""

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


class LossLedger:
    """Losses as they are met, added up for each kind and column; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Loss] = {}

    def add(self, loss: Loss) -> None:
        with self._lock:
            key = (loss.kind, loss.column)
            before = self._found.get(key)
            count = loss.count
            if before is not None and before.count is not None:
                count = before.count + (loss.count or 0)
            self._found[key] = Loss(loss.kind, loss.column, count, loss.message, loss.option)

    def __iter__(self) -> Iterator[Loss]:
        with self._lock:
            return iter(list(self._found.values()))

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True)
class Capabilities:
    """What a format can hold, as data."""

    streaming: bool = True
    max_rows: int | None = None
    nested: bool = True
    multi_dataset: bool = False
    outer_compression: bool = True
    """False: the format compresses inside, and gzip around it would only cost."""


class FormatOptions(BaseModel):
    """Base of every format's options: frozen, and an unknown option is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OptionsModel: TypeAlias = type[FormatOptions]


@dataclass(frozen=True)
class Chunk:
    """Bytes of the finished file in order, and how many rows they end."""

    data: Bytes
    rows: int


class RowCounter(ABC):
    """Counts rows in what was written, knowing nothing of what was meant to be written."""

    def update(self, data: Bytes) -> None:  # noqa: B027 - most formats count the finished file
        """See the next bytes of the file before compression, as ``encode`` cut them."""

    @abstractmethod
    def finish(self, path: Path) -> int:
        """Return the rows of the whole file at ``path`` (compressed, if the spec says so)."""


class Format(ABC):
    """One file format: its options, its writer, its capabilities, its losses, its reader."""

    type: ClassVar[str]
    label: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]
    """The first one is used for files that we name."""
    ending_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What an ending says of the options, e.g. a tab for ``.tsv``; the spec's own come first."""
    media_type: ClassVar[str]
    options: ClassVar[OptionsModel]
    capabilities: ClassVar[Capabilities]

    @abstractmethod
    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: Any,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        """Yield the file's bytes in order; memory stays flat whatever the number of batches."""

    @abstractmethod
    def counter(self, options: Any) -> RowCounter:
        """Return a fresh counter for one file."""

    def losses(self, schema: pa.Schema, options: Any) -> Sequence[Loss]:
        """Return what the types alone tell will be lost; values are looked at by ``encode``."""
        return ()

    @abstractmethod
    def reader(self, schema: pa.Schema, path: str, options: Any, compression: str) -> str:
        """Return lines of Python that read ``path`` back into ``df`` as ``schema`` went in."""

    def to_json(self) -> dict[str, Any]:
        """Return this format's entry of ``GET formats``."""
        return {
            "type": self.type,
            "label": self.label,
            "endings": list(self.endings),
            "media_type": self.media_type,
            "options": self.options.model_json_schema(),
            "capabilities": dict(self.capabilities.__dict__),
        }


# ------------------------------------------------------------------ names

FORMATS: dict[str, str] = {
    "csv": "jupyter_export.formats.csv:CsvFormat",
    "json": "jupyter_export.formats.json:JsonFormat",
    "jsonl": "jupyter_export.formats.jsonl:JsonLinesFormat",
    "parquet": "jupyter_export.formats.parquet:ParquetFormat",
    "arrow": "jupyter_export.formats.arrow:ArrowFormat",
}
SOURCES: dict[str, str] = {
    "upload": "jupyter_export.sources.upload:open_upload",
    "file": "jupyter_export.sources.file:open_file",
    "table": "jupyter_export.sources.sql:open_table",
    "sql": "jupyter_export.sources.sql:open_query",
}
EXTRAS: dict[str, str] = {
    "openpyxl": "excel",
    "psycopg": "postgres",
    "psycopg2": "postgres",
    "pandas": "pandas",
    "polars": "polars",
}
"""Module -> the extra of this package that brings it."""


def missing(module: str | None, needed_for: str) -> MissingDependency:
    """Return the error that says which extra to install for ``module``."""
    extra = EXTRAS.get((module or "").split(".")[0])
    what = f'pip install "jupyter-export[{extra}]"' if extra else f"pip install {module}"
    return MissingDependency(f"{needed_for} needs {module}, which is not installed.", hint=what)


def _load(target: str, needed_for: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise missing(error.name, needed_for) from error


@cache
def formats() -> dict[str, Format]:
    """Return every format by its type: the built-in ones, then those of plug-ins."""
    found: dict[str, Format] = {
        name: _load(target, f"The format {name}")() for name, target in FORMATS.items()
    }
    for entry in entry_points(group="jupyter_export.formats"):
        found.setdefault(entry.name, entry.load()())
    return found


def format_named(name: str) -> Format:
    """Return the format of that type, or raise ``InvalidSpec`` with the nearest one."""
    try:
        return formats()[name]
    except KeyError:
        raise InvalidSpec(
            f"“{name}” is not a known format.",
            hint=did_you_mean(name, formats()),
            field="format.type",
        ) from None


@cache
def source(kind: str) -> OpenSource:
    """Return the function that opens sources of that type."""
    for entry in entry_points(group="jupyter_export.sources"):
        if entry.name == kind and kind not in SOURCES:
            opener: OpenSource = entry.load()
            return opener
    loaded: OpenSource = _load(SOURCES[kind], f"A source of type {kind}")
    return loaded


def split_ending(name: str) -> tuple[str, str, str]:
    """Return (stem, format ending, compression ending) of a file name, endings in lower case.

    ``a.b.csv.gz`` gives ``("a.b", ".csv", ".gz")``; what is not there is an empty string.
    """
    path = Path(name)
    packed = path.suffix.lower() if path.suffix.lower() in COMPRESSION_ENDINGS else ""
    if packed:
        path = Path(path.name[: -len(packed)])
    ending = path.suffix.lower()
    return (path.name[: len(path.name) - len(ending)], ending, packed)


def format_for(spec: ExportSpec, file_name: str | None) -> tuple[Format, Compression, str]:
    """Decide format, compression and the ending of a file that has no name yet.

    What the spec says comes first, then the path's endings; a file that we name is CSV unless the
    spec says otherwise. Raises ``InvalidSpec`` when neither tells the format.
    """
    _, ending, packed = split_ending(file_name) if file_name else ("", "", "")
    if spec.format is not None:
        chosen = format_named(spec.format.type)
    elif not file_name:
        chosen = format_named("csv")
    else:
        by_ending = {e: each for each in formats().values() for e in each.endings}
        if ending not in by_ending:
            raise _unknown_ending(ending, file_name, by_ending)
        chosen = by_ending[ending]
    compression: Compression = spec.compression or (
        COMPRESSION_ENDINGS[packed] if packed else "none"
    )
    if compression != "none" and not chosen.capabilities.outer_compression:
        raise InvalidSpec(
            f"{chosen.label} compresses inside the file, so {compression} around it is refused.",
            hint=f"Leave it out, and choose the {chosen.type} option compression instead.",
            field="compression",
        )
    if len(spec.datasets) > 1 and not chosen.capabilities.multi_dataset:
        raise InvalidSpec(
            f"The spec has {len(spec.datasets)} datasets, and a {chosen.label} file holds one.",
            hint="Export each dataset to a file of its own.",
            field="datasets",
        )
    suffix = next((e for e, c in COMPRESSION_ENDINGS.items() if c == compression), "")
    return chosen, compression, f"{chosen.endings[0]}{suffix}"


def _unknown_ending(ending: str, file_name: str, known: Mapping[str, Format]) -> InvalidSpec:
    close = nearest(ending, known) if ending else None
    hint = (
        f"Did you mean {close}? Or say the format itself."
        if close
        else f"Use one of {', '.join(sorted(known))}, or say the format."
    )
    said = f"“{ending}” is not the ending of a known format" if ending else "has no ending"
    return InvalidSpec(
        f"The format of “{file_name}” is unknown: {said if ending else 'its name ' + said}.",
        hint=hint,
        field="output.path",
    )


def check_options(chosen: Format, options: Mapping[str, Any], file_name: str | None = None) -> Any:
    """Return the format's options, those that the ending of ``file_name`` implies included.

    Raises ``InvalidSpec`` naming the option and the nearest one.
    """
    if file_name is not None:
        _, ending, _ = split_ending(file_name)
        options = {**chosen.ending_options.get(ending, {}), **options}
    known = chosen.options.model_fields
    for name in options:
        if name not in known:
            owners = [f.type for f in formats().values() if name in f.options.model_fields]
            of_other = f" It belongs to {' and '.join(owners)}." if owners else ""
            raise InvalidSpec(
                f"“{name}” is not an option of {chosen.type}.{of_other}",
                hint=did_you_mean(name, known),
                field=f"format.{name}",
            )
    try:
        return chosen.options.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "options"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "literal_error":
            message = f"“{first['input']}” is not one of {first['ctx']['expected']}"
        raise InvalidSpec(
            f"The {chosen.type} option “{name}” cannot be used: {message}.",
            field=f"format.{name}",
        ) from None
