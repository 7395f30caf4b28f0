"""Rows, headings and totals in the order in which they stand on the pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ...losses import example
from ...registry import Loss, LossLedger
from .chart_data import ChartData, Part
from .document import MOST_GROUPS, Document, Element, Entry
from .groups import Groups, Open, Stretches, Total, Wanted, merged, said, stretches
from .options import PdfOptions
from .pages import Page, Paginator
from .rows import CellTexts, Rows, RowSetter


@dataclass(frozen=True)
class Set:
    """A batch, set: its rows, where groups begin, and the totals of the whole batch."""

    rows: Rows
    groups: Stretches | None
    whole: Sequence[Total]
    charts: Sequence[Part]


@dataclass(frozen=True)
class _End:
    level: int
    group: Open


@dataclass(frozen=True)
class _Begin:
    levels: Sequence[tuple[int, str | None]]


@dataclass(frozen=True)
class _Stretch:
    start: int
    stop: int


class Grouping:
    """Lays the rows of one table out in groups; without group_by they are one."""

    def __init__(
        self,
        pages: Paginator,
        setter: RowSetter,
        texts: CellTexts,
        options: PdfOptions,
        document: Document,
        by: Sequence[tuple[int, str]],
        subtotals: Sequence[Wanted],
        totals: Sequence[Wanted],
        losses: LossLedger,
        charts: Sequence[ChartData],
    ) -> None:
        self._charts = charts
        self._pages = pages
        self._setter = setter
        self._texts = texts
        self._options = options
        self._document = document
        self._by = by
        self._subtotals = subtotals
        self._totals = totals
        self._losses = losses
        self._groups = Groups([name for _, name in by], [each.function for each in subtotals])
        self._all: list[Total] = []
        self._entries: list[list[Entry]] = []
        self._marked = 0
        self._rows = 0

    def set(self, batch: pa.RecordBatch) -> Set:
        """Set a batch; safe from several threads."""
        rows = self._setter.rows(batch)
        found: Stretches | None = None
        if self._by:
            keys = [self._key(batch.column(i), name) for i, name in self._by]
            found = stretches(batch, keys, self._subtotals)
        whole: Sequence[Total] = ()
        if self._totals and batch.num_rows:
            whole = stretches(batch, [], self._totals).totals[0]
        return Set(rows, found, whole, [chart.part(batch) for chart in self._charts])

    def _key(self, column: pa.Array, name: str) -> pa.Array:
        if isinstance(column.type, pa.BaseExtensionType):
            column = column.storage
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return self._texts.of(column, name, self._losses)

    def pages(self, made: Set) -> Iterator[Page]:
        """Put a batch on the pages; yields those that became full."""
        self._rows += made.rows.n
        for chart, part in zip(self._charts, made.charts, strict=True):
            chart.add(part)
        if made.whole:
            self._all = (
                [
                    merged(each.function, one, other)
                    for each, one, other in zip(self._totals, self._all, made.whole, strict=True)
                ]
                if self._all
                else list(made.whole)
            )
        if made.groups is None:
            yield from self._pages.rows(made.rows)
            return
        yield from self._shown(list(self._steps(made.groups, made.rows.n)), made.rows)

    def _steps(self, groups: Stretches, n: int) -> Iterator[_End | _Begin | _Stretch]:
        ends = [*groups.starts[1:].tolist(), n]
        for start, stop, key, totals in zip(
            groups.starts.tolist(), ends, groups.keys, groups.totals, strict=True
        ):
            level = self._groups.changed(key)
            if level < len(key):
                for closed, group in self._groups.end(level):
                    yield _End(closed, group)
                yield _Begin(list(self._groups.begin(key)))
            self._groups.add(totals, stop - start)
            yield _Stretch(start, stop)

    def _shown(
        self, steps: Sequence[_End | _Begin | _Stretch], rows: Rows | None
    ) -> Iterator[Page]:
        # all the totals of a batch become text together
        ended = [step.group.totals for step in steps if isinstance(step, _End)]
        totals = iter(self._said(self._subtotals, ended))
        for step in steps:
            if isinstance(step, _End):
                yield from self._end(step, next(totals))
            elif isinstance(step, _Begin):
                yield from self._begin(step)
            elif rows is not None:
                yield from self._pages.rows(rows, step.start, step.stop)

    def finish(self) -> Iterator[Page]:
        """Close what is open, put the totals of all rows, and yield the last pages."""
        steps = [_End(level, group) for level, group in self._groups.end(0)]
        yield from self._shown(steps, None)
        if self._totals and self._rows:
            (values,) = self._said(self._totals, [self._all])
            yield from self._pages.totals("Total", 0, values, strong=True)
        yield from self._pages.finish()

    def _said(
        self, wanted: Sequence[Wanted], totals: Sequence[Sequence[Total]]
    ) -> list[list[tuple[int, str, str]]]:
        """Return for each line of totals: (index of the column, text, function if no sum)."""
        columns = [
            said([line[i] for line in totals], of, self._texts.of, self._options.null)
            for i, of in enumerate(wanted)
        ]
        names = ["" if of.function == "sum" else of.function for of in wanted]
        return [
            [
                (of.index, text[line], name)
                for of, text, name in zip(wanted, columns, names, strict=True)
            ]
            for line in range(len(totals))
        ]

    def _begin(self, step: _Begin) -> Iterator[Page]:
        pages = self._pages
        if self._options.group_pages and step.levels[0][0] == 0:
            yield from pages.closed()
        new = [
            (level, self._heading(level, text), self._element(level)) for level, text in step.levels
        ]
        yield from pages.headings(new)
        slot, y = pages.sheet.slots[0], pages.sheet.y
        for level, text, element in new:
            if element is not None:
                entry = Entry(text, slot.number, y + pages.heading_height * len(new))
                self._entries[level:] = [self._entries[level], entry.children]
                self._entries[level].append(entry)
        first = step.levels[0][0]
        pages.repeated = [*pages.repeated[:first], *((level, text) for level, text, _ in new)]

    def _end(self, step: _End, totals: Sequence[tuple[int, str, str]]) -> Iterator[Page]:
        self._report(step)
        if totals:
            label = self._heading(step.level, step.group.text)
            yield from self._pages.totals(label, step.level, totals, strong=False)
        self._pages.repeated = self._pages.repeated[: step.level]

    def _element(self, level: int) -> Element | None:
        if self._marked >= MOST_GROUPS:
            return None
        if not self._entries:
            self._pages.started()  # the table's own entry comes first
            own = self._pages.entry
            self._entries = [self._document.outline if own is None else own.children]
        self._marked += 1
        return self._document.element(b"H%d" % min(level + 2, 6), self._pages.section)

    def _heading(self, level: int, text: str | None) -> str:
        shown = self._options.null or "–" if text is None else text
        return f"{self._by[level][1]}: {shown}"

    def _report(self, step: _End) -> None:
        """Report what a heading does not show of the cells that it stands for."""
        text, name, rows = step.group.text, self._by[step.level][1], step.group.rows
        if text is None:
            return
        cut, missing = self._pages.unseen(step.level, self._heading(step.level, text))
        if cut:
            message = "the group's heading is longer than the page is wide"
            self._losses.add(
                Loss("cut_off", name, rows, message, "orientation=landscape", example(text))
            )
        if missing:
            self._pages.pen.lacks(name, missing, text, rows, self._losses)
        if not text.isprintable() and any(ord(char) < 32 and char != "\t" for char in text):
            message = "line ends or control characters are shown as spaces"
            self._losses.add(Loss("unprintable", name, rows, message, None, example(text)))
