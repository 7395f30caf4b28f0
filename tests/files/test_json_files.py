"""JSON and JSON Lines: every record, every digit, and a sentence for what cannot be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from jupyter_export.errors import SourceFailed

from .conftest import Bench, read, write

LONG = Decimal("3.14159265358979323846")
RECORDS: list[tuple[str, str, list[Any]]] = [
    ('{"a":1}{"a":9223372036854775808}', "uint64", [1, 2**63]),
    ('{"a":-1}{"a":9223372036854775808}', "decimal128(38, 0)", [-1, 2**63]),
    ('{"a":1}{"a":123456789012345678901234567890}', "decimal128(38, 0)", [
        1, 123456789012345678901234567890
    ]),
    ('{"a": 3.14159265358979323846, "b":"a: 1"}', "decimal128(38, 20)", [LONG]),
    ('{"a":1.5}{"a":9007199254740993}', "decimal128(38, 1)", [Decimal("1.5"), 9007199254740993]),
    ('{"a":0.1}{"a":1E5}{"a":1}', "double", [0.1, 1e5, 1.0]),
    ('{"a":1e400}', "string", ["1e400"]),
    ('{"a":"007"}{"a":"1.5"}', "string", ["007", "1.5"]),
    ('{"a":1}{"a":"x"}{}{"a":null}{"a":{"b":1}}', "string", ["1", "x", None, None, '{"b":1}']),
    ('{"a":"01-02-2013"}', "string", ["01-02-2013"]),
    ('{"a":"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}', "string", None),
    ('{"a":"2013-01-02"}', "date32[day]", None),
    ('{"a":"2013-01-02T03:04:05Z"}', "timestamp[us, tz=UTC]", None),
    ('{"a":true}{"a":false}', "bool", [True, False]),
    ('{"a":true}{"a":1}', "string", ["true", "1"]),
    ('{"a":[1,2]}{"a":[]}{"a":[1.5]}', None, [[1.0, 2.0], [], [1.5]]),
    ('{"a":[0.30000000000000004]}', None, [[0.30000000000000004]]),
    ('{"a":{"x":1}}{"a":{"y":["q"]}}', None, [{"x": 1, "y": None}, {"x": None, "y": ["q"]}]),
    ('{"a":[9007199254740993,1.5]}', "string", ["[9007199254740993,1.5]"]),
    ('{"a":[18446744073709551615]}', "string", ["[18446744073709551615]"]),
    ('{"a":{"x":1,"x":2}}', "string", ['{"x":1,"x":2}']),
    ('{"a":{"x":1}}{"a":{"X":2}}', "string", ['{"x":1}', '{"X":2}']),
    ('{"a":[1,"x"]}', "string", ['[1,"x"]']),
    ('{"a":[1e400]}', "string", ["[1e400]"]),
    ('{"a":"\\u0000\\ud83d\\ude00"}', "string", ["\0😀"]),
]  # fmt: skip


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize(("records", "kind", "values"), RECORDS, ids=[r[0] for r in RECORDS])
def test_every_value(
    bench: Bench, records: str, kind: str | None, values: list[Any] | None, array: bool
) -> None:
    lines = records.replace("}{", "}\n{").split("\n")
    name = "x.json" if array else "x.jsonl"
    write(bench.root, name, f"[{', '.join(lines)}]" if array else "\n".join(lines) + "\n")
    column = read(bench, name)["a"]
    assert len(column) == len(lines)
    if kind is not None:
        assert str(column.type) == kind
    if values is not None:
        assert column.to_pylist() == values


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"a":1}\n\n\n{"b":2}\n', [{"a": 1, "b": None}, {"a": None, "b": 2}]),
        ('{"a":1,"A":2,"a_1":3}', [{"a": 1, "A": 2, "a_1": 3}]),
        ('{"a.b":1,"c/d":2,"e~f":3,"q\\"r":4,"é":5,"":6}', None),
        ("[1, 2]", [{"value": 1}, {"value": 2}]),
        ('[{"a":1}, 2]', [{"value": '{"a":1}'}, {"value": "2"}]),
        ('\ufeff{"a":\n1}\n', [{"a": 1}]),
    ],
)
def test_shapes(bench: Bench, text: str, rows: list[Any] | None) -> None:
    write(bench.root, "x.json", text)
    found = read(bench, "x.json").to_pylist()
    assert found == (rows or [{"a.b": 1, "c/d": 2, "e~f": 3, 'q"r': 4, "é": 5, "": 6}])


def test_a_record_of_20_megabytes(bench: Bench) -> None:
    write(bench.root, "x.jsonl", '{"a":"' + "x" * 20_000_000 + '"}\n')
    assert len(read(bench, "x.jsonl")["a"][0].as_py()) == 20_000_000


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("x.jsonl", '{"a":1}\n{"a":bad}\n', "Line 2 of “x.jsonl” is not JSON"),
        ("x.jsonl", '{"a":1}\n{"a":2', "Line 2 of “x.jsonl” is not JSON"),
        ("x.jsonl", b'{"a":1}\n{"a":"\xe9"}\n', "Line 2 of “x.jsonl” is not UTF-8"),
        ("x.json", '{"a":bad}', "“x.json” is not JSON"),
        ("x.json", '{"a":1}'.encode("utf-16"), "“x.json” is not UTF-8. Save it as UTF-8"),
        ("x.json", '{"a":1,"a":2}', "A record of “x.json” has the key “a” twice"),
        ("x.json", "[]", "“x.json” holds no records"),
        ("x.json", "{}", "The records of “x.json” have no fields"),
        ("x.json", "", "“x.json” is empty"),
    ],
)
def test_what_is_wrong_is_said(bench: Bench, name: str, data: str | bytes, sentence: str) -> None:
    write(bench.root, name, data)
    with pytest.raises(SourceFailed) as caught:
        read(bench, name)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(bench.root) not in str(caught.value)
