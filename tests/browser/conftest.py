"""A real JupyterLab and Notebook 7 in a real Chromium, one server for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ..kernel.conftest import Server
from .chromium import find_or_install
from .notebook import jupyter_lab

expect.set_options(timeout=30_000)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One job at a time, so that a test knows which one waits."""
    with jupyter_lab(
        tmp_path_factory.mktemp("lab"), "--ExportApp.max_running_per_user=1"
    ) as running:
        yield running


@pytest.fixture
def nothing_left(lab: Server) -> Iterator[None]:
    """A test that fails leaves no job in the way of the next one's."""
    yield
    for job in lab.ask("GET", "jupyter-export/v1/jobs")["jobs"]:
        if job["status"] in ("pending", "running"):
            lab.ask("POST", f"jupyter-export/v1/jobs/{job['id']}/cancel")


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
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test when a script of ours throws."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 860}, accept_downloads=True, device_scale_factor=2
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(f"{error}\n{error.stack}"))
    yield page
    context.close()
    assert not [each for each in broken if not _is_of_notebook_7(each)]


def _is_of_notebook_7(error: str) -> bool:
    """Tell what Notebook 7 throws by itself, with no other code in between, while it starts."""
    return "/static/notebook/" in error and "/extensions/" not in error and "blob:" not in error
