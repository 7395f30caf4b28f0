"""A column -> the cells of a CSV: text, then what an encoding lacks, the guard, the quotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import ExportError, SourceFailed
from ...losses import example
from ...registry import Loss, LossLedger
from .. import cells, strftime
from ..coded import coded, count, counting
from ..strings import offsets, payload, rows_with
from . import guard
from .options import CsvOptions

_IN_NUMBERS = frozenset(" +-.:0123456789")
"""Delimiters and quotes that stand inside numbers and dates: such cells must be looked at too.
Letters as well (nan, true, T)."""
_LACKING = {"latin-1": (0xC4, r"[^\x{0}-\x{ff}]"), "ascii": (0x80, r"[^\x{0}-\x{7f}]")}
"""Encoding -> the lowest byte of UTF-8 that tells of a character it lacks, and all of those."""
_LEADING_ZERO = r"^0\d+([.,]\d+)?$"


@dataclass(frozen=True)
class Places:
    """Where values stand in the file, for the sentence of an error."""

    row: int
    """Rows before this batch."""
    codes: Any = None
    """The codes that point at the values, or None: each stands in its own row."""

    def first(self, marked: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, int] | None:
        """Return (index of the first marked value, its row counted from 1), or None."""
        if self.codes is None:
            return (int(np.argmax(marked)), self.row + int(np.argmax(marked)) + 1)
        codes = pc.fill_null(pc.cast(self.codes, pa.int64()), -1).to_numpy(zero_copy_only=False)
        # code -1 looks at the place behind the last value
        rows = np.append(marked, False)[codes]
        if not rows.any():
            return None
        row = int(np.argmax(rows))
        return int(codes[row]), self.row + row + 1


class Column:
    """How one column's cells are made; the same for every batch."""

    def __init__(
        self,
        field: pa.Field,
        options: CsvOptions,
        style: cells.Style,
        losses: LossLedger,
        *,
        alone: bool,
        first: bool,
    ) -> None:
        self._name = field.name
        self._options = options
        self._style = style
        self._losses = losses
        self._extension = isinstance(field.type, pa.BaseExtensionType)
        self._kind = field.type
        kind = _plain_type(field.type)
        numeric = (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        )
        dated = pa.types.is_temporal(kind) and not pa.types.is_interval(kind)
        plain = numeric or dated or pa.types.is_boolean(kind)
        self._is_text = _is_text(kind)
        self._with_letters = not plain
        always = options.quote == "all" or (options.quote == "nonnumeric" and not numeric)
        looked_at = not plain or _in_plain_text(options) or bool(options.null)
        first = first and not options.header
        self._quotes = Quotes(options, always=always, looked_at=looked_at, alone=alone, first=first)
        # what numbers, dates and booleans look like is chosen by who exports
        may_run = not plain or pa.types.is_duration(kind)
        self._guarded = options.formula_guard == "escape" and may_run

    def cells(self, column: pa.Array, row: int, ending: str | None) -> pa.Array:
        """Return the cells, with ``ending`` behind them in the last column (nulls written too)."""
        if self._extension:
            column = column.storage
            self._report_extension(column)
        few = coded(column)
        if few is not None:
            values, codes = few
            # a null has no word that the line's end could stand behind
            in_words = ending is not None and not (values.null_count or codes.null_count)
            weighed = counting(self._losses, codes, len(values))
            words = self._written(values, weighed, Places(row, codes))
            shown = pc.take(self._ended(words, ending) if in_words else words, codes)
            return shown if in_words or ending is None else self._ended(shown, ending)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        shown = self._written(column, self._losses, Places(row))
        return shown if ending is None else self._ended(shown, ending)

    def _written(self, column: pa.Array, losses: LossLedger, places: Places) -> pa.Array:
        shown = cells.text(column, self._name, self._style, losses)
        if self._with_letters:
            if self._is_text:
                _report_leading_zeros(shown, self._name, losses)
            shown = self._encodable(shown, losses, places)
        if self._guarded:
            shown = guard.guarded(shown, self._name, losses)
        return self._quotes.around(shown, self._name, losses, places)

    def _ended(self, shown: pa.Array, ending: str | None) -> pa.Array:
        # this and a join with the delimiter between cost less than one join with both as columns
        return pc.binary_join_element_wise(
            shown,
            ending,
            "",
            null_handling="replace",
            null_replacement=self._quotes.null,
        )

    def _encodable(self, shown: pa.Array, losses: LossLedger, places: Places) -> pa.Array:
        encoding = self._options.encoding
        if encoding not in _LACKING:
            return shown
        lowest, lacking = _LACKING[encoding]
        found = payload(shown) >= lowest
        if not found.any():
            return shown
        ends = offsets(shown)
        rows = np.zeros(len(shown), np.bool_)
        rows[np.searchsorted(ends, np.flatnonzero(found) + ends[0], side="right") - 1] = True
        first = places.first(rows)
        if first is None:
            return shown
        index, row = first
        value = shown[index].as_py()
        if self._options.encoding_errors == "error":
            raise SourceFailed(
                f"Row {row:,} of column “{self._name}” holds “{example(value)}”, which {encoding} "
                "cannot hold.",
                hint="Choose encoding=utf-8, or encoding_errors=replace.",
            )
        losses.add(
            Loss(
                "encoding",
                self._name,
                count(losses, rows),
                f"characters that {encoding} does not have become question marks",
                "encoding=utf-8",
                example(value),
            )
        )
        mended = pc.replace_substring_regex(pc.filter(shown, pa.array(rows)), lacking, "?")
        return pc.replace_with_mask(shown, pa.array(rows), mended)

    def _report_extension(self, storage: pa.Array) -> None:
        valid = len(storage) - storage.null_count
        if valid:
            message = f"{self._kind} is written, and read back, as {storage.type}"
            self._losses.add(Loss("type", self._name, valid, message, "format.type=arrow"))


def headings(names: list[str], options: CsvOptions, losses: LossLedger) -> list[str]:
    """Return the names as they are read in the file; reports what is changed of them."""
    written = []
    for name in names:
        shown = name
        try:
            name.encode(options.encoding)
        except UnicodeEncodeError:
            if options.encoding_errors == "error":
                raise SourceFailed(
                    f"The heading “{name}” has a character that {options.encoding} lacks.",
                    hint="Choose encoding=utf-8, or encoding_errors=replace.",
                ) from None
            message = f"the heading has a character that {options.encoding} does not have"
            losses.add(Loss("encoding", name, 1, message, "encoding=utf-8", example(name)))
            shown = name.encode(options.encoding, "replace").decode(options.encoding)
        if options.formula_guard == "escape":
            shown = guard.guarded(pa.array([shown]), name, losses)[0].as_py()
        written.append(shown)
    return written


def head_line(names: list[str], options: CsvOptions, losses: LossLedger) -> str:
    """Return the header's line without its end; reports what it changes of the names."""
    written = []
    always = options.quote in ("all", "nonnumeric")
    alone = len(names) == 1
    for i, name in enumerate(headings(names, options, losses)):
        quotes = Quotes(
            options, always=always, looked_at=True, alone=alone, first=i == 0, names=True
        )
        around = quotes.around(pa.array([name], pa.string()), names[i], losses, Places(-1))
        written.append(around[0].as_py())
    return options.delimiter.join(written)


class Quotes:
    """Quotes around the cells that need them (RFC 4180, section 2), or escape characters."""

    def __init__(
        self,
        options: CsvOptions,
        *,
        always: bool,
        looked_at: bool,
        alone: bool,
        first: bool = False,
        names: bool = False,
    ) -> None:
        self._options = options
        self._always = always
        self._looked_at = looked_at
        self._names = names
        # a lone empty text would be an empty line, which is no row to most readers
        self._empty = alone or not options.null
        self._codes = [ord(c) for c in options.special if ord(c) < 128]
        self._wide = [c for c in options.special if ord(c) > 127]
        if first and options.encoding == "utf-8" and options.quote != "none":
            # at the very beginning of a file it would be a byte order mark
            self._wide.append("\ufeff")
        self.null = options.null
        """What is written for a null."""
        if alone and not options.null and options.quote != "none":
            self.null = options.quote_char * 2

    def around(self, shown: pa.Array, name: str, losses: LossLedger, places: Places) -> pa.Array:
        """Return the cells as they stand in the file; nulls kept."""
        if self._always:
            return self._in_quotes(shown)
        if not self._looked_at:
            return shown
        if self._options.quote == "none":
            return self._bare(shown, name, losses, places)
        needing = self._with_special(shown)
        if self._options.null and not self._names:
            same = pc.equal(shown, self._options.null)
            needing = same if needing is None else pc.or_(needing, same)
        if self._empty and _has_empty(shown):
            empty = pc.equal(shown, "")
            needing = empty if needing is None else pc.or_(needing, empty)
        if needing is None:
            return shown
        needing = pc.fill_null(needing, False)
        quoted = self._in_quotes(pc.filter(shown, needing))
        return pc.replace_with_mask(shown, needing, quoted)

    def _with_special(self, shown: pa.Array) -> pa.Array | None:
        _, needing = rows_with(shown, self._codes)
        for char in self._wide:
            if char.encode() in payload(shown).tobytes():
                found = pc.match_substring(shown, char)
                needing = found if needing is None else pc.or_(needing, found)
        return needing

    def _in_quotes(self, shown: pa.Array) -> pa.Array:
        mark, escape = self._options.quote_char, self._options.escape
        if escape:
            shown = pc.replace_substring(shown, escape, escape * 2)
        shown = pc.replace_substring(shown, mark, (escape or mark) + mark)
        return pc.binary_join_element_wise(mark, shown, mark, "")

    def _bare(self, shown: pa.Array, name: str, losses: LossLedger, places: Places) -> pa.Array:
        """Return the cells without quotes: what needs them is escaped or an error."""
        if not self._names and (self._options.null or _has_empty(shown)):
            self._report_null_texts(shown, name, losses)
        needing = self._with_special(shown)
        if needing is None:
            return shown
        needing = pc.fill_null(needing, False)
        escape = self._options.escape
        if escape is None:
            first = places.first(needing.to_numpy(zero_copy_only=False))
            if first is not None:
                raise _not_without_quotes(name, first, shown, heading=self._names)
            return shown
        few = pc.replace_substring(pc.filter(shown, needing), escape, escape * 2)
        for char in self._options.special:
            if char != escape:
                few = pc.replace_substring(few, char, escape + char)
        return pc.replace_with_mask(shown, needing, few)

    def _report_null_texts(self, shown: pa.Array, name: str, losses: LossLedger) -> None:
        same = count(losses, pc.equal(shown, self._options.null))
        if same:
            what = f"“{self._options.null}”" if self._options.null else "empty"
            message = f"texts that are {what} look like nulls where nothing is quoted"
            losses.add(Loss("null_or_empty", name, same, message, "quote=minimal"))


def _not_without_quotes(
    name: str, first: tuple[int, int], shown: pa.Array, *, heading: bool
) -> ExportError:
    index, row = first
    what = f"The heading “{name}”"
    if not heading:
        what = f"Row {row:,} of column “{name}” holds “{example(shown[index].as_py())}”, which"
    return SourceFailed(
        f"{what} cannot stand without quotes: it has a delimiter, a quote or a line end in it.",
        hint="Choose quote=minimal, set escape_char, or choose another delimiter.",
    )


def _in_plain_text(options: CsvOptions) -> bool:
    """Tell whether numbers, dates or booleans may hold one of the special characters."""
    formats = (options.date_format, options.time_format, options.timestamp_format)
    texts = [t for f in formats if f for t in strftime.tokens(f) if isinstance(t, str)]
    texts += [options.decimal_separator, options.thousands_separator, *options.booleans]
    shown = "".join(texts)
    marks = (options.delimiter, options.quote_char, *(options.escape or ""))
    return any(c in _IN_NUMBERS or c.isalnum() or c in shown for c in marks) or any(
        c in shown for c in "\r\n"
    )


def _report_leading_zeros(shown: pa.Array, name: str, losses: LossLedger) -> None:
    data = payload(shown)
    if len(data) < 2:
        return
    places = offsets(shown)
    starts = places[:-1] - places[0]
    likely = (np.diff(places) > 1) & (data[np.minimum(starts, len(data) - 1)] == 0x30)
    if not likely.any():
        return
    rows = np.flatnonzero(likely)
    few = shown.take(pa.array(rows))
    zeros = pc.fill_null(pc.match_substring_regex(few, _LEADING_ZERO), False)
    if not pc.any(zeros).as_py():
        return
    marked = np.zeros(len(shown), np.bool_)
    marked[rows] = zeros.to_numpy(zero_copy_only=False)
    changed = count(losses, marked)
    if changed:
        losses.add(
            Loss(
                "leading_zeros",
                name,
                changed,
                "a spreadsheet takes the text for a number and drops its zeros",
                "format.type=excel",
                example(pc.filter(few, zeros)[0].as_py()),
            )
        )


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _has_empty(shown: pa.Array) -> bool:
    if not len(shown) or shown.buffers()[1] is None:
        return False
    places = offsets(shown)
    empties = int(np.count_nonzero(places[1:] == places[:-1]))
    # nulls have no length either; only more empties than nulls are worth a closer look
    return empties > shown.null_count or (empties > 0 and shown.null_count > 0)
