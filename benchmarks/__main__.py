"""Measure this project beside its peers and print tables and targets.

    python -m benchmarks                     everything: 1,000,000 rows, medians of 5
    python -m benchmarks --only csv,parquet  some parts
    python -m benchmarks --quick             100,000 rows, one run: does it work at all?

Parts: csv, jsonl, parquet, gzip, excel, pdf, pages, options, memory, notebook,
databases, history, transfer, cancel.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from . import WARM_UP_ROWS, data, parts
from .report import Target

TARGET_ROWS = 1_000_000
PARTS = (
    "csv", "jsonl", "parquet", "gzip", "excel", "pdf", "pages", "options", "memory", "notebook",
    "databases", "history", "transfer", "cancel",
)  # fmt: skip
OUTPUT = Path(__file__).parent / "output"
NOTES = """\
Each run is a process of its own, warmed up with {warm_up:,} rows; the libraries take turns, the
figures are medians of {runs}.
The frame has {rows:,} rows and 10 columns: id, timestamp with zone, date, category, two texts,
float with 2 decimals, nullable float, nullable integer, boolean.
A peer's clock measures its write call, with its native frame ready in memory; peers neither hash
nor fsync nor count. Ours runs from the call to the result: it reads the frame as a job gets it
(an Arrow stream on disk, in the page cache), writes, hashes (SHA-256), counts the rows of the
finished file, fsyncs and publishes.
Peak anon: the highest RssAnon of the process during the call (looked at every 5 ms; nothing
subtracted, so a peer's holds its frame)."""


def main() -> int:
    arguments = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("--rows", type=int, default=TARGET_ROWS)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    arguments.add_argument("--quick", action="store_true", help="100,000 rows, one run")
    arguments.add_argument("--keep", action="store_true", help="keep the generated frames")
    arguments.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    chosen = arguments.parse_args()
    wanted = [part.strip() for part in chosen.only.split(",")]
    for part in wanted:
        if part not in PARTS:
            arguments.error(f"no part is called “{part}”; there are {', '.join(PARTS)}")
    if chosen.rows < 1 or chosen.runs < 1:
        arguments.error("--rows and --runs start at 1")
    rows, runs = (100_000, 1) if chosen.quick else (chosen.rows, chosen.runs)
    print(_machine(), NOTES.format(rows=rows, runs=runs, warm_up=WARM_UP_ROWS), sep="\n\n")
    try:
        targets = _measure(parts.Plan(OUTPUT / "uploads", rows, runs), wanted)
    finally:
        if not chosen.keep:
            shutil.rmtree(OUTPUT, ignore_errors=True)
    missed = [target for target in targets if not target.met]
    print(f"\n## {len(targets) - len(missed)} of {len(targets)} targets reached")
    for target in missed:
        print(f"- {target}")
    if rows != TARGET_ROWS:
        print(f"The targets are meant for {TARGET_ROWS:,} rows.")
    return 1 if missed and chosen.strict else 0


def _measure(plan: parts.Plan, wanted: list[str]) -> list[Target]:
    data.write_generated(plan.uploads, WARM_UP_ROWS)
    data.write_generated(plan.uploads, plan.rows)
    targets: list[Target] = []
    for part in PARTS:
        if part in wanted:
            table, found = getattr(parts, part)(plan)
            print(f"\n## {parts.TITLES[part]}\n\n{table}\n")
            for target in found:
                print(f"- {target}")
            sys.stdout.flush()
            targets += found
    return targets


def _machine() -> str:
    libraries = ("pandas", "duckdb", "polars", "pyarrow", "adbc-driver-postgresql")
    named = ", ".join(f"{name} {version(name)}" for name in libraries)
    return (
        f"# Benchmarks\n\n{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {named}."
    )


if __name__ == "__main__":
    sys.exit(main())
