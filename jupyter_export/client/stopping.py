"""A question that nobody waits for any more is ended where it is worked on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_OPENED = {
    f"connection.{step}.complete" for step in ("connect_tcp", "connect_unix_socket", "start_tls")
}


class Stop:
    """Given along with a question; ``ask`` ends it, from any thread, also before it began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._ends: list[Callable[[], object]] = []

    def ask(self) -> None:
        with self._lock:
            self._asked = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()

    def ended_by(self, end: Callable[[], object]) -> None:
        """Have ``end`` called when it is asked for: now, if it was already."""
        with self._lock:
            if not self._asked:
                self._ends.append(end)
                return
        end()

    def of_connection(self, event: str, found: dict[str, Any]) -> None:
        """Shut a connection that is opened for one request (httpx's extension “trace”): the server
        sees that its caller has gone, and stops."""
        if event in _OPENED:
            wire = found["return_value"].get_extra_info("socket")
            if wire is not None:
                self.ended_by(lambda: _shut(wire))


def _shut(wire: socket.socket) -> None:
    with suppress(OSError):  # It is closed: the answer has come.
        wire.shutdown(socket.SHUT_RDWR)
