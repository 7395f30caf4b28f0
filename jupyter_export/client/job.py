"""A job as the notebook holds it."""

from __future__ import annotations

import ast
import os
import tempfile
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import Cancelled, Expired, ExportError, NotFound, NotReady
from . import card
from .protocol import FINAL, ExportClient, JobJson

ZIP = ".zip"


class Job:
    """One export, wherever it runs. ``status`` and ``progress`` ask for the state of now.

    ``notes`` are sentences about where it runs, ``columns`` the number of columns, if known.
    """

    def __init__(
        self,
        client: ExportClient,
        state: JobJson,
        *,
        notes: Sequence[str] = (),
        columns: int | None = None,
    ) -> None:
        self._client = client
        self._state = state
        self.notes = tuple(notes)
        self.columns = columns

    # ------------------------------------------------------------- state

    @property
    def id(self) -> str:
        return str(self._state["id"])

    @property
    def name(self) -> str:
        return str(self._state["name"])

    @property
    def status(self) -> str:
        """``pending``, ``running``, ``completed``, ``failed``, ``cancelled`` or ``expired``."""
        return str(self.refresh()["status"])

    @property
    def progress(self) -> dict[str, Any]:
        """``{phase, rows, total_rows, percent, bytes, rows_per_second, eta_seconds}``."""
        return dict(self.refresh()["progress"])

    @property
    def state(self) -> JobJson:
        """The job as REST shows it, as it was last seen."""
        return self._state

    @property
    def final(self) -> bool:
        return self._state["status"] in FINAL

    @property
    def losses(self) -> list[dict[str, Any]]:
        """What the format could not hold, one entry for each column; empty until completed."""
        result = self.refresh()["result"]
        return list(result["losses"]) if result else []

    @property
    def error(self) -> ExportError | None:
        """Why it failed; None unless it did."""
        described = self.refresh()["error"]
        return ExportError.from_json(described) if described else None

    @property
    def path(self) -> str | None:
        """The file's absolute path where this machine sees it, else relative to the server's root.

        None until the file is there, unless the job was given a path.
        """
        relative = card.path_of(self._state)
        if relative is None and not self.final:
            relative = card.path_of(self.refresh())
        if relative is None or self._client.root is None:
            return relative
        return os.path.normpath(self._client.root / relative)

    def refresh(self) -> JobJson:
        """Ask for the state of now; a final job is not asked again."""
        if not self.final:
            self._state = self._client.show(self.id)
        return self._state

    # ------------------------------------------------------------- waiting

    def watch(self) -> Iterator[JobJson]:
        """Yield the job's state now and after each change, to the final one."""
        if self.final:
            yield self._state
            return
        for state in self._client.watch(self.id):
            self._state = state
            yield state

    def wait(self, timeout: float | None = None) -> Job:
        """Return when the job is final, or after ``timeout`` seconds."""
        if timeout is None:
            for _ in self.watch():
                pass
            return self
        deadline = time.monotonic() + timeout
        pause = 0.01
        while not self.final and self.refresh()["status"] not in FINAL:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            time.sleep(min(pause, remaining))
            pause = min(pause * 1.5, 0.25)
        return self

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Return ``{path, rows, bytes, sha256, files, losses, reader}`` of the finished file.

        Raises the job's ``ExportError`` when it failed, ``Cancelled`` when it was cancelled,
        ``TimeoutError`` when it is not final after ``timeout`` seconds.
        """
        self.wait(timeout)
        status = self._state["status"]
        if status == "completed":
            return dict(self._state["result"])
        if status not in FINAL:
            raise TimeoutError(f"{self.name} is still {status} after {timeout:g} s.")
        if self._state["error"]:
            raise ExportError.from_json(self._state["error"])
        if status == "cancelled":
            raise Cancelled(f"The export of {self.title} was cancelled.")
        raise Expired(f"The file of {self.title} is gone.", hint="Export it again.")

    def cancel(self) -> Job:
        """Stop the job; nothing is left under its path. A final job stays as it is."""
        if not self.final:
            self._state = self._client.cancel(self.id)
        return self

    # ------------------------------------------------------------- the file

    @property
    def title(self) -> str:
        """The file's name, or the job's while it has none."""
        return card.title(self._state)

    @property
    def reader(self) -> str | None:
        """Lines of Python that read the file into ``df``, from the working directory of now."""
        result = self._state["result"]
        if not result or not result["reader"]:
            return None
        path = self.path
        if path is None or self._client.root is None:
            return str(result["reader"])
        return _reader_for(result, _seen_from_here(path))

    def read(self) -> Any:
        """Read the finished file back as a DataFrame, with the types that went in; several
        datasets as a dict of DataFrames by their names.

        A file that this machine does not see is downloaded first. What runs are the lines that
        ``reader`` shows. They come from this package's own format, by way of the service that
        runs our jobs; that is this process, or the server that started this kernel and may run
        any code in it, so evaluating them gives nobody a right they lack.
        """
        result = self.result()
        if not result["reader"]:
            raise NotReady(f"{self.title} has no lines that read it back.")
        if not card.can_be_read(str(result["reader"])):
            raise NotReady(f"{self.title}: {str(result['reader']).strip('# ')}")
        path = self.path
        if path is not None and self._client.root is not None:
            if not os.path.exists(path):
                raise NotFound(f"“{path}” is gone.", hint="Export it again.")
            if not path.lower().endswith(ZIP):
                return _evaluate(_reader_for(result, path))
        else:
            path = None
        with tempfile.TemporaryDirectory(prefix="jupyter-export-") as folder:
            unpacked = os.path.join(folder, "unpacked")
            if path is None:
                path = str(self.download(folder))
                if card.is_folder(self._state):
                    with zipfile.ZipFile(path) as archive:
                        archive.extractall(unpacked)
                    path = unpacked
            return _evaluate(_reader_for(result, path, unpacked))

    def download(self, to: str | os.PathLike[str]) -> Path:
        """Copy the finished file to ``to`` (a file or a folder); return where it is.

        A folder's files come as one zip.
        """
        return self._client.download(self.id, Path(to))

    # ------------------------------------------------------------- display

    @property
    def links(self) -> Mapping[str, str]:
        """``open`` and ``download``: addresses for a browser, where there are any."""
        return card.links(self._state, self.path, self._client.base_path)

    def __repr__(self) -> str:
        return f"<Job {card.line(self._state)}>"

    def card(self) -> card.Card:
        """Return how the job looks in the state that was last seen."""
        return card.Card(
            self._state,
            columns=self.columns,
            notes=self.notes,
            links=self.links,
            reader=self.reader,
        )

    def _repr_html_(self) -> str:
        # A display never fails because a server went away.
        with suppress(ExportError):
            self.refresh()
        return self.card().html()


def _reader_for(result: Mapping[str, Any], path: str, unpacked: str | None = None) -> str:
    """Return the lines with ``path`` where they name the file or folder as the service sees it.

    A zip is unpacked into ``unpacked``, or beside it into a folder of its name.
    """
    reader, written = str(result["reader"]), str(result["path"]).replace("\\", "/")
    found = (node.value for node in ast.walk(ast.parse(reader)) if isinstance(node, ast.Constant))
    # The service names it by its whole path; a column or a dataset may be called as the file is.
    places = {v for v in found if isinstance(v, str) and (v[:1] in ("/", "\\") or v[1:2] == ":")}
    inside = _names_inside(result, written)
    here: dict[str, str] = {}
    for place in places:
        inner = _inner(place, written, inside)
        if inner is not None:
            here[place] = f"{path}/{inner}" if inner else path
    if written.lower().endswith(ZIP):
        folder = unpacked or path[: -len(ZIP)]
        for stem in [place[: -len(ZIP)] for place in here]:
            within = (f"{stem}/", f"{stem}\\")
            inner_places = [p for p in places if p == stem or p.startswith(within)]
            here |= {p: folder + p[len(stem) :] for p in inner_places}
    for place, name in here.items():
        reader = reader.replace(repr(place), repr(name))
    return reader


def _names_inside(result: Mapping[str, Any], written: str) -> set[str]:
    """Return the files and folders below a folder that was written; its own name is empty."""
    names = {""}
    for file in result["files"]:
        name = PurePosixPath(str(file["path"]).replace("\\", "/")[len(written) + 1 :])
        names |= {str(each) for each in (name, *name.parents)} - {"."}
    return names


def _inner(place: str, written: str, inside: Collection[str]) -> str | None:
    """Return which of the names ``inside`` what was written ``place`` means, or None."""
    whole, mark = f"/{place}/".replace("\\", "/"), f"/{written}/"
    at = whole.find(mark)
    while at >= 0:
        inner = whole[at + len(mark) :].rstrip("/")
        if inner in inside:
            return inner
        at = whole.find(mark, at + 1)
    return None


def _seen_from_here(path: str) -> str:
    """Return the shorter way to write ``path`` in a cell."""
    try:
        relative = os.path.relpath(path)
    except (ValueError, OSError):
        return path  # Another drive on Windows, or a working directory that is gone.
    return path if relative.startswith("..") else Path(relative).as_posix()


def _evaluate(reader: str) -> Any:
    names: dict[str, Any] = {"__name__": "jupyter_export.reader"}
    exec(compile(reader, "<reader>", "exec"), names)
    return names["frames"] if "frames" in names else names["df"]
