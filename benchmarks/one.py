"""One measured run in a process of its own: ``python -m benchmarks.one FORMAT NAME UPLOAD``.

Prints one JSON line: ``{"wall", "cpu", "anon", "bytes", "rows"}`` (seconds, seconds, bytes,
bytes, rows of the frame).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from . import OURS, WARM_UP_ROWS, generated
from .meter import measure


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("format")
    arguments.add_argument("name")
    arguments.add_argument("upload")
    arguments.add_argument("--uploads", type=Path, required=True)
    chosen = arguments.parse_args()
    # Beside the uploads, not in the system's folder for temporary files: that may be memory.
    with tempfile.TemporaryDirectory(dir=chosen.uploads.parent, prefix="run-") as folder:
        kind = chosen.format.split(",")[0]
        # pandas takes the writer from the ending
        output = Path(folder) / f"out.{'xlsx' if kind == 'excel' else kind}"
        measured = _run(chosen.format, chosen.name, chosen.upload, chosen.uploads, output)
        print(json.dumps({**measured, "bytes": os.path.getsize(output)}))


def _run(
    file_format: str, name: str, upload: str, uploads: Path, output: Path
) -> dict[str, float | int | None]:
    # A process imports what it measures and nothing else: imports are memory.
    if upload.startswith("postgresql"):
        return _database(file_format, name, *upload.rsplit("#", 1), output)
    if name == OURS:
        return _ours(file_format, upload, uploads, output)
    return _peer(file_format, name, upload, uploads, output)


def _ours(
    file_format: str, upload: str, uploads: Path, output: Path
) -> dict[str, float | int | None]:
    from .ours import export

    export(generated(WARM_UP_ROWS), file_format, uploads, output)()
    results = []
    call = export(upload, file_format, uploads, output)
    measured = measure(lambda: results.append(call()))
    return {**measured, "rows": results[0].rows}


def _peer(
    file_format: str, name: str, upload: str, uploads: Path, output: Path
) -> dict[str, float | int | None]:
    import pyarrow as pa

    from .data import read
    from .documents import PEERS

    prepare = PEERS[file_format][name]
    # As warm as ours: lazy imports and thread pools of the library are there.
    prepare(read(uploads / f"{generated(WARM_UP_ROWS)}.arrows"), output)()
    output.unlink()
    table = read(uploads / f"{upload}.arrows")
    rows = table.num_rows
    write = prepare(table, output)
    # What only the preparation needed is not the peer's memory.
    del table
    pa.default_memory_pool().release_unused()
    return {**measure(write), "rows": rows}


def _database(
    file_format: str, name: str, url: str, table: str, output: Path
) -> dict[str, float | int | None]:
    """Measure one way from a table to a file, warmed up with a small table."""
    from . import postgres

    if name.startswith(OURS):
        where = postgres.FILTER if "filtered" in name else None
        postgres.export(url, "warm", file_format, output, where)()
        results = []
        call = postgres.export(url, table, file_format, output, where)
        measured = measure(lambda: results.append(call()))
        return {**measured, "rows": results[0].rows}
    prepare = postgres.PEERS[name]
    prepare(url, "warm", output)()
    output.unlink()
    return {**measure(prepare(url, table, output)), "rows": None}


if __name__ == "__main__":
    main()
