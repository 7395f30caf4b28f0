"""Relations that are followed from and into databases: by subquery, by value, and here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export import pipeline, registry
from jupyter_export.errors import InvalidSpec
from jupyter_export.registry import BatchStream, Database, Surroundings
from jupyter_export.spec import parse
from jupyter_export.transform import semijoin

from .conftest import Bench

PARENTS = 6_000
"""More than are given to a database by value."""


@dataclass
class Place:
    """A database with parents (``id``, ``code``, ``kind``, ``heavy``), children (``id``,
    ``parent``, ``code``, ``n``) and toys (``child``), and what it is asked."""

    bench: Bench
    url: str
    dialect: str
    asked: list[tuple[str, int]] = field(default_factory=list)
    """(statement, rows that came)."""

    @property
    def narrows(self) -> bool:
        """False: the order of its tables' rows would be lost."""
        return self.dialect != "duckdb"

    @property
    def by_value(self) -> int:
        """Keys that it is given by value."""
        return {"duckdb": 0, "mysql": 1000}.get(self.dialect, semijoin.FEW)

    def subquery(self, relation: dict[str, Any]) -> bool:
        return self.narrows and (relation is not CODE or self.dialect != "mysql")

    def document(
        self, names: str, relations: list[dict[str, Any]], **steps: dict[str, Any]
    ) -> dict[str, Any]:
        datasets = [
            {
                "name": name,
                "source": {"type": "table", "connection": "place", "table": f"following_{name}"},
                **steps.get(name, {}),
            }
            for name in names.split()
        ]
        return {"datasets": datasets, "relations": relations, "output": {"if_exists": "replace"}}

    def run(self, spec: dict[str, Any]) -> dict[str, list[Any]]:
        """Return the values of each dataset's only column, or its rows."""
        self.asked.clear()
        found: dict[str, list[Any]] = {dataset["name"]: [] for dataset in spec["datasets"]}
        self.bench.run(spec, "out.jsonl", connections={"place": self.url})
        for line in (self.bench.root / "out.jsonl").read_text().splitlines():
            row = json.loads(line)
            name = row.pop("type")
            found[name].append(next(iter(row.values())) if len(row) == 1 else row)
        assert not list(self.bench.scratch.rglob("*"))
        return found

    def preview(self, spec: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.clear()
        here = self.bench.surroundings("out.jsonl", connections={"place": self.url})
        return list(pipeline.preview(parse(spec), here).datasets)

    def statement(self, table: str) -> str:
        """Return the one statement whose rows are of that table."""
        (found,) = [text for text, _ in self.asked if self.rows_of(text) == f"following_{table}"]
        return found

    def came(self, table: str) -> int:
        return sum(n for text, n in self.asked if self.rows_of(text) == f"following_{table}")

    @staticmethod
    def rows_of(statement: str) -> str:
        """Return the first table of a statement: that of its rows, before those of its keys."""
        words = statement.replace('"', " ").split()
        return next((word for word in words if word.startswith("following_")), "a query")


@pytest.fixture(params=["sqlite", "postgresql", "duckdb", "mysql"])
def place(
    request: pytest.FixtureRequest, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    file = bench.root / "place.db"
    run: Callable[[str], object]
    stack = ExitStack()
    if request.param == "sqlite":
        url = f"sqlite:///{file}"
        database = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
        run = database.execute
    elif request.param == "duckdb":
        url = f"duckdb:///{file}"
        run = partial(_in_duckdb, file)
    else:
        server = {"postgresql": "postgres_url", "mysql": "mariadb_url"}[request.param]
        url = request.getfixturevalue(server)
        driver = {"mysql": "mysql+pymysql"}.get(request.param, "postgresql+psycopg")
        mine = sa.make_url(url).set(drivername=driver)
        engine = sa.create_engine(mine, isolation_level="AUTOCOMMIT")
        stack.callback(engine.dispose)
        run = stack.enter_context(engine.connect()).exec_driver_sql
    for statement in _MADE.split(";"):
        run(statement)
    for table, rows in (
        ("parents", [(i, f"'c{i}'", "'even'" if i % 2 == 0 else "'odd'") for i in range(PARENTS)]),
        ("children", [(i, i * 2 % (PARENTS + 10), f"'c{i}'", i) for i in range(7_000)]),
        ("toys", [(i, "NULL" if i % 3 == 0 else i * 100) for i in range(90)]),
    ):
        values = ", ".join(f"({', '.join(map(str, row))})" for row in rows)
        run(f"INSERT INTO following_{table} VALUES {values}")
    found = Place(bench, url, request.param)
    opened = registry.database

    def watched(name: str, here: Surroundings) -> Database:
        database = opened(name, here)
        monkeypatch.setattr(database, "stream", _watching(database.stream, found))
        return database

    monkeypatch.setattr(registry, "database", watched)
    yield found
    for table in ("parents", "children", "toys"):
        run(f"DROP TABLE following_{table}")
    stack.close()


def _in_duckdb(file: Path, statement: str) -> None:
    """Run a statement and let the file go: another connection in this process opens it anew."""
    with duckdb.connect(str(file)) as database:
        database.execute(statement)


_MADE = """
CREATE TABLE following_parents (id INTEGER PRIMARY KEY, code TEXT, kind TEXT);
CREATE TABLE following_children (id BIGINT PRIMARY KEY, parent BIGINT, code TEXT, n INTEGER);
CREATE TABLE following_toys (id INTEGER PRIMARY KEY, child INTEGER)
"""


def _watching(
    stream: Callable[[sa.Select[Any]], BatchStream], place: Place
) -> Callable[[sa.Select[Any]], BatchStream]:
    def watched(statement: sa.Select[Any]) -> BatchStream:
        found = stream(statement)
        index = len(place.asked)
        place.asked.append((str(statement), 0))

        def counted() -> Iterator[pa.RecordBatch]:
            for batch in found.batches:
                text, rows = place.asked[index]
                place.asked[index] = (text, rows + batch.num_rows)
                yield batch

        return BatchStream(**{**found.__dict__, "batches": counted()})

    return watched


OF = {"name": "of", "from": "children.parent", "to": "parents.id"}
CODE = {"name": "code", "from": "children.code", "to": "parents.code"}
TOY = {"name": "toy", "from": "toys.child", "to": "children.id"}
ONLY_ID = {"columns": {"include": ["id"]}}
LESS = {"where": {"column": "n", "op": "<", "value": 5}}


def test_few_keys_are_given_by_value(place: Place) -> None:
    for relation, expected in ((OF, [0, 2, 4, 6, 8]), (CODE, [0, 1, 2, 3, 4])):
        spec = place.document(
            "parents children",
            [{**relation, "follow": True}],
            parents=ONLY_ID,
            children={**ONLY_ID, **LESS, "limit": 5},
        )
        assert place.run(spec) == {"parents": expected, "children": [0, 1, 2, 3, 4]}
        assert place.came("parents") == (5 if place.narrows else PARENTS)
        assert "following_children" not in place.statement("parents")


def test_a_tables_own_condition_is_a_subquery(place: Place) -> None:
    for relation, expected in ((OF, [0, 2, 4, 6, 8]), (CODE, [0, 1, 2, 3, 4])):
        spec = place.document(
            "parents children",
            [{**relation, "follow": True}],
            parents=ONLY_ID,
            children={**ONLY_ID, **LESS},
        )
        assert place.run(spec) == {"parents": expected, "children": [0, 1, 2, 3, 4]}
        assert place.came("parents") == (5 if place.narrows else PARENTS)
        assert ("following_children" in place.statement("parents")) == place.subquery(relation)


def test_a_chain_of_subqueries(place: Place) -> None:
    spec = place.document(
        "parents children toys",
        [{**TOY, "follow": True}, {**OF, "follow": True}],
        parents={**ONLY_ID, "where": {"column": "id", "op": ">", "value": 200}},
        children=ONLY_ID,
        toys={"where": {"column": "id", "op": "<", "value": 6}, **ONLY_ID},
    )
    assert place.run(spec) == {
        "parents": [400, 800, 1000],
        "children": [100, 200, 400, 500],
        "toys": [0, 1, 2, 3, 4, 5],
    }
    if not place.narrows:
        return
    assert sorted(rows for _, rows in place.asked) == [3, 4, 6]
    for table in ("following_toys", "following_children"):
        assert table in place.statement("parents")


def test_two_relations_into_one(place: Place) -> None:
    spec = place.document(
        "parents children",
        [{**OF, "follow": True}, {**CODE, "follow": True}],
        parents=ONLY_ID,
        children={**ONLY_ID, **LESS},
    )
    expected = [0, 1, 2, 3, 4, 6, 8]
    assert sorted(place.run(spec)["parents"]) == expected
    assert place.came("parents") == (len(expected) if place.narrows else PARENTS)
    spec["datasets"][1]["limit"] = 5
    assert sorted(place.run(spec)["parents"]) == expected
    assert place.came("parents") == (len(expected) if place.narrows else PARENTS)


def test_many_keys_are_looked_up_here(place: Place) -> None:
    """No limit is exact twice, and the keys are too many: the follower's rows are looked at."""
    spec = place.document(
        "parents children",
        [{**CODE, "follow": "from"}],
        parents={"limit": PARENTS, **ONLY_ID},
        children={
            **ONLY_ID,
            "where": {"column": "n", "op": ">=", "value": PARENTS - 3},
            "limit": 2,
        },
    )
    assert place.run(spec)["children"] == [PARENTS - 3, PARENTS - 2]
    # what it says itself was left to the database, and so were columns that nobody reads
    assert place.came("children") <= 1003
    assert "parent" not in place.statement("children").replace("following_parents", "")


def test_columns_that_nobody_reads_are_left_there(place: Place) -> None:
    for columns, expected in (
        ({"exclude": ["parent", "code"], "rename": {"n": "number"}}, {"id": 5, "number": 5}),
        ({"include": ["n", "id"], "rename": {"code": "c"}, "order": ["id"]}, {"id": 5, "n": 5}),
        ({"exclude": ["code", "id", "n"]}, 10),
    ):
        spec = place.document(
            "parents children",
            [{**CODE, "follow": "from"}],
            parents={"limit": PARENTS, **ONLY_ID},
            children={"columns": columns, "sort": ["n"], "limit": 6},
        )
        assert place.run(spec)["children"][5] == expected
    spec["datasets"][1]["columns"] = {"exclude": ["cold"]}
    with pytest.raises(InvalidSpec, match="“cold” is not in children"):
        place.run(spec)


def test_a_query_is_read_once(place: Place) -> None:
    spec = place.document("parents", [{**OF, "follow": True}], parents=ONLY_ID)
    query = "SELECT * FROM following_children WHERE n < :most ORDER BY n"
    source = {"type": "sql", "connection": "place", "query": query, "params": {"most": 3}}
    spec["datasets"].append({"name": "children", "source": source, **ONLY_ID})
    assert place.run(spec) == {"parents": [0, 2, 4], "children": [0, 1, 2]}
    assert len(place.asked) == 2
    assert place.came("parents") == (3 if place.narrows else PARENTS)


def test_a_query_follows(place: Place) -> None:
    spec = place.document("parents", [{**CODE, "follow": "from"}], parents={**ONLY_ID, "limit": 3})
    query = "SELECT id, code FROM following_children"
    source = {"type": "sql", "connection": "place", "query": query}
    spec["datasets"].append({"name": "children", "source": source, **ONLY_ID})
    assert place.run(spec) == {"parents": [0, 1, 2], "children": [0, 1, 2]}


@pytest.mark.parametrize("few", [3, 5_500])
def test_frames_lead_databases_and_follow_them(place: Place, few: int) -> None:
    frame = pa.table({"code": [f"c{i}" for i in range(few)]}).append_column(
        "number", pa.array([float(i) for i in range(few - 1)] + [None])
    )
    upload = {"type": "upload", "id": place.bench.freeze(frame)}
    for column, other, count in (("code", "code", few), ("number", "id", few - 1)):
        relation = {"name": "r", "from": f"frame.{column}", "to": f"parents.{other}"}
        spec = place.document("parents", [{**relation, "follow": True}], parents=ONLY_ID)
        spec["datasets"].append({"name": "frame", "source": upload})
        assert place.run(spec)["parents"] == list(range(count))
        assert place.came("parents") == (count if few <= place.by_value else PARENTS)
        spec["relations"][0]["follow"] = "from"
        spec["datasets"][0]["where"] = {"column": "id", "op": "<", "value": 2}
        assert len(place.run(spec)["frame"]) == 2


def test_the_keys_of_another_type_are_no_error(place: Place) -> None:
    """A number that the column cannot hold and a text that the database refuses match nothing."""
    frame = pa.table({"n": [2**40, -(2**63), 7], "t": ["c\0", "c5", "'"]})
    upload = {"type": "upload", "id": place.bench.freeze(frame)}
    for column, other, expected in (("n", "id", [7]), ("t", "code", [5])):
        relation = {"name": "r", "from": f"frame.{column}", "to": f"parents.{other}"}
        spec = place.document("parents", [{**relation, "follow": True}], parents=ONLY_ID)
        spec["datasets"].append({"name": "frame", "source": upload})
        assert place.run(spec)["parents"] == expected


def test_previews(place: Place) -> None:
    spec = place.document(
        "parents children",
        [{**OF, "follow": True}],
        parents=ONLY_ID,
        children={**ONLY_ID, **LESS},
    )
    parents, children = place.preview(spec)
    assert parents["rows"] == [[0], [2], [4], [6], [8]]
    assert parents["total_rows"] == 5
    assert not parents["estimated"]
    assert children["total_rows"] == 5
    # more keys than a database takes by value
    del spec["datasets"][1]["where"]
    spec["relations"] = [{**CODE, "follow": True}]
    parents, children = place.preview(spec)
    assert [row[0] for row in parents["rows"]] == list(range(20))
    assert parents["total_rows"] == (None if place.narrows else PARENTS)
    if place.narrows:
        assert place.came("parents") == place.by_value
    assert len(children["rows"]) == 20
