"""The one-way road: source -> batches -> transform -> format -> compress -> sink -> publish.

``run`` is a generator: every surface consumes the same ``Progress`` values, and the last value
is the ``Result``. A run that raises has written nothing under the final name. ``preview`` goes the
same road with the first rows and writes nothing at all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import cast

from .. import registry
from ..errors import Cancelled, Incomplete, LossRefused, TooLarge
from ..progress import Phase, Progress, Result
from ..registry import Chunk, LossLedger, Retyped, Surroundings
from ..room import Room
from ..sinks import Sink, open_sink
from ..sinks.folder import MANIFEST
from ..spec import ExportSpec
from . import encoding
from .explaining import explained
from .meter import Meter
from .opening import Databases, Opened, Opening
from .preview import Preview, losses_of_types, preview

__all__ = ["Phase", "Preview", "Progress", "Result", "Surroundings", "preview", "run"]


def run(spec: ExportSpec, here: Surroundings) -> Iterator[Progress | Result]:
    """Run ``spec``; yield ``Progress`` as it goes (at most 20 a second), at the end one ``Result``.

    Raises ``ExportError`` (never anything else) and then leaves neither ``here.target`` changed
    nor ``here.part`` behind.
    """
    with explained(here), ExitStack() as stack:
        databases = Databases(here, stack)
        while True:
            try:
                yield from _attempt(spec, here, databases)
            except Retyped:
                # the database knows the type by now; each time it is another column
                continue
            return


def _attempt(
    spec: ExportSpec, here: Surroundings, databases: Databases
) -> Iterator[Progress | Result]:
    with ExitStack() as stack:
        choice = registry.choose(spec, here.target.name)
        context = encoding.context_of(spec, choice, here)
        meter = Meter()
        target = here.target if here.out is None else None
        room = Room(target, here.scratch, here.min_free_disk, most=here.disk_left)
        room.check()
        yield meter.progress("reading")
        opened = Opening(here, databases, meter, stack).open(spec)
        tables = [each.table for each in opened]
        schemas = {table.name: table.schema for table in tables}
        losses = losses_of_types(opened, choice)
        _refuse_losses(spec, losses)
        counters = encoding.Counters(choice, streamed=here.out is not None)
        chunks = stack.enter_context(
            closing(
                cast("Generator[Chunk]", encoding.encode(tables, choice, context, losses)),
            )
        )

        def heard() -> None:
            if here.cancelled.is_set():
                raise Cancelled("The export was cancelled.")

        sink = stack.enter_context(
            open_sink(choice, here, if_exists=spec.output.if_exists, check=heard)
        )
        for chunk in chunks:
            heard()
            room.check(sink.bytes if here.temporary else 0)
            counters.update(chunk)
            meter.wrote(chunk.rows, sink.bytes)
            # before they are written: what was sent cannot be taken back
            _check_limits(here, meter)
            sink.write(chunk.data, chunk.file)
            if meter.due():
                yield meter.progress("writing")
        yield meter.progress("publishing")
        sink.finish()
        room.check(sink.bytes if here.temporary else 0, at_once=True)
        # what the compressor held back until now counts as well
        meter.wrote(0, sink.bytes)
        _check_limits(here, meter)
        rows = counters.finish(sink)
        _prove(meter, sum(rows.values()), opened)
        _refuse_losses(spec, losses)
        if encoding.separately(tables, choice):
            sink.write(encoding.manifest(spec, context, tables, rows, sink), MANIFEST)
            sink.finish()
        sink.seal()
        heard()

        def result(path: Path) -> Result:
            lines = encoding.reader(schemas, choice, context, path)
            return _result(here, path, rows, sink, losses, lines)

        proved = result(here.target)
        here.approve(proved)
        published = sink.publish()
        yield meter.progress("done", final=True)
        yield proved if published == here.target else result(published)


def _check_limits(here: Surroundings, meter: Meter) -> None:
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


def _prove(meter: Meter, counted: int, opened: list[Opened]) -> None:
    """Rows read = rows written = rows counted in the finished file, or there is no file; with
    steps between, the rows that came out of them stand for those read."""
    whole = all(each.keeps_all_rows for each in opened)
    due = meter.read if whole else meter.taken
    if not counted == meter.rows == meter.taken == due:
        raise Incomplete(
            f"The file is not complete: {due:,} rows were read, {meter.rows:,} written, "
            f"{counted:,} counted in it.",
            hint="Nothing was published; please report this.",
        )


def _refuse_losses(spec: ExportSpec, losses: LossLedger) -> None:
    if spec.on_loss != "error":
        return
    for loss in losses:
        of = f" of “{loss.dataset}”" if loss.dataset else ""
        shown = f" (for example “{loss.example}”)" if loss.example is not None else ""
        raise LossRefused(
            f"Column “{loss.column}”{of} would not be exported as it is: {loss.message}{shown}.",
            hint=f"Use {loss.option}, or on_loss “warn”." if loss.option else "Use on_loss “warn”.",
            field="on_loss",
        )


def _result(
    here: Surroundings,
    published: Path,
    rows: Mapping[str, int],
    sink: Sink,
    losses: LossLedger,
    reader: str,
) -> Result:
    def shown(path: Path) -> str:
        try:
            return path.relative_to(here.root).as_posix()
        except ValueError:
            return str(path)

    total = sum(rows.values())
    files = tuple(
        {
            "path": shown(published / each.name if each.name else published),
            "rows": rows.get(each.name, 0) if each.name else total,
            "bytes": each.bytes,
            "sha256": each.sha256,
        }
        for each in sink.files()
    )
    return Result(
        path=shown(published),
        rows=total,
        bytes=sink.bytes,
        sha256=sink.sha256,
        files=files,
        losses=tuple(loss.to_json() for loss in losses),
        reader=reader,
    )
