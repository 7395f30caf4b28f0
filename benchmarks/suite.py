"""Cases, and how they take turns: A B C, A B C, …, each run in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT = 900
"""Seconds after which one run is given up."""


@dataclass(frozen=True)
class Case:
    """One library writing one frame in one format."""

    format: str
    name: str
    upload: str
    rows: int


@dataclass
class Figures:
    """The medians of a case's runs, or why there are none."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    anon: list[int] = field(default_factory=list)
    bytes: int = 0
    problem: str | None = None

    @property
    def wall_s(self) -> float:
        return statistics.median(self.wall)

    @property
    def cpu_s(self) -> float:
        return statistics.median(self.cpu)

    @property
    def anon_mb(self) -> float | None:
        """Peak anonymous memory in MB (1,000,000 bytes); None where it cannot be read."""
        return statistics.median(self.anon) / 1e6 if self.anon else None


def measure(cases: Sequence[Case], runs: int, uploads: Path) -> dict[Case, Figures]:
    """Run every case ``runs`` times, in turns, so that a slow minute hits all of them alike.

    A case that fails once is not run again; its ``problem`` says why.
    """
    figures = {case: Figures() for case in cases}
    for turn in range(runs):
        for case, its in figures.items():
            if its.problem is None:
                print(f"  {case.format} {case.name}, run {turn + 1} of {runs}", file=sys.stderr)
                run_once(case, its, uploads)
    return figures


def run_once(case: Case, figures: Figures, uploads: Path) -> None:
    """Run a case once more and add what it measured to ``figures``."""
    command = [sys.executable, "-m", "benchmarks.one", case.format, case.name, case.upload]
    try:
        done = subprocess.run(
            [*command, "--uploads", str(uploads)],
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        figures.problem = f"not done after {TIMEOUT} s"
        return
    if done.returncode != 0:
        figures.problem = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return
    measured = json.loads(done.stdout.splitlines()[-1])
    if measured["rows"] is not None and case.rows and measured["rows"] != case.rows:
        figures.problem = f"{measured['rows']:,} rows instead of {case.rows:,}"
        return
    figures.wall.append(measured["wall"])
    figures.cpu.append(measured["cpu"])
    figures.bytes = measured["bytes"]
    if measured["anon"] is not None:
        figures.anon.append(measured["anon"])
