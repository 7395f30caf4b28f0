"""Jobs over HTTP: their life, and the sentence for everything that can be wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from .client import Api, numbers, problem


async def test_from_a_frame_to_a_file(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(1000), name="numbers", output={"path": "out/numbers.csv"})
    assert job["status"] == "completed", job["error"]
    assert job["result"]["rows"] == 1000
    with open(jp_root_dir / "out" / "numbers.csv", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["n", "word"]
    assert len(lines) == 1001
    assert await api.json("GET", f"jobs/{job['id']}") == {**job, "links": []}


async def test_an_empty_frame_is_a_header(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(0), output={"path": "empty.csv"})
    assert (job["status"], job["result"]["rows"]) == ("completed", 0)
    assert (jp_root_dir / "empty.csv").read_text().strip() == "n,word"


async def test_without_wait_the_answer_comes_at_once(api: Api) -> None:
    job = await api.export(numbers(), wait=0, output={"path": "a.csv"})
    assert job["status"] in ("pending", "running")
    last = await api("GET", f"jobs/{job['id']}/events")
    assert b'"status": "completed"' in last.body


async def test_the_list_is_filtered_and_paged(api: Api) -> None:
    ids = [
        (await api.export(numbers(3), name=f"n{i}", output={"path": f"{i}.csv"}))["id"]
        for i in range(3)
    ]
    first = await api.json("GET", "jobs", limit=2)
    assert [job["id"] for job in first["jobs"]] == ids[:0:-1]
    second = await api.json("GET", "jobs", limit=2, cursor=first["next_cursor"])
    assert ([job["id"] for job in second["jobs"]], second["next_cursor"]) == ([ids[0]], None)
    assert len((await api.json("GET", "jobs", status="completed"))["jobs"]) == 3
    assert (await api.json("GET", "jobs", status="failed"))["jobs"] == []
    assert len((await api.json("GET", "jobs", format="csv", q="n1"))["jobs"]) == 1


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"format": {"type": "cvs"}}, "invalid_spec", ["cvs", "csv"]),
        ({"format": {"type": "csv", "delimeter": ";"}}, "invalid_spec", ["delimiter"]),
        ({"colums": {}}, "invalid_spec", ["colums", "columns"]),
        ({"output": {"path": "../out.csv"}}, "forbidden", ["out.csv"]),
        ({"output": {"path": "/etc/out.csv"}}, "forbidden", ["out.csv"]),
        ({"where": {"column": "n", "op": "><", "value": 1}}, "invalid_spec", ["><"]),
    ],
)
async def test_a_wrong_spec_is_explained(
    api: Api, spec: dict[str, Any], code: str, words: list[str]
) -> None:
    upload = await api.upload(numbers())
    document = {
        "source": {"type": "upload", "id": upload["id"]},
        "output": {"path": "out.csv"},
        **spec,
    }
    response = await api("POST", "jobs", document)
    error = problem(response)
    assert (response.code, error["code"]) == (403 if code == "forbidden" else 400, code)
    for word in words:
        assert word in f"{error['message']} {error['hint']}"
    assert (await api.json("GET", "jobs"))["jobs"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no body"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"limit": NaN}', "NaN"),
        (b"[1]", "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"limit": %s}' % (b"9" * 5_000), "too many digits"),
    ],
)
async def test_a_body_that_is_no_spec(api: Api, body: bytes, words: str) -> None:
    response = await api("POST", "jobs", body)
    assert response.code == 400
    assert words in problem(response)["message"]


async def test_a_body_that_is_too_long(api: Api) -> None:
    response = await api("POST", "jobs", b" " * (4 * 1024**2 + 1))
    assert (response.code, problem(response)["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "query", "field"),
    [
        ("POST", "jobs", {"wait": "31"}, "wait"),
        ("POST", "jobs", {"wait": "soon"}, "wait"),
        ("POST", "jobs", {"wait": "nan"}, "wait"),
        ("GET", "jobs", {"limit": "0"}, "limit"),
        ("GET", "jobs", {"limit": "2.5"}, "limit"),
        ("GET", "jobs", {"status": "complete"}, "status"),
        ("DELETE", "jobs/x", {"delete_file": "maybe"}, "delete_file"),
    ],
)
async def test_query_values(
    api: Api, method: str, path: str, query: dict[str, str], field: str
) -> None:
    response = await api(method, path, b"{}" if method == "POST" else None, **query)
    error = problem(response)
    assert (response.code, error["code"], error["field"]) == (400, "invalid_request", field)


async def test_an_unknown_job_or_upload(api: Api) -> None:
    for method, path in (
        ("GET", "jobs/none"),
        ("DELETE", "jobs/none"),
        ("POST", "jobs/none/cancel"),
        ("POST", "jobs/none/retry"),
        ("GET", "jobs/none/events"),
        ("GET", "jobs/none/download"),
    ):
        response = await api(method, path, b"" if method == "POST" else None)
        assert (response.code, problem(response)["code"]) == (404, "not_found"), path
    response = await api("POST", "jobs", {"source": {"type": "upload", "id": "none"}})
    assert (response.code, problem(response)["code"]) == (404, "not_found")


async def test_an_output_that_exists(api: Api, jp_root_dir: Path) -> None:
    (jp_root_dir / "mine.csv").write_text("mine")
    upload = await api.upload(numbers())
    spec = {"source": {"type": "upload", "id": upload["id"]}, "output": {"path": "mine.csv"}}
    response = await api("POST", "jobs", spec)
    assert (response.code, problem(response)["code"]) == (409, "output_exists")
    assert (jp_root_dir / "mine.csv").read_text() == "mine"


async def test_a_column_that_does_not_exist_fails_the_job(api: Api, jp_root_dir: Path) -> None:
    job = await api.export(numbers(), columns={"include": ["wort"]}, output={"path": "nothing.csv"})
    assert job["status"] == "failed"
    assert "word" in f"{job['error']['message']} {job['error']['hint']}"
    assert list(jp_root_dir.glob("*")) == []


async def test_too_many_jobs(api: Api, app: Any) -> None:
    from jupyter_export.errors import QueueFull

    def full(*_: Any) -> None:
        raise QueueFull("Too many exports are waiting.", hint="Wait for one to finish.")

    await app.host.ask(lambda service: setattr(service, "submit", full))
    response = await api("POST", "jobs", {})
    assert (response.code, problem(response)["code"]) == (429, "queue_full")
    assert response.headers["Retry-After"] == "5"


async def test_a_bug_is_no_traceback(api: Api, app: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret://user:password@host")

    await app.host.ask(lambda service: setattr(service, "get", broken))
    response = await api("GET", "jobs/x")
    assert (response.code, problem(response)["code"]) == (500, "internal_error")
    assert b"secret" not in response.body


async def test_cancel_and_retry(api: Api, jp_root_dir: Path) -> None:
    upload = await api.upload(numbers(2_000_000))
    spec = {"source": {"type": "upload", "id": upload["id"]}, "output": {"path": "big.csv.gz"}}
    job = await api.json("POST", "jobs", spec)
    cancelled = await api("POST", f"jobs/{job['id']}/cancel", b"")
    assert cancelled.code == 202
    events = await api("GET", f"jobs/{job['id']}/events")
    assert b'"status": "cancelled"' in events.body
    assert list(jp_root_dir.glob("*")) == []
    # Once more changes nothing.
    again = await api("POST", f"jobs/{job['id']}/cancel", b"")
    assert (again.code, json.loads(again.body)["status"]) == (202, "cancelled")
    retried = await api("POST", f"jobs/{job['id']}/retry", b"")
    assert (retried.code, json.loads(retried.body)["attempt"]) == (202, 2)
    events = await api("GET", f"jobs/{job['id']}/events")
    assert b'"status": "completed"' in events.body
    assert (jp_root_dir / "big.csv.gz").exists()
    refused = await api("POST", f"jobs/{job['id']}/retry", b"")
    assert (refused.code, problem(refused)["code"]) == (400, "invalid_request")


async def test_delete_keeps_the_users_file_unless_told(api: Api, jp_root_dir: Path) -> None:
    for query, kept in (({}, True), ({"delete_file": "true"}, False)):
        path = jp_root_dir / f"{kept}.csv"
        job = await api.export(numbers(3), output={"path": path.name})
        response = await api("DELETE", f"jobs/{job['id']}", **query)
        assert (response.code, response.body) == (204, b"")
        assert path.exists() is kept
        assert (await api("GET", f"jobs/{job['id']}")).code == 404
