"""Exports from a PostgreSQL through the whole pipeline, into every kind of file."""

from __future__ import annotations

import csv
import datetime as dt
import json
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from jupyter_export import pipeline
from jupyter_export.errors import LossRefused
from jupyter_export.sources.postgres.database import PostgresDatabase
from jupyter_export.spec import parse

from .conftest import Bench
from .postgres import make_database, sessions_left

COLUMNS = {
    "id": "1",
    "price": "12.50::numeric(10, 2)",
    "total": "1e20::numeric + 0.5",
    "gain": "'-1.5'::money",
    "took": "'1 day 02:00:00.5'::interval",
    "lasts": "'1 year 2 mons'::interval",
    "at": "'2020-01-01 12:00+02'::timestamptz",
    "until": "'infinity'::timestamptz",
    "from_ip": "'10.0.0.1'::inet",
    "tags": "'{a,b}'::text[]",
    "matrix": "'{{1,2},{3,4}}'::int[]",
    "doc": """'{"a": 1}'::jsonb""",
    "uid": "'00000000-0000-0000-0000-000000000001'::uuid",
    "span": "'[1,2)'::int4range",
}
REPORTED = {"lasts", "until", "from_ip", "span"}


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    shown = ", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())
    return make_database(
        postgres_url,
        "exporting",
        f"CREATE TABLE things AS SELECT {shown}",
        "CREATE TABLE many AS SELECT i AS id, 'row ' || i AS name FROM generate_series(1, 5000) i",
    )


def export(bench: Bench, url: str, target: str, **document: object) -> set[str]:
    """Export the table of one row; return the columns that are reported to be text."""
    source = {"type": "table", "connection": "db", "table": "things"}
    result = bench.run({"source": source, **document}, target, connections={"db": url})
    assert result.rows == 1
    assert sessions_left(url) == 0
    return {each["column"] for each in result.losses if each["kind"] == "database_type"}


def test_to_csv(bench: Bench, url: str) -> None:
    assert export(bench, url, "out.csv") == REPORTED
    with (bench.root / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "id": "1",
        "price": "12.50",
        "total": "100000000000000000000.5",
        "gain": "-1.50",
        "took": "PT93600.5S",
        "lasts": "1 year 2 mons",
        "at": "2020-01-01 10:00:00Z",
        "until": "infinity",
        "from_ip": "10.0.0.1",
        "tags": '["a","b"]',
        "matrix": "[[1,2],[3,4]]",
        "doc": '{"a": 1}',
        "uid": "00000000-0000-0000-0000-000000000001",
        "span": "[1,2)",
    }


def test_to_parquet(bench: Bench, url: str) -> None:
    assert export(bench, url, "out.parquet") == REPORTED
    (row,) = pq.read_table(bench.root / "out.parquet").to_pylist()
    assert row["took"] == dt.timedelta(days=1, seconds=7200.5)
    assert row["gain"] == Decimal("-1.50")
    assert row["lasts"] == "1 year 2 mons"
    assert row["matrix"] == [[1, 2], [3, 4]]


def test_to_excel(bench: Bench, url: str) -> None:
    assert export(bench, url, "out.xlsx") == REPORTED
    sheet = openpyxl.load_workbook(bench.root / "out.xlsx").active
    assert sheet is not None
    names, values = sheet.iter_rows(values_only=True)
    row = dict(zip(names, values, strict=True))
    assert row["took"] == dt.timedelta(days=1, seconds=7200.5)
    assert (row["gain"], row["lasts"], row["from_ip"]) == (-1.5, "1 year 2 mons", "10.0.0.1")


@pytest.mark.parametrize("target", ["out.jsonl", "out.json", "out.html", "out.md", "out.pdf"])
def test_to_everything_else(bench: Bench, url: str, target: str) -> None:
    assert export(bench, url, target) == REPORTED
    if target.endswith(".jsonl"):
        row = json.loads((bench.root / target).read_text(encoding="utf-8"))
        assert (row["matrix"], row["until"]) == ([[1, 2], [3, 4]], "infinity")


def test_on_loss_refuses_a_type_before_a_row_is_read(bench: Bench, url: str) -> None:
    with pytest.raises(LossRefused, match=r"PostgreSQL's \w+ is written as text"):
        export(bench, url, "out.parquet", on_loss="error")
    assert bench.left() == []


def test_a_preview_asks_for_the_first_rows_only(
    bench: Bench, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    stream = PostgresDatabase.stream

    def noted(self: PostgresDatabase, statement: Any) -> Any:
        asked.append(str(statement))
        return stream(self, statement)

    monkeypatch.setattr(PostgresDatabase, "stream", noted)
    source = {"type": "table", "connection": "db", "table": "many"}
    for steps in ({}, {"sort": [{"column": "name"}]}, {"group_by": ["name"]}):
        here = bench.surroundings(connections={"db": url})
        assert len(pipeline.preview(parse({"source": source, **steps}), here).datasets) == 1
        assert " LIMIT " in asked.pop()


def test_a_sample_is_the_same_again(bench: Bench, url: str) -> None:
    """Rows are drawn by their places, and parallel workers give them in another order each time."""
    text = "SELECT current_setting('max_parallel_workers_per_gather') AS workers FROM many"
    options = {"options": "-c max_parallel_workers_per_gather=2"}
    connections = {"db": {"url": url, "options": options}}

    def workers(**steps: object) -> set[str]:
        source = {"type": "sql", "connection": "db", "query": text}
        document = {"source": source, "output": {"if_exists": "replace"}, **steps}
        bench.run(document, "out.csv", connections=connections)
        return set((bench.root / "out.csv").read_text().split()[1:])

    assert workers() == {"2"}
    assert workers(sample={"rows": 5}) == {"0"}
    assert workers(sample={"percent": 10}) == {"0"}


def test_several_datasets_of_one_database(bench: Bench, url: str) -> None:
    query = "SELECT txid_current_snapshot()::text AS moment"
    source = {"type": "sql", "connection": "db", "query": query}
    datasets = [{"name": name, "source": source} for name in "abc"]
    bench.run({"datasets": datasets}, "out.json", connections={"db": url})
    text = (bench.root / "out.json").read_text(encoding="utf-8")
    found = json.loads(text)
    moments = {value for name in "abc" for row in found[name] for value in row.values()}
    assert len(moments) == 1
