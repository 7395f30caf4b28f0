"""What Prometheus reads of us under Jupyter's own /metrics."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from jupyter_export.errors import ServerUnavailable
from jupyter_export.jobs.model import Job
from jupyter_export.server import metrics
from jupyter_export.server.app import ExportApp
from jupyter_export.server.metrics import JobMetrics

from .client import Api, numbers

PREFIX = "jupyter_export_"
Values = dict[str, float]


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any]) -> dict[str, Any]:
    jp_server_config["ServerApp"]["authenticate_prometheus"] = True
    return jp_server_config


def values() -> Values:
    """Return our samples as ``name{label="value"}`` without what they are when made."""
    return {
        sample.name[len(PREFIX) :] + "".join(f",{value}" for value in sample.labels.values()):
        sample.value
        for family in REGISTRY.collect()
        if family.name.startswith(PREFIX)
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }  # fmt: skip


def growth(before: Values) -> Values:
    """Return by how much each sample has grown; durations are left out."""
    after = values()
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if value != before.get(name, 0) and "seconds_sum" not in name
    }


async def test_they_stand_beside_jupyters_own(api: Api, jp_fetch: Any) -> None:
    before = values()
    job = await api.export(numbers(), output={"path": "a.csv"})
    size = job["result"]["bytes"]
    failed = await api.export(numbers(10), columns={"include": ["x"]}, output={"path": "b.json"})
    assert failed["status"] == "failed"
    await api("GET", f"jobs/{job['id']}/download")
    await api("GET", f"jobs/{job['id']}/download", headers={"Range": "bytes=0-9"})
    await api("HEAD", f"jobs/{job['id']}/download")
    upload = await api.upload(numbers(5))
    spec = {"source": {"type": "upload", "id": upload["id"]}, "format": {"type": "csv"}}
    stream = await api("POST", "stream", spec)
    assert stream.code == 200
    await api("POST", "stream", {**spec, "sort": [{"column": "none"}]})
    grown = growth(before)
    assert grown.pop("upload_bytes_total") > 16_000
    assert grown == {
        "jobs_finished_total,completed,csv": 1,
        "jobs_finished_total,failed,json": 1,
        "rows_total,csv": 1000,
        "bytes_total,csv": size,
        "job_wait_seconds_count": 2,
        "job_run_seconds_count,completed": 1,
        "job_run_seconds_count,failed": 1,
        "uploads_total": 3,
        "streams_total,whole": 1,
        "stream_bytes_total": len(stream.body),
        "downloads_total,whole": 1,
        "downloads_total,part": 1,
        "download_bytes_total": size + 10,
    }
    text = (await jp_fetch("metrics")).body.decode()
    served = {family.name for family in text_string_to_metric_families(text)}
    assert "http_request_duration_seconds" in served
    assert {f"{PREFIX}jobs_finished", f"{PREFIX}jobs_active", f"{PREFIX}rows"} <= served


async def test_an_audit_trail_that_cannot_be_written_is_told_of(
    app: ExportApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app.host is not None
    service = await app.host.start()
    before = values()

    def refuse(*_: Any) -> Any:
        raise ServerUnavailable("The store is gone.")

    monkeypatch.setattr(service.audit._table, "append", refuse)
    with pytest.raises(ServerUnavailable, match="audit trail"):
        service.audit.require("delete", None, "job")
    assert growth(before)["audit_failures_total"] >= 1


async def test_they_are_for_who_is_logged_in(api: Api, jp_fetch: Any) -> None:
    response = await jp_fetch("metrics", headers={"Authorization": ""}, raise_error=False)
    assert response.code == 403


async def test_nobodys_name_is_among_them(api: Api, app: ExportApp, jp_fetch: Any) -> None:
    job = await api.export(numbers(10), name="secret plan", output={"path": "secret.csv"})
    text = (await jp_fetch("metrics")).body.decode()
    ours = "\n".join(line for line in text.splitlines() if PREFIX in line)
    for word in ("secret", job["id"], job["created_by"] + '"'):
        assert word not in ours


def test_each_is_named_as_prometheus_asks() -> None:
    for family in REGISTRY.collect():
        if family.name.startswith(PREFIX):
            assert family.documentation.endswith("."), family.name
            if family.type == "histogram":
                assert family.name.endswith("_seconds"), family.name
            for sample in family.samples:
                # A series for each format and status, and no more.
                assert set(sample.labels) <= {"status", "format", "sent", "le"}


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


JOB = Job(
    id="j",
    name="j",
    status="pending",
    format="csv",
    created_by="ada",
    created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    spec={},
    path="a.csv",
    temporary=False,
)


class TestJobMetrics:
    def test_each_change_counts_once(self) -> None:
        seconds, before = Seconds(), values()
        told = JobMetrics(seconds)
        told.tell(JOB)
        told.tell(JOB)
        assert growth(before) == {"jobs_active,pending": 1}
        seconds.now = 3
        running = replace(JOB, status="running")
        told.tell(running)
        told.tell(replace(running, version=5))
        assert growth(before) == {"jobs_active,running": 1, "job_wait_seconds_count": 1}
        assert values()["job_wait_seconds_sum"] - before["job_wait_seconds_sum"] == 3
        done = replace(running, status="cancelled")
        told.tell(done)
        told.tell(replace(done, download_count=1))
        assert growth(before) == {
            "job_wait_seconds_count": 1,
            "job_run_seconds_count,cancelled": 1,
            "jobs_finished_total,cancelled,csv": 1,
        }
        told.tell(replace(done, status="expired"))
        assert growth(before)["jobs_finished_total,expired,csv"] == 1

    def test_another_attempt_is_a_retry(self) -> None:
        before = values()
        told = JobMetrics(Seconds())
        told.tell(replace(JOB, status="running"))
        # By itself, and after a start that found it.
        told.tell(replace(JOB, attempt=2))
        told.tell(replace(JOB, id="k", attempt=2))
        grown = growth(before)
        assert grown["job_retries_total"] == 2
        assert grown["job_run_seconds_count,retried"] == 1
        assert grown["jobs_active,pending"] == 2
        told.close()
        assert "jobs_active,pending" not in growth(before)

    def test_two_servers_of_one_process_add_up(self) -> None:
        before = values()
        one, two = JobMetrics(), JobMetrics()
        one.tell(JOB)
        two.tell(replace(JOB, id="k"))
        assert growth(before) == {"jobs_active,pending": 2}
        one.close()
        assert growth(before) == {"jobs_active,pending": 1}
        two.close()
        assert growth(before) == {}

    def test_a_broken_download_is_one(self) -> None:
        before = values()
        metrics.downloaded(5, whole=True, finished=False)
        assert growth(before) == {"downloads_total,broken": 1, "download_bytes_total": 5}
