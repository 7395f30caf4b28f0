"""The magic itself: reads a line, has it done, and shows what came of it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from ..client import ExportClient
from ..client.job import Job
from ..client.notebook import Namespace
from ..errors import (
    Cancelled,
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    OutputExists,
    did_you_mean,
)
from . import caret, clipboard, helptext, live, run, templates
from .arguments import Arguments, parse
from .expansion import expanded
from .options import typed_options
from .query import pointed
from .request import Request, request_of
from .service import answering_client
from .sources import unknown_connection


@magics_class
class ExportMagics(Magics):
    """Parses, asks the client, draws. ``shell`` is IPython's."""

    shell: Any

    @no_var_expand
    @needs_local_scope
    @line_cell_magic("export")  # type: ignore[arg-type]
    def export(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Job | None:
        debug = "--debug" in line.split()
        names = ChainMap(local_ns or {}, self.shell.user_ns)
        asked = Arguments(places=caret.Places(line))
        try:
            with _not_begun():
                line = expanded(line, names)
            asked = Arguments(places=caret.Places(line))
            asked = parse(line)
            return self._run(asked, cell, names)
        except ExportError as error:
            if isinstance(error, OutputExists) and not hasattr(error, "_render_traceback_"):
                error.hint = "Choose another name, or add --replace."
            if not debug:
                self._quiet(error, asked, cell)
            raise

    def _run(self, asked: Arguments, cell: str | None, names: Namespace) -> Job | None:
        """Do what the line asks for; return its job, if it has one."""
        about_jobs = asked.jobs or asked.status is not None or asked.cancel is not None
        if asked.help or (asked.places.line.strip() == "" and cell is None):
            print(helptext.help_on(asked.words, answering_client), end="")
            return None
        if about_jobs:
            return self._about_jobs(asked)
        if asked.panel:
            from .panel import show_panel

            show_panel(asked, cell, names)
            return None
        with _not_begun():  # in an expression, or while the service is asked for a name
            request = request_of(asked, cell, names)
        try:
            return self._export(asked, request)
        except InvalidSpec as error:
            if asked.connection and (error.field or "").endswith("source.connection"):
                raise unknown_connection(asked.connection, names, error) from None
            raise

    def _export(self, asked: Arguments, request: Request) -> Job | None:
        request.fields["options"] = typed_options(asked, request)
        saved = None
        if asked.save_template is not None:
            saved, request = templates.to_be_saved(asked, request)
        try:
            if asked.preview:
                run.show_preview(request, self.shell)
                job = None
            elif asked.to is not None:
                self._to_clipboard(asked, request)
                job = None
            else:
                job = run.start_job(self, request, wait=asked.wait)
        except ExportError as error:
            if request.origin is not None:
                found = caret.locate_beside(error, asked.places, request.path_given)
                if found is None:
                    raise request.origin.explained(error) from error
                caret.at(error, found)
            raise
        if asked.save_template is not None and saved is not None:
            print(templates.save(asked.save_template, saved))
        return job

    def _to_clipboard(self, asked: Arguments, request: Request) -> None:
        if request.path is not None and request.origin is None:
            raise caret.at(
                InvalidRequest(
                    f"The line names “{request.path}”, and --to clipboard writes no file.",
                    hint="Leave one of them out.",
                ),
                caret.span_of(asked.places.words[-1]),
            )
        clipboard.copy(request.source, request.fields, self.shell)

    # ------------------------------------------------------------- jobs there are

    def _about_jobs(self, asked: Arguments) -> Job | None:
        if asked.words:
            flag = asked.places.of("--jobs", "--status", "--cancel")[0].flag
            raise caret.at(
                InvalidRequest(
                    f"{flag} exports nothing, and the line names “{asked.words[0]}”.",
                    hint="Give each a line of its own.",
                ),
                caret.span_of(asked.places.words[0]),
            )
        client = answering_client()
        if asked.jobs:
            live.show_table(client.list(limit=20), self.shell)
            return None
        job = Job(client, _find(client, asked.cancel or asked.status or ""))
        if asked.cancel:
            job.cancel().wait(5)
        live.surface_for(self.shell).draw(job.card(), final=True)
        self.mark(job)
        return job

    # ------------------------------------------------------------- display

    def mark(self, job: Job) -> None:
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
        self.mark(job)
        live.show_unattended(job, live.surface_for(self.shell))

    def _quiet(self, error: ExportError, asked: Arguments, cell: str | None) -> None:
        """Let IPython show ``error`` as one sentence, with the line and a caret under the word
        that is wrong; the cell still fails, so a run stops."""
        colour = self.shell.colors.lower() != "nocolor"
        said = str(run.sentence_of(error))
        mark = "\x1b[31m✕\x1b[0m" if colour else "✕"
        shown = [f"{mark} {said}"]
        excerpt = caret.excerpt_of(error)
        span = caret.locate(error, asked.places) if excerpt is None else None
        if excerpt is None and span is None and cell is not None:
            excerpt = pointed(error, cell)
        if excerpt is not None:
            shown.append(excerpt.shown(colour=colour))
        elif span is not None:
            magic = "%export " if cell is None else "%%export "
            shown.append(caret.sketch(asked.places.line, span, before=magic, colour=colour))
        error._render_traceback_ = lambda: ["\n".join(shown)]  # type: ignore[attr-defined]


@contextmanager
def _not_begun() -> Iterator[None]:
    """Say of an interrupt that nothing was done."""
    try:
        yield
    except KeyboardInterrupt:
        raise Cancelled(
            "The export was interrupted before it began; nothing was written."
        ) from None


vars(ExportMagics)["export"].__doc__ = helptext.PAGE


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
