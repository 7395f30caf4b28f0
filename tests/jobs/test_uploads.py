"""Uploads: whole and checked, or not there."""

from __future__ import annotations

import io
import os
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jupyter_export.errors import InvalidRequest, NotFound
from jupyter_export.jobs import uploads
from jupyter_export.jobs.model import Caller, Upload
from jupyter_export.jobs.service import ExportService

from .conftest import ME, Clock, MakeService, arrow_stream, document, send

TABLE = pa.table({"n": pa.array(range(1000), pa.int64()), "t": ["text"] * 1000})
WHOLE = arrow_stream(TABLE)


def put(service: ExportService, data: bytes) -> Upload:
    with service.open_upload(ME) as writer:
        writer.write(data)
        return writer.finish()


def spooled(service: ExportService) -> list[str]:
    return sorted(os.listdir(service.settings.uploads))


def test_a_good_upload(service: ExportService) -> None:
    with service.open_upload(ME) as writer:
        for start in range(0, len(WHOLE), 777):
            writer.write(memoryview(WHOLE)[start : start + 777])
        upload = writer.finish()
    assert upload.to_json() == {
        "id": upload.id,
        "rows": 1000,
        "bytes": len(WHOLE),
        "columns": [{"name": "n", "type": "int64"}, {"name": "t", "type": "string"}],
    }
    assert spooled(service) == [f"{upload.id}.arrows"]
    assert (service.settings.uploads / f"{upload.id}.arrows").read_bytes() == WHOLE


def test_an_empty_frame_is_a_frame(service: ExportService) -> None:
    assert put(service, arrow_stream(TABLE.slice(0, 0))).rows == 0


def test_dictionaries_and_packed_buffers(service: ExportService) -> None:
    sink = io.BytesIO()
    table = pa.table({"c": pa.array(["a", "b"] * 5).dictionary_encode(), "d": range(10)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=3)
    assert put(service, sink.getvalue()).rows == 10


LOOKS_LIKE_THE_END = arrow_stream(pa.table({"n": pa.array([-1, 0], pa.int32())}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello", "not a whole Arrow"),
        (b"n;t\n1;text\n" * 1000, "not a whole Arrow"),
        (b"\0" * 1000, "not a whole Arrow"),
        (WHOLE[:100], "cut off"),
        (WHOLE[: len(WHOLE) // 2], "cut off"),
        (WHOLE[:-9], "cut off"),
        (WHOLE[:-8], "cut off"),
        (WHOLE[:-1], "Arrow|cut off"),
        (LOOKS_LIKE_THE_END[:-8], "cut off"),
        (WHOLE + b"more", "goes on"),
        (WHOLE + WHOLE, "goes on"),
        (arrow_stream(TABLE.select([])), "no columns"),
    ],
)
def test_what_is_no_whole_stream_is_refused(data: bytes, said: str, service: ExportService) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        put(service, data)
    assert str(service.settings.uploads) not in str(caught.value)
    assert spooled(service) == []


@given(st.integers(0, len(WHOLE) - 1))
@hypothesis_settings(max_examples=100, deadline=None)
def test_no_cut_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "cut.arrows"
    path.write_bytes(WHOLE[:length])
    with pytest.raises(InvalidRequest):
        uploads.inspect(path)


@given(position=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
@hypothesis_settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_damaged_stream_is_read_or_refused_and_never_worse(
    position: int, value: int, tmp_path: Path
) -> None:
    damaged = bytearray(WHOLE)
    damaged[position] = value
    path = tmp_path / "damaged.arrows"
    path.write_bytes(damaged)
    try:
        uploads.inspect(path)
    except InvalidRequest:
        return


def test_an_upload_that_is_not_finished_leaves_nothing(service: ExportService) -> None:
    with service.open_upload(ME) as writer:
        writer.write(WHOLE)
    assert spooled(service) == []
    with pytest.raises(InvalidRequest):
        writer.write(b"more")
    with pytest.raises(InvalidRequest):
        writer.finish()
    writer.abort()


def test_an_upload_belongs_to_its_sender(service: ExportService) -> None:
    upload = send(service)
    with pytest.raises(NotFound):
        service.submit(document(upload), Caller("you"))
    with pytest.raises(NotFound):
        service.submit(document("nothere"), ME)
    assert service.submit(document(upload), Caller("boss", admin=True)).status == "pending"


def test_an_upload_goes_with_its_last_job(service: ExportService) -> None:
    upload = send(service)
    jobs = [service.submit(document(upload), ME) for _ in range(2)]
    service.delete(jobs[0].id, ME)
    assert spooled(service) == [f"{upload}.arrows"]
    service.delete(jobs[1].id, ME)
    assert spooled(service) == []
    with pytest.raises(NotFound):
        service.submit(document(upload), ME)


def sweep(service: ExportService) -> list[str]:
    service._housekeeping.sweep()
    return spooled(service)


def test_how_long_uploads_are_kept(make_service: MakeService, clock: Clock) -> None:
    service = make_service(max_workers=1)
    unused = send(service)
    used, failed = send(service), send(service)
    job = service.submit(document(used, "a.csv"), ME)
    assert service.wait(job.id, ME, 60).status == "completed"
    bad = service.submit(document(failed, "b.csv", columns={"include": ["nope"]}), ME)
    assert service.wait(bad.id, ME, 60).status == "failed"
    names = {each: f"{each}.arrows" for each in (unused, used, failed)}
    clock.advance(seconds=uploads.KEEP_AFTER_SUCCESS.total_seconds())
    assert sweep(service) == sorted(names.values())
    clock.advance(seconds=1)
    assert sweep(service) == sorted([names[unused], names[failed]])
    clock.advance(seconds=uploads.KEEP.total_seconds())
    assert sweep(service) == []
    with pytest.raises(NotFound, match="Send the data again"):
        service.retry(bad.id, ME)


@pytest.mark.usefixtures("misbehaving")
def test_an_active_job_keeps_its_upload(make_service: MakeService, clock: Clock) -> None:
    service = make_service(max_workers=1)
    upload = send(service)
    job = service.submit(document(upload, "a.slow"), ME)
    clock.advance(days=100)
    assert sweep(service) == [f"{upload}.arrows"]
    service.cancel(job.id, ME)


def test_a_stream_that_nobody_knows_is_swept_when_it_is_old(
    service: ExportService, clock: Clock
) -> None:
    for name, age in (("abc", timedelta(seconds=1)), ("def", timedelta())):
        path = service.settings.uploads / f"{name}.arrows"
        path.write_bytes(b"whole")
        changed = (clock() - (uploads.KEEP + age if age else age)).timestamp()
        os.utime(path, (changed, changed))
    assert sweep(service) == ["def.arrows"]


def test_what_a_killed_sender_left_goes_and_what_somebody_writes_stays(
    service: ExportService,
) -> None:
    left = service.settings.uploads / f"{'0' * 16}.arrows.part"
    left.write_bytes(WHOLE[:100])
    with service.open_upload(ME) as writer:
        writer.write(WHOLE[:100])
        mine = service.settings.uploads / f"{writer.id}.arrows.part"
        long_ago = time.time() - uploads.UNTOUCHED_SECONDS - 1
        for path in (left, mine):
            os.utime(path, (long_ago, long_ago))
        service._housekeeping.sweep()
        assert spooled(service) == [mine.name]
        writer.write(WHOLE[100:])
        upload = writer.finish()
    assert spooled(service) == [f"{upload.id}.arrows"]
