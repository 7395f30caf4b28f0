"""A Chromium for the browser tests: the system's, or one that this machine lets us install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
INSTALL_TIMEOUT = 600
"""Seconds that an installation may take."""


@cache
def find_or_install() -> str:
    """Return the path of a Chromium or Chrome that starts.

    Looks on PATH, then at the one Playwright keeps; installs with ``apt-get`` where we are root
    on a Debian-like system, else with ``playwright install``. Raises ``RuntimeError`` with the
    installers' last words when none of it worked.
    """
    found = _on_path() or _of_playwright()
    if found:
        return found
    words = []
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        # Two test processes may want it at once: wait for the other's lock.
        apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        words.append(_run([*apt, "update"], environment))
        words.append(_run([*apt, "install", "-y", "chromium"], environment))
        found = _on_path()
    if not found:
        words.append(_run([sys.executable, "-m", "playwright", "install", "chromium"]))
        found = _of_playwright()
    if not found:
        said = "\n".join(word for word in words if word)
        raise RuntimeError(f"No Chromium could be found or installed; put one on PATH.\n{said}")
    return found


def _on_path() -> str | None:
    candidates = (shutil.which(name) for name in NAMES)
    return next((path for path in candidates if path and _starts(path)), None)


def _of_playwright() -> str | None:
    # In a process of its own: Playwright's sync API refuses to be started twice, or near a loop.
    ask = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    path = _run([sys.executable, "-c", ask]).strip()
    return path if os.path.exists(path) and _starts(path) else None


def _starts(path: str) -> bool:
    """Ubuntu's ``chromium-browser`` can be a script that only asks for a snap."""
    try:
        asked = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run an installer; return the end of what it said, and never raise."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr)[-500:]


if __name__ == "__main__":
    print(find_or_install())
