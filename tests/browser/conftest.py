"""A real JupyterLab in a real Chromium, one of each for all browser tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ..kernel.conftest import Server
from .chromium import find_or_install
from .notebook import jupyter_lab

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the session: Playwright's loop runs while it lives, and other tests have theirs."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=find_or_install(), headless=True, args=ARGUMENTS
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page that fails its test when a script of ours throws."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 860}, accept_downloads=True, device_scale_factor=2
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert not broken
