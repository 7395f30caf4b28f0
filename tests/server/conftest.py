"""A real Jupyter server with the real extension. pytest-jupyter's fixtures and its way to run
coroutines hold for this folder only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403

from jupyter_export.server.app import ExportApp

from .client import Api, NamedUsers, RecordingAuthorizer


@pytest.fixture
def jp_server_config(tmp_path: Path) -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_export": True},
            "reraise_server_extension_failures": True,
        },
        "ExportApp": {"state_dir": str(tmp_path / "state"), "max_workers": 1},
    }


@pytest.fixture
def app(jp_serverapp: Any) -> ExportApp:
    found: ExportApp = jp_serverapp.extension_manager.extension_points["jupyter_export"].app
    return found


@pytest.fixture
def api(jp_fetch: Any) -> Api:
    return Api(jp_fetch)


@pytest.fixture
def named_users(jp_serverapp: Any) -> NamedUsers:
    provider = NamedUsers()
    jp_serverapp.web_app.settings["identity_provider"] = provider
    return provider


@pytest.fixture
def authorizer(jp_serverapp: Any) -> RecordingAuthorizer:
    recording = RecordingAuthorizer()
    jp_serverapp.web_app.settings["authorizer"] = recording
    return recording
