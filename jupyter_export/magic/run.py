"""What a line asks for, done: the preview, or the job that is waited for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ..client import preview_html
from ..client.export import StartInterrupted, preview, start
from ..client.job import Job
from ..client.preview import text as preview_text
from ..errors import Cancelled, ExportError
from . import headless, live
from .request import Request, file_name

if TYPE_CHECKING:
    from .magics import ExportMagics

QUICK = 0.25
"""Seconds that the service may take to answer with a finished job, in one round trip."""
PREVIEW_ROWS = 10


def show_preview(request: Request, shell: Any) -> None:
    """Show the first rows and the losses; an interrupt ends it, and nothing was written."""
    try:
        found = preview(request.source, request.path, rows=PREVIEW_ROWS, **request.fields)
    except KeyboardInterrupt:
        raise Cancelled("The preview was interrupted.") from None
    text = preview_text(found)
    if live.has_front_end(shell):
        bundle = {"text/html": preview_html.html(found), "text/plain": text}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(text)


def start_job(magics: ExportMagics, request: Request, *, wait: bool) -> Job:
    """Start the job of ``request``, and wait for it with a live card. An interrupt cancels."""
    surface = live.surface_for(magics.shell)
    title = file_name(request.path) or request.fields["name"]
    try:
        with live.Sending(surface, title, _rows(request.source)):
            job = start(
                request.source,
                request.path,
                wait=QUICK if wait else 0.0,
                remarks=request.remarks,
                **request.fields,
            )
    except StartInterrupted as stopped:
        magics.mark(stopped.job)
        _interrupted(stopped.job, surface)
        return stopped.job
    except KeyboardInterrupt:
        surface.leave()
        raise Cancelled(
            "The export was interrupted before its rows were frozen; nothing was written."
        ) from None
    except ExportError:
        surface.leave()
        raise
    magics.mark(job)
    if not wait and headless.ends_with_run(job, magics.shell):
        job.notes = (*job.notes, headless.NOTE)
        wait = True
    if wait:
        _attend(job, surface)
    else:
        live.show_unattended(job, surface)
    return job


def _attend(job: Job, surface: live.Surface) -> None:
    """Wait with a live card. An interrupt cancels; a failure is raised, so that a run stops."""
    try:
        live.follow(job, surface)
    except KeyboardInterrupt:
        _interrupted(job, surface)
        return
    if job.state["status"] != "completed":
        raise _shown_on_card(_failure(job), f"{job.title} was not exported.")


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


def _failure(job: Job) -> ExportError:
    try:
        job.result(0)
    except ExportError as error:
        return error
    raise AssertionError("the job is completed")


def _shown_on_card(error: ExportError, sentence: str) -> ExportError:
    """Note that a card has said why, so that ``sentence`` is enough."""
    vars(error)["sentence"] = sentence
    return error


def sentence_of(error: ExportError) -> str:
    """Return what is left to say of an error."""
    return str(vars(error).get("sentence") or error)


def _rows(source: Any) -> int | None:
    """Return the number of rows that will be sent, where the frames know theirs."""
    if isinstance(source, dict) and isinstance(source.get("type"), str):
        return None
    frames = source.values() if isinstance(source, dict) else [source]
    try:
        return sum(
            len(each["source"] if isinstance(each, dict) and "source" in each else each)
            for each in frames
        )
    except TypeError:
        return None
