"""Frames that belong together, and an export of some of them by their relations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from .conftest import Bench

MAKERS = pa.table({"id": [1, 2, 3, 4], "name": ["Airbus", "Boeing", "Cessna", "?"]})
PLANES = pa.table(
    {
        "tailnum": ["N1", "N2", "N3", "N4", None],
        "maker": [1, 2, 3, None, 2],
        "seats": [9, 8, 7, 6, 5],
    }
)
FLIGHTS = pa.table(
    {
        "tailnum": ["N1", "N2", None, "N1", "X", "N4"],
        "origin": ["JFK", "EWR", "LGA", "JFK", "JFK", "EWR"],
        "dest": ["LAX", "JFK", "SFO", "ORD", "LAX", None],
        "delay": [5, 70, 90, 100, 61, 2],
    }
)
AIRPORTS = pa.table({"faa": ["JFK", "EWR", "LGA", "LAX", "SFO", "ORD", "BOS"]})
TABLES = {"makers": MAKERS, "planes": PLANES, "flights": FLIGHTS, "airports": AIRPORTS}
PLANE = {"name": "plane", "from": "flights.tailnum", "to": "planes.tailnum"}
MAKER = {"name": "maker", "from": "planes.maker", "to": "makers.id"}
ORIGIN = {"name": "origin", "from": "flights.origin", "to": "airports.faa"}
DEST = {"name": "dest", "from": "flights.dest", "to": "airports.faa"}


def document(
    bench: Bench,
    tables: Mapping[str, pa.Table],
    relations: list[dict[str, Any]],
    **steps: dict[str, Any],
) -> dict[str, Any]:
    datasets = [
        {
            "name": name,
            "source": {"type": "upload", "id": bench.freeze(table)},
            **steps.get(name, {}),
        }
        for name, table in tables.items()
    ]
    return {"datasets": datasets, "relations": relations, "output": {"if_exists": "replace"}}


def exported(bench: Bench, *given: Any, **steps: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the rows of each dataset; those of one column as its values."""
    spec = document(bench, *given, **steps)
    found: dict[str, list[Any]] = {dataset["name"]: [] for dataset in spec["datasets"]}
    result = bench.run(spec, "out.jsonl")
    for line in (bench.root / "out.jsonl").read_text().splitlines():
        row = json.loads(line)
        values = list(row.values())[1:]
        found[row["type"]].append(values[0] if len(values) == 1 else values)
    assert result.rows == sum(map(len, found.values()))
    assert not list(bench.scratch.rglob("*"))
    return found


def some(*names: str) -> dict[str, pa.Table]:
    return {name: TABLES[name] for name in names}
