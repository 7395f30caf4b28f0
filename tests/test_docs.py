"""The documentation is true: its example runs, its list of options is the formats' own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from docs import formats as formats_page
from jupyter_export import registry
from jupyter_export.losses import KINDS

from .pipeline.conftest import Bench

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_formats_is_what_the_formats_say() -> None:
    assert formats_page.PAGE.read_text("utf-8") == formats_page.page()


def test_every_option_says_what_it_means() -> None:
    for made in registry.formats().values():
        for name, field in made.options.model_json_schema()["properties"].items():
            plain = "enum" in field or "$ref" in field or field.get("type") == "boolean"
            assert field.get("description") or plain, f"{made.type}.{name}"


def test_every_kind_of_loss_that_the_code_reports_is_known() -> None:
    package = DOCS.parent / "jupyter_export"
    found = {
        kind
        for path in package.rglob("*.py")
        for kind in re.findall(r'\bLoss\(\s*"([a-z_0-9]+)"', path.read_text("utf-8"))
    }
    assert found <= set(KINDS)


def test_the_example_of_a_format_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / "architecture.md").read_text("utf-8").split("## Add a format")[1]
    code, imports = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    known: dict[str, Any] = {}
    exec(imports + code, known)
    monkeypatch.setitem(registry.formats(), "lines", known["LinesFormat"]())
    folders = [tmp_path / name for name in ("root", "uploads", "scratch")]
    for folder in folders:
        folder.mkdir()
    bench = Bench(*folders)
    result = bench.export(pa.table({"name": ["a", "b", "c"]}), "names.txt")
    assert (bench.root / "names.txt").read_text() == "a\nb\nc\n"
    assert result.rows == 3


def test_every_test_that_the_page_of_promises_names_is_there() -> None:
    root = DOCS.parent
    text = (DOCS / "reliability.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 40
    for path, test in named:
        code = (root / path).read_text("utf-8")
        assert not test or re.search(rf"def {test}\b|class {test}\b", code), f"{path}::{test}"
