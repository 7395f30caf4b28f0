"""Which job service this process uses: that of its Jupyter server, or one of its own."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .protocol import ExportClient

if TYPE_CHECKING:
    from .local import LocalClient
    from .server import ServerClient

SERVER = "JUPYTER_EXPORT_SERVER"
TOKEN = "JUPYTER_EXPORT_TOKEN"
ROOT = "JUPYTER_EXPORT_ROOT"


class Address(NamedTuple):
    """Where a server is, what opens it, and its folder ("" when that is not on this machine)."""

    url: str
    token: str
    root: str


def server_address() -> Address | None:
    """Return the address of the server that started this process, or None.

    The server tells its kernels by environment variables. A kernel that lost them asks for the
    running server with the id of its parent process.
    """
    url = os.environ.get(SERVER, "")
    if url:
        return Address(url, os.environ.get(TOKEN, ""), os.environ.get(ROOT, ""))
    parent = os.environ.get("JPY_PARENT_PID", "")
    return _parent_server(parent) if parent.isdecimal() else None


def _parent_server(parent: str) -> Address | None:
    from jupyter_core.paths import jupyter_runtime_dir

    try:
        described = Path(jupyter_runtime_dir(), f"jpserver-{parent}.json").read_text("utf-8")
        info = json.loads(described)
        return Address(info["url"], info.get("token") or "", info.get("root_dir") or "")
    except (OSError, ValueError, KeyError, TypeError):
        return None


_lock = threading.RLock()
_server: tuple[Address, ServerClient] | None = None


def find_client() -> ExportClient:
    """Return the client of this process's server, or the in-process service without one.

    The server is not asked whether it answers; ``check()`` does that.
    """
    return server_client() or LocalClients.here()


def server_client() -> ServerClient | None:
    """Return the one client for this process's server, or None when it has none."""
    global _server
    address = server_address()
    if address is None:
        return None
    with _lock:
        if _server is None or _server[0] != address:
            from .server import ServerClient

            _server = (address, ServerClient(address.url, address.token, root=address.root))
        return _server[1]


class LocalClients:
    """The in-process services, one for each working directory, stopped when Python exits."""

    _started: ClassVar[dict[Path, LocalClient]] = {}

    @classmethod
    def here(cls) -> LocalClient:
        """Return the service whose relative paths start at the working directory."""
        root = Path.cwd()
        with _lock:
            if root not in cls._started:
                from .local import start_local

                cls._started[root] = start_local(root, state_dir(root))
            return cls._started[root]

    @classmethod
    def stop(cls) -> None:
        with _lock:
            while cls._started:
                cls._started.popitem()[1].close()

    @classmethod
    def forget(cls) -> None:
        """After a fork: sockets, threads and workers are the parent's; begin anew."""
        global _server, _lock
        _lock = threading.RLock()
        _server = None
        cls._started = {}


def state_dir(root: Path) -> Path:
    """Return the folder of the job store for exports made from ``root``.

    One for each folder, because a job's paths are relative to its root.
    """
    import platformdirs

    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    state = Path(platformdirs.user_state_path("jupyter-export", appauthor=False))
    return state / "local" / name


atexit.register(LocalClients.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LocalClients.forget)
