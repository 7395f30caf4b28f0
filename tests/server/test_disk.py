"""A disk that is nearly full: refused with 507 before it is written to."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_export.server.app import ExportApp

from .client import Api, arrow, numbers, problem


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any]) -> dict[str, Any]:
    jp_server_config["ExportApp"]["max_disk"] = "64MB"
    jp_server_config["ExportApp"]["min_free_disk"] = 0
    return jp_server_config


async def test_what_has_no_room_is_refused_before_it_is_written(api: Api, app: ExportApp) -> None:
    assert app.host is not None
    settings = app.host.settings
    response = await api("POST", "uploads", bytes(65_000_000))
    assert response.code == 507
    error = problem(response)
    assert error["code"] == "disk_full"
    assert "64 MB are allowed (max_disk)" in error["message"]
    assert error["hint"]
    assert not list(settings.uploads.iterdir())
    body = arrow(numbers())
    upload = await api.json("POST", "uploads", body)
    assert upload["bytes"] == len(body)
