"""The one-way road: source -> batches -> transform -> format -> compress -> sink -> publish.

``run`` is a generator: every surface consumes the same ``Progress`` values, and the last value
is the ``Result``. A run that raises has written nothing under the final name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from . import registry, transform
from .errors import (
    Cancelled,
    ExportError,
    Incomplete,
    InternalError,
    LossRefused,
    OutOfMemory,
    SourceFailed,
    TooLarge,
)
from .progress import Phase, Progress, Result
from .registry import Chunk, Surroundings
from .sinks.local import LocalSink
from .sinks.local import explain as explain_os_error
from .spec import ExportSpec

__all__ = ["Phase", "Progress", "Result", "Surroundings", "run"]


def run(spec: ExportSpec, here: Surroundings) -> Iterator[Progress | Result]:
    """Run ``spec``; yield ``Progress`` as it goes (at most 20 a second), at the end one ``Result``.

    Raises ``ExportError`` (never anything else) and then leaves neither ``here.target`` changed
    nor ``here.part`` behind.
    """
    with _explained(here), ExitStack() as stack:
        dataset = spec.datasets[0]
        chosen, compression, _ = registry.format_for(spec, here.target.name)
        options = registry.check_options(
            chosen, spec.format.options if spec.format else {}, here.target.name
        )
        meter = _Meter()
        yield meter.progress("reading")
        stream = registry.source(dataset.source.type)(dataset.source, here)
        stack.callback(stream.close)
        selection = transform.compile_selection(dataset, stream.schema)
        counted = replace(stream, batches=_read(stream.batches, meter, here.cancelled))
        selected = transform.apply(
            selection,
            counted,
            scratch=here.scratch,
            memory_limit=here.memory_limit,
            threads=here.threads,
        )
        stack.enter_context(registry.interrupting(here.cancelled, selected.interrupt))
        meter.total = selected.total_rows
        meter.source_total = stream.total_rows
        losses = registry.LossLedger()
        for loss in chosen.losses(selected.schema, options):
            losses.add(loss)
        _refuse_losses(spec, losses)
        counter = chosen.counter(options)
        chunks = chosen.encode(
            selected.schema, selected.batches, options, threads=here.threads, losses=losses
        )
        # its threads end before the source underneath them is closed
        stack.enter_context(closing(cast("Generator[Chunk]", chunks)))
        sink = stack.enter_context(
            LocalSink(
                here.target,
                here.part,
                if_exists=spec.output.if_exists,
                compression=compression,
            )
        )
        for chunk in chunks:
            if here.cancelled.is_set():
                raise Cancelled("The export was cancelled.")
            counter.update(chunk.data)
            sink.write(chunk.data)
            meter.wrote(chunk.rows, sink.bytes)
            _check_limits(here, meter)
            if meter.due():
                yield meter.progress("writing")
        yield meter.progress("publishing")
        sink.finish()
        # what the compressor held back until now counts as well
        meter.wrote(0, sink.bytes)
        _check_limits(here, meter)
        rows = counter.finish(sink.part)
        _prove(meter, rows, whole=selection.keeps_all_rows)
        _refuse_losses(spec, losses)
        # a reader that cannot be told must fail here, not when the file is there already
        chosen.reader(selected.schema, str(here.target), options, compression)
        if here.cancelled.is_set():
            raise Cancelled("The export was cancelled.")
        published = sink.publish()
        yield meter.progress("done", final=True)
        yield _result(
            here,
            published,
            rows,
            sink,
            losses,
            chosen.reader(selected.schema, str(published), options, compression),
        )


class _Meter:
    """Counts what passes, and says twenty times a second at most how far it is."""

    def __init__(self) -> None:
        self.read = 0
        self.rows = 0
        self.bytes = 0
        self.total: int | None = None
        self.source_total: int | None = None
        self._started = time.monotonic()
        self._said = self._started

    def wrote(self, rows: int, size: int) -> None:
        self.rows += rows
        self.bytes = size

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._said < 0.05:
            return False
        self._said = now
        return True

    def progress(self, phase: Phase, *, final: bool = False) -> Progress:
        elapsed = time.monotonic() - self._started
        rate = self.rows / elapsed if elapsed > 0 and self.rows else None
        share = None
        if final:
            share = 1.0
        elif self.total:
            share = self.rows / self.total
        elif self.source_total:
            # how many rows a condition keeps is unknown: what has been read tells how far it is
            share = self.read / self.source_total
        eta = None
        if share and not final and elapsed > 0.2:
            eta = round(elapsed / share - elapsed, 1)
        return Progress(
            phase=phase,
            rows=self.rows,
            total_rows=self.rows if final else self.total,
            percent=None if share is None else round(min(share, 1.0) * 100, 1),
            bytes=self.bytes,
            rows_per_second=None if rate is None else round(rate, 1),
            eta_seconds=eta,
        )


def _read(
    batches: Iterator[pa.RecordBatch], meter: _Meter, cancelled: threading.Event
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if cancelled.is_set():
            raise Cancelled("The export was cancelled.")
        meter.read += batch.num_rows
        yield batch


def _check_limits(here: Surroundings, meter: _Meter) -> None:
    if here.max_rows is not None and meter.rows > here.max_rows:
        raise TooLarge(
            f"The export has more than {here.max_rows:,} rows, the most that is allowed here.",
            hint="Narrow it with where or limit.",
        )
    if here.max_bytes is not None and meter.bytes > here.max_bytes:
        raise TooLarge(
            f"The file is larger than {here.max_bytes:,} bytes, the most that is allowed here.",
            hint="Narrow it with where or limit, or compress it.",
        )


def _prove(meter: _Meter, counted: int, *, whole: bool) -> None:
    """Rows read = rows written = rows counted in the finished file, or there is no file."""
    if counted != meter.rows or (whole and meter.read != meter.rows):
        raise Incomplete(
            f"The file is not complete: {meter.read:,} rows were read, {meter.rows:,} written, "
            f"{counted:,} counted in it.",
            hint="Nothing was published; please report this.",
        )


def _refuse_losses(spec: ExportSpec, losses: registry.LossLedger) -> None:
    if spec.on_loss != "error":
        return
    for loss in losses:
        raise LossRefused(
            f"Column “{loss.column}” would not be exported as it is: {loss.message}.",
            hint=f"Use {loss.option}, or on_loss “warn”." if loss.option else "Use on_loss “warn”.",
            field="on_loss",
        )


def _result(
    here: Surroundings,
    published: Path,
    rows: int,
    sink: LocalSink,
    losses: registry.LossLedger,
    reader: str,
) -> Result:
    try:
        path = published.relative_to(here.root).as_posix()
    except ValueError:
        path = str(published)
    one = {"path": path, "rows": rows, "bytes": sink.bytes, "sha256": sink.sha256}
    return Result(
        path=path,
        rows=rows,
        bytes=sink.bytes,
        sha256=sink.sha256,
        files=(one,),
        losses=tuple(loss.to_json() for loss in losses),
        reader=reader,
    )


@contextmanager
def _explained(here: Surroundings) -> Iterator[None]:
    """Let nothing but our own errors out; what nobody foresaw keeps its traceback as the cause."""
    try:
        yield
    except ExportError as error:
        if here.cancelled.is_set() and not isinstance(error, Cancelled):
            raise Cancelled("The export was cancelled.") from error
        raise
    except MemoryError as error:
        raise OutOfMemory(
            "The export needs more memory than there is.",
            hint="Export fewer columns or rows, or raise memory_limit_per_job.",
        ) from error
    except OSError as error:
        if isinstance(error, pa.ArrowException):
            raise _of_arrow(error) from error
        raise explain_os_error(error, here.target) from error
    except pa.ArrowException as error:
        raise _of_arrow(error) from error
    except Exception as error:  # the promise of ``run``: the worker and the user see one sentence
        raise InternalError(
            f"The export stopped on an unexpected {type(error).__name__}.",
            hint="The log has the details.",
        ) from error


def _of_arrow(error: Exception) -> ExportError:
    first = str(error).strip().split("\n", 1)[0].rstrip(".")
    if isinstance(error, pa.ArrowMemoryError):
        return OutOfMemory(f"The export needs more memory than there is: {first}.")
    return SourceFailed(f"The data cannot be exported as it is: {first}.")
