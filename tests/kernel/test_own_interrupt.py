"""Ctrl-C ends a query on the notebook's own connection: in a kernel, where it may be pressed, and
where Python would lose it."""

from __future__ import annotations

import gc
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.client.attend import listening
from jupyter_export.client.own import _OwnQuery as own_query
from jupyter_export.client.own import rows_of_query
from jupyter_export.client.rows import was_interrupted
from jupyter_export.errors import QueryCancelled

from .conftest import Server
from .connections import ENDLESS, ENDLESS_IN_DUCK
from .kernels import Kernel, kernel_of

SECONDS = 60.0
SETUP = """
from pathlib import Path
import jupyter_export.client.own
from tests.kernel.connections import *
%load_ext jupyter_export

def _noted(self, *arguments, _begun=jupyter_export.client.own._OwnQuery._begun):
    _begun(self, *arguments)
    Path("begun").touch()

jupyter_export.client.own._OwnQuery._begun = _noted
"""


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    with kernel_of(server, "interrupted") as running:
        ran = running.run(SETUP)
        assert ran.status == "ok", ran.text
        yield running


def until(what: Callable[[], bool], said: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline, said
        time.sleep(0.01)


@pytest.mark.parametrize("what", ["count(*)", "n"])
@pytest.mark.parametrize("make", ["sqlite_memory", "engine_of_memory", "engine_of_file", "duck"])
def test_the_kernels_interrupt_ends_the_query(
    server: Server, kernel: Kernel, make: str, what: str
) -> None:
    """Before its first row, and while rows are sent."""
    folder = server.root / "interrupted"
    uploads = server.root.parent / "server-state" / "uploads"
    for name in ("begun", "own.db"):
        (folder / name).unlink(missing_ok=True)
    assert kernel.run(f"warehouse = {make}()").status == "ok"
    before = set(folder.iterdir()) | {folder / "begun"}
    others = set(uploads.iterdir())
    query = (ENDLESS_IN_DUCK if make == "duck" else ENDLESS).format(what)
    message = kernel.client.execute(
        f"%%export x.csv --connection warehouse\n{query}", allow_stdin=False, store_history=True
    )
    until((folder / "begun").exists, "the query did not begin")
    if what == "n":
        until(lambda: bool(sizes(set(uploads.iterdir()) - others)), "no rows were sent")
    kernel.interrupt()
    reply = kernel.client.get_shell_msg(timeout=SECONDS)
    while reply["parent_header"]["msg_id"] != message:
        reply = kernel.client.get_shell_msg(timeout=SECONDS)
    assert reply["content"]["status"] == "error"
    assert "interrupted" in reply["content"]["evalue"]
    assert "nothing was written" in reply["content"]["evalue"]
    assert set(folder.iterdir()) <= before
    until(lambda: set(uploads.iterdir()) <= others, "the upload was left")
    assert server.ask("GET", "jupyter-export/v1/jobs?q=interrupted/x.csv")["jobs"] == []
    ran = kernel.run("print('still', is_there_still(warehouse))")
    assert "still True" in ran.text


def sizes(uploads: set[Path]) -> list[int]:
    """Return the sizes of what is being uploaded, as far as something has come."""
    found = []
    for path in uploads:
        try:
            found.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return [size for size in found if size]


# ------------------------------------------------------------------ where Python loses it


class _Finalized:
    """Ctrl-C is pressed while it is finalized: Python prints what is raised, and goes on."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        for _ in range(10):  # Handlers run between instructions; they must run in here.
            pass


@pytest.fixture
def python_hears() -> Iterator[None]:
    """SIGINT raises ``KeyboardInterrupt``, whatever the process that started this one ignores."""
    assert threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


lost = pytest.mark.filterwarnings(
    "ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning"
)


def press_where_it_is_lost() -> None:
    """Raise the signal in a finalizer. It is handled there and then: this is the main thread."""
    doomed = _Finalized()
    del doomed
    gc.collect()


@lost
def test_one_that_python_loses_is_noted(python_hears: None) -> None:
    heard: list[str] = []
    with listening(lambda: heard.append("interrupt")) as pressed:
        pressed.check()
        press_where_it_is_lost()
        assert heard == ["interrupt"]
        with pytest.raises(KeyboardInterrupt):
            pressed.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@lost
def test_one_that_python_loses_ends_a_query_of_sqlite(python_hears: None) -> None:
    """Pressed before the query runs, when SQLite has nothing to interrupt yet."""
    with closing(sqlite3.connect(":memory:")) as connection:
        rows = rows_of_query(connection, ENDLESS.format("count(*)"))
        with listening(rows.interrupt) as pressed:
            press_where_it_is_lost()
            with pytest.raises(KeyboardInterrupt):
                rows.read()
            with pytest.raises(KeyboardInterrupt):
                pressed.check()
        assert rows.close is not None
        rows.close()
        # What was pressed is over: the next query runs.
        again = rows_of_query(connection, "SELECT 1 AS n")
        assert again.read().read_all().to_pylist() == [{"n": 1}]


def test_the_progress_of_sqlite_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the driver's interrupt comes too early for a query that is all but begun, only the
    handler can end it."""
    begun = own_query._begun

    def pressed_too_early(self: Any, driver: Any, interrupt: Callable[[], None]) -> None:
        begun(self, driver, lambda: None)
        self.interrupt()

    monkeypatch.setattr(own_query, "_begun", pressed_too_early)
    with closing(sqlite3.connect(":memory:")) as connection:
        rows = rows_of_query(connection, ENDLESS.format("count(*)"))
        with pytest.raises(QueryCancelled, match="interrupted") as caught:
            rows.read()
        assert was_interrupted(caught.value)
        assert rows.close is not None
        rows.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_thread_of_its_own_hears_nothing(python_hears: None) -> None:
    """Only the main thread may set handlers; elsewhere nothing is noted, and nothing fails."""
    found: list[Any] = []

    def run() -> None:
        with listening(None) as pressed:
            pressed.check()
            found.append(pressed.seen)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]
