"""A run that is cancelled while the engine looks at a file ends, and leaves nothing behind."""

from __future__ import annotations

import threading

import pytest

from jupyter_export.errors import Cancelled

from .conftest import Bench, read, write


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "d"])
def test_a_cancel_ends_the_look(bench: Bench, name: str) -> None:
    if name == "x.jsonl":
        write(bench.root, name, '{"a":1.5,"b":"x"}\n' * 1_500_000)
    elif name == "x.csv":
        write(bench.root, name, "a,b\n" + "0.12345678901234567,x\n" * 1_500_000)
    else:
        for at in range(2000):
            write(bench.root, f"d/{at}.csv", "a,b\n1,2\n")
    here = bench.surroundings()
    timer = threading.Timer(0.3, here.cancelled.set)
    timer.start()
    with pytest.raises(Cancelled):
        read(bench, name, cancelled=here.cancelled)
    timer.join()
