"""References to cells in formulas, and how they follow rows that are inserted.

A formula's text is cut into its references and everything else (strings, names, functions,
references into other books), which stays as it is (ECMA-376 part 1, 18.17.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .feature import LAST_COLUMN, LAST_ROW, column_letters, column_number

_CELL = r"(\$?)([A-Za-z]{1,3})(\$?)([1-9][0-9]{0,6})"
_REFERENCE = rf"{_CELL}(?::{_CELL})?(?![\w.(!])"
_TOKENS = re.compile(
    r"""(?P<text>"(?:[^"]|"")*")"""
    # a column of a table, or a book and what is asked of it
    r"""|(?P<bracket>\[(?:[^\[\]]|\[[^\[\]]*\])*\](?:[\w.]+!\$?[\w.]+\$?\d*(?::\$?\w+\$?\d*)?)?)"""
    r"""|(?P<sheet>(?:'(?:[^']|'')*'|[^\W\d][\w.]*)(?::[^\W\d][\w.]*)?!)"""
    rf"""|(?P<cells>{_REFERENCE})|(?P<rows>\$?[1-9][0-9]{{0,6}}:\$?[1-9][0-9]{{0,6}})"""
    r"""|(?P<word>[\w.\\$]+)|(?P<other>.)""",
    re.DOTALL,
)
_REF = re.compile(rf"{_CELL}(?::{_CELL})?")


@dataclass(frozen=True)
class Area:
    """A block of cells: rows from 1, columns from 0, all inclusive."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def meets(self, other: Area) -> bool:
        return (
            self.first_row <= other.last_row
            and other.first_row <= self.last_row
            and self.first_column <= other.last_column
            and other.first_column <= self.last_column
        )

    def __str__(self) -> str:
        start = f"{column_letters(self.first_column)}{self.first_row}"
        end = f"{column_letters(self.last_column)}{self.last_row}"
        return start if start == end else f"{start}:{end}"


def area_of(ref: str) -> Area:
    """Return the block that ``B5`` or ``$B$5:$F$9`` means. Raises ``ValueError``."""
    found = _REF.fullmatch(ref.strip())
    if found is None:
        raise ValueError(f"“{ref}” is not a cell or a range of cells")
    _, letters, _, row, _, last_letters, _, last_row = found.groups()
    columns = sorted((column_number(letters), column_number(last_letters or letters)))
    rows = sorted((int(row), int(last_row or row)))
    return Area(rows[0], columns[0], rows[1], columns[1])


@dataclass(frozen=True)
class Growth:
    """What becomes of the rows of a sheet when ``body`` takes another number of them.

    ``moves``: the rows below are moved down by as many as are inserted. Otherwise nothing moves,
    and only ranges that cover exactly the rows of the body follow it.
    """

    sheet: str
    body: Area
    rows: int
    """Of the body afterwards, at least 1."""
    moves: bool

    @property
    def by(self) -> int:
        return self.rows - (self.body.last_row - self.body.first_row + 1)

    @property
    def last_row(self) -> int:
        return self.body.first_row + self.rows - 1

    def row(self, row: int) -> int:
        """Return where a row (from 1) stands afterwards."""
        return row + self.by if self.moves and row > self.body.last_row else row

    def span(self, area: Area) -> Area:
        """Return where a range stands afterwards."""
        body = self.body
        within = body.first_column <= area.first_column and area.last_column <= body.last_column
        first, last = self.row(area.first_row), self.row(area.last_row)
        if area.last_row == body.last_row and within:
            whole = area.first_row in (body.first_row, body.first_row - 1)
            if whole or (self.moves and area.first_row < body.last_row):
                last = self.last_row
        return Area(first, area.first_column, min(last, LAST_ROW), area.last_column)

    def cell(self, ref: str) -> str:
        """Return where a single cell stands afterwards; it does not become several."""
        try:
            area = area_of(ref)
        except ValueError:
            return ref
        return str(
            Area(
                self.row(area.first_row),
                area.first_column,
                self.row(area.last_row),
                area.last_column,
            )
        )

    def ref(self, ref: str) -> str:
        """Return a cell or range without a sheet, such as the ``ref`` of a merged cell."""
        try:
            area = area_of(ref)
        except ValueError:
            return ref
        moved = self.span(area)
        return ref if moved == area else str(moved)

    def refs(self, refs: str) -> str:
        """Return a list of ranges between spaces (``sqref``)."""
        return " ".join(map(self.ref, refs.split()))

    def formula(self, formula: str, *, home: bool) -> str:
        """Return a formula whose references follow; ``home``: those without a sheet are ours."""

        def moved(sheet: str | None, found: re.Match[str]) -> str:
            ours = home if sheet is None else sheet.casefold() == self.sheet.casefold()
            return self._reference(found) if ours else found[0]

        return _rewritten(formula, moved)

    def _reference(self, found: re.Match[str]) -> str:
        if found["rows"] is not None:
            first, last = found[0].split(":")
            numbers = int(first.strip("$")), int(last.strip("$"))
            ends = [self.row(number) for number in numbers]
            marks = ["$" if each.startswith("$") else "" for each in (first, last)]
            return ":".join(f"{mark}{end}" for mark, end in zip(marks, ends, strict=True))
        match = _REF.fullmatch(found[0])
        if match is None:
            return found[0]
        mark, letters, row_mark, row, last_mark, last_letters, last_row_mark, last_row = (
            match.groups()
        )
        if last_letters is None:
            return f"{mark}{letters}{row_mark}{min(self.row(int(row)), LAST_ROW)}"
        if int(last_row) < int(row):
            return found[0]
        area = self.span(area_of(found[0]))
        return (
            f"{mark}{letters}{row_mark}{area.first_row}"
            f":{last_mark}{last_letters}{last_row_mark}{area.last_row}"
        )


def follow(formula: str, growths: Iterable[Growth], home: str | None) -> str:
    """Return a formula after all of ``growths``; ``home`` is the sheet that it stands on."""
    for growth in growths:
        formula = growth.formula(formula, home=home == growth.sheet)
    return formula


def row_parts(formula: str, row: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return how the formula of the cell in ``row`` (from 1) reads in any other row.

    The texts, and between each two of them how far from its own row the row lies that is named.
    """
    texts, offsets = [""], list[int]()

    def cell(mark: str, letters: str, row_mark: str, number: str) -> None:
        texts[-1] += f"{mark}{letters}{row_mark}"
        if row_mark:
            texts[-1] += number
        else:
            offsets.append(int(number) - row)
            texts.append("")

    def cut(sheet: str | None, found: re.Match[str]) -> str:
        match = _REF.fullmatch(found[0])
        texts[-1] += formula[len_done[0] : found.start()]
        len_done[0] = found.end()
        if match is None:
            texts[-1] += found[0]
        else:
            parts = match.groups()
            cell(*parts[:4])
            if parts[5] is not None:
                texts[-1] += ":"
                cell(*parts[4:])
        return ""

    len_done = [0]
    _rewritten(formula, cut)
    texts[-1] += formula[len_done[0] :]
    return tuple(texts), tuple(offsets)


def _rewritten(formula: str, change: Callable[[str | None, re.Match[str]], str]) -> str:
    """Return ``formula`` with ``change(sheet or None, found)`` in place of each reference."""
    out = []
    sheet: str | None = None
    for found in _TOKENS.finditer(formula):
        kind = found.lastgroup
        # lastgroup tells the last group that took part; a reference has groups of its own
        if found["sheet"] is not None:
            sheet = found["sheet"][:-1]
            if sheet.startswith("'"):
                sheet = sheet[1:-1].replace("''", "'")
            out.append(found[0])
            continue
        if found["cells"] is not None or found["rows"] is not None:
            out.append(change(sheet, found))
        else:
            out.append(found[0])
        if kind != "sheet":
            sheet = None
    return "".join(out)


def offset(formula: str, rows: int, columns: int) -> str:
    """Return a formula as it reads ``rows`` further down and ``columns`` further right.

    Parts of a reference behind a ``$`` stay. This is how the cells of a shared formula read its
    first cell's (ECMA-376 part 1, 18.3.1.40).
    """

    def cell(mark: str, letters: str, row_mark: str, row: str) -> str:
        if not mark:
            # a reference that leaves the sheet comes in again at its other side
            letters = column_letters((column_number(letters) + columns) % LAST_COLUMN)
        if not row_mark:
            row = str((int(row) + rows - 1) % LAST_ROW + 1)
        return f"{mark}{letters}{row_mark}{row}"

    def moved(sheet: str | None, found: re.Match[str]) -> str:
        match = _REF.fullmatch(found[0])
        if match is None:
            ends = found[0].split(":")
            return ":".join(e if e.startswith("$") else str(int(e) + rows) for e in ends)
        parts = match.groups()
        text = cell(*parts[:4])
        return text if parts[4:][1] is None else f"{text}:{cell(*parts[4:])}"

    return _rewritten(formula, moved)
