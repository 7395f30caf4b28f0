"""``import jupyter_export`` costs nothing: everything heavy is imported when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "pandas",
    "polars",
    "pyarrow",
    "duckdb",
    "numpy",
    "tornado",
    "IPython",
    "httpx",
    "pydantic",
)


def loaded_by(code: str) -> set[str]:
    script = f"import sys; {code}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(found.stdout.split())


def test_the_package_alone_loads_nothing_heavy() -> None:
    assert loaded_by("import jupyter_export") == set()


def test_the_command_line_loads_no_data_library() -> None:
    assert (
        loaded_by("import jupyter_export.cli") & {"pandas", "polars", "duckdb", "IPython"} == set()
    )


def test_the_package_offers_its_names() -> None:
    import jupyter_export

    assert set(jupyter_export.__all__) <= set(dir(jupyter_export))
    for name in jupyter_export.__all__:
        assert getattr(jupyter_export, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        jupyter_export.nothing_such  # noqa: B018
