"""The pipe on which a worker sends an export's bytes to its parent, beside the lines of JSON.

Each worker inherits one: there is no address that somebody else could connect to, the system holds
no more than a few pieces of it, and the end of the process is the end of the pipe. A piece is a
message of ``multiprocessing.connection``; an empty one ends the bytes of a job.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any

ROOM = 1024**2
"""Bytes that the pipe may hold, where that can be chosen (Linux)."""


class InheritedPipe:
    """The parent's view: made before the process, which gets the end that writes."""

    def __init__(self) -> None:
        self.reader, self._writer = Pipe(duplex=False)
        if sys.platform == "linux":
            import fcntl

            with suppress(OSError):  # The user's pipes hold as much as they may already.
                fcntl.fcntl(self._writer.fileno(), fcntl.F_SETPIPE_SZ, ROOM)

    @property
    def handle(self) -> int:
        """What ``writing_end`` of the process is called with."""
        return int(self._writer.fileno())

    def inheriting(self, *others: int) -> dict[str, Any]:
        """Return the arguments of ``Popen`` with which it inherits this and ``others``."""
        if sys.platform == "win32":
            import os
            import subprocess

            os.set_handle_inheritable(self.handle, True)
            listed = {"handle_list": [self.handle]}
            return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList=listed)}
        return {"pass_fds": (self.handle, *others)}

    def handed_over(self) -> None:
        """Close the end that the process has got: when it ends, nobody else holds the pipe open."""
        self._writer.close()


def writing_end(handle: int) -> Connection:
    """Return the worker's end."""
    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection

        return PipeConnection(handle, readable=False)
    import os

    # programs that a driver starts have no use for it, and would hold it open
    os.set_inheritable(handle, False)
    return Connection(handle, readable=False)


def sender(pipe: Connection) -> Callable[[Any], None]:
    """Return what takes the pieces of a run; it waits while nobody reads."""

    def send(piece: Any) -> None:
        if len(piece):
            pipe.send_bytes(piece)

    return send


def end(pipe: Connection) -> None:
    """Say that no more comes of this job; a parent that is gone does not hear it."""
    with suppress(OSError):
        pipe.send_bytes(b"")
