"""``read(export(t)) == t`` wherever no loss is told, for the lines that JSON shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export.errors import InvalidSpec

from .json_files import File, temporary, write
from .tables import SAMPLES, batches, sample

SHAPES: list[dict[str, Any]] = [
    {},
    {"structure": "split"},
    {"structure": "columns"},
    {"structure": "normalized"},
    {"metadata": True},
    {"metadata": True, "structure": "columns", "pretty": True},
    {"pretty": True},
    {"kind": "jsonl"},
    {"kind": "jsonl", "metadata": True},
]
VALUES: list[dict[str, Any]] = [
    {},
    {"nulls": "exclude"},
    {"nulls": "empty"},
    {"date_format": "unix"},
    {"date_format": "unix_ms"},
    {"date_format": "%d.%m.%Y %H:%M:%S.%f%z"},
    {"date_format": "%Y-%m-%d %H:%M:%S.%f"},
    {"date_format": "%Y-%j"},
    {"date_format": "%A"},
    {"arrays": "stringify"},
    {"large_integers": "string", "decimals": "string", "nan": "string"},
]
PLACELESS = ("split", "columns")


def read_table(file: File) -> pa.Table:
    """Return what the reader's lines made, before it became a frame."""
    *lines, last = file.reader.splitlines()
    assert last == "df = rows.to_pandas()"
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    table: pa.Table = names["rows"]
    # a frame cannot hold every nanosecond, whatever the file that it comes from
    if not any("time64[ns]" in str(kind) for kind in table.schema.types):
        assert list(table.to_pandas().columns) == table.column_names
    return table


def plain(table: pa.Table) -> list[list[str]]:
    """Values that compare by what they are: NaN by its text, nanoseconds by their count."""
    columns = [
        c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns
    ]
    return [[repr(value) for value in column] for column in columns]


def check(table: pa.Table, file: File) -> None:
    """Every column without a loss comes back as it was, its type included."""
    read = read_table(file)
    assert read.num_rows == table.num_rows
    assert read.column_names == table.column_names
    lost = {column.split(".")[0] if "." in column else column for _, _, column, _ in file.lost}
    lost |= {column for _, _, column, _ in file.lost}
    for name, before, after in zip(table.column_names, plain(table), plain(read), strict=True):
        if name not in lost and not any(x.startswith(f"{name}.") for x in lost):
            assert read.schema.field(name).type == table.schema.field(name).type
            assert after == before


@pytest.mark.parametrize("values", VALUES, ids=str)
@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "sparse_union"])
@pytest.mark.parametrize("rows", [0, 3])
def test_every_type(tmp_path: Path, name: str, values: dict[str, Any], rows: int) -> None:
    table = sample(name).slice(0, rows)
    file = write(tmp_path, {"t": table}, **values)
    check(table, file)
    assert all(column == "x" or column.startswith("x.") for _, _, column, _ in file.lost)
    assert all(count is not None and count <= rows * 4 for *_, count in file.lost)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rows", [0, 3])
def test_every_type_in_every_structure(tmp_path: Path, shape: dict[str, Any], rows: int) -> None:
    columns = {name: make() for name, make in SAMPLES.items() if name != "sparse_union"}
    table = pa.table(columns).slice(0, rows)
    check(table, write(tmp_path, {"t": table}, **shape))


CHANGED = {
    *("decimal256", "binary", "large_binary", "binary_view", "fixed_size_binary", "uuid"),
    *("interval", "list_view", "empty_struct", "run_end_encoded", "json_text", "bool8"),
    "sparse_union",
}
"""What the file cannot say, whatever the values: all other types come back as they were."""


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in CHANGED])
def test_what_json_keeps(tmp_path: Path, name: str) -> None:
    table = sample(name)
    if name in ("int64", "uint64"):
        file = write(tmp_path, {"t": table}, large_integers="string")
    else:
        file = write(tmp_path, {"t": table})
    assert file.lost == []
    assert read_table(file).schema.equals(table.schema)
    assert plain(read_table(file)) == plain(table)


def test_a_union_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="“x”"):
        write(tmp_path, {"t": sample("sparse_union")})


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(batches(), st.sampled_from(SHAPES), st.sampled_from(VALUES))
def test_any_table(drawn: Any, shape: dict[str, Any], values: dict[str, Any]) -> None:
    if shape.get("structure") in PLACELESS and values.get("nulls") == "exclude":
        return
    if "type" in drawn[0].names and shape.get("kind") == "jsonl":
        return
    table = pa.Table.from_batches(drawn[1], drawn[0])
    with temporary() as folder:
        check(table, write(Path(folder), {"t": table}, **shape, **values))


NAMES = ["A", "a", "", "a.b", '"', "'", "\\", "~/", "ü", "$", "*", "[0]", "\x00", "a\nb", "null"]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_names(tmp_path: Path, shape: dict[str, Any]) -> None:
    table = pa.table({name: [index, None] for index, name in enumerate(NAMES)})
    check(table, write(tmp_path, {"t": table}, **shape))
    for name in NAMES:
        check(table.select([name]), write(tmp_path, {"t": table.select([name])}, **shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_several_datasets(tmp_path: Path, shape: dict[str, Any]) -> None:
    tables = {
        "a": pa.table({"x": [1, None, 3], "y": ["u", "v", None]}),
        'of "b"': pa.table({"x": ["1", None], "z": pa.array([1, 2], pa.timestamp("s", "UTC"))}),
        "none": pa.table({"x": pa.array([], pa.date32())}),
    }
    frames = write(tmp_path, tables, **shape).read()["frames"]
    assert list(frames) == list(tables)
    for name, table in tables.items():
        assert frames[name].equals(table.to_pandas())
        assert list(frames[name].dtypes) == list(table.to_pandas().dtypes)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "brotli"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_packed_files(tmp_path: Path, shape: dict[str, Any], compression: str) -> None:
    from .json_files import FORMATS, registry_check

    options = {key: value for key, value in shape.items() if key != "kind"}
    chosen = FORMATS[shape.get("kind", "json")]
    tables = {"a": pa.table({"x": [1, None, 3]}), "b": pa.table({"y": ["u", "v"]})}
    for given_tables in (tables, {"a": tables["a"]}):
        file = write(tmp_path, given_tables, **shape)
        packed = tmp_path / "packed"
        with pa.output_stream(packed, compression=compression) as out:
            out.write(file.data)
        schemas = {name: table.schema for name, table in given_tables.items()}
        checked = registry_check(chosen, options)
        names: dict[str, Any] = {}
        exec(chosen.reader_of(schemas, str(packed), checked, compression), names)
        found = names["frames"] if len(given_tables) > 1 else {"a": names["df"]}
        for name, table in given_tables.items():
            assert found[name].equals(table.to_pandas())
