"""Files as a source: CSV, JSON, JSONL, Parquet, Arrow, XLSX, one of them or a folder of one kind.

They lie under the server's root, or below the place that a connection leads to. Parquet and Arrow
are read as they are; of text files every value is looked at before a column gets its type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import InvalidSpec
from ..registry import BatchStream, Surroundings, split_ending
from ..spec import FileSource
from .files import columnar, csv_text, folders, json_text, remote
from .files.folders import Several
from .files.places import FIELD, Entry, Found, LocalPlace, Place, Scratch
from .files.waiting import heard

_KINDS = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".ndjson": "JSON",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".arrow": "Arrow",
    ".arrows": "Arrow",
    ".feather": "Arrow",
    ".xlsx": "XLSX",
}
_PACKED = ("CSV", "JSON")


def open_file(source: FileSource, here: Surroundings) -> BatchStream:
    """Open ``source.path``, a file or a folder.

    Raises ``NotFound``, ``Forbidden`` (outside the root, or the connection's place),
    ``InvalidSpec`` (an ending nobody reads, a folder of several kinds), ``SourceFailed`` (not
    readable as what it says) and, with a connection, ``MissingDependency``.
    """
    scratch = Scratch(here)
    place: Place
    if source.connection is None:
        place = LocalPlace(here.root, here, scratch, confined=here.confined, of=None)
    else:
        place = remote.place_of(here.connection(source.connection), here, scratch)
    try:
        stream = _open(place.find(source.path), source.path, place, here)
    except BaseException:
        place.close()
        raise

    def close() -> None:
        stream.close()
        place.close()

    return replace(stream, close=close)


def _open(found: Found, path: str, place: Place, here: Surroundings) -> BatchStream:
    kind = _kind_of(found, path)
    if kind == "XLSX":
        from .xlsx import open_workbook  # openpyxl only when a workbook is read

        if found.folder:
            raise InvalidSpec(
                f"“{path}” is a folder of workbooks.", hint="Name one of them.", field=FIELD
            )
        return open_workbook(place.local(found.entries[0]), path, here, place.folder)
    several = {"CSV": _csv, "JSON": _json}.get(kind, _columnar)(found.entries, place, here)
    return several.stream(here) if found.folder else several.open(0)


def _csv(entries: Sequence[Entry], place: Place, here: Surroundings) -> Several:
    tables = []
    for entry in entries:
        heard(here)
        tables.append(csv_text.look(place.local(entry), entry.shown, here, place.folder))
    return folders.csv_files(tables, entries)


def _json(entries: Sequence[Entry], place: Place, here: Surroundings) -> Several:
    files = []
    for entry in entries:
        heard(here)
        files.append((entry, place.local(entry)))
    table = json_text.look(files, entries[0].shown, here)
    return Several(entries, [table.schema] * len(entries), table.rows, table.open)


def _columnar(entries: Sequence[Entry], place: Place, here: Surroundings) -> Several:
    parts = []
    for entry in entries:
        heard(here)
        parquet = _kind(entry) == "Parquet"
        look = columnar.parquet_part if parquet else columnar.arrow_part
        parts.append(look(entry, place))
    counts = [part.rows for part in parts]
    total = None if None in counts else sum(count or 0 for count in counts)
    return Several(entries, [part.schema for part in parts], total, lambda at: parts[at].open())


# ------------------------------------------------------------------ kinds of files


def _kind_of(found: Found, path: str) -> str:
    kinds: dict[str, Entry] = {}
    for entry in found.entries:
        kinds.setdefault(_kind(entry), entry)
    if len(kinds) > 1:
        one, two, *_ = kinds.values()
        raise InvalidSpec(
            f"The folder “{path}” holds files of several kinds, such as “{one.shown}” and "
            f"“{two.shown}”.",
            hint="Name one of them, or a folder of one kind.",
            field=FIELD,
        )
    return next(iter(kinds))


def _kind(entry: Entry) -> str:
    _, ending, packed = split_ending(entry.name)
    kind = _KINDS.get(ending)
    if kind is None:
        raise InvalidSpec(
            f"“{entry.shown}” cannot be read: its ending tells no known kind of file.",
            hint=f"Known: {', '.join(sorted(_KINDS))}.",
            field=FIELD,
        )
    if packed not in ("", ".gz", ".zst") or (packed and kind not in _PACKED):
        raise InvalidSpec(
            f"“{entry.shown}” cannot be read: only CSV and JSON may be compressed as a whole.",
            hint="With gzip (.gz) or zstd (.zst).",
            field=FIELD,
        )
    return kind
