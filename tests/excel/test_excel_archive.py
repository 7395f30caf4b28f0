"""The zip around a workbook, and the count of what is in it."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from isal import isal_zlib

from jupyter_export.errors import SourceFailed
from jupyter_export.formats.excel import ExcelFormat, ExcelOptions
from jupyter_export.formats.excel.archive import Archive, Piece, Spool, deflated

from .writing import write


def count(path: Path) -> int:
    return ExcelFormat().counter(ExcelOptions()).finish(path)


def test_pieces_spools_and_sections_make_one_member(tmp_path: Path) -> None:
    archive = Archive()
    with Spool(tmp_path) as spool:
        spool.write(b"one ")
        first = spool.section()
        spool.write(b"two " * 1_000_000)
        second = spool.section()
        out = archive.add("small", b"small" * 100)
        out += b"".join(archive.add_spool("parts", first, deflated(b"between "), second))
        out += b"".join(archive.add_spool("whole", spool))
    out += b"".join(archive.add_stream("größer", [b"a", b"b"], tmp_path)) + archive.close()
    found = zipfile.ZipFile(io.BytesIO(out))
    assert found.testzip() is None
    assert found.read("parts") == b"one between " + b"two " * 1_000_000
    assert found.read("whole") == b"one " + b"two " * 1_000_000
    assert found.read("größer") == b"ab"
    assert all(info.flag_bits in (0, 0x800) for info in found.infolist()), "no data descriptors"
    assert list(tmp_path.iterdir()) == []


def test_members_are_copied_as_they_are(tmp_path: Path) -> None:
    archive = Archive()
    out = archive.add("a", b"a" * 10_000) + archive.add("b", b"") + archive.close()
    with zipfile.ZipFile(io.BytesIO(out)) as source:
        other = Archive()
        copied = b"".join(b"".join(other.copy(source, name)) for name in source.namelist())
    assert copied + other.close() == out


def test_zip64_stands_where_it_must_and_nowhere_else() -> None:
    piece = Piece(b"\x00\x00\x00\xff\xff", 0, 2**32 + 5)
    archive = Archive()
    head = next(iter(archive.add_spool("large", piece)))
    assert struct.unpack_from("<H", head, 4) == (45,)
    assert struct.unpack_from("<2L", head, 18) == (0xFFFFFFFF, 0xFFFFFFFF)
    assert struct.unpack_from("<2H2Q", head, 35) == (1, 16, 2**32 + 5, 7)
    end = archive.close()
    assert struct.unpack_from("<2H", end, 4) == (45, 45)
    assert b"PK\x06\x06" not in end, "the directory itself is small"
    plain = Archive().add("small", b"x")
    assert struct.unpack_from("<H", plain, 4) == (20,)
    assert struct.unpack_from("<H", plain, 28) == (0,)


def test_a_directory_beyond_4_gib_is_zip64() -> None:
    archive = Archive()
    archive._offset = 2**32 + 100
    member = archive.add("late", b"x")
    end = archive.close()
    at = end.index(b"PK\x06\x06")
    assert struct.unpack_from("<Q", end, at + 48) == (2**32 + 100 + len(member),)
    assert b"PK\x06\x07" in end
    assert end[-22:-18] == b"PK\x05\x06"


def test_rows_are_counted_in_the_file_alone(tmp_path: Path) -> None:
    table = pa.table({"row": ["<row>", "</row><row>", "a"] * 50_000, "n": list(range(150_000))})
    path, _ = write(tmp_path, table, batch_rows=4_096)
    assert count(path) == 150_000


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_a_tag_may_be_cut_between_pieces(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = write(tmp_path, pa.table({"x": ["ww<row>w"] * 50}))
    monkeypatch.setattr("jupyter_export.formats.excel.counter._PACKED", size)
    monkeypatch.setattr("jupyter_export.formats.excel.counter._PLAIN", size)
    assert count(path) == 50


def test_a_damaged_workbook_is_not_counted(tmp_path: Path) -> None:
    path, _ = write(tmp_path, pa.table({"x": [f"text {i * 7919}" for i in range(1000)]}))
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
    middle = info.header_offset + info.compress_size // 2
    path.write_bytes(whole[:middle] + b"\x5a\xa5" * 8 + whole[middle + 16 :])
    with pytest.raises(SourceFailed, match="not a whole workbook"):
        count(path)
    path.write_bytes(whole[:-30])
    with pytest.raises(SourceFailed, match="not a whole workbook"):
        count(path)


def test_any_inflater_reads_the_pieces(tmp_path: Path) -> None:
    path, _ = write(tmp_path, pa.table({"x": list(range(300))}), batch_rows=11)
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml")
        info = archive.getinfo("xl/worksheets/sheet1.xml")
    assert xml.count(b"<row>") == 300
    assert isal_zlib.crc32(xml) == info.CRC
