"""``%export`` and ``%%export``: a line of the notebook becomes a job, shown while it runs."""

from __future__ import annotations

from collections import ChainMap
from contextlib import suppress
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope

from ..client import ExportClient, find_client
from ..client.draft import unique
from ..client.export import StartInterrupted, preview, start
from ..client.job import Job
from ..client.own import rows_of_query
from ..client.preview import text as preview_text
from ..client.rows import Rows
from ..errors import (
    Cancelled,
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    OutputExists,
    did_you_mean,
)
from . import live
from .arguments import USAGE, Arguments, parse, sql_condition_in, unquoted
from .sources import (
    Query,
    columns_of,
    connection_of,
    frame_of,
    is_name_of_frame,
    is_of_service_too,
    query_in,
    unknown_connection,
)
from .steps import pivot, steps_of

QUICK = 0.25
"""Seconds that the service may take to answer with a finished job, in one round trip."""
PREVIEW_ROWS = 10


def load(shell: Any) -> None:
    """Register the magics, and the way a ``Job`` displays itself."""
    magics = ExportMagics(shell)
    shell.register_magics(magics)
    shell.display_formatter.ipython_display_formatter.for_type(Job, magics.display_job)


def unload(shell: Any) -> None:
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("export", None)
    with suppress(KeyError):
        shell.display_formatter.ipython_display_formatter.pop(Job)


@magics_class
class ExportMagics(Magics):
    """Parses, asks the client, draws. ``shell`` is IPython's."""

    shell: Any

    @needs_local_scope
    @line_cell_magic("export")  # type: ignore[arg-type]
    def export(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Job | None:
        """Export a frame (%export) or the rows of a query (%%export); %export --help."""
        debug = "--debug" in line.split()
        try:
            return self._run(line, cell, local_ns or {})
        except ExportError as error:
            if isinstance(error, OutputExists):
                error.hint = "Choose another name, or add --replace."
            if not debug and not hasattr(error, "_render_traceback_"):
                self._quiet(error)
            raise

    def _run(self, line: str, cell: str | None, local_ns: dict[str, Any]) -> Job | None:
        """Do what the line asks for; return its job, if it has one."""
        asked = parse(line)
        if asked.help or (not asked.words and cell is None and not _about_jobs(asked)):
            print(USAGE, end="")
            return None
        if _about_jobs(asked):
            return self._about_jobs(asked)
        names = ChainMap(local_ns, self.shell.user_ns)
        remarks: tuple[str, ...] = ()
        try:
            if cell is None:
                name, source, path = _frames_and_path(asked, names)
            else:
                name, path = "query", _only_path(asked)
                source, remarks = _rows_of_cell(cell, asked, names)
        except KeyboardInterrupt:  # in an expression, or while the service is asked for a name
            raise Cancelled(
                "The export was interrupted before it began; nothing was written."
            ) from None
        fields = {
            "name": asked.name or name or _stem(path) or "export",
            "format": asked.format,
            "compression": asked.compress,
            **steps_of(asked, columns_of(source)),
            "options": asked.options | ({"sheet": asked.sheet} if asked.sheet is not None else {}),
            "if_exists": "replace" if asked.replace else None,
        }
        try:
            if asked.preview:
                self._preview(source, path, fields)
                return None
            return self._start(source, path, {**fields, "remarks": remarks}, wait=asked.wait)
        except InvalidSpec as error:
            if asked.connection and (error.field or "").endswith("source.connection"):
                raise unknown_connection(asked.connection, names, error) from None
            raise

    @staticmethod
    def _preview(source: Any, path: str | None, fields: dict[str, Any]) -> None:
        """Show the first rows and the losses; an interrupt ends it, and nothing was written."""
        try:
            found = preview(source, path, rows=PREVIEW_ROWS, **fields)
        except KeyboardInterrupt:
            raise Cancelled("The preview was interrupted.") from None
        print(preview_text(found))

    # ------------------------------------------------------------- a new job

    def _start(self, source: Any, path: str | None, fields: dict[str, Any], *, wait: bool) -> Job:
        surface = live.surface_for(self.shell)
        try:
            with live.Sending(surface, _file_name(path) or fields["name"], _rows(source)):
                job = start(source, path, wait=QUICK if wait else 0.0, **fields)
        except StartInterrupted as stopped:
            self._mark(stopped.job)
            self._interrupted(stopped.job, surface)
            return stopped.job
        except KeyboardInterrupt:
            surface.leave()
            raise Cancelled(
                "The export was interrupted before its rows were frozen; nothing was written."
            ) from None
        except ExportError:
            surface.leave()
            raise
        self._mark(job)
        if not wait:
            live.show_unattended(job, surface)
            return job
        self._attend(job, surface)
        return job

    def _attend(self, job: Job, surface: live.Surface) -> None:
        """Wait with a live card. An interrupt cancels; a failure is raised, so that a run stops."""
        try:
            live.follow(job, surface)
        except KeyboardInterrupt:
            self._interrupted(job, surface)
            return
        if job.state["status"] != "completed":
            error = self._failure(job)
            # The card above has said why.
            self._quiet(error, f"{job.title} was not exported.")
            raise error

    @staticmethod
    def _interrupted(job: Job, surface: live.Surface) -> None:
        """Cancel and say so; return only if the job was faster than the interrupt."""
        with suppress(ExportError, KeyboardInterrupt):
            job.cancel()
            job.wait(5)
        surface.draw(job.card(), final=True)
        if job.state["status"] != "completed":
            raise Cancelled(
                f"The export of {job.title} was interrupted and cancelled; nothing was written."
            ) from None

    @staticmethod
    def _failure(job: Job) -> ExportError:
        try:
            job.result(0)
        except ExportError as error:
            return error
        raise AssertionError("the job is completed")

    # ------------------------------------------------------------- jobs there are

    def _about_jobs(self, asked: Arguments) -> Job | None:
        client = _answering_client()
        if asked.jobs:
            live.show_table(client.list(limit=20), self.shell)
            return None
        job = Job(client, _find(client, asked.cancel or asked.status or ""))
        if asked.cancel:
            job.cancel().wait(5)
        live.surface_for(self.shell).draw(job.card(), final=True)
        self._mark(job)
        return job

    # ------------------------------------------------------------- display

    def _mark(self, job: Job) -> None:
        """Remember that this cell shows ``job`` already, also when the job is its last value."""
        self._shown = (id(job), self.shell.execution_count)

    _shown: tuple[int, int] | None = None

    def display_job(self, job: Job) -> None:
        """Display a job that is a cell's value; not a second time in the cell that started it."""
        if self._shown == (id(job), self.shell.execution_count):
            if not live.has_front_end(self.shell):
                print(job.path or job.title)  # A terminal has written its Out[n] already.
            return
        with suppress(ExportError):
            job.refresh()
        self._mark(job)
        live.show_unattended(job, live.surface_for(self.shell))

    def _quiet(self, error: ExportError, sentence: str | None = None) -> None:
        """Let IPython show ``error`` as one sentence; the cell still fails, so a run stops."""
        said = sentence or str(error)
        name = type(error).__name__
        colour = self.shell.colors.lower() != "nocolor"
        shown = f"\x1b[31m{name}\x1b[0m: {said}" if colour else f"{name}: {said}"
        error._render_traceback_ = lambda: [shown]  # type: ignore[attr-defined]


def _rows_of_cell(cell: str, asked: Arguments, names: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the source that a cell's SQL is, on a database or over the notebook's frames, and
    what is to be remarked on it."""
    if not asked.connection:
        if asked.params:
            raise InvalidRequest(
                "--param belongs to SQL on a connection.",
                hint="Add --connection NAME; SQL over frames is the notebook's own, with its "
                "values in it.",
            )
        query = Query(cell, names)
        return Rows(query.read, query.interrupt, query.close), ()
    sql = query_in(cell)
    own = connection_of(asked.connection, names)
    if own is not None:
        rows = rows_of_query(own, sql, asked.params)
        if not is_of_service_too(asked.connection):
            return rows, ()
        name = asked.connection
        return rows, (f"“{name}” is this notebook's variable, not the connection of the settings.",)
    source = {"type": "sql", "connection": asked.connection, "query": sql}
    return source | ({"params": asked.params} if asked.params else {}), ()


def _frames_and_path(asked: Arguments, names: Any) -> tuple[str, Any, str | None]:
    """Return the export's name, its frame (or several by their names), and the line's path."""
    words = asked.words
    if asked.connection:
        raise InvalidRequest("--connection needs SQL.", hint="Write it in a cell of %%export.")
    if asked.params:
        raise InvalidRequest("--param needs SQL.", hint="Write it in a cell of %%export.")
    if asked.pivot is not None:
        pivot(asked.pivot)  # before what lost its quotes is taken for a frame
    if sql_condition_in(words):
        raise InvalidRequest(
            "The line has a condition without quotes.",
            hint='Write --where "dep_delay > 60".',
        )
    has_path = len(words) > 1 and not is_name_of_frame(words[-1], names)
    path = unquoted(words[-1]) if has_path else None
    found = [frame_of(word, names) for word in (words[:-1] if has_path else words)]
    if len(found) == 1:
        ((name, frame),) = found
        return name, frame, path
    _refuse_flags_of_one(asked, len(found))
    called = unique([name for name, _ in found])
    frames = {name: frame for name, (_, frame) in zip(called, found, strict=True)}
    return _stem(path) or "_".join(called)[:60], frames, path


def _refuse_flags_of_one(asked: Arguments, frames: int) -> None:
    for name in (
        "where",
        "time_range",
        "compute",
        "group_by",
        "aggregate",
        "pivot",
        "columns",
        "distinct",
        "sort",
    ):
        flag = f"--{name.replace('_', '-')}"
        if getattr(asked, name):
            raise InvalidRequest(
                f"{flag} means one frame, and the line names {frames}.",
                hint="Narrow the frames themselves, or use jupyter_export.export with a mapping.",
            )


def _only_path(asked: Arguments) -> str | None:
    if len(asked.words) > 1:
        raise InvalidRequest(
            f"%%export takes one path, and the line has {len(asked.words)} words.",
            hint="The rows come from the cell's SQL; put a path with blanks in quotes.",
        )
    return unquoted(asked.words[0]) if asked.words else None


def _about_jobs(asked: Arguments) -> bool:
    return asked.jobs or asked.status is not None or asked.cancel is not None


def _answering_client() -> ExportClient:
    from ..client import LocalClients
    from ..errors import ServerUnavailable

    client = find_client()
    try:
        client.check()
    except ServerUnavailable:
        return LocalClients.here()
    return client


def _find(client: ExportClient, job_id: str) -> dict[str, Any]:
    """Return the job of that id, or the only one whose id begins so."""
    try:
        return client.show(job_id)
    except NotFound:
        page = client.list(limit=200)["jobs"]
        found = [job for job in page if job_id and str(job["id"]).startswith(job_id)]
        if len(found) == 1:
            return dict(found[0])
        if found:
            raise InvalidRequest(
                f"{len(found)} jobs have ids that begin with “{job_id}”.", hint="Give more of it."
            ) from None
        known = [str(job["id"]) for job in page]
        hint = did_you_mean(job_id, known) if known else "There are no jobs yet."
        raise NotFound(f"There is no job “{job_id}”.", hint=hint) from None


def _rows(source: Any) -> int | None:
    """Return the number of rows that will be sent, where the frames know theirs."""
    if isinstance(source, dict) and isinstance(source.get("type"), str):
        return None
    try:
        return sum(map(len, source.values() if isinstance(source, dict) else [source]))
    except TypeError:
        return None


def _file_name(path: str | None) -> str | None:
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] if path else None


def _stem(path: str | None) -> str | None:
    name = _file_name(path)
    return name.split(".", 1)[0] or name if name else None
