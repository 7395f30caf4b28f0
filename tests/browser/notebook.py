"""A notebook in a page of JupyterLab or Notebook 7: open it, run cells, look at outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from ..kernel.conftest import Server, jupyter_server

FrontEnd = Literal["lab", "notebook"]
front_ends = pytest.mark.parametrize("front_end", ["lab", "notebook"])
ENDLESS = """\
%%export {path} --connection shop {flags}
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 1000000000)
SELECT n, n * 0.1 AS tenth FROM t"""
"""An export that is still running whenever a test looks at it, however fast the machine."""
KERNEL_IS = """status => {
  const context = window.jupyterapp?.shell?.currentWidget?.context?.sessionContext;
  const kernel = context?.session?.kernel;
  return context?.isReady && kernel?.connectionStatus === 'connected' && kernel?.status === status;
}"""
IS_SAVED = "() => window.jupyterapp.shell.currentWidget.context.model.dirty === false"
PROMPT_CHANGED = """([cell, before]) => {
  const prompt = document.querySelectorAll('.jp-CodeCell')[cell]
    ?.querySelector('.jp-InputPrompt')?.textContent ?? '';
  return /\\[\\d+\\]/.test(prompt) && prompt !== before;
}"""
CHANGE_THEME = """theme =>
  window.jupyterapp.commands.execute('apputils:change-theme', {theme})"""
THEME_IS = "theme => document.body.dataset.jpThemeName === theme"


@contextmanager
def jupyter_lab(home: Path, *arguments: str) -> Iterator[Server]:
    """Start a server with folders of its own, in whose pages nothing pops up.

    It serves JupyterLab under ``lab`` and Notebook 7 under ``notebooks``.
    """
    settings = home / "config" / "labconfig"
    settings.mkdir(parents=True)
    announcements = "@jupyterlab/apputils-extension:announcements"
    page_config = {"disabledExtensions": {announcements: True}}
    (settings / "page_config.json").write_text(json.dumps(page_config))
    exposed = (f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp"))
    with jupyter_server(home, *exposed, *arguments, command="lab") as running:
        yield running


def write_notebook(folder: Path, name: str, *cells: str) -> None:
    """Write a notebook of code cells."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(made, folder / name)


def status(card: Locator, expected: str) -> None:
    """Wait until a card says that its job is ``expected``."""
    expect(card).to_have_attribute("data-jupyter-export-status", expected)


def moves(card: Locator) -> None:
    """Wait until the card of an endless export tells of more rows than it does now."""
    counted = re.compile(r"([1-9][\d,]*) rows")
    expect(card).to_contain_text(counted)
    found = counted.search(card.inner_text())
    assert found is not None
    expect(card).not_to_contain_text(found[0])
    expect(card).to_contain_text(counted)


class NotebookPage:
    """One open notebook, in JupyterLab or in Notebook 7."""

    def __init__(
        self, page: Page, server: Server, name: str, *, front_end: FrontEnd = "lab"
    ) -> None:
        self.page = page
        if front_end == "lab":
            workspace = name.removesuffix(".ipynb").replace("/", "-")
            place = f"lab/workspaces/{workspace}/tree/{name}?reset&"
        else:
            place = f"notebooks/{name}?"
        page.goto(f"{server.url}{place}token={server.token}")
        self._is_ready("idle")

    def _is_ready(self, status: str) -> None:
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        # the toolbar says idle before the kernel's socket is open, and a key would be lost
        self.page.wait_for_function(KERNEL_IS, arg=status)

    def start(self, cell: int) -> Locator:
        """Press Shift+Enter in a cell and return its output area."""
        self.page.locator(".jp-CodeCell").nth(cell).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        return self.output(cell)

    def run(self, cell: int) -> Locator:
        """Run a cell to its end and return its output area."""
        before = self.prompt(cell)
        output = self.start(cell)
        self.finished(cell, before)
        return output

    def finished(self, cell: int, before: str = "") -> None:
        """Wait until a cell has a number other than ``before``, which it gets when it ends."""
        self.page.wait_for_function(PROMPT_CHANGED, arg=[cell, before])

    def type(self, cell: int, text: str) -> Locator:
        """Put ``text`` in the place of a cell's code, key by key; return the cell's editor."""
        editor = self.page.locator(".jp-CodeCell").nth(cell).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.type(text)
        return editor

    def complete(self, text: str) -> None:
        """Press Tab, and take ``text`` where the completer offers more than one."""
        self.page.keyboard.press("Tab")
        offered = self.page.locator(".jp-Completer-item", has_text=text)
        there = self.page.locator(".jp-mod-active .cm-content", has_text=text)
        offered.or_(there).first.wait_for()
        if offered.count():
            offered.first.click()

    def interrupt(self) -> None:
        """Press what interrupts the kernel: i twice, outside any editor."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("i")
        self.page.keyboard.press("i")

    def restart(self) -> None:
        """Restart the kernel, as its menu does, and wait until it is ready again."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("0")
        self.page.keyboard.press("0")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        self._is_ready("idle")

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.page.wait_for_function(IS_SAVED)

    def reload(self, *, kernel: str = "idle") -> None:
        """Load the page again; ``kernel`` is the state in which its kernel then is."""
        self.page.reload()
        self._is_ready(kernel)

    def theme(self, name: str) -> None:
        """Put on a theme, such as ``JupyterLab Dark``."""
        self.page.evaluate(CHANGE_THEME, name)
        self.page.wait_for_function(THEME_IS, arg=name)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def prompt(self, cell: int) -> str:
        prompt = self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-InputPrompt").first
        return prompt.inner_text()

    def output(self, cell: int) -> Locator:
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea").first

    def open_sidebar(self) -> Locator:
        """Show the Exports sidebar and return it."""
        tab = '.jp-SideBar .lm-TabBar-tab[data-id="jupyter-export-panel"]'
        panel = self.page.locator("#jupyter-export-panel")
        if not panel.is_visible():
            self.page.locator(tab).click()
        panel.wait_for()
        return panel
