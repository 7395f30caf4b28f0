"""A document as the line that makes it: reading the line gives the same document again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export import registry
from jupyter_export.client.command import export_line
from jupyter_export.client.job import Job
from jupyter_export.client.where_text import condition_text
from jupyter_export.engine.dialect import compiled
from jupyter_export.errors import InvalidRequest, InvalidSpec
from jupyter_export.magic.pasted import spec_of_line
from jupyter_export.spec import Dataset, parse
from jupyter_export.spec.template import frame_source
from jupyter_export.transform.statement import condition_of

from .shells import FLIGHTS

UTC = dt.timezone.utc
SETTINGS = hypothesis.settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
FRAME = frame_source("flights")
SENT = {"type": "upload", "id": "x"}
FRAMES = ("flights", "planes")


def made_by(text: str) -> dict[str, Any]:
    """Return the document that a line, or cell, of the magic makes."""
    return spec_of_line(text, dict.fromkeys(FRAMES, FLIGHTS))


def ended_by(name: str | None) -> str | None:
    try:
        return registry.choose(parse({"source": SENT}), name).format.type
    except InvalidSpec:
        return None


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a document means: what a line need not say is said, and where it may say the
    same in another way, one of them stands."""
    text = parse(
        {
            **document,
            "datasets": [
                {**each, "source": {"type": "upload", "id": each["source"]["id"].strip("{}")}}
                if each["source"]["type"] == "upload"
                else each
                for each in document["datasets"]
            ],
        }
    )
    spec = text.to_json()
    path = spec.get("output", {}).get("path")
    name = path.rsplit("/", 1)[-1] if path else None
    _, _, packed = registry.split_ending(name or "")
    spec["compression"] = text.compression or registry.COMPRESSION_ENDINGS.get(packed, "none")
    spec.setdefault("format", {"type": ended_by(name)})
    for each in spec["datasets"]:
        if isinstance(each.get("where"), dict):
            each["where"] = condition_text(each["where"])
        columns = each.get("columns", {})
        if columns.get("include"):
            made = [new["name"] for new in columns.get("computed", [])]
            missing = [name for name in made if name not in columns["include"]]
            whole = [*columns["include"], *missing]
            order = columns.pop("order", [])
            columns["include"] = [*order, *(name for name in whole if name not in order)]
            columns.get("computed", []).sort(key=lambda new: whole.index(new["name"]))
    return spec


# ----------------------------------------------------------------- documents

NAMES = st.one_of(
    st.sampled_from(
        ["carrier", "dep_delay", "time hour", "order", "Date", "as", "x=y", "-odd", 'a"b', "it's",
         "a, b", "*", "back\\slash\\", "end)", "ünï", "1st", "a as b", "x desc", "count(x)", "{2}"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1,
            max_size=8),
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(["JFK", "it's", 'say "x"', "a\\", "\\d{2}$", "--limit", "", "5", "true", "$x"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8),
)
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
)
EXPRESSIONS = st.sampled_from(
    ["dep_delay / 60", "round(a, 2) > 1", '"time hour" || \', "x"\'', "CAST(a AS int)", "a = 1",
     "CASE WHEN a THEN 'it''s' ELSE b END", "(a)", "-a", "concat(a, ', ', b)"]
)  # fmt: skip


def lists(strategy: Any, most: int = 3) -> Any:
    return st.lists(strategy, min_size=1, max_size=most)


def record(**fields: Any) -> Any:
    """A mapping with all of ``fields``; those that end in “_” may be left out, without it."""
    return st.fixed_dictionaries(
        {k: v for k, v in fields.items() if not k.endswith("_")},
        optional={k[:-1]: v for k, v in fields.items() if k.endswith("_")},
    )


def distinct_by(key: str, strategy: Any) -> Any:
    def name(each: Any) -> str:
        return str(each.get(key) or each.get("column") or each.get("function"))

    return st.lists(strategy, min_size=1, max_size=3, unique_by=name)


COMPARISONS = st.one_of(
    record(column=NAMES, op=st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), value=VALUES),
    record(column=NAMES, op=st.sampled_from(["in", "not_in"]), value=lists(VALUES | st.none())),
    record(column=NAMES, op=st.just("between"), value=st.lists(VALUES, min_size=2, max_size=2)),
    record(
        column=NAMES,
        op=st.sampled_from(["like", "ilike", "contains", "starts_with", "ends_with", "regex"]),
        value=TEXTS,
    ),
    record(column=NAMES, op=st.sampled_from(["is_null", "not_null"])),
)
TREES = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": lists(inner)}),
        st.fixed_dictionaries({"or": lists(inner)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=5,
)
KEYS = st.one_of(
    record(column=NAMES, as_=NAMES),
    record(
        column=NAMES,
        time_bucket=st.sampled_from(["1 day", "15 minutes", "P1D"]),
        time_zone_=st.sampled_from(["Europe/Paris", "+02:00"]),
        as_=NAMES,
    ),
    st.fixed_dictionaries({"expression": EXPRESSIONS, "as": NAMES}),
).map(lambda key: {("as" if name == "as_" else name): value for name, value in key.items()})
AGGREGATES = st.one_of(
    record(
        function=st.sampled_from(["sum", "count", "count_distinct", "max"]), column=NAMES, as_=NAMES
    ),
    st.just({"function": "count"}),
    record(function=st.just("percentile"), column=NAMES, p=st.sampled_from([0, 0.95, 1e-7])),
    record(function=st.just("first"), column=NAMES, order_by=NAMES),
    st.fixed_dictionaries({"function": st.just("avg"), "expression": EXPRESSIONS, "as": NAMES}),
)
NEW = st.fixed_dictionaries({"name": NAMES, "expression": EXPRESSIONS})
COLUMNS = st.one_of(
    record(include=st.lists(NAMES, min_size=1, max_size=3, unique=True),
           rename_=st.dictionaries(NAMES, NAMES, max_size=2), exclude_=lists(NAMES),
           order_=st.lists(NAMES, max_size=1)),
    record(order_=st.lists(NAMES, max_size=3, unique=True), exclude_=lists(NAMES),
           rename_=st.dictionaries(NAMES, NAMES, max_size=2),
           computed_=distinct_by("name", NEW)),
)  # fmt: skip
DATASETS = record(
    where_=TREES | EXPRESSIONS,
    time_range_=record(column=NAMES, start=st.just("2013-01-01T00:00:00Z"), end_=st.just("2014")),
    sample_=st.one_of(
        record(rows=st.integers(0, 10**6), seed_=st.integers(0, 9)),
        record(percent=st.sampled_from([0, 0.1, 5, 33.3, 1e-7])),
    ),
    computed_=distinct_by("name", NEW),
    group_by_=distinct_by("as", KEYS),
    aggregates_=distinct_by("as", AGGREGATES),
    pivot_=st.one_of(
        record(on=NAMES, values=NAMES, index_=lists(NAMES)),
        record(on=NAMES, values=NAMES, function=st.just("percentile"), p=st.just(0.5)),
    ),
    columns_=COLUMNS,
    distinct_=st.just(True),
    sort_=lists(
        record(column=NAMES, descending_=st.booleans(), nulls_=st.sampled_from(["first", "last"]))
    ),
    limit_=st.integers(0, 10**9),
)
OPTIONS = record(
    delimiter_=st.sampled_from([";", "\t", "'", '"', ","]),
    null_=TEXTS | st.sampled_from(["null", "a\nb", "{}"]),
    header_=st.booleans() | lists(TEXTS),
    decimals_=st.integers(0, 9) | st.none(),
)
PATHS = [
    "a.csv",
    "out/b c.xlsx",
    "x.csv.gz",
    "q\"uote'.json",
    "c:\\d\\e.parquet",
    "plain",
    "é?.csv",
]
DOCUMENTS = record(
    datasets=DATASETS.map(lambda steps: [{"name": "flights", "source": FRAME, **steps}]),
    name=st.just("flights") | st.just("it's -a"),
    format_=st.one_of(
        st.just({"type": "excel", "sheet": "It's"}), OPTIONS.map(lambda o: {**o, "type": "csv"})
    ),
    compression_=st.sampled_from(["gzip", "zstd", "none"]),
    output_=record(
        path=st.sampled_from(PATHS), if_exists_=st.sampled_from(["error", "replace", "rename"])
    ),
    on_loss_=st.sampled_from(["error", "warn", "ignore"]),
)


@SETTINGS
@hypothesis.given(DOCUMENTS)
def test_the_line_makes_the_document(document: dict[str, Any]) -> None:
    document["datasets"][0]["name"] = document["name"]
    try:
        parse({**document, "datasets": [{**document["datasets"][0], "source": SENT}]})
    except InvalidSpec:
        hypothesis.reject()
    line = export_line(document)
    hypothesis.event("said" if line else "no line")
    if line is not None:
        assert plain(made_by(line)) == plain(document), line


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"source": FRAME}, "%export flights"),
        (
            {"source": FRAME, "output": {"path": "a.csv"}, "format": "csv"},
            "%export flights a.csv",
        ),
        (
            {
                "source": FRAME,
                "where": {"and": [{"column": "delay", "op": ">", "value": 60},
                                  {"column": "origin", "op": "in", "value": ["JFK", "it's"]}]},
                "columns": {"include": ["carrier", "plane"], "rename": {"plane": "tail number"}},
                "sort": [{"column": "delay", "descending": True}],
                "format": {"type": "csv", "delimiter": ";"},
                "output": {"path": "my flights.csv", "if_exists": "replace"},
            },
            ('%export flights "my flights.csv" '
            '''--where "delay > 60 AND origin IN ('JFK', 'it''s')" '''
            '''--columns 'carrier, plane as "tail number"' --sort -delay '''
            '--option "delimiter=;" --replace'),
        ),
        (
            {
                "datasets": [{"name": n, "source": frame_source(n), "limit": 5} for n in FRAMES],
                "output": {"path": "report.xlsx"},
            },
            "%export flights planes report.xlsx --limit 5",
        ),
        (
            {
                "source": {"type": "sql", "connection": "shop", "query": "SELECT :a;\n",
                           "params": {"a": "5"}},
                "output": {"path": "a.csv"},
            },
            "%%export a.csv --connection shop --param 'a=\"5\"'\nSELECT :a",
        ),
        (
            {"source": {"type": "table", "connection": "shop", "schema": "eu", "table": "items"}},
            "%%export --connection shop\nSELECT * FROM eu.items",
        ),
        ({"source": FRAME, "where": "a > 1 -- yes\n AND b"}, None),
        ({"source": FRAME, "where": "a > 1\n  AND b"}, '%export flights --where "a > 1 AND b"'),
        ({"source": FRAME, "where": {"column": "a", "op": "=", "value": "x\ny"}}, None),
        ({"source": FRAME, "where": "a = '{flights}'"}, None),
        ({"source": FRAME, "retention": {"expires_after": "7d"}}, None),
        ({"source": {"type": "table", "connection": "shop", "table": "order"}}, None),
        ({"source": {"type": "file", "path": "a.csv"}}, None),
        ({"source": SENT}, None),
        ({"source": FRAME, "limit": -1}, None),
        ({"datasets": [{"name": "a", "source": FRAME}, {"name": "b", "source": FRAME}]}, None),
        (
            {"datasets": [{"name": n, "source": frame_source(n), "where": n} for n in FRAMES]},
            None,
        ),
    ],
)  # fmt: skip
def test_a_line_reads_well(document: dict[str, Any], line: str | None) -> None:
    assert export_line(document) == line


# ----------------------------------------------------------------- conditions

ROWS = pa.table(
    {
        "id": pa.array(range(6), pa.int64()),
        "n": pa.array([3, -3, None, 0, 2**53 + 1, 7], pa.int64()),
        "x": pa.array([1.5, -2.5, None, 0.1, 1e300, 1e-45], pa.float64()),
        "word": ["ab", "A%b", None, "", "it's_\\", "日本"],
        "flag": [True, False, None, True, False, None],
        "day": pa.array([0, 19000, None, 1, -1, 15706], pa.date32()),
        "at": pa.array([0, 10**15, None, 1, -1, 1357000000000000], pa.timestamp("us", "UTC")),
        'od.d "n': pa.array([1, 2, None, 4, 5, 6], pa.int64()),
        "Select": ["x", "y", None, "z", "x", "y"],
    }
)
NUMBERS = st.sampled_from(
    [0, 3, -3, 2.5, 0.1, 1e300, 1e-45, 2**53 + 1, -(10**30), 2**70, "3", None]
)
WORDS = st.sampled_from(["ab", "A%b", "", "it's_\\", "日本", "a_", "B", "%", None])
DAYS = st.sampled_from(["2013-01-01", "1970-01-01", "2001-09-09T01:46:40Z", "1969-12-31", None])
FLAGS = st.sampled_from([True, False, "true", None])
OF_COLUMN = {
    "n": NUMBERS, "x": NUMBERS, 'od.d "n': NUMBERS, "word": WORDS, "Select": WORDS,
    "flag": FLAGS, "day": DAYS, "at": DAYS,
}  # fmt: skip


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    column = draw(st.sampled_from(sorted(OF_COLUMN)))
    values = OF_COLUMN[column]
    ops = ["=", "!=", "<", ">=", "in", "not_in", "between", "is_null", "not_null"]
    if column in ("word", "Select"):
        ops += ["like", "ilike", "contains", "starts_with", "ends_with", "regex"]
    op = draw(st.sampled_from(ops))
    made = {"column": column, "op": op}
    if op in ("in", "not_in"):
        made["value"] = draw(st.lists(values, min_size=1, max_size=3))
    elif op == "between":
        made["value"] = [draw(values), draw(values)]
    elif op in ops[9:]:
        made["value"] = draw(values.filter(lambda each: each is not None))
    elif op not in ("is_null", "not_null"):
        made["value"] = draw(values)
    return made


@pytest.fixture(scope="module")
def engine() -> Any:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("source", ROWS)
    yield connection
    connection.close()


def met(engine: Any, where: Any) -> list[int] | str:
    """Return the rows that meet a condition, or that it is refused."""
    source = sa.table("source", *(sa.column(field.name) for field in ROWS.schema))
    try:
        dataset = Dataset.model_validate({"source": SENT, "where": where})
        condition = condition_of(dataset, source, ROWS.schema, "duckdb")
    except (InvalidSpec, ValueError):
        return "refused"
    sql, values = compiled(sa.select(source.c.id).where(condition))
    return sorted(row[0] for row in engine.execute(sql, values).fetchall())


@SETTINGS
@hypothesis.given(
    tree=st.recursive(
        comparisons(),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"and": lists(inner)}),
            st.fixed_dictionaries({"or": lists(inner)}),
            st.fixed_dictionaries({"not": inner}),
        ),
        max_leaves=4,
    )
)
def test_a_condition_takes_the_same_rows_as_text(engine: Any, tree: Any) -> None:
    rows = met(engine, tree)
    hypothesis.assume(rows != "refused")
    text = condition_text(parse({"source": SENT, "where": tree}).to_json()["datasets"][0]["where"])
    assert met(engine, text) == rows, text


# ----------------------------------------------------------------- the magic itself


def test_the_magic_runs_the_line(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = {
        "name": "late",
        "source": FRAME,
        "where": {"not": {"column": "plane", "op": "regex", "value": "^N1{1}$"}},
        "columns": {"include": ["plane", "carrier"], "rename": {"plane": "it's"}},
        "format": {"type": "csv", "delimiter": "\t", "null": "$x"},
        "output": {"path": "out.csv"},
    }
    line = export_line(document)
    assert line is not None
    job = shell.run_cell(line).result
    assert isinstance(job, Job)
    assert Path("out.csv").read_text() == "it's\tcarrier\nN2\tAA\n"
    assert job.state["name"] == "late"


def test_a_pasted_line_is_not_evaluated() -> None:
    class Frame:
        @property
        def rows(self) -> None:
            raise AssertionError("it was evaluated")

    for line in ("%export own.rows x.csv", "%export planes own.rows x.csv", "%export own.rows"):
        with pytest.raises(InvalidRequest, match="an expression, which a document cannot hold"):
            spec_of_line(line, {"own": Frame(), "planes": FLIGHTS})
