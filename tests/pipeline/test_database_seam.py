"""What the pipeline promises of any database: one opening, one moment, no half a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import pipeline, registry
from jupyter_export.errors import InvalidSpec, LossRefused, QueryFailed
from jupyter_export.spec import parse

from .conftest import Bench
from .fake_database import ROWS, FakeDatabase

TABLE = {"type": "table", "connection": "db", "table": "t"}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.DATABASES, "fake", f"{FakeDatabase.__module__}:open_fake")
    FakeDatabase.opened = []
    yield
    assert all(each.closed for each in FakeDatabase.opened)


def run(bench: Bench, url: str = "fake://", target: str = "out.arrow", **document: Any) -> Any:
    wanted = {"source": TABLE} if "datasets" not in document else {}
    return bench.run({**wanted, **document}, target, connections={"db": url})


def rows(bench: Bench) -> pa.Table:
    with pa.ipc.open_file(bench.root / "out.arrow") as file:
        return file.read_all()


def test_a_type_that_is_known_late_begins_again(bench: Bench) -> None:
    result = run(bench, "fake://?late=2")
    assert rows(bench).to_pydict() == {"a": ["1", "2", "3", "4"], "b": ["1", "2", "3", "4"]}
    assert [(loss["kind"], loss["column"]) for loss in result.losses] == [
        ("database_type", "a"),
        ("database_type", "b"),
    ]
    (database,) = FakeDatabase.opened
    assert database.attempts == 3
    assert result.rows == ROWS
    assert bench.left() == ["out.arrow"]


def test_what_becomes_text_is_refused_where_no_loss_is_allowed(bench: Bench) -> None:
    with pytest.raises(LossRefused, match="Column “a” would not be exported as it is"):
        run(bench, "fake://?late=1", on_loss="error")
    assert bench.left() == []


def test_several_datasets_open_a_connection_once(bench: Bench) -> None:
    datasets = [{"name": name, "source": TABLE} for name in ("one", "two")]
    result = run(bench, "fake://", "out.xlsx", datasets=datasets)
    assert len(FakeDatabase.opened) == 1
    assert not [loss for loss in result.losses if loss["kind"] == "not_point_in_time"]


def test_datasets_of_different_moments_say_so(bench: Bench) -> None:
    datasets = [{"name": name, "source": TABLE} for name in ("one", "two")]
    result = run(bench, "fake://?moment=no", "out.xlsx", datasets=datasets)
    found = [loss for loss in result.losses if loss["kind"] == "not_point_in_time"]
    assert [loss["dataset"] for loss in found] == ["one", "two"]
    assert "one, two were read from db one after the other" in found[0]["message"]
    # one statement by itself sees one moment everywhere
    alone = run(bench, "fake://?moment=no", "alone.csv")
    assert not alone.losses


def test_a_query_that_breaks_late_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(QueryFailed, match="division by zero"):
        run(bench, "fake://?breaks=yes", "out.csv")
    assert bench.left() == []


def test_a_preview_begins_again_too_and_tells_an_estimate(bench: Bench) -> None:
    here = bench.surroundings(connections={"db": "fake://?late=1"})
    found = pipeline.preview(parse({"source": TABLE}), here, 2).to_json()
    assert found["datasets"][0]["columns"][0] == {"name": "a", "type": "string"}
    assert found["datasets"][0]["total_rows"] == ROWS
    assert [loss["kind"] for loss in found["losses"]] == ["database_type"]


def test_a_connection_nobody_knows_names_the_nearest(bench: Bench) -> None:
    with pytest.raises(InvalidSpec, match="“dbb” is not a known connection") as caught:
        run(bench, source={**TABLE, "connection": "dbb"})
    assert caught.value.hint == "Did you mean db?"
