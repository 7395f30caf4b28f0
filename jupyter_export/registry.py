"""Names -> implementations, and what a spec says of its format.

Built-ins come through the same door as plug-ins: a name, an import path, and the extra to install
when an import is missing. A third party adds an entry point in the group
``jupyter_export.formats`` (or ``.sources``) that points at the same kind of object.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from .errors import InvalidSpec, MissingDependency, did_you_mean, nearest
from .losses import Loss, LossLedger, example
from .seams import (
    COMPRESSION_ENDINGS,
    BatchStream,
    Bytes,
    Capabilities,
    Chunk,
    Compression,
    Connection,
    Database,
    FileContext,
    Format,
    FormatOptions,
    OpenDatabase,
    OpenSource,
    OptionsModel,
    Relation,
    Retyped,
    RowCounter,
    Surroundings,
    Table,
    interrupting,
)
from .spec import ExportSpec

__all__ = [
    "COMPRESSION_ENDINGS",
    "BatchStream",
    "Bytes",
    "Capabilities",
    "Choice",
    "Chunk",
    "Compression",
    "Connection",
    "Database",
    "FileContext",
    "Format",
    "FormatOptions",
    "Loss",
    "LossLedger",
    "OpenDatabase",
    "OpenSource",
    "OptionsModel",
    "Relation",
    "Retyped",
    "RowCounter",
    "Surroundings",
    "Table",
    "interrupting",
]

log = logging.getLogger(__name__)

Layout: TypeAlias = Literal["file", "folder", "zip"]
ZIP_ENDING = ".zip"

# ------------------------------------------------------------------ names

FORMATS: dict[str, str] = {
    "csv": "jupyter_export.formats.csv:CsvFormat",
    "json": "jupyter_export.formats.json:JsonFormat",
    "jsonl": "jupyter_export.formats.jsonl:JsonLinesFormat",
    "parquet": "jupyter_export.formats.parquet:ParquetFormat",
    "arrow": "jupyter_export.formats.arrow:ArrowFormat",
    "excel": "jupyter_export.formats.excel:ExcelFormat",
    "pdf": "jupyter_export.formats.pdf:PdfFormat",
    "html": "jupyter_export.formats.html:HtmlFormat",
    "markdown": "jupyter_export.formats.markdown:MarkdownFormat",
}
SOURCES: dict[str, str] = {
    "upload": "jupyter_export.sources.upload:open_upload",
    "file": "jupyter_export.sources.file:open_file",
}
DATABASES: dict[str, str] = {
    "postgresql": "jupyter_export.sources.postgres:open_postgres",
    "duckdb": "jupyter_export.sources.duckdb:open_duckdb",
}
"""What a URL begins with (before any “+driver”) -> how it is opened."""
ANY_DATABASE = "jupyter_export.sources.sql:open_database"
"""How every other database is opened: by SQLAlchemy."""
EXTRAS: dict[str, str] = {
    "adbc_driver_postgresql": "postgres",
    "aiohttp": "files",
    "cryptography": "pdf",
    "fsspec": "files",
    "openpyxl": "excel",
    "psycopg": "postgres",
    "psycopg2": "postgres",
    "pymysql": "mysql",
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
        if entry.name in found:
            continue
        try:
            found[entry.name] = entry.load()()
        except Exception:  # one plug-in that cannot be loaded must not take all formats along
            log.warning("the format %s cannot be loaded", entry.name, exc_info=True)
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


def database(name: str, here: Surroundings) -> Database:
    """Open the connection of that name.

    Raises ``InvalidSpec`` naming the nearest, and what an ``OpenDatabase`` raises.
    """
    connection = here.connection(name)
    kind = re.split(r"[+:]", connection.url, maxsplit=1)[0].lower()
    kind = {"postgres": "postgresql"}.get(kind, kind)
    return _opener_of(kind)(connection, here)


@cache
def _opener_of(kind: str) -> OpenDatabase:
    for entry in entry_points(group="jupyter_export.databases"):
        if entry.name == kind and kind not in DATABASES:
            plugged: OpenDatabase = entry.load()
            return plugged
    opener: OpenDatabase = _load(DATABASES.get(kind, ANY_DATABASE), f"A connection to {kind}")
    return opener


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


@dataclass(frozen=True)
class Choice:
    """What a spec means by its format: the format itself, its options, and what is written."""

    format: Format
    options: Any
    compression: Compression
    layout: Layout
    """One file, a folder of files, or a zip of them."""
    suffix: str
    """The endings of each file of the export: ``.csv.gz``."""

    @property
    def ending(self) -> str:
        """The ending of an export that has no name yet."""
        return f"{self.suffix}{ZIP_ENDING}" if self.layout == "zip" else self.suffix


def choose(spec: ExportSpec, file_name: str | None) -> Choice:
    """Decide format, options, compression and layout of ``spec`` from it and its file's name.

    What the spec says comes first, then the path's endings; a file that we name is CSV unless the
    spec says otherwise. Several files (several datasets in a format that holds one, parts,
    partitions) are a folder of the name that the spec gives, or a zip where that ends in ``.zip``
    or is ours to choose. Raises ``InvalidSpec``.
    """
    zipped = file_name is not None and file_name.lower().endswith(ZIP_ENDING)
    inner = file_name[: -len(ZIP_ENDING)] if file_name and zipped else file_name
    chosen, compression = _format_for(spec, inner)
    options = check_options(chosen, spec.format.options if spec.format else {}, inner)
    many = len(spec.datasets) > 1 and not chosen.capabilities.multi_dataset
    many = many or chosen.several_files(options)
    packing = next((e for e, c in COMPRESSION_ENDINGS.items() if c == compression), "")
    layout: Layout = "file"
    if zipped or (many and file_name is None):
        layout = "zip"
    elif many:
        layout = "folder"
    return Choice(chosen, options, compression, layout, f"{chosen.endings[0]}{packing}")


def _format_for(spec: ExportSpec, file_name: str | None) -> tuple[Format, Compression]:
    _, ending, packed = split_ending(file_name) if file_name else ("", "", "")
    if spec.format is not None:
        chosen = format_named(spec.format.type)
    elif not file_name:
        chosen = format_named("csv")
    else:
        # the first one keeps an ending: no plug-in takes over those of the built-in formats
        by_ending = {e: each for each in reversed(formats().values()) for e in each.endings}
        if ending not in by_ending:
            raise _unknown_ending(ending, file_name, by_ending)
        chosen = by_ending[ending]
    compression: Compression = spec.compression or (
        COMPRESSION_ENDINGS[packed] if packed else "none"
    )
    if compression != "none" and not chosen.capabilities.outer_compression:
        own = "compression" in chosen.options.model_fields
        raise InvalidSpec(
            f"{chosen.label} compresses inside the file, so {compression} around it is refused.",
            hint=f"Leave it out, and choose the {chosen.type} option compression instead."
            if own
            else "Leave it out.",
            field="compression",
        )
    return chosen, compression


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
                hint=None if owners else did_you_mean(name, known),
                field=f"format.{name}",
            )
    try:
        return chosen.options.model_validate(dict(options))
    except ValidationError as error:
        raise _of_option(chosen, options, error) from None


def _of_option(chosen: Format, options: Mapping[str, Any], error: ValidationError) -> InvalidSpec:
    """Say the first thing that is wrong with an option: its place, its value, what would do."""
    found = error.errors(include_url=False)
    # a member of a union that took the value's type knows better why it cannot be
    first = next((e for e in found if not e["type"].endswith(("_type", "_parsing"))), found[0])
    place, given = _place(options, first["loc"])
    message = re.sub(r"^\w+ should ", "it must ", first["msg"].removeprefix("Value error, "))
    hint = None
    if first["type"] == "literal_error":
        expected = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        message = f"“{example(first['input'])}” is not one of {first['ctx']['expected']}"
        close = nearest(str(first["input"]), expected)
        hint = f"Did you mean {close}?" if close else None
    elif first["type"] == "extra_forbidden":
        message = f"it has no field “{first['loc'][-1]}”"
    elif first["type"] == "missing":
        message = f"its “{first['loc'][-1]}” is missing"
    elif (
        # each member of a union has an own complaint, and none of them is the reason
        first["type"].endswith(("_type", "_parsing"))
        and len(found) > 1
        and all(_place(options, other["loc"])[0] == place for other in found)
    ):
        message = f"“{example(given)}” is no value that it takes"
    if not place:
        return InvalidSpec(
            f"The {chosen.type} options do not fit together: {message}.", field="format"
        )
    return InvalidSpec(
        f"The {chosen.type} option “{place}” cannot be used: {message}.",
        hint=hint,
        field=f"format.{place}",
    )


def _place(options: Any, location: tuple[int | str, ...]) -> tuple[str, Any]:
    """Return the path of an error in the options, without pydantic's union tags, and its value."""
    path, here = "", options
    for part in location:
        if isinstance(here, Mapping) and part in here:
            path, here = f"{path}.{part}" if path else str(part), here[part]
        elif isinstance(part, int) and isinstance(here, (list, tuple)) and part < len(here):
            path, here = f"{path}[{part}]", here[part]
    return path, here
