"""Rows that the engine reads from files, as a stream; what it complains of, in our sentences."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ... import engine
from ...errors import Cancelled, ExportError, QueryFailed
from ...registry import BatchStream, Surroundings, interrupting, split_ending
from .waiting import heard

ROWS = 65_536
LONGEST_LINE = 64 * 2**20
"""Bytes of a line of text that are read at all."""
Explain = Callable[[str], ExportError | None]
"""The engine's whole message -> our error, or None where it has nothing to add."""


class LineTooLong(Exception):
    """A line is longer than ``LONGEST_LINE``."""


@contextmanager
def explained(explain: Explain, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Turn the engine's errors into ours; ``explain`` sees those that are about the data."""
    try:
        yield
    except (duckdb.Error, QueryFailed) as error:
        if cancelled():
            raise Cancelled("The export was cancelled.") from error
        # a session has translated it already, and keeps the whole message as the cause
        whole = error.__cause__ if isinstance(error, QueryFailed) else error
        ours = error if isinstance(error, ExportError) else engine.explain(error)
        if isinstance(ours, QueryFailed):
            ours = explain(str(whole or error)) or ours
        raise ours from error


@contextmanager
def looking(
    files: Sequence[Path], here: Surroundings, explain: Explain
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a session that reads ``files`` and is ended by a cancel."""
    with (
        explained(explain, here.cancelled.is_set),
        engine.session(
            here.scratch,
            memory_limit=here.memory_limit,
            threads=here.threads,
            readable=files,
        ) as connection,
        interrupting(here.cancelled, connection.interrupt),
    ):
        yield connection


def stream(
    query: str,
    names: Sequence[str],
    files: Sequence[Path],
    here: Surroundings,
    explain: Explain,
    *,
    total_rows: int | None = None,
) -> BatchStream:
    """Run ``query`` over ``files``; its columns get ``names``."""
    stack = ExitStack()
    try:
        with explained(explain, here.cancelled.is_set):
            connection = stack.enter_context(
                engine.session(
                    here.scratch,
                    memory_limit=here.memory_limit,
                    threads=here.threads,
                    readable=files,
                )
            )
            with interrupting(here.cancelled, connection.interrupt):
                reader = connection.sql(query).to_arrow_reader(ROWS)
    except BaseException:
        stack.close()
        raise
    schema = pa.schema([f.with_name(n) for f, n in zip(reader.schema, names, strict=True)])
    schema = schema.remove_metadata()
    return BatchStream(
        schema=schema,
        batches=_batches(reader, schema, here, explain),
        total_rows=total_rows,
        interrupt=connection.interrupt,
        close=stack.close,
    )


def _batches(
    reader: Any, schema: pa.Schema, here: Surroundings, explain: Explain
) -> Iterator[pa.RecordBatch]:
    with explained(explain, here.cancelled.is_set):
        try:
            for batch in reader:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except (pa.ArrowInvalid, OSError) as error:
            # the engine's own errors come through Arrow's reader as Arrow's
            if isinstance(error, ExportError):
                raise
            if here.cancelled.is_set():
                raise Cancelled("The export was cancelled.") from error
            raise explain(str(error)) or QueryFailed(str(error).split("\n", 1)[0]) from error


def one_file(path: Path) -> str:
    """Return the path as SQL, its ``*``, ``?`` and ``[`` meant as they stand."""
    escaped = "".join(f"[{each}]" if each in "*?[" else each for each in str(path))
    return engine.literal(escaped)


def opened(path: Path) -> io.TextIOWrapper:
    """Open a text file, perhaps compressed, as UTF-8; bytes that are none become surrogates."""
    _, _, packed = split_ending(path.name)
    packing = {".gz": "gzip", ".zst": "zstd"}.get(packed)
    raw = pa.input_stream(str(path), compression=packing)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def lines(text: io.TextIOWrapper, here: Surroundings) -> Iterator[str]:
    """Yield the lines of a text file. A small file may unpack to one line of any length, and lines
    without end: raises ``LineTooLong``, and ``Cancelled`` within some thousand lines."""
    for number in itertools.count():
        if number % 4096 == 0:
            heard(here)
        line = text.readline(LONGEST_LINE + 1)
        if not line:
            return
        if len(line) > LONGEST_LINE:
            raise LineTooLong
        yield line
