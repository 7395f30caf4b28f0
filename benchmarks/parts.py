"""The parts of the benchmark: each measures, and returns its table and its targets."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import OURS, WARM_UP_ROWS, cancelling, data, database_parts, generated
from . import history as job_store
from . import notebook as server
from . import transfer as through
from .documents import PEERS
from .notebook_freezing import freezing
from .report import Target, at_least, at_most, comparison, fastest_peer, table, unmeasured
from .suite import Case, Figures, measure, run_once

Outcome = tuple[str, list[Target]]

TITLES = {
    "csv": "CSV",
    "jsonl": "JSON lines",
    "parquet": "Parquet (zstd)",
    "gzip": "CSV, gzip",
    "excel": "Excel",
    "pdf": "PDF",
    "pages": "HTML and Markdown",
    "options": "Formatting options",
    "memory": "Memory: eight times the rows",
    "notebook": "%export through a Jupyter server",
    "databases": database_parts.TITLE,
    "transfer": through.TITLE,
    "history": job_store.TITLE,
    "cancel": cancelling.TITLE,
}
STREAMED = ("csv", "jsonl", "parquet", "csv.gz")
"""Formats that are measured with eight times the rows as well."""
MEMORY_MB = 350
"""Most that a worker may hold."""
MEMORY_GROWTH = 1.2
"""Most that its peak may grow with eight times the rows."""
PREPARE = """\
%load_ext jupyter_export
from pathlib import Path
from benchmarks.data import read
from benchmarks.peers import pandas_frame
few, many = (
    pandas_frame(read(Path({uploads!r}) / f"{{name}}.arrows")) for name in ({few!r}, {many!r})
)
"""
"""A cell: the frames as a user has them, ready before any clock starts."""


@dataclass(frozen=True)
class Plan:
    """Where the frames lie, how many rows they have, how often each case is run."""

    uploads: Path
    rows: int
    runs: int


def csv(plan: Plan) -> Outcome:
    return _beside_peers(plan, "csv", 1.5)


def jsonl(plan: Plan) -> Outcome:
    return _beside_peers(plan, "jsonl", 1.5)


def parquet(plan: Plan) -> Outcome:
    return _beside_peers(plan, "parquet", 1.35)


def _compare(plan: Plan, file_format: str) -> dict[Case, Figures]:
    upload = generated(plan.rows)
    names = [OURS, *PEERS[file_format]]
    cases = [Case(file_format, name, upload, plan.rows) for name in names]
    return measure(cases, plan.runs, plan.uploads)


def _of(figures: Mapping[Case, Figures], name: str) -> Figures:
    return next(f for case, f in figures.items() if case.name == name)


def _beside_peers(plan: Plan, file_format: str, limit: float) -> Outcome:
    figures = _compare(plan, file_format)
    title = TITLES[file_format]
    ours, fastest = _of(figures, OURS), fastest_peer(figures)
    if ours.problem or fastest is None:
        target = unmeasured(title, ours.problem or "no peer ran")
    else:
        target = at_most(title, ours.wall_s / fastest, limit, "x the fastest peer")
    return comparison(figures), [target]


def gzip(plan: Plan) -> Outcome:
    """Beside the peers' own gzip; and what it saves on the real flights."""
    figures = _compare(plan, "csv.gz")
    ours = _of(figures, OURS)
    targets = []
    for peer in ("pandas to_csv", "DuckDB COPY"):
        what = f"gzip CSV beside {peer}"
        theirs = _of(figures, peer)
        problem = ours.problem or theirs.problem
        targets.append(
            unmeasured(what, problem)
            if problem
            else at_least(what, theirs.wall_s / ours.wall_s, 4, "times faster")
        )
    upload, rows = data.write_flights(plan.uploads)
    plain, packed = (Case(file_format, OURS, upload, rows) for file_format in ("csv", "csv.gz"))
    flights = measure([plain, packed], 1, plan.uploads)
    problem = flights[plain].problem or flights[packed].problem
    what = f"gzip CSV of the {rows:,} flights"
    if problem:
        targets.append(unmeasured(what, problem))
    else:
        saved = 100 * (1 - flights[packed].bytes / flights[plain].bytes)
        targets.append(at_least(what, saved, 70, "% smaller than plain"))
    return comparison(figures), targets


def excel(plan: Plan) -> Outcome:
    """All rows beside jetxl; a tenth of them beside the slow ones, whose time is taken tenfold."""
    whole, tenth = _large_and_small(plan, "excel", ("jetxl write_sheet_arrow",))
    ours = _of(whole, OURS)
    targets = [
        _times(f"Excel beside {name}", _of(figures, name), ours, scale, limit)
        for figures, name, scale, limit in (
            (whole, "jetxl write_sheet_arrow", 1, 1.8),
            (tenth, "openpyxl write_only", 10, 60),
            (tenth, "XlsxWriter constant_memory", 10, 30),
        )
    ]
    return _both(plan, whole, tenth), [*targets, _held("Excel", ours)]


def pdf(plan: Plan) -> Outcome:
    """A tenth of the rows beside reportlab; all of them for the memory."""
    whole, tenth = _large_and_small(plan, "pdf", ())
    target = _times(
        f"PDF of {plan.rows // 10:,} rows beside reportlab canvas",
        _of(tenth, "reportlab canvas"),
        _of(tenth, OURS),
        1,
        25,
    )
    return _both(plan, whole, tenth), [target, _held("PDF", _of(whole, OURS))]


def pages(plan: Plan) -> Outcome:
    """A tenth of the rows: pandas takes long."""
    upload, rows = generated(plan.rows // 10), plan.rows // 10
    data.write_generated(plan.uploads, rows)
    texts, targets = [], []
    for file_format, name in (("html", "pandas to_html"), ("markdown", "pandas to_markdown")):
        cases = [Case(file_format, each, upload, rows) for each in (OURS, name)]
        figures = measure(cases, min(plan.runs, 3), plan.uploads)
        texts.append(f"{file_format}, {rows:,} rows\n\n{comparison(figures)}")
        what = f"{file_format} beside {name}"
        targets.append(_times(what, _of(figures, name), _of(figures, OURS), 1, 10))
    return "\n\n".join(texts), targets


def options(plan: Plan) -> Outcome:
    """Dates, decimals and formula guard beside the plain export of the same format."""
    upload = generated(plan.rows)
    names = [f"{kind}{more}" for kind in ("csv", "json", "jsonl") for more in ("", ", formatted")]
    cases = [Case(name, OURS, upload, plan.rows) for name in names]
    figures = {case.format: f for case, f in measure(cases, plan.runs, plan.uploads).items()}
    targets = []
    for kind in ("csv", "json", "jsonl"):
        plain, formatted = figures[kind], figures[f"{kind}, formatted"]
        what = f"{kind} with formatting options"
        problem = plain.problem or formatted.problem
        targets.append(
            unmeasured(what, problem)
            if problem
            else at_most(what, formatted.wall_s / plain.wall_s, 2, "x plain")
        )
    lines = [(n, f"{f.wall_s:.2f}") for n, f in figures.items() if not f.problem]
    return table(("", "wall s"), lines), targets


def _large_and_small(
    plan: Plan, file_format: str, large: tuple[str, ...]
) -> tuple[dict[Case, Figures], dict[Case, Figures]]:
    """Measure ours and the peers of ``large`` with all rows, ours and the others with a tenth."""
    tenth = plan.rows // 10
    data.write_generated(plan.uploads, tenth)
    small = [name for name in PEERS[file_format] if name not in large]
    whole = [Case(file_format, n, generated(plan.rows), plan.rows) for n in (OURS, *large)]
    part = [Case(file_format, n, generated(tenth), tenth) for n in (OURS, *small)]
    few = min(plan.runs, 3)
    return measure(whole, plan.runs, plan.uploads), measure(part, few, plan.uploads)


def _both(plan: Plan, whole: dict[Case, Figures], tenth: dict[Case, Figures]) -> str:
    return (
        f"{plan.rows:,} rows\n\n{comparison(whole)}\n\n"
        f"{plan.rows // 10:,} rows\n\n{comparison(tenth)}"
    )


def _times(what: str, theirs: Figures, ours: Figures, scale: int, limit: float) -> Target:
    problem = ours.problem or theirs.problem
    if problem:
        return unmeasured(what, problem)
    return at_least(what, theirs.wall_s * scale / ours.wall_s, limit, "times faster", 1)


def _held(what: str, ours: Figures) -> Target:
    if ours.problem or ours.anon_mb is None:
        return unmeasured(f"{what}, memory", ours.problem or "this system does not tell it")
    return at_most(f"{what}, memory", ours.anon_mb, MEMORY_MB, "MB", 0)


def memory(plan: Plan) -> Outcome:
    """Peak anonymous memory of this project at one and at eight times the rows."""
    many = 8 * plan.rows
    data.write_generated(plan.uploads, many)
    cases = [
        Case(file_format, OURS, generated(rows), rows)
        for file_format in STREAMED
        for rows in (plan.rows, many)
    ]
    figures = measure(cases, plan.runs, plan.uploads)
    lines, targets = [], []
    for file_format in STREAMED:
        small, large = (f for case, f in figures.items() if case.format == file_format)
        problem = small.problem or large.problem
        few_mb, many_mb = (None, None) if problem else (small.anon_mb, large.anon_mb)
        if few_mb is None or many_mb is None:
            problem = problem or "this system does not tell anonymous memory"
            targets.append(unmeasured(f"memory, {file_format}", problem))
            continue
        growth = many_mb / few_mb
        lines.append(
            (file_format, f"{few_mb:.0f}", f"{many_mb:.0f}", f"{growth:.2f}", f"{large.wall_s:.2f}")
        )
        what = f"memory, {file_format}"
        targets += [
            at_most(f"{what}, worst", max(few_mb, many_mb), MEMORY_MB, "MB", 0),
            at_most(f"{what}, growth", growth, MEMORY_GROWTH, "x"),
        ]
    head = ("", f"MB at {plan.rows:,}", f"MB at {many:,}", "growth", f"wall s at {many:,}")
    return table(head, lines), targets


def databases(plan: Plan) -> Outcome:
    return database_parts.databases(plan.uploads, plan.rows, plan.runs)


def history(plan: Plan) -> Outcome:
    """A tenth as many jobs as the other parts have rows."""
    return job_store.history(plan.uploads.parent, plan.rows // 10)


def cancel(plan: Plan) -> Outcome:
    return cancelling.cancelling(plan.runs)


def transfer(plan: Plan) -> Outcome:
    size = plan.rows * through.BYTES_A_ROW
    return through.transfer(plan.uploads.parent, size, min(plan.runs, 3))


def notebook(plan: Plan) -> Outcome:
    """``%export`` in a cell of a real server, beside the pipeline alone on the same rows; and how
    soon ``--no-wait`` gives the prompt back."""
    waiting, targets = _waiting(plan)
    try:
        frozen, promised = freezing(plan.uploads, plan.rows, plan.runs)
    except (server.CellFailed, OSError) as error:
        frozen = " ".join(str(error).split())
        promised = [unmeasured(f"{TITLES['notebook']}, --no-wait", frozen)]
    return f"{waiting}\n\n{frozen}", [*targets, *promised]


def _waiting(plan: Plan) -> Outcome:
    upload = generated(plan.rows)
    alone = Case("csv", OURS, upload, plan.rows)
    figures, large, small = Figures(), [], []
    try:
        with (
            tempfile.TemporaryDirectory(dir=plan.uploads.parent, prefix="server-") as root,
            server.notebook(Path(root)) as cells,
        ):
            frames = {"few": generated(WARM_UP_ROWS), "many": upload}
            cells.run(PREPARE.format(uploads=str(plan.uploads), **frames))
            cells.export("few", "warm.csv", WARM_UP_ROWS)
            for turn in range(plan.runs):
                print(f"  %export in a notebook, run {turn + 1} of {plan.runs}", file=sys.stderr)
                run_once(alone, figures, plan.uploads)
                if figures.problem:
                    raise server.CellFailed(figures.problem)
                large.append(cells.export("many", f"many{turn}.csv", plan.rows))
                small.append(cells.export("few", f"few{turn}.csv", WARM_UP_ROWS))
                (Path(root) / f"many{turn}.csv").unlink()
    except (server.CellFailed, OSError) as error:
        problem = " ".join(str(error).split())
        return problem, [unmeasured(TITLES["notebook"], problem)]
    lines = [
        (name, f"{statistics.median(walls):.2f}", f"{min(walls):.2f}", f"{max(walls):.2f}")
        for name, walls in (
            (f"pipeline alone, {plan.rows:,} rows", figures.wall),
            (f"%export, {plan.rows:,} rows of pandas", large),
            (f"%export, {WARM_UP_ROWS:,} rows of pandas", small),
        )
    ]
    more = statistics.median(large) - figures.wall_s
    return table(("CSV", "median s", "min s", "max s"), lines), [
        at_most(f"%export of {plan.rows:,} rows, more than the pipeline alone", more, 1.0, "s"),
        at_most(f"%export of {WARM_UP_ROWS:,} rows", statistics.median(small), 0.3, "s"),
    ]
