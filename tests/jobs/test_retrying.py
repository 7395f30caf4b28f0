"""Which errors may pass, and how long is waited between tries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jupyter_export.jobs.store  # noqa: F401 - its error counts too
from jupyter_export import errors
from jupyter_export.errors import ConnectionLost, ExportError, QueryFailed
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.retrying import RetryPolicy, may_pass
from jupyter_export.jobs.settings import Backoff, Settings

PASS = {
    "connection_failed": "the database is being started again",
    "connection_lost": "the network had a hiccup",
    "throttled": "the source asked to be asked later",
    "disk_full": "others remove files, and exports expire",
    "worker_crashed": "the process was killed from outside",
    "interrupted": "the server went down",
    "server_unavailable": "the store's database is away",
    "shutting_down": "the server is being started again",
}
STAY = {
    "error": "nothing is known of it",
    "failed": "nothing is known of it",
    "invalid_request": "the call is wrong",
    "invalid_spec": "the document is wrong",
    "forbidden": "somebody has decided so",
    "not_found": "it does not come back",
    "output_exists": "it does not go away",
    "not_ready": "it is not for a run to wait",
    "expired": "it does not come back",
    "too_large": "the same rows are as large again",
    "queue_full": "the caller is told when to ask again",
    "source_failed": "the source is wrong: a file that cannot be read, a table that is not there",
    "login_refused": "more tries lock the account",
    "query_failed": "the query is wrong",
    "statement_timeout": "the same query takes the same time",
    "query_cancelled": "somebody has decided so",
    "loss_refused": "the same values are lost again",
    "incomplete": "a fault of ours, which must be seen",
    "write_failed": "the folder cannot be written to",
    "out_of_memory": "the same rows need the same memory",
    "timed_out": "the same rows take the same time",
    "cancelled": "somebody has decided so",
    "missing_dependency": "nothing is installed meanwhile",
    "internal_error": "a fault of ours, which must be seen",
}


def classes(top: type[ExportError] = ExportError) -> Iterator[type[ExportError]]:
    yield top
    for below in top.__subclasses__():
        yield from classes(below)


def of_the_package() -> list[type[ExportError]]:
    return [each for each in classes() if each.__module__.startswith("jupyter_export.")]


def policy(backoff: Backoff = "exponential", **changes: float) -> RetryPolicy:
    plain: dict[str, float] = {"max_attempts": 3, "first_delay": 2.0, "max_delay": 300.0}
    given = plain | changes
    return RetryPolicy(
        int(given["max_attempts"]), backoff, given["first_delay"], given["max_delay"]
    )


def job(tries: int) -> Job:
    return Job(
        id="a",
        name="a",
        status="running",
        format="csv",
        created_by="me",
        created_at=datetime(2026, 3, 1, tzinfo=timezone.utc),
        spec={},
        path="a.csv",
        temporary=False,
        attempt=tries + 5,
        tries=tries,
    )


def test_every_class_is_decided_about() -> None:
    assert not PASS.keys() & STAY.keys()
    own = {each.code for each in of_the_package() if each.__module__ == errors.__name__}
    assert own == PASS.keys() | STAY.keys()


@pytest.mark.parametrize("kind", of_the_package(), ids=lambda kind: kind.__name__)
def test_what_may_pass(kind: type[ExportError]) -> None:
    error = kind("It did not work.")
    assert may_pass(error) is (kind.code in PASS)
    # What a worker sends as JSON is judged alike.
    assert may_pass(ExportError.from_json(error.to_json())) is (kind.code in PASS)


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        ("exponential", [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
        ("linear", [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]),
    ],
)
def test_the_delay_grows_up_to_its_limit(backoff: Backoff, expected: list[float]) -> None:
    growing = policy(backoff, max_delay=30)
    assert [growing.delay(tries, 1.0) for tries in range(1, 7)] == expected
    assert [growing.delay(tries, 0.0) for tries in range(1, 7)] == [e / 2 for e in expected]


@given(
    st.sampled_from(get_args(Backoff)),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
)
def test_chance_takes_half_at_most(
    backoff: Backoff, tries: int, chance: float, first: float, most: float
) -> None:
    waits = policy(backoff, first_delay=first, max_delay=most)
    whole = waits.delay(tries, 1.0)
    assert 0 <= whole <= most
    assert whole / 2 <= waits.delay(tries, chance) <= whole
    assert waits.delay(tries + 1, 1.0) >= whole


def test_a_job_has_its_tries_and_no_more(tmp_path: Path) -> None:
    of_settings = RetryPolicy.of(
        Settings(
            root=tmp_path,
            state_dir=tmp_path,
            max_attempts=2,
            retry_backoff="linear",
            retry_delay=1.5,
            retry_max_delay=9,
        )
    )
    assert of_settings == RetryPolicy(2, "linear", 1.5, 9)
    assert of_settings.again(job(tries=1), ConnectionLost("Gone."))
    assert not of_settings.again(job(tries=2), ConnectionLost("Gone."))
    assert not of_settings.again(job(tries=1), QueryFailed("No such column."))
