"""Named connections: what the setting takes, who may use one, what a worker is told of it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.errors import (
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    QueueFull,
    SourceFailed,
    TimedOut,
)
from jupyter_export.jobs import connectable, connections, previews
from jupyter_export.jobs.catalog import chosen
from jupyter_export.jobs.connectable import dialect_of, kind_of, parse
from jupyter_export.jobs.model import Caller, Job
from jupyter_export.jobs.previews import PendingPreview, Previews
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

from .conftest import ME, MakeService, document, send

ADA, BOB, ROOT = Caller("ada"), Caller("bob"), Caller("root", admin=True)
SECONDS = 60.0


@pytest.fixture
def lite(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, note TEXT)")
        database.execute("INSERT INTO orders VALUES (1, 'one'), (2, 'two')")
        database.execute("CREATE VIEW notes AS SELECT note FROM orders")
    database.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def orders(connection: str = "shop", **fields: Any) -> dict[str, Any]:
    return {"source": {"type": "table", "connection": connection, "table": "orders"}, **fields}


def ended(service: ExportService, spec: dict[str, Any], caller: Caller) -> Job:
    return service.wait(service.submit(spec, caller).id, caller, SECONDS)


# ------------------------------------------------------------------ the setting


def test_what_it_takes() -> None:
    found = parse(
        {
            "a": "sqlite://",
            "b": "env:B_URL",
            "c": {
                "url": "env:C_URL",
                "users": ["ada"],
                "read_only": False,
                "statement_timeout": "10m",
                "options": {"connect_args": {"sslkey": "env:C_KEY"}, "pool": [1, "env:C_POOL"]},
            },
            "d": {"url": "s3://bucket/folder", "statement_timeout": 5, "users": None},
        }
    )
    assert (found["a"].read_only, found["a"].users, found["a"].statement_timeout) == (
        True,
        None,
        None,
    )
    assert found["b"].variables == {"B_URL"}
    assert found["c"].variables == {"C_URL", "C_KEY", "C_POOL"}
    assert (found["c"].users, found["c"].read_only) == ({"ada"}, False)
    assert (found["c"].statement_timeout, found["d"].statement_timeout) == (600, 5)
    assert parse(found) == found


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("a b", "sqlite://", "letters, digits"),
        ("..", "sqlite://", "letters, digits"),
        ("", "sqlite://", "letters, digits"),
        (1, "sqlite://", "letters, digits"),
        ("shop", "hunter2", "has no URL. Write an SQLAlchemy URL"),
        ("shop", None, "has no URL"),
        ("shop", {"read_only": True}, "has no URL"),
        ("shop", {"url": "hunter2"}, "has no URL"),
        ("shop", {"url": ["sqlite://hunter2"]}, "has no URL"),
        ("shop", "env:", "after “env:”"),
        ("shop", "env:A B", "after “env:”"),
        ("shop", {"url": "env:A", "options": {"key": "env:"}}, "after “env:”"),
        ("shop", {"url": "x://hunter2", "readonly": True}, "“readonly”. Did you mean read_only?"),
        ("shop", {"url": "x://hunter2", "user": "ada"}, "“user”. Did you mean users?"),
        ("shop", {"url": "x://hunter2", "read_only": "yes"}, "neither true nor false"),
        ("shop", {"url": "x://hunter2", "users": "ada"}, "not a list of names"),
        ("shop", {"url": "x://hunter2", "users": [1]}, "not a list of names"),
        ("shop", {"url": "x://hunter2", "statement_timeout": "soon"}, "“soon”. Write a number"),
        ("shop", {"url": "x://hunter2", "statement_timeout": 0}, "at least 1"),
        ("shop", {"url": "x://hunter2", "statement_timeout": True}, "at least 1"),
        ("shop", {"url": "x://hunter2", "statement_timeout": "0s"}, "at least 1"),
        ("shop", {"url": "x://hunter2", "options": "hunter2"}, "options that cannot be used"),
        ("shop", {"url": "x://hunter2", "options": {"a": object()}}, "options that cannot be used"),
        ("shop", {"url": "x://hunter2", "options": {1: "a"}}, "options that cannot be used"),
    ],
)
def test_what_is_wrong_is_one_sentence_without_the_url(name: Any, given: Any, said: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse({name: given})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_nothing_shows_a_url(settings: Settings) -> None:
    url = "postgresql://me:hunter2@db/shop"
    given = {"shop": {"url": url, "options": {"password": "hunter2"}}, "depot": url}
    settings = Settings(settings.root, settings.state_dir, connections=given, db_url=url)  # type: ignore[arg-type]
    assert "hunter2" not in repr(settings)
    shown = [each.to_json({}) for each in settings.connections.values()]
    assert "hunter2" not in repr(shown)


@pytest.mark.parametrize(
    ("url", "dialect", "kind"),
    [
        ("postgresql://h/d", "postgresql", "database"),
        ("postgres://h/d", "postgresql", "database"),
        ("PostgreSQL+psycopg://h/d", "postgresql", "database"),
        ("mysql+pymysql://h/d", "mysql", "database"),
        ("mariadb://h/d", "mariadb", "database"),
        ("sqlite://", "sqlite", "database"),
        ("duckdb:///a.duckdb", "duckdb", "database"),
        ("snowflake://a/b", "snowflake", "database"),
        ("s3://bucket/a", "s3", "files"),
        ("file:///data", "file", "files"),
        ("zip::s3://bucket/a.zip", "zip", "files"),
        ("https://example.org/data", "https", "files"),
        ("hunter2", "unknown", "database"),
        ("me:hunter2@db", "unknown", "database"),
    ],
)
def test_what_a_url_tells(url: str, dialect: str, kind: str) -> None:
    assert (dialect_of(url), kind_of(url)) == (dialect, kind)


def test_what_a_worker_is_told() -> None:
    known = parse(
        {
            "a": {"url": "env:A_URL", "options": {"deep": {"key": "env:A_KEY"}, "n": 1}},
            "b": {"url": "sqlite://", "statement_timeout": 60, "read_only": False},
        }
    )
    environ = {"A_URL": "postgresql://h/d", "A_KEY": "hunter2"}
    told = connections.resolve(["a", "b"], known, environ, 300)
    assert told["a"] == {
        "url": "postgresql://h/d",
        "read_only": True,
        "statement_timeout": 300,
        "options": {"deep": {"key": "hunter2"}, "n": 1},
    }
    assert (told["b"]["statement_timeout"], told["b"]["read_only"]) == (60, False)
    assert connections.resolve(["b"], known, {}, 30)["b"]["statement_timeout"] == 30
    assert connections.resolve(["a"], known, environ)["a"]["statement_timeout"] is None
    with pytest.raises(SourceFailed, match="A_KEY is empty"):
        connections.resolve(["a"], known, {"A_URL": "postgresql://h/d"})


def test_without_fsspec_the_usual_places_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectable, "_places", frozenset)
    assert (kind_of("s3://b"), kind_of("sftp://h/a")) == ("files", "files")


# ------------------------------------------------------------------ who may use it


def test_who_is_left_out_sees_and_uses_nothing(make_service: MakeService, lite: str) -> None:
    given = {"shop": {"url": lite, "users": ["ada"]}, "shoe": lite}
    service = make_service(connections=given, admin_users=frozenset({"root"}))

    def names(caller: Caller) -> list[str]:
        return [each["name"] for each in service.connections(caller)]

    assert (names(ADA), names(ROOT), names(BOB)) == (["shoe", "shop"], ["shoe", "shop"], ["shoe"])
    assert service.tables("shop", ADA)["tables"]
    assert service.tables("shop", ROOT)["tables"]
    job = ended(service, orders(), ADA)
    assert job.status == "completed", job.error

    # The sentence for him is that for a name which nobody has given.
    for ask in (service.submit, service.preview):
        with pytest.raises(InvalidSpec) as hidden:
            ask(orders(), BOB)
        with pytest.raises(InvalidSpec) as unknown:
            ask(orders("shop2"), BOB)
        assert hidden.value.message == "“shop” is not a connection that you may use."
        assert hidden.value.message == unknown.value.message.replace("shop2", "shop")
        assert hidden.value.hint == unknown.value.hint == "Did you mean shoe?"
        assert hidden.value.field == "datasets[0].source.connection"
    with pytest.raises(NotFound, match=r"“shop” is not .*Did you mean shoe\?"):
        service.tables("shop", BOB)
    with pytest.raises(NotFound):
        service.tables("shop2", BOB)


def test_a_retry_has_the_rights_of_the_jobs_owner(
    make_service: MakeService, lite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"shop": {"url": "env:SHOP_URL", "users": ["ada"]}}
    service = make_service(connections=given, admin_users=frozenset({"root"}))
    of_ada, of_root = ended(service, orders(), ADA), ended(service, orders(), ROOT)
    assert (of_ada.status, of_root.status) == ("failed", "failed")
    monkeypatch.setenv("SHOP_URL", lite)
    again = service.retry(of_ada.id, ROOT)
    assert (again.created_by, service.wait(again.id, ADA, SECONDS).status) == ("ada", "completed")
    # A kernel of the administrator's is none itself.
    with pytest.raises(InvalidSpec, match="“shop” is not"):
        service.retry(of_root.id, Caller("root"))
    again = service.retry(of_root.id, ROOT)
    assert service.wait(again.id, ROOT, SECONDS).status == "completed"


def test_who_was_taken_off_the_list_cannot_retry(make_service: MakeService) -> None:
    first = make_service(connections={"shop": "env:SHOP_URL"})
    job = ended(first, orders(), BOB)
    first.stop()
    second = make_service(
        connections={"shop": {"url": "env:SHOP_URL", "users": ["ada"]}},
        admin_users=frozenset({"root"}),
    )
    for caller in (BOB, ROOT):
        with pytest.raises(InvalidSpec, match="“shop” is not"):
            second.retry(job.id, caller)


# ------------------------------------------------------------------ lists and tables


def test_the_list_has_names_and_dialects(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "warehouse": {"url": "env:WAREHOUSE_URL", "statement_timeout": "2m"},
        "lake": {"url": "s3://key:hunter2@bucket", "read_only": False},
    }
    monkeypatch.delenv("WAREHOUSE_URL", raising=False)
    service = make_service(connections=given)
    lake, warehouse = service.connections(ME)
    assert lake == {
        "name": "lake",
        "dialect": "s3",
        "kind": "files",
        "read_only": False,
        "statement_timeout": None,
        "error": None,
    }
    assert (warehouse["dialect"], warehouse["kind"]) == (None, None)
    assert "WAREHOUSE_URL is empty" in warehouse["error"]["message"]
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://me:hunter2@db/w")
    _, warehouse = service.connections(ME)
    assert (warehouse["dialect"], warehouse["kind"]) == ("postgresql", "database")
    assert (warehouse["statement_timeout"], warehouse["error"]) == (120, None)
    assert service.settings.dialects == ("postgresql",)


def test_the_tables_of_a_database(make_service: MakeService, lite: str) -> None:
    service = make_service(connections={"shop": lite})
    tables = service.tables("shop", ME)["tables"]
    assert [(each["name"], each["kind"]) for each in tables] == [
        ("notes", "view"),
        ("orders", "table"),
    ]
    assert [column["name"] for column in tables[1]["columns"]] == ["id", "note"]
    found = service.tables("shop", ME, q="RDER")["tables"]
    assert [each["name"] for each in found] == ["orders"]
    assert service.tables("shop", ME, schema="nowhere")["tables"] == []
    assert list(service.settings.scratch.glob("preview-*")) == []


def test_the_choice_of_tables() -> None:
    found = [{"schema": s, "name": n} for s, n in (("one", "a"), ("b", "A2"), (None, "c"))]

    def names(schema: str | None = None, q: str | None = None) -> list[str]:
        return [each["name"] for each in chosen(found, schema, q)]

    assert names() == ["a", "A2", "c"]
    assert names("one") == ["a"]
    assert names(q="a") == ["a", "A2"]
    assert names(q="one.a") == ["a"]
    assert names("b", "A") == ["A2"]


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("file:///data", InvalidRequest, "a place with files"),
        ("env:NOT_SET_ANYWHERE", SourceFailed, "NOT_SET_ANYWHERE is empty"),
        ("nosuchdatabase://h/d", SourceFailed, "“?c”?"),
        ("postgresql://me:hunter2@h:port/d", SourceFailed, "“?c”?"),
        ("sqlite:////nowhere/at/all.db", SourceFailed, "“?c”?"),
    ],
)
def test_tables_that_cannot_be_listed(
    url: str, error: type[ExportError], said: str, make_service: MakeService
) -> None:
    service = make_service(connections={"c": url})
    with pytest.raises(error, match=said) as caught:
        service.tables("c", ME)
    assert "hunter2" not in str(caught.value)


def test_files_and_databases_are_not_mixed_up(make_service: MakeService, lite: str) -> None:
    service = make_service(connections={"shop": lite, "lake": "file:///data"})
    with pytest.raises(InvalidSpec, match="a place with files") as caught:
        service.submit(orders("lake"), ME)
    assert caught.value.field == "datasets[0].source.type"
    source = {"type": "file", "connection": "shop", "path": "a.csv"}
    with pytest.raises(InvalidSpec, match="a database, which has no files"):
        service.submit({"source": source}, ME)
    with pytest.raises(InvalidSpec, match=r"“lakes” is not .*Did you mean lake"):
        service.submit({"source": {**source, "connection": "lakes"}}, ME)


# ------------------------------------------------------------------ what hangs holds nobody up


class Patient(Previews):
    """Hands out to nobody: a worker that never answers."""

    def __init__(self) -> None:
        super().__init__(pool=None)  # type: ignore[arg-type]

    def _hand_over(self, asked: PendingPreview) -> None:
        asked.slow_at = 0.0 if asked.id.startswith("slow") else float("inf")
        self._running[asked.id] = asked

    def ask(self, name: str, owner: str, tmp_path: Path) -> PendingPreview:
        asked = PendingPreview(name, owner, {}, tmp_path / name, lambda _: None)
        self.submit(asked)
        self.hand_out()
        return asked


def test_what_is_slow_gives_up_its_place(tmp_path: Path) -> None:
    desk = Patient()
    for n in range(10):
        desk.ask(f"slow {n}", "ada", tmp_path)
    assert sorted(desk._running) == [f"slow {n}" for n in range(previews.MOST_OF_ONE)]
    for n in range(3):
        desk.ask(f"quick {n}", "bob", tmp_path)
    assert {"quick 0", "quick 1"} <= set(desk._running)
    assert len(desk._running) == previews.MOST_AT_ONCE


def test_nobody_takes_the_places_of_all_to_wait(tmp_path: Path) -> None:
    desk = Patient()
    asked = [desk.ask(f"quick {n}", "ada", tmp_path) for n in range(20)]
    running, waiting = previews.PREVIEWS_AT_ONCE, previews.MAX_WAITING_OF_ONE
    assert [each.future.done() for each in asked].index(True) == running + waiting
    with pytest.raises(QueueFull, match="of yours"):
        asked[-1].future.result()
    assert not desk.ask("quick", "bob", tmp_path).future.done()


def test_a_list_of_tables_that_takes_too_long_is_told(
    make_service: MakeService, lite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "PREVIEW_SECONDS", 0.0)
    service = make_service(connections={"shop": lite})
    with pytest.raises(TimedOut, match="did not list its tables"):
        service.tables("shop", ME)


@pytest.mark.usefixtures("misbehaving")
def test_previews_that_hang_do_not_hold_up_the_next(
    service: ExportService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "SLOW_SECONDS", 0.2)
    spec = document(send(service), format={"type": "deaf", "seconds": 25})
    hanging = [service.begin_preview(spec, ME) for _ in range(previews.PREVIEWS_AT_ONCE)]
    answered = threading.Event()
    service.begin_preview(document(send(service)), ME).future.add_done_callback(
        lambda _: answered.set()
    )
    assert answered.wait(20)
    assert not any(each.future.done() for each in hanging)
    for each in hanging:
        each.cancel()
