"""The folder of an export: what it may replace, how its files are named, what it holds open."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import OutputExists, WriteFailed
from jupyter_export.pipeline import encoding
from jupyter_export.sinks import FolderSink
from jupyter_export.sinks.compression import compressor
from jupyter_export.sinks.folder import _COMPRESSING

from .conftest import Bench

TABLE = pa.table({"key": ["a", "b"], "other": ["c", "c"], "n": [1, 2]})
REPLACE = {"if_exists": "replace"}


def several(bench: Bench, *names: str, **more: Any) -> dict[str, Any]:
    source = {"type": "upload", "id": bench.freeze(TABLE)}
    return {"datasets": [{"name": n, "source": source} for n in names], "output": REPLACE, **more}


@pytest.mark.parametrize("target", ["out.tsv", "out.pq", "out.csv.gz"])
def test_a_folder_is_replaced_whatever_ending_its_files_have(bench: Bench, target: str) -> None:
    bench.run(several(bench, "x", "y"), target)
    bench.run(several(bench, "x", "z"), target)
    names = {path.name.split(".")[0] for path in (bench.root / target).iterdir()}
    assert names == {"manifest", "x", "z"}


def test_files_of_the_users_own_are_never_replaced(bench: Bench) -> None:
    """Also those that have the ending of the export's format."""
    own = bench.root / "data" / "diary.csv"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(OutputExists, match=r"holds “diary\.csv”"):
        bench.run(several(bench, "x", "y", format="csv"), "data")
    assert own.read_text() == "mine"
    assert bench.left() == ["data/diary.csv"]


@pytest.mark.parametrize(
    "manifest", ["", "[]", '{"datasets": 5}', '{"datasets": [{"files": [{}]}]}', "\xff"]
)
def test_a_manifest_that_is_none_of_ours_lists_nothing(bench: Bench, manifest: str) -> None:
    folder = bench.root / "data"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest, "latin-1")
    (folder / "diary.csv").write_text("mine")
    with pytest.raises(OutputExists):
        bench.run(several(bench, "x", "y", format="csv"), "data")
    assert (folder / "diary.csv").read_text() == "mine"


def test_partitions_are_replaced_by_others(bench: Bench) -> None:
    for column in ("key", "other"):
        form = {"type": "parquet", "partition_by": [column]}
        bench.export(TABLE, "out", format=form, output=REPLACE)
    assert bench.left() == ["out/other=c/part-0.parquet"]


def test_a_folder_that_appears_meanwhile_is_kept(bench: Bench) -> None:
    with FolderSink(bench.root / "out", bench.root / ".part") as sink:
        sink.write(b"a\n", "a.csv")
        sink.finish()
        (bench.root / "out").mkdir()
        (bench.root / "out" / "theirs").touch()
        with pytest.raises(OutputExists):
            sink.publish()
    assert bench.left() == ["out/theirs"]


def test_names_are_no_longer_than_a_file_system_takes_them() -> None:
    stems = encoding.stems(
        ["日" * 200, "é" * 200, "CON", "con.x", "e\u0301", "\xe9", "a" * 99 + ". b"]
    )
    assert all(len(stem.encode()) <= 110 for stem in stems)
    assert stems[2:] == ["_CON", "_con.x", "e\u0301", "\xe9 (2)", "a" * 99]


def test_many_datasets_of_long_names(bench: Bench) -> None:
    result = bench.run(several(bench, "日" * 200, "本" * 200, format="csv"), "out")
    assert result.rows == 4


@pytest.mark.parametrize("kind", ["gzip", "zstd", "brotli"])
def test_no_more_compressors_are_held_than_a_few(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """One after another, hundreds of parts are compressed; each compressor holds megabytes."""
    alive = most = 0

    class Counted:
        def __init__(self, kind: Any) -> None:
            nonlocal alive, most
            self._inner = compressor(kind)
            alive += 1
            most = max(most, alive)

        def compress(self, data: Any) -> Any:
            return self._inner.compress(data)

        def finish(self) -> Any:
            nonlocal alive
            alive -= 1
            return self._inner.finish()

    monkeypatch.setattr("jupyter_export.sinks.written.compressor", Counted)
    with FolderSink(bench.root / "out", bench.root / ".part", compression=kind) as sink:
        for number in range(30):
            for line in range(2):
                sink.write(b"%d %d\n" % (number, line), f"{number}.csv")
        sink.finish()
        size = sink.bytes
        sink.publish()
    assert alive == 0
    assert most <= _COMPRESSING + 1
    paths = sorted((bench.root / "out").iterdir(), key=lambda path: int(path.stem))
    assert size == sum(path.stat().st_size for path in paths)
    for number, path in enumerate(paths):
        assert pa.input_stream(str(path), compression=kind).read() == b"%d 0\n%d 1\n" % (
            number,
            number,
        )


def write_by_turns(root: Path, kind: Any) -> None:
    with FolderSink(root / "out", root / ".part", compression=kind) as sink:
        for turn in range(2):
            for number in range(30):
                sink.write(b"%d %d\n" % (number, turn), f"{number}.csv")
        sink.finish()
        sink.publish()


def test_files_by_turns_become_members_of_gzip_files(bench: Bench) -> None:
    write_by_turns(bench.root, "gzip")
    for number in range(30):
        data = (bench.root / "out" / f"{number}.csv").read_bytes()
        assert gzip.decompress(data) == b"%d 0\n%d 1\n" % (number, number)


def test_files_by_turns_are_refused_where_streams_cannot_be_joined(bench: Bench) -> None:
    with pytest.raises(WriteFailed, match="by turns"):
        write_by_turns(bench.root, "brotli")
    assert bench.left() == []
