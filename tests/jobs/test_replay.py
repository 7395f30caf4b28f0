"""Which exports may simply be run again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_export.jobs.connectable import parse as connections
from jupyter_export.jobs.files import make_folders
from jupyter_export.jobs.replay import why_not
from jupyter_export.jobs.settings import Settings
from jupyter_export.spec import parse

SQL = {"type": "sql", "query": "DELETE FROM flights RETURNING *"}
CAREFUL = {
    "reader": "sqlite:///a.db",
    "writer": {"url": "sqlite:///a.db", "read_only": False},
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    make_folders(settings)
    (settings.uploads / "kept.arrows").write_bytes(b"")
    (settings.uploads / "half.arrows.part").write_bytes(b"")
    return replace(settings, connections=connections(CAREFUL))


def reason(settings: Settings, *sources: dict[str, Any]) -> str | None:
    datasets = [{"name": f"set{number}", "source": source} for number, source in enumerate(sources)]
    return why_not(parse({"datasets": datasets, "format": "csv"}), settings)


@pytest.mark.parametrize(
    "source",
    [
        {"type": "upload", "id": "kept"},
        {"type": "file", "path": "flights.csv"},
        {"type": "file", "path": "flights.csv", "connection": "writer"},
        {"type": "table", "connection": "reader", "table": "flights"},
        {"type": "table", "connection": "writer", "table": "flights"},
        {**SQL, "connection": "reader"},
        {**SQL, "connection": "gone"},
    ],
)
def test_what_only_reads_may_be_read_again(source: dict[str, Any], settings: Settings) -> None:
    assert reason(settings, source) is None


@pytest.mark.parametrize("upload", ["gone", "half"])
def test_an_upload_must_still_be_here(upload: str, settings: Settings) -> None:
    said = reason(settings, {"type": "upload", "id": upload})
    assert said == "The data of “set0” that was sent for it is no longer here."


def test_a_query_that_may_write_is_not_asked_twice(settings: Settings) -> None:
    said = reason(settings, {**SQL, "connection": "writer"})
    assert said is not None
    assert "“set0” may have changed data" in said
    assert "“writer” is not read-only" in said


def test_one_dataset_is_enough_to_say_no(settings: Settings) -> None:
    said = reason(settings, {"type": "upload", "id": "kept"}, {**SQL, "connection": "writer"})
    assert said is not None
    assert "“set1”" in said
