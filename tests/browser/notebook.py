"""A notebook in a JupyterLab page: open it, run cells, look at outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page

from ..kernel.conftest import Server, jupyter_server

KERNEL_IS_IDLE = """() => {
  const context = window.jupyterapp?.shell?.currentWidget?.context?.sessionContext;
  const kernel = context?.session?.kernel;
  return context?.isReady && kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""


@contextmanager
def jupyter_lab(home: Path) -> Iterator[Server]:
    """Start a JupyterLab with folders of its own, in which nothing pops up."""
    settings = home / "config" / "labconfig"
    settings.mkdir(parents=True)
    announcements = "@jupyterlab/apputils-extension:announcements"
    page_config = {"disabledExtensions": {announcements: True}}
    (settings / "page_config.json").write_text(json.dumps(page_config))
    with jupyter_server(home, "--LabApp.expose_app_in_browser=True", command="lab") as running:
        yield running


def write_notebook(folder: Path, name: str, *cells: str) -> None:
    """Write a notebook of code cells."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(made, folder / name)


class NotebookPage:
    """One open notebook."""

    def __init__(self, page: Page, server: Server, name: str) -> None:
        self.page = page
        workspace = name.removesuffix(".ipynb")
        page.goto(f"{server.url}lab/workspaces/{workspace}/tree/{name}?token={server.token}&reset")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        # the toolbar says idle before the kernel's socket is open, and a key would be lost
        page.wait_for_function(KERNEL_IS_IDLE)

    def start(self, cell: int) -> Locator:
        """Press Shift+Enter in a cell and return its output area."""
        self.page.locator(".jp-CodeCell").nth(cell).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        return self.output(cell)

    def run(self, cell: int) -> Locator:
        """Run a cell to its end and return its output area."""
        before = self.prompt(cell)
        output = self.start(cell)
        self.page.wait_for_function(
            """([cell, before]) => {
                const prompt = document.querySelectorAll('.jp-CodeCell')[cell]
                  ?.querySelector('.jp-InputPrompt')?.textContent ?? '';
                return /\\[\\d+\\]/.test(prompt) && prompt !== before;
            }""",
            arg=[cell, before],
        )
        return output

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
