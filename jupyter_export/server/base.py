"""What all our handlers share: who asks, work off the loop, errors as JSON, checked parameters."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from http.client import responses
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.auth import identity
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from .. import errors
from ..errors import ExportError, InvalidRequest, InvalidSpec, QueueFull, TooLarge, did_you_mean
from ..jobs.model import Caller
from ..jobs.ownership import caller_for
from ..spec import limits
from .feed import Watch
from .host import ServiceHost
from .kernel_tokens import KernelIdentity, KernelTokenMixin, KernelTokens, os_user

if TYPE_CHECKING:
    from ..jobs.service import ExportService

T = TypeVar("T")

MAX_JSON_BYTES = 4 * 1024**2
"""Longest JSON body that is read: 4 MiB."""

STOCK_PROVIDERS: tuple[type[IdentityProvider], ...] = (
    IdentityProvider,
    identity.PasswordIdentityProvider,
    identity.LegacyIdentityProvider,
)
"""These name their callers at random."""

STATUS: dict[type[ExportError], int] = {
    errors.InvalidRequest: 400,
    errors.SourceFailed: 400,
    errors.ConnectionFailed: 503,
    errors.ConnectionLost: 503,
    errors.Throttled: 503,
    errors.QueryFailed: 400,
    errors.StatementTimeout: 504,
    errors.QueryCancelled: 503,
    errors.LossRefused: 400,
    errors.MissingDependency: 400,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.OutputExists: 409,
    errors.NotReady: 409,
    errors.Expired: 410,
    errors.TooLarge: 413,
    errors.QueueFull: 429,
    errors.ShuttingDown: 503,
    errors.Interrupted: 503,
    errors.TimedOut: 504,
    errors.ServerUnavailable: 503,
    errors.DiskFull: 507,
    errors.WriteFailed: 507,
    ExportError: 500,
}

_CODES = {
    403: "forbidden",
    404: "not_found",
    413: "too_large",
    503: "shutting_down",
}


def status_of(error: ExportError) -> int:
    """Return the HTTP status of an error; subclasses have that of their nearest base."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


class ExportHandler(KernelTokenMixin, APIHandler):
    """Base of each route. Leaf methods are decorated; ``authorized`` here would freeze itself."""

    host: ServiceHost

    def initialize(
        self, host: ServiceHost, tokens: KernelTokens, kernel_identity: KernelIdentity
    ) -> None:
        self.host = host
        self._watches: set[Watch] = set()
        self.bytes_written = 0
        self.accept_kernels(tokens, kernel_identity)

    # ------------------------------------------------------------- who and what

    @property
    def caller(self) -> Caller:
        """The owner that this request acts for."""
        name = self.current_user.username
        caller = caller_for(
            name,
            provider_is_stock=type(self.settings["identity_provider"]) in STOCK_PROVIDERS,
            os_user=os_user(),
            admin_users=self.host.settings.admin_users,
            kernel_owner=name if self.kernel_id is not None else None,
        )
        return replace(caller, address=self.request.remote_ip or "")

    async def ask(self, question: Callable[[ExportService], T]) -> T:
        """Put ``question`` to the job service, off the loop."""
        return await self.host.ask(question)

    def watch(self, job_id: str) -> Watch:
        """Return a watch that ends when the client goes away."""
        watch = self.host.feed.watch(job_id)
        self._watches.add(watch)
        return watch

    def on_connection_close(self) -> None:
        super().on_connection_close()
        for watch in self._watches:
            watch.close()

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        if isinstance(chunk, bytes):
            self.bytes_written += len(chunk)
        super().write(chunk)

    async def answer(self, value: Callable[[], Any], status: int = 200) -> None:
        """Send ``value()`` as JSON; made in a thread, for a page of jobs can be long."""
        text = await self.host.run(lambda: _json(value()))
        self.set_status(status)
        with contextlib.suppress(StreamClosedError):  # Who asked has gone.
            await self.finish(text)

    # ------------------------------------------------------------- parameters

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a query parameter between ``low`` and ``high``, or raise ``InvalidRequest``."""
        text = self.get_query_argument(name, "")
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise InvalidRequest(
                f"“{_short(text)}” is not a value of {name}.",
                hint=f"Give a number from {low:g} to {high:g}.",
                field=name,
            )
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Like ``number``, for whole numbers."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise InvalidRequest(f"{name} is {value:g}; it must be a whole number.", field=name)
        return int(value)

    def choice(self, name: str, known: tuple[str, ...]) -> str | None:
        """Return a query parameter that is one of ``known``; None where it is not given."""
        text = self.get_query_argument(name, "")
        if text and text not in known:
            raise InvalidRequest(
                f"“{_short(text)}” is not a value of {name}.",
                hint=did_you_mean(text, known),
                field=name,
            )
        return text or None

    def flag(self, name: str) -> bool:
        """Return a query parameter that is ``true`` or ``false`` (not given)."""
        return self.choice(name, ("true", "false", "1", "0")) in ("true", "1")

    def declared_length(self) -> int | None:
        """Return the bytes that the request says it has; None where it does not say, or nonsense:
        tornado refuses that, but only when it reads the body of a route that takes it in pieces."""
        text = self.request.headers.get("Content-Length", "")
        if not (text.isascii() and text.isdecimal()):
            return None
        # of thousands of digits CPython makes no number
        return int(text) if len(text) <= 18 else 10**18

    # ------------------------------------------------------------- errors

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = _error_in(kwargs)
        if isinstance(error, ExportError):
            status_code = status_of(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        found = _error_in(kwargs)
        if not isinstance(found, ExportError):
            found = None
            shown = self._plain_error(status_code, _error_in(kwargs))
        else:
            shown = found.to_json()
        if isinstance(found, QueueFull):
            self.set_header("Retry-After", str(found.retry_after))
        if status_code == 405:
            self.set_header("Allow", ", ".join(_methods(type(self))))
        sentence = f"{shown['message']} {shown['hint']}" if shown["hint"] else shown["message"]
        self.finish(_json({"message": sentence, "error": shown}))

    def _plain_error(self, status: int, error: BaseException | None) -> dict[str, str | None]:
        """Return ``{code, message, hint, field}`` of an error that is none of ours."""
        reason = str(getattr(error, "log_message", None) or "")
        hint = None
        if status == 403 and "XSRF" in reason.upper():
            message = "The request has no valid _xsrf token."
            hint = "Send the _xsrf cookie's value as X-XSRFToken, or authenticate with a token."
        elif status == 403 and getattr(self, "_jupyter_current_user", None) is None:
            message = "You are not logged in."
            hint = "Log in, or send “Authorization: token …”."
        elif status == 403:
            message = "You are not allowed to do this on this server."
        elif status == 404:
            message = "There is nothing at this address."
        elif status == 405:
            message = f"{self.request.method} is not possible here."
            hint = f"Possible: {', '.join(_methods(type(self)))}."
        elif status >= 500:
            message = "The server failed to answer; that is a bug."
            hint = "Its log has the details."
        else:
            message = f"{reason or responses.get(status, 'The request is wrong')}."
        code = _CODES.get(status, "internal_error" if status >= 500 else "invalid_request")
        return {"code": code, "message": message, "hint": hint, "field": None}

    def log_exception(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ExportError) and status_of(error) < 500:
            self.log.debug("jupyter_export: %s %s", error.code, error)
        elif isinstance(error, ExportError):
            self.log.warning("jupyter_export: %s %s", error.code, error)
        elif not isinstance(error, StreamClosedError):
            super().log_exception(kind, error, trace)


class JsonBody(ExportHandler):
    """A route that takes one JSON document, and never holds more than ``MAX_JSON_BYTES`` of it.

    A class with this base is decorated with ``web.stream_request_body``.
    """

    async def prepare(self) -> None:  # type: ignore[override]
        self._pieces: list[bytes] = []
        self._length = 0
        await super().prepare()
        if (self.declared_length() or 0) > MAX_JSON_BYTES:
            raise _too_long()

    async def data_received(self, chunk: bytes) -> None:
        # of somebody without a login nothing is kept: the decorators speak only after the body
        if self._finished or not self.current_user:
            return
        self._length += len(chunk)
        if self._length > MAX_JSON_BYTES:
            self._pieces.clear()
            error = _too_long()
            self.send_error(exc_info=(type(error), error, None))
            return
        self._pieces.append(chunk)

    def json_body(self) -> Callable[[], Any]:
        """Return the function that parses the body; to be called off the loop."""
        body = b"".join(self._pieces)
        return lambda: parse_json(body)


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text, or raise ``InvalidRequest`` with the place of the fault."""
    if not body.strip():
        raise InvalidRequest("The request has no body.", hint="Send a spec as JSON.")
    try:
        return limits.read(body, "The body")
    except InvalidSpec as error:
        raise InvalidRequest(error.message, hint=error.hint) from None


def _too_long() -> TooLarge:
    return TooLarge(
        f"The request's body is longer than {MAX_JSON_BYTES // 1024**2} MiB.",
        hint="Send rows to the uploads route, and name the upload in the spec.",
    )


def _json(value: Any) -> bytes:
    """Return ``value`` as JSON in UTF-8; half of a surrogate pair, which a document or the name of
    a file may hold, becomes U+FFFD."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _error_in(kwargs: dict[str, Any]) -> BaseException | None:
    found: tuple[Any, BaseException | None, Any] = kwargs.get("exc_info") or (None, None, None)
    return found[1]


def _methods(handler: type[web.RequestHandler]) -> list[str]:
    """Return the methods that a handler answers."""
    missing = web.RequestHandler._unimplemented_method
    return [
        method
        for method in web.RequestHandler.SUPPORTED_METHODS
        if getattr(handler, method.lower()) is not missing and method != "OPTIONS"
    ]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
