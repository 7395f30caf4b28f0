"""What a person does with the magic, the same in JupyterLab and in Notebook 7."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from ..kernel.conftest import Server
from .notebook import ENDLESS, FrontEnd, NotebookPage, front_ends, moves, status, write_notebook

pytestmark = pytest.mark.usefixtures("nothing_left")

SETUP = """\
import pandas as pd
frame = pd.DataFrame({"n": range(5_000), "text": ["word %d" % (i % 97) for i in range(5_000)]})
%load_ext jupyter_export"""


@front_ends
def test_typed_completed_stopped_and_downloaded(
    lab: Server, page: Page, front_end: FrontEnd
) -> None:
    folder = lab.root / f"typed-{front_end}"
    folder.mkdir()
    write_notebook(
        folder, "typed.ipynb", SETUP, "", "", *[ENDLESS.format(path="x.csv", flags="")] * 2
    )
    notebook = NotebookPage(page, lab, f"{folder.name}/typed.ipynb", front_end=front_end)
    notebook.run(0)

    # a flag is completed, and the export of the line is a file
    editor = notebook.type(1, "%export frame typed.csv --repl")
    notebook.complete("--replace")
    expect(editor).to_contain_text("--replace")
    card = notebook.run(1).locator(".jx-card")
    status(card, "completed")
    expect(card).to_contain_text("5,000 rows")
    written = folder / "typed.csv"
    assert pd.read_csv(written)["n"].sum() == sum(range(5_000))
    with page.expect_download() as pending:
        card.locator(".jx-download").click()
    assert pending.value.suggested_filename == "typed.csv"
    assert Path(pending.value.path()).read_bytes() == written.read_bytes()

    # a wrong word is one sentence, with a caret below it
    notebook.type(2, "%export frame wrong.csv --colums text")
    wrong = notebook.run(2)
    expect(wrong).to_contain_text("--columns")
    expect(wrong).to_contain_text("^")
    expect(wrong).not_to_contain_text("Traceback")

    # the cell waits; an interrupt ends the export, and so does the card's own button
    for cell, stop in ((3, notebook.interrupt), (4, None)):
        card = notebook.start(cell).locator(".jx-card")
        status(card, "running")
        moves(card)
        if stop is None:
            card.locator(".jupyter-export-cancel").click()
        else:
            stop()
        status(card, "cancelled")
        notebook.finished(cell)
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".csv") == ["typed.csv"]


@front_ends
def test_the_page_is_reloaded_and_the_kernel_restarted_in_the_middle(
    lab: Server, page: Page, front_end: FrontEnd
) -> None:
    folder = lab.root / f"reload-{front_end}"
    folder.mkdir()
    write_notebook(
        folder,
        "reload.ipynb",
        SETUP,
        ENDLESS.format(path="first.csv.gz", flags="--no-wait"),
        "%export frame second.parquet --no-wait",
        ENDLESS.format(path="third.csv.gz", flags="--no-wait"),
        ENDLESS.format(path="fourth.csv.gz", flags=""),
    )
    notebook = NotebookPage(page, lab, f"{folder.name}/reload.ipynb", front_end=front_end)
    notebook.run(0)
    status(notebook.run(1).locator(".jx-card"), "running")
    status(notebook.run(2).locator(".jx-card"), "pending")
    notebook.save()

    notebook.reload()
    first, second = (notebook.output(cell).locator(".jx-card") for cell in (1, 2))
    status(second, "pending")
    status(first, "running")
    moves(first)
    first.locator(".jupyter-export-cancel").click()
    status(first, "cancelled")
    status(second, "completed")
    expect(second).to_contain_text("5,000 rows")
    assert len(pd.read_parquet(folder / "second.parquet")) == 5_000

    # the server goes on with a job when the kernel is gone; each card says what the server says
    third = notebook.run(3).locator(".jx-card")
    moves(third)
    fourth = notebook.start(4).locator(".jx-card")
    status(fourth, "pending")
    notebook.restart()
    status(third, "running")
    moves(third)
    waited = lab.ask("GET", f"jupyter-export/v1/jobs/{fourth.get_attribute('data-job-id')}")
    status(fourth, waited["status"])
    if waited["status"] == "pending":
        fourth.locator(".jupyter-export-cancel").click()
        status(fourth, "cancelled")
    third.locator(".jupyter-export-cancel").click()
    status(third, "cancelled")
