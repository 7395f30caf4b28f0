"""What the fault suite exports, and how it is read back: by other libraries than wrote it."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

BIG = 500_000
"""Rows: what takes a worker about a second."""
SMALL = 50_000


@functools.cache
def made(rows: int, seed: int) -> pa.Table:
    """Return a table of a number, a text and a price, different for each seed."""
    chance = np.random.default_rng(seed)
    numbers = pa.array(chance.permutation(rows), pa.int64())
    scattered = pa.array(chance.integers(0, 100_003, rows)).cast(pa.string())
    return pa.table(
        {
            "n": numbers,
            "word": pc.binary_join_element_wise("word", scattered, str(seed), " "),
            "price": pa.array(chance.integers(0, 10**7, rows) / 100),
        }
    )


@dataclass(frozen=True)
class Sources:
    """What there is to export: tables, and under which names the server has them."""

    big: pa.Table
    small: pa.Table
    big_upload: str
    small_upload: str
    file: str
    """A Parquet file of ``big`` below the root."""


@dataclass(frozen=True)
class Kind:
    """One way to ask for an export, and what its file must hold."""

    name: str
    spec: Callable[[Sources], dict[str, Any]]
    holds: Callable[[Sources], Mapping[str, pa.Table]]
    """The tables, by the name of the file inside a folder or zip ("" for a single file)."""
    ending: str | None
    """Of the path; None: a temporary file."""
    if_exists: str = "error"
    before: bytes | None = None
    """What stands at the path before it is asked for."""


def _upload(which: str) -> Callable[[Sources], dict[str, Any]]:
    return lambda s: {"source": {"type": "upload", "id": getattr(s, f"{which}_upload")}}


def _two(s: Sources) -> dict[str, Any]:
    return {
        "datasets": [
            {"name": "big", "source": {"type": "upload", "id": s.big_upload}},
            {"name": "small", "source": {"type": "upload", "id": s.small_upload}},
        ],
        "format": "csv",
    }


def _sorted(s: Sources) -> dict[str, Any]:
    return {
        **_upload("big")(s),
        "format": "parquet",
        "sort": [{"column": "word"}, {"column": "n"}],
    }


def _one(which: str) -> Callable[[Sources], Mapping[str, pa.Table]]:
    return lambda s: {"": getattr(s, which)}


def _both(s: Sources) -> Mapping[str, pa.Table]:
    return {"big.csv": s.big, "small.csv": s.small}


OLD_FOLDER = b"a folder of an earlier export"
KINDS = (
    Kind("csv", _upload("big"), _one("big"), ".csv"),
    Kind(
        "sorted",
        _sorted,
        lambda s: {"": s.big.sort_by([("word", "ascending"), ("n", "ascending")])},
        ".parquet",
    ),
    Kind("temporary", lambda s: _upload("big")(s) | {"format": "parquet"}, _one("big"), None),
    Kind("excel", _upload("small"), _one("small"), ".xlsx"),
    Kind("folder", _two, _both, ""),
    Kind("zip", _two, _both, ".zip"),
    Kind("file", lambda s: {"source": {"type": "file", "path": s.file}}, _one("big"), ".csv.gz"),
    Kind("replaced", _upload("big"), _one("big"), ".csv", "replace", b"what was there before"),
    Kind("renamed", _upload("small"), _one("small"), ".csv", "rename", b"what was there before"),
)


def database_kind(rows: pa.Table, source: Mapping[str, str]) -> Kind:
    """Return an export from the connection “warehouse”, in the order of ``n``."""
    return Kind(
        "database",
        lambda s: {"source": {**source, "connection": "warehouse"}, "sort": [{"column": "n"}]},
        lambda s: {"": rows.sort_by("n")},
        ".parquet",
    )


def check_holds(path: Path, tables: Mapping[str, pa.Table]) -> None:
    """Fail unless what is at ``path`` reads as exactly these tables."""
    if "" in tables:
        _same(read(path.name, path.open("rb")), tables[""], str(path))
        return
    if path.is_dir():
        inside = {
            each.relative_to(path).as_posix(): each.read_bytes()
            for each in path.rglob("*")
            if each.is_file()
        }
    else:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            inside = {name: archive.read(name) for name in archive.namelist()}
    assert set(inside) == {*tables, "manifest.json"}, sorted(inside)
    for name, table in tables.items():
        _same(read(name, io.BytesIO(inside[name])), table, f"{path}/{name}")


def read(name: str, file: IO[bytes]) -> pa.Table:
    with file:
        if name.endswith(".parquet"):
            return pq.read_table(file)
        if name.endswith(".xlsx"):
            return _workbook(file)
        stream = pa.CompressedInputStream(file, "gzip") if name.endswith(".gz") else file
        return pa.csv.read_csv(
            stream,
            convert_options=pa.csv.ConvertOptions(
                column_types={"n": pa.int64(), "word": pa.string(), "price": pa.float64()}
            ),
        )


def _workbook(file: IO[bytes]) -> pa.Table:
    # pages of the file that are read later would need it open
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(file.read())).get_sheet_by_index(0)
    head, *rows = sheet.to_python()
    columns = list(zip(*rows, strict=True))
    table = pa.table({str(name): list(column) for name, column in zip(head, columns, strict=True)})
    return table.set_column(0, "n", table["n"].cast(pa.int64()))


def _same(found: pa.Table, wanted: pa.Table, where: str) -> None:
    assert found.num_rows == wanted.num_rows, where
    assert found.column_names == wanted.column_names, where
    plain = found.cast(wanted.schema).combine_chunks()
    for name in wanted.column_names:
        assert plain[name].equals(wanted[name]), f"the column {name} of {where} differs"
