"""The contract of ``ExportClient``, over the service of this process and over a real server."""

from __future__ import annotations

import hashlib
import secrets
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.client import ExportClient, find_client
from jupyter_export.errors import (
    Expired,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    NotReady,
    OutputExists,
    SourceFailed,
)
from jupyter_export.spec.template import filled, frame_source

from .conftest import SHOP, configure

ROWS = 5_000
TABLE = pa.table(
    {
        "n": pa.array(range(ROWS), pa.int64()),
        "when": pa.array([i * 10**6 for i in range(ROWS)], pa.timestamp("us", tz="UTC")),
        "text": pa.array([f"row {i}" if i % 7 else None for i in range(ROWS)]),
        "kind": pa.array(["a", "b"] * (ROWS // 2)).dictionary_encode(),
    }
)


@pytest.fixture(params=["local", "server"])
def client(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ExportClient:
    if request.param == "server":
        request.getfixturevalue("as_kernel")
    else:
        configure(tmp_path / "config", SHOP, monkeypatch)
    return find_client()


@pytest.fixture
def name(client: ExportClient) -> str:
    """A path of the test's own."""
    return f"{secrets.token_hex(4)}.csv"


def send(client: ExportClient, table: pa.Table = TABLE) -> dict[str, Any]:
    return client.upload(table.to_reader(max_chunksize=1000))


def spec(client: ExportClient, path: str | None = None, **fields: Any) -> dict[str, Any]:
    source = {"type": "upload", "id": send(client)["id"]}
    output = {"output": {"path": path}} if path else {}
    return {"name": "contract", "source": source, **output, **fields}


def finished(client: ExportClient, document: dict[str, Any]) -> dict[str, Any]:
    job = client.submit(document, wait=20)
    assert job["status"] == "completed", job["error"]
    return job


def file_of(client: ExportClient, job: dict[str, Any]) -> Path:
    assert client.root is not None
    return client.root / str(job["result"]["path"])


def test_it_answers(client: ExportClient) -> None:
    client.check()
    assert {"csv", "jsonl", "parquet"} <= {each["type"] for each in client.formats()}


def test_an_upload_says_what_arrived(client: ExportClient) -> None:
    sent = send(client)
    assert sent["rows"] == ROWS
    assert [column["name"] for column in sent["columns"]] == TABLE.column_names
    assert sent["bytes"] > 0


def test_a_frame_becomes_a_file_with_its_proof(client: ExportClient, name: str) -> None:
    job = finished(client, spec(client, name))
    data = file_of(client, job).read_bytes()
    assert job["result"]["rows"] == ROWS
    assert job["result"]["bytes"] == len(data)
    assert job["result"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert data.count(b"\n") == ROWS + 1


def test_watching_ends_with_the_final_state(client: ExportClient, name: str) -> None:
    job = client.submit(spec(client, name))
    states = list(client.watch(job["id"]))
    assert states[-1]["status"] == "completed"
    assert all(state["status"] in ("pending", "running") for state in states[:-1])
    assert [state["status"] for state in client.watch(job["id"])] == ["completed"]


def test_jobs_are_listed_shown_and_deleted(client: ExportClient, name: str) -> None:
    job = finished(client, spec(client, name))
    assert job["id"] in [each["id"] for each in client.list(status="completed", q=name)["jobs"]]
    assert client.show(job["id"])["result"] == job["result"]
    client.delete(job["id"], delete_file=True)
    assert not file_of(client, job).exists()
    with pytest.raises(NotFound):
        client.show(job["id"])


def test_cancelling_a_final_job_changes_nothing(client: ExportClient, name: str) -> None:
    job = finished(client, spec(client, name))
    assert client.cancel(job["id"])["status"] == "completed"
    with pytest.raises(InvalidRequest, match="completed"):
        client.retry(job["id"])


def test_a_failed_job_can_be_tried_again(client: ExportClient, name: str) -> None:
    job = client.submit(spec(client, name, where="nothing_such > 1"), wait=20)
    assert job["status"] == "failed"
    assert job["error"]["message"]
    again = client.retry(job["id"])
    assert again["attempt"] == 2
    assert list(client.watch(job["id"]))[-1]["status"] == "failed"


def test_download(client: ExportClient, name: str, tmp_path: Path) -> None:
    job = finished(client, spec(client, name))
    expected = file_of(client, job).read_bytes()
    assert client.download(job["id"], tmp_path).read_bytes() == expected
    assert (tmp_path / name).exists()
    assert client.download(job["id"], tmp_path / "other.csv") == tmp_path / "other.csv"
    assert not list(tmp_path.glob(".*.part"))


def test_connections_and_their_tables(client: ExportClient) -> None:
    (shop,) = client.connections()
    assert (shop["name"], shop["dialect"], shop["kind"]) == ("shop", "sqlite", "database")
    assert "sqlite:" not in str(shop)
    assert client.tables("shop") == ()
    with pytest.raises(NotFound, match="Did you mean shop"):
        client.tables("shopp")
    with pytest.raises(NotFound):
        client.tables("")
    query = {"type": "sql", "connection": "shop", "query": "SELECT 1 AS one"}
    assert client.preview({"source": query})["datasets"][0]["rows"] == [[1]]


def test_templates(client: ExportClient, name: str) -> None:
    document = {
        "source": frame_source("numbers"),
        "where": {"column": "n", "op": "<", "value": "{{most}}"},
        "output": {"path": "{{file}}"},
    }
    called = f"été-{name}"
    kept = client.save_template(called, {**document, "description": "The first rows"})
    assert (kept["name"], kept["description"], kept["frames"]) == (
        called,
        "The first rows",
        ["numbers"],
    )
    assert [each["name"] for each in kept["parameters"]] == ["most", "file"]
    assert client.template(called) == kept
    assert called in [each["name"] for each in client.templates()]
    made = filled(kept["spec"], {"most": 3, "file": name})
    source = {"type": "upload", "id": send(client)["id"]}
    assert finished(client, {**made, "source": source})["result"]["rows"] == 3
    assert client.save_template(called, {**document, "format": "csv"})["format"] == "csv"
    with pytest.raises(NotFound, match=f"Did you mean {called}"):
        client.template(f"{called}x")
    with pytest.raises(InvalidSpec, match="Did you mean limit"):
        client.save_template(called, {**document, "limt": 1})
    with pytest.raises(InvalidSpec, match="a date stands in quotes"):
        client.save_template(called, {**document, "where": date(2013, 1, 1)})
    with pytest.raises(InvalidRequest, match="cannot be the name"):
        client.save_template("a/b", document)
    for ask in (client.template, client.delete_template):
        for wrong in ("", "a/b", ".."):
            with pytest.raises(NotFound):
                ask(wrong)
    client.delete_template(called)
    assert called not in [each["name"] for each in client.templates()]


def test_a_preview_shows_rows_types_and_losses(client: ExportClient, name: str) -> None:
    nested = pa.table({"l": [[1], [2, 3]], "n": [1, 2]})
    source = {"type": "upload", "id": send(client, nested)["id"]}
    found = client.preview({"source": source, "output": {"path": name}}, 1)
    (dataset,) = found["datasets"]
    assert [column["name"] for column in dataset["columns"]] == ["l", "n"]
    assert (len(dataset["rows"]), dataset["total_rows"]) == (1, 2)
    assert [(loss["column"], loss["count"]) for loss in found["losses"]] == [("l", 2)]
    assert found["format"] == "csv"
    assert client.root is not None
    assert not (client.root / name).exists()


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"format": {"type": "csv", "delimitr": ";"}}, InvalidSpec, "delimiter"),
        ({"source": {"type": "upload", "id": "nothing"}}, NotFound, "nothing"),
        ({"where": "nothing_such > 1"}, InvalidSpec, "nothing_such"),
    ],
)
def test_a_preview_is_checked_as_a_job_is(
    client: ExportClient, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        client.preview(spec(client, **fields))
    with pytest.raises(InvalidRequest, match="from 0 to 1,000"):
        client.preview(spec(client), -1)


def test_a_folder_is_downloaded_as_a_zip(client: ExportClient, tmp_path: Path) -> None:
    document, folder = spec(client, format="csv"), secrets.token_hex(4)
    source = document.pop("source")
    document["datasets"] = [{"name": each, "source": source} for each in ("a", "b")]
    job = finished(client, {**document, "output": {"path": folder}})
    assert job["result"]["rows"] == 2 * ROWS
    where = client.download(job["id"], tmp_path)
    assert where == tmp_path / f"{folder}.zip"
    with zipfile.ZipFile(where) as archive:
        assert sorted(archive.namelist()) == ["a.csv", "b.csv", "manifest.json"]
        assert archive.read("a.csv") == (file_of(client, job) / "a.csv").read_bytes()
    (file_of(client, job) / "a.csv").write_text("changed")
    with pytest.raises(Expired, match=r"a\.csv"):
        client.download(job["id"], tmp_path / "other.zip")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".zip") == [where.name]
    assert not list(tmp_path.glob(".*.part"))
    client.delete(job["id"], delete_file=True)
    assert not (file_of(client, job) / "b.csv").exists()


def test_a_stream_has_the_bytes_of_the_file(client: ExportClient, name: str) -> None:
    document = spec(client, name)
    streamed = b"".join(client.stream(document))
    assert client.list(q=name)["jobs"] == []
    assert streamed == file_of(client, finished(client, document)).read_bytes()
    with pytest.raises(InvalidSpec, match="nope"):
        next(client.stream({**document, "columns": {"include": ["nope"]}}))
    pieces = client.stream(document)
    next(pieces)
    pieces.close()


def test_a_file_without_a_path_gets_a_name(client: ExportClient) -> None:
    job = finished(client, spec(client, format="parquet"))
    assert job["result"]["path"].startswith("exports/contract_")
    assert job["expires_at"] is not None


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"format": "parqet"}, InvalidSpec, "parquet"),
        ({"format": {"type": "csv", "delimitr": ";"}}, InvalidSpec, "delimiter"),
        ({"compresion": "gzip"}, InvalidSpec, "compression"),
        ({"compression": "gzp"}, InvalidSpec, "gzip"),
        ({"limit": -1}, InvalidSpec, "limit"),
        ({"source": {"type": "upload", "id": "nothing"}}, NotFound, "nothing"),
    ],
)
def test_errors_keep_their_class_and_name_the_nearest(
    client: ExportClient, name: str, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        client.submit(spec(client, name, **fields))
    assert said in str(caught.value)


def test_a_file_that_exists_is_not_overwritten(client: ExportClient, name: str) -> None:
    finished(client, spec(client, name))
    with pytest.raises(OutputExists, match=name):
        client.submit(spec(client, name))


def test_unknown_ids(client: ExportClient, tmp_path: Path) -> None:
    for ask in (client.show, client.cancel, client.retry, lambda i: list(client.watch(i))):
        with pytest.raises(NotFound):
            ask("0000000000000000")
    with pytest.raises(NotFound):
        client.download("0000000000000000", tmp_path)


def test_there_is_nothing_to_download_of_a_failed_job(
    client: ExportClient, name: str, tmp_path: Path
) -> None:
    job = client.submit(spec(client, name, where="nothing_such > 1"), wait=20)
    with pytest.raises(NotReady):
        client.download(job["id"], tmp_path)
    assert list(tmp_path.glob("*.csv")) == []


def test_a_source_that_breaks_leaves_no_upload(client: ExportClient) -> None:
    def batches() -> Any:
        yield TABLE.to_batches()[0]
        raise ValueError("the cable was pulled")

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(SourceFailed, match="the cable was pulled"):
        client.upload(reader)
    client.check()


def test_an_empty_frame_is_a_valid_file(client: ExportClient, name: str) -> None:
    source = {"type": "upload", "id": send(client, TABLE.slice(0, 0))["id"]}
    job = finished(client, {"source": source, "output": {"path": name}})
    assert job["result"]["rows"] == 0
    assert file_of(client, job).read_text() == "n,when,text,kind\n"
