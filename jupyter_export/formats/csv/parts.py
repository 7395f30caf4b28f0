"""Lines spread over numbered files, none of which has more rows or bytes than it may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ...registry import Chunk

if TYPE_CHECKING:
    from .rows import Lines


def parts(
    head: bytes,
    lines: Iterable[Lines],
    stem: str,
    suffix: str,
    most_rows: int | None,
    most_bytes: int | None,
) -> Iterator[Chunk]:
    """Yield the chunks of ``{stem}-001{suffix}``, ``{stem}-002{suffix}`` …, each with the head.

    A file ends at the end of a row; a row that is larger than a file may be has one of its own.
    """
    number = 1
    name = f"{stem}-{number:03d}{suffix}"
    rows, size = 0, len(head)
    yield Chunk(head, 0, name)
    for each in lines:
        done = start = 0
        while done < each.rows:
            fit = each.rows
            if most_rows is not None:
                fit = min(fit, done + most_rows - rows)
            if most_bytes is not None:
                limit = start + most_bytes - size
                fit = min(fit, int(np.searchsorted(each.ends, limit, side="right")))
            if rows == 0:
                fit = max(fit, done + 1)
            if fit > done:
                end = int(each.ends[fit - 1])
                yield Chunk(memoryview(each.data)[start:end], fit - done, name)
                rows += fit - done
                size += end - start
                done, start = fit, end
            if done < each.rows:
                number += 1
                name = f"{stem}-{number:03d}{suffix}"
                rows, size = 0, len(head)
                yield Chunk(head, 0, name)
