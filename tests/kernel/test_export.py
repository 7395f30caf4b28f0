"""``export``, ``submit`` and ``Job`` in Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import jupyter_export
from jupyter_export.client import find
from jupyter_export.client.find import ROOT, LocalClients
from jupyter_export.client.local import LocalClient
from jupyter_export.errors import (
    Cancelled,
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    NotReady,
    OutputExists,
    SourceFailed,
)

from .conftest import SOURCE, Server

ONE_PLACE = True

FRAME = pd.DataFrame({"n": [1, 2, 3], "text": ["a", None, ""]})


def test_a_frame_is_frozen_when_export_returns() -> None:
    frame = pd.DataFrame({"n": range(200_000)})
    job = jupyter_export.export(frame, "x.parquet")
    frame["n"] = -1
    assert job.read()["n"].tolist() == list(range(200_000))


def test_fields_of_the_spec() -> None:
    job = jupyter_export.export(
        FRAME,
        Path("x.out"),
        format="csv",
        options={"delimiter": ";"},
        columns=["text", "n"],
        where={"column": "n", "op": ">", "value": 1},
        limit=1,
        name="some",
    )
    assert job.result()["rows"] == 1
    assert Path("x.out").read_text() == "text;n\n;2\n"
    assert job.name == "some"
    assert job.columns == 2


def test_a_file_is_a_source_too() -> None:
    jupyter_export.export(FRAME, "a.parquet").result()
    job = jupyter_export.export({"type": "file", "path": "a.parquet"}, "b.jsonl")
    assert job.result()["rows"] == 3


PLANES = pa.table({"plane": ["N1", "N2"], "seats": [100, 200]})


@pytest.fixture(params=["local", "server"])
def service(request: pytest.FixtureRequest) -> None:
    if request.param == "server":
        request.getfixturevalue("as_kernel")


def uploads() -> list[Path]:
    return list(LocalClients.here()._service.settings.uploads.iterdir())


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("path", ["report", "report/", "report.csv", "report.zip", None])
def test_several_frames_are_read_back_by_their_names(path: str | None) -> None:
    # A dataset that is called as the folder is must not be taken for it.
    job = jupyter_export.export({"flights": FRAME, "report": PLANES}, path, format="csv")
    assert job.result()["rows"] == 5
    frames = job.read()
    assert sorted(frames) == ["flights", "report"]
    assert frames["flights"]["n"].tolist() == [1, 2, 3]
    assert frames["report"]["seats"].tolist() == [100, 200]
    assert job.path is not None
    assert "2 datasets" in job.card().text()
    if path in ("report", "report/", "report.csv"):
        name = path.rstrip("/")
        assert sorted(os.listdir(name)) == ["flights.csv", "manifest.json", "report.csv"]
        assert "3 files" in job.card().text()
        assert job.reader is not None
        assert f"'{name}/flights.csv'" in job.reader
        assert list(job.links) == (["self", "download"] if job._client.base_path else [])
    else:
        # Reading it back leaves nothing beside it.
        assert Path(job.path).is_file()
        assert not os.path.exists(job.path.removesuffix(".zip"))


def test_several_frames_are_frozen_when_export_returns() -> None:
    one, two = pd.DataFrame({"n": range(100_000)}), pd.DataFrame({"n": range(100_000)})
    job = jupyter_export.export({"one": one, "two": two}, "x", format="parquet")
    one["n"] = -1
    two["n"] = -2
    assert {name: frame["n"].sum() for name, frame in job.read().items()} == {
        "one": 4999950000,
        "two": 4999950000,
    }


def test_a_dataset_may_have_fields_of_its_own() -> None:
    jupyter_export.export(FRAME, "in.parquet").result()
    job = jupyter_export.export(
        {
            "a": {"source": FRAME, "where": "n > 1", "columns": ["n"]},
            "b": {"type": "file", "path": "in.parquet"},
            "c": PLANES,
        },
        "out",
        format="csv",
        limit=2,
    )
    assert [file["rows"] for file in job.result()["files"]] == [2, 2, 2, 0]
    assert Path("out/a.csv").read_text() == "n\n2\n3\n"


def test_a_folder_that_this_machine_does_not_see_is_read_all_the_same(
    as_kernel: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT, "")
    for ending in ("", ".zip"):
        name = f"{os.urandom(4).hex()}{ending}"
        job = jupyter_export.export({"a": FRAME, "b": PLANES}, name, format="parquet")
        assert job.read()["b"]["seats"].tolist() == [100, 200]
        assert (as_kernel.root / name).exists()


@pytest.mark.parametrize(
    ("frames", "fields", "error", "said"),
    [
        ({}, {}, InvalidRequest, "the mapping of frames is empty"),
        ({1: FRAME}, {}, InvalidRequest, "“1” cannot be the name of a dataset"),
        ({"a": FRAME, "A": FRAME}, {}, InvalidSpec, "two datasets are named “A”"),
        ({"a": FRAME, "b": "text"}, {}, InvalidRequest, "A str is not a frame."),
        ({"a": [1, 2]}, {}, InvalidRequest, "A list is not a frame."),
        ({"a": FRAME, "b": FRAME}, {"where": "n > 1"}, InvalidRequest, "means one dataset"),
        ({"a": {"source": FRAME, "wher": ""}}, {}, InvalidSpec, "Did you mean where?"),
        ({"a": FRAME}, {"options": {"delimitr": ";"}}, InvalidSpec, "Did you mean delimiter?"),
        ({"a": FRAME}, {"format": "parqet"}, InvalidSpec, "Did you mean parquet?"),
        ({"a": FRAME}, {"output": {}}, InvalidRequest, "made of the path"),
        ({"a": FRAME}, {"relations": [{"name": "r", "from": "a.n", "to": "c.n"}]}, InvalidSpec, ""),
    ],
)
def test_wrong_frames_are_refused_before_a_row_is_sent(
    frames: Any, fields: dict[str, Any], error: type[ExportError], said: str
) -> None:
    with pytest.raises(error) as caught:
        jupyter_export.export(frames, "x.csv", **fields)
    assert said in str(caught.value)
    assert uploads() == []


def test_what_is_for_people_says_so_when_it_is_read() -> None:
    job = jupyter_export.export(FRAME, "x.csv").wait()
    job.state["result"]["reader"] = "# A table is for people. Export to Parquet."
    with pytest.raises(NotReady, match=r"x\.csv: A table is for people\. Export to Parquet\."):
        job.read()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("parts.csv", {"options": {"rows_per_file": 2}}),
        ("parts.csv.zip", {"options": {"rows_per_file": 2}}),
        ("hive", {"format": "parquet", "options": {"partition_by": ["text"]}}),
    ],
)
def test_several_files_of_one_frame_are_read_as_one(path: str, fields: dict[str, Any]) -> None:
    frame = pd.DataFrame({"n": [1, 2, 3], "text": ["a", "b", "b"]})
    job = jupyter_export.export(frame, path, **fields)
    assert sorted(job.read()["n"]) == [1, 2, 3]
    if path.endswith(".zip"):
        assert os.listdir() == [path]
    else:
        assert "2 files" in job.card().text()


def test_relations_join_frames() -> None:
    relations = [{"name": "of", "from": "children.parent", "to": "parents.n"}]
    children = pd.DataFrame({"parent": [1, 1]})
    job = jupyter_export.export(
        {"parents": FRAME, "children": children}, "x", format="csv", relations=relations
    )
    job.result()
    assert '"relations"' in Path("x/manifest.json").read_text()


@pytest.mark.usefixtures("service")
def test_submit_takes_frames_in_a_document() -> None:
    name = os.path.relpath(Path.cwd(), os.environ.get(ROOT) or Path.cwd())
    spec = {
        "datasets": [{"name": "a", "source": FRAME, "limit": 1}, {"name": "b", "source": PLANES}],
        "format": "csv",
        "output": {"path": f"{name}/out" if name != "." else "out"},
    }
    job = jupyter_export.submit(spec)
    assert job.result()["rows"] == 3
    assert Path("out/a.csv").exists()
    assert spec["datasets"][0]["source"] is FRAME  # type: ignore[index]
    one = jupyter_export.submit({"source": PLANES, "format": "csv"})
    assert (one.result()["rows"], one.columns) == (2, 2)


def test_submit_refuses_before_a_row_is_sent() -> None:
    for spec in (
        {"source": FRAME, "format": {"type": "csv", "delimitr": ";"}},
        {"source": FRAME, "colums": {}},
        {"source": "text"},
        {"datasets": [FRAME]},
        {"datasets": FRAME},
    ):
        with pytest.raises(InvalidRequest):
            jupyter_export.submit(spec)
    assert uploads() == []


def test_submit_takes_a_document(tmp_path: Path) -> None:
    jupyter_export.export(FRAME, "a.parquet").result()
    spec = {"source": {"type": "file", "path": "a.parquet"}, "output": {"path": "b.csv"}}
    assert jupyter_export.submit(spec).result()["rows"] == 3
    spec["output"] = {"path": str(tmp_path / "c.csv")}
    job = jupyter_export.submit(
        jupyter_export.ExportSpec.model_validate(
            {"datasets": [{"source": spec["source"]}], "output": spec["output"]}
        )
    )
    assert job.path == str(tmp_path / "c.csv")
    assert job.result()["rows"] == 3


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: jupyter_export.export("a text", "x.csv"), InvalidRequest, "A str is not a frame."),
        (lambda: jupyter_export.export(FRAME, ""), InvalidRequest, "The path is empty."),
        (lambda: jupyter_export.export(FRAME, "folder.csv/"), InvalidSpec, "names a folder"),
        (lambda: jupyter_export.export(FRAME, "x.csv", limt=1), InvalidSpec, "limit"),
        (
            lambda: jupyter_export.export(FRAME, "x", options={"a": 1}),
            InvalidSpec,
            "The options need a format",
        ),
        (
            lambda: jupyter_export.export(pd.DataFrame({"m": [1, "a", {}]}), "x.csv"),
            SourceFailed,
            "“m”",
        ),
        (lambda: jupyter_export.submit("{"), InvalidSpec, "not valid JSON"),
    ],
)
def test_wrong_calls_are_one_sentence(call: Any, error: type[ExportError], said: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value)


def test_a_failed_job_raises_its_error() -> None:
    job = jupyter_export.export(FRAME, "x.csv", where="1 / (n - 2) > 0").wait()
    assert job.status == "failed"
    assert isinstance(job.error, ExportError)
    assert "zero" in repr(job)
    with pytest.raises(type(job.error), match="zero"):
        job.result()
    assert not Path("x.csv").exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"columns": ["n", "txt"]}, "columns.include"),
        ({"where": "nope > 1"}, "where"),
        ({"where": {"column": "text", "op": ">", "value": 1}}, "where"),
        ({"sort": ["-txt"]}, "sort[0].column"),
        ({"group_by": ["txt"], "aggregates": [{"function": "count"}]}, "group_by[0].column"),
    ],
)
def test_what_the_columns_refuse_is_said_before_a_row_is_sent(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], field: str
) -> None:
    def unsent(*_: Any, **__: Any) -> None:
        raise AssertionError("rows were sent")

    monkeypatch.setattr(LocalClient, "upload", unsent)
    with pytest.raises(InvalidSpec) as caught:
        jupyter_export.export(FRAME, "x.csv", **fields)
    assert (caught.value.field or "").startswith(field)
    assert LocalClients.here().list()["jobs"] == []


def test_a_job_knows_its_file_and_says_so() -> None:
    job = jupyter_export.export(FRAME, "x.csv")
    job.result()
    assert job.path == os.path.abspath("x.csv")
    assert repr(job).startswith("<Job ● x.csv · 3 rows")
    assert "x.csv" in job._repr_html_()
    assert job.reader is not None
    assert "'x.csv'" in job.reader
    assert job.losses == []
    assert job.cancel().status == "completed"
    with pytest.raises(OutputExists):
        jupyter_export.export(FRAME, "x.csv")
    Path("x.csv").unlink()
    with pytest.raises(NotFound, match="is gone"):
        job.read()


def test_result_times_out_and_a_cancelled_job_says_so() -> None:
    big = pa.table({name: pa.array(range(2_000_000), pa.float64()) for name in "abcdef"})
    job = jupyter_export.export(big, "big.csv.gz")
    with pytest.raises(TimeoutError, match="after 0 s"):
        job.result(0)
    assert job.cancel().wait(10).status == "cancelled"
    with pytest.raises(Cancelled):
        job.result()
    assert not Path("big.csv.gz").exists()


def test_a_script_may_end_before_its_exports(tmp_path: Path) -> None:
    script = (
        "import jupyter_export, pyarrow as pa\n"
        "jupyter_export.export(pa.table({'n': range(300000)}), 'out.csv')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "out.csv").read_bytes().count(b"\n") == 300_001


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_has_a_service_of_its_own(tmp_path: Path) -> None:
    parent = LocalClients.here()
    child = os.fork()
    if child == 0:
        fresh = LocalClients._started == {} and find._server is None
        os._exit(0 if fresh else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert LocalClients.here() is parent
    assert jupyter_export.export(FRAME, "x.csv").result()["rows"] == 3
