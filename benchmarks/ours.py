"""This project's side: the whole pipeline, as a warm worker runs it.

The clock measures ``pipeline.run`` from the call to the ``Result``: reading the upload, writing,
SHA-256, counting the rows of the finished file, fsync and publishing are all in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_export.pipeline import Result, run
from jupyter_export.registry import Surroundings
from jupyter_export.spec import parse

CHOICES: dict[str, dict[str, Any]] = {
    "csv": {"format": {"type": "csv"}, "compression": "none"},
    "jsonl": {"format": {"type": "jsonl"}, "compression": "none"},
    "parquet": {"format": {"type": "parquet"}},
    "csv.gz": {"format": {"type": "csv"}, "compression": "gzip"},
    "json": {"format": {"type": "json"}},
    # header style, frozen header, autofilter and date formats are what a workbook has by default
    "excel": {"format": {"type": "excel"}},
    "pdf": {"format": {"type": "pdf"}},
    "html": {"format": {"type": "html"}},
    "markdown": {"format": {"type": "markdown"}},
    "csv, formatted": {
        "format": {
            "type": "csv",
            "date_format": "%d.%m.%Y",
            "timestamp_format": "%d.%m.%Y %H:%M:%S",
            "decimals": 2,
            "decimal_separator": ",",
            "thousands_separator": ".",
            "delimiter": ";",
            "formula_guard": "escape",
        }
    },
    "json, formatted": {
        "format": {"type": "json", "date_format": "%d.%m.%Y", "decimals": "string"}
    },
    "jsonl, formatted": {
        "format": {"type": "jsonl", "date_format": "unix_ms", "decimals": "string"}
    },
}
"""What a user would write for each measured case; Parquet is zstd unless told otherwise."""


def export(upload: str, file_format: str, uploads: Path, output: Path) -> Callable[[], Result]:
    """Return the call that exports an upload to ``output`` and gives the proof of it."""
    document = {
        "source": {"type": "upload", "id": upload},
        "output": {"path": output.name, "if_exists": "replace"},
        **CHOICES[file_format],
    }
    return through(document, surroundings(output, uploads=uploads))


def surroundings(output: Path, **more: Any) -> Surroundings:
    """Return what a run that writes ``output`` needs to know."""
    return Surroundings(
        root=output.parent,
        target=output,
        part=output.with_name(f".{output.name}.part"),
        scratch=output.parent / f"{output.name}.scratch",
        **{"uploads": output.parent, **more},
    )


def through(document: dict[str, Any], here: Surroundings) -> Callable[[], Result]:
    """Return the call that runs a spec and gives its result."""
    spec = parse(document)

    def call() -> Result:
        here.scratch.mkdir(exist_ok=True)
        try:
            *_, last = run(spec, here)
        finally:
            shutil.rmtree(here.scratch, ignore_errors=True)
        assert isinstance(last, Result), last
        return last

    return call
