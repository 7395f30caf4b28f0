"""Exports that are sent as they are made: the bytes of a file, and no file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import Incomplete, LossRefused, SourceFailed, TooLarge
from jupyter_export.formats.sent_arrow import SentCounter
from jupyter_export.pipeline import run
from jupyter_export.progress import Result
from jupyter_export.registry import Retyped, Surroundings
from jupyter_export.sinks import copies, piped
from jupyter_export.sinks.copies import Copies
from jupyter_export.sinks.piped import PipedSink
from jupyter_export.spec import parse

ROWS = 5000
MANY = 150_000
"""More than a format puts into one chunk."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piped, "PIECE_BYTES", 10_000)
    monkeypatch.setattr(piped, "PATIENCE", 1e9)


@pytest.fixture
def here(tmp_path: Path) -> Surroundings:
    folders = {name: tmp_path / name for name in ("root", "uploads", "scratch")}
    for folder in folders.values():
        folder.mkdir()
    table = pa.table(
        {
            "n": range(ROWS),
            "word": [f"w{n}" for n in range(ROWS)],
            "group": [n % 3 for n in range(ROWS)],
        }
    )
    many = pa.table({"n": pa.array([1] * (MANY - 1) + [2**60])})
    for name, rows in (("u", table), ("many", many)):
        with pa.ipc.new_stream(str(folders["uploads"] / f"{name}.arrows"), rows.schema) as stream:
            stream.write_table(rows, max_chunksize=1000)
    root = folders["root"]
    return Surroundings(**folders, target=root / "a", part=root / ".a.part", threads=1)


class Reader:
    """Takes what a run sends."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def __call__(self, piece: Any) -> None:
        self.pieces.append(bytes(piece))

    @property
    def bytes(self) -> bytes:
        return b"".join(self.pieces)


def sent(here: Surroundings, name: str, reader: Reader | None = None, **spec: Any) -> Result:
    """Run the spec to ``reader``, or into a file."""
    root = here.root
    here = replace(here, target=root / name, part=root / f".{name}.part", out=reader)
    document = {"source": {"type": "upload", "id": "u"}, **spec}
    *_, last = run(parse(document), here)
    assert isinstance(last, Result)
    return last


@pytest.mark.parametrize(
    "name",
    [
        *("a.csv", "a.csv.gz", "a.json", "a.jsonl.zst", "a.csv.br", "a.parquet", "a.arrow"),
        *("a.arrows", "a.xlsx", "a.pdf", "a.html", "a.md"),
    ],
)
def test_the_bytes_are_those_of_the_file(here: Surroundings, name: str) -> None:
    reader = Reader()
    result = sent(here, name, reader)
    assert list(here.root.iterdir()) == []
    assert list(here.scratch.iterdir()) == []
    assert hashlib.sha256(reader.bytes).hexdigest() == result.sha256
    assert (len(reader.bytes), ROWS) == (result.bytes, result.rows)
    sent(here, name)
    assert (here.root / name).read_bytes() == reader.bytes


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (
            {"format": {"type": "csv", "rows_per_file": 2000}},
            ["out-001.csv", "out-002.csv", "out-003.csv"],
        ),
        (
            {"format": {"type": "parquet", "partition_by": ["group"]}},
            [f"group={n}/part-0.parquet" for n in range(3)],
        ),
    ],
)
def test_a_folder_is_sent_as_a_zip(
    here: Surroundings, spec: dict[str, Any], names: list[str]
) -> None:
    reader = Reader()
    sent(here, "out", reader, **spec)
    assert list(here.root.iterdir()) == []
    assert list(here.scratch.iterdir()) == []
    sent(here, "out", **spec)
    with zipfile.ZipFile(io.BytesIO(reader.bytes)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == names
        for name in names:
            assert archive.read(name) == (here.root / "out" / name).read_bytes()


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_datasets_in_files_of_their_own_have_their_manifest(
    here: Surroundings, compression: str
) -> None:
    reader = Reader()
    source = {"type": "upload", "id": "u"}
    datasets = [{"name": name, "source": source} for name in ("a", "b")]
    spec = {"datasets": datasets, "format": "csv", "compression": compression, "source": None}
    del spec["source"]
    target = replace(here, target=here.root / "out", out=reader)
    *_, last = run(parse(spec), target)
    assert isinstance(last, Result)
    assert last.rows == 2 * ROWS
    with zipfile.ZipFile(io.BytesIO(reader.bytes)) as archive:
        told = json.loads(archive.read("manifest.json"))
        for dataset in told["datasets"]:
            for file in dataset["files"]:
                content = archive.read(file["path"])
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
                assert len(content) == file["bytes"]


def test_what_fails_at_the_end_has_not_sent_the_end(here: Surroundings) -> None:
    """An integer that JSON's readers may round stands in the last row only."""
    whole, part = Reader(), Reader()
    many = {"type": "upload", "id": "many"}
    sent(here, "a.json", whole, source=many)
    with pytest.raises(LossRefused):
        sent(here, "a.json", part, source=many, on_loss="error")
    assert 0 < len(part.bytes) < len(whole.bytes)
    assert whole.bytes.startswith(part.bytes)


def test_what_fails_at_the_start_has_sent_nothing(here: Surroundings) -> None:
    reader = Reader()
    with pytest.raises(TooLarge):
        sent(replace(here, max_rows=10), "a.csv", reader)
    assert reader.pieces == []


def test_rows_that_are_not_in_the_bytes_are_noticed_before_the_end(
    here: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SentCounter, "finish", lambda self, path: ROWS - 1)
    reader, whole = Reader(), Reader()
    with pytest.raises(Incomplete):
        sent(here, "a.arrows", reader)
    monkeypatch.undo()
    sent(here, "a.arrows", whole)
    assert len(reader.bytes) < len(whole.bytes)


def test_a_copy_that_gets_too_large_is_refused(here: Surroundings) -> None:
    """Only formats whose rows are counted in the finished file keep a copy."""
    small = replace(here, memory_limit=2000)
    with pytest.raises(TooLarge, match="Run it as a job"):
        sent(small, "a.xlsx", Reader())
    sent(small, "a.md", Reader())


def test_of_an_end_no_more_is_kept_than_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "END_BYTES", 1000)
    kept = Copies("end", tmp_path, 2000)
    for n in range(100):
        kept.add("", bytes([n]) * 300)
    content = kept.path_of("").read_bytes()
    kept.close()
    assert len(content) == 30_000
    assert content.endswith(b"".join(bytes([n]) * 300 for n in range(97, 100)))
    assert content.startswith(bytes(1000))
    assert list(tmp_path.iterdir()) == []


class TestBeginningAgain:
    """A database may find in the middle that a column has another type."""

    @pytest.fixture(autouse=True)
    def retyping(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from jupyter_export import pipeline

        self.attempts = 0
        counters = pipeline.encoding.Counters.update

        def update(counters_: Any, chunk: Any) -> None:
            counters(counters_, chunk)
            self.seen += chunk.rows
            if self.attempts == 0 and self.seen >= self.after:
                self.attempts += 1
                raise Retyped

        self.seen = 0
        self.after = 0
        monkeypatch.setattr(pipeline.encoding.Counters, "update", update)

    def test_before_the_first_byte_nobody_notices(self, here: Surroundings) -> None:
        reader = Reader()
        assert sent(here, "a.csv", reader).bytes == len(reader.bytes)
        assert self.attempts == 1

    def test_after_it_the_stream_ends_with_a_reason(self, here: Surroundings) -> None:
        self.after = MANY - 100
        reader = Reader()
        with pytest.raises(SourceFailed, match="does not fit"):
            sent(here, "a.json", reader, source={"type": "upload", "id": "many"})
        assert reader.pieces


def test_the_last_piece_waits_for_its_release() -> None:
    reader = Reader()
    sink = PipedSink(Path("a"), reader, Copies("nothing", Path(), 0))
    with sink:
        for _ in range(25):
            sink.write(b"x" * 1000)
        sink.finish()
        assert len(reader.bytes) < 25_000
        sink.publish()
    assert len(reader.bytes) == 25_000


def messages(file: bool, batches: int) -> bytes:
    batch = pa.record_batch({"n": range(100), "word": ["a", "b"] * 50})
    out = io.BytesIO()
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(out, batch.schema) as writer:
        for _ in range(batches):
            writer.write_batch(batch)
    return out.getvalue()


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("batches", [0, 1, 5])
def test_arrow_messages_are_counted_however_they_are_cut(file: bool, batches: int) -> None:
    data = messages(file, batches)
    for size in (1, 7, 100, len(data)):
        counter = SentCounter(file)
        for piece in cut(data, size):
            counter.update(piece)
        assert counter.finish(Path()) == 100 * batches


@pytest.mark.parametrize("file", [True, False])
def test_what_is_no_whole_arrow_counts_as_nothing(file: bool) -> None:
    data = messages(file, 2)
    for wrong in (data[:-3], data + b"x", b"zz" + data, b""):
        counter = SentCounter(file)
        counter.update(wrong)
        assert counter.finish(Path()) == -1
