"""A file under the server's root as a source: CSV, JSON, JSONL, Parquet, Arrow, XLSX.

Parquet and Arrow are read as they are; CSV and JSON through the engine, which finds their types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .. import engine
from ..errors import ExportError, Forbidden, InvalidSpec, NotFound, QueryFailed, SourceFailed
from ..registry import BatchStream, Surroundings, interrupting, split_ending
from ..spec import FileSource
from .layouts import plain
from .upload import whole

_ROWS = 65_536


def open_file(source: FileSource, here: Surroundings) -> BatchStream:
    """Open ``source.path``. Raises ``NotFound``, ``Forbidden`` (outside the root),
    ``InvalidSpec`` (an ending nobody reads) or ``SourceFailed`` (not readable as what it says).
    """
    path = _inside(source.path, here)
    _, ending, packed = split_ending(path.name)
    opener = _OPENERS.get(ending)
    if opener is None:
        raise InvalidSpec(
            f"“{path.name}” cannot be read: its ending tells no known kind of file.",
            hint=f"Known: {', '.join(sorted(_OPENERS))}.",
            field="source.path",
        )
    if packed not in ("", ".gz", ".zst") or (packed and opener is not _by_engine):
        raise InvalidSpec(
            f"“{path.name}” cannot be read: only CSV and JSON may be compressed as a whole.",
            hint="With gzip (.gz) or zstd (.zst).",
            field="source.path",
        )
    try:
        return opener(path, here)
    except ExportError as error:
        if isinstance(error, QueryFailed):
            raise _unreadable(path, error) from error
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from error


def _inside(given: str, here: Surroundings) -> Path:
    try:
        path = (here.root / given).resolve()
        exists = path.is_file()
    except (OSError, ValueError):
        raise NotFound(f"There is no file “{given[:200]}”.", field="source.path") from None
    if here.confined and not path.is_relative_to(here.root.resolve()):
        raise Forbidden(
            f"“{given}” is outside the folder that this server serves.",
            hint="Give a path below it.",
            field="source.path",
        )
    if not exists:
        raise NotFound(f"There is no file “{given}”.", field="source.path")
    return path


def _unreadable(path: Path, error: Exception) -> SourceFailed:
    first = str(error).strip().split("\n", 1)[0].removeprefix("The query failed: ").rstrip(".")
    first = first.replace(str(path), path.name)
    return SourceFailed(
        f"“{path.name}” cannot be read as {split_ending(path.name)[1].lstrip('.')}: {first}.",
        field="source.path",
    )


def _guarded(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Let what goes wrong in the middle of a file name the file."""
    try:
        yield from batches
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, ExportError):
            raise
        raise _unreadable(path, error) from error


def _parquet(path: Path, here: Surroundings) -> BatchStream:
    file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
    return BatchStream(
        schema=file.schema_arrow.remove_metadata(),
        batches=_guarded(path, _plain(file.iter_batches(_ROWS))),
        total_rows=file.metadata.num_rows,
        close=file.close,
    )


def _plain(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.replace_schema_metadata(None)


def _arrow(path: Path, here: Surroundings) -> BatchStream:
    mapped = pa.memory_map(str(path))
    is_file = mapped.read(6) == b"ARROW1"
    mapped.seek(0)
    if is_file:
        file = pa.ipc.open_file(mapped)
        batches = (file.get_batch(i) for i in range(file.num_record_batches))
        return plain(
            BatchStream(
                schema=file.schema,
                batches=_guarded(path, batches),
                total_rows=_count_rows(mapped),
                close=mapped.close,
            )
        )
    stream = pa.ipc.open_stream(mapped)
    return plain(
        BatchStream(
            schema=stream.schema,
            batches=_guarded(path, whole(stream, mapped)),
            close=mapped.close,
        )
    )


def _one_file(path: Path) -> str:
    """Return the path as SQL, its ``*``, ``?`` and ``[`` meant as they stand."""
    return engine.literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _count_rows(mapped: pa.MemoryMappedFile) -> int:
    """Look at one column of each batch: the file is mapped, so nothing else is read."""
    file = pa.ipc.open_file(mapped, options=pa.ipc.IpcReadOptions(included_fields=[0]))
    return sum(file.get_batch(i).num_rows for i in range(file.num_record_batches))


def _by_engine(path: Path, here: Surroundings) -> BatchStream:
    """CSV and JSON: the engine finds delimiter, header and types, and streams the rows."""
    if path.stat().st_size == 0:
        raise SourceFailed(
            f"“{path.name}” is empty: not even its columns are known.", field="source.path"
        )
    _, ending, _ = split_ending(path.name)
    table = ending in (".csv", ".tsv")
    if table:
        # the whole file decides a type, so that a late text does not break the run half way
        # left to itself the sniffer skips lines that look like a title or a comment: rows lost
        call = (
            f"read_csv({_one_file(path)}, sample_size = -1, skip = 0, comment = '', "
            "allow_quoted_nulls = false, hive_partitioning = false)"
        )
    else:
        shape = "newline_delimited" if ending in (".jsonl", ".ndjson") else "auto"
        call = (
            f"read_json({_one_file(path)}, format = '{shape}', sample_size = -1, "
            "hive_partitioning = false)"
        )
    stack = ExitStack()
    try:
        connection = stack.enter_context(
            engine.session(
                here.scratch,
                memory_limit=here.memory_limit,
                threads=here.threads,
                readable=[path],
            )
        )
        # the whole file is looked at for its types here
        with interrupting(here.cancelled, connection.interrupt), engine.translated():
            rows = connection.sql(f"SELECT * FROM {call}")
            names = _own_names(connection, path, rows.columns) if table else rows.columns
            reader = rows.to_arrow_reader(_ROWS)
    except BaseException:
        stack.close()
        raise
    return BatchStream(
        schema=pa.schema([f.with_name(n) for f, n in zip(reader.schema, names, strict=True)]),
        batches=(batch.rename_columns(names) for batch in _translated(path, reader)),
        interrupt=connection.interrupt,
        close=stack.close,
    )


_NUMBERED = re.compile(r"(.+)_\d+", re.DOTALL)


def _own_names(connection: Any, path: Path, names: list[str]) -> list[str]:
    """Return the names as the file has them: to the engine ``A`` and ``a`` are the same, and it
    calls the second one ``a_1``."""
    folded = {name.casefold() for name in names}
    found = [_NUMBERED.fullmatch(name) for name in names]
    if not any(match and match[1].casefold() in folded for match in found):
        return names
    call = f"read_csv({_one_file(path)}, skip = 0, comment = '', header = false, all_varchar = true"
    lines = connection.sql(f"SELECT * FROM {call}, hive_partitioning = false) LIMIT 1").fetchall()
    if len(lines) != 1 or len(lines[0]) != len(names):
        return names
    return [
        given if match and match[1] == given else name
        for name, match, given in zip(names, found, lines[0], strict=True)
    ]


def _translated(path: Path, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        with engine.translated():
            yield from _guarded(path, iter(reader))
    except QueryFailed as error:
        raise _unreadable(path, error) from error


def _xlsx(path: Path, here: Surroundings) -> BatchStream:
    from .xlsx import open_workbook  # openpyxl only when a workbook is read

    return open_workbook(path)


_OPENERS: dict[str, Callable[[Path, Surroundings], BatchStream]] = {
    ".csv": _by_engine,
    ".tsv": _by_engine,
    ".json": _by_engine,
    ".jsonl": _by_engine,
    ".ndjson": _by_engine,
    ".parquet": _parquet,
    ".pq": _parquet,
    ".arrow": _arrow,
    ".arrows": _arrow,
    ".feather": _arrow,
    ".xlsx": _xlsx,
}
