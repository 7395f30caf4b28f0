"""Uploads that claim to be larger than they are: the server looks at headers, and no further."""

from __future__ import annotations

import io
import struct
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidRequest, QueueFull
from jupyter_export.jobs import uploads
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.service import ExportService
from jupyter_export.sources import arrow_messages

from .conftest import ME, MakeService, document

ROWS = 1000
SECONDS = 60.0


def stream(table: pa.Table, compression: str | None = None, batches: int = 1) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        for _ in range(batches):
            writer.write_table(table)
    return sink.getvalue()


def inflated(claimed: int, kind: str) -> bytes:
    """Return a stream whose one compressed buffer says that it becomes ``claimed`` bytes."""
    data = stream(pa.table({"n": pa.array([7] * ROWS, pa.int64())}), kind)
    stated = struct.pack("<q", 8 * ROWS)
    # the header has the same number as nothing else: the buffer's own length is shorter
    assert data.count(stated) == 1
    return data.replace(stated, struct.pack("<q", claimed))


def put(service: ExportService, data: bytes) -> Any:
    with service.open_upload(ME) as writer:
        writer.write(data)
        return writer.finish()


@pytest.mark.parametrize("kind", ["zstd", "lz4"])
def test_a_compressed_batch_that_claims_to_be_huge(kind: str, service: ExportService) -> None:
    upload = put(service, inflated(2**40, kind))
    assert upload.rows == ROWS
    job = service.wait(service.submit(document(upload.id), ME).id, ME, SECONDS)
    assert job.error is not None
    assert job.error["code"] == "out_of_memory"
    assert "1,099,511 MB when it is unpacked" in str(job.error["message"])
    # and the next one is served
    good = put(service, stream(pa.table({"n": [1]})))
    assert service.wait(service.submit(document(good.id), ME).id, ME, SECONDS).status == "completed"


def test_a_batch_that_really_is_huge(make_service: MakeService) -> None:
    """A gigabyte of zeros in a few kilobytes, with a limit of 64 MB."""
    service = make_service(max_workers=1, memory_limit_per_job=64 * 1000**2)
    table = pa.table({"t": pa.array([b"\0" * 2**20] * 200, pa.binary())})
    data = stream(table, "zstd")
    assert len(data) < 2**20
    job = service.wait(service.submit(document(put(service, data).id), ME).id, ME, SECONDS)
    assert job.error is not None
    assert job.error["code"] == "out_of_memory"


def test_offsets_that_lie_show_no_memory(service: ExportService) -> None:
    """Neither of the file around them, nor of the worker that reads them."""
    table = pa.table({"t": pa.array(["ab", "cd", "ef"])})
    data = stream(table)
    honest = struct.pack("<4i", 0, 2, 4, 6)
    assert data.count(honest) == 1
    for lie in ((0, 2, 4, 2**30), (-4096, 2, 4, 6), (0, 6, 2, 6)):
        upload = put(service, data.replace(honest, struct.pack("<4i", *lie)))
        job = service.wait(service.submit(document(upload.id), ME).id, ME, SECONDS)
        assert job.error is not None, lie
        assert job.error["code"] == "source_failed"


def test_a_dictionary_that_is_not_there(service: ExportService) -> None:
    data = stream(pa.table({"t": pa.array(["ab", "cd"]).dictionary_encode()}))
    honest, lie = struct.pack("<2i", 0, 1), struct.pack("<2i", 0, 9999)
    before, _, after = data.rpartition(honest)
    upload = put(service, before + lie + after)
    job = service.wait(service.submit(document(upload.id), ME).id, ME, SECONDS)
    assert job.error is not None
    assert job.error["code"] == "source_failed"


def test_the_server_unpacks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.arrows"
    path.write_bytes(stream(pa.table({"t": pa.array([b"\0" * 2**20] * 100, pa.binary())}), "zstd"))
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        rows, columns = uploads.inspect(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (rows, columns) == (100, ({"name": "t", "type": "binary"},))
    assert peak < 2**20
    assert pa.total_allocated_bytes() - before < 2**20


# ------------------------------------------------------------------ schemas


def nested(depth: int) -> pa.Schema:
    kind: pa.DataType = pa.int8()
    for _ in range(depth):
        kind = pa.struct([("a", pa.int8()), ("b", kind)])
    return pa.schema([("n", kind)])


def empty(schema: pa.Schema) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema):
        pass
    return sink.getvalue()


def doubled(depth: int) -> bytes:
    """Return a schema in which each struct's two fields are one and the same: as many fields as two
    to the power of its depth, in a few bytes."""
    data = bytearray(empty(nested(depth)))
    (length,) = struct.unpack_from("<i", data, 4)
    flat = arrow_messages._Flat(bytes(data[8 : 8 + length]))
    (field,) = flat.tables(flat.table(flat.root(), 2), 1)
    for _ in range(depth):
        first, second = flat.tables(field, 5)
        at = flat._field(field, 5)
        start = at + flat._at(at, "<I") + 4
        struct.pack_into("<I", data, 8 + start, second - start)
        assert first != second
        field = second
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (empty(nested(63)), None),
        (empty(nested(64)), "nested deeper than 64"),
        (doubled(40), "more than 100,000 columns|longer than it is"),
        (empty(pa.schema([("n", pa.int8())], metadata={"k": "v" * 2**24})), "header of 16,777"),
        (empty(pa.schema([(f"c{i}", pa.int8()) for i in range(100_001)])), "100,000 columns"),
        (stream(pa.table({"n": pa.array([], pa.int8())}).slice(0, 0)), None),
    ],
)
def test_schemas(data: bytes, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "x.arrows"
    path.write_bytes(data)
    if said is None:
        assert uploads.inspect(path)[0] == 0
        return
    with pytest.raises(InvalidRequest, match=said) as caught:
        uploads.inspect(path)
    assert len(str(caught.value)) < 500


def test_more_batches_than_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_messages, "MOST_MESSAGES", 100)
    path = tmp_path / "x.arrows"
    for batches, fits in ((100, True), (101, False)):
        path.write_bytes(stream(pa.table({"n": [1]}), batches=batches))
        if fits:
            assert uploads.inspect(path)[0] == batches
        else:
            with pytest.raises(InvalidRequest, match="more than 100 batches"):
                uploads.inspect(path)


def test_the_type_of_a_wide_struct_is_shown_in_part(tmp_path: Path) -> None:
    path = tmp_path / "x.arrows"
    kind = pa.struct([(f"a_long_name_{i}", pa.int8()) for i in range(10_000)])
    path.write_bytes(empty(pa.schema([("s", kind)])))
    _, (column,) = uploads.inspect(path)
    assert column["type"].startswith("struct<a_long_name_0: int8")
    assert len(column["type"]) <= 1001


def test_one_user_has_so_many_under_way(service: ExportService) -> None:
    """However they end, another may begin then; what others send does not count."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(service.open_upload(ME)) for _ in range(uploads.MOST_OPEN_OF_ONE)
        ]
        with pytest.raises(QueueFull, match="under way already"):
            service.open_upload(ME)
        service.open_upload(Caller("other")).abort()
        opened[0].abort()
        opened[0].abort()
        with pytest.raises(InvalidRequest):
            opened[1].finish()  # It is empty.
        again = [stack.enter_context(service.open_upload(ME)) for _ in range(2)]
        with pytest.raises(QueueFull):
            service.open_upload(ME)
        again[0].write(stream(pa.table({"n": [1]})))
        again[0].finish()
        stack.enter_context(service.open_upload(ME))
    for _ in range(2 * uploads.MOST_OPEN_OF_ONE):
        service.open_upload(ME).abort()
