"""Keys that databases compare in their own way: collations, enums, texts of fixed width."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from .conftest import Bench


def test_collations_do_not_decide(bench: Bench) -> None:
    database = sqlite3.connect(bench.root / "nocase.db")
    database.executescript(
        "CREATE TABLE a (k TEXT COLLATE NOCASE); INSERT INTO a VALUES ('x'), ('Y');"
        "CREATE TABLE b (k TEXT COLLATE NOCASE); INSERT INTO b VALUES ('X'), ('Y'), ('x');"
    )
    database.close()
    url = f"sqlite:///{bench.root / 'nocase.db'}"
    for limit in (None, 10):
        spec: dict[str, Any] = {
            "datasets": [
                {"name": n, "source": {"type": "table", "connection": "p", "table": n}}
                for n in "ab"
            ],
            "relations": [{"name": "ab", "from": "a.k", "to": "b.k", "follow": True}],
            "output": {"if_exists": "replace"},
        }
        spec["datasets"][0]["limit"] = limit
        bench.run(spec, "out.jsonl", connections={"p": url})
        lines = (bench.root / "out.jsonl").read_text().splitlines()
        assert [row["k"] for row in map(json.loads, lines) if row["type"] == "b"] == ["Y", "x"]


def test_a_type_that_is_learned_late(bench: Bench) -> None:
    """SQLite's values need not be what a column declares: the run begins again, leaders too."""
    database = sqlite3.connect(bench.root / "late.db")
    database.execute("CREATE TABLE children (k INTEGER, at TIMESTAMP)")
    database.execute("CREATE TABLE parents (k INTEGER)")
    moments = ((i, "2026-01-01 00:00:00" if i < 90_000 else "late") for i in range(90_001))
    database.executemany("INSERT INTO children VALUES (?, ?)", moments)
    database.executemany("INSERT INTO parents VALUES (?)", ((i,) for i in range(0, 200_000, 2)))
    database.commit()
    database.close()
    spec: dict[str, Any] = {
        "datasets": [
            {"name": n, "source": {"type": "table", "connection": "p", "table": n}}
            for n in ("parents", "children")
        ],
        "relations": [{"name": "of", "from": "children.k", "to": "parents.k", "follow": True}],
        "output": {"if_exists": "replace"},
    }
    for limit in (None, 90_001):
        spec["datasets"][1]["limit"] = limit
        url = f"sqlite:///{bench.root / 'late.db'}"
        result = bench.run(spec, "out.jsonl", connections={"p": url})
        assert result.rows == 90_001 + 45_001
        assert not list(bench.scratch.rglob("*"))


_UUID = "0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def test_types_of_postgres(bench: Bench, postgres_url: str) -> None:
    """A uuid, an enum, a text of fixed width, citext's kin and a domain as keys."""
    engine = sa.create_engine(postgres_url)
    nulls = "NULL, NULL, NULL, NULL"
    with engine.begin() as connection:
        for statement in (
            "CREATE TYPE following_mood AS ENUM ('glad', 'sad')",
            "CREATE DOMAIN following_code AS varchar(8)",
            "CREATE TABLE following_a (u uuid, m following_mood, c char(4), d following_code)",
            "CREATE TABLE following_b (LIKE following_a)",
            f"INSERT INTO following_a VALUES ('a{_UUID}', 'glad', 'ab', 'x'), ({nulls})",
            "INSERT INTO following_b TABLE following_a",
            f"INSERT INTO following_b VALUES ('b{_UUID}', 'sad', 'cd', 'y')",
        ):
            connection.execute(sa.text(statement))
    # written in another way, or no value of the type at all
    words = pa.table({"u": [f"A{_UUID}", "glad"], "m": ["?", "sad"]})
    upload = {"type": "upload", "id": bench.freeze(words)}
    tables = {
        n: {"type": "table", "connection": "p", "table": f"following_{n}"} for n in ("a", "b")
    }
    try:
        for leader, column, expected in (
            *((tables["a"], column, 1) for column in "umcd"),
            (upload, "u", 0),
            (upload, "m", 1),
        ):
            for limit in (None, 10):
                spec = {
                    "datasets": [
                        {"name": "a", "source": leader, "limit": limit},
                        {"name": "b", "source": tables["b"]},
                    ],
                    "relations": [
                        {"name": "ab", "from": f"a.{column}", "to": f"b.{column}", "follow": True}
                    ],
                    "output": {"if_exists": "replace"},
                }
                bench.run(spec, "out.jsonl", connections={"p": postgres_url})
                lines = (bench.root / "out.jsonl").read_text().splitlines()
                assert sum('"type":"b"' in line for line in lines) == expected, (column, limit)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE following_a, following_b"))
            connection.execute(sa.text("DROP DOMAIN following_code"))
            connection.execute(sa.text("DROP TYPE following_mood"))
        engine.dispose()
