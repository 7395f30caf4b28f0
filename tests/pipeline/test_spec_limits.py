"""What may be sent: one too many of anything is one short sentence, whatever is sent instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_export.errors import InvalidSpec
from jupyter_export.spec import limits, parse

SOURCE = {"type": "upload", "id": "x"}
NESTED = 100_000


def compared(**changes: Any) -> dict[str, Any]:
    return {"column": "a", "op": "=", "value": 1, **changes}


def deep(levels: int, key: str) -> dict[str, Any]:
    made: dict[str, Any] = compared()
    for _ in range(levels):
        made = {key: [made]} if key != "not" else {key: made}
    return made


def sql(**changes: Any) -> dict[str, Any]:
    return {"source": {"type": "sql", "connection": "c", "query": "SELECT 1", **changes}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * NESTED, "nested too deeply"),
        (b'{"a":' * NESTED, "nested too deeply"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested too deeply"),
        (b'{"name": "a", "name": "b"}', "“name” stands twice"),
        (b'{"limit": 1e400}', "1e400 is too large"),
        (b'{"limit": -1e400}', "too large"),
        (b'{"limit": NaN}', "no NaN"),
        (b'{"limit": %s}' % (b"9" * 1300), "too many digits"),
        (b'{"limit": %s}' % (b"9" * 5000), "too many digits"),
        (b'{"name": "\\ud800"}', "lone surrogate"),
        (b'{"name": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": [%s0]}' % (b"0," * limits.MAX_VALUES), "more than 200,000 values"),
    ],
)
def test_json(text: bytes, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        parse(text)
    assert len(str(caught.value)) < 500


def in_python() -> dict[str, Any]:
    made: Any = 1
    for _ in range(NESTED):
        made = [made]
    return {"source": SOURCE, "format": {"type": "csv", "x": made}}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"name": "n" * 201, "source": SOURCE}, "name"),
        ({"name": "a\nb", "source": SOURCE}, "name"),
        ({"name": "a\u202eb", "source": SOURCE}, "name"),
        ({"datasets": [{"name": "a\x1b[2J", "source": SOURCE}]}, "datasets[0].name"),
        ({"datasets": [{"name": f"n{i}", "source": SOURCE} for i in range(101)]}, "datasets"),
        ({"source": SOURCE, "relations": [{}] * 101}, "relations"),
        ({"source": SOURCE, "where": "a" * 20_001}, "datasets[0].where"),
        ({"source": SOURCE, "where": deep(26, "and")}, "datasets[0].where"),
        ({"source": SOURCE, "where": deep(51, "not")}, "datasets[0].where"),
        ({"source": SOURCE, "where": {"or": [compared()] * 1001}}, "datasets[0].where.or"),
        (
            {"source": SOURCE, "where": compared(op="in", value=[*range(10_001)])},
            "datasets[0].where.value",
        ),
        ({"source": SOURCE, "where": compared(value=10**2000)}, "where.value"),
        ({"source": SOURCE, "where": compared(value="v" * 100_001)}, "where.value"),
        ({"source": SOURCE, "where": compared(column="c" * 10_001)}, "datasets[0].where.column"),
        ({"source": SOURCE, "columns": ["c"] * 10_001}, "datasets[0].columns"),
        ({"source": SOURCE, "columns": {"exclude": ["c"] * 10_001}}, "datasets[0].columns.exclude"),
        (
            {"source": SOURCE, "columns": {"rename": {f"c{i}": "d" for i in range(10_001)}}},
            "datasets[0].columns.rename",
        ),
        (
            {"source": SOURCE, "aggregates": [{"function": "count"}] * 1001},
            "datasets[0].aggregates",
        ),
        ({"source": SOURCE, "sort": ["a"] * 101}, "datasets[0].sort"),
        ({"source": SOURCE, "group_by": ["a"] * 101}, "datasets[0].group_by"),
        (sql(query="q" * 100_001), "source.query"),
        (sql(query="SELECT '\0'"), "source.query"),
        (sql(connection="c" * 201), "datasets[0].source.connection"),
        (sql(connection="c\n"), "datasets[0].source.connection"),
        (sql(params={f"p{i}": 1 for i in range(1001)}), "datasets[0].source.params"),
        ({"source": {"type": "file", "path": "p" * 4097}}, "datasets[0].source.path"),
        ({"source": SOURCE, "output": {"path": "p" * 4097}}, "output.path"),
        ({"source": SOURCE, "format": {"type": "f" * 201}}, "format.type"),
        ({"source": SOURCE, "format": {"type": "csv", "x": ["y" * 90_000] * 12}}, "format"),
        (in_python(), None),
        ({"source": SOURCE, "k" * 5_000_000: 1}, None),
        ({"source": SOURCE, "k" * 9_000: 1}, "k"),
    ],
)
def test_a_document(document: dict[str, Any], field: str | None) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(document)
    assert len(str(caught.value)) < 1000
    assert len(caught.value.field or "") < 310
    if field is not None:
        assert str(caught.value.field).startswith(field)


def test_as_many_as_are_allowed() -> None:
    whole = {
        "name": "n" * 200,
        "datasets": [{"name": f"n{i}", "source": SOURCE} for i in range(100)],
    }
    assert len(parse(json.dumps(whole)).datasets) == 100
    one = {
        "source": SOURCE,
        "where": {
            "and": [
                compared(op="in", value=[*range(10_000)]),
                compared(value=10**900),
                *[compared()] * 998,
            ]
        },
        "columns": {"include": [f"c{i}" for i in range(10_000)], "rename": {"c1": "two\nlines"}},
    }
    assert parse(json.dumps(one)).datasets[0].columns.rename == {"c1": "two\nlines"}
    assert parse(sql(query="q" * 100_000))
    assert parse({"source": SOURCE, "where": "a" * 20_000})
    assert parse({"source": SOURCE, "where": deep(24, "and")})


def test_thousands_of_faults_are_one_sentence() -> None:
    document = {"datasets": [{f"x{i}": 1 for i in range(1000)}] * 100}
    with pytest.raises(InvalidSpec, match="“x0” is not a field of datasets"):
        parse(document)


@pytest.mark.parametrize("text", ["a" * 5000, "\x1b[31m\u202e\ud800\n", "é" * 90])
def test_what_a_sentence_repeats(text: str) -> None:
    shown = limits.shown(text)
    assert len(shown) <= 81
    assert not limits.unprintable(shown)
    shown.encode()
