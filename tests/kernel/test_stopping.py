"""A preview that nobody waits for any more ends where it is made, not only here."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jupyter_export.client import ExportClient, LocalClients, find_client
from jupyter_export.client.stopping import Stop
from jupyter_export.errors import ExportError, TimedOut

from .conftest import SHOP, configure

ENDLESS = {
    "type": "sql",
    "connection": "shop",
    "query": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
}


def stopped(client: ExportClient) -> None:
    """Have an endless preview made, end it, and see that another one is answered."""
    stop, errors, begun = Stop(), list[ExportError](), threading.Event()

    def ask() -> None:
        begun.set()
        with pytest.raises(ExportError) as caught:
            client.preview({"source": ENDLESS}, stop=stop)
        errors.append(caught.value)

    asking = threading.Thread(target=ask)
    asking.start()
    begun.wait(10)
    asking.join(1)  # It may be on its way, or run: both are ended.
    stop.ask()
    asking.join(20)
    assert not asking.is_alive()
    assert not isinstance(errors[0], TimedOut)
    one = {**ENDLESS, "query": "SELECT 1 AS one"}
    assert client.preview({"source": one}, stop=Stop())["datasets"][0]["rows"] == [[1]]


def test_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path / "config", SHOP, monkeypatch)
    stopped(LocalClients.here())


@pytest.mark.usefixtures("as_kernel")
def test_on_a_server() -> None:
    stopped(find_client())


def test_what_was_stopped_before_it_began_ends_at_once() -> None:
    stop, ended = Stop(), list[str]()
    stop.ended_by(lambda: ended.append("first"))
    stop.ask()
    stop.ended_by(lambda: ended.append("second"))
    stop.ask()
    assert ended == ["first", "second"]
