"""Documents with slots: which there are, what becomes of them, and what is said of wrong ones."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_export.errors import ExportError, InvalidRequest, InvalidSpec
from jupyter_export.spec import parse
from jupyter_export.spec.template import (
    check_name,
    filled,
    frame_source,
    frames,
    parameters,
    slots,
)

MONTHLY = {
    "description": "Delays of {{a month",
    "source": {"type": "upload", "id": "{{flights}}"},
    "where": {"and": [
        {"column": "year", "op": "=", "value": "{{year=2013}}"},
        {"column": "month", "op": "=", "value": "{{month}}"},
        {"column": "carrier", "op": "in", "value": '{{ carriers = ["AA", "}}"] }}'},
    ]},
    "columns": {"rename": {"dep_delay": "delay in {{year}}", '{{measure="x"}}': "y"}},
    "output": {"path": "out/{{year}}-{{month}}.csv"},
}  # fmt: skip


def test_slots_and_frames_are_told_apart() -> None:
    assert slots(MONTHLY) == ("year", "month", "carriers", "measure")
    assert frames(MONTHLY) == {0: "flights"}
    assert [each.to_json() for each in parameters(MONTHLY)] == [
        {"name": "year", "default": 2013, "required": False},
        {"name": "month", "default": None, "required": True},
        {"name": "carriers", "default": ["AA", "}}"], "required": False},
        {"name": "measure", "default": "x", "required": False},
    ]
    several = {
        "datasets": [
            {"source": frame_source("flüge")},
            {"source": {"type": "table", "connection": "{{db}}", "table": "t"}},
            {"source": {"type": "upload", "id": "{{ planes }}"}},
        ]
    }
    assert (frames(several), slots(several)) == ({0: "flüge", 2: "planes"}, ("db",))


def test_a_template_is_filled() -> None:
    made = filled(MONTHLY, {"month": 1})
    assert made == {
        "source": {"type": "upload", "id": "{{flights}}"},
        "where": {"and": [
            {"column": "year", "op": "=", "value": 2013},
            {"column": "month", "op": "=", "value": 1},
            {"column": "carrier", "op": "in", "value": ["AA", "}}"]},
        ]},
        "columns": {"rename": {"dep_delay": "delay in 2013", "x": "y"}},
        "output": {"path": "out/2013-1.csv"},
    }  # fmt: skip
    parse({**made, "source": {"type": "upload", "id": "u0"}})
    assert MONTHLY["source"] == frame_source("flights")  # it was not touched
    twice = filled({"a": "{{x}}", "b": "at {{x}}"}, {"x": "{{y}}"})
    assert twice == {"a": "{{y}}", "b": "at {{y}}"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (1.5, "1.5"), ("ü", "ü"), (date(2013, 1, 2), "2013-01-02")],
)
def test_a_value_keeps_its_type_alone_and_is_a_text_inside_of_one(value: Any, text: str) -> None:
    made = filled({"alone": "{{x}}", "inside": "<{{x}}>"}, {"x": value})
    assert made == {"alone": value, "inside": f"<{text}>"}
    assert type(made["alone"]) is type(value)


def test_two_braces_can_be_meant() -> None:
    document = {"name": 'a {{"{{"}}b}} c', "other": "}} {"}
    assert slots(document) == ()
    assert filled(document, {}) == {"name": "a {{b}} c", "other": "}} {"}


@pytest.mark.parametrize(
    ("document", "values", "words", "field"),
    [
        ({"a": {"b": ["{{x}}"]}, "c": "{{y=1}}"}, {}, "“x” has no value. Give it as --param x=VAL",
         "a.b[0]"),
        ({"a": "{{x}}{{y}}"}, {}, "“x”, “y” have none. Give them as --param x=VALUE --param y=",
         "a"),
        ({"a": "{{year}}"}, {"year": 1, "yaer": 1},
         "“yaer” is not a parameter of this template. Did you mean year?", None),
        ({"a": "b"}, {"x": 1}, "It has no parameters.", None),
        ({"a": "{{x=1}} {{x=2}}"}, {}, "two defaults: 1 and 2. Leave one as {{x}}.", "a"),
        ({"a": "on {{x}}"}, {"x": [1]}, "stands inside a text", "a"),
        ({"a": {"{{x}}": 1, "b": 2}}, {"x": "b"}, "“b” stands twice", "a"),
        ({"a": "{{x"}, {}, "“{{x” is not a slot", "a"),
        ({"a": "{{}}"}, {}, "not a slot", "a"),
        ({"a": "{{1x}}"}, {}, "not a slot", "a"),
        ({"a": "{{x y}}"}, {}, "not a slot", "a"),
        ({"a": "{{x=}}"}, {}, "not a slot", "a"),
        ({"a": "{{x=AA}}"}, {}, 'the default as JSON', "a"),
        ({"a": "{{x=NaN}}"}, {}, "not a slot", "a"),
        ({"a": "{{x=1e999}}"}, {}, "not a slot", "a"),
        ({"a": "{{x=" + "[" * 5000 + "}}"}, {}, "not a slot", "a"),
        ([], {}, "not a JSON object", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(document: Any, values: Any, words: str, field: str | None) -> None:
    with pytest.raises(InvalidSpec) as caught:
        filled(document, values)
    assert words in str(caught.value)
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["monthly", "a", "2013-01", "été_1.x", "x" * 100])
def test_names(name: str) -> None:
    assert check_name(name) == name
    assert check_name("e\u0301") == "é"


@pytest.mark.parametrize("name", ["", "x" * 101, "a/b", "..", ".a", "-x", "a b", "a\n", None, 5])
def test_names_refused(name: Any) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name of a template"):
        check_name(name)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_any_value_is_a_default_and_a_value(value: Any) -> None:
    slot = f"{{{{x={json.dumps(value)}}}}}"
    assert filled({"a": slot, "b": "{{x}}"}, {}) == {"a": value, "b": value}
    assert filled({"a": slot}, {"x": value}) == {"a": value}


@given(st.text(st.sampled_from(list('{}="[]x1 ,')), max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        names = slots({"a": text})
    except ExportError:
        assert "{{" in text
        return
    values = dict.fromkeys(names, "v")
    made = filled({"a": text}, values)["a"]
    assert isinstance(made, str)
    assert made == text or "{{" in text


@pytest.mark.parametrize(
    ("text", "places"), [("{{v}}", 2000), ("a{{v}}", 2000), ("{{v}}" * 100, 20)]
)
def test_a_long_value_does_not_fill_the_memory(text: str, places: int) -> None:
    """Two thousand places of a text of 90,000 characters would be 180 MB."""
    document = {"name": '{{v="' + "x" * 90_000 + '"}}', "columns": [text] * places}
    assert slots(document) == ("v",)
    for values in ({}, {"v": ["y" * 90_000]}):
        with pytest.raises(InvalidSpec, match=r"too large|no text"):
            filled(document, values)
    assert len(filled(document, {"v": "y"})["columns"]) == places
