"""Settings: each wrong value stops the server with one sentence."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from jupyter_export.errors import InvalidRequest
from jupyter_export.jobs.settings import Settings
from jupyter_export.server.app import ExportApp
from jupyter_export.server.configuration import settings_from, size


def settings(**values: Any) -> Any:
    return settings_from(ExportApp(serverapp=None, **values), root=Path.cwd())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512MB", 512_000_000),
        ("2 GiB", 2 * 1024**3),
        ("1.5gb", 1_500_000_000),
        (1000, 1000),
        ("", None),
    ],
)
def test_sizes(text: str | int, expected: int | None) -> None:
    assert size("max_bytes", text) == expected


def test_the_defaults_are_right() -> None:
    defaults = settings()
    assert defaults.confined
    assert defaults.memory_limit_per_job == 512_000_000
    assert defaults.retention_seconds == 86_400
    assert defaults.state_dir.is_absolute()
    assert (defaults.job_timeout, defaults.max_bytes, defaults.max_rows) == (None, None, None)
    # What the traits say is what a kernel's own service does.
    plain = Settings(root=defaults.root, state_dir=defaults.state_dir)
    for field in fields(Settings):
        assert getattr(defaults, field.name) == getattr(plain, field.name), field.name


def test_units() -> None:
    found = settings(job_timeout="30m", max_bytes="1GB", memory_limit_per_job=64_000_000)
    assert found.job_timeout == 1800
    assert found.max_bytes == 10**9
    assert settings(job_timeout=90).job_timeout == 90


def test_units_of_retries_stops_and_disks() -> None:
    found = settings(
        retry_backoff="linear",
        retry_delay="1m",
        retry_max_delay=90,
        stop_timeout="0s",
        max_disk="50GB",
        min_free_disk="1 GiB",
    )
    assert (found.retry_backoff, found.retry_delay, found.retry_max_delay) == ("linear", 60, 90)
    assert found.stop_timeout == 0
    assert (found.max_disk, found.min_free_disk) == (50 * 10**9, 1024**3)
    assert settings(min_free_disk="0").min_free_disk == 0
    assert settings(min_free_disk=0).min_free_disk == 0


def test_the_secret_of_links_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_SECRET", "s" * 32)
    found = settings(link_secret="env:LINK_SECRET")
    assert found.link_secret == "s" * 32
    assert found.withheld == {"LINK_SECRET"}
    assert "ssss" not in repr(found)


def test_variables_that_hold_secrets_are_kept_from_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_URL", "sqlite:///store.db")
    given = {"shop": {"url": "env:SHOP_URL", "options": {"key": "env:SHOP_KEY"}}, "a": "sqlite://"}
    found = settings(db_url="env:STORE_URL", connections=given)
    assert found.db_url == "sqlite:///store.db"
    assert found.withheld == {"STORE_URL", "SHOP_URL", "SHOP_KEY"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"memory_limit_per_job": "lots"}, ["memory_limit_per_job", "lots", "512MB"]),
        ({"memory_limit_per_job": "1kB"}, ["memory_limit_per_job", "64MB"]),
        ({"max_bytes": "-1"}, ["max_bytes"]),
        ({"job_timeout": "soon"}, ["job_timeout", "soon"]),
        ({"job_timeout": 0}, ["job_timeout"]),
        ({"retention": "a day"}, ["retention", "24h"]),
        ({"max_workers": 0}, ["max_workers"]),
        ({"max_rows": 0}, ["max_rows"]),
        ({"max_pending_per_user": -1}, ["max_pending_per_user"]),
        ({"max_running_per_user": 0}, ["max_running_per_user"]),
        ({"max_attempts": 0}, ["max_attempts", "at least 1"]),
        ({"retry_delay": -1}, ["retry_delay", "-1"]),
        ({"retry_max_delay": "long"}, ["retry_max_delay", "long"]),
        ({"stop_timeout": "soon"}, ["stop_timeout", "soon"]),
        ({"max_disk": "all"}, ["max_disk", "all", "2GB"]),
        ({"min_free_disk": "-1"}, ["min_free_disk", "-1"]),
        ({"link_secret": "password"}, ["link_secret", "32"]),
        ({"link_secret": "env:NO_SUCH_VARIABLE"}, ["link_secret", "NO_SUCH_VARIABLE"]),
        ({"link_max_expiry": "a month"}, ["link_max_expiry", "a month"]),
        ({"audit_retention": "always"}, ["audit_retention", "always"]),
        ({"output_dir": "/tmp"}, ["output_dir", "/tmp"]),
        ({"output_dir": "../up"}, ["output_dir"]),
        ({"connections": {"a b": "sqlite://"}}, ["a b"]),
        ({"connections": {"shop": "password"}}, ["shop", "env:"]),
        (
            {"connections": {"shop": {"url": "x://password", "usres": []}}},
            ["shop", "usres", "Did you mean users?"],
        ),
        (
            {"connections": {"shop": {"url": "x://password", "statement_timeout": "1 day"}}},
            ["shop", "statement_timeout", "10m"],
        ),
        ({"db_url": "env:NO_SUCH_VARIABLE"}, ["NO_SUCH_VARIABLE"]),
        ({"db_url": "password"}, ["db_url"]),
    ],
)
def test_wrong_values(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        settings(**values)
    for word in words:
        assert word in str(caught.value)
    assert "password" not in caught.value.message


def test_every_setting_is_explained() -> None:
    own = {name for name, trait in ExportApp.class_own_traits(config=True).items()}
    assert own == {
        "output_dir", "state_dir", "db_url", "connections", "max_workers",
        "memory_limit_per_job", "job_timeout", "max_rows", "max_bytes",
        "max_pending_per_user", "max_running_per_user", "max_attempts", "retry_backoff",
        "retry_delay", "retry_max_delay", "stop_timeout", "max_disk", "min_free_disk",
        "link_secret", "link_max_expiry", "audit_retention", "retention", "admin_users",
    }  # fmt: skip
    for name in own:
        assert len(ExportApp.class_traits()[name].help) > 20, name


@pytest.mark.parametrize(
    "values",
    [
        {"max_workers": 0},
        {"max_workers": "many"},
        {"retry_backoff": "random"},
        {"connections": "postgresql://me:hunter2@db/shop"},
        {"connections": {"shop": {"url": "postgresql://me:hunter2@db/shop", "user": ["ada"]}}},
        {"db_url": {"postgresql://me:hunter2@db/shop": 1}},
    ],
)
def test_a_wrong_one_stops_the_server(
    jp_configurable_serverapp: Any,
    jp_server_config: dict[str, Any],
    values: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    jp_server_config["ExportApp"].update(values)
    with pytest.raises(SystemExit):
        jp_configurable_serverapp(config=Config(jp_server_config))
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert "jupyter_export: wrong setting. " in last
    assert next(iter(values)).removesuffix("s") in last
    assert "hunter2" not in last


def test_a_store_that_does_not_open_is_said_and_hurts_nothing_else(
    jp_configurable_serverapp: Any,
    jp_server_config: dict[str, Any],
    jp_asyncio_loop: asyncio.AbstractEventLoop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jp_server_config["ExportApp"]["db_url"] = "sqlite:////nowhere/at/all/jobs.db"
    server: ServerApp = jp_configurable_serverapp(config=Config(jp_server_config))
    app: ExportApp = server.extension_manager.extension_points["jupyter_export"].app
    from jupyter_export.errors import ServerUnavailable

    assert app.host is not None
    with pytest.raises(ServerUnavailable):
        jp_asyncio_loop.run_until_complete(app.host.ask(lambda service: service.formats()))
    assert "could not start" in caplog.text
