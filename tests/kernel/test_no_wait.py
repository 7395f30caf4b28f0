"""The prompt is back as soon as the rows are frozen, a batch at a time; nothing reaches them."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyter_export.client.arrow import ipc_pieces
from jupyter_export.client.find import LocalClients
from jupyter_export.errors import SourceFailed
from jupyter_export.sources import frame as frames
from jupyter_export.sources import pandas_frame

from .conftest import Server
from .kernels import Kernel, kernel_of

# ----------------------------------------------------------------- a batch at a time

NA: Any = None
COLUMNS: dict[str, Any] = {
    "nulls, then texts": pd.Series([NA, NA, NA, NA, "a"], dtype=object),
    "whole, then not": pd.Series([1, 2, 3, 4.5, NA], dtype=object),
    "decimals": pd.Series([Decimal("1.5"), NA, Decimal(2), Decimal("1234.789"), Decimal(0)]),
    "dates": pd.Series([dt.date(2020, 1, 1), NA, dt.date(2021, 1, 1), NA, dt.date.min]),
    "moments": pd.Series([pd.Timestamp("2020-01-01", tz="Europe/Paris")] * 4 + [pd.NaT]),
    "lists": pd.Series([[1], NA, [], [2.5], [3]]),
    "structs": pd.Series([{"a": 1}, {"b": "x"}, NA, {"a": 2}, {}]),
    "bytes": pd.Series([b"a", NA, b"b", b"", b"c"]),
    "nothing": pd.Series([NA] * 5, dtype=object),
    "categories": pd.Series(["a", "b", NA, "a", "c"], dtype="category"),
    "order": pd.Series(pd.Categorical([1, 2, NA, 3, 1], ordered=True)),
    "integers or null": pd.Series([1, NA, 3, 4, 5], dtype="Int64"),
    "texts": pd.Series(["a", NA, "b", "c", "d"], dtype="str"),
    "python's texts": pd.Series(["a", NA, "b", "c", "d"], dtype="string[python]"),
    "arrow": pd.Series([[1], NA, [2], [3], [4]], dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
    "zone": pd.Series(pd.date_range("2020", periods=5, tz="Asia/Tokyo")),
    "nan": pd.Series(np.array([1, np.nan, 3, 4, 5], dtype="float32")),
    "periods": pd.Series(pd.period_range("2020", periods=5, freq="M")),
    "unsigned": pd.Series([1, 2, 3, 2**63 + 1, 5], dtype="uint64"),
}


def test_slices_are_what_the_whole_frame_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pandas_frame, "BATCH_ROWS", 2)
    frame = pd.DataFrame(COLUMNS)
    found = frames.read(frame).read_all()
    whole = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    assert found.schema.equals(whole.schema)
    assert found.equals(whole)
    assert [batch.num_rows for batch in found.to_batches()] == [2, 2, 1]
    assert frames.read(pd.Series([1, 2])).schema.names == ["value"]
    sparse = frames.read(pd.Series(pd.arrays.SparseArray([0, 0, 1]), name="s")).read_all()
    assert sparse.to_pydict() == {"s": [0, 0, 1]}


@pytest.mark.parametrize(
    ("frame", "columns"),
    [
        (pd.DataFrame({"x": [1]}, index=["a"]), {"index": ["a"], "x": [1]}),
        (pd.DataFrame({"x": [1]}, index=pd.Index([7], name="n")), {"n": [7], "x": [1]}),
        (
            pd.DataFrame({"x": [1, 2, 3]}, index=pd.MultiIndex.from_tuples(
                [("a", 1), ("a", 2), ("b", 1)], names=["k", None])),
            {"k": ["a", "a", "b"], "level_1": [1, 2, 1], "x": [1, 2, 3]},
        ),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], [1, 2]]),
                         index=pd.Index(["q"], name="n")),
            {"n": ["q"], "a.1": [1], "a.2": [2]},
        ),
        (pd.DataFrame({0: [1]}), {"0": [1]}),
        (pd.DataFrame({"x": []}, dtype=object), {"x": []}),
    ],
)  # fmt: skip
def test_an_index_becomes_columns(frame: Any, columns: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(pandas_frame, "BATCH_ROWS", 2)
    assert frames.read(frame).read_all().to_pydict() == columns


def test_what_cannot_be_a_column_is_named() -> None:
    for frame, said in (
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Two columns of the frame are named “a”."),
        (pd.DataFrame({"x": [1j]}), "Column “x” cannot be exported as it is: "),
        (pd.DataFrame({"x": [object()]}), "Column “x” cannot be exported as it is: "),
    ):
        with pytest.raises(SourceFailed, match=said[:30]) as failed:
            frames.read(frame)
        assert failed.value.message.startswith(said)
    late = pd.DataFrame({"x": pd.Series([1] * 70_000 + ["a"], dtype=object)})
    with pytest.raises(SourceFailed, match="Column “x” cannot be exported as it is: Could not"):
        LocalClients.here().upload(frames.read(late))


ROWS = 400_000
TEXTS = pa.array([f"text {n % 1000}" for n in range(ROWS)])
MADE: dict[str, Callable[[], Any]] = {
    "objects": lambda: pd.DataFrame({"a": TEXTS.to_pandas().astype(object)}),
    "strings": lambda: pd.DataFrame({"a": TEXTS.to_pandas()}),
    "numbers": lambda: pd.DataFrame(np.arange(ROWS * 3.0).reshape(ROWS, 3)),
    "categories": lambda: pd.DataFrame({"a": TEXTS.to_pandas().astype("category")}),
    "polars": lambda: pl.concat(
        [pl.DataFrame({"a": TEXTS[:1000]}), pl.DataFrame({"a": TEXTS[1000:]})], rechunk=False
    ),
    "arrow": lambda: pa.table({"a": TEXTS}),
}


@pytest.mark.parametrize("kind", MADE)
def test_the_frame_is_never_there_twice(kind: str) -> None:
    frame = MADE[kind]()
    gc.collect()
    held, most, rows = pa.total_allocated_bytes(), 0, 0
    for batch in frames.read(frame):
        rows += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - held)
        assert kind == "arrow" or batch.num_rows <= pandas_frame.BATCH_ROWS
    assert rows == ROWS
    assert most < 2.5 * 1024**2


def test_a_category_of_polars_is_sent() -> None:
    frame = pl.DataFrame({"a": pl.Series(["x", "y", None, "x"], dtype=pl.Categorical)})
    sent = b"".join(bytes(piece) for piece in ipc_pieces(frames.read(frame)))
    found = pa.ipc.open_stream(sent).read_all()
    assert found["a"].to_pylist() == ["x", "y", None, "x"]
    assert found.schema.field("a").type.value_type == pa.large_string()


# ----------------------------------------------------------------- a real kernel

FRAME = """\
%load_ext jupyter_export
import numpy, os, pandas, signal, time
def fresh():
    values = numpy.arange(500_000)
    return values, pandas.DataFrame({"n": values, "twice": values}, copy=False)
"""
INTERRUPTED = """\
os.killpg(os.getpgid(0), signal.SIGINT)  # as Jupyter interrupts a kernel
time.sleep(60)
"""


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    with kernel_of(server, "frozen") as running:
        assert running.run(FRAME).status == "ok"
        yield running


@pytest.mark.parametrize("runner", ["server", "kernel"])
def test_nothing_reaches_a_frozen_frame(
    kernel: Kernel, server: Server, tmp_path: Path, runner: str
) -> None:
    """Neither what the notebook does to its frame, nor an interrupt of what it does then."""
    file = (server.root / "frozen" if runner == "server" else tmp_path) / "out.csv.br"
    path = file.name if runner == "server" else str(file)
    began = kernel.run(
        f"values, frame = fresh()\njob = %export frame {path} --no-wait\nvalues[:] = 0"
    )
    assert began.status == "ok", began.text
    assert (
        kernel.run("assert frame['n'].sum() == 0  # the frame does share its memory").status == "ok"
    )
    interrupted = kernel.run(INTERRUPTED)
    assert interrupted.reply["ename"] == "KeyboardInterrupt"
    where = kernel.run(
        "print(job.result(60).rows if hasattr(job.result(60), 'rows') else job.result(60))"
    )
    assert where.status == "ok", where.text
    assert kernel.run("print(job.status)").text.strip() == "completed"
    with pa.CompressedInputStream(pa.OSFile(str(file)), "brotli") as packed:
        header, *lines = packed.read().decode().splitlines()
    assert header == "n,twice"
    assert lines == [f"{n},{n}" for n in range(500_000)]
