"""Files behind a connection whose URL fsspec knows: S3, HTTP, SFTP, memory, another folder.

Parquet is read where it lies, footer first; every other file is copied into the scratch folder
before it is read. Neither the URL nor an option ever shows in a sentence or a traceback.
"""

from __future__ import annotations

import errno
import io
import re
import socket
import uuid
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pyarrow as pa

from ...errors import (
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    DiskFull,
    ExportError,
    Forbidden,
    InvalidSpec,
    LoginRefused,
    NotFound,
    SourceFailed,
    Throttled,
)
from ...registry import Connection, Surroundings, missing, split_ending
from .places import (
    FIELD,
    MANIFEST,
    Entry,
    Found,
    LocalPlace,
    Place,
    Scratch,
    check_number,
    in_order,
    is_hidden,
    nothing_in,
    refuse_several,
    refuse_tables,
)
from .waiting import answer, heard

_PIECE = 4 * 2**20
_WEB = ("http", "https")
_BUSY = (429, 503)
"""Too Many Requests (RFC 6585, section 4) and Service Unavailable (RFC 9110, section 15.6.4), which
S3 and Azure answer to too many requests as well."""
_BUSY_CODES = frozenset({
    "BandwidthLimitExceeded", "PriorRequestNotComplete", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "ServerBusy", "SlowDown",
    "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
"""What botocore (``retries.standard``) and Azure's storage call it, whatever the status."""
_Answer = TypeVar("_Answer")


def place_of(connection: Connection, here: Surroundings, scratch: Scratch) -> Place:
    """Return the place that a connection leads to.

    Raises ``MissingDependency``, ``InvalidSpec`` (a database, or nothing that is known) and
    ``ConnectionFailed``.
    """
    try:
        fsspec = import_module("fsspec")
        known = import_module("fsspec.registry")
    except ModuleNotFoundError as error:
        raise missing(error.name, f"The connection {connection.name}") from None
    protocol = re.split(r"://|::", connection.url, maxsplit=1)[0]
    if protocol == connection.url or not _is_known(protocol, known):
        raise InvalidSpec(
            f"The connection {connection.name} does not lead to a place with files.",
            hint="A database is read with a source of type table or sql.",
            field="source.connection",
        )
    if protocol in ("file", "local") and "::" not in connection.url:
        root = Path(unquote(connection.url.partition("://")[2]) or "/")
        return LocalPlace(root, here, scratch, confined=True, of=connection.name)
    _check_installed(protocol, known, connection.name)

    def opened() -> tuple[Any, str]:
        found: tuple[Any, str] = fsspec.core.url_to_fs(connection.url, **dict(connection.options))
        return found

    remote = RemotePlace(connection.name, protocol, here, scratch)
    remote.begin(opened)
    return remote


def _is_known(protocol: str, known: Any) -> bool:
    return protocol in known.registry or protocol in known.known_implementations


def _check_installed(protocol: str, known: Any, name: str) -> None:
    needed_for = f"The connection {name}"
    try:
        known.get_filesystem_class(protocol)
    except ImportError as error:
        cause = error.__cause__ or error.__context__ or error
        module = getattr(cause, "name", None)
        if isinstance(module, str) and module:
            raise missing(module, needed_for) from None
        told = known.known_implementations.get(protocol, {}).get("class", protocol)
        raise missing(str(told).split(".")[0], needed_for) from None


class RemotePlace(Place):
    """A file system of fsspec, from one folder of it downwards."""

    def __init__(self, name: str, protocol: str, here: Surroundings, scratch: Scratch) -> None:
        self._name = name
        self._web = protocol in _WEB
        self._here = here
        self._scratch = scratch
        self._system: Any = None
        self._base = ""
        self._copies: dict[str, Path] = {}

    def begin(self, opened: Callable[[], tuple[Any, str]]) -> None:
        self._system, self._base = self._asked(opened, "")

    # -------------------------------------------------------------- finding

    def find(self, path: str) -> Found:
        start = self._joined(path)
        kind = self._asked(lambda: self._system.info(start), path).get("type")
        if kind != "directory" or self._web:
            # a page of links is no proof that they are all
            return Found((Entry(path, (), start),), folder=False)
        entries: list[Entry] = []
        self._walk(start, path.rstrip("/"), (), entries)
        if not entries:
            raise nothing_in(path)
        return Found(tuple(sorted(entries, key=in_order)), folder=True)

    def _joined(self, path: str) -> str:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or re.search(r"\\|://|::|[\x00-\x1f]", path):
            raise Forbidden(
                f"“{path[:200]}” is no path below the place that the connection {self._name} "
                "leads to.",
                hint="Give a path without “..”, from that place on.",
                field=FIELD,
            )
        if not self._web:
            return "/".join([self._base.rstrip("/"), *parts])
        url = urlsplit(self._base)
        below = "/".join([url.path.rstrip("/"), *(quote(part, safe="") for part in parts)])
        return urlunsplit(url._replace(path=below, fragment=""))

    def _walk(self, folder: str, shown: str, below: tuple[str, ...], entries: list[Entry]) -> None:
        listed = self._asked(lambda: self._system.ls(folder, detail=True), shown)
        inside = f"{folder.strip('/')}/"
        found: dict[str, dict[str, Any]] = {}
        for each in listed:
            whole = str(each["name"]).strip("/")
            name = whole[len(inside) :]
            # object stores list the folder itself, as an object without bytes
            if whole.startswith(inside) and name and "/" not in name:
                found[name] = each
        refuse_tables(found, shown)
        if MANIFEST in found:
            manifest = self.local(Entry(f"{shown}/{MANIFEST}", (), found[MANIFEST]["name"]))
            refuse_several(manifest.read_bytes(), shown)
        for name, each in sorted(found.items()):
            if is_hidden(name):
                continue
            if each.get("type") == "directory":
                self._walk(str(each["name"]), f"{shown}/{name}", (*below, name), entries)
            else:
                entries.append(Entry(f"{shown}/{name}", below, each["name"]))
                check_number(len(entries), shown)

    # -------------------------------------------------------------- reading

    def open(self, entry: Entry) -> Any:
        buffered = import_module("fsspec.spec").AbstractBufferedFile
        file = self._asked(lambda: self._system.open(entry.ref, "rb"), entry.shown)
        seeks = isinstance(file, buffered) and file.size and file.seekable()
        if seeks and self._reads_from_its_end(file):
            return pa.PythonFile(_Waiting(file, self, entry.shown), mode="r")
        # others read from their beginning only, or share one place in the file
        file.close()
        return str(self.local(entry))

    def _reads_from_its_end(self, file: Any) -> bool:
        def look() -> None:
            file.seek(max(0, file.size - 8))
            file.read(8)
            file.seek(0)

        try:
            answer(look, self._here)
        except Cancelled:
            raise
        except Exception:  # a web server without ranges; if it is anything else, the copy tells
            return False
        return True

    def local(self, entry: Entry) -> Path:
        known = self._copies.get(entry.ref)
        if known is not None:
            return known
        _, ending, packed = split_ending(entry.name)
        copy = self.folder / f"{uuid.uuid4().hex}{ending}{packed}"
        size = self._asked(lambda: self._system.info(entry.ref), entry.shown).get("size")
        file = self._asked(lambda: self._system.open(entry.ref, "rb"), entry.shown)
        done = 0
        try:
            with copy.open("wb") as out:
                while piece := self.asked(lambda: file.read(_PIECE), entry.shown):
                    heard(self._here)
                    out.write(piece)
                    done += len(piece)
        except OSError as error:
            if isinstance(error, ExportError) or error.errno != errno.ENOSPC:
                raise
            raise DiskFull(
                "The disk is full where files are copied before they are read.",
                hint="Free some space.",
            ) from None
        finally:
            file.close()
        if size is not None and done != size:
            raise ConnectionLost(
                f"Of “{entry.shown}” came {done:,} bytes and not {size:,}.", hint="Try again."
            )
        self._copies[entry.ref] = copy
        return copy

    @property
    def folder(self) -> Path:
        return self._scratch.folder

    def close(self) -> None:
        self._copies.clear()
        self._scratch.close()

    # -------------------------------------------------------------- waiting

    def asked(self, call: Callable[[], _Answer], shown: str) -> _Answer:
        """Return what ``call`` answers in the middle of a file; see ``_asked``."""
        return self._asked(call, shown, begun=True)

    def _asked(self, call: Callable[[], _Answer], shown: str, *, begun: bool = False) -> _Answer:
        """Return what ``call`` answers. A cancel does not wait for it: no file system of fsspec
        can be told to stop."""
        try:
            return answer(call, self._here)
        except Cancelled:
            raise
        except Exception as error:  # drivers raise anything; each becomes one sentence
            ours = self._explained(error, shown, begun)
        # outside of the handler: their own words, and their traceback, may hold the URL
        raise ours

    def _explained(self, error: BaseException, shown: str, begun: bool) -> ExportError:
        chain = list(_chain(error))
        for each in chain:
            if isinstance(each, ExportError):
                return each
        status = next((code for code in map(_status, chain) if code), None)
        what = f"“{shown}”" if shown else "its place"
        if status in (401, 403) or any(isinstance(each, PermissionError) for each in chain):
            return LoginRefused(
                f"The connection {self._name} is not allowed to read {what}.",
                hint="Check its login and its rights.",
                field=FIELD,
            )
        unreachable = any(_is_of_network(each) for each in chain)
        nowhere = any(isinstance(each, FileNotFoundError) for each in chain)
        if status in (404, 410) or (nowhere and status is None and not unreachable):
            return self._not_found(shown)
        if status in _BUSY or any(_busy_code(each) for each in chain):
            return Throttled(
                f"The place of the connection {self._name} asks to be asked for {what} less often"
                f"{f' (status {status})' if status else ''}.",
                hint="Try again later.",
                field=FIELD,
            )
        kind = ConnectionLost if begun else ConnectionFailed
        if status is not None:
            return kind(
                f"The place of the connection {self._name} answers {what} with status {status}.",
                hint="Try again later.",
                field=FIELD,
            )
        if begun:
            return kind(
                f"The connection {self._name} was lost while {what} was read.",
                hint="Try again.",
                field=FIELD,
            )
        if unreachable:
            return kind(
                f"The place of the connection {self._name} cannot be reached.",
                hint="Check its URL and the network.",
                field="source.connection",
            )
        return SourceFailed(
            f"The connection {self._name} cannot read {what}: {type(error).__name__}.",
            hint="Check its URL and options.",
            field=FIELD,
        )

    def _not_found(self, shown: str) -> NotFound:
        return NotFound(f"There is no file “{shown}” at the connection {self._name}.", field=FIELD)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error of aiohttp, requests, botocore, azure or gcsfs
    carries."""
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        value = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return value if isinstance(value, int) else None
    value = getattr(response, "status_code", None)
    return value if isinstance(value, int) else None


def _busy_code(error: BaseException) -> bool:
    """Tell whether an error of botocore or azure says by its code that it was asked too often."""
    response = getattr(error, "response", None)
    told = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    code = told or getattr(error, "error_code", None)
    return isinstance(code, str) and code in _BUSY_CODES


def _is_of_network(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return True
    name = type(error).__name__
    return "Connect" in name or "Timeout" in name or "NameResolution" in name


class _Waiting(io.RawIOBase):
    """A file of fsspec whose reads end when the run is cancelled."""

    def __init__(self, file: Any, place: RemotePlace, shown: str) -> None:
        self._file = file
        self._place = place
        self._shown = shown

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._place.asked(lambda: self._file.read(size), self._shown)
        return data

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
