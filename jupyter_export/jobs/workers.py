"""Worker processes as their parent sees them: start, talk, kill, and a small warm pool.

Why not a pool of ``multiprocessing`` or pebble: under ``spawn``, pebble 5.2 imported the caller's
``__main__`` again (a script without a main guard failed, and a notebook's ``__main__`` is no
file), ``fork`` is not safe out of a server or kernel with threads, and all its workers share one
pipe behind locks that a killed worker may hold. Here each worker is a program of its own with its
own pipes, so killing one hurts nobody.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import jupyter_export

from .piping import InheritedPipe
from .warming import warm_folder
from .worker import DEFAULT_RUN

log = logging.getLogger(__name__)

MAX_JOBS = 50
"""Jobs after which a worker is replaced, so that whatever leaks stays small."""
MAX_RESTING_MEMORY = 256 * 1000**2
"""Bytes; a worker that holds more after its job is replaced."""
LINGER_SECONDS = 10.0
"""How long a worker that is not the spare one waits for another job."""
GRACE_SECONDS = 2.0

BOOTSTRAP = """\
import sys
if sys.path and not sys.path[0]:
    del sys.path[0]
from importlib import util
spec = util.spec_from_file_location(
    "jupyter_export", sys.argv[1], submodule_search_locations=[sys.argv[2]])
package = util.module_from_spec(spec)
sys.modules["jupyter_export"] = package
spec.loader.exec_module(package)
from jupyter_export.jobs.worker import main
main(sys.argv[3:])
"""
"""Imports the parent's own copy of this package, wherever it is; ``-c`` puts the working folder
first on the path, where a file of the user named ``copy.py`` would break every import."""

SECRETS = ("JUPYTER_EXPORT_", "JUPYTER_TOKEN", "JUPYTERHUB_", "JPY_")
"""Beginnings of the names of variables that a worker has no use for."""

Message: TypeAlias = dict[str, Any]
OnMessage: TypeAlias = "Callable[[WorkerProcess, Message], None]"


def environment(
    source: Mapping[str, str], withheld: Collection[str] = frozenset()
) -> dict[str, str]:
    """Return the variables that a worker gets: all but those that open the server, and those
    that hold a secret of the settings (``withheld``)."""
    return {
        name: value
        for name, value in source.items()
        if not name.startswith(SECRETS) and name not in withheld
    }


@dataclass(frozen=True)
class Making:
    """How workers of a pool are made."""

    folder: Path
    """Where they work."""
    run: str = DEFAULT_RUN
    """What runs a job: ``module:function``."""
    warm: tuple[str, ...] = ()
    """Dialects of databases whose drivers they should have at hand."""
    withheld: frozenset[str] = frozenset()
    """Environment variables that they do not get."""
    holds: Callable[[], int | None] = lambda: None
    """Returns a file descriptor that they inherit: the lock of their service, which is held until
    the last of them has ended."""


class WorkerProcess:
    """One worker: its process and the thread that reads it.

    ``on_message`` is called from that thread with each of the worker's messages, and once at the
    end with ``{"exited": return code}``, after which the process is reaped.
    """

    def __init__(self, on_message: OnMessage, making: Making) -> None:
        self.job: str | None = None
        """The job or preview that it runs."""
        self.previewing = False
        self.jobs_done = 0
        self.ready = False
        self.broken = False
        self.idle_since = time.monotonic()
        self._on_message = on_message
        self._orders: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._folder = making.folder
        package = Path(jupyter_export.__file__)
        command = [sys.executable, "-c", BOOTSTRAP, str(package), str(package.parent)]
        pipe = InheritedPipe()
        self.pieces = pipe.reader
        """Where the bytes of an export arrive that is sent as it is made."""
        held = making.holds()
        self._process = subprocess.Popen(
            [*command, "--pipe", str(pipe.handle), "--run", making.run, "--warm", *making.warm],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=making.folder,
            env=environment(os.environ, making.withheld),
            **pipe.inheriting(*([] if held is None else [held])),
            **_detached(),
        )
        pipe.handed_over()
        self._threads = [
            threading.Thread(target=target, name=f"{name} {self.pid}", daemon=True)
            for target, name in (
                (self._read, "export worker"),
                (self._log, "export worker log"),
                (self._write, "export worker orders"),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        """Have one line written to the worker, and do not wait for it: one that is starting, or
        stands still, reads no more than its pipe holds. That it is gone is told by ``exited``."""
        self._orders.put(json.dumps(message).encode() + b"\n")

    def retire(self) -> None:
        """Let an idle worker end by itself."""
        self._orders.put(None)

    def kill(self) -> None:
        """End it now (SIGKILL, or TerminateProcess on Windows)."""
        self._process.kill()

    def join(self, timeout: float) -> bool:
        """Wait for its end; return whether process and threads are gone. Seconds."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _read(self) -> None:
        stdout: IO[bytes] | None = self._process.stdout
        assert stdout is not None
        with stdout:
            for line in stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    log.debug("worker %s wrote a line that is no message", self.pid)
                    continue
                self._on_message(self, message)
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self.retire()
        shutil.rmtree(warm_folder(self._folder, self.pid), ignore_errors=True)
        self._on_message(self, {"exited": code})

    def _write(self) -> None:
        stdin: IO[bytes] | None = self._process.stdin
        assert stdin is not None
        try:
            with stdin:
                while (line := self._orders.get()) is not None:
                    stdin.write(line)
                    stdin.flush()
        except (OSError, ValueError):
            log.debug("worker %s does not read any more", self.pid)

    def _log(self) -> None:
        stderr: IO[bytes] | None = self._process.stderr
        assert stderr is not None
        with stderr:
            for line in stderr:
                log.debug("worker %s: %s", self.pid, line.decode(errors="replace").rstrip())


class WorkerPool:
    """At most ``size`` workers busy with jobs and one warm spare, which also answers previews.

    Used by one thread, the dispatcher's.
    """

    def __init__(self, size: int, on_message: OnMessage, making: Making) -> None:
        self.size = size
        self._on_message = on_message
        self._making = making
        self._workers: list[WorkerProcess] = []
        self._leaving: list[WorkerProcess] = []
        self._start_failed = False

    @property
    def busy(self) -> int:
        """Workers that run jobs; previews take no job's place."""
        return sum(w.job is not None and not w.previewing for w in self._workers)

    def has_room(self) -> bool:
        return self.busy < self.size

    def take(self) -> WorkerProcess:
        """Return a worker: a warm one if there is, else a new one, which may be sent its job at
        once. It is busy when its ``job`` is set. Raises ``OSError`` when none can be started."""
        alive = [worker for worker in self._idle() if worker.alive]
        return max(alive, key=lambda w: (w.ready, w.idle_since)) if alive else self._start()

    def give_back(self, worker: WorkerProcess, memory: int | None) -> None:
        """Take a worker whose job is over; replace one that is worn, broken or swollen."""
        worker.job = None
        worker.previewing = False
        worker.jobs_done += 1
        worker.idle_since = time.monotonic()
        swollen = memory is not None and memory > MAX_RESTING_MEMORY
        if worker.broken or swollen or worker.jobs_done >= MAX_JOBS:
            self._let_go(worker)

    def gone(self, worker: WorkerProcess) -> None:
        """Forget a worker whose end was reported."""
        if worker in self._leaving:
            self._leaving.remove(worker)
        if worker in self._workers:
            self._workers.remove(worker)
            # A worker that dies before it is ready would die again: wait for a job to need one.
            self._start_failed = not worker.ready

    def tend(self) -> None:
        """Start the spare if there is none, and let go of workers that nobody needs."""
        idle = self._idle()
        now = time.monotonic()
        for worker in sorted(idle, key=lambda worker: worker.idle_since)[:-1]:
            if now - worker.idle_since > LINGER_SECONDS:
                self._let_go(worker)
        if not idle and not self._start_failed:
            try:
                self._start()
            except OSError:
                self._start_failed = True
                log.warning("No export worker could be started.", exc_info=True)

    @property
    def resting(self) -> int:
        """How many idle workers there are beside the spare; ``tend`` lets go of them in time."""
        return max(len(self._idle()) - 1, 0)

    def kill(self) -> None:
        """Kill every worker. Safe from any thread."""
        for worker in [*self._workers, *self._leaving]:
            worker.kill()

    def stop(self, timeout: float) -> None:
        """Kill every worker and wait until all are gone. Seconds."""
        self.kill()
        deadline = time.monotonic() + timeout
        for worker in [*self._workers, *self._leaving]:
            worker.join(max(deadline - time.monotonic(), 0.1))
        self._workers.clear()
        self._leaving.clear()

    def _idle(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.job is None]

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._on_message, self._making)
        self._workers.append(worker)
        self._start_failed = False
        return worker

    def _let_go(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        self._leaving.append(worker)
        worker.retire()


def _detached() -> dict[str, Any]:
    """Keep a terminal's or a kernel's interrupts away from workers; open no console window."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return {"creationflags": flags}
    return {"start_new_session": True}
