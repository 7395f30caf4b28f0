"""Folders as one table: hive-style and plain, their order, their types, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jupyter_export.errors import Cancelled, Forbidden, InvalidSpec, NotFound, SourceFailed

from .conftest import Bench, read, write


def put(bench: Bench, name: str, **columns: object) -> None:
    path = bench.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_hive_folders(bench: Bench) -> None:
    for year in (2023, 2024):
        for month in ("01", "02", "10"):
            put(bench, f"d/year={year}/month={month}/x.parquet", a=[year * 100 + int(month)])
    for name in ("_SUCCESS", "_metadata", ".x.crc", ".hidden/y.parquet", "manifest.json"):
        write(bench.root, f"d/{name}", "no rows")
    table = read(bench, "d")
    assert table.schema == pa.schema(
        [("a", pa.int64()), ("year", pa.int64()), ("month", pa.string())]
    )
    assert table["a"].to_pylist() == [202301, 202302, 202310, 202401, 202402, 202410]
    assert table["month"].to_pylist() == ["01", "02", "10"] * 2
    assert read(bench, "d/year=2024").column_names == ["a", "month"]
    assert read(bench, "d/year=2024/month=10/x.parquet").column_names == ["a"]


def test_values_in_names_of_folders(bench: Bench) -> None:
    for at, name in enumerate(
        ("k=%2Fa%20b%3D", "k=", "k=__HIVE_DEFAULT_PARTITION__", "k%20k=%C3%A9/k=x")
    ):
        put(bench, f"d/{name}/x.parquet", n=[at])
    rows = {row["n"]: row for row in read(bench, "d").to_pylist()}
    assert [rows[at]["k"] for at in range(4)] == ["/a b=", "", None, "x"]
    assert [rows[at]["k k"] for at in range(4)] == [None, None, None, "é"]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "-20"], [1, -20]),
        (["1", "01"], ["1", "01"]),
        (["true", "false"], [True, False]),
        (["2024-01-31", "1999-12-31"], [dt.date(2024, 1, 31), dt.date(1999, 12, 31)]),
        (["2024-01-31 10%3A00%3A00"], [dt.datetime(2024, 1, 31, 10)]),  # noqa: DTZ001
        (["10%3A00%3A00.250000"], [dt.time(10, 0, 0, 250_000)]),
        (["1.50", "2.25"], [Decimal("1.50"), Decimal("2.25")]),
        (["1.5", "2.25"], ["1.5", "2.25"]),
        (["9223372036854775808"], [2**63]),
    ],
)
def test_types_of_folders(bench: Bench, texts: list[str], values: list[object]) -> None:
    for at, text in enumerate(texts):
        put(bench, f"d/k={text}/{at}.parquet", n=[at])
    rows = {row["n"]: row["k"] for row in read(bench, "d").to_pylist()}
    assert [rows[at] for at in range(len(texts))] == values


def test_types_are_widened_without_loss(bench: Bench) -> None:
    put(bench, "d/1.parquet", a=pa.array([1], pa.int16()), t=["x"], d=[Decimal("1.5")], n=[None])
    put(
        bench,
        "d/2.parquet",
        a=pa.array([1.5], pa.float32()),
        t=pa.array(["y"]).dictionary_encode(),
        d=[Decimal("123.25")],
        n=["z"],
        extra=[dt.date(2024, 1, 1)],
    )
    table = read(bench, "d")
    assert table.schema.types == [
        pa.float32(),
        pa.string(),
        pa.decimal128(5, 2),
        pa.string(),
        pa.date32(),
    ]
    assert table["a"].to_pylist() == [1.0, 1.5]
    assert table["d"].to_pylist() == [Decimal("1.50"), Decimal("123.25")]
    assert table["extra"].to_pylist() == [None, dt.date(2024, 1, 1)]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (pa.array([1]), pa.array(["x"])),
        (pa.array([2**53 + 1]), pa.array([1.5])),
        (pa.array([1], pa.uint64()), pa.array([1], pa.int64())),
        (pa.array([True]), pa.array([1])),
        (pa.array([0], pa.timestamp("us", "UTC")), pa.array([0], pa.timestamp("us"))),
    ],
)
def test_types_that_do_not_go_together(bench: Bench, one: pa.Array, two: pa.Array) -> None:
    put(bench, "d/1.parquet", a=one)
    put(bench, "d/2.parquet", a=two)
    with pytest.raises(SourceFailed, match=r"Column “a” is .* in “d/2\.parquet”, and .*“d/1"):
        read(bench, "d")


def test_a_moment_that_the_finer_unit_cannot_hold(bench: Bench) -> None:
    put(bench, "d/1.parquet", a=pa.array([0], pa.timestamp("ns")))
    put(bench, "d/2.parquet", a=pa.array([2**61], pa.timestamp("us")))
    with pytest.raises(SourceFailed, match=r"Column “a” of “d/2\.parquet” .* does not fit"):
        read(bench, "d")


def test_a_column_in_files_and_folders(bench: Bench) -> None:
    put(bench, "d/k=1/x.parquet", k=["one"])
    put(bench, "d/k=2/x.parquet", k=["two"])
    assert read(bench, "d").to_pylist() == [{"k": "one"}, {"k": "two"}]
    put(bench, "d/k=3/x.parquet", n=[3])
    with pytest.raises(SourceFailed, match=r"Column “k” stands in a folder's name.*k=3"):
        read(bench, "d")


def test_a_folder_of_csv_has_one_type_for_a_column(bench: Bench) -> None:
    write(bench.root, "c/p-1.csv", "a,b\n1,x\n")
    write(bench.root, "c/p-2.csv", "b;a\ny;007\n")
    write(bench.root, "c/p-10.csv", "a,c\n1.10,1\n")
    table = read(bench, "c")
    assert table.to_pydict() == {
        "a": ["1", "007", "1.10"],
        "b": ["x", "y", None],
        "c": [None, None, 1],
    }


def test_a_folder_of_json_lines_and_of_arrow(bench: Bench) -> None:
    write(bench.root, "j/k=1/1.jsonl", '{"a":1}\n')
    write(bench.root, "j/k=2/2.jsonl", '{"a":1.5,"b":[1]}\n')
    assert read(bench, "j").to_pydict() == {"a": [1.0, 1.5], "b": [None, [1]], "k": [1, 2]}
    for at in (1, 2):
        write(bench.root, f"i/{at}.arrow", "")
        with pa.ipc.new_file(bench.root / f"i/{at}.arrow", pa.schema([("a", pa.int64())])) as out:
            out.write_batch(pa.record_batch({"a": [at]}))
    assert read(bench, "i")["a"].to_pylist() == [1, 2]


def test_folders_that_are_refused(bench: Bench) -> None:
    (bench.root / "empty/deeper").mkdir(parents=True)
    put(bench, "mixed/a.parquet", a=[1])
    write(bench.root, "mixed/b.csv", "a\n1\n")
    put(bench, "other/a.parquet", a=[1])
    write(bench.root, "other/readme.txt", "hello")
    put(bench, "delta/a.parquet", a=[1])
    write(bench.root, "delta/_delta_log/0.json", "{}")
    write(bench.root, "books/a.xlsx", "")
    put(bench, "several/a.parquet", a=[1])
    write(bench.root, "several/manifest.json", '{"datasets": [{"name": "a"}, {"name": "b"}]}')
    for path, kind, sentence in (
        ("empty", NotFound, "The folder “empty” holds no file with rows"),
        ("mixed", InvalidSpec, "holds files of several kinds"),
        ("other", InvalidSpec, "“other/readme.txt” cannot be read"),
        ("delta", InvalidSpec, "“delta” is a Delta table"),
        ("books", InvalidSpec, "“books” is a folder of workbooks"),
        ("several", InvalidSpec, "holds several datasets: “a”, “b”"),
        ("nothing", NotFound, "There is no file “nothing”"),
    ):
        with pytest.raises(kind) as caught:
            read(bench, path)
        assert sentence in str(caught.value)
        assert caught.value.field == "source.path"


def test_a_damaged_file_in_a_folder_is_named(bench: Bench) -> None:
    put(bench, "d/1.parquet", a=[1])
    write(bench.root, "d/2.parquet", "PAR1 garbage")
    with pytest.raises(SourceFailed, match=r"“d/2\.parquet” cannot be read as parquet"):
        read(bench, "d")


def test_links_that_lead_out(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    pq.write_table(pa.table({"a": [1]}), secret / "x.parquet")
    for name in ("file", "folder", "circle"):
        (bench.root / name).mkdir()
    (bench.root / "file/x.parquet").symlink_to(secret / "x.parquet")
    (bench.root / "folder/x").symlink_to(secret)
    (bench.root / "circle/x").symlink_to(bench.root / "circle")
    (bench.root / "itself").symlink_to(secret)
    for path in ("file", "folder", "itself", "itself/x.parquet", "../secret"):
        with pytest.raises(Forbidden, match="outside the folder that this server serves"):
            read(bench, path)
        assert read(bench, path, confined=False)["a"].to_pylist() == [1]
    with pytest.raises(SourceFailed, match="lead in a circle"):
        read(bench, "circle")


def test_a_cancel_is_heard_between_files(bench: Bench) -> None:
    for at in range(20):
        put(bench, f"d/{at}.parquet", a=[at])
    here = bench.surroundings()
    here.cancelled.set()
    with pytest.raises(Cancelled):
        read(bench, "d", cancelled=here.cancelled)
