"""A token for each kernel: it opens this extension's routes and nothing else of the server.

A server with a password only, or one of JupyterHub, has no token that a kernel could be given.
So each kernel is started with one of ours in its environment: the kernel's id, signed with a key
that lives in this process's memory. No other handler of the server knows such tokens.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.identity import IdentityProvider, User
from tornado import web

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

SERVER = "JUPYTER_EXPORT_SERVER"
TOKEN = "JUPYTER_EXPORT_TOKEN"
ROOT = "JUPYTER_EXPORT_ROOT"
_AUTHORIZATION = re.compile(r"(?:token|bearer)\s+(je1\.\S+)\s*", re.IGNORECASE)
_LOCAL_PROVISIONER = "local-provisioner"


class KernelTokens:
    """Signs and verifies the tokens of one server process; the key dies with it."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or os.urandom(32)

    def issue(self, kernel_id: str) -> str:
        """Return the token of this kernel, the same each time: ``je1.{kernel}.{signature}``."""
        name = base64.urlsafe_b64encode(kernel_id.encode()).decode().rstrip("=")
        return f"je1.{name}.{self._sign(name)}"

    def verify(self, authorization: str | None) -> str | None:
        """Return the kernel's id if an ``Authorization`` header holds a token of ours."""
        found = _AUTHORIZATION.fullmatch(authorization or "")
        if not found:
            return None
        _, _, rest = found[1].partition(".")
        name, _, signature = rest.partition(".")
        if not hmac.compare_digest(self._sign(name).encode(), signature.encode()):
            return None
        try:
            return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None

    def _sign(self, name: str) -> str:
        return hmac.new(self._key, b"kernel:" + name.encode(), hashlib.sha256).hexdigest()


def os_user() -> str:
    """Return the name of the user whose process this is (its number where there is no name)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "owner"


class KernelIdentity(IdentityProvider):
    """Says of a request with a kernel's token: this is the owner of the server."""

    host_provider: Any = None
    """The server's own identity provider."""

    def get_user(self, handler: web.RequestHandler) -> User:
        hub = getattr(self.host_provider, "hub_auth", None)
        if hub is None:
            return User(os_user())
        owner = User(os.environ.get("JUPYTERHUB_USER") or os_user())
        # JupyterHub's authorizer looks for the user's scopes here.
        owner.hub_user = {  # type: ignore[attr-defined]
            "name": owner.username,
            "scopes": sorted(hub.access_scopes),
        }
        return owner

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        return True


class KernelTokenMixin(web.RequestHandler):
    """First base of each of our handlers; leaves every other way of logging in as it is."""

    kernel_id: str | None = None
    _kernel_identity: KernelIdentity | None = None

    def accept_kernels(self, tokens: KernelTokens, identity: KernelIdentity) -> None:
        """Call from ``initialize``: look for a kernel's token, in the header only."""
        self.kernel_id = tokens.verify(self.request.headers.get("Authorization"))
        if self.kernel_id is not None:
            self._kernel_identity = identity
            # JupyterHub's XSRF check looks here.
            self._token_authenticated = True

    def check_xsrf_cookie(self) -> None:
        # A page of another site cannot send this header, so there is nothing to forge.
        if self.kernel_id is None:
            super().check_xsrf_cookie()

    @property
    def identity_provider(self) -> IdentityProvider:
        return self._kernel_identity or super().identity_provider  # type: ignore[misc]


def equip_kernels(serverapp: ServerApp, tokens: KernelTokens, root: str) -> None:
    """From now on start each kernel with this server's address, its token and ``root``.

    ``root`` is the server's folder, or "" where it is not a folder of this machine. A kernel
    manager that starts its kernels on a gateway never comes here, and stays as it is.
    """
    manager = serverapp.kernel_manager
    start: Callable[..., tuple[Any, str, str]] | None = getattr(manager, "pre_start_kernel", None)
    if start is None:
        return

    def pre_start_kernel(kernel_name: str | None, kwargs: Any) -> tuple[Any, str, str]:
        kernel, name, kernel_id = start(kernel_name, kwargs)
        try:
            local = _runs_here(kernel)
            # Without "env" jupyter_client would pass on the server's own environment.
            kwargs["env"] = {
                **(kwargs.get("env") or os.environ),
                SERVER: address(serverapp, local=local),
                TOKEN: tokens.issue(kernel_id),
                ROOT: root if local else "",
            }
        except Exception:
            serverapp.log.exception("jupyter_export: a kernel was started without its token.")
        return kernel, name, kernel_id

    manager.pre_start_kernel = pre_start_kernel  # type: ignore[method-assign]


def address(serverapp: ServerApp, *, local: bool) -> str:
    """Return the base URL under which a kernel reaches this server.

    A server that listens on every address is reached by a kernel of the same machine on the
    loopback one: its host name need not resolve there.
    """
    url: str = serverapp.connection_url
    if local and not serverapp.sock and serverapp.ip in ("0.0.0.0", "::", ""):
        loopback = "[::1]" if serverapp.ip == "::" else "127.0.0.1"
        scheme = "https" if serverapp.certfile else "http"
        url = f"{scheme}://{loopback}:{serverapp.port}{serverapp.base_url}"
    return url if url.endswith("/") else url + "/"


def _runs_here(kernel: Any) -> bool:
    """Tell whether this kernel is a process of this machine, by its kernel spec."""
    try:
        metadata = kernel.kernel_spec.metadata or {}
        provisioner = metadata.get("kernel_provisioner") or {}
        return bool(provisioner.get("provisioner_name", _LOCAL_PROVISIONER) == _LOCAL_PROVISIONER)
    except Exception:
        # No such kernel: jupyter_client is about to say so better than we could.
        return True
