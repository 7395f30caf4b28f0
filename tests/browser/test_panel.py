"""What a person does with the panel in JupyterLab and in Notebook 7, and what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from ..kernel.conftest import Server
from .notebook import FrontEnd, NotebookPage, front_ends, write_notebook

pytestmark = pytest.mark.usefixtures("nothing_left")

FLIGHTS = """\
import numpy as np
import pandas as pd
import jupyter_export
chance = np.random.default_rng(7)
flights = pd.DataFrame({
    "carrier": chance.choice(["AA", "B6", "DL", "UA"], 4_000),
    "origin": chance.choice(["EWR", "JFK", "LGA"], 4_000),
    "delay": chance.integers(-20, 200, 4_000),
    "hour": pd.date_range("2013-01-01", periods=4_000, freq="h", tz="UTC"),
})
flights.to_parquet("flights.parquet")
"""
SHOWN = "panel = jupyter_export.ExportPanel(flights, 'mean.csv')\npanel"
ENDLESS: dict[str, Any] = {
    "source": {
        "type": "sql",
        "connection": "shop",
        "query": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 1000000000)"
        " SELECT n FROM t",
    },
    "output": {"path": "endless.csv.gz"},
}
UNNAMED = """panel => [...panel.querySelectorAll('input, select, textarea, button, [role=button]')]
  .filter(each => each.checkVisibility() && !(
    each.getAttribute('aria-label')?.trim()
    || (each.getAttribute('aria-labelledby') || '').split(' ').some(
      id => document.getElementById(id)?.textContent.trim())
    || [...(each.labels || [])].some(label => label.textContent.trim())
    || (each.tagName === 'BUTTON' && each.textContent.trim())))
  .map(each => each.outerHTML.slice(0, 200))"""
"""Controls that a screen reader could not name."""
BEYOND = """panel => {
  const edge = panel.getBoundingClientRect().right + 1;
  const scrolls = each => each !== panel && (
    ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(each).overflowX)
    || (each.parentElement && scrolls(each.parentElement)));
  const wide = [...panel.querySelectorAll('*')].filter(each => each.checkVisibility()
    && each.getBoundingClientRect().right > edge && !scrolls(each.parentElement));
  return wide.map(each => each.outerHTML.slice(0, 200));
}"""
"""What stands out of the panel at its right."""
FAINT = """panel => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const ground = each => {
    if (each) {
      ground(each.parentElement);
      canvas.fillStyle = getComputedStyle(each).backgroundColor;
    } else {
      canvas.fillStyle = 'white';
    }
    canvas.fillRect(0, 0, 1, 1);
  };
  const light = () => [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
    .map(each => each / 255)
    .map(each => each <= .03928 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4)
    .reduce((sum, each, i) => sum + each * [.2126, .7152, .0722][i], 0);
  const found = [];
  for (const each of panel.querySelectorAll('*')) {
    const text = [...each.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
    if (!text.length || !each.checkVisibility() || each.closest('.jxp-hidden, :disabled, option'))
      continue;
    ground(each);
    const under = light();
    canvas.fillStyle = getComputedStyle(each).color;
    canvas.fillRect(0, 0, 1, 1);
    const [low, high] = [under, light()].sort((one, other) => one - other);
    const contrast = (high + .05) / (low + .05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${each.outerHTML.slice(0, 120)}`);
  }
  return found;
}"""
"""Texts with less contrast to what they stand on than WCAG 2 (AA, 1.4.3) asks for."""


class Panel:
    """A panel in an output."""

    def __init__(self, output: Locator) -> None:
        self.root = output.locator(".jxp-panel")
        self.page = output.page
        self.root.wait_for()

    def part(self, name: str) -> Locator:
        return self.root.locator(f'[data-jxp="{name}"]')

    def job(self, name: str) -> Locator:
        return self.part("jobs").locator(".jxp-job", has_text=name)

    def shows(self, text: str) -> None:
        """Wait until the preview that follows the choices holds ``text``."""
        expect(self.part("preview")).to_contain_text(text)

    def paste(self, text: str) -> None:
        self.part("paste").click()
        self.root.get_by_role("textbox", name=re.compile("^A spec as JSON")).fill(text)
        self.root.get_by_role("button", name="Show it").click()


def status(job: Locator, expected: str) -> None:
    expect(job).to_have_attribute("data-status", expected)


@front_ends
def test_it_is_filled_in_and_exports_what_pandas_would(
    lab: Server, page: Page, front_end: FrontEnd
) -> None:
    folder = lab.root / f"panel-{front_end}"
    folder.mkdir()
    write_notebook(folder, "panel.ipynb", FLIGHTS, SHOWN, "print(panel.spec['format'])")
    notebook = NotebookPage(page, lab, f"{folder.name}/panel.ipynb", front_end=front_end)
    notebook.run(0)
    panel = Panel(notebook.run(1))

    # only the late flights, grouped, averaged
    panel.shows("of 4,000 rows")
    panel.root.get_by_role("button", name="Add a rule").click()
    rule = panel.part("where").locator(".jxp-rule")
    rule.get_by_label("Column").select_option("delay")
    rule.get_by_label("Operator").select_option(">")
    rule.get_by_label("Value compared with delay").fill("60")
    panel.part("group").get_by_label("Add a column to group by").select_option("carrier")
    panel.part("group").get_by_role("button", name="Add an aggregate").click()
    aggregate = panel.part("group").get_by_role("group", name=re.compile("^Aggregate"))
    aggregate.get_by_label("Function").select_option("avg")
    aggregate.get_by_label("Column").select_option("delay")
    aggregate.get_by_label(re.compile("^Name of")).fill("mean_delay")
    panel.shows("mean_delay")
    # an option of the format
    panel.part("options").get_by_role("button", name=re.compile("more options?$")).click()
    panel.part("options").get_by_label("Delimiter").fill(";")
    expect(panel.root.locator(".jxp-same")).to_contain_text("delimiter=")

    panel.part("export").click()
    job = panel.job("mean.csv")
    status(job, "completed")
    flights = pd.read_parquet(folder / "flights.parquet")
    late = flights[flights["delay"] > 60].groupby("carrier", as_index=False)["delay"].mean()
    made = pd.read_csv(folder / "mean.csv", sep=";")
    pd.testing.assert_frame_equal(made, late.rename(columns={"delay": "mean_delay"}))
    with page.expect_download() as pending:
        job.get_by_role("link", name="Download mean.csv").click()
    assert Path(pending.value.path()).read_bytes() == (folder / "mean.csv").read_bytes()
    expect(notebook.run(2)).to_contain_text("{'type': 'csv', 'delimiter': ';'}")

    # every control has a name, in a narrow output and in both themes
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        notebook.theme(theme)
        assert panel.root.evaluate(UNNAMED) == []
        assert panel.root.evaluate(FAINT) == []
    panel.root.evaluate("panel => { panel.parentElement.style.width = '400px' }")
    expect(panel.root).to_have_js_property("offsetWidth", 400)
    assert panel.root.evaluate(BEYOND) == []
    panel.root.evaluate("panel => { panel.parentElement.style.width = '' }")

    # a pasted document is shown; what runs is cancelled
    panel.paste(json.dumps(ENDLESS))
    expect(panel.root.get_by_label("SQL query on shop")).to_have_value(ENDLESS["source"]["query"])
    expect(panel.part("path").get_by_role("textbox")).to_have_value("endless.csv.gz")
    expect(panel.part("where").locator(".jxp-rule")).to_have_count(0)
    panel.part("export").click()
    running = panel.job("endless.csv.gz")
    status(running, "running")
    expect(running).to_contain_text(re.compile(r"[1-9][\d,]* rows"))
    running.get_by_role("button", name="Cancel").click()
    status(running, "cancelled")
    assert not (folder / "endless.csv.gz").exists()


def test_it_is_used_by_keyboard_alone(lab: Server, page: Page) -> None:
    write_notebook(lab.root, "keys.ipynb", FLIGHTS, SHOWN)
    notebook = NotebookPage(page, lab, "keys.ipynb")
    notebook.run(0)
    panel = Panel(notebook.run(1))
    panel.shows("of 4,000 rows")

    def tab_to(described: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("test => document.activeElement.matches(test)", described):
                return
        raise AssertionError(f"Tab does not reach {described}")

    panel.part("source").locator("select").focus()
    tab_to('[data-jxp="path"] input')
    page.keyboard.press("Control+a")
    page.keyboard.type("typed.jsonl")
    expect(panel.root.locator('[data-format="jsonl"]')).to_have_class(re.compile("jxp-on"))
    tab_to('[data-jxp="export"]')
    tab_to(".jxp-chip")
    page.keyboard.press("Space")
    expect(panel.root.locator(".jxp-same")).to_contain_text("--columns")
    for _ in range(10):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('[data-jxp=export]')"):
            break
    page.keyboard.press("Enter")
    status(panel.job("typed.jsonl"), "completed")
    written = pd.read_json(lab.root / "typed.jsonl", lines=True)
    assert list(written) == ["origin", "delay", "hour"]
    assert len(written) == 4_000
