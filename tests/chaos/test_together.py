"""Two servers on one store and one state folder; clients that go away."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from .conftest import STORES, MakeStage, some
from .harness import API, Home, Server, arrow_stream, eventually
from .kinds import KINDS, made

FAST = [kind for kind in KINDS if kind.name in ("csv", "temporary", "folder")]
CSV = FAST[0]


@pytest.mark.parametrize("store", some(STORES, 1))
def test_two_servers_share_the_work(
    make_stage: MakeStage, store: str, new_store: Callable[[str], str | None]
) -> None:
    stage = make_stage(db_url=new_store(store))
    first, second = stage.server, stage.home.serve()
    asked = [stage.ledger.ask(server, kind) for kind in FAST for server in (first, second)]
    # Each is seen, and can be cancelled, through the other one.
    through = {0: second, 1: first}
    cancelled = [asked[-2], asked[-1]]
    for number, each in enumerate(cancelled):
        answer = through[number].ask("POST", f"jobs/{each.id}/cancel")
        assert answer["status"] in ("cancelled", "running", "completed", "pending")
    for each in cancelled:
        # What a killed worker leaves of a job that is over already is found only by a later sweep.
        first.final(str(each.id))
        scratch = stage.home.state / "scratch" / f"{each.id}.1"
        eventually(functools.partial(is_gone, scratch), "the cancelled job is cleaned up")
    first.kill()
    second.settle()
    stage.ledger.check(second, allowed=("completed", "cancelled"))
    for each in asked:
        if each not in cancelled:
            assert second.job(str(each.id))["status"] == "completed"


def is_gone(path: Path) -> bool:
    return not path.exists()


def test_an_upload_that_is_cut_off_leaves_nothing(make_home: Callable[..., Home]) -> None:
    home = make_home()
    server = home.serve()
    uploads = home.state / "uploads"
    with half_an_upload(server):
        eventually(lambda: list(uploads.iterdir()), "the upload has begun")
    eventually(lambda: not list(uploads.iterdir()), "what was cut off is removed")
    with half_an_upload(server):
        eventually(lambda: list(uploads.iterdir()), "the upload has begun")
        server.kill()
    server = home.serve()
    eventually(lambda: not list(uploads.iterdir()), "what a killed server received is removed")


def half_an_upload(server: Server) -> socket.socket:
    """Return a connection over which half of an upload was sent."""
    data = arrow_stream(made(20_000, 3))
    connection = socket.create_connection(("127.0.0.1", server.port))
    head = (
        f"POST /{API}uploads HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: token {server.token}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection.sendall(head.encode() + data[: len(data) // 2])
    return connection


def test_a_client_that_goes_away_while_it_waits(make_stage: MakeStage) -> None:
    stage = make_stage()
    asked = stage.ledger.prepare(CSV)
    impatient = httpx.Timeout(30, read=0.2)
    with pytest.raises(httpx.ReadTimeout):
        stage.server.request(
            "POST", "jobs", json=asked.spec, params={"wait": 30}, timeout=impatient
        )
    eventually(lambda: stage.server.jobs(), "the job is there")
    stage.server.settle()
    stage.ledger.check(stage.server)
    assert [job["status"] for job in stage.server.jobs()] == ["completed"]
