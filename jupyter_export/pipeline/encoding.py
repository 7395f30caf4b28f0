"""Tables -> the bytes of one file or of many, each chunk saying which file it belongs to."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from ..registry import (
    ZIP_ENDING,
    Choice,
    Chunk,
    FileContext,
    LossLedger,
    RowCounter,
    Surroundings,
    Table,
    split_ending,
)
from ..sinks import Sink
from ..spec import ExportSpec
from .relations import as_exported

_STEM_BYTES = 100
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
_DEVICE = re.compile(r"con|prn|aux|nul|con(?:in|out)\$|(?:com|lpt)[0-9¹²³]", re.IGNORECASE)


def context_of(spec: ExportSpec, choice: Choice, here: Surroundings) -> FileContext:
    """Return what the format may know beside rows and options."""
    name = here.target.name
    if name.lower().endswith(ZIP_ENDING):
        name = name[: -len(ZIP_ENDING)]
    stem, ending, packed = split_ending(name)
    suffix = choice.suffix
    if ending in choice.format.endings:
        # the ending that the user chose: .tsv, .feather
        suffix = ending + suffix.removeprefix(choice.format.endings[0])
    elif ending or packed:
        stem = name
    return FileContext(spec.name, stem or stems([spec.name])[0], suffix, here, as_exported(spec))


def separately(tables: Sequence[Table], choice: Choice) -> bool:
    """Tell whether each table gets a file (or a folder of files) of its own."""
    return len(tables) > 1 and not choice.format.capabilities.multi_dataset


def encode(
    tables: Sequence[Table], choice: Choice, context: FileContext, losses: LossLedger
) -> Iterator[Chunk]:
    """Yield the chunks of all tables; ``file`` is empty where the export is one file."""
    if not separately(tables, choice):
        chunks = choice.format.encode_file(tables, choice.options, context, losses)
        alone = "" if choice.layout == "file" else f"{context.stem}{context.suffix}"
        yield from _named(chunks, alone, "")
        return
    for table, stem in zip(tables, stems(table.name for table in tables), strict=True):
        own = replace(context, stem=stem)
        ledger = losses.of(table.name)
        chunks = choice.format.encode_file([table], choice.options, own, ledger)
        yield from _named(chunks, f"{stem}{context.suffix}", f"{stem}/")


def _named(chunks: Iterator[Chunk], alone: str, folder: str) -> Iterator[Chunk]:
    # its threads end before the source underneath them is closed
    with closing(cast("Generator[Chunk]", chunks)):
        for chunk in chunks:
            name = f"{folder}{chunk.file}" if chunk.file else alone
            yield chunk if name == chunk.file else replace(chunk, file=name)


def stems(names: Iterable[str]) -> list[str]:
    """Return a file name without ending for each dataset: what every file system takes (not the
    names of Windows' devices, and never more bytes than a name may have), and no two alike."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        plain = _FORBIDDEN.sub("_", name).strip(" .")
        plain = plain.encode()[:_STEM_BYTES].decode(errors="ignore").rstrip(" .") or "data"
        if _DEVICE.fullmatch(plain.split(".")[0].rstrip()):
            plain = f"_{plain}"
        stem = plain
        number = 1
        while _alike(stem) in taken:
            number += 1
            stem = f"{plain} ({number})"
        taken.add(_alike(stem))
        found.append(stem)
    return found


def _alike(name: str) -> str:
    """Return what names have in common that some file systems take for one."""
    return unicodedata.normalize("NFC", name).casefold()


class Counters:
    """A row counter for each file, as its bytes come."""

    def __init__(self, choice: Choice, *, streamed: bool = False) -> None:
        made = choice.format
        self._options = choice.options
        self._new = made.stream_counter if streamed else made.counter
        self._of: dict[str, RowCounter] = {}

    def update(self, chunk: Chunk) -> None:
        counter = self._of.get(chunk.file)
        if counter is None:
            counter = self._of[chunk.file] = self._new(self._options)
        counter.update(chunk.data)

    def finish(self, sink: Sink) -> dict[str, int]:
        """Return the rows of each finished file."""
        return {name: counter.finish(sink.path_of(name)) for name, counter in self._of.items()}


def manifest(
    spec: ExportSpec,
    context: FileContext,
    tables: Sequence[Table],
    rows: Mapping[str, int],
    sink: Sink,
) -> bytes:
    """Return the ``manifest.json`` of several datasets: what each file holds, and its hash."""
    hashes = {each.name: each for each in sink.files()}
    datasets: list[dict[str, Any]] = []
    for table, stem in zip(tables, stems(table.name for table in tables), strict=True):
        files: list[dict[str, Any]] = [
            {
                "path": name,
                "rows": count,
                "bytes": hashes[name].bytes,
                "sha256": hashes[name].sha256,
            }
            for name, count in sorted(rows.items())
            if name == f"{stem}{context.suffix}" or name.startswith(f"{stem}/")
        ]
        datasets.append(
            {
                "name": table.name,
                "rows": sum(file["rows"] for file in files),
                "columns": [{"name": f.name, "type": str(f.type)} for f in table.schema],
                "files": files,
            }
        )
    document = {
        "name": spec.name,
        "created": f"{context.here.started:%Y-%m-%dT%H:%M:%SZ}",
        "datasets": datasets,
        "relations": [r.model_dump(by_alias=True, exclude_defaults=True) for r in spec.relations],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def reader(
    tables: Mapping[str, pa.Schema], choice: Choice, context: FileContext, path: Path
) -> str:
    """Return the lines of Python that read what was published at ``path``."""
    made = choice.format
    if len(tables) > 1 and not made.capabilities.multi_dataset:
        lines = ["frames = {}"]
        for (name, schema), stem in zip(tables.items(), stems(tables), strict=True):
            inner = stem if made.several_files(choice.options) else f"{stem}{context.suffix}"
            lines.append(_unpacked(choice, path, inner, {name: schema}))
            lines.append(f"frames[{name!r}] = df")
        return "\n".join(_opening(choice, path) + lines)
    inner = "" if made.several_files(choice.options) else f"{context.stem}{context.suffix}"
    return "\n".join([*_opening(choice, path), _unpacked(choice, path, inner, tables)])


def _opening(choice: Choice, path: Path) -> list[str]:
    if choice.layout != "zip":
        return []
    return [
        "import zipfile",
        f"zipfile.ZipFile({str(path)!r}).extractall({str(path.with_suffix(''))!r})",
    ]


def _unpacked(choice: Choice, path: Path, inner: str, tables: Mapping[str, pa.Schema]) -> str:
    """Return the lines for one file of the export (or one folder of files)."""
    folder = path.with_suffix("") if choice.layout == "zip" else path
    shown = folder / inner if choice.layout != "file" and inner else folder
    return choice.format.reader_of(tables, str(shown), choice.options, choice.compression)
