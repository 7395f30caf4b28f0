"""Formats by their names and endings, plug-ins among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from jupyter_export import registry
from jupyter_export.formats.jsonl import JsonLinesFormat
from jupyter_export.spec import parse


class Greedy(JsonLinesFormat):
    """A plug-in that claims an ending of a built-in format."""

    type: ClassVar[str] = "greedy"
    endings: ClassVar[tuple[str, ...]] = (".greedy", ".csv")


class Entry:
    def __init__(self, name: str, made: Any) -> None:
        self.name = name
        self._made = made

    def load(self) -> Any:
        if self._made is None:
            raise ImportError("no such module")
        return self._made


@pytest.fixture
def _with_plug_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    entries = [Entry("broken", None), Entry("greedy", Greedy), Entry("csv", None)]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    registry.formats.cache_clear()
    yield
    registry.formats.cache_clear()


@pytest.mark.usefixtures("_with_plug_ins")
def test_a_plug_in_that_cannot_be_loaded_takes_nothing_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert {"csv", "greedy"} <= set(registry.formats())
    assert "broken" not in registry.formats()
    assert "the format broken cannot be loaded" in caplog.text


@pytest.mark.usefixtures("_with_plug_ins")
def test_an_ending_stays_with_the_built_in_format() -> None:
    spec = parse({"source": {"type": "upload", "id": "a"}})
    assert registry.choose(spec, "x.csv").format.type == "csv"
    assert registry.choose(spec, "x.greedy").format.type == "greedy"
