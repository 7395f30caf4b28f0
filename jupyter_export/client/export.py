"""``export`` and ``submit``: from a frame or a document to a running job."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Forbidden, InvalidRequest, InvalidSpec, ServerUnavailable, did_you_mean
from ..spec import ExportSpec, parse
from .attend import attended
from .find import LocalClients, server_client
from .job import Job
from .place import Place, place_for
from .protocol import ExportClient
from .server import ServerClient, Unreached

if TYPE_CHECKING:
    import pyarrow as pa

PENDING_UPLOAD = {"type": "upload", "id": "pending"}
"""Stands for the upload while the document is checked, before anything is sent."""

Sending = Callable[[ExportClient], None]


class StartInterrupted(KeyboardInterrupt):
    """Ctrl-C came when the service had the job already; ``job`` may still be running."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


def export(
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    if_exists: str | None = None,
    **fields: Any,
) -> Job:
    """Start the export of ``source`` to ``path`` and return its job, which is then running.

    ``source`` is a frame (pandas, Polars, PyArrow, anything with ``__arrow_c_stream__``), frozen
    before this returns, or a spec's source such as ``{"type": "file", "path": "a.parquet"}``.
    ``path`` is relative to the working directory; without one the service names the file.
    ``options`` are the format's (``{"delimiter": ";"}``), ``if_exists`` is ``error``, ``replace``
    or ``rename``, and ``fields`` are those of the spec: ``name``, ``where``, ``columns`` (also a
    list of names), ``limit``, ``format``, ``compression``, ``retention``, ``on_loss``.

    Raises ``ExportError``; a run that fails later raises from ``Job.result()``.
    """
    return start(source, path, options=options, if_exists=if_exists, **fields)


def submit(spec: ExportSpec | Mapping[str, Any] | str) -> Job:
    """Start the export that ``spec`` describes and return its job.

    Paths inside a spec are relative to the server's root (without a server: to the working
    directory); an absolute one is taken as ``export`` takes it. Raises ``ExportError``.
    """
    document = parse(spec).to_json()
    given = document.get("output", {}).get("path")
    if given is not None and Path(given).is_absolute():
        place, server = _place(given)
        document["output"]["path"] = place.path
    else:
        server = server_client()
        place = Place("server" if server else "kernel", given)
    client, notes = _runner(place, server)
    return Job(client, client.submit(document), notes=notes)


def start(
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    if_exists: str | None = None,
    read: Callable[[], pa.RecordBatchReader] | None = None,
    interrupt: Callable[[], None] | None = None,
    sending: Sending | None = None,
    wait: float = 0.0,
    **fields: Any,
) -> Job:
    """``export``, with what the magic needs beside it.

    ``read`` replaces reading ``source`` (a query's rows), ``interrupt`` ends such a read,
    ``sending`` is called with the client before rows travel, ``wait`` asks for the job's state
    after so many seconds instead of now. An interrupt during that wait raises
    ``StartInterrupted``, an earlier one ``KeyboardInterrupt``.
    """
    place, server = _place(path)
    document = _document(source if read is None else None, place, if_exists, fields)
    client, notes = _runner(place, server)

    def send(client: ExportClient, document: dict[str, Any], notes: tuple[str, ...]) -> Job:
        if options:
            chosen = _with_options(document.get("format"), options, path, client)
            document = {**document, "format": chosen}
        if document["source"] != PENDING_UPLOAD:
            return Job(client, client.submit(document), notes=notes)
        if sending is not None:
            sending(client)
        reader = attended(read, interrupt) if read is not None else _frame_reader(source)
        upload = client.upload(reader, interrupt=interrupt)
        document = {**document, "source": {"type": "upload", "id": upload["id"]}}
        columns = _column_count(upload, document)
        try:
            state = client.submit(document, wait=wait)
        except KeyboardInterrupt as stopped:
            started = _started_from(client, upload["id"])
            if started is None:
                raise
            job = Job(client, started, notes=notes, columns=columns)
            raise StartInterrupted(job) from stopped
        return Job(client, state, notes=notes, columns=columns)

    try:
        return send(client, document, notes)
    except (Unreached, Forbidden) as error:
        elsewhere = client is server and not (read is None and _one_shot(source))
        reason = error if isinstance(error, Unreached) else _refused(client)
        if not elsewhere or reason is None:
            raise
        spare = place_for(path, cwd=Path.cwd(), has_server=False)
        document = {**document, "output": _output(spare.path, if_exists)}
        note = f"{reason.message} This export runs in the kernel instead."
        return send(LocalClients.here(), document, (*notes, note))


# ----------------------------------------------------------------- where


def _place(path: str | os.PathLike[str] | None) -> tuple[Place, ServerClient | None]:
    server = server_client()
    place = place_for(
        path,
        cwd=Path.cwd(),
        has_server=server is not None,
        server_root=server.declared_root if server else "",
        root_visible=server is not None and server.root is not None,
    )
    return place, server


def _runner(place: Place, server: ServerClient | None) -> tuple[ExportClient, tuple[str, ...]]:
    client: ExportClient = (
        server if place.runner == "server" and server is not None else LocalClients.here()
    )
    return client, ((place.note,) if place.note else ())


def _refused(client: ExportClient) -> ServerUnavailable | None:
    """Return why the service refuses everything of this kernel; None if it refused one thing."""
    try:
        client.check()
    except ServerUnavailable as error:
        return error
    return None


# ----------------------------------------------------------------- the document


def _document(
    source: Any, place: Place, if_exists: str | None, fields: dict[str, Any]
) -> dict[str, Any]:
    """Build the spec and check it, before any row is sent."""
    document = {key: value for key, value in fields.items() if value is not None}
    if "output" in document:
        raise InvalidRequest(
            "“output” is made of the path.", hint="Use path and if_exists, or submit(spec)."
        )
    if isinstance(document.get("columns"), (list, tuple)):
        document["columns"] = {"include": list(document["columns"])}
    if isinstance(source, Mapping) and "type" in source:
        document["source"] = _own_file(dict(source), place)
    else:
        document["source"] = PENDING_UPLOAD
    output = _output(place.path, if_exists)
    if output:
        document["output"] = output
    parse(document)
    return document


def _output(path: str | None, if_exists: str | None) -> dict[str, Any]:
    output = {"path": path, "if_exists": if_exists}
    return {key: value for key, value in output.items() if value is not None}


def _own_file(source: dict[str, Any], place: Place) -> dict[str, Any]:
    """A file to read is named as the file to write is: from the working directory."""
    if source.get("type") == "file" and isinstance(source.get("path"), str):
        found, _ = _place(source["path"])
        if found.runner == place.runner:
            source["path"] = found.path
        elif found.runner == "kernel":
            raise InvalidRequest(
                f"“{source['path']}” lies outside the server's folder, and the output inside.",
                hint="Write to a path outside it too, or copy the file into it.",
            )
        else:
            source["path"] = str(Path.cwd() / source["path"])
    return source


def _with_options(
    chosen: Any, options: Mapping[str, Any], path: Any, client: ExportClient
) -> dict[str, Any]:
    """Return the format with its options; the path's ending names it where nothing else does."""
    if isinstance(chosen, Mapping):
        return {**chosen, **options}
    if isinstance(chosen, str):
        return {"type": chosen, **options}
    name = os.fspath(path).lower() if path is not None else ".csv"
    for packed in (".gz", ".zst", ".br"):
        name = name.removesuffix(packed)
    ending = os.path.splitext(f"x{name}" if name.startswith(".") else name)[1]
    by_ending = {end: each["type"] for each in client.formats() for end in each["endings"]}
    if ending not in by_ending:
        raise InvalidSpec(
            f"The options need a format, and “{ending or path}” is not the ending of one.",
            hint=did_you_mean(ending, by_ending),
            field="format.type",
        )
    return {"type": by_ending[ending], **options}


def _started_from(client: ExportClient, upload_id: str) -> dict[str, Any] | None:
    """Return the job that reads this upload, if the service has it: its id was never heard."""
    for pause in (0.0, 0.1, 0.2, 0.4):  # The request may still be on its way.
        time.sleep(pause)
        for job in client.list(limit=50)["jobs"]:
            if any(d["source"].get("id") == upload_id for d in job["spec"].get("datasets", ())):
                return dict(job)
    return None


# ----------------------------------------------------------------- the rows


def _frame_reader(source: Any) -> pa.RecordBatchReader:
    from ..sources.frame import read, rows_of
    from .arrow import stating_rows

    rows = rows_of(source)
    return stating_rows(read(source), rows)


def _one_shot(source: Any) -> bool:
    """A reader of batches cannot be read a second time."""
    return hasattr(source, "read_next_batch")


def _column_count(upload: Mapping[str, Any], document: Mapping[str, Any]) -> int:
    names = [column["name"] for column in upload["columns"]]
    columns: Mapping[str, Sequence[str]] = document.get("columns") or {}
    kept = columns.get("include") or names
    return len([name for name in kept if name not in (columns.get("exclude") or ())])
