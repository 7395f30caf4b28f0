"""Documents in YAML."""

from __future__ import annotations

import pytest
import yaml

from jupyter_export.spec.written import from_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: carrier\nno: 1\n2013: x\n", {"on": "carrier", "no": 1, "2013": "x"}),
        ("a: 2013-01-01\nb: 2013-01-01T01:02:03Z",
         {"a": "2013-01-01", "b": "2013-01-01T01:02:03Z"}),
        ("a: no\nb: 1.5\nc: null\nd: [1, x]", {"a": False, "b": 1.5, "c": None, "d": [1, "x"]}),
        ("a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, x: 4}",
         {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 4, "y": 3}}),
    ],
)  # fmt: skip
def test_a_text_means_what_the_same_json_does(text: str, value: object) -> None:
    assert from_yaml(text) == value


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: {b: 1, 'b': 2}", "a: !!python/name:os.system"])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        from_yaml(text)
