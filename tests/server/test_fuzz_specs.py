"""Documents with anything in them: each is refused in a sentence, or its job ends with one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import event, given

from .fuzzed import Fuzzed, examples, fuzzed_server
from .specs import documents, wrong

KNOWN = {200, 201, 400, 403, 404, 409, 413}
"""No 5xx is among them: nothing but the document can be wrong here."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with fuzzed_server(tmp_path_factory.mktemp("fuzz")) as running:
        yield running
        running.check_alive()


def check_refusal(answer: httpx.Response) -> None:
    assert answer.status_code in KNOWN, answer.text
    event(str(answer.status_code))
    if answer.is_error:
        error = answer.json()["error"]
        assert error["code"] not in ("internal_error", "worker_crashed"), error
        assert error["message"], error


def run(fuzzed: Fuzzed, spec: Any) -> None:
    before = fuzzed.files()
    answer = fuzzed.send("POST", "jobs", params={"wait": 30}, content=json.dumps(spec))
    check_refusal(answer)
    if answer.is_error:
        assert fuzzed.files() == before
        return
    job = fuzzed.until_final(answer.json()["id"])
    event(job["status"])
    if job["status"] == "failed":
        assert job["error"]["code"] not in ("internal_error", "worker_crashed"), job["error"]
        assert job["error"]["message"], job["error"]
        assert fuzzed.files() == before
    fuzzed.send("DELETE", f"jobs/{job['id']}", params={"delete_file": "true"})


def preview(fuzzed: Fuzzed, spec: Any) -> None:
    before = fuzzed.files()
    check_refusal(fuzzed.send("POST", "preview", content=json.dumps({"spec": spec, "rows": 5})))
    assert fuzzed.files() == before


@given(spec=documents())
@examples(60)
@pytest.mark.timeout(0)
def test_a_document_runs_or_says_why_not(fuzzed: Fuzzed, spec: Any) -> None:
    run(fuzzed, spec)


@given(spec=wrong())
@examples(150)
@pytest.mark.timeout(0)
def test_a_wrong_document_is_refused_in_a_sentence(fuzzed: Fuzzed, spec: Any) -> None:
    run(fuzzed, spec)


@given(spec=wrong())
@examples(60)
@pytest.mark.timeout(0)
def test_a_wrong_document_has_no_preview(fuzzed: Fuzzed, spec: Any) -> None:
    preview(fuzzed, spec)
