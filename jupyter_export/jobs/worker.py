"""The program of a worker process: one job at a time, JSON lines in and out.

In: ``{"run": {"job", "spec", "here"}}``, ``{"preview": {"job", "spec", "here", "rows"}}``,
``{"tables": {"job", "here", "connection", "schema", "q"}}``, ``{"stream": {"job", "spec", "here",
"name"}}`` (its bytes go through the pipe, see ``piping``), ``{"cancel": job}``, ``{"go": job}``.
Out: ``{"ready": pid}``, then for each job ``{"job", "begun"}``, ``{"job", "progress"}``…, then
``{"job", "prepared": {"result", "identity"}}``, whose answer is ``go`` (the files get their names
only then), and one ``{"job", "result", "memory"}``, ``{"job", "answer", "memory"}`` (of a preview,
of tables) or ``{"job", "error", "memory"}``.
The process ends when its input ends, so that no worker outlives a parent that was killed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import Cancelled, ExportError, InternalError, OutOfMemory
from ..progress import Progress, Result
from ..registry import Surroundings
from ..spec import ExportSpec, parse
from .piping import end, sender, writing_end
from .redaction import Redactor
from .warming import spare_pandas, warm_drivers, warm_up

Run: TypeAlias = Callable[[ExportSpec, Surroundings], Iterator[Progress | Result]]
DEFAULT_RUN = "jupyter_export.pipeline:run"
PREVIEW = "jupyter_export.pipeline:preview"
TABLES = "jupyter_export.jobs.catalog:tables"
ORDERS = ("run", "preview", "tables", "stream")
WATCH_SECONDS = 0.1
HEADROOM = 300 * 1000**2
"""Bytes that the interpreter and the libraries may hold beside twice the engine's limit."""
OUT_OF_MEMORY_EXIT = 70

log = logging.getLogger("jupyter_export.worker")


def here_to_json(here: Surroundings) -> dict[str, Any]:
    """Return ``here`` as JSON values; what is called or set stays with its process."""
    mine = ("cancelled", "approve", "out")
    return {n: _plain(value) for n, value in here.__dict__.items() if n not in mine}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def here_from_json(
    values: Mapping[str, Any],
    cancelled: threading.Event,
    approve: Callable[[Any], None] = lambda result: None,
) -> Surroundings:
    """Return the ``Surroundings`` that ``here_to_json`` made ``values`` of."""
    paths = ("root", "target", "part", "uploads", "scratch")
    known: dict[str, Any] = {n: Path(v) if n in paths else v for n, v in values.items()}
    known["started"] = datetime.fromisoformat(values["started"])
    return Surroundings(**known, cancelled=cancelled, approve=approve)


def identity_of(path: Path) -> list[int] | None:
    """Return what tells a file or folder from all others on this machine, also when it has got
    another name: device and inode. None where there is nothing, or nobody can tell."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return [found.st_dev, found.st_ino] if found.st_ino else None


def hard_limit(memory_limit: int) -> int:
    """Return the bytes of anonymous memory at which a job is ended, by force if need be."""
    return 2 * memory_limit + HEADROOM


class Channel:
    """Writes whole lines to the parent, from any thread; ends the process when nobody reads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        line = memoryview(json.dumps(message, default=str).encode() + b"\n")
        with self._lock:
            try:
                while len(line):
                    line = line[os.write(self._fd, line) :]
            except OSError:
                os._exit(0)


class Worker:
    """Runs the jobs that its input names, one after the other, in the main thread."""

    def __init__(self, incoming: Any, channel: Channel, redactor: Redactor, pipe: Any) -> None:
        self._incoming = incoming
        self._pipe = pipe
        self._redactor = redactor
        self._channel = channel
        self._jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled: dict[str, threading.Event] = {}
        self._went: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._current: tuple[str, int] | None = None
        self._parent = os.getppid()

    def listen(self) -> None:
        threading.Thread(target=self._read, name="input", daemon=True).start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    @property
    def idle(self) -> bool:
        """True while no job has come."""
        return self._jobs.empty()

    def serve(self, run: Run) -> None:
        while True:
            self._one(run, self._jobs.get())

    def _read(self) -> None:
        for line in self._incoming:
            message = json.loads(line)
            order = next((message[kind] for kind in ORDERS if kind in message), None)
            if order is not None:
                # The event is there before the job starts: a cancel may come right behind it.
                self._cancelled[order["job"]] = threading.Event()
                self._jobs.put(order)
            elif "go" in message:
                self._went.put(message["go"])
            elif message.get("cancel") in self._cancelled:
                self._cancelled[message["cancel"]].set()
        os._exit(0)

    def _one(self, run: Run, order: dict[str, Any]) -> None:
        job = order["job"]
        self._redactor.keep(order["here"]["connections"])
        cancelled = self._cancelled[job]
        part = Path(order["here"]["part"])
        here = here_from_json(
            order["here"], cancelled, lambda result: self._ask(job, result, part, cancelled)
        )
        self._current = (job, hard_limit(here.memory_limit))
        self._channel.send({"job": job, "begun": True})
        answer: dict[str, Any] = {}
        try:
            if here.cancelled.is_set():
                raise Cancelled("The export was cancelled.")
            if "connection" in order:
                found = load(TABLES)(order["connection"], here, order["schema"], order["q"])
                answer = {"job": job, "answer": found}
            elif "rows" in order:
                preview = load(PREVIEW)(parse(order["spec"]), here, order["rows"])
                answer = {"job": job, "answer": preview.to_json()}
            elif "name" in order:
                here = replace(here, out=sender(self._pipe), approve=lambda result: None)
                result = self._through(run(parse(order["spec"]), here), job)
                answer = {"job": job, "answer": result.to_json()}
            else:
                result = self._through(run(parse(order["spec"]), here), job)
                answer = {"job": job, "result": result.to_json()}
        except ExportError as error:
            log.debug("job %s failed", job, exc_info=True)
            answer = {"job": job, "error": self._told(error)}
        except MemoryError:
            log.exception("job %s ran out of memory", job)
            answer = {"job": job, "error": out_of_memory().to_json(), "broken": True}
        except BaseException as error:
            log.exception("job %s failed unexpectedly", job)
            failed = InternalError(
                f"The export failed for an unexpected reason ({type(error).__name__}).",
                hint="Its details are in the log, at level debug.",
            )
            answer = {"job": job, "error": failed.to_json(), "broken": True}
        finally:
            self._current = None
            self._cancelled.pop(job, None)
            if "name" in order:
                end(self._pipe)
        self._channel.send({**answer, "memory": anonymous_memory()})

    def _ask(self, job: str, result: Result, part: Path, cancelled: threading.Event) -> None:
        """Tell what is about to be published, and wait until that is kept.

        A parent that died, or lost the job to another service, never answers: then nothing gets
        its name.
        """
        prepared = {"result": result.to_json(), "identity": identity_of(part)}
        self._channel.send({"job": job, "prepared": prepared})
        while True:
            if cancelled.is_set():
                raise Cancelled("The export was cancelled.")
            with suppress(queue.Empty):
                if self._went.get(timeout=0.1) == job:
                    return

    def _told(self, error: ExportError) -> dict[str, Any]:
        """Return the error as JSON; a source that forgot to leave out a password is no way out."""
        hide = self._redactor.hide
        return {
            name: text if text is None or name == "code" else hide(text)
            for name, text in error.to_json().items()
        }

    def _through(self, values: Iterator[Progress | Result], job: str) -> Result:
        """Tell of each step of a run; return its result."""
        result = None
        for value in values:
            if isinstance(value, Result):
                result = value
            else:
                self._channel.send({"job": job, "progress": value.to_json()})
        if result is None:
            raise RuntimeError("the run ended without a result")
        return result

    def _watch(self) -> None:
        """End the process when its job takes too much memory, or when its parent is gone.

        A closed input tells of a dead parent too, but a process that the parent forked may hold
        the other end open.
        """
        while True:
            current = self._current
            time.sleep(WATCH_SECONDS if current else 1.0)
            if sys.platform != "win32" and os.getppid() != self._parent:
                os._exit(0)
            if current is None:
                continue
            held = anonymous_memory()
            if held is not None and held > current[1] and self._current == current:
                error = out_of_memory(held, current[1])
                self._channel.send({"job": current[0], "error": error.to_json(), "broken": True})
                os._exit(OUT_OF_MEMORY_EXIT)


def out_of_memory(held: int | None = None, limit: int | None = None) -> OutOfMemory:
    """Return the sentence for a job that needs more memory than it may have. Bytes."""
    figures = f": {held // 1000**2:,} MB, {limit // 1000**2:,} MB allowed" if held and limit else ""
    return OutOfMemory(
        f"The export needs more memory than a job may use{figures}.",
        hint="Raise memory_limit_per_job, or export fewer columns or rows.",
    )


def anonymous_memory() -> int | None:
    """Return the bytes of private memory this process holds, or None where nobody tells.

    Linux: RssAnon of proc(5); mapped files, which the system can drop at any time, are not in it.
    """
    try:
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(b"RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def claim_stdout() -> int:
    """Keep the parent's pipe for the protocol and let every stray print go to standard error."""
    mine = os.dup(1)
    os.dup2(2, 1)
    return mine


def leave_no_core() -> None:
    """Have no memory of this process written to a disk when it crashes: it may hold passwords."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def load(dotted: str) -> Any:
    module, _, name = dotted.partition(":")
    return getattr(import_module(module), name)


def main(arguments: list[str]) -> None:
    """Serve until the input ends; ``--run module:function`` names what runs a job, ``--warm`` the
    dialects of databases whose drivers it will need, ``--pipe`` where bytes of a stream go."""
    parser = argparse.ArgumentParser(prog="jupyter_export.jobs.worker")
    parser.add_argument("--run", default=DEFAULT_RUN)
    parser.add_argument("--warm", nargs="*", default=[])
    parser.add_argument("--pipe", type=int, required=True)
    options = parser.parse_args(arguments)
    leave_no_core()
    # A terminal interrupts, and a service manager ends, every process at once: the parent decides,
    # and may let this one finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = Channel(claim_stdout())
    incoming = os.fdopen(os.dup(0), "rb")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    # Other libraries' debug lines may hold data and passwords.
    handler = logging.StreamHandler(sys.stderr)
    redactor = Redactor("%(name)s: %(message)s")
    handler.setFormatter(redactor)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(True)
    log.setLevel(logging.DEBUG)
    worker = Worker(incoming, channel, redactor, writing_end(options.pipe))
    worker.listen()
    run: Run = load(options.run)
    spare_pandas()
    try:
        if worker.idle:
            warm_up(run)
            warm_drivers(options.warm, lambda: worker.idle)
    except Exception:
        log.exception("warming up failed")
    channel.send({"ready": os.getpid()})
    worker.serve(run)
