"""Several files of one export: a folder or a zip that is there whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

from jupyter_export import pipeline, registry
from jupyter_export.errors import Cancelled, InvalidSpec, OutputExists
from jupyter_export.pipeline import encoding
from jupyter_export.progress import Result
from jupyter_export.sinks import FolderSink
from jupyter_export.spec import parse

from .conftest import Bench

PLANES = pa.table({"tailnum": ["N1", "N2"], "seats": [100, 200]})
FLIGHTS = pa.table({"tailnum": ["N1", "N1", "N2"], "delay": [5, 7, None]})
RELATIONS = [{"name": "plane", "from": "flights.tailnum", "to": "planes.tailnum"}]


def document(bench: Bench, **more: Any) -> dict[str, Any]:
    return {
        "name": "report",
        "datasets": [
            {"name": name, "source": {"type": "upload", "id": bench.freeze(table)}}
            for name, table in (("planes", PLANES), ("flights", FLIGHTS))
        ],
        "relations": RELATIONS,
        **more,
    }


def run_lines(result: Result, root: Path) -> dict[str, Any]:
    known: dict[str, Any] = {}
    assert result.reader is not None
    exec(result.reader.replace(repr(result.path)[1:-1], str(root / result.path)), known)
    return known


def check_manifest(text: bytes, files: dict[str, bytes]) -> None:
    manifest = json.loads(text)
    assert manifest["name"] == "report"
    assert [(d["name"], d["rows"]) for d in manifest["datasets"]] == [("planes", 2), ("flights", 3)]
    assert manifest["relations"] == RELATIONS
    for dataset in manifest["datasets"]:
        assert next(c["name"] for c in dataset["columns"]) == "tailnum"
        for file in dataset["files"]:
            data = files[file["path"]]
            assert (file["bytes"], file["sha256"]) == (
                len(data),
                hashlib.sha256(data).hexdigest(),
            )


def test_several_datasets_are_a_folder_with_a_manifest(bench: Bench) -> None:
    result = bench.run(document(bench, format="csv"), "out")
    folder = bench.root / "out"
    assert sorted(p.name for p in folder.iterdir()) == [
        "flights.csv",
        "manifest.json",
        "planes.csv",
    ]
    files = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert (result.path, result.rows) == ("out", 5)
    assert result.bytes == sum(map(len, files.values()))
    assert {f["path"]: f["rows"] for f in result.files} == {
        "out/flights.csv": 3,
        "out/manifest.json": 0,
        "out/planes.csv": 2,
    }
    lines = "".join(f"{hashlib.sha256(files[n]).hexdigest()}  {n}\n" for n in sorted(files))
    assert result.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    check_manifest(files["manifest.json"], files)


@pytest.mark.parametrize("target", ["out", "out.zip"])
def test_the_reader_gives_every_dataset(bench: Bench, target: str) -> None:
    result = bench.run(document(bench, format="parquet"), target)
    assert result.reader is not None
    lines = result.reader.replace("'out", f"'{bench.root}/out")
    known: dict[str, Any] = {}
    exec(lines, known)
    assert list(known["frames"]) == ["planes", "flights"]
    assert list(known["frames"]["flights"]["tailnum"]) == ["N1", "N1", "N2"]


def test_a_path_that_ends_in_zip_makes_a_zip(bench: Bench) -> None:
    result = bench.run(document(bench, format="csv", compression="gzip"), "out.zip")
    path = bench.root / "out.zip"
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [f["path"] for f in result.files] == ["out.zip"]
    assert (result.files[0]["rows"], result.bytes) == (5, path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert sorted(names) == ["flights.csv.gz", "manifest.json", "planes.csv.gz"]
        check_manifest(archive.read("manifest.json"), {n: archive.read(n) for n in names})
    assert bench.left() == ["out.zip"]
    assert list(bench.scratch.iterdir()) == []


def test_one_file_in_a_zip(bench: Bench) -> None:
    bench.export(PLANES, "planes.csv.zip")
    with zipfile.ZipFile(bench.root / "planes.csv.zip") as archive:
        assert archive.namelist() == ["planes.csv"]
        assert archive.read("planes.csv") == b"tailnum,seats\nN1,100\nN2,200\n"


def test_the_names_of_datasets_become_names_of_files() -> None:
    names = ["a/b", "a\\b", "A_b", "..", "con:", "日本", " x ", "y" * 300]
    stems = encoding.stems(names)
    assert stems[:4] == ["a_b", "a_b (2)", "A_b (3)", "data"]
    assert len({stem.casefold() for stem in stems}) == len(stems)
    assert all(len(stem) <= 100 for stem in stems)


def test_the_layout_follows_the_datasets_and_the_name(bench: Bench) -> None:
    spec = parse(document(bench, format="csv"))
    assert registry.choose(spec, "out").layout == "folder"
    assert registry.choose(spec, "out.csv").layout == "folder"
    assert registry.choose(spec, "out.ZIP").layout == "zip"
    unnamed = registry.choose(spec, None)
    assert (unnamed.layout, unnamed.ending) == ("zip", ".csv.zip")
    assert registry.choose(spec, f"x{unnamed.ending}").format.type == "csv"


def test_an_error_leaves_no_folder(bench: Bench) -> None:
    spec = document(bench, format="csv")
    spec["datasets"][1]["columns"] = {"include": ["nowhere"]}
    with pytest.raises(InvalidSpec):
        bench.run(spec, "out")
    assert bench.left() == []


def test_a_cancel_in_the_middle_leaves_no_folder(bench: Bench) -> None:
    here = bench.surroundings("out")
    running = pipeline.run(parse(document(bench, format="csv")), here)
    for _ in running:
        here.cancelled.set()
        break
    with pytest.raises(Cancelled):
        list(running)
    assert bench.left() == []


def test_a_folder_that_is_there(bench: Bench) -> None:
    spec = document(bench, format="csv")
    bench.run(spec, "out")
    with pytest.raises(OutputExists):
        bench.run(spec, "out")
    renamed = bench.run({**spec, "output": {"if_exists": "rename"}}, "out")
    assert renamed.path == "out (1)"
    (bench.root / "out" / "flights.csv").write_text("old")
    bench.run({**spec, "output": {"if_exists": "replace"}}, "out")
    assert (bench.root / "out" / "flights.csv").read_text() != "old"
    assert {Path(each).parts[0] for each in bench.left()} == {"out", "out (1)"}


def test_a_folder_with_other_things_in_it_is_never_replaced(bench: Bench) -> None:
    spec = {**document(bench, format="csv"), "output": {"if_exists": "replace"}}
    bench.run(spec, "out")
    diary = bench.root / "out" / "sub" / "diary.txt"
    diary.parent.mkdir()
    diary.write_text("mine")
    with pytest.raises(OutputExists, match=r"sub/diary\.txt"):
        bench.run(spec, "out")
    assert diary.read_text() == "mine"
    assert {Path(each).parts[0] for each in bench.left()} == {"out"}


def test_many_files_take_turns(bench: Bench) -> None:
    """More files than may be open at a time, each written twice."""
    names = [f"p{i}/part.csv" for i in range(150)]
    with FolderSink(bench.root / "out", bench.root / ".part", compression="gzip") as sink:
        for turn in range(2):
            for name in names:
                sink.write(f"{turn}{name}\n".encode(), name)
        sink.finish()
        size = sink.bytes
        sink.publish()
    found = {p.relative_to(bench.root / "out").as_posix() for p in bench.root.rglob("*.csv")}
    assert found == set(names)
    assert size == sum(p.stat().st_size for p in bench.root.rglob("*.csv"))
    for each in sink.files():
        data = (bench.root / "out" / each.name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == each.sha256


@pytest.mark.parametrize(
    ("relation", "said"),
    [
        ({"name": "x", "from": "flight.tailnum", "to": "planes.tailnum"}, "Did you mean flights"),
        ({"name": "x", "from": "flights", "to": "planes.tailnum"}, "names no dataset and column"),
        ({"name": "x", "from": "planes.a", "to": "planes.tailnum"}, "to itself"),
    ],
)
def test_a_relation_joins_two_datasets(bench: Bench, relation: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        parse(document(bench, relations=[relation]))


def test_a_preview_writes_nothing(bench: Bench) -> None:
    table = pa.table({"n": range(50_000), "b": [b"x"] * 50_000, "big": [2**60] * 50_000})
    spec = parse({"source": {"type": "upload", "id": bench.freeze(table)}, "format": "json"})
    seen = pipeline.preview(spec, bench.surroundings("out.json"), rows=3).to_json()
    (data,) = seen["datasets"]
    assert data["rows"] == [
        [0, "eA==", str(2**60)],
        [1, "eA==", str(2**60)],
        [2, "eA==", str(2**60)],
    ]
    assert [c["type"] for c in data["columns"]] == ["int64", "binary", "int64"]
    assert data["total_rows"] == 50_000
    losses = {(loss["kind"], loss["column"]): loss for loss in seen["losses"]}
    assert losses["binary", "b"]["count"] == 50_000
    assert losses["binary", "b"]["estimated"] is True
    assert seen["bytes_estimate"] > 1_000_000
    assert bench.left() == []
    json.dumps(seen)


def test_a_preview_cuts_cells_that_are_books(bench: Bench) -> None:
    cells = ["x" * 1000, "é" * 100_000, '"' * 1000]
    table = pa.table({"text": cells, "list": [[cell] * 3 for cell in cells], "n": [1, 2, None]})
    spec = parse({"source": {"type": "upload", "id": bench.freeze(table)}, "format": "json"})
    (data,) = pipeline.preview(spec, bench.surroundings("out.json")).to_json()["datasets"]
    assert [row[0] for row in data["rows"]] == [cells[0], f"{cells[1][:999]}…", cells[2]]
    assert [len(row[1]) for row in data["rows"]] == [1000] * 3
    assert data["rows"][0][1].startswith('["xx')
    assert [row[2] for row in data["rows"]] == [1, 2, None]


def test_a_preview_of_all_rows_is_exact(bench: Bench) -> None:
    spec = parse(document(bench, format="json"))
    seen = pipeline.preview(spec, bench.surroundings("out")).to_json()
    assert [d["name"] for d in seen["datasets"]] == ["planes", "flights"]
    assert seen["datasets"][1]["rows"] == [["N1", 5], ["N1", 7], ["N2", None]]
    assert not any(loss["estimated"] for loss in seen["losses"])


def test_one_file_holds_them_all_where_it_can(bench: Bench) -> None:
    for kind, made in registry.formats().items():
        if not made.capabilities.multi_dataset:
            continue
        more = {"structure": "nested"} if kind == "json" else {}
        target = f"out{made.endings[0]}"
        result = bench.run(document(bench, format={"type": kind, **more}), target)
        assert (result.path, result.rows, len(result.files)) == (target, 5, 1)
        assert result.reader


def test_a_preview_of_very_wide_rows_reads_few_of_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["jupyter_export.pipeline.preview"]
    monkeypatch.setattr(module, "SAMPLE_BYTES", 100_000)
    table = pa.table({"text": ["x" * 10_000] * 500, "b": [b"x"] * 500})
    cut = pa.Table.from_batches(table.to_batches(max_chunksize=7))
    for each in (table, cut):
        spec = parse({"source": {"type": "upload", "id": bench.freeze(each)}, "format": "csv"})
        seen = pipeline.preview(spec, bench.surroundings())
        assert 1 <= len(seen.datasets[0]["rows"]) <= 14
        assert seen.datasets[0]["total_rows"] == 500
        binary = next(loss for loss in seen.losses if loss.kind == "binary")
        assert (binary.count, binary.estimated) == (500, True)
        assert seen.bytes_estimate == pytest.approx(5_000_000, rel=0.1)


def test_the_estimate_weighs_each_dataset_by_its_rows(bench: Bench) -> None:
    """Ten wide rows that are all there, beside many narrow ones."""
    tables = {
        "wide": pa.table({"t": ["x" * 100_000] * 10}),
        "long": pa.table({"n": range(200_000)}),
    }
    spec = {
        "datasets": [
            {"name": name, "source": {"type": "upload", "id": bench.freeze(table)}}
            for name, table in tables.items()
        ],
        "format": "csv",
    }
    estimate = pipeline.preview(parse(spec), bench.surroundings("out")).bytes_estimate
    real = bench.run(spec, "out").bytes
    assert estimate is not None
    assert real / 2 < estimate < real * 2


def test_a_preview_tells_what_no_sample_shows(bench: Bench) -> None:
    table = pa.table({"n": pa.nulls(1_100_000, pa.int8())})
    spec = parse(
        {
            "datasets": [{"name": "a/b", "source": {"type": "upload", "id": bench.freeze(table)}}],
            "format": "excel",
        }
    )
    losses = {loss.kind: loss for loss in pipeline.preview(spec, bench.surroundings()).losses}
    assert losses["rows_beyond_limit"].count == 1_100_000 - 1_048_576
    assert losses["sheet_name"].count == 1
