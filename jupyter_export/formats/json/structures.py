"""One dataset as a JSON value: records, split, or columns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from ...registry import Chunk
from . import rows
from .frame import Frame, text_chunk


def records(writer: rows.RowWriter, frame: Frame, level: int) -> Iterator[Chunk]:
    """Yield an array of objects."""
    return _array(writer, rows.of_objects(frame.rows(level + 1)), frame, level)


def split(schema: pa.Schema, writer: rows.RowWriter, frame: Frame, level: int) -> Iterator[Chunk]:
    """Yield the names once, and an array for each row."""
    line = frame.line(level + 1)
    names = frame.member("columns") + frame.text(schema.names)
    yield text_chunk(f"{{{line}{names},{line}{frame.member('data')}")
    yield from _array(writer, rows.of_arrays(frame.rows(level + 2)), frame, level + 1)
    yield text_chunk(f"{frame.line(level)}}}")


def _array(
    writer: rows.RowWriter, layout: rows.Layout, frame: Frame, level: int
) -> Iterator[Chunk]:
    bracket = "["
    # every row begins with a comma; the bracket takes the place of the first one
    for chunk in writer.chunks(layout, before="," + frame.line(level + 1)):
        if bracket:
            yield text_chunk(bracket)
            chunk = Chunk(memoryview(chunk.data)[1:], chunk.rows)
            bracket = ""
        yield chunk
    yield text_chunk("[]" if bracket else f"{frame.line(level)}]")


def columns(
    schema: pa.Schema, writer: rows.RowWriter, frame: Frame, level: int, scratch: Path
) -> Iterator[Chunk]:
    """Yield an array of values for each column.

    The first column is written as it comes. The pieces of the others wait in one file, in the
    order of the rows, until the columns before them are whole.
    """
    heads = [f"{frame.line(level + 1)}{frame.member(name)}[" for name in schema.names]
    foot = f"{frame.line(level + 1)}]"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=scratch, prefix="columns-") as spool:
        pieces: list[list[tuple[int, int]]] = [[] for _ in heads]
        yield text_chunk("{" + heads[0])
        for count, texts in writer.columns(before="," + frame.line(level + 2)):
            # the first value of a column has no comma
            yield Chunk(texts[0] if pieces[0] else texts[0][1:], count)
            for place, text in zip(pieces, texts, strict=True):
                place.append((spool.tell(), len(text)))
                if place is not pieces[0]:
                    spool.write(text)
        for head, place in zip(heads[1:], pieces[1:], strict=True):
            yield text_chunk(f"{foot},{head}")
            for index, (at, size) in enumerate(place):
                spool.seek(at)
                yield Chunk(spool.read(size)[0 if index else 1 :], 0)
    yield text_chunk(f"{foot}{frame.line(level)}}}")
