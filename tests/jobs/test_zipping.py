"""A zip that is made while it is sent."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from jupyter_export.errors import Expired
from jupyter_export.jobs.zipping import PIECE_BYTES, Packed, zipped


def packed(path: Path, data: bytes) -> Packed:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Packed(path, path.name, len(data), hashlib.sha256(data).hexdigest())


def test_it_holds_the_files_and_is_the_same_each_time(tmp_path: Path) -> None:
    noise = os.urandom(5 * PIECE_BYTES // 2)
    files = [
        packed(tmp_path / "empty.csv", b""),
        packed(tmp_path / "text.csv", b"a,b\n1,2\n" * 300_000),
        packed(tmp_path / "noise.parquet", noise),
        packed(tmp_path / "Größe 日本.csv.gz", b"\x1f\x8b"),
    ]
    pieces = list(zipped(files))
    assert max(map(len, pieces)) < 3 * PIECE_BYTES
    assert b"".join(zipped(files)) == b"".join(pieces)
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert {f.name: archive.read(f.name) for f in files} == {
            f.name: f.path.read_bytes() for f in files
        }
        kinds = {info.filename: info.compress_type for info in archive.infolist()}
        assert kinds["text.csv"] == zipfile.ZIP_DEFLATED
        assert kinds["noise.parquet"] == kinds["Größe 日本.csv.gz"] == zipfile.ZIP_STORED
        assert archive.getinfo("text.csv").compress_size < 100_000


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Every piece is made when it is asked for: a zip of any size holds a few of them."""
    big = packed(tmp_path / "big.parquet", os.urandom(8 * PIECE_BYTES))
    pieces = zipped([big])
    assert len(next(pieces)) < 2 * PIECE_BYTES
    big.path.write_bytes(b"cut off")
    with pytest.raises(Expired, match="was changed"):
        list(pieces)


@pytest.mark.parametrize("how", ["shorter", "longer", "other", "gone", "folder"])
def test_a_file_that_is_another_by_now_breaks_it(tmp_path: Path, how: str) -> None:
    data = b"x" * 1000
    file = packed(tmp_path / "a.csv", data)
    file.path.unlink()
    if how == "folder":
        file.path.mkdir()
    elif how != "gone":
        changed = {"shorter": data[1:], "longer": data + b"x", "other": b"y" + data[1:]}
        file.path.write_bytes(changed[how])
    with pytest.raises(Expired, match=r"a\.csv"):
        list(zipped([file]))


def test_a_zip_of_nothing_is_a_zip() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped([])))) as archive:
        assert archive.namelist() == []
