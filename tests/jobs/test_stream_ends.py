"""Streams: their limits, and what may end them. Each test has a service of its own."""

from __future__ import annotations

import psutil
import pytest

from jupyter_export.errors import (
    ExportError,
    InternalError,
    Interrupted,
    QueueFull,
    ShuttingDown,
    TimedOut,
    TooLarge,
    WorkerCrashed,
)
from jupyter_export.jobs import streaming
from jupyter_export.jobs.model import Caller

from .conftest import ME, MakeService, document, send, worker_processes
from .streams import LARGE, busy, stream, until


def test_limits_hold(make_service: MakeService) -> None:
    service = make_service(max_workers=1, max_rows=999)
    with pytest.raises(TooLarge):
        stream(service, 1000).next().result(30)


@pytest.mark.usefixtures("misbehaving")
def test_it_takes_a_place_of_the_jobs(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(max_workers=1, job_timeout=None)
    running = stream(service, path="a.slow")
    until(lambda: busy(service) == 1)
    waiting = [stream(service, 10) for _ in range(streaming.MAX_WAITING_OF_ONE)]
    with pytest.raises(QueueFull):
        stream(service, 10).next().result(30)
    monkeypatch.setattr(streaming, "WAIT_SECONDS", 0.0)
    other = service.streams.begin(document(send(service, 10, Caller("you"))), Caller("you"))
    with pytest.raises(QueueFull):
        other.next().result(30)
    running.cancel()
    assert [b"".join(each).count(b"\n") for each in waiting] == [11] * len(waiting)


@pytest.mark.usefixtures("misbehaving")
def test_one_user_may_not_have_all_places(make_service: MakeService) -> None:
    service = make_service(max_workers=2, max_running_per_user=1)
    first, second = stream(service, path="a.slow"), stream(service, path="b.slow")
    until(lambda: busy(service) == 1)
    other = service.streams.begin(document(send(service, 10, Caller("you"))), Caller("you"))
    assert b"".join(other).count(b"\n") == 11
    assert second.worker is None
    first.cancel()
    second.cancel()


@pytest.mark.usefixtures("misbehaving")
@pytest.mark.parametrize(
    ("path", "error"),
    [("a.broken", InternalError), ("a.suicidal", WorkerCrashed), ("a.deaf", TimedOut)],
)
def test_what_breaks_is_told(
    make_service: MakeService, path: str, error: type[ExportError]
) -> None:
    service = make_service(max_workers=1, job_timeout=2 if path == "a.deaf" else None)
    with pytest.raises(error):
        stream(service, path=path).next().result(30)


@pytest.mark.usefixtures("misbehaving")
def test_a_reader_that_stands_still_is_let_go(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(max_workers=1)
    exported = stream(service, LARGE)
    exported.next().result(30)
    monkeypatch.setattr(streaming, "STALL_SECONDS", 0.0)
    service._dispatcher.cancel_preview(exported.id)  # It looks at the clock.
    until(lambda: busy(service) == 0)
    with pytest.raises(TimedOut):
        exported.next().result(30)


@pytest.mark.usefixtures("misbehaving")
def test_the_end_of_the_service_is_the_end_of_its_streams(make_service: MakeService) -> None:
    service = make_service(max_workers=1, stop_timeout=0)
    running, waiting = stream(service, path="a.slow"), stream(service)
    until(lambda: busy(service) == 1)
    service.stop()
    for each in (running, waiting):
        with pytest.raises(Interrupted):
            each.next().result(30)
    assert worker_processes() == []
    with pytest.raises(ShuttingDown):
        service.streams.begin({}, ME)


def test_a_worker_that_is_dead_already_is_not_the_end(make_service: MakeService) -> None:
    service = make_service(max_workers=1)
    b"".join(stream(service))
    until(lambda: busy(service) == 0)
    (worker,) = [each for each in service._dispatcher._pool._idle() if each.ready][:1]
    psutil.Process(worker.pid).suspend()
    exported = stream(service)
    until(lambda: exported.worker is not None)
    taken = exported.worker
    assert taken is not None
    psutil.Process(taken.pid).kill()
    assert b"".join(exported).count(b"\n") == 1001
