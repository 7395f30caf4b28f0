"""What a person does in JupyterLab: type the magic, watch it, find the job in the sidebar."""

from __future__ import annotations

import hashlib
import re

import pandas as pd
from playwright.sync_api import Page, expect

from ..kernel.conftest import Server
from .notebook import NotebookPage, write_notebook

FRAME = """\
import pandas as pd
frame = pd.DataFrame({"n": range(ROWS), "text": ["word %d" % (i % 97) for i in range(ROWS)]})
%load_ext jupyter_export"""


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

    expect(card).to_have_attribute("data-jupyter-export-status", "completed")
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


def test_progress_moves_while_the_cell_runs_and_the_sidebar_follows(
    lab: Server, page: Page
) -> None:
    write_notebook(
        lab.root, "progress.ipynb", frame(6_000_000), "%export frame large.jsonl --compress gzip"
    )
    notebook = NotebookPage(page, lab, "progress.ipynb")
    panel = notebook.open_sidebar()
    notebook.run(0)
    output = notebook.start(1)

    running = output.locator('.jx-card[data-jupyter-export-status="running"]')
    expect(running).to_contain_text(re.compile(r"[1-9][\d,]* of 6,000,000 rows"))
    row = panel.locator(".jp-Export-job", has_text="large")
    expect(row).to_have_attribute("data-status", "running")
    seen = {running.inner_text()}
    while output.locator('.jx-card[data-jupyter-export-status="completed"]').count() == 0:
        seen |= set(running.all_inner_texts())
        page.wait_for_timeout(50)
    assert len(seen) > 2, f"the card stood still: {seen}"
    expect(output).to_contain_text("6,000,000 rows")
    expect(row).to_have_attribute("data-status", "completed")


def test_an_export_without_waiting_is_cancelled_by_its_button(lab: Server, page: Page) -> None:
    write_notebook(
        lab.root,
        "cancel.ipynb",
        frame(6_000_000),
        "%export frame never.jsonl --compress gzip --no-wait",
        "print('the prompt was back')",
    )
    notebook = NotebookPage(page, lab, "cancel.ipynb")
    panel = notebook.open_sidebar()
    notebook.run(0)
    output = notebook.run(1)
    expect(notebook.run(2)).to_contain_text("the prompt was back")

    output.locator(".jupyter-export-cancel").click()

    expect(output.locator(".jx-card")).to_have_attribute("data-jupyter-export-status", "cancelled")
    expect(panel.locator(".jp-Export-job", has_text="never")).to_have_attribute(
        "data-status", "cancelled"
    )
    assert not list(lab.root.glob("*never*"))
    assert not list(lab.root.glob(".*never*"))


def test_the_sidebar_cancels_what_a_cell_waits_for(lab: Server, page: Page) -> None:
    write_notebook(
        lab.root, "stop.ipynb", frame(6_000_000), "%export frame halted.jsonl --compress gzip"
    )
    notebook = NotebookPage(page, lab, "stop.ipynb")
    panel = notebook.open_sidebar()
    notebook.run(0)
    output = notebook.start(1)
    row = panel.locator(".jp-Export-job", has_text="halted")
    row.locator(".jp-Export-cancel").click()

    expect(row).to_have_attribute("data-status", "cancelled")
    expect(output.locator(".jx-card")).to_have_attribute("data-jupyter-export-status", "cancelled")
    assert not (lab.root / "halted.jsonl").exists()


def test_a_wrong_column_is_one_sentence_without_a_traceback(lab: Server, page: Page) -> None:
    write_notebook(lab.root, "wrong.ipynb", frame(10), "%export frame a.csv --columns n,txt")
    notebook = NotebookPage(page, lab, "wrong.ipynb")
    notebook.run(0)
    output = notebook.run(1)

    expect(output).to_contain_text("Column “txt” is not in")
    expect(output).to_contain_text("Did you mean text?")
    expect(output).not_to_contain_text("Traceback")
    assert not (lab.root / "a.csv").exists()


def test_the_card_is_still_there_after_a_reload(lab: Server, page: Page) -> None:
    write_notebook(lab.root, "reload.ipynb", frame(1_000), "%export frame kept.parquet")
    notebook = NotebookPage(page, lab, "reload.ipynb")
    notebook.run(0)
    expect(notebook.run(1).locator(".jx-card")).to_contain_text("1,000 rows")
    page.keyboard.press("Control+s")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.context.model.dirty === false"
    )
    page.reload()
    page.locator("#jupyterlab-splash").wait_for(state="detached")

    card = page.locator('.jx-card[data-jupyter-export-status="completed"]')
    expect(card).to_contain_text("kept.parquet")


def _sha256(path: object) -> str:
    with open(str(path), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
