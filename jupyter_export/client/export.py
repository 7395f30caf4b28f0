"""``export``, ``submit`` and ``preview``: from frames or a document to a running job."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Forbidden, InvalidRequest, InvalidSpec, ServerUnavailable, did_you_mean
from ..spec import ExportSpec, parse
from . import draft as drafts
from .attend import listening
from .checking import checked
from .draft import Draft, draft_from, draft_of
from .find import LocalClients, server_client
from .job import Job
from .place import Place, place_for
from .preview import Head, without_totals
from .protocol import ExportClient
from .rows import Rows, was_interrupted
from .server import ServerClient, Unreached

T = TypeVar("T")
_NEED_ALL = {
    "where", "time_range", "sample", "group_by", "aggregates", "pivot", "distinct", "sort",
}  # fmt: skip
"""Fields of a dataset whose first rows are not made of its source's first rows alone."""


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
    before this returns, a spec's source such as ``{"type": "file", "path": "a.parquet"}``, whose
    ``connection`` may be one of this process (an SQLAlchemy engine, a DBAPI or DuckDB connection:
    ``{"type": "sql", "connection": engine, "query": "…", "params": {…}}``), or several datasets:
    a mapping of names to these (``{"flights": df, "planes": planes}``), where
    ``{"source": df, "where": "x > 1"}`` is a dataset with its own fields. Several datasets are one
    file where the format holds them (a workbook's sheets), else a folder, or a zip.

    ``path`` is relative to the working directory; without one the service names the file.
    ``options`` are the format's (``{"delimiter": ";"}``), ``if_exists`` is ``error``, ``replace``
    or ``rename``, and ``fields`` are those of the spec: ``name``, ``where``, ``time_range``,
    ``sample``, ``computed``, ``group_by``, ``aggregates``, ``pivot``, ``columns`` (also a list of
    names), ``distinct``, ``sort``, ``limit``, ``format``, ``compression``, ``relations``,
    ``retention``, ``on_loss``.

    Raises ``ExportError``; a run that fails later raises from ``Job.result()``.
    """
    return start(source, path, options=options, if_exists=if_exists, **fields)


def submit(spec: ExportSpec | Mapping[str, Any] | str) -> Job:
    """Start the export that ``spec`` describes and return its job.

    A dataset's ``source`` may also be a frame, or a table or query on a connection of this
    process; it is sent, and frozen, before this returns. Paths
    inside a spec are relative to the server's root (without a server: to the working directory);
    an absolute one is taken as ``export`` takes it. Raises ``ExportError``.
    """
    draft = draft_from(spec)
    given = draft.document.get("output", {}).get("path")
    if given is not None and Path(given).is_absolute():
        place, server = _place(given)
        draft.document["output"]["path"] = place.path
    else:
        server = server_client()
        place = Place("server" if server else "kernel", given)
    client, notes = _runner(place, server)
    _check_format(draft.document, client)
    return _started(client, draft, notes)


def start(
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    if_exists: str | None = None,
    wait: float = 0.0,
    remarks: tuple[str, ...] = (),
    **fields: Any,
) -> Job:
    """``export``, with what the magic needs beside it.

    ``source`` may also be ``Rows``; ``wait`` asks for the job's state after so many seconds
    instead of now; ``remarks`` are shown on the job's card. An interrupt during that wait raises
    ``StartInterrupted``, an earlier one ``KeyboardInterrupt``.
    """

    def go(client: ExportClient, draft: Draft, notes: tuple[str, ...]) -> Job:
        return _started(client, draft, (*remarks, *notes), wait=wait)

    return _where_it_can(source, path, options, if_exists, fields, go)


def preview(
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    rows: int = 20,
    options: Mapping[str, Any] | None = None,
    if_exists: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return what ``export`` with these arguments would write: first rows, columns with their
    types, and losses, estimated from a sample; nothing is written.

    ``{"datasets": [{"name", "columns", "rows", "total_rows", "estimated"}], "losses", "format",
    "bytes_estimate"}``. Raises ``ExportError``.
    """

    def go(client: ExportClient, draft: Draft, _: tuple[str, ...]) -> dict[str, Any]:
        return _previewed(client, draft, rows)

    return _where_it_can(source, path, options, if_exists, fields, go)


def streamed(
    source: Any, *, options: Mapping[str, Any] | None = None, **fields: Any
) -> tuple[dict[str, Any], Generator[bytes]]:
    """Return what an export would write: its preview without rows, for the columns and the losses,
    and its bytes as they are made. There is no job and no file.

    ``source``, ``options`` and ``fields`` are those of ``export``; the format is CSV where they
    name none. Raises ``ExportError``, also while the bytes are read: what came then is a part.
    """

    def go(
        client: ExportClient, draft: Draft, _: tuple[str, ...]
    ) -> tuple[dict[str, Any], Generator[bytes]]:
        ids = {index: _sent(client, draft, index)["id"] for index in draft.frames}
        document = draft.with_uploads(ids)
        return client.preview(document, 0), client.stream(document)

    return _where_it_can(source, None, options, None, fields, go)


def _where_it_can(
    source: Any,
    path: str | os.PathLike[str] | None,
    options: Mapping[str, Any] | None,
    if_exists: str | None,
    fields: Mapping[str, Any],
    go: Callable[[ExportClient, Draft, tuple[str, ...]], T],
) -> T:
    """Return what ``go`` makes of the document, in the kernel where the server is away."""
    if fields.get("output") is not None:
        raise InvalidRequest(
            "“output” is made of the path.", hint="Use path and if_exists, or submit(spec)."
        )

    def drafted(place: Place, client: ExportClient) -> Draft:
        output = {"path": place.path, "if_exists": if_exists}
        output = {name: value for name, value in output.items() if value is not None}
        document = {**fields, "output": output or None}
        draft = draft_of(source, document, lambda file: _own_file(file, place))
        if options:
            draft.document["format"] = _with_options(
                draft.document.get("format"), options, path, client
            )
        _check_format(draft.document, client)
        return draft

    place, server = _place(path)
    client, notes = _runner(place, server)
    try:
        return go(client, drafted(place, client), notes)
    except (Unreached, Forbidden) as error:
        reason = error if isinstance(error, Unreached) else _refused(client)
        if client is not server or reason is None:
            raise
        spare = place_for(path, cwd=Path.cwd(), has_server=False)
        local = LocalClients.here()
        draft = drafted(spare, local)
        if draft.one_shot:
            raise
        note = f"{reason.message} This export runs in the kernel instead."
        return go(local, draft, (*notes, note))


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


def _own_file(source: dict[str, Any], place: Place) -> dict[str, Any]:
    """A file to read is named as the file to write is: from the working directory. One of a
    connection lies below the place that the connection stands for."""
    if source.get("connection") is not None:
        return source
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


# ----------------------------------------------------------------- the format


def _with_options(
    chosen: Any, options: Mapping[str, Any], path: Any, client: ExportClient
) -> dict[str, Any]:
    """Return the format with its options; the path's ending names it where nothing else does."""
    if isinstance(chosen, Mapping):
        return {**chosen, **options}
    name = os.fspath(path).lower().rstrip("/\\") if path is not None else ".csv"
    for packed in (".zip", ".gz", ".zst", ".br"):
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


def _check_format(document: dict[str, Any], client: ExportClient) -> None:
    """Refuse a wrong format or option before any row is sent.

    The service decides where it has formats that are not installed here.
    """
    from .. import registry

    try:
        registry.choose(parse(document), drafts.file_name(document))
    except InvalidSpec:
        theirs = {each["type"] for each in client.formats()}
        if theirs <= set(registry.formats()):
            raise


# ----------------------------------------------------------------- the rows


def _started(
    client: ExportClient, draft: Draft, notes: tuple[str, ...], *, wait: float = 0.0
) -> Job:
    """Send the frames of ``draft`` and submit it."""
    notes = (*notes, *_moments(draft))
    sent = {index: _sent(client, draft, index) for index in draft.frames}
    document = draft.with_uploads({index: upload["id"] for index, upload in sent.items()})
    alone = sent and len(document["datasets"]) == 1
    columns = _column_count(sent[0], document) if alone else None
    try:
        state = client.submit(document, wait=wait)
    except KeyboardInterrupt as stopped:
        started = _started_from(client, [upload["id"] for upload in sent.values()])
        if started is None:
            raise
        job = Job(client, started, notes=notes, columns=columns)
        raise StartInterrupted(job) from stopped
    return Job(client, state, notes=notes, columns=columns)


def _moments(draft: Draft) -> Iterator[str]:
    """Yield a note for datasets that one connection may show at different moments."""
    together: dict[int, list[str]] = {}
    for index, frame in draft.frames.items():
        if isinstance(frame, Rows) and frame.moments_of is not None:
            name = draft.dataset(index).get("name", "data")
            together.setdefault(id(frame.moments_of), []).append(name)
    for names in together.values():
        if len(names) > 1:
            yield (
                f"{', '.join(names)} were read one after the other: what was written meanwhile is "
                "in the later ones only. A connection in a REPEATABLE READ transaction reads them "
                "at one moment."
            )


def _previewed(client: ExportClient, draft: Draft, rows: int) -> dict[str, Any]:
    """Send as much of the frames as a preview looks at, and have it made."""
    ids: dict[int, str] = {}
    uncounted = set()
    followed = _followed(draft)
    for index in draft.frames:
        # Which rows a condition keeps, or a group has, is seen in all of them only.
        dataset = draft.dataset(index)
        name = dataset.get("name", "data")
        head = None if _NEED_ALL & dataset.keys() or name in followed else Head()
        ids[index] = _sent(client, draft, index, head)["id"]
        if head is not None and head.cut and not head.counted:
            uncounted.add(name)
    return without_totals(client.preview(draft.with_uploads(ids), rows), uncounted)


def _followed(draft: Draft) -> set[str]:
    """Return the datasets whose rows are chosen by, or choose, those of another one."""
    links = parse(draft.document).links
    return {name for link in links if link.follow for name in (link.child, link.parent)}


def _sent(
    client: ExportClient, draft: Draft, index: int, head: Head | None = None
) -> dict[str, Any]:
    frame = draft.frames[index]
    if not isinstance(frame, Rows):
        reader = checked(drafts.read(frame), draft.document, index)
        return client.upload(head.of(reader) if head else reader)
    alone = frame.here or frame.begins_here
    with listening(frame.interrupt if alone else None) as pressed:
        try:
            reader = checked(drafts.read(frame), draft.document, index)
            if head is not None:
                reader = head.of(reader)
            sent = client.upload(frame.travelling(reader), interrupt=frame.interrupt)
        except Exception as error:
            pressed.check()
            if alone and was_interrupted(error):
                raise KeyboardInterrupt from None
            raise
        finally:
            if frame.close is not None:
                frame.close()
        pressed.check()
        return sent


def _started_from(client: ExportClient, uploads: list[str]) -> dict[str, Any] | None:
    """Return the job that reads these uploads, if the service has it: its id was never heard."""
    for pause in (0.0, 0.1, 0.2, 0.4):  # The request may still be on its way.
        time.sleep(pause)
        for job in client.list(limit=50)["jobs"]:
            if any(d["source"].get("id") in uploads for d in job["spec"].get("datasets", ())):
                return dict(job)
    return None


def _column_count(upload: Mapping[str, Any], document: Mapping[str, Any]) -> int | None:
    """Return the number of columns of the one dataset; None where its values make them."""
    (dataset,) = parse(document).datasets
    if dataset.pivot is not None:
        return None
    names = [column["name"] for column in upload["columns"]]
    names += [each.name for each in dataset.computed]
    if dataset.group_by or dataset.aggregates:
        names = [each.name for each in dataset.group_by]
        names += [each.name for each in dataset.aggregates]
    columns = dataset.columns
    kept = columns.include or [*names, *(each.name for each in columns.computed)]
    return len([name for name in kept if name not in columns.exclude])
