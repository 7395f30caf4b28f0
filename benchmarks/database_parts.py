"""The part that reads from a PostgreSQL on the same machine."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from . import OURS, WARM_UP_ROWS, postgres
from .report import Target, at_least, at_most, comparison, table, unmeasured
from .suite import Case, Figures, measure

PREVIEW_SECONDS = 0.3
MEMORY_MB = 350
MEMORY_GROWTH = 1.2
TITLE = "PostgreSQL on the same machine"
FILTERED = f"{OURS}, filtered"


def databases(uploads: Path, rows: int, runs: int) -> tuple[str, list[Target]]:
    """Tables of PostgreSQL to files: beside psql, ADBC and pandas; memory; a filter; a preview."""
    # what a server has that is used in earnest
    with postgres.running("shared_buffers=512MB", "max_wal_size=4GB") as url:
        for name, length in (("warm", WARM_UP_ROWS), ("few", rows), ("tenth", rows // 10)):
            postgres.fill(url, name, length)
        texts, targets = _speed(url, uploads, rows, runs)
        print("  filling the tables of eight and ten times the rows", file=sys.stderr)
        postgres.fill(url, "many", 8 * rows)
        more, found = _memory(url, uploads, rows, min(runs, 3))
        texts.append(more)
        targets += found
        more, found = _filter(url, uploads, rows, runs)
        texts.append(more)
        targets += found
        postgres.fill(url, "many", 10 * rows)
        more, found = _preview(url, uploads, 10 * rows)
        return "\n\n".join([*texts, more]), [*targets, *found]


def _speed(url: str, uploads: Path, rows: int, runs: int) -> tuple[list[str], list[Target]]:
    whole, small = f"{url}#few", f"{url}#tenth"
    pandas = "pandas over SQLAlchemy"
    cases = [
        Case("csv", OURS, whole, rows),
        Case("parquet", OURS, whole, rows),
        Case("excel", OURS, whole, rows),
        Case("csv", "psql \\copy", whole, rows),
        Case("parquet", "ADBC, read alone", whole, rows),
    ]
    slow = [Case("csv", pandas, whole, rows), Case("parquet", pandas, whole, rows)]
    slow.append(Case("excel", pandas, small, rows // 10))
    figures = {**measure(cases, runs, uploads), **measure(slow, 1, uploads)}
    by = {(case.format, case.name): f for case, f in figures.items()}
    psql, adbc = by["csv", "psql \\copy"], by["parquet", "ADBC, read alone"]
    targets = [
        _ratio("PostgreSQL to CSV", by["csv", OURS], psql, 2.1, "x psql \\copy"),
        _ratio("PostgreSQL to Parquet", by["parquet", OURS], adbc, 1.35, "x ADBC's read alone"),
        _ratio("PostgreSQL to Excel", by["excel", OURS], adbc, 2, "x ADBC's read alone"),
    ]
    for kind, scale in (("csv", 1), ("parquet", 1), ("excel", 10)):
        ours, theirs = by[kind, OURS], by[kind, pandas]
        what = f"PostgreSQL to {kind} beside {pandas}"
        problem = ours.problem or theirs.problem
        targets.append(
            unmeasured(what, problem)
            if problem
            else at_least(what, theirs.wall_s * scale / ours.wall_s, 8, "times faster", 1)
        )
    texts = [
        f"{kind}, {rows:,} rows"
        + (f" (pandas: {rows // 10:,})" if kind == "excel" else "")
        + f"\n\n{comparison({c: f for c, f in figures.items() if c.format == kind})}"
        for kind in ("csv", "parquet", "excel")
    ]
    return texts, targets


def _ratio(what: str, ours: Figures, theirs: Figures, limit: float, unit: str) -> Target:
    problem = ours.problem or theirs.problem
    if problem:
        return unmeasured(what, problem)
    return at_most(what, ours.wall_s / theirs.wall_s, limit, unit)


def _memory(url: str, uploads: Path, rows: int, runs: int) -> tuple[str, list[Target]]:
    cases = [
        Case(kind, OURS, f"{url}#{name}", length)
        for kind in ("csv", "parquet")
        for name, length in (("few", rows), ("many", 8 * rows))
    ]
    figures = measure(cases, runs, uploads)
    lines, targets = [], []
    for kind in ("csv", "parquet"):
        small, large = (f for case, f in figures.items() if case.format == kind)
        what = f"memory, PostgreSQL to {kind}"
        if small.anon_mb is None or large.anon_mb is None:
            targets.append(unmeasured(what, small.problem or large.problem or "nobody tells"))
            continue
        growth = large.anon_mb / small.anon_mb
        cells = (small.anon_mb, large.anon_mb, growth, large.wall_s)
        lines.append((kind, *(f"{cell:.2f}" for cell in cells)))
        targets.append(at_most(f"{what}, worst", max(cells[:2]), MEMORY_MB, "MB", 0))
        targets.append(at_most(f"{what}, growth", growth, MEMORY_GROWTH, "x"))
    head = ("", f"MB at {rows:,}", f"MB at {8 * rows:,}", "growth", f"wall s at {8 * rows:,}")
    return table(head, lines), targets


def _filter(url: str, uploads: Path, rows: int, runs: int) -> tuple[str, list[Target]]:
    """Of the large table: the small one is scanned in less time than a program needs to start."""
    cases = [
        Case("csv", FILTERED, f"{url}#many", 0),
        Case("csv", "psql \\copy, filtered", f"{url}#many", 0),
    ]
    figures = measure(cases, max(runs, 3), uploads)
    ours, theirs = figures.values()
    text = f"{postgres.FILTER} of {8 * rows:,} rows, to CSV\n\n{comparison(figures)}"
    what = "PostgreSQL to CSV with a filter that keeps 1 %"
    return text, [_ratio(what, ours, theirs, 1.2, "x psql")]


def _preview(url: str, uploads: Path, rows: int) -> tuple[str, list[Target]]:
    """Ask a service for a preview as the server's handler does, after one that warms up."""
    from jupyter_export.jobs.model import Caller
    from jupyter_export.jobs.service import ExportService
    from jupyter_export.jobs.settings import Settings

    spec = {"source": {"type": "table", "connection": "bench", "table": "many"}}
    with tempfile.TemporaryDirectory(dir=uploads.parent, prefix="preview-") as name:
        folder = Path(name)
        (folder / "root").mkdir()
        settings = Settings(
            root=folder / "root", state_dir=folder / "state", connections={"bench": url}
        )
        service = ExportService(settings)
        service.start()
        try:
            walls = []
            for _ in range(6):
                start = time.perf_counter()
                found = service.preview(spec, Caller("bench"))
                walls.append(time.perf_counter() - start)
        finally:
            service.stop()
    first, *others = walls
    shown = found["datasets"][0]
    about = json.dumps({"total_rows": shown["total_rows"], "estimated": shown["estimated"]})
    text = (
        f"Preview of {rows:,} rows: first {first:.3f} s, then {statistics.median(others):.3f} s; "
        f"{about}"
    )
    median = statistics.median(others)
    return text, [at_most(f"preview of {rows:,} rows", median, PREVIEW_SECONDS, "s", 3)]
