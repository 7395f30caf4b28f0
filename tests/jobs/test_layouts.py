"""Exports of several files through the service: folders and zips, from their name to their end."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.errors import Expired, ExportError, InvalidSpec, OutputExists
from jupyter_export.jobs.downloads import Download
from jupyter_export.jobs.files import clean
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.naming import part_of
from jupyter_export.jobs.service import ExportService

from .conftest import ME, Clock, MakeService, eventually, send

SECONDS = 60.0


def several(upload: str, path: str | None = "out", **fields: Any) -> dict[str, Any]:
    """Return a spec of two datasets in a format that holds one."""
    source = {"type": "upload", "id": upload}
    return {
        "name": "report",
        "datasets": [
            {"name": "flights", "source": source, "limit": 3},
            {"name": "planes", "source": source, "limit": 2},
        ],
        "format": "csv",
        "output": {} if path is None else {"path": path},
    } | fields


def finished(service: ExportService, spec: dict[str, Any]) -> Job:
    job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert job.status == "completed", job.error
    return job


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def unzipped(download: Download) -> dict[str, bytes]:
    data = b"".join(download.pieces())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


FILES = ["flights.csv", "manifest.json", "planes.csv"]


def test_several_datasets_become_a_folder(service: ExportService) -> None:
    job = finished(service, several(send(service), "new/out"))
    folder = service.settings.root / "new" / "out"
    assert names(folder) == FILES
    assert job.result is not None
    assert (job.path, job.result.path, job.result.rows) == ("new/out", "new/out", 5)
    assert job.is_folder
    assert job.result.bytes == sum(path.stat().st_size for path in folder.iterdir())
    lines = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES
    )
    assert job.result.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert [Path(file["path"]).name for file in job.result.files] == FILES
    assert service.get(job.id, ME) == job


def test_a_slash_at_the_end_names_a_folder(service: ExportService) -> None:
    upload = send(service)
    assert finished(service, several(upload, "out/")).path == "out"
    one = several(upload, "one/") | {"datasets": [{"source": {"type": "upload", "id": upload}}]}
    with pytest.raises(InvalidSpec, match="names a folder"):
        service.submit(one, ME)


def test_what_is_there_already(service: ExportService) -> None:
    upload, root = send(service), service.settings.root
    finished(service, several(upload))
    with pytest.raises(OutputExists):
        service.submit(several(upload), ME)
    renamed = several(upload, output={"path": "out", "if_exists": "rename"})
    assert finished(service, renamed).path == "out (1)"
    replaced = several(upload, output={"path": "out", "if_exists": "replace"})
    replaced["datasets"][0]["name"] = "delays"
    assert finished(service, replaced).path == "out"
    assert names(root / "out") == ["delays.csv", "manifest.json", "planes.csv"]
    (root / "out" / "thesis.tex").write_text("precious")
    job = service.wait(service.submit(replaced, ME).id, ME, SECONDS)
    assert job.error is not None
    assert job.error["code"] == "output_exists"
    assert "thesis.tex" in str(job.error["message"])
    assert (root / "out" / "thesis.tex").read_text() == "precious"


def test_a_file_in_the_folders_place(service: ExportService) -> None:
    upload = send(service)
    (service.settings.root / "out").write_text("a file")
    for how, said in (("error", "exists already"), ("replace", "is a file, and this export")):
        with pytest.raises(OutputExists, match=said):
            service.submit(several(upload, output={"path": "out", "if_exists": how}), ME)
    spec = several(upload, output={"path": "out", "if_exists": "rename"})
    assert finished(service, spec).path == "out (1)"


def test_two_active_jobs_never_write_one_folder(
    make_service: MakeService, misbehaving: None
) -> None:
    service = make_service(max_workers=1)
    spec = several(send(service), format="slow")
    first = service.submit(spec, ME)
    spec["output"]["if_exists"] = "replace"
    with pytest.raises(OutputExists, match=first.id):
        service.submit(spec, ME)
    service.cancel(first.id, ME)


@pytest.mark.parametrize(("path", "ending"), [("a/out.zip", "out.zip"), (None, ".zip")])
def test_a_zip_is_one_file(service: ExportService, path: str | None, ending: str) -> None:
    spec = several(send(service), path)
    if path is None:
        # Nothing says the format: it is CSV, whatever the zip is called.
        del spec["format"]
    job = finished(service, spec)
    file = service.settings.root / job.path
    assert job.path.endswith(ending)
    assert not job.is_folder
    assert job.temporary is (path is None)
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == FILES
    download = service.download(job.id, ME)
    assert (download.name, download.media_type) == (file.name, "application/zip")
    assert download.size == file.stat().st_size
    service.delete(job.id, ME, delete_file=True)
    assert not file.exists()


# ------------------------------------------------------------------ downloads


def test_a_folder_is_downloaded_as_a_zip(service: ExportService) -> None:
    job = finished(service, several(send(service), "Größe"))
    download = service.download(job.id, ME)
    assert (download.name, download.media_type) == ("Größe.zip", "application/zip")
    assert (download.size, download.sha256) == (None, job.result and job.result.sha256)
    folder = service.settings.root / "Größe"
    assert unzipped(download) == {name: (folder / name).read_bytes() for name in FILES}
    assert b"".join(download.pieces()) == b"".join(service.download(job.id, ME).pieces())
    download.done()
    assert service.get(job.id, ME).download_count == 1


def test_a_folder_that_was_changed_is_not_sent(service: ExportService) -> None:
    job = finished(service, several(send(service)))
    file = service.settings.root / "out" / "planes.csv"
    early = service.download(job.id, ME)
    other = file.read_text().replace("text", "TEXT")
    file.write_text(other)
    # As long as before: only its hash tells.
    with pytest.raises(Expired, match=r"planes\.csv.*changed"):
        list(early.pieces())
    file.write_text("other")
    with pytest.raises(Expired, match=r"out/planes\.csv.*changed"):
        service.download(job.id, ME)
    file.unlink()
    with pytest.raises(Expired, match="no longer there"):
        list(early.pieces())
    with pytest.raises(Expired, match="no longer there"):
        service.download(job.id, ME)


def test_a_link_out_of_a_folder_is_not_followed(service: ExportService, tmp_path: Path) -> None:
    job = finished(service, several(send(service)))
    file = service.settings.root / "out" / "planes.csv"
    file.rename(tmp_path / "outside.csv")
    file.symlink_to(tmp_path / "outside.csv")
    with pytest.raises(Expired):
        service.download(job.id, ME)


# ------------------------------------------------------------------ the end of a folder


def test_delete_takes_the_files_of_the_job_and_no_others(service: ExportService) -> None:
    root = service.settings.root
    job = finished(service, several(send(service), "kept"))
    service.delete(job.id, ME)
    assert names(root / "kept") == FILES
    job = finished(service, several(send(service), "a/gone"))
    service.delete(job.id, ME, delete_file=True)
    assert names(root / "a") == []
    job = finished(service, several(send(service), "shared"))
    (root / "shared" / "mine.txt").write_text("mine")
    (root / "shared" / "planes.csv").write_text("written by hand since")
    service.delete(job.id, ME, delete_file=True)
    assert names(root / "shared") == ["mine.txt", "planes.csv"]


def test_a_link_in_the_place_of_a_folder_is_left_alone(
    service: ExportService, tmp_path: Path
) -> None:
    job = finished(service, several(send(service)))
    folder = service.settings.root / "out"
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    service.delete(job.id, ME, delete_file=True)
    assert names(tmp_path / "moved") == FILES


def test_a_folder_expires_and_can_be_made_again(service: ExportService, clock: Clock) -> None:
    (service.settings.root / "in.csv").write_text("a\n1\n")
    source = {"type": "file", "path": "in.csv"}
    spec = several("unused", retention={"expires_after": "1h"})
    spec["datasets"] = [{"name": name, "source": source} for name in ("a", "b")]
    job = finished(service, spec)
    assert job.expires_at == clock() + timedelta(hours=1)
    clock.advance(hours=1)
    service._housekeeping.sweep()
    assert service.get(job.id, ME).status == "expired"
    assert not (service.settings.root / "out").exists()
    assert service.wait(service.retry(job.id, ME).id, ME, SECONDS).status == "completed"
    assert names(service.settings.root / "out") == ["a.csv", "b.csv", "manifest.json"]


def test_a_folder_may_be_for_one_download(service: ExportService) -> None:
    spec = several(send(service), retention={"delete_after_download": True})
    job = finished(service, spec)
    download = service.download(job.id, ME)
    assert unzipped(download)
    download.done()
    assert service.get(job.id, ME).status == "expired"
    assert not (service.settings.root / "out").exists()


# ------------------------------------------------------------------ what does not finish


@pytest.mark.parametrize("path", ["a/b/out", "a/b/out.zip", "a/b/out.csv"])
def test_a_failed_job_takes_its_empty_folders_away(service: ExportService, path: str) -> None:
    (service.settings.root / "a").mkdir()
    spec = several(send(service), path)
    for dataset in spec["datasets"]:
        dataset["columns"] = {"include": ["nothing"]}
    job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert job.status == "failed"
    assert names(service.settings.root) == ["a"]
    again = service.wait(service.retry(job.id, ME).id, ME, SECONDS)
    assert again.status == "failed"
    assert names(service.settings.root) == ["a"]


def test_a_folder_that_is_not_empty_any_more_stays(
    service: ExportService, misbehaving: None
) -> None:
    job = service.submit(several(send(service), "new/deep/out", format="slow"), ME)
    eventually(service, lambda: service.get(job.id, ME).progress.rows > 0)
    (service.settings.root / "new" / "mine.txt").write_text("mine")
    service.cancel(job.id, ME)
    assert service.wait(job.id, ME, SECONDS).status == "cancelled"
    assert names(service.settings.root / "new") == ["mine.txt"]


def test_a_job_that_waits_makes_nothing_that_outlives_its_cancel(
    make_service: MakeService, misbehaving: None
) -> None:
    service = make_service(max_workers=1)
    upload = send(service)
    first = service.submit(several(upload, "first", format="slow"), ME)
    second = service.submit(several(upload, "new/second", format="slow"), ME)
    service.cancel(second.id, ME)
    assert not (service.settings.root / "new").exists()
    service.cancel(first.id, ME)
    service.wait(first.id, ME, SECONDS)
    assert names(service.settings.root) == []


@pytest.mark.parametrize(
    "refused",
    [
        {"output": {"path": "new/taken.csv/x"}},
        {"format": {"type": "csv", "delimeter": ";"}},
        {"datasets": [{"source": {"type": "upload", "id": "nothing"}}]},
    ],
)
def test_a_refused_spec_makes_no_folder(service: ExportService, refused: dict[str, Any]) -> None:
    spec = several(send(service), "new/deep/out") | refused
    if "output" in refused:
        (service.settings.root / "new").mkdir()
        (service.settings.root / "new" / "taken.csv").touch()
    with pytest.raises(ExportError):
        service.submit(spec, ME)
    assert "deep" not in "".join(names(service.settings.root))


def test_a_replacement_that_was_cut_off_is_undone(service: ExportService) -> None:
    job = finished(service, several(send(service)))
    target = Path(job.target)
    old = target.with_name(f"{part_of(target, job.id).name}.old")
    target.rename(old)
    clean(job, service.settings)
    assert names(target) == FILES
    old.mkdir()
    (old / "flights.csv").write_text("of the version before")
    clean(job, service.settings)
    assert not old.exists()
    assert names(target) == FILES
