"""What a person does in JupyterLab's sidebar while the magic runs: watch, download, cancel."""

from __future__ import annotations

import hashlib
import re

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from ..kernel.conftest import Server
from .notebook import ENDLESS, NotebookPage, status, write_notebook

pytestmark = pytest.mark.usefixtures("nothing_left")

FRAME = """\
import pandas as pd
frame = pd.DataFrame({"n": range(ROWS), "text": ["word %d" % (i % 97) for i in range(ROWS)]})
%load_ext jupyter_export"""

RANDOM = """\
import numpy as np
import pandas as pd
numbers = pd.DataFrame(np.random.default_rng(1).random((1_500_000, 6)), columns=list("abcdef"))
%load_ext jupyter_export"""
"""A frame that takes its time to be compressed."""


def frame(rows: int) -> str:
    return FRAME.replace("ROWS", str(rows))


def test_the_magic_writes_the_file_shows_its_card_and_the_sidebar_lists_it(
    lab: Server, page: Page
) -> None:
    write_notebook(lab.root, "magic.ipynb", frame(200_000), "%export frame numbers.csv")
    notebook = NotebookPage(page, lab, "magic.ipynb")
    panel = notebook.open_sidebar()
    notebook.run(0)
    card = notebook.run(1).locator(".jx-card")

    status(card, "completed")
    expect(card).to_contain_text("numbers.csv")
    expect(card).to_contain_text("200,000 rows")
    written = pd.read_csv(lab.root / "numbers.csv")
    assert len(written) == 200_000
    assert written["n"].sum() == sum(range(200_000))
    # nobody reloaded the sidebar: the job came with the event stream
    row = panel.locator('.jp-Export-job[data-status="completed"]', has_text="numbers.csv")
    expect(row).to_contain_text("200,000 rows")

    with page.expect_download() as pending:
        row.locator(".jp-Export-download").click()
    downloaded = pending.value
    assert downloaded.suggested_filename == "numbers.csv"
    assert _sha256(downloaded.path()) == _sha256(lab.root / "numbers.csv")


def test_the_card_and_the_sidebar_follow_while_the_cell_runs(lab: Server, page: Page) -> None:
    write_notebook(
        lab.root, "progress.ipynb", RANDOM, "%export numbers large.jsonl --compress gzip"
    )
    notebook = NotebookPage(page, lab, "progress.ipynb")
    panel = notebook.open_sidebar()
    notebook.run(0)
    output = notebook.start(1)

    card = output.locator(".jx-card")
    expect(card).to_contain_text(re.compile(r"[1-9][\d,]* of 1,500,000 rows"))
    row = panel.locator(".jp-Export-job", has_text="large")
    status(card, "completed")
    expect(card).to_contain_text("1,500,000 rows")
    expect(row).to_have_attribute("data-status", "completed")


def test_the_sidebar_follows_and_cancels(lab: Server, page: Page) -> None:
    write_notebook(
        lab.root,
        "cancel.ipynb",
        "%load_ext jupyter_export",
        ENDLESS.format(path="never.csv.gz", flags="--no-wait"),
        "print('the prompt was back')",
        ENDLESS.format(path="halted.csv.gz", flags=""),
    )
    notebook = NotebookPage(page, lab, "cancel.ipynb")
    panel = notebook.open_sidebar()
    notebook.run(0)
    # one that nobody waits for is cancelled by the button of its card
    output = notebook.run(1)
    expect(notebook.run(2)).to_contain_text("the prompt was back")
    output.locator(".jupyter-export-cancel").click()
    status(output.locator(".jx-card"), "cancelled")
    row = panel.locator(".jp-Export-job", has_text="never")
    expect(row).to_have_attribute("data-status", "cancelled")

    # one that a cell waits for is cancelled in the sidebar
    output = notebook.start(3)
    row = panel.locator(".jp-Export-job", has_text="halted")
    row.locator(".jp-Export-cancel").click()
    expect(row).to_have_attribute("data-status", "cancelled")
    status(output.locator(".jx-card"), "cancelled")
    notebook.finished(3)
    assert not [*lab.root.glob("*never*"), *lab.root.glob(".*never*"), *lab.root.glob("*halted*")]


def _sha256(path: object) -> str:
    with open(str(path), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
