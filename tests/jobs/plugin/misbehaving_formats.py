"""A third party's formats, found by their entry points as any plug-in's: each fails in its way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from jupyter_export.registry import (
    Bytes,
    Capabilities,
    Chunk,
    Format,
    FormatOptions,
    LossLedger,
    RowCounter,
)


class Options(FormatOptions):
    seconds: float = 20.0


class Lines(RowCounter):
    def __init__(self) -> None:
        self.rows = 0

    def update(self, data: Bytes) -> None:
        self.rows += bytes(data).count(b"\n")

    def finish(self, path: Path) -> int:
        return self.rows


class Plain(Format):
    """One line for each row, written as ``misbehave`` lets it."""

    type: ClassVar[str] = "plain"
    label: ClassVar[str] = "Plain"
    endings: ClassVar[tuple[str, ...]] = (".plain",)
    media_type: ClassVar[str] = "text/plain"
    options = Options
    capabilities: ClassVar[Capabilities] = Capabilities()

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: Any,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        for batch in batches:
            for _ in range(batch.num_rows):
                self.misbehave(options)
                yield Chunk(b"row\n", 1)

    def misbehave(self, options: Any) -> None:
        """What happens before each row."""

    def counter(self, options: Any) -> RowCounter:
        return Lines()

    def losses(self, schema: pa.Schema, options: Any) -> Sequence[Any]:
        return ()

    def reader(self, schema: pa.Schema, path: str, options: Any, compression: str) -> str:
        return f"df = open({path!r}).read()"


class Slow(Plain):
    """20 rows a second: hears a cancel."""

    type = "slow"
    endings = (".slow",)

    def misbehave(self, options: Any) -> None:
        time.sleep(0.05)


class Deaf(Plain):
    """Hangs in its first row and hears nothing."""

    type = "deaf"
    endings = (".deaf",)

    def misbehave(self, options: Any) -> None:
        time.sleep(options.seconds)


class Suicidal(Plain):
    """Ends its process the hard way in its second row, as the system's memory killer would."""

    type = "suicidal"
    endings = (".suicidal",)

    def __init__(self) -> None:
        self.rows = 0

    def misbehave(self, options: Any) -> None:
        self.rows += 1
        if self.rows == 2:
            os.kill(os.getpid(), signal.SIGKILL)


class Greedy(Plain):
    """Takes 64 MB more with every row, and touches it."""

    type = "greedy"
    endings = (".greedy",)

    def __init__(self) -> None:
        self.hoard: list[bytearray] = []

    def misbehave(self, options: Any) -> None:
        self.hoard.append(bytearray(b"x" * 64 * 1024**2))
        time.sleep(0.05)


class Chatty(Plain):
    """Prints to both outputs, above and below Python."""

    type = "chatty"
    endings = (".chatty",)

    def misbehave(self, options: Any) -> None:
        print('{"job": "forged", "result": {}}', flush=True)
        os.write(1, b"raw noise without an end")
        os.write(2, b"\xff\xfe noise\n")


class Broken(Plain):
    """Raises what nobody expects, with a secret in it."""

    type = "broken"
    endings = (".broken",)

    def misbehave(self, options: Any) -> None:
        raise ZeroDivisionError("postgresql://me:hunter2@db/warehouse")
