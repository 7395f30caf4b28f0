"""The other parts of a template that speak of the sheet with the rows.

Charts, names, tables, pivot caches and formulas of other sheets follow cells that move. A part
that names none of them keeps its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .references import Area, Growth, follow
from .spliced_xml import Element, NotUsable, Splices, elements, with_attributes
from .template_area import Target
from .template_cells import cell_after, read_rows
from .template_package import CONTENT_TYPES, Package, relations_part, without_calculation_chain

_RELATED = ("drawing", "comments", "vmlDrawing", "threadedComment", "table")
"""What a sheet has in parts of its own, with places in it."""
_AFTER_NAMES = {
    "calcPr", "oleSize", "customWorkbookViews", "pivotCaches", "smartTagPr", "smartTagTypes",
    "webPublishing", "fileRecoveryPr", "webPublishObjects", "extLst",
}  # fmt: skip
"""What follows the defined names in a workbook (ECMA-376 part 1, 18.2.27)."""


@dataclass(frozen=True)
class Change:
    """One dataset's rows in the template, when their number is known."""

    target: Target
    growth: Growth


class Others:
    """Rewrites the parts of ``package`` that are not the sheets with the rows."""

    def __init__(self, package: Package, changes: Sequence[Change]) -> None:
        self._package = package
        self._changes = changes
        self._growths = [change.growth for change in changes]
        self._dropped = {name for name in package.names if name.endswith("/calcChain.xml")}
        self._of_sheet: dict[str, tuple[str, Change]] = {}
        for change in changes:
            for relation in package.relations_of(change.target.sheet.part):
                if relation.type in _RELATED:
                    self._of_sheet[relation.target] = (relation.type, change)
        self._home = {sheet.part: sheet.name for sheet in package.sheets}
        self._tables = {
            part: sheet.name
            for sheet in package.sheets
            for part in package.related(sheet.part, "table")
        }

    def part(self, name: str) -> bytes | None:
        """Return a part's new bytes, empty for one that goes, or None for one that stays as it is.

        Raises ``InvalidSpec`` for a part that cannot be read.
        """
        if name in self._dropped:
            return b""
        if name in (CONTENT_TYPES, relations_part(self._package.workbook)):
            return without_calculation_chain(self._package, name, self._package.read(name))
        change = self._rewriter(name)
        if change is None:
            return None
        data = self._package.read(name)
        try:
            new = change(name, data)
        except NotUsable as error:
            # notes of old programs are often no XML; they stay where they were
            if name.endswith(".vml"):
                return None
            raise self._package.refused(f"cannot be used: {name}: {error}") from None
        return None if new == data else new

    def _rewriter(self, name: str) -> Callable[[str, bytes], bytes] | None:
        if name == self._package.workbook:
            return self._workbook
        if name in self._home:
            return self._sheet
        if name in self._tables:
            return self._table
        if re.match(r"xl/chart(s|Ex)/[^/]+\.xml$", name):
            return self._formulas
        if re.match(r"xl/pivotCache/pivotCacheDefinition[^/]*\.xml$", name):
            return self._pivot_cache
        kind = self._of_sheet.get(name, ("", None))[0]
        return {
            "drawing": self._drawing,
            "comments": self._comments,
            "threadedComment": self._comments,
            "vmlDrawing": self._notes,
        }.get(kind)

    # -------------------------------------------------------------- the workbook

    def _workbook(self, name: str, data: bytes) -> bytes:
        """Names follow; everything is computed when the file is opened (18.2.2, fullCalcOnLoad)."""
        found = elements(data, {"workbook", "definedName", "definedNames", "sheets", *_AFTER_NAMES})
        splices = Splices(data)
        for each in found:
            if each.name == "definedName":
                splices.set_text(each, follow(each.text(data), self._growths, None))
        top = [e for e in found if e.parent is not None and e.parent.name == "workbook"]
        chain = next((e for e in top if e.name == "calcPr"), None)
        if chain is not None:
            splices.set_attribute(chain, "fullCalcOnLoad", "1")
        else:
            later = next((e.start for e in top if e.name in _AFTER_NAMES), found[0].inner_end)
            tag = data[found[0].start + 1 : found[0].inner]
            prefix = re.split(rb"[\s/>]", tag, maxsplit=1)[0][: -len(b"workbook")]
            splices.replace(later, later, b"<" + prefix + b'calcPr fullCalcOnLoad="1"/>')
        return splices.applied()

    # -------------------------------------------------------------- other sheets, charts, pivots

    def _sheet(self, name: str, data: bytes) -> bytes:
        """Formulas follow, and lose the values that they had before the rows came."""
        bare = re.search(rb"<(?:\w+:)?row(?:>|\s(?![^>]*\sr=)[^>]*>)", data) is not None
        if not bare and re.search(rb"<(?:\w+:)?f(?:ormula\d?)?[\s>]", data) is None:
            return data
        home = self._home[name]
        found = elements(
            data, {"row", "c", "f", "formula", "formula1", "formula2", "hyperlink", "sqref"}
        )
        splices = Splices(data)
        at = iter([each for each in found if each.name in ("row", "c")])
        for row in read_rows(data, found):
            element = next(at)
            if bare:
                # rows of data are told by having no number; these are not ours
                tag = with_attributes(row.tag, [("r", str(row.number))])
                splices.replace(element.start, element.inner, tag)
            for cell in row.cells:
                element = next(at)
                if cell.formula is not None or bare:
                    new = cell_after(cell, row.number, self._growths, home)
                    splices.replace(element.start, element.end, new)
        for each in found:
            inside = each.parent is not None and each.parent.name == "c"
            if each.name in ("formula", "formula1", "formula2", "f") and not inside:
                splices.set_text(each, follow(each.text(data), self._growths, home))
            elif each.name == "hyperlink" and each.attributes.get("location"):
                moved = follow(each.attributes["location"], self._growths, None)
                splices.set_attribute(each, "location", moved)
        return splices.applied()

    def _formulas(self, name: str, data: bytes) -> bytes:
        splices = Splices(data)
        for each in elements(data, {"f"}):
            splices.set_text(each, follow(each.text(data), self._growths, None))
        return splices.applied()

    def _pivot_cache(self, name: str, data: bytes) -> bytes:
        """A pivot table over our rows follows them, and is filled again when it is opened."""
        splices = Splices(data)
        found = elements(data, {"pivotCacheDefinition", "worksheetSource"})
        root = found[0]
        for each in found[1:]:
            for change in self._changes:
                table = change.target.table
                named = each.attributes.get("name", "")
                of_sheet = each.attributes.get("sheet") == change.target.sheet.name
                if of_sheet and "ref" in each.attributes:
                    splices.set_attribute(each, "ref", change.growth.ref(each.attributes["ref"]))
                of_table = table is not None and table.name.casefold() == named.casefold()
                if of_sheet or of_table:
                    splices.set_attribute(root, "refreshOnLoad", "1")
        return splices.applied()

    # -------------------------------------------------------------- what hangs on the sheet

    def _table(self, name: str, data: bytes) -> bytes:
        home = self._tables[name]
        change = next((c for c in self._changes if c.target.sheet.name == home), None)
        splices = Splices(data)
        wanted = {"table", "autoFilter", "sortState", "sortCondition", "calculatedColumnFormula"}
        for each in elements(data, {*wanted, "totalsRowFormula"}):
            if each.name.endswith("Formula"):
                splices.set_text(each, follow(each.text(data), self._growths, home))
            elif change is not None:
                ref = each.attributes.get("ref", "")
                table = change.target.table
                if table is not None and table.part == name and each.name != "sortCondition":
                    ref = self._grown(each, change)
                else:
                    ref = change.growth.ref(ref)
                splices.set_attribute(each, "ref", ref)
                # without rows, a table has an empty one that waits for input
                if table is not None and table.part == name and "insertRow" in each.attributes:
                    splices.set_attribute(each, "insertRow", "0")
        return splices.applied()

    @staticmethod
    def _grown(element: Element, change: Change) -> str:
        """Return the range of the table with our rows, or of its filter, or of its sorted rows."""
        table = change.target.table
        assert table is not None
        first, last = table.area.first_row, change.growth.last_row
        if element.name == "table":
            last += table.totals_rows
        elif element.name == "sortState":
            first = table.body.first_row
        return str(Area(first, table.area.first_column, last, table.area.last_column))

    def _drawing(self, name: str, data: bytes) -> bytes:
        """Charts and pictures below the rows move with their cells; none is stretched."""
        growth = self._of_sheet[name][1].growth
        splices = Splices(data)
        anchors: dict[int, list[Element]] = {}
        for each in elements(data, {"oneCellAnchor", "twoCellAnchor", "from", "to", "row"}):
            if each.name == "row" and each.parent is not None and each.parent.parent is not None:
                anchors.setdefault(each.parent.parent.start, []).append(each)
        for rows in anchors.values():
            # the first of them is its upper edge; rows count from 0
            top = int(rows[0].text(data)) + 1
            by = growth.row(top) - top
            for row in rows if by else ():
                splices.set_text(row, str(int(row.text(data)) + by))
        return splices.applied()

    def _comments(self, name: str, data: bytes) -> bytes:
        growth = self._of_sheet[name][1].growth
        splices = Splices(data)
        for each in elements(data, {"comment", "threadedComment"}):
            if "ref" in each.attributes:
                splices.set_attribute(each, "ref", growth.cell(each.attributes["ref"]))
        return splices.applied()

    def _notes(self, name: str, data: bytes) -> bytes:
        """The boxes of comments ([MS-OI29500] 2.1.1787 and following: x:Row, x:Anchor)."""
        growth = self._of_sheet[name][1].growth
        splices = Splices(data)
        for each in elements(data, {"shape", "ClientData", "Row", "Anchor"}):
            text = each.text(data).strip() if each.name in ("Row", "Anchor") else ""
            if each.name == "Row" and text.isdigit():
                splices.set_text(each, str(growth.row(int(text) + 1) - 1))
            elif each.name == "Anchor":
                numbers = [number.strip() for number in text.split(",")]
                if len(numbers) == 8 and all(number.isdigit() for number in numbers):
                    top = int(numbers[2]) + 1
                    by = growth.row(top) - top
                    for place in (2, 6):
                        numbers[place] = str(int(numbers[place]) + by)
                    if by:
                        splices.set_text(each, ", ".join(numbers))
        return splices.applied()
