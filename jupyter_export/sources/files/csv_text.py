"""CSV: the first line names the columns, and every other line is a row.

The delimiter is the one that the first line uses and the other lines agree with (comma, semicolon,
tab or bar); cells are quoted as RFC 4180 says. A cell without anything is null, ``""`` an empty
text, and null in a column that holds no texts. Only a first line of nothing but numbers and dates
is taken for a row.
"""

from __future__ import annotations

import codecs
import csv
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ... import engine
from ...errors import ExportError, SourceFailed
from ...registry import BatchStream, Surroundings, split_ending
from . import engine_rows, text_types
from .engine_rows import LONGEST_LINE, Explain, LineTooLong, lines, one_file, opened
from .text_types import Digits
from .waiting import heard
from .wording import unreadable

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 200
"""Lines that show which delimiter is meant."""
_PIECE = 2**20
_MOST_EMPTY = 1_000_000
"""Empty lines before the first one."""
_VALUE = re.compile(
    r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?|\d{4}-\d\d-\d\d([ T][\d:.]+(Z|[-+][\d:]+)?)?"
)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Layout:
    """How a file is written, and what its columns are called."""

    path: Path
    """The file to read, in UTF-8."""
    shown: str
    """What the user calls it."""
    names: tuple[str, ...]
    delimiter: str
    header: bool
    skip: int = 0
    """Empty lines before the first one."""
    longest_line: int | None = None

    def call(self) -> str:
        """Return the SQL that reads the file as texts, columns ``c0``, ``c1``, …"""
        columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(self.names)))
        longest = ""
        if self.longest_line:
            # by itself it would take sixteen times as much for each buffer
            longest = f", max_line_size = {self.longest_line}, buffer_size = {self.longest_line}"
        return (
            f"read_csv({one_file(self.path)}, auto_detect = false, columns = {{{columns}}}, "
            f"header = {str(self.header).lower()}, skip = {self.skip}, "
            f"delim = {engine.literal(self.delimiter)}, quote = '\"', escape = '\"', comment = '', "
            "nullstr = '', allow_quoted_nulls = false, null_padding = false, "
            f"strict_mode = true, hive_partitioning = false{longest})"
        )


@dataclass(frozen=True)
class CsvTable:
    """A CSV file that was looked at: its columns, and the classes of their values."""

    layout: Layout
    rows: int
    masks: tuple[int, ...]
    """The classes that occur in each column, as ``text_types.mask_sql`` gives them."""
    here: Surroundings

    @property
    def names(self) -> tuple[str, ...]:
        return self.layout.names

    def digits(self, at: int) -> Digits:
        return Digits(*self._ask(text_types.digits_sql(f"c{at}")))

    def nanoseconds(self, at: int) -> bool:
        return bool(self._ask(text_types.nanoseconds_sql(f"c{at}"))[0])

    def stream(self, types: Sequence[str]) -> BatchStream:
        """Read the rows; ``types`` are the engine's, one for each column."""
        cells = ", ".join(
            f"{text_types.cast_sql(f'c{at}', kind)} AS c{at}" for at, kind in enumerate(types)
        )
        return engine_rows.stream(
            f"SELECT {cells} FROM {self.layout.call()}",
            self.names,
            [self.layout.path],
            self.here,
            explains(self.layout),
            total_rows=self.rows,
        )

    def _ask(self, sql: str) -> Any:
        query = f"SELECT {sql} FROM {self.layout.call()}"
        paths = [self.layout.path]
        with engine_rows.looking(paths, self.here, explains(self.layout)) as connection:
            return connection.sql(query).fetchall()[0]


def look(path: Path, shown: str, here: Surroundings, folder: Path) -> CsvTable:
    """Look at every value of a CSV file. ``folder`` takes a copy where one is needed.

    Raises ``SourceFailed`` for what is no CSV, naming the line where that can be told.
    """
    if path.stat().st_size == 0:
        raise _empty(shown)
    try:
        path = _in_utf_8(path, shown, here, folder)
        layout = _layout(path, shown, here)
        long = _has_long_line(path, here)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, ExportError):
            raise
        # gzip and zstd tell what is wrong with them in this way
        raise unreadable(shown, str(error)) from error
    except LineTooLong:
        raise _too_long(f"A line of “{shown}”") from None
    try:
        if long:
            raise _LineTooLong("")
        return _look(layout, here)
    except _LineTooLong:
        _refuse_longer(path, shown, here)
        return _look(replace(layout, longest_line=LONGEST_LINE), here)


def _has_long_line(path: Path, here: Surroundings) -> bool:
    """Tell whether a line may be beyond what the engine reads by itself: some it leaves out without
    a word (DuckDB 1.4: those of more than 32 MB)."""
    with closing(opened(path)) as text:
        without = 0
        for piece in _pieces(text.buffer, b"", here):
            without = 0 if b"\n" in piece or b"\r" in piece else without + len(piece)
            if without > 8 * _PIECE:
                return True
    return False


def _refuse_longer(path: Path, shown: str, here: Surroundings) -> None:
    """Raise ``SourceFailed`` for a record beyond ``LONGEST_LINE``."""
    length = 0
    within = False
    try:
        with closing(opened(path)) as text:
            for line in lines(text, here):
                length = length + len(line) if within else len(line)
                if length > LONGEST_LINE:
                    raise LineTooLong
                # a quote that stands double opens and closes at once
                within ^= line.count('"') % 2 == 1
    except LineTooLong:
        raise _too_long(f"A record of “{shown}”") from None


def _look(layout: Layout, here: Surroundings) -> CsvTable:
    masks = [text_types.mask_sql(text_types.class_sql(f"c{at}")) for at in range(len(layout.names))]
    query = f"SELECT count(*), {', '.join(masks)} FROM {layout.call()}"
    with engine_rows.looking([layout.path], here, explains(layout)) as connection:
        (found,) = connection.sql(query).fetchall()
    return CsvTable(layout, found[0], tuple(found[1:]), here)


# ------------------------------------------------------------------ delimiter, names


def _layout(path: Path, shown: str, here: Surroundings) -> Layout:
    blank = _blank_lines(path, shown, here)
    tabs = split_ending(shown)[1] == ".tsv"
    best: tuple[tuple[bool, int], str, list[list[str]]] | None = None
    first: tuple[str, list[list[str]]] | None = None
    wrong: csv.Error | None = None
    for delimiter in ("\t",) if tabs else _DELIMITERS:
        try:
            records = _records(path, delimiter, here)
        except csv.Error as error:
            # with another delimiter its quotes may be right
            wrong = wrong or error
            continue
        first = first or (delimiter, records)
        width = len(records[0]) if records else 0
        agree = all(len(record) == width for record in records)
        if width > 1 and (best is None or (agree, width) > best[0]):
            best = (agree, width), delimiter, records
    if best is not None:
        _, delimiter, records = best
    elif first is not None:
        delimiter, records = first
    else:
        raise unreadable(shown, str(wrong))
    if not records:
        raise _empty(shown)
    cells = records[0]
    if any("\0" in cell for cell in cells):
        raise SourceFailed(
            f"“{shown}” has NUL characters in its first line, as UTF-16 without its mark has.",
            hint="Save it as UTF-8.",
            field="source.path",
        )
    header = not _is_row(cells)
    names = _names(cells) if header else [f"column {i + 1}" for i in range(len(cells))]
    return Layout(path, shown, tuple(names), delimiter, header, blank)


def _is_row(cells: list[str]) -> bool:
    """Tell whether the first line holds values and no names. 0, 1, 2, … are names: frames without
    others have them."""
    if cells == [str(at) for at in range(len(cells))]:
        return False
    given = [cell for cell in cells if cell]
    return bool(given) and all(_VALUE.fullmatch(cell) for cell in given)


def _names(cells: list[str]) -> list[str]:
    """Return the names as the file has them; of several empty ones, their places."""
    empty = Counter(cells)[""] > 1
    return [f"column {i + 1}" if empty and not cell else cell for i, cell in enumerate(cells)]


def _records(path: Path, delimiter: str, here: Surroundings) -> list[list[str]]:
    """Return the first records. Raises ``csv.Error`` when not even one can be read."""
    records: list[list[str]] = []
    try:
        with closing(opened(path)) as text:
            for record in csv.reader(lines(text, here), delimiter=delimiter, strict=True):
                if record:
                    records.append(record)
                if len(records) == _SAMPLE:
                    break
    except csv.Error:
        # what is wrong further down is the engine's to tell, which knows the line
        if not records:
            raise
    return records


def _blank_lines(path: Path, shown: str, here: Surroundings) -> int:
    with closing(opened(path)) as text:
        for count, line in enumerate(lines(text, here)):
            if line.strip("\r\n"):
                return count
            if count == _MOST_EMPTY:
                raise SourceFailed(
                    f"“{shown}” begins with more than {_MOST_EMPTY:,} empty lines.",
                    field="source.path",
                )
    return 0


# ------------------------------------------------------------------ encodings


def _in_utf_8(path: Path, shown: str, here: Surroundings, folder: Path) -> Path:
    """Return the file, or a copy in UTF-8 of one that begins with the mark of UTF-16."""
    with closing(opened(path)) as text:
        raw = text.buffer
        mark = raw.read(2)
        if mark not in _UTF_16:
            return path
        copy = folder / f"{uuid.uuid4().hex}.csv"
        decoder = codecs.getincrementaldecoder("utf-16")()
        try:
            with copy.open("wb") as out:
                for piece in _pieces(raw, mark, here):
                    out.write(decoder.decode(piece).encode())
                out.write(decoder.decode(b"", final=True).encode())
        except UnicodeError:
            raise SourceFailed(
                f"“{shown}” begins as UTF-16 and does not stay it.",
                hint="Save it as UTF-8.",
                field="source.path",
            ) from None
        return copy


def _pieces(raw: Any, first: bytes, here: Surroundings) -> Iterator[bytes]:
    piece = first or raw.read(_PIECE)
    while piece:
        heard(here)
        yield piece
        piece = raw.read(_PIECE)


# ------------------------------------------------------------------ what goes wrong


class _LineTooLong(SourceFailed):
    """A line is longer than the engine reads by itself."""


def _too_long(where: str) -> SourceFailed:
    return SourceFailed(f"{where} is longer than {LONGEST_LINE // 2**20} MiB.", field="source.path")


def _empty(shown: str) -> SourceFailed:
    return SourceFailed(f"“{shown}” is empty: not even its columns are known.", field="source.path")


def explains(layout: Layout) -> Explain:
    """Return the function that puts the engine's complaints about a CSV file into a sentence."""
    shown = layout.shown

    def failed(message: str, hint: str | None = None) -> SourceFailed:
        return SourceFailed(message, hint=hint, field="source.path")

    def explain(text: str) -> SourceFailed:
        at = re.search(r"CSV Error on Line: (\d+)", text)
        where = f"Line {int(at[1]):,} of “{shown}”" if at else f"“{shown}”"
        cells = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
        if cells:
            begun = "the first line names" if layout.header else "the first line has"
            return failed(
                f"{where} has {_cells(cells[2])}, and {begun} {cells[1]}.",
                "Quote cells that hold the delimiter, and give every line the same cells.",
            )
        if "unterminated quote" in text:
            return failed(
                f"{where} has a quote that is not closed, or text behind a closed one.",
                "Double the quotes inside a quoted cell.",
            )
        if "unicode" in text.lower() or "not utf-8" in text.lower():
            return failed(f"{where} is not UTF-8.", "Save it as UTF-8.")
        if "aximum line size" in text or "max_line_size" in text:
            if layout.longest_line is None:
                return _LineTooLong(text)
            return _too_long(where)
        if "invalid state" in text:
            return failed(
                f"{where} does not keep to CSV (RFC 4180): a quote stands where none can, or its "
                "lines end in different ways."
            )
        return unreadable(shown, text)

    return explain


def _cells(count: str) -> str:
    return "1 cell" if count == "1" else f"{count} cells"
