"""The document: what is wrong with it is said in one sentence, with the field and the nearest."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_export.errors import InvalidSpec
from jupyter_export.spec import ExportSpec, parse, seconds

SOURCE = {"type": "upload", "id": "abc"}


def deep(levels: int) -> Any:
    where: Any = {"column": "a", "op": "is_null"}
    for _ in range(levels):
        where = {"not": where}
    return where


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        ("{", None, "not valid JSON"),
        (b"\xff", None, "not valid JSON"),
        ("[" * 100_000, None, "nested too deeply"),
        ([], None, "not a JSON object"),
        (None, None, "not a JSON object"),
        ({}, "datasets", "names no data"),
        ({"datasets": []}, "datasets", "at least 1"),
        ({"datasets": [{}]}, "datasets[0].source", "missing"),
        ({"source": {}}, "datasets[0].source", "no “type”"),
        ({"source": {"type": "uplaod"}}, "datasets[0].source", "Did you mean upload?"),
        ({"source": {"type": "upload"}}, "datasets[0].source.id", "missing"),
        ({"source": {"type": "upload", "id": "../x"}}, "datasets[0].source.id", "pattern"),
        ({"source": SOURCE, "datasets": []}, "source", "beside “datasets”"),
        ({"source": SOURCE, "formt": "csv"}, "formt", "Did you mean format?"),
        ({"source": {**SOURCE, "idd": 1}}, "datasets[0].source.idd", "Did you mean id?"),
        ({"source": SOURCE, "columns": {"inclde": []}}, "datasets[0].columns.inclde", "include"),
        ({"source": SOURCE, "output": {"if_exists": "rplace"}}, "output.if_exists", "replace?"),
        ({"source": SOURCE, "on_loss": "eror"}, "on_loss", "Did you mean error?"),
        ({"source": SOURCE, "compression": "gzp"}, "compression", "Did you mean gzip?"),
        ({"source": SOURCE, "limit": -1}, "datasets[0].limit", "greater than or equal"),
        ({"source": SOURCE, "limit": True}, "datasets[0].limit", "integer"),
        ({"source": SOURCE, "limit": 2**63}, "datasets[0].limit", "less than or equal"),
        ({"source": {**SOURCE, "path": "x"}}, "datasets[0].source.path", "Known: id, type"),
        ({"source": SOURCE, "retention": {"expires_after": "\ud800"}}, None, "half of a character"),
        ({"source": SOURCE, "retention": {"expires_after": "9" * 5000 + "d"}},
         "retention.expires_after", "not a duration"),
        ({"source": SOURCE, "retention": {"expires_after": "36501d"}}, "retention.expires_after",
         "a hundred years"),
        ({"source": SOURCE, "limit": "many"}, "datasets[0].limit", "integer"),
        ({"source": SOURCE, "format": 5}, "format", "not a JSON object"),
        ({"source": SOURCE, "where": {"column": "a", "op": "=", "value": "\ud800"}}, None,
         "half of a character"),
        ({"source": SOURCE, "where": {"column": "a", "op": "=", "value": float("inf")}}, None,
         "NaN or Infinity"),
        ({"source": SOURCE, "where": deep(60)}, "datasets[0].where", "nested deeper"),
        ({"source": SOURCE, "retention": {"expires_after": "1 week"}}, "retention.expires_after",
         "24h"),
        ({"datasets": [{"source": SOURCE}, {"source": SOURCE}]}, None, "two datasets"),
        ({"source": SOURCE, "where": {"column": "a", "op": "lke", "value": "x"}},
         "datasets[0].where.op", "Did you mean like?"),
        ({"source": SOURCE, "where": {"column": "a", "op": "in", "value": []}},
         "datasets[0].where", "at least one value"),
        ({"source": SOURCE, "where": {"column": "a", "op": "is_null", "value": 1}},
         "datasets[0].where", "takes no value"),
        ({"source": SOURCE, "where": {"colum": "a", "op": "is_null"}}, None, "colum"),
        ({"source": SOURCE, "sort": [{"colum": "a"}]}, "datasets[0].sort[0].colum",
         "Did you mean column?"),
        ({"source": SOURCE, "sort": "a"}, "datasets[0].sort", "cannot be “a”"),
        ({"source": SOURCE, "aggregates": [{"function": "summ", "column": "a"}]},
         "datasets[0].aggregates[0].function", "Did you mean sum?"),
        ({"source": SOURCE, "aggregates": [{"function": "sum"}]}, "datasets[0].aggregates[0]",
         "“sum” needs a column"),
        ({"source": SOURCE, "aggregates": [{"function": "percentile", "column": "a"}]},
         "datasets[0].aggregates[0]", "needs p"),
        ({"source": SOURCE, "group_by": ["a", "a"]}, "datasets[0].group_by", "named “a”"),
        ({"source": SOURCE, "group_by": [{"as": "x"}]}, "datasets[0].group_by[0]",
         "a column or an expression"),
        ({"source": SOURCE, "sample": {}}, "datasets[0].sample", "rows or percent"),
        ({"source": SOURCE, "time_range": {"column": "a"}}, "datasets[0].time_range",
         "a start or an end"),
        ({"source": SOURCE, "time_range": {"column": "a", "start": "2020-02-01",
          "end": "2020-01-01"}}, "datasets[0].time_range", "after its end 2020-01-01"),
    ],
)  # fmt: skip
def test_a_bad_document(document: Any, field: str | None, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(document)
    said = str(caught.value)
    assert words in said, said
    assert "\n" not in said
    assert "pydantic" not in said
    if field is not None:
        assert caught.value.field == field


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
_WORDS = [
    *("name", "datasets", "source", "where", "columns", "limit", "format", "compression"),
    *("output", "retention", "on_loss", "type", "id", "path", "connection", "query", "params"),
    *("table", "schema", "column", "op", "value", "and", "or", "not", "include", "exclude"),
    *("rename", "order", "if_exists", "expires_after", "delete_after_download", "sort", "pivot"),
]
_VALUES = ["upload", "file", "table", "sql", "csv", "=", "in", "between", "gzip", "24h", "a"]
_json = st.recursive(
    st.one_of(_scalars, st.sampled_from(_VALUES)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(_WORDS), st.text(max_size=4)), inner, max_size=5),
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(_json, st.dictionaries(st.sampled_from(_WORDS), _json, max_size=6)))
def test_whatever_comes_is_a_spec_or_one_error(document: Any) -> None:
    for given_document in (document, json.dumps(document)):
        with suppress(InvalidSpec):
            spec = parse(given_document)
            assert parse(spec.to_json()) == spec


_seen = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"])
"""What a name may hold."""
_held = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
"""What any text may hold."""
_bound = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(_held, max_size=8),
)
_comparison = st.one_of(
    st.fixed_dictionaries({"column": st.text(_held, min_size=1, max_size=5), "op": st.just("="),
                           "value": _bound}),
    st.fixed_dictionaries({"column": st.just("a"), "op": st.sampled_from(["in", "not_in"]),
                           "value": st.lists(_bound, min_size=1, max_size=3)}),
)  # fmt: skip
_where = st.recursive(
    _comparison,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)
_sources = st.sampled_from(
    [
        SOURCE,
        {"type": "file", "path": "a.csv"},
        {"type": "table", "connection": "c", "schema": "s", "table": "t"},
        {"type": "sql", "connection": "c", "query": "SELECT :a", "params": {"a": [1, None]}},
    ]
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"source": _sources},
        optional={
            "name": st.text(_seen, min_size=1, max_size=9),
            "where": st.one_of(_where, st.text(_held, min_size=1, max_size=9)),
            "columns": st.fixed_dictionaries({"include": st.lists(st.just("a"), max_size=1)}),
            "limit": st.one_of(st.none(), st.integers(0, 2**62)),
            "format": st.sampled_from(["csv", {"type": "csv", "delimiter": ";", "x": [1]}]),
            "compression": st.sampled_from(["none", "gzip", "zstd", "brotli", None]),
            "output": st.sampled_from([{}, {"path": "x.csv", "if_exists": "rename"}]),
            "retention": st.sampled_from([{}, {"expires_after": "7d"}]),
            "on_loss": st.sampled_from(["ignore", "warn", "error"]),
        },
    )
)
def test_a_good_document_survives_the_way_there_and_back(document: Any) -> None:
    spec = parse(document)
    assert parse(spec.to_json()) == spec
    assert parse(json.dumps(spec.to_json())) == spec
    assert parse(spec) is spec
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_true_is_no_number_in_a_condition() -> None:
    for value in (True, 1, 1.0, "1"):
        where = {"column": "a", "op": "=", "value": value}
        kept = parse({"source": SOURCE, "where": where}).to_json()["datasets"][0]["where"]["value"]
        assert (type(kept), kept) == (type(value), value)


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("15m", 900), ("24h", 86400),
                                             ("7 d", 604800), ("0s", 0)])  # fmt: skip
def test_durations(text: str, value: int) -> None:
    assert seconds(text) == value


def test_the_schema_of_the_document() -> None:
    assert "datasets" in ExportSpec.model_json_schema()["required"]


def test_columns_are_named_as_the_data_has_them() -> None:
    """Frames have columns without a name, and files deep paths."""
    columns = {"rename": {"": "index"}, "exclude": ["c" * 1000]}
    spec = parse({"source": {"type": "file", "path": "d/" * 500 + "x.csv"}, "columns": columns})
    assert spec.datasets[0].columns.rename == {"": "index"}


def test_the_short_forms_of_the_steps() -> None:
    (dataset,) = parse(
        {
            "source": SOURCE,
            "columns": ["a", {"name": "b", "expression": "a + 1"}],
            "group_by": ["a", {"column": "t", "time_bucket": "1 day", "as": "day"}],
            "aggregates": [
                {"function": "count"},
                {"function": "percentile", "column": "d", "p": 0.95},
            ],
            "sort": ["a", {"column": "b", "descending": True}],
        }
    ).datasets
    assert dataset.columns.include == ["a", "b"]
    assert [each.name for each in dataset.columns.computed] == ["b"]
    assert [each.name for each in dataset.group_by] == ["a", "day"]
    assert [each.name for each in dataset.aggregates] == ["count", "p95_d"]
    assert [(each.column, each.descending, each.nulls) for each in dataset.sort] == [
        ("a", False, "last"),
        ("b", True, "last"),
    ]


@pytest.mark.parametrize(
    ("follow", "found"),
    [(True, "parent"), ("to", "parent"), ("from", "child"), (False, None)],
)
def test_which_end_of_a_relation_follows(follow: Any, found: str | None) -> None:
    datasets = [{"name": name, "source": SOURCE} for name in ("flights", "planes")]
    relation = {"name": "plane", "from": "flights.tailnum", "to": "planes.tailnum"}
    (link,) = parse({"datasets": datasets, "relations": [{**relation, "follow": follow}]}).links
    assert link.follow == found
    with pytest.raises(InvalidSpec, match="follow cannot be “yes”"):
        parse({"datasets": datasets, "relations": [{**relation, "follow": "yes"}]})
