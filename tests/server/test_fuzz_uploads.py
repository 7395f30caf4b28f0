"""Streams that are damaged, or lie: each is refused or exported, and the server goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from .fuzzed import Fuzzed, examples, fuzzed_server
from .streams import damaged, streams

FORMATS = ["csv", "jsonl", "parquet", "arrow", "excel", "html"]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with fuzzed_server(tmp_path_factory.mktemp("fuzz")) as running:
        yield running
        running.check_alive()


def send(fuzzed: Fuzzed, stream: bytes, kind: str) -> tuple[int, str | None]:
    """Upload, and export what was taken; return the status and how the job ended."""
    kept = fuzzed.uploads()
    answer = fuzzed.send("POST", "uploads", content=stream)
    assert answer.status_code in (201, 400), answer.text
    if answer.status_code == 400:
        error = answer.json()["error"]
        assert error["code"] == "invalid_request"
        assert error["message"].endswith(".")
        assert fuzzed.uploads() == kept
        return 400, None
    upload = answer.json()
    assert fuzzed.uploads() - kept == {f"{upload['id']}.arrows"}
    source = {"type": "upload", "id": upload["id"]}
    job = fuzzed.job({"source": source, "format": {"type": kind}})
    job = fuzzed.until_final(job["id"])
    if job["status"] == "completed":
        assert job["result"]["rows"] == upload["rows"]
    else:
        assert job["error"]["code"] not in ("internal_error", "interrupted"), job["error"]
        assert job["error"]["message"].endswith("."), job["error"]
    assert fuzzed.send("DELETE", f"jobs/{job['id']}").status_code == 204
    assert fuzzed.uploads() == kept
    return 201, job["error"]["code"] if job["error"] else None


@given(stream=streams(), kind=st.sampled_from(FORMATS))
@examples(25)
def test_a_whole_stream_of_any_type_is_taken(fuzzed: Fuzzed, stream: bytes, kind: str) -> None:
    status, _ = send(fuzzed, stream, kind)
    assert status == 201


@given(stream=damaged(), kind=st.sampled_from(FORMATS))
@examples(150)
@pytest.mark.timeout(0)
def test_a_damaged_stream_harms_nobody(fuzzed: Fuzzed, stream: bytes, kind: str) -> None:
    status, ended = send(fuzzed, stream, kind)
    event(f"{status} {ended}")
    assert fuzzed.server.process.poll() is None
