"""Relations that are followed, over frozen frames: against a join by plain Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export import pipeline
from jupyter_export.errors import Cancelled, InvalidSpec
from jupyter_export.pipeline import following
from jupyter_export.spec import parse

from .conftest import Bench
from .followed import DEST, MAKER, ORIGIN, PLANE, document, exported, some

LATE = {"where": "delay > 60", "columns": {"include": ["delay"]}}
TAIL = {"columns": {"include": ["tailnum"]}}


def test_only_the_planes_of_the_selected_flights(bench: Bench) -> None:
    found = exported(
        bench, some("planes", "flights"), [{**PLANE, "follow": True}], flights=LATE, planes=TAIL
    )
    # the key of the flights is not exported; a null is no plane's number
    assert found == {"planes": ["N1", "N2"], "flights": [70, 90, 100, 61]}


def test_only_the_flights_of_the_selected_planes(bench: Bench) -> None:
    for follow in ("from", "to"):
        found = exported(
            bench,
            some("planes", "flights"),
            [{**PLANE, "follow": follow}],
            planes={"where": "seats < 9", "columns": {"include": ["seats"]}},
            flights={"columns": {"include": ["delay"]}},
        )
        if follow == "from":
            assert found == {"planes": [8, 7, 6, 5], "flights": [70, 2]}
        else:
            assert found == {"planes": [8, 6], "flights": [5, 70, 90, 100, 61, 2]}


def test_a_chain_in_any_order(bench: Bench) -> None:
    relations = [{**PLANE, "follow": True}, {**MAKER, "follow": True}]
    for names in (("makers", "planes", "flights"), ("flights", "planes", "makers")):
        for relation in (relations, relations[::-1]):
            found = exported(
                bench,
                some(*names),
                relation,
                flights=LATE,
                planes=TAIL,
                makers={"columns": {"include": ["name"]}},
            )
            assert list(found) == list(names)
            assert found["planes"] == ["N1", "N2"]
            assert found["makers"] == ["Airbus", "Boeing"]


def test_a_parent_stays_where_any_relation_needs_it(bench: Bench) -> None:
    found = exported(
        bench,
        some("airports", "flights"),
        [{**ORIGIN, "follow": True}, {**DEST, "follow": True}],
        flights={"where": "delay > 60 and delay < 95", "columns": {"include": ["delay"]}},
    )
    assert found["airports"] == ["JFK", "EWR", "LGA", "LAX", "SFO"]


def test_a_child_stays_where_all_its_parents_are_selected(bench: Bench) -> None:
    found = exported(
        bench,
        some("airports", "planes", "flights"),
        [{**ORIGIN, "follow": "from"}, {**PLANE, "follow": "from"}],
        airports={"where": "faa = 'JFK'"},
        planes={**TAIL, "where": "seats > 7"},
        flights={"columns": {"include": ["delay"]}},
    )
    assert found["flights"] == [5, 100]


def test_both_ways_at_once(bench: Bench) -> None:
    """The planes of the selected flights, of those of the selected makers."""
    found = exported(
        bench,
        some("makers", "planes", "flights"),
        [{**PLANE, "follow": "to"}, {**MAKER, "follow": "from"}],
        makers={"where": "name != 'Airbus'", "columns": {"include": ["name"]}},
        planes=TAIL,
        flights={"where": "delay < 80", "columns": {"include": ["delay"]}},
    )
    assert found["planes"] == ["N2"]


def test_the_leaders_own_steps_come_first(bench: Bench) -> None:
    tables = some("planes", "flights")
    follow = [{**PLANE, "follow": True}]

    def planes(**flights: Any) -> Any:
        return exported(bench, tables, follow, planes=TAIL, flights=flights)["planes"]

    assert planes(limit=1) == ["N1"]
    assert planes(limit=0) == []
    assert planes(columns={"exclude": ["tailnum"]}, limit=2) == ["N1", "N2"]
    assert planes(columns={"include": ["delay"], "rename": {"delay": "tailnum"}}) == [
        "N1",
        "N2",
        "N4",
    ]
    assert planes(where="delay > 1000") == []
    assert planes(sort=[{"column": "delay", "descending": True}], limit=2) == ["N1"]
    drawn = planes(sample={"rows": 2, "seed": 3}, columns={"include": ["origin"]})
    assert drawn == planes(sample={"rows": 2, "seed": 3})
    assert len(drawn) <= 2


def test_groups_lead_by_their_keys(bench: Bench) -> None:
    tables = some("planes", "flights")
    follow = [{**PLANE, "follow": True}]
    most = {
        "aggregates": [{"function": "count"}],
        "sort": [{"column": "count", "descending": True}],
        "limit": 1,
    }
    for groups in (
        {"group_by": ["tailnum"], "where": "tailnum is not null", **most},
        {"group_by": [{"column": "tailnum", "as": "plane"}, "origin"], **most},
        {"group_by": ["tailnum"], **most, "columns": {"include": ["count"]}, "where": "delay > 4"},
    ):
        found = exported(bench, tables, follow, planes=TAIL, flights=groups)
        assert found["planes"] == ["N1"]
    each = {"distinct": True, "columns": {"include": ["tailnum"]}}
    assert exported(bench, tables, follow, planes=TAIL, flights=each)["planes"] == [
        "N1",
        "N2",
        "N4",
    ]
    pivot = {"pivot": {"index": ["tailnum"], "on": "origin", "values": "delay", "function": "max"}}
    found = exported(bench, tables, follow, planes=TAIL, flights={**pivot, "where": "delay > 60"})
    assert found["planes"] == ["N1", "N2"]


def test_groups_follow_by_their_rows(bench: Bench) -> None:
    found = exported(
        bench,
        some("planes", "flights"),
        [{**PLANE, "follow": True}],
        planes={"aggregates": [{"function": "sum", "column": "seats"}]},
        flights=LATE,
    )
    assert found["planes"] == [17]


def test_the_followers_own_steps_come_on_top(bench: Bench) -> None:
    tables = some("planes", "flights")
    follow = [{**PLANE, "follow": True}]
    found = exported(bench, tables, follow, planes={**TAIL, "where": "seats < 9"}, flights=LATE)
    assert found["planes"] == ["N2"]
    found = exported(bench, tables, follow, planes={**TAIL, "limit": 1}, flights=LATE)
    assert found["planes"] == ["N1"]


def test_a_relation_may_say_the_exported_name(bench: Bench) -> None:
    tables = some("planes", "flights")
    renamed = {"columns": {"include": ["tailnum"], "rename": {"tailnum": "plane"}}}
    for column in ("plane", "tailnum"):
        relation = {**PLANE, "from": f"flights.{column}", "follow": True}
        found = exported(bench, tables, [relation], planes=TAIL, flights={**LATE, **renamed})
        assert found["planes"] == ["N1", "N2"]
        # what is said in the file is said in the names of the file
        spec = document(bench, tables, [relation], planes=TAIL, flights={**LATE, **renamed})
        spec["format"] = {"type": "json", "structure": "normalized"}
        bench.run(spec, "out.json")
        (said,) = json.loads((bench.root / "out.json").read_text())["relationships"]
        assert said == {"name": "plane", "from": "flights.plane", "to": "planes.tailnum"}


def test_nested_needs_the_keys_in_the_file(bench: Bench) -> None:
    tables = some("planes", "flights")
    for structure in ("normalized", "nested"):
        spec = document(bench, tables, [{**PLANE, "follow": True}], flights=LATE)
        spec["format"] = {"type": "json", "structure": structure, "metadata": True}
        if structure == "normalized":
            bench.run(spec, "out.json")
            document_ = json.loads((bench.root / "out.json").read_text())
            assert document_["data"]["relationships"] == []
            assert [len(rows) for rows in document_["data"]["datasets"].values()] == [2, 4]
            continue
        with pytest.raises(InvalidSpec, match="“flights” does not export it") as caught:
            bench.run(spec, "out.json")
        assert caught.value.field == "relations[0].from"
    spec["datasets"][1]["columns"] = {"include": ["tailnum", "delay"]}
    bench.run(spec, "out.json")
    rows = json.loads((bench.root / "out.json").read_text())["data"]["planes"]
    assert [row["flights"] for row in rows] == [
        [{"tailnum": "N1", "delay": 100}],
        [{"tailnum": "N2", "delay": 70}],
    ]


def test_metadata_says_the_relationships(bench: Bench) -> None:
    spec = document(bench, some("planes", "flights"), [{**PLANE, "follow": True}])
    spec["format"] = {"type": "jsonl", "metadata": True}
    bench.run(spec, "out.jsonl")
    about = json.loads((bench.root / "out.jsonl").read_text().splitlines()[0])
    assert about["relationships"] == [PLANE]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "excel"])
@pytest.mark.parametrize("follow", [True, False])
def test_a_column_that_is_not_there(bench: Bench, kind: str, follow: bool) -> None:
    for end, column in (("from", "flights.tailnumber"), ("to", "planes.tailnumber")):
        spec = document(
            bench, some("planes", "flights"), [{**PLANE, end: column, "follow": follow}]
        )
        with pytest.raises(InvalidSpec, match=column) as caught:
            bench.run({**spec, "format": kind}, "out.zip")
        assert caught.value.field == f"relations[0].{end}"
        assert caught.value.hint == "Did you mean tailnum?"
    assert bench.left() == []


def test_circles(bench: Bench) -> None:
    tables = {name: pa.table({"k": [1]}) for name in "abcd"}
    links = [
        {"name": f"{c}{p}", "from": f"{c}.k", "to": f"{p}.k", "follow": True}
        for c, p in ("ab", "bc", "ca", "ad")
    ]
    with pytest.raises(InvalidSpec, match="in a circle: “a” follows “c” follows “b” follows “a”"):
        exported(bench, tables, links)
    both = [{**PLANE, "follow": "to"}, {**PLANE, "follow": "from"}]
    with pytest.raises(InvalidSpec, match="circle"):
        exported(bench, some("planes", "flights"), both)


def test_rows_that_stand_for_several(bench: Bench) -> None:
    tables = some("planes", "flights")
    follow = [{**PLANE, "follow": True}]
    count = [{"function": "count"}]
    for steps, sentence in (
        ({"group_by": ["origin"], "aggregates": count}, "“flights” makes groups without “tailnum”"),
        ({"aggregates": count}, "“flights” makes groups without “tailnum”"),
        ({"distinct": True, "columns": {"include": ["origin"]}}, "keeps distinct rows without"),
        ({"pivot": {"index": ["origin"], "on": "dest", "values": "delay"}}, "is a pivot without"),
    ):
        with pytest.raises(InvalidSpec, match=sentence):
            exported(bench, tables, follow, planes=TAIL, flights=steps)


def test_previews_show_what_belongs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = document(
        bench, some("planes", "flights"), [{**PLANE, "follow": True}], flights=LATE, planes=TAIL
    )

    def shown() -> list[tuple[Any, Any]]:
        found = pipeline.preview(parse(spec), bench.surroundings("out.jsonl"))
        return [(each["rows"], each["total_rows"]) for each in found.datasets]

    rows = [[70], [90], [100], [61]]
    assert shown() == [([["N1"], ["N2"]], 2), (rows, 4)]
    # of a leader that is not seen whole, nobody knows how many belong to it
    monkeypatch.setattr(following, "_SAMPLE_BYTES", 0)
    monkeypatch.setattr(following, "_SAMPLE_PIECE", 1)
    planes, flights = shown()
    assert planes == ([["N2"]], None)
    assert flights == ([[70]], None)
    assert not list(bench.scratch.rglob("*"))


def test_a_cancel_is_heard_while_keys_are_gathered(bench: Bench) -> None:
    spec = document(bench, some("planes", "flights"), [{**PLANE, "follow": True}])
    here = bench.surroundings("out.jsonl")
    run = pipeline.run(parse(spec), here)
    assert next(run).phase == "reading"
    here.cancelled.set()
    with pytest.raises(Cancelled):
        list(run)
    assert bench.left() == []
    assert not list(bench.scratch.rglob("*"))


KEYS = st.one_of(st.none(), st.integers(0, 4))
ROWS = st.lists(st.tuples(KEYS, KEYS), max_size=8)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(ROWS, min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=4),
    st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_any_relations(
    bench: Bench, drawn: list[Any], pairs: list[tuple[int, int, bool]], least: list[int]
) -> None:
    """Children lead parents and parents lead children, as drawn; a leader has the lower number."""
    tables = {
        f"t{i}": pa.table(
            {
                "id": pa.array([row[0] for row in rows], pa.int64()),
                "up": pa.array([row[1] for row in rows], pa.int32()),
                "n": pa.array(range(len(rows)), pa.int64()),
            }
        )
        for i, rows in enumerate(drawn)
    }
    relations = []
    for one, other, needed in pairs:
        leader, follower = f"t{min(one, other)}", f"t{max(one, other)}"
        if leader == follower or follower not in tables:
            continue
        child, parent = (leader, follower) if needed else (follower, leader)
        relations.append(
            {
                "name": f"r{len(relations)}",
                "from": f"{child}.up",
                "to": f"{parent}.id",
                "follow": "to" if needed else "from",
            }
        )
    steps = {name: {"where": f"n >= {least[i]}"} for i, name in enumerate(tables)}
    assert exported(bench, tables, relations, **steps) == _expected(tables, relations, least)


def _expected(
    tables: Mapping[str, pa.Table], relations: list[dict[str, Any]], least: list[int]
) -> dict[str, list[Any]]:
    kept: dict[str, list[dict[str, Any]]] = {}
    for i, (name, table) in enumerate(tables.items()):
        rows = [row for row in table.to_pylist() if row["n"] >= least[i]]
        needed: list[set[Any]] = []
        for relation in relations:
            child, parent = relation["from"].split(".")[0], relation["to"].split(".")[0]
            if relation["follow"] == "to" and parent == name:
                needed.append({row["up"] for row in kept[child]} - {None})
            if relation["follow"] == "from" and child == name:
                keys = {row["id"] for row in kept[parent]} - {None}
                rows = [row for row in rows if row["up"] in keys]
        if needed:
            rows = [row for row in rows if row["id"] in set().union(*needed)]
        kept[name] = rows
    return {name: [list(row.values()) for row in rows] for name, rows in kept.items()}
