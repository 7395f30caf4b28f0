"""The rules of the house that a reader would otherwise have to remember."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = (
    "IPython",
    "anywidget",
    "duckdb",
    "ipywidgets",
    "numpy",
    "openpyxl",
    "pandas",
    "polars",
    "pyarrow",
)
MAX_LINES = 450
CODE = {".py", ".ts", ".tsx", ".css"}
# Written in pieces, so that this file passes its own tests.
HOMES = re.compile(r"(?<![\w.-])/(?:ro" + r"ot|wo" + r"rk|Us" + r"ers|ho" + r"me/(?!jovyan/)\w+)/")
REGISTRIES = re.compile(
    "|".join(
        [
            r"pypi\." + r"org",
            r"pythonhos" + r"ted\.org",
            r"registry\." + r"(?:npmjs|yarnpkg)",
            r"deb\.deb" + r"ian\.org",
        ]
    )
)


def project_files() -> list[Path]:
    """Return what git tracks or would track: everything that is not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_imports_go_down_one_way() -> None:
    """The contracts are in pyproject.toml, under ``tool.importlinter``."""
    lint = "import sys, importlinter.cli as cli; sys.exit(cli.lint_imports(no_logo=True))"
    ran = subprocess.run(
        [sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_importing_the_package_loads_nothing_heavy() -> None:
    """``%load_ext`` and the server's start must not pay for what an export may never use."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, jupyter_export; print(*sorted(sys.modules))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(HEAVY) & set(loaded.stdout.split()) == set()


@pytest.mark.parametrize(
    "path",
    [path for path in project_files() if path.suffix in CODE],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_file_holds_one_concept(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def lines_with(pattern: re.Pattern[str], *, but_not_under: str) -> list[str]:
    found = []
    for path in project_files():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(but_not_under):
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{name}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    return found


def test_no_file_names_a_folder_of_one_machine() -> None:
    """The outputs of a notebook are where such a path gets in. Tests may make some up."""
    assert lines_with(HOMES, but_not_under="tests/") == []


def test_no_file_names_a_package_registry() -> None:
    """Packages come from where the machine's own settings say."""
    assert lines_with(REGISTRIES, but_not_under="labextension/package-lock.json") == []


def test_the_lock_file_of_the_front_end_names_no_registry() -> None:
    lock = (ROOT / "labextension" / "package-lock.json").read_text(encoding="utf-8")
    assert "integrity" in lock
    assert '"resolved": "http' not in lock
