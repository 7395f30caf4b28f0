"""The sheet of a template that gets the rows: what stays, what moves, what makes room.

ECMA-376 part 1, 18.3. Bytes that need no change are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .feature import column_letters
from .references import Area, Growth, area_of, follow
from .spliced_xml import Element, Splices, with_attributes
from .template_area import Target
from .template_cells import Cell, Row, cell_after, in_cell, read_rows, style_of
from .template_package import Package

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WANTED = {
    "worksheet", "sheetPr", "dimension", "sheetData", "row", "c", "f", "col", "mergeCells",
    "mergeCell", "hyperlinks", "hyperlink", "autoFilter", "sortState", "sortCondition",
    "conditionalFormatting", "dataValidation", "ignoredError", "protectedRange", "rowBreaks",
    "brk", "formula", "formula1", "formula2", "sqref", "cfvo",
}  # fmt: skip
_REFS = {
    "autoFilter": "ref",
    "sortState": "ref",
    "sortCondition": "ref",
    "conditionalFormatting": "sqref",
    "dataValidation": "sqref",
    "ignoredError": "sqref",
    "protectedRange": "sqref",
}
"""Element -> the attribute that says where it holds."""
_FORMULAS = frozenset({"formula", "formula1", "formula2", "f"})


@dataclass(frozen=True)
class Finished:
    """The sheet without the rows of the data."""

    head: bytes
    tail: bytes
    beside: Mapping[int, tuple[str, str]]
    """Row (from 1) -> what opens it and stands left of its data, and what stands right of it."""


class TemplateSheet:
    """The sheet of ``target``, read once; ``finished`` lays it out around the rows."""

    def __init__(self, package: Package, target: Target) -> None:
        self.target = target
        self.data = package.read(target.sheet.part)
        self._found = package.elements(target.sheet.part, self.data, _WANTED)
        self._sheet_data = next((e for e in self._found if e.name == "sheetData"), None)
        if self._sheet_data is None:
            raise package.refused(f"is damaged: {target.sheet.part} has no cells")
        tag = self.data[self._sheet_data.start + 1 : self._sheet_data.inner]
        name = re.split(rb"[\s/>]", tag, maxsplit=1)[0].decode()
        self._prefix = name[: -len("sheetData")]
        self.rows = {row.number: row for row in read_rows(self.data, self._found)}

    # -------------------------------------------------------------- before the rows

    def style(self, row: int, column: int) -> int:
        """Return the format of a cell: its own, or its column's."""
        cells = self.rows[row].cells if row in self.rows else []
        for cell in cells:
            if cell.column == column:
                return style_of(cell.tag)
        for each in self._found:
            if each.name == "col":
                first, last = (int(each.attributes.get(end, "0")) for end in ("min", "max"))
                if first <= column + 1 <= last:
                    return int(each.attributes.get("style", "0"))
        return 0

    def formula(self, row: int, column: int) -> str | None:
        """Return what a cell computes."""
        for cell in self.rows[row].cells if row in self.rows else []:
            if cell.column == column:
                return cell.formula
        return None

    @property
    def opening(self) -> str:
        """What opens each row: as the first row of the area, and filled up to its first cell."""
        body = self.target.body
        tag = "<row>"
        if body.first_row in self.rows:
            tag = self._row_tag(self.rows[body.first_row], hidden=False)
        return tag + "<c/>" * body.first_column

    def _row_tag(self, row: Row, *, hidden: bool = True) -> str:
        """Return a start tag without an address, which a row of data has not."""
        changes: list[tuple[str, str | None]] = [("r", None), ("spans", None)]
        if not hidden:
            changes += [(each, None) for each in ("hidden", "collapsed", "outlineLevel")]
        tag = with_attributes(row.tag, changes).decode("utf-8")
        return re.sub(r"^<[^\s/>]*", "<row", re.sub(r"\s*/?>$", ">", tag))

    @property
    def apart(self) -> range:
        """The rows of data that cells of the template may come to stand beside."""
        body = self.target.body
        if self.moves:
            return range(body.first_row, body.last_row + 1)
        return range(body.first_row, max(self.rows, default=0) + 1)

    moves: bool = True
    """The rows below move down when the area grows."""

    @property
    def rows_below(self) -> int:
        """Rows of the sheet that have to find room below the data."""
        last = max(self.rows, default=0)
        if self.moves:
            return max(0, last - self.target.body.last_row)
        return 1 if self.target.totals_row is not None else 0

    # -------------------------------------------------------------- behind the rows

    def finished(
        self, count: int, growths: Sequence[Growth], headings: Mapping[int, bytes]
    ) -> Finished:
        """Lay the sheet out around ``count`` rows; ``headings``: column -> the cell's content."""
        growth = next(each for each in growths if each.sheet == self.target.sheet.name)
        first = self.target.body.first_row
        data_rows = range(first, first + count)
        laid = self._laid_out(data_rows, growth, growths)
        if self.target.header_row is not None:
            self._put_headings(laid, headings)
        before = [self._written(laid[n]) for n in sorted(laid) if n < first]
        if count and first > 1 and first - 1 not in laid:
            before.append(f'<row r="{first - 1}"/>'.encode())
        after = [self._written(laid[n]) for n in sorted(laid) if n >= first and n not in data_rows]
        beside = {
            n: self._beside(laid[n], n) for n in sorted(laid) if n in data_rows and laid[n].cells
        }
        for n in sorted(laid):
            if n in data_rows and n not in beside:
                beside[n] = (self._row_tag(laid[n]) + "<c/>" * self.target.body.first_column, "")
        splices = self._spliced(growth, growths)
        return self._around(splices, before, after, beside)

    def _around(
        self,
        splices: Splices,
        before: list[bytes],
        after: list[bytes],
        beside: Mapping[int, tuple[str, str]],
    ) -> Finished:
        here = self._sheet_data
        assert here is not None
        tag = self.data[here.start : here.inner]
        opening = re.sub(rb"\s*/>$", b">", tag)
        if self._prefix:
            # our rows have no prefix
            opening = with_attributes(opening, [("xmlns", _MAIN)])
        head = splices.applied(0, here.start) + opening + b"".join(before)
        closing = f"</{self._prefix}sheetData>".encode()
        tail = b"".join(after) + closing + splices.applied(here.end)
        return Finished(head, tail, beside)

    def _laid_out(
        self, data_rows: range, growth: Growth, growths: Sequence[Growth]
    ) -> dict[int, Row]:
        """Return the rows that stay, by the numbers they get, without the cells that go."""
        body, totals = self.target.body, self.target.totals_row
        moved_totals = growth.last_row + 1 if totals is not None and not growth.moves else None
        out: dict[int, Row] = {}
        relocated: list[Cell] = []
        for row in self.rows.values():
            number = growth.row(row.number)
            cells = []
            for cell in row.cells:
                inside = body.first_column <= cell.column <= body.last_column
                if inside and body.first_row <= row.number <= body.last_row:
                    # rows that the data does not reach lose their values, and keep their formats
                    if number not in data_rows and number != moved_totals:
                        cells.append(self._blank(cell, number))
                elif inside and moved_totals is not None and row.number == totals:
                    relocated.append(self._kept(cell, moved_totals, growths))
                    if moved_totals != row.number and number not in data_rows:
                        cells.append(self._blank(cell, number, plain=True))
                elif inside and (number in data_rows or number == moved_totals):
                    continue
                else:
                    cells.append(self._kept(cell, number, growths))
            out[number] = Row(number, row.tag, cells)
        if moved_totals is not None and relocated:
            tag = self.rows[totals].tag if totals is not None else b"<row>"
            kept = out.get(moved_totals, Row(moved_totals, tag)).cells
            kept = [c for c in kept if not body.first_column <= c.column <= body.last_column]
            together = sorted([*kept, *relocated], key=lambda cell: cell.column)
            out[moved_totals] = Row(
                moved_totals,
                out[moved_totals].tag
                if moved_totals in out
                else with_attributes(tag, [("r", None)]),
                together,
            )
        return out

    def _kept(self, cell: Cell, row: int, growths: Sequence[Growth]) -> Cell:
        raw = cell_after(cell, row, growths, self.target.sheet.name)
        return Cell(cell.column, raw, cell.tag)

    def _blank(self, cell: Cell, row: int, *, plain: bool = False) -> Cell:
        style = 0 if plain else style_of(cell.tag)
        attribute = f' s="{style}"' if style else ""
        at = f"{column_letters(cell.column)}{row}"
        raw = f'<{self._prefix}c r="{at}"{attribute}/>'.encode()
        return Cell(cell.column, raw, raw)

    def _put_headings(self, laid: dict[int, Row], headings: Mapping[int, bytes]) -> None:
        number = self.target.header_row or 0
        row = laid.get(number, Row(number, f"<{self._prefix}row>".encode()))
        kept = [cell for cell in row.cells if cell.column not in headings]
        for column, content in headings.items():
            style = self.style(number, column)
            attribute = f' s="{style}"' if style else ""
            at = f"{column_letters(column)}{number}"
            # without a prefix whatever the sheet's: its cells are in the same namespace
            raw = f'<c r="{at}"{attribute} t="inlineStr">'.encode() + content + b"</c>"
            kept.append(Cell(column, raw, raw))
        laid[number] = Row(number, row.tag, sorted(kept, key=lambda cell: cell.column))

    def _written(self, row: Row) -> bytes:
        tag = with_attributes(row.tag, [("r", str(row.number)), ("spans", None)])
        if not row.cells:
            return re.sub(rb"\s*/?>$", b"/>", tag)
        opening = re.sub(rb"\s*/?>$", b">", tag)
        name = re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0]
        return opening + b"".join(cell.raw for cell in row.cells) + b"</" + name + b">"

    def _beside(self, row: Row, number: int) -> tuple[str, str]:
        """Return what opens a row of data among cells that stay, and the cells behind it."""
        first = self.target.body.first_column
        left = [cell for cell in row.cells if cell.column < first]
        right = [cell for cell in row.cells if cell.column > first]
        opening = self._row_tag(row) + b"".join(cell.raw for cell in left).decode("utf-8")
        if first and (not left or left[-1].column != first - 1):
            opening += f'<c r="{column_letters(first - 1)}{number}"/>'
        return opening, b"".join(cell.raw for cell in right).decode("utf-8")

    # -------------------------------------------------------------- around the cells

    def _spliced(self, growth: Growth, growths: Sequence[Growth]) -> Splices:
        body, home = self.target.body, self.target.sheet.name
        top = self.target.header_row or body.first_row
        last = growth.last_row
        if self.target.totals_row is not None and not growth.moves:
            last += 1
        ours = Area(top, body.first_column, last, body.last_column)
        splices = Splices(self.data)
        left = {"mergeCell": 0, "hyperlink": 0}
        for each in self._found:
            if each.name in left:
                if not self._goes(each, growth, ours):
                    left[each.name] += 1
                    if "ref" in each.attributes:
                        splices.set_attribute(each, "ref", growth.cell(each.attributes["ref"]))
                    location = each.attributes.get("location")
                    if location:
                        splices.set_attribute(each, "location", follow(location, growths, None))
            elif each.name in _REFS:
                self._follow_ref(splices, each, _REFS[each.name], growth)
            elif each.name == "sqref":
                splices.set_text(each, growth.refs(each.text(self.data)))
            elif each.name == "brk" and each.parent is not None:
                if each.parent.name == "rowBreaks":
                    row = growth.row(int(each.attributes.get("id", "0")))
                    splices.set_attribute(each, "id", str(row))
            elif each.name in _FORMULAS and not in_cell(each):
                splices.set_text(each, follow(each.text(self.data), growths, home))
            elif each.name == "cfvo" and each.attributes.get("type") == "formula":
                value = each.attributes.get("val", "")
                splices.set_attribute(each, "val", follow(value, growths, home))
        self._remove_gone(splices, growth, ours, left)
        self._set_dimension(splices, growth, ours)
        return splices

    def _remove_gone(
        self, splices: Splices, growth: Growth, ours: Area, left: Mapping[str, int]
    ) -> None:
        for each in self._found:
            if each.name in ("mergeCells", "hyperlinks"):
                of = each.name[:-1]
                if not left[of]:
                    splices.remove(each)
                elif "count" in each.attributes:
                    splices.set_attribute(each, "count", str(left[of]))
            elif each.name in left and left[each.name] and self._goes(each, growth, ours):
                splices.remove(each)

    def _goes(self, element: Element, growth: Growth, ours: Area) -> bool:
        """Tell whether a merged cell or a link stood where rows stand now."""
        try:
            area = area_of(element.attributes.get("ref", ""))
        except ValueError:
            return False
        body = self.target.body
        before = Area(ours.first_row, body.first_column, body.last_row, body.last_column)
        return area.meets(before) or area_of(growth.cell(str(area))).meets(ours)

    @staticmethod
    def _follow_ref(splices: Splices, element: Element, name: str, growth: Growth) -> None:
        if name in element.attributes:
            splices.set_attribute(element, name, growth.refs(element.attributes[name]))

    def _set_dimension(self, splices: Splices, growth: Growth, ours: Area) -> None:
        """Say which cells are used: ours have no address, and readers trust this."""
        found = [ours]
        for row in self.rows.values():
            if row.cells:
                number = growth.row(row.number)
                first, last = row.cells[0].column, row.cells[-1].column
                found.append(Area(number, first, number, last))
        if self.target.totals_row is not None:
            last_row = growth.last_row + 1
            found.append(Area(last_row, ours.first_column, last_row, ours.last_column))
        extent = str(
            Area(
                min(each.first_row for each in found),
                min(each.first_column for each in found),
                max(each.last_row for each in found),
                max(each.last_column for each in found),
            )
        )
        for each in self._found:
            if each.name == "dimension":
                splices.set_attribute(each, "ref", extent)
                return
        root = self._found[0]
        at = next((e.end for e in self._found if e.name == "sheetPr"), root.inner)
        splices.replace(at, at, f'<{self._prefix}dimension ref="{extent}"/>'.encode())
