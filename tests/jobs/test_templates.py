"""Templates of a service: kept by name for whoever made them, checked, and entered in the trail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.errors import InvalidRequest, InvalidSpec, NotFound, TooLarge
from jupyter_export.jobs import store_templates
from jupyter_export.jobs.audit_trail import AuditTrail
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store_audit import AuditQuery
from jupyter_export.jobs.templates import Templates
from jupyter_export.spec.template import filled

from .conftest import ME, Clock

YOU = Caller("you")
CHIEF = Caller("chief", admin=True)
MONTHLY = {
    "description": "Delays of a month",
    "source": {"type": "upload", "id": "{{flights}}"},
    "where": {"column": "month", "op": "=", "value": "{{month}}"},
    "limit": "{{most=100}}",
    "format": {"type": "excel", "sheet": "{{month}} Flüge"},
}


@contextmanager
def opened(
    folder: Path, db_url: str | None, clock: Clock
) -> Iterator[tuple[Templates, AuditTrail]]:
    database = StoreDatabase(folder, db_url)
    database.start()
    settings = Settings(root=folder, state_dir=folder, db_url=db_url)
    trail = AuditTrail(database, settings, now=clock)
    yield Templates(database, trail, now=clock), trail
    trail.stop()
    database.close()


@pytest.fixture
def both(
    tmp_path: Path, db_url: str | None, clock: Clock
) -> Iterator[tuple[Templates, AuditTrail]]:
    with opened(tmp_path, db_url, clock) as made:
        yield made


@pytest.fixture
def templates(both: tuple[Templates, AuditTrail]) -> Templates:
    return both[0]


@pytest.fixture
def in_file(tmp_path: Path, clock: Clock) -> Iterator[Templates]:
    with opened(tmp_path, None, clock) as (templates, _):
        yield templates


def test_a_template_is_kept_replaced_and_deleted(
    both: tuple[Templates, AuditTrail], clock: Clock
) -> None:
    templates, trail = both
    kept, new = templates.save("monthly", MONTHLY, ME)
    assert new
    whole = kept.with_spec()
    assert whole == {
        "name": "monthly",
        "description": "Delays of a month",
        "parameters": [
            {"name": "month", "default": None, "required": True},
            {"name": "most", "default": 100, "required": False},
        ],
        "frames": ["flights"],
        "format": "excel",
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
        "spec": {key: each for key, each in MONTHLY.items() if key != "description"},
    }
    found = templates.get("monthly", ME)
    assert found.with_spec() == whole
    assert list(found.document) == ["source", "where", "limit", "format"]  # in its order
    clock.advance(hours=1)
    table = {"source": {"type": "table", "connection": "shop", "table": "t"}}
    kept, new = templates.save("monthly", table | {"output": {"path": "{{p}}.parquet"}}, ME)
    assert not new
    shown = kept.to_json()
    assert (shown["created_at"], shown["updated_at"]) == (
        "2026-03-01T12:00:00Z",
        "2026-03-01T13:00:00Z",
    )
    assert (shown["description"], shown["format"], shown["frames"]) == (None, "parquet", [])
    templates.save("Été", table, ME)
    templates.save("été2", table, ME)
    assert [each.name for each in templates.list(ME)] == ["monthly", "Été", "été2"]
    templates.delete("monthly", ME)
    with pytest.raises(NotFound, match="no template “monthly”"):
        templates.get("monthly", ME)
    with pytest.raises(NotFound, match="Did you mean été2"):
        templates.delete("éte2", ME)
    entries = list(trail.entries(AuditQuery()))
    said = [(each.action, each.subject, each.actor, each.owner) for each in entries]
    assert said[0] == ("save_template", "monthly", "me", "me")
    assert [each[0] for each in said] == ["save_template"] * 4 + ["delete_template"]
    assert "month" not in str(entries[0].to_json()["details"]["spec"])


def test_everybody_has_their_own(templates: Templates) -> None:
    templates.save("monthly", MONTHLY, ME)
    for other in (YOU, CHIEF):
        assert templates.list(other) == ()
        for ask in (templates.get, templates.delete):
            with pytest.raises(NotFound, match="You have none yet"):
                ask("monthly", other)
        templates.save("monthly", {**MONTHLY, "description": other.name}, other)
    assert templates.get("monthly", ME).description == "Delays of a month"
    assert templates.get("monthly", YOU).description == "you"


def test_limits(both: tuple[Templates, AuditTrail], monkeypatch: pytest.MonkeyPatch) -> None:
    templates, trail = both
    monkeypatch.setattr(store_templates, "MOST_TEMPLATES", 2)
    for name in ("a", "b", "a"):
        templates.save(name, MONTHLY, ME)
    with pytest.raises(InvalidRequest, match="2 templates already"):
        templates.save("c", MONTHLY, ME)
    saved = [each.subject for each in trail.entries(AuditQuery())]
    assert saved == ["a", "b", "a"]  # what was refused was not saved
    templates.save("c", MONTHLY, YOU)
    for name in ("a/b", "", "x\0", "\ud800"):
        with pytest.raises(InvalidRequest, match="cannot be the name"):
            templates.save(name, MONTHLY, ME)
        with pytest.raises(NotFound):
            templates.get(name, ME)
    with pytest.raises(TooLarge):
        templates.save("a", {**MONTHLY, "name": "x" * 90_000, "columns": ["y" * 9000] * 30}, ME)


SQL = {"type": "sql", "connection": "warehouse", "query": "SELECT 1"}


@pytest.mark.parametrize(
    ("fields", "words", "field"),
    [
        ({"limt": 1}, "Did you mean limit?", "limt"),
        ({"format": "{{f=\"exel\"}}"}, "excel?", "format.type"),
        ({"format": {"type": "csv", "delimitr": "{{d}}", "header": "{{h}}"}}, "delimiter?",
         "format.delimitr"),
        ({"format": {"type": "csv", "header": 5, "quote": "{{q}}"}}, "header",
         "format.header"),
        ({"output": {"path": "{{year}}.cvs"}}, "csv", "output.path"),
        ({"source": {**SQL, "connection": "postgresql://me:hunter2@db/x"}}, "no password",
         "datasets[0].source.connection"),
        ({"source": {**SQL, "connection": "sqlite:///a.db"}}, "no URL",
         "datasets[0].source.connection"),
        ({"source": {**SQL, "query": "SELECT 's3://k:hunter2@b'"}}, "no password",
         "datasets[0].source.query"),
        ({"output": {"path": "{{p=\"ftp://me:hunter2@h/a.csv\"}}"}}, "no password", "output.path"),
        ({"description": "of mysql://me:hunter2@h/x"}, "no password", "description"),
        ({"format": {"type": "pdf", "password": "hunter2"}}, "Make it a parameter",
         "format.password"),
        ({"format": {"type": "pdf", "password": "{{p=\"hunter2\"}}"}}, "Make it a parameter",
         "format.password"),
        ({"format": {"type": "pdf", "password": "{{p=\"hunter2\"}}{{q}}"}}, "Make it a parameter",
         "format.password"),
        ({"format": {"type": "pdf", "password": "{{\"{{\"}}hunter2"}}, "Make it a parameter",
         "format.password"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_secret_is_not_kept(
    in_file: Templates, fields: dict[str, Any], words: str, field: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        in_file.save("a", {**MONTHLY, "format": None, **fields}, ME)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.field == field
    assert in_file.list(ME) == ()


def test_a_password_may_be_a_parameter_and_options_wait_for_each_other(in_file: Templates) -> None:
    locked = {"type": "pdf", "owner_password": "{{owner}}", "password": "{{password}}"}
    assert in_file.save("a", {**MONTHLY, "format": locked}, ME)[0].format == "pdf"
    with pytest.raises(InvalidSpec, match="has no value"):
        filled(in_file.get("a", ME).document, {"month": 1, "owner": "x"})


def test_urls_without_a_password_are_kept_and_long_texts_cost_no_time(in_file: Templates) -> None:
    query = "SELECT 'http://h:80/a@b', 's3://k:@b', 'x://u@h', 'a:b@c' --"
    for more in ("a" * 99_000, "://" + ":" * 99_000, "a://" * 24_000):
        in_file.save("a", {"source": {**SQL, "query": query + more}}, ME)
