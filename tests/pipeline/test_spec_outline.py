"""Templates are checked as far as they can be: slots may be anything, what is around them not."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyter_export.errors import InvalidSpec, TooLarge
from jupyter_export.spec.outline import MAX_BYTES, check, known_file_name
from jupyter_export.spec.template import filled, frames, slots

FRAME = {"type": "upload", "id": "{{flights}}"}
SLOT = {"column": "a", "op": "=", "value": "{{v}}"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"where": SLOT},
        {"where": "a > {{v}}"},
        {"where": {"and": [SLOT, "{{condition}}", {"column": "{{c}}", "op": "{{op}}"}]}},
        {"where": {"column": "a", "op": "in", "value": "{{codes}}"}},
        {"where": {"column": "a", "op": "between", "value": ["{{low}}", 5]}},
        {"limit": "{{n}}", "columns": "{{columns}}", "sort": "{{sort}}"},
        {"columns": {"include": ["{{a}}"], "rename": {"{{a}}": "b {{v}}"}}},
        {"aggregates": [{"function": "{{f}}", "column": "a"}]},
        {"aggregates": [{"function": "percentile", "column": "a", "p": "{{p}}"}]},
        {"sample": {"percent": "{{p}}"}, "on_loss": "{{l}}", "compression": "{{c}}"},
        {"time_range": {"column": "t", "start": "{{start}}", "end": "{{end}}"}},
        {"format": "{{format}}"},
        {"format": {"type": "csv", "delimiter": "{{d}}"}},
        {"retention": {"expires_after": "{{keep}}"}, "output": "{{output}}"},
        {"source": "{{source}}"},
        {"source": {"type": "{{t}}", "path": "x"}},
        {"source": {"type": "sql", "connection": "{{c}}", "query": "x", "params": {"a": "{{p}}"}}},
        {"name": "{{name}}"},
    ],
)
def test_a_slot_may_be_anything(fields: dict[str, Any]) -> None:
    check({"source": FRAME, "description": "What for.", **fields})


def test_what_is_sure_is_returned() -> None:
    document = {
        "datasets": [
            {"name": "{{a}}", "source": FRAME, "limit": 5, "where": SLOT},
            {"name": "b", "source": {"type": "table", "connection": "shop", "table": "t"}},
            {"name": "c", "source": {"type": "table", "connection": "{{db}}", "table": "t"}},
        ],
        "relations": [{"name": "r", "from": "{{a}}.x", "to": "b.x"}],
        "format": {"type": "excel", "sheet": "{{s}}", "freeze_panes": "{{f=\"A2\"}}"},
        "output": {"path": "out/{{year}}.xlsx"},
    }  # fmt: skip
    outline = check(document)
    spec = outline.spec
    assert (outline.file_name, outline.format_known) == ("file.xlsx", True)
    assert not outline.options_known
    assert [each.name for each in spec.datasets] == ["dataset 0", "b", "c"]
    assert [each.source.type for each in spec.datasets] == ["upload", "table", "upload"]
    assert (spec.datasets[0].limit, spec.datasets[0].where, spec.links) == (5, None, ())
    assert spec.format is not None
    assert (spec.format.type, spec.format.options) == ("excel", {"freeze_panes": "A2"})
    assert spec.output.path is None


WHOLE: dict[str, Any] = {
    "name": "whole",
    "datasets": [
        {
            "name": "a",
            "source": {"type": "sql", "connection": "c", "query": "q", "params": {"k": [1]}},
            "where": {"and": [
                {"column": "a", "op": "=", "value": 1},
                {"not": {"or": [{"column": "b", "op": "in", "value": [1, 2]}]}},
                {"column": "c", "op": "is_null"},
            ]},
            "time_range": {"column": "t", "start": "2013-01-01", "end": "2014-01-01"},
            "sample": {"rows": 5},
            "computed": [{"name": "z", "expression": "a+1"}],
            "group_by": ["a", {"column": "t", "time_bucket": "1 day", "as": "d"}],
            "aggregates": [{"function": "percentile", "column": "a", "p": 0.5, "as": "p"}],
            "pivot": {"index": ["d"], "on": "a", "values": "p", "function": "max"},
            "columns": {"include": ["a"], "rename": {"a": "b"}, "order": ["a"]},
            "sort": [{"column": "d", "descending": True}],
            "limit": 5,
        },
        {"name": "b", "source": FRAME},
    ],
    "relations": [{"name": "r", "from": "a.x", "to": "b.y", "follow": "from"}],
    "format": {"type": "excel", "freeze_panes": "A2"},
    "compression": "none",
    "output": {"path": "a/b.xlsx", "if_exists": "replace"},
    "retention": {"expires_after": "2h"},
    "on_loss": "warn",
}  # fmt: skip


def test_a_slot_may_stand_for_whatever_is_right() -> None:
    def each_place(here: Any) -> Iterator[tuple[Any, Any]]:
        for key in list(here) if isinstance(here, dict) else range(len(here)):
            yield here, key
            if isinstance(here[key], (dict, list)):
                yield from each_place(here[key])

    before = copy.deepcopy(WHOLE)
    tried = 0
    for holder, key in each_place(WHOLE):
        value, holder[key] = holder[key], "{{slot}}"
        check(WHOLE)
        if frames(WHOLE).get(1) == "flights":
            assert filled(WHOLE, {"slot": value}) == before
            tried += 1
        holder[key] = value
    assert tried > 70


@pytest.mark.parametrize(
    ("fields", "words", "field"),
    [
        ({"wher": SLOT}, "“wher” is not a field of the spec. Did you mean where?", "wher"),
        ({"where": {**SLOT, "op": "=="}}, "“==” is not a value", "datasets[0].where.op"),
        ({"where": {**SLOT, "vlue": 1}}, "“vlue” is not a field", "datasets[0].where.vlue"),
        ({"where": {"and": [SLOT, {"not": {"column": "b", "op": "in", "value": 1}}]}},
         "needs a list", "datasets[0].where.and[1].not"),
        ({"limit": "{{n=-1}}"}, "greater than or equal", "datasets[0].limit"),
        ({"limit": "{{n}}", "distinct": "perhaps"}, "bool", "datasets[0].distinct"),
        ({"source": {"type": "sqll", "connection": "{{c}}"}}, "Did you mean sql?",
         "datasets[0].source"),
        ({"source": {"type": "sql", "connection": "{{c}}"}}, "missing", "datasets[0].source.query"),
        ({"source": {"connection": "{{c}}"}}, "no “type”", "datasets[0].source"),
        ({"where": SLOT, "aggregates": [{"function": "sum"}]}, "“sum” needs a column",
         "datasets[0].aggregates[0]"),
        ({"source": {"type": "upload", "id": "abc"}}, "cannot name an upload",
         "datasets[0].source.id"),
        ({"source": {"type": "upload", "id": "{{x=1}}"}}, "without a default",
         "datasets[0].source.id"),
        ({"description": 5}, "not a text", "description"),
        ({"description": "x" * 1001}, "1,001 characters", "description"),
        ({"where": "a = '{{v'"}, "is not a slot", "where"),
        ({"name": object()}, "does not have", None),
        ({"deliver": ["{{x}}"]}, "cannot be run by this version", "deliver"),
    ],
)  # fmt: skip
def test_what_is_wrong_around_a_slot_is_said(
    fields: dict[str, Any], words: str, field: str | None
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        check({"source": FRAME, **fields})
    assert words in str(caught.value)
    assert caught.value.field == field


def test_it_has_a_longest_size() -> None:
    with pytest.raises(TooLarge, match="has 2"):
        check({"source": FRAME, "columns": {"include": ["x" * 9000] * (MAX_BYTES // 9000 + 1)}})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.csv", "b.csv"), ("{{d}}/b.csv", "b.csv"), ("{{y}}-{{m}}.csv.gz", "file.csv.gz"),
        ("out.{{ending}}", None), ("{{path}}", None), ("{{dir}}/", None), (None, None),
    ],
)  # fmt: skip
def test_the_ending_that_is_sure(path: Any, name: str | None) -> None:
    assert known_file_name(path) == name


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({}, True), ({"format": "csv"}, True), ({"format": {"type": "{{f}}"}}, False),
        ({"output": {"path": "a.csv"}}, True), ({"output": {"path": "{{p}}"}}, False),
        ({"output": "{{o}}"}, False), ({"output": "{{o}}", "format": "csv"}, True),
    ],
)  # fmt: skip
def test_whether_the_format_is_known(fields: dict[str, Any], known: bool) -> None:
    assert check({"source": FRAME, **fields}).format_known == known


def test_the_example_of_the_page_of_templates() -> None:
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    document = yaml.safe_load(example)
    assert slots(document) == ("year", "month", "carriers")
    assert check(document).file_name == "file.xlsx"
    (body,) = re.findall(r"-d '(.*)'", page)
    assert check(json.loads(body)).spec.datasets[0].limit == 10
