"""Documents as a caller might send them: right ones, and ones with something wrong in them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from jupyter_export import registry

Json = Any

FILE = {"type": "file", "path": "rows.csv"}
PARQUET = {"type": "file", "path": "rows.parquet"}
TABLE = {"type": "table", "connection": "shop", "table": "orders"}
SQL = {
    "type": "sql",
    "connection": "shop",
    "query": "SELECT id, note FROM orders WHERE id > :least",
    "params": {"least": 3},
}

WHERES: list[Json] = [
    {"column": "n", "op": ">", "value": 1},
    {
        "and": [
            {"column": "word", "op": "like", "value": "%a"},
            {"not": {"column": "n", "op": "is_null"}},
        ]
    },
    {
        "or": [
            {"column": "n", "op": "in", "value": [1, 2]},
            {"column": "x", "op": "between", "value": [0, 1]},
        ]
    },
    {"column": "word", "op": "regex", "value": "^[a-z]+$"},
    "n > 1 AND word IS NOT NULL",
    "length(word) BETWEEN 1 AND 3 OR day > DATE '2000-01-01'",
]
STEPS: dict[str, list[Json]] = {
    "where": WHERES,
    "time_range": [
        {"column": "at", "start": "2000-01-01T00:00:00Z"},
        {"column": "day", "start": "1960-01-01", "end": "2030-01-01"},
    ],
    "sample": [{"rows": 2, "seed": 7}, {"percent": 50.5}],
    "computed": [[{"name": "twice", "expression": "n * 2"}]],
    "distinct": [True],
    "group_by": [["word"], [{"column": "at", "time_bucket": "1 day", "time_zone": "Europe/Paris"}]],
    "aggregates": [
        [{"function": "count"}, {"function": "sum", "column": "n", "as": "total"}],
        [{"function": "percentile", "column": "x", "p": 0.95}],
    ],
    "pivot": [{"index": ["day"], "on": "word", "values": "n", "function": "max"}],
    "columns": [
        {"include": ["n", "word"], "rename": {"n": "Number"}, "order": ["word"]},
        ["word", {"name": "m", "expression": "n + 1"}],
        {"exclude": ["list"]},
    ],
    "sort": [[{"column": "n", "descending": True, "nulls": "first"}]],
    "limit": [3, 0],
}

WORDS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "n",
            "word",
            "data",
            "orders",
            "csv",
            "..",
            "../x.csv",
            "/etc/passwd",
            "a\\b",
            "CON",
            ".hidden",
            "x" * 300,
            "x" * 30_000,
            "\x00",
            "\x1b[31m",
            "\ud800",
            "€\u202e😀",
            "'; DROP TABLE orders; --",
            "<script>alert(1)</script>",
            "{{x}}",
            "%s%n",
            "NaN",
            "1e999",
            "0" * 5000,
            "a.csv/",
            "a.zip",
            "a.xlsx",
            "n > (SELECT 1)",
            "(" * 500,
            "n" + " + n" * 500,
            "read_text('/etc/passwd')",
            "[" * 200,
        ]
    ),
    st.text(max_size=20),
)
NUMBERS = st.one_of(
    st.sampled_from(
        [0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63), 10**30, 10**400, 1.5, -0.0, 1e-320, 1e308]
    ),
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False),
)


def _deep(depth: int) -> Json:
    value: Json = {"column": "n", "op": "is_null"}
    for _ in range(depth):
        value = {"not": value}
    return value


ODD: st.SearchStrategy[Json] = st.one_of(
    st.sampled_from([None, True, False, [], {}, [[]], [None], {"": None}, [1, "a", None, {}]]),
    WORDS,
    NUMBERS,
    st.builds(_deep, st.sampled_from([3, 49, 51, 400])),
    st.recursive(
        st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=6,
    ),
).map(copy.deepcopy)


# ------------------------------------------------------------------ what a JSON Schema allows


def allowed(schema: dict[str, Json], defs: dict[str, Json]) -> st.SearchStrategy[Json]:
    """Draw a value of a schema as our formats write them; at the limits it names, above all."""
    if "$ref" in schema:
        return st.deferred(lambda: allowed(defs[schema["$ref"].rpartition("/")[2]], defs))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return st.one_of([allowed(each, defs) for each in schema[choice]])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        edges = [edge for edge in (low, high, schema.get("default")) if edge is not None]
        return st.one_of(st.sampled_from(edges or [0, 1]), st.integers(-3, 200))
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "array":
        items = schema.get("prefixItems")
        if items:
            return st.tuples(*(allowed(each, defs) for each in items)).map(list)
        return st.lists(allowed(schema.get("items") or {}, defs), max_size=3)
    if kind == "object" and "properties" in schema:
        return options(schema, defs)
    if kind == "object":
        values = schema.get("additionalProperties")
        return st.dictionaries(
            st.sampled_from(["n", "word", "x", "day", "at", "other"]),
            allowed(values if isinstance(values, dict) else {}, defs),
            max_size=3,
        )
    if kind == "string":
        columns = st.sampled_from(
            ["n", "word", "x", "day", "at", "#ff0000", "%d.%m.%Y", ",", "0.00", "A1"]
        )
        return st.one_of(columns, columns, WORDS)  # fmt: skip
    return ODD


def options(schema: dict[str, Json], defs: dict[str, Json]) -> st.SearchStrategy[dict[str, Json]]:
    """Draw an object: what is required, and up to three of the rest."""
    properties, required = schema["properties"], schema.get("required", [])

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Json]:
        rest = sorted(set(properties) - set(required))
        more = draw(st.lists(st.sampled_from(rest), max_size=3, unique=True)) if rest else []
        return {name: draw(allowed(properties[name], defs)) for name in [*required, *more]}

    return drawn()


@cache
def formats() -> list[st.SearchStrategy[dict[str, Json]]]:
    """Return, for each format, a strategy of its choice with options."""
    found = []
    for name, each in registry.formats().items():
        schema = each.to_json()["options"]
        drawn = options(schema, schema.get("$defs", {}))
        found.append(st.builds(lambda chosen, name=name: {"type": name, **chosen}, drawn))
    return found


# ------------------------------------------------------------------ documents


@st.composite
def datasets(draw: st.DrawFn) -> dict[str, Json]:
    source = draw(st.sampled_from([PARQUET, PARQUET, PARQUET, FILE, TABLE, SQL]))
    dataset: dict[str, Json] = {"source": copy.deepcopy(source)}
    for step in draw(st.lists(st.sampled_from(sorted(STEPS)), max_size=3, unique=True)):
        dataset[step] = copy.deepcopy(draw(st.sampled_from(STEPS[step])))
    return dataset


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Json]:
    """Draw a document that is right in form; its columns need not be there."""
    if draw(st.integers(0, 5)):
        spec = draw(datasets())
    else:
        two = [draw(datasets()), draw(datasets())]
        spec = {"datasets": [{"name": name, **each} for name, each in zip("ab", two, strict=True)]}
        if draw(st.booleans()):
            follow = draw(st.sampled_from([True, False, "from", "to"]))
            spec["relations"] = [{"name": "r", "from": "a.n", "to": "b.n", "follow": follow}]
    if draw(st.integers(0, 3)):
        spec["format"] = draw(st.one_of(formats()))
    for field, values in (
        ("name", ["export", "Ä ö", "a.b"]),
        ("compression", ["none", "gzip", "zstd", "brotli"]),
        ("on_loss", ["ignore", "warn", "error"]),
        ("retention", [{"expires_after": "1h"}, {"delete_after_download": True}]),
        ("output", [{"path": "out/a.csv", "if_exists": "rename"}, {"path": "b.json.gz"}]),
    ):
        if draw(st.integers(0, 5)) == 0:
            spec[field] = copy.deepcopy(draw(st.sampled_from(values)))
    return spec


Place = tuple[Json, Any]
"""A container and the key or index of one of its values."""


def places(value: Json) -> list[Place]:
    found: list[Place] = []
    if isinstance(value, dict):
        found = [(value, key) for key in value]
    elif isinstance(value, list):
        found = [(value, index) for index in range(len(value))]
    for container, key in list(found):
        found += places(container[key])
    return found


def _replace(draw: st.DrawFn, container: Json, key: Any) -> None:
    container[key] = draw(ODD)


def _alike(draw: st.DrawFn, container: Json, key: Any) -> None:
    """Put another value of its kind in its place; what has parts stays."""
    value = container[key]
    if isinstance(value, bool):
        container[key] = not value
    elif isinstance(value, (int, float)):
        container[key] = draw(NUMBERS)
    elif isinstance(value, str):
        columns = st.sampled_from(
            ["n", "word", "x", "day", "at", "list", "flag", "a", "id", "note"]
        )
        container[key] = draw(st.one_of(columns, WORDS))


def _remove(draw: st.DrawFn, container: Json, key: Any) -> None:
    del container[key]


def _wrap(draw: st.DrawFn, container: Json, key: Any) -> None:
    container[key] = draw(st.sampled_from([[container[key]], {"value": container[key]}]))


def _repeat(draw: st.DrawFn, container: Json, key: Any) -> None:
    times = draw(st.sampled_from([2, 101, 1001]))
    container[key] = [copy.deepcopy(container[key]) for _ in range(times)]


def _rename(draw: st.DrawFn, container: Json, key: Any) -> None:
    if isinstance(container, dict):
        container[draw(WORDS)] = container.pop(key)


CHANGES: list[Callable[[st.DrawFn, Json, Any], None]] = [
    *[_alike] * 12, *[_replace] * 3, _remove, _wrap, _repeat, _rename,
]  # fmt: skip


@st.composite
def wrong(draw: st.DrawFn) -> Json:
    """Draw a document with one to three changes; now and then something that is none at all."""
    if draw(st.integers(0, 19)) == 0:
        return draw(ODD)
    spec = draw(documents())
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
        found = places(spec)
        if found:
            change(draw, *draw(st.sampled_from(found)))
    return spec
