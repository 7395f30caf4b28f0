"""The benchmark runs and prints its tables; how fast anything is, is never asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_quick_benchmark_prints_tables_and_targets() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "csv,jsonl,parquet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stderr
    for part in ("CSV", "JSON lines", "Parquet (zstd)"):
        table = ran.stdout.split(f"## {part}\n")[1].split("\n## ")[0]
        assert "| **jupyter_export**" in table, table
        assert "pandas" in table
        assert "x the fastest peer (target ≤ 1." in table
    assert "of 3 targets reached" in ran.stdout
