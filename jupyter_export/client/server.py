"""The job service of a Jupyter server, over REST."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from ..errors import (
    ExportError,
    Forbidden,
    InvalidRequest,
    NotFound,
    QueueFull,
    ServerUnavailable,
    WriteFailed,
)
from ..spec.outline import check_size
from ..spec.template import check_name
from .protocol import FINAL, JobJson

if TYPE_CHECKING:
    import pyarrow as pa

    from .stopping import Stop

MAX_WAIT = 30.0
"""Longest ``wait`` that a server accepts, in seconds."""
SILENCE = 45.0
"""Seconds without a byte after which an event stream counts as lost; servers speak every 15."""
RETRIES = 5
"""How often in a row a watched job may fail to answer before the watch gives up."""
UNIX = "http+unix"


class Unreached(ServerUnavailable):
    """Nothing was started by the call that raised this: it can be made elsewhere."""


class ServerClient:
    """One connection pool to one server. ``root`` is the server's folder, if it is here too."""

    def __init__(self, url: str, token: str = "", *, root: str = "") -> None:
        address, socket = _address(url)
        self.where = url
        self.base_path: str | None = urlsplit(address).path
        self.declared_root = root
        self.root: Path | None = Path(root) if root and os.path.isdir(root) else None
        self._formats: tuple[dict[str, Any], ...] | None = None
        verified = _verified(address)

        def talking(limits: httpx.Limits) -> httpx.Client:
            return httpx.Client(
                base_url=f"{address}jupyter-export/v1/",
                headers={"Authorization": f"token {token}"} if token else {},
                transport=httpx.HTTPTransport(uds=socket, verify=verified, limits=limits),
                timeout=httpx.Timeout(60.0, connect=3.0),
                # A proxy for the internet has no part in a talk between a kernel and its server.
                trust_env=False,
            )

        self._http = talking(httpx.Limits(max_connections=100, max_keepalive_connections=20))
        # What may be ended on its way has a connection of its own, which can be shut.
        self._alone = talking(httpx.Limits(max_keepalive_connections=0))

    # ------------------------------------------------------------- methods

    def check(self) -> None:
        try:
            self.list(limit=1)
        except Forbidden as error:
            raise Unreached(
                f"The Jupyter server at {self.where} does not accept this kernel's token.",
                hint="Restart the kernel.",
            ) from error

    def submit(self, document: Mapping[str, Any], *, wait: float = 0.0) -> JobJson:
        wait = min(max(wait, 0.0), MAX_WAIT)
        params = {"wait": f"{wait:g}"} if wait else None
        job: JobJson = self._json("POST", "jobs", params=params, json=dict(document))
        return job

    def preview(
        self, document: Mapping[str, Any], rows: int = 20, *, stop: Stop | None = None
    ) -> dict[str, Any]:
        asked: dict[str, Any] = {"json": {"spec": dict(document), "rows": rows}}
        if stop is not None:
            asked |= {"via": self._alone, "extensions": {"trace": stop.of_connection}}
        found: dict[str, Any] = self._json("POST", "preview", **asked)
        return found

    def show(self, job_id: str) -> JobJson:
        job: JobJson = self._json("GET", _job(job_id))
        return job

    def cancel(self, job_id: str) -> JobJson:
        job: JobJson = self._json("POST", f"{_job(job_id)}/cancel")
        return job

    def retry(self, job_id: str) -> JobJson:
        job: JobJson = self._json("POST", f"{_job(job_id)}/retry")
        return job

    def delete(self, job_id: str, *, delete_file: bool = False) -> None:
        params = {"delete_file": "true"} if delete_file else None
        self._json("DELETE", _job(job_id), params=params)

    def list(
        self,
        *,
        status: str | None = None,
        format: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        asked = {"status": status, "format": format, "q": q, "limit": limit, "cursor": cursor}
        params = {name: value for name, value in asked.items() if value is not None}
        page: dict[str, Any] = self._json("GET", "jobs", params=params)
        return page

    def formats(self) -> tuple[dict[str, Any], ...]:
        if self._formats is None:
            self._formats = tuple(self._json("GET", "formats")["formats"])
        return self._formats

    def connections(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._json("GET", "connections")["connections"])

    def tables(
        self, name: str, *, schema: str | None = None, q: str | None = None
    ) -> tuple[dict[str, Any], ...]:
        if not name:
            raise NotFound("An empty name is no connection's.")
        asked = {"schema": schema, "q": q}
        params = {key: value for key, value in asked.items() if value}
        path = f"connections/{quote(name, safe='')}/tables"
        return tuple(self._json("GET", path, params=params)["tables"])

    def templates(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._json("GET", "templates")["templates"])

    def template(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._json("GET", _template(name))
        return found

    def save_template(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        check_size(document)
        path = _template(check_name(name))
        kept: dict[str, Any] = self._json("PUT", path, json=dict(document))
        return kept

    def delete_template(self, name: str) -> None:
        self._json("DELETE", _template(name))

    def upload(
        self, reader: pa.RecordBatchReader, *, interrupt: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        from .arrow import ipc_pieces

        pieces = ipc_pieces(reader, interrupt=interrupt)
        try:
            sent: dict[str, Any] = self._json(
                "POST",
                "uploads",
                content=pieces,
                headers={"Content-Type": "application/vnd.apache.arrow.stream"},
                timeout=httpx.Timeout(600.0, connect=3.0),
            )
        except Unreached:
            raise
        except ServerUnavailable as error:
            # A server that refuses a body may close the connection on it: hear its reason, on
            # another connection where the first question meets the closed one as well.
            for _ in range(2):
                try:
                    self.check()
                    break
                except Unreached:
                    raise
                except ServerUnavailable:
                    continue
            raise Unreached(error.message, hint=error.hint) from error
        finally:
            pieces.close()  # type: ignore[attr-defined]
        return sent

    def download(self, job_id: str, to: Path) -> Path:
        with self._talk(), self._http.stream("GET", f"{_job(job_id)}/download") as response:
            if response.is_error:
                response.read()
                raise self._error(response)
            target = to / _file_name(response, job_id) if to.is_dir() else to
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                with part.open("wb") as file:
                    for piece in response.iter_bytes(1024**2):
                        file.write(piece)
                os.replace(part, target)
            except OSError as error:
                raise WriteFailed(
                    f"“{target}” cannot be written: {error.strerror or error}."
                ) from error
            finally:
                part.unlink(missing_ok=True)
        return target

    def stream(self, document: Mapping[str, Any]) -> Generator[bytes]:
        # Before the first byte a source may be read for long, and the server says nothing.
        patient = httpx.Timeout(None, connect=3.0)
        asked = self._http.stream("POST", "stream", json=dict(document), timeout=patient)
        with self._talk(), asked as response:
            if response.is_error:
                response.read()
                raise self._error(response)
            try:
                yield from response.iter_raw()
            except httpx.HTTPError as error:
                raise ServerUnavailable(
                    f"The export broke off on the server at {self.where}: what came is a part.",
                    hint="The server's log says why; an export that runs as a job tells it.",
                ) from error

    def watch(self, job_id: str) -> Iterator[JobJson]:
        """Follow the server's events; after a lost connection go on where it broke."""
        seen = ""
        failures = 0
        while True:
            try:
                for version, job in self._events(job_id, seen):
                    seen, failures = version or seen, 0
                    yield job
                    if job["status"] in FINAL:
                        return
                # Ended without the final state: the server says so by asking, below.
                job = self.show(job_id)
                if job["status"] in FINAL:
                    yield job
                    return
            except ServerUnavailable:
                if failures >= RETRIES:
                    raise
            failures += 1
            if failures > RETRIES:
                yield from self._poll(job_id)
                return
            time.sleep(0.1 * 2**failures)

    def close(self) -> None:
        self._http.close()
        self._alone.close()

    # ------------------------------------------------------------- inside

    def _poll(self, job_id: str) -> Iterator[JobJson]:
        """Where something between kernel and server holds events back."""
        while True:
            job = self.show(job_id)
            yield job
            if job["status"] in FINAL:
                return
            time.sleep(0.5)

    def _events(self, job_id: str, seen: str) -> Iterator[tuple[str, JobJson]]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": seen} if seen else {})
        timeout = httpx.Timeout(SILENCE, connect=3.0)
        with (
            self._talk(),
            self._http.stream(
                "GET", f"{_job(job_id)}/events", headers=headers, timeout=timeout
            ) as response,
        ):
            if response.is_error:
                response.read()
                raise self._error(response)
            version, data = "", []
            for line in response.iter_lines():
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "id":
                    version = value
                elif name == "data":
                    data.append(value)
                elif not line and data:
                    yield version, json.loads("\n".join(data))
                    data = []

    def _json(
        self, method: str, path: str, *, via: httpx.Client | None = None, **kwargs: Any
    ) -> Any:
        with self._talk():
            response = (via or self._http).request(method, path, **kwargs)
        if response.is_error:
            raise self._error(response)
        if response.status_code == 204:
            return None
        try:
            return response.json()
        except ValueError:
            raise self._no_extension() from None

    @contextmanager
    def _talk(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise Unreached(
                f"The Jupyter server at {self.where} does not answer.",
                hint="Is it running?",
            ) from error
        except httpx.TimeoutException as error:
            raise ServerUnavailable(
                f"The Jupyter server at {self.where} did not answer in time.",
                hint="Try again when it is less busy.",
            ) from error
        except httpx.HTTPError as error:
            raise ServerUnavailable(
                f"The connection to the Jupyter server at {self.where} broke.",
                hint="Try again.",
            ) from error

    def _error(self, response: httpx.Response) -> ExportError:
        try:
            described = response.json()["error"]
            error = ExportError.from_json(described)
            if isinstance(error, ServerUnavailable):
                error = Unreached(error.message, hint=error.hint)
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._foreign_error(response.status_code)
        if isinstance(error, QueueFull):
            with suppress(KeyError, ValueError):
                error.retry_after = int(response.headers["Retry-After"])
        return error

    def _foreign_error(self, status: int) -> ExportError:
        """An answer that is not of our making: Jupyter's own, or a proxy's."""
        if status in (401, 403):
            return Forbidden(
                f"The Jupyter server at {self.where} refused the request.",
                hint="Check its token; in a notebook, restart the kernel.",
            )
        if status == 404:
            return self._no_extension()
        if status < 500:
            return InvalidRequest(f"The server at {self.where} answered with status {status}.")
        return ServerUnavailable(f"The server at {self.where} answered with status {status}.")

    def _no_extension(self) -> Unreached:
        return Unreached(
            f"The Jupyter server at {self.where} does not have the extension jupyter_export.",
            hint="Enable it: jupyter server extension enable jupyter_export.",
        )


def _job(job_id: str) -> str:
    if not job_id:
        raise NotFound("An empty id is no job's.")
    return f"jobs/{quote(job_id, safe='')}"


def _template(name: str) -> str:
    try:
        return f"templates/{quote(check_name(name), safe='')}"
    except InvalidRequest as error:
        raise NotFound(f"You have no template “{name[:100]}”.", hint=error.hint) from None


def _address(url: str) -> tuple[str, str | None]:
    """Return (base URL with a slash at its end, path of the unix socket or None)."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
    if parts.scheme == UNIX:
        return f"http://localhost{path}", unquote(parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidRequest(
            f"“{url}” is not the address of a server.", hint="Write http://host:port/."
        )
    return f"{parts.scheme}://{parts.netloc}{path}", None


def _verified(address: str) -> Any:
    """Certificates are checked, except on the loopback interface.

    A server's own certificate there is self-signed or made out to its public name, and nobody on
    the way could read the talk.
    """
    parts = urlsplit(address)
    if parts.scheme == "http":
        return False  # Nothing to check, and loading the certificates takes 20 ms.
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    return False if loopback else httpx.create_ssl_context(trust_env=True)


def _file_name(response: httpx.Response, job_id: str) -> str:
    """Return the name that the server gives the file (RFC 6266), without any folder."""
    disposition = response.headers.get("Content-Disposition", "")
    name = ""
    for part in disposition.split(";"):
        key, _, value = part.strip().partition("=")
        if key.lower() == "filename*":
            name = unquote(value.split("'")[-1])
            break
        if key.lower() == "filename":
            name = value.strip('"')
    return Path(name.replace("\\", "/")).name or job_id
