"""The contracts of the seams, all on this page: what a run knows, sources, formats.

One implementation stands in one file; ``registry`` finds it by its name.
"""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from .errors import Forbidden, InvalidSpec, NotFound, did_you_mean
from .folders import open_checked
from .losses import Loss, LossLedger
from .spec import Link, SqlSource, TableSource

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

Compression: TypeAlias = Literal["none", "gzip", "zstd", "brotli"]
COMPRESSION_ENDINGS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".br": "brotli"}
Bytes: TypeAlias = "bytes | memoryview"

# ------------------------------------------------------------------ what a run knows


@dataclass(frozen=True)
class Connection:
    """A named connection, looked up: where it leads and what is allowed there."""

    name: str
    url: str = field(repr=False)
    """An SQLAlchemy URL, or an fsspec URL of a place with files. It may hold a password: it never
    leaves the process, nor does any part of it in a message."""
    read_only: bool = True
    """True: in a transaction in which the database refuses to write."""
    statement_timeout: int | None = None
    """Seconds after which the database ends a statement by itself."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the driver or file system is opened with, beside the URL; may hold secrets."""


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
    allow_hidden: bool = False
    """True: files whose names begin with a dot are read, too, where the run is confined."""
    connections: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Name -> URL, already looked up, or the fields of a ``Connection`` with it."""
    memory_limit: int = 512 * 1000**2
    """Bytes that the engine may hold before it spills."""
    threads: int = 2
    max_rows: int | None = None
    max_bytes: int | None = None
    min_free_disk: int = 0
    """Bytes that must stay free on the target's disk: a run that would take them ends."""
    disk_left: int | None = None
    """Bytes that spilled data, and the file if nobody has named it, may take together."""
    temporary: bool = False
    """True: nobody has named the file, and it counts towards ``disk_left``."""
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    """The moment that the files name as their time (UTC)."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set from any thread: the run stops within 0.2 s and raises ``Cancelled``."""
    approve: Callable[[Any], None] = lambda result: None
    """Called with the ``Result``, once everything is on the disk and proved, right before the files
    get their names: whoever runs the job notes it, or refuses by raising."""

    out: Callable[[Bytes], None] | None = field(default=None, repr=False)
    """Takes the bytes of the export as they are made, in order; nothing gets a name on a disk then.
    May wait while the reader is slow."""

    def connection(self, name: str, field: str = "source.connection") -> Connection:
        """Return the connection of that name. Raises ``InvalidSpec`` naming the nearest."""
        if name not in self.connections:
            raise InvalidSpec(
                f"“{name}” is not a known connection.",
                hint=did_you_mean(name, self.connections),
                field=field,
            )
        known = self.connections[name]
        return Connection(name, known) if isinstance(known, str) else Connection(name, **known)

    def file(self, given: str, field: str) -> Path:
        """Return the existing file that ``given`` (of the spec's ``field``) means.

        Raises ``Forbidden`` outside the root of a confined run, ``NotFound`` for no file. Open it
        with ``open_file``.
        """
        parts = given.replace("\\", "/").split("/")
        hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
        if hidden and self.confined and not self.allow_hidden:
            raise Forbidden(
                f"“{given[:200]}” is hidden: a name in it begins with a dot.",
                hint="Choose a file whose path does not.",
                field=field,
            )
        try:
            path = (self.root / given).resolve()
            exists = path.is_file()
        except (OSError, ValueError):
            raise NotFound(f"There is no file “{given[:200]}”.", field=field) from None
        if self.confined and not path.is_relative_to(self.root.resolve()):
            raise Forbidden(
                f"“{given[:200]}” is outside the folder that this server serves.",
                hint="Give a path below it.",
                field=field,
            )
        if not exists:
            raise NotFound(f"There is no file “{given}”.", field=field)
        return path

    def open_file(self, given: str, field: str) -> BinaryIO:
        """Open what ``file`` returns, even when somebody puts a link in its way meanwhile: that
        is ``NotFound``, too."""
        path = self.file(given, field)
        try:
            return open(open_checked(path, self.root if self.confined else None), "rb")
        except OSError:
            raise NotFound(f"The file “{given[:200]}” cannot be read.", field=field) from None


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
    losses: tuple[Loss, ...] = ()
    """What reading alone changes, as its types tell (``database_type``)."""


OpenSource: TypeAlias = Callable[[Any, Surroundings], BatchStream]
"""Open a source. Raises ``SourceFailed``, ``NotFound``, ``Forbidden`` or ``InvalidSpec``."""


class Retyped(Exception):
    """A row does not fit the type that the rows before it had told, and the database knows better
    now: whoever reads begins again, in the same snapshot, and gets another schema."""


@dataclass(frozen=True)
class Relation:
    """A table or query of a database, described and not yet read."""

    clause: sa.FromClause
    """What a statement selects from; ``clause.c[name]`` are its columns with the database's own
    types."""
    schema: pa.Schema
    """The same columns as their values will arrive."""
    opaque: bool = False
    """True: no statement can select from it (SHOW, CALL, two columns of one name); ``stream`` takes
    ``select(clause)``, with a limit and picked columns at most."""


class Database(ABC):
    """One connection, opened once for a job: all datasets read from it see the same moment."""

    dialect: str
    """SQLAlchemy's name of it: ``postgresql``, ``sqlite``, ``mysql``, …"""
    point_in_time: bool
    """False: statements that follow one another may see what was written between them."""

    @abstractmethod
    def relation(self, source: TableSource | SqlSource) -> Relation:
        """Describe what ``source`` selects from; no row is read of it.

        Raises ``InvalidSpec`` (a missing table names the nearest; params that do not fit) and
        what ``stream`` raises.
        """

    @abstractmethod
    def stream(self, statement: sa.Select[Any]) -> BatchStream:
        """Run ``statement``, its values bound; rows come while they are read.

        May be called for a second statement before the first one is read to its end. With the
        execution option ``in_order``, the same rows come in the same order each time. Raises
        ``QueryFailed`` with the database's own sentence, ``StatementTimeout``,
        ``QueryCancelled``, ``ConnectionLost``; reading may raise ``Retyped``.
        """

    @abstractmethod
    def estimate(self, statement: sa.Select[Any]) -> int | None:
        """Return about how many rows ``statement`` gives, without counting; None: nobody knows."""

    @abstractmethod
    def tables(self) -> list[dict[str, Any]]:
        """Return the tables and views that can be read, in order of schema and name: ``{"schema",
        "name", "kind": "table" | "view", "columns": [{"name", "type"}], "rows": int | None}``,
        types as the database calls them, rows as it estimates them."""

    @abstractmethod
    def close(self) -> None:
        """End the transaction and the connection. Idempotent."""


OpenDatabase: TypeAlias = Callable[[Connection, Surroundings], Database]
"""Open a connection. Raises ``LoginRefused``, ``ConnectionFailed``, ``MissingDependency`` or
``SourceFailed`` (a URL that cannot be used), never with a word of the URL."""

# ------------------------------------------------------------------ seam: formats


@dataclass(frozen=True)
class Capabilities:
    """What a format can hold, as data."""

    streaming: bool = True
    max_rows: int | None = None
    nested: bool = True
    multi_dataset: bool = False
    """Several datasets in one file; otherwise each gets a file of its own in a folder or zip."""
    outer_compression: bool = True
    """False: the format compresses inside, and gzip around it would only cost."""


class FormatOptions(BaseModel):
    """Base of every format's options: frozen, and an unknown option is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OptionsModel: TypeAlias = type[FormatOptions]


@dataclass(frozen=True)
class Chunk:
    """Bytes of a finished file in order, and how many rows they end."""

    data: Bytes
    rows: int
    file: str = ""
    """For formats that write several files: which one, relative to the folder, with “/”. Files may
    be written by turns. The first chunk of a name makes the file, also when it has no bytes."""


@dataclass(frozen=True)
class Table:
    """One dataset on its way into a file."""

    name: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    """Read once, in order. Of several tables, one may be read after another or by turns."""
    total_rows: int | None = None
    """Rows that will come, where the source knows."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """The dataset as the spec has it, for formats that tell where their rows come from."""


@dataclass(frozen=True)
class FileContext:
    """What a format may know of the export beside its rows and options."""

    name: str
    """The export's name (``spec.name``)."""
    stem: str
    """The file's name without its endings; parts of a split file are named after it."""
    suffix: str
    """The endings of a file of this format and compression: ``.csv.gz``."""
    here: Surroundings
    relations: tuple[Link, ...] = ()

    @property
    def threads(self) -> int:
        return self.here.threads


class RowCounter(ABC):
    """Counts rows in what was written, knowing nothing of what was meant to be written."""

    reads: ClassVar[Literal["nothing", "end", "file"]] = "file"
    """What ``finish`` looks at: nothing, as ``update`` has seen it all; the last 16 MB, what is
    before them may be zeros; the whole file. No more than that is kept of a file that is sent as
    it is made."""

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

    def encode_file(
        self,
        tables: Sequence[Table],
        options: Any,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        """Yield the bytes of the file (or files) of ``tables``, each file's own in order.

        Memory stays flat whatever the number of rows. A format that holds several tables
        (``capabilities.multi_dataset``), writes several files or needs its surroundings overrides
        this; the others override ``encode`` and get one table. With several tables, losses go to
        ``losses.of(table.name)``.
        """
        (table,) = tables
        return self.encode(
            table.schema, table.batches, options, threads=context.threads, losses=losses
        )

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: Any,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        """Yield the bytes of one table's file; overridden by formats that need no more than it."""
        raise NotImplementedError(f"{type(self).__name__} has neither encode nor encode_file")

    def several_files(self, options: Any) -> bool:
        """Tell whether these options make a folder of files (parts, partitions) of one table."""
        return False

    def by_turns(self, options: Any) -> bool:
        """Tell whether several files may be written by turns; False: one after another."""
        return self.several_files(options)

    @abstractmethod
    def counter(self, options: Any) -> RowCounter:
        """Return a fresh counter for one file, of all the tables in it."""

    def stream_counter(self, options: Any) -> RowCounter:
        """Return a counter for a file that is sent as it is made: best one that ``reads`` less."""
        return self.counter(options)

    def losses(self, schema: pa.Schema, options: Any) -> Sequence[Loss]:
        """Return what the types alone tell will be lost; values are looked at by ``encode``."""
        return ()

    @abstractmethod
    def reader(self, schema: pa.Schema, path: str, options: Any, compression: str) -> str:
        """Return lines of Python that read ``path`` back into ``df`` as ``schema`` went in."""

    def reader_of(
        self, tables: Mapping[str, pa.Schema], path: str, options: Any, compression: str
    ) -> str:
        """Return the lines that read a file of several tables back: name -> frame in ``frames``.

        One table is read into ``df``, as ``reader`` does. Overridden where ``multi_dataset``.
        """
        (schema,) = tables.values()
        return self.reader(schema, path, options, compression)

    def to_json(self) -> dict[str, Any]:
        """Return this format's entry of ``GET formats``."""
        return {
            "type": self.type,
            "label": self.label,
            "endings": list(self.endings),
            "media_type": self.media_type,
            "options": _schema_of(self.options),
            "capabilities": dict(self.capabilities.__dict__),
        }


@functools.cache
def _schema_of(options: OptionsModel) -> dict[str, Any]:
    """Return the JSON Schema of options, made once; nobody changes it."""
    return options.model_json_schema()
