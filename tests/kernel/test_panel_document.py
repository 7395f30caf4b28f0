"""What the panel knows of documents, columns and frames, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyter_export import registry
from jupyter_export.client.draft import read
from jupyter_export.errors import InvalidRequest, InvalidSpec
from jupyter_export.panel import assets, frames
from jupyter_export.panel import columns as kinds
from jupyter_export.panel import document as documents
from jupyter_export.spec import parse

FRAME = {"type": "upload", "id": "{{flights}}"}
FORMATS = {
    name: {
        "type": name,
        "endings": list(each.endings),
        "capabilities": {"outer_compression": each.capabilities.outer_compression},
    }
    for name, each in registry.formats().items()
}


def start(**fields: Any) -> dict[str, Any]:
    return {**documents.of_frame("flights"), **fields}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('{"datasets": [{"name": "a", "source": {"type": "file", "path": "a.csv"}}]}',
         {"name": "a", "source": {"type": "file", "path": "a.csv"}}),
        ("source: {type: file, path: a.csv}\nlimit: 5\n",
         {"source": {"type": "file", "path": "a.csv"}, "limit": 5}),
        ("source: {type: upload, id: '{{flights}}'}", {"source": FRAME}),
    ],
)  # fmt: skip
def test_json_and_yaml_are_held_in_the_short_form(text: str, held: dict[str, Any]) -> None:
    assert documents.read_text(text) == held


@pytest.mark.parametrize("text", ["", "  ", "just words", "{", "a: [", "[1]", "- a"])
def test_what_is_no_spec_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InvalidSpec):
        documents.read_text(text)


def test_two_datasets_stay_as_they_are() -> None:
    several = {"datasets": [{"name": "a", "source": FRAME}, {"name": "b", "source": FRAME}]}
    assert documents.held(several) == several
    assert documents.frame_names(several) == {0: "flights", 1: "flights"}
    assert [each.name for each in documents.checked(several).datasets] == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"where": {"and": [{"column": "a", "op": "in"}]}}, "where.and[0]", "“in” needs a list"),
        ({"aggregates": [{"function": "sum"}]}, "aggregates[0]", "“sum” needs a column"),
        ({"wher": "a > 1"}, "wher", "“wher” is not a field"),
        ({"limit": "{{most}}"}, "limit", "parameter “most” has no value"),
        ({"source": None}, "source", ""),
    ],
)
def test_a_problem_names_the_field_as_it_is_written(
    fields: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        documents.checked(start(**fields))
    assert (caught.value.field or "").startswith(field)
    assert said in caught.value.message
    assert "datasets[0]" not in caught.value.message


def test_nothing_is_no_error_but_a_wish() -> None:
    with pytest.raises(InvalidSpec, match="Choose what to export"):
        documents.checked({})


def test_a_default_of_a_template_is_a_value() -> None:
    assert documents.checked(start(limit="{{most=7}}")).datasets[0].limit == 7


@pytest.mark.parametrize(
    ("before", "change", "path", "rest"),
    [
        # the path follows the format, and keeps its stem, its folder and its compression
        ({}, {"format": {"type": "excel"}}, "exports/flights.xlsx", {}),
        ({"output": {"path": "a/my.data.csv.gz"}}, {"format": {"type": "jsonl"}},
         "a/my.data.jsonl.gz", {}),
        ({"output": {"path": "a/b.csv.gz"}, "compression": "gzip"},
         {"format": {"type": "parquet"}}, "a/b.parquet", {"compression": None}),
        ({"output": {"path": "b.txt"}}, {"format": {"type": "pdf"}}, "b.txt.pdf", {}),
        ({"output": {"path": "b.csv.zip"}}, {"format": {"type": "json"}}, "b.json.zip", {}),
        # and the compression
        ({}, {"compression": "zstd"}, "exports/flights.csv.zst", {}),
        ({"compression": "gzip", "output": {"path": "b.csv.gz"}}, {"compression": None}, "b.csv",
         {}),
        # the format follows the path
        ({"format": {"type": "csv", "delimiter": ";"}}, {"output": {"path": "b.xlsx"}}, "b.xlsx",
         {"format": {"type": "excel"}}),
        ({"format": {"type": "csv"}}, {"output": {"path": "b.unknown"}}, "b.unknown",
         {"format": {"type": "csv"}}),
        # names follow the source, unless they are the user's
        ({}, {"source": {"type": "upload", "id": "{{planes}}"}}, "exports/planes.csv",
         {"name": "planes"}),
        ({"output": {"path": "mine.csv"}}, {"source": {"type": "upload", "id": "{{planes}}"}},
         "mine.csv", {"name": "planes"}),
        # whoever writes the whole is not corrected
        ({}, {"format": {"type": "excel"}, "output": {"path": "b.csv"}}, "b.csv",
         {"format": {"type": "excel"}}),
    ],
)  # fmt: skip
def test_one_choice_follows_another(
    before: dict[str, Any], change: dict[str, Any], path: str, rest: dict[str, Any]
) -> None:
    old = start(**before)
    new = {key: value for key, value in {**old, **change}.items() if value is not None}
    made = documents.followed(old, new, FORMATS)
    assert documents.path_of(made) == path
    for name, value in rest.items():
        assert made.get(name) == value


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int8(), "number"), (pa.decimal128(9, 2), "number"), (pa.float16(), "number"),
        (pa.large_string(), "text"), (pa.dictionary(pa.int8(), pa.string()), "text"),
        (pa.timestamp("us", "Europe/Paris"), "time"), (pa.date32(), "date"), (pa.bool_(), "bool"),
        (pa.list_(pa.int64()), "other"), (pa.time64("us"), "other"),
        (pa.dictionary(pa.int8(), pa.date32()), "date"),
    ],
)  # fmt: skip
def test_a_type_is_of_a_kind(kind: pa.DataType, expected: str) -> None:
    assert kinds.kind_of(str(kind)) == expected


@pytest.mark.parametrize("kind", kinds.OPERATORS)
def test_every_operator_that_is_offered_is_one(kind: str) -> None:
    for each in kinds.OPERATORS[kind]:
        value = {"in": ["a"], "not_in": ["a"], "between": ["a", "b"], "is_null": None,
                 "not_null": None}.get(each["op"], "a")  # fmt: skip
        where = {"column": "x", "op": each["op"], "value": value}
        parse({"source": {"type": "file", "path": "a.csv"}, "where": where})
        assert each["label"]


def test_columns_after_a_group_have_names_and_types() -> None:
    source = [kinds.column("carrier", "string"), kinds.column("delay", "double"),
              kinds.column("day", "date32[day]")]  # fmt: skip
    document = start(
        group_by=["carrier", {"column": "day", "time_bucket": "1 month", "as": "month"}],
        aggregates=[
            {"function": "count"},
            {"function": "max", "column": "day", "as": "last"},
            {"function": "avg", "column": "delay"},
        ],
        columns={"include": ["carrier"], "rename": {"carrier": "who"}},
    )
    dataset = documents.checked(document).datasets[0]
    shown = [kinds.column("who", "large_string")]
    found = kinds.shaped(dataset, source, shown)
    assert found is not None
    assert [(each["name"], each["type"]) for each in found] == [
        ("carrier", "large_string"), ("month", ""), ("count", "int64"), ("last", "date32[day]"),
        ("avg_delay", "double"),
    ]  # fmt: skip
    pivoted = documents.checked({**document, "pivot": {"on": "carrier", "values": "last"}})
    assert kinds.shaped(pivoted.datasets[0], source, shown) is None


def test_columns_that_the_steps_name() -> None:
    document = start(
        where={"not": {"or": [{"column": "a", "op": "is_null"}]}},
        computed=[{"name": "made", "expression": "a + 1"}],
        columns={"include": ["b", "made"], "order": ["c"]},
    )
    assert documents.names_used(document) == {"a", "b", "c"}
    assert documents.without_steps(document) == start()


# ----------------------------------------------------------------- frames


def test_frames_are_found_and_described_without_being_read() -> None:
    flights = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    holdings = frames.Holdings({"flights": flights, "_hidden": flights, "n": 5,
                                "planes": pl.DataFrame({"p": [1]}),
                                "table": pa.table({"t": [1]})})  # fmt: skip
    assert holdings.described() == [
        {"name": "flights", "kind": "pandas DataFrame", "rows": 2, "columns": 2},
        {"name": "planes", "kind": "polars DataFrame", "rows": 1, "columns": 1},
        {"name": "table", "kind": "pyarrow Table", "rows": 1, "columns": 1},
    ]
    assert holdings.name_of(flights) == "flights"
    unnamed = flights.head(1)
    assert holdings.name_of(unnamed) == "data"
    assert holdings.frame("data") is unnamed
    with pytest.raises(InvalidRequest, match="Did you mean planes"):
        holdings.frame("plane")


def test_the_types_of_a_column_of_objects_are_known() -> None:
    frame = pd.DataFrame(
        {"a": pd.Series(["x", "y"], dtype=object), "t": pd.to_datetime(["2020"] * 2)}
    )
    found = frames.columns(frame)
    assert found is not None
    assert [each["kind"] for each in found] == ["text", "time"]


@pytest.mark.parametrize("frame", [
    pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}), pl.DataFrame({"a": [1, 2, 3]}),
])  # fmt: skip
def test_a_frozen_frame_does_not_change(frame: Any) -> None:
    kept = frames.frozen(frame)
    if isinstance(frame, pd.DataFrame):
        frame.loc[0, "a"] = 99
    else:
        frame[0, "a"] = 99
    assert read(kept).read_all()["a"].to_pylist() == [1, 2, 3]


def test_a_column_that_was_replaced_is_seen() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    before = frames.fingerprint(frame)
    assert frames.fingerprint(frame) == before
    frame["a"] = [4, 5, 6]
    assert frames.fingerprint(frame) != before


def test_another_frame_is_never_taken_for_one_that_is_gone() -> None:
    """A frame that is made again lies where one before it lay, of the same length and names."""
    seen = set()
    for n in range(20):
        frame = pl.DataFrame({"a": [n, 2, 3]})
        seen.add(frames.fingerprint(frame))
        assert frames.fingerprint(frame) in seen
    assert len(seen) == 20


def test_a_given_frame_is_offered_once_when_a_variable_gets_its_name() -> None:
    names: dict[str, Any] = {}
    holdings = frames.Holdings(names)
    given = pd.DataFrame({"a": [1]})
    assert holdings.name_of(given) == "data"
    names["data"] = pd.DataFrame({"b": [1, 2]})
    assert [name for name, _ in holdings.frames()] == ["data"]
    assert holdings.frame("data") is given
    holdings.forget_given()
    assert holdings.frame("data") is names["data"]


def test_large_numbers_keep_their_digits_in_a_browser() -> None:
    large = 2**53 + 1
    where = {"and": [{"column": "id", "op": "in", "value": [large, 7]},
                     {"not": {"column": "id", "op": "=", "value": -large}}]}  # fmt: skip
    exact = {"and": [{"column": "id", "op": "in", "value": [str(large), 7]},
                     {"not": {"column": "id", "op": "=", "value": str(-large)}}]}  # fmt: skip
    assert documents.held(start(where=where))["where"] == exact
    two = {"datasets": [{"source": FRAME, "where": where}, {"source": FRAME}]}
    assert documents.held(two)["datasets"][0]["where"] == exact


def test_every_file_of_the_page_is_a_part_of_it() -> None:
    view = Path(assets.__file__).parent / "view"
    assert {each.name for each in view.glob("*.js")} == set(assets.PARTS)
    assert {each.name for each in view.glob("*.css")} == set(assets.SHEETS)
    exporting = [n for n in assets.PARTS if "export default" in (view / n).read_text("utf-8")]
    assert exporting == [assets.PARTS[-1]]
    assert "://" not in (assets.module() + assets.style()).replace("http://www.w3.org/", "")
