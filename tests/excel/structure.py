"""What Excel demands of a workbook and other programs let pass (ECMA-376 parts 1 and 2)."""

from __future__ import annotations

import itertools
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_WORKSHEET = (
    "sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection "
    "protectedRanges scenarios autoFilter sortState dataConsolidate customSheetViews mergeCells "
    "phoneticPr conditionalFormatting dataValidations hyperlinks printOptions pageMargins "
    "pageSetup headerFooter rowBreaks colBreaks customProperties cellWatches ignoredErrors "
    "smartTags drawing legacyDrawing legacyDrawingHF drawingHF picture oleObjects controls "
    "webPublishItems tableParts extLst"
)
"""The children of a worksheet in their order (part 1, 18.3.1.99)."""
_WORKBOOK = (
    "fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups "
    "externalReferences definedNames calcPr oleSize customWorkbookViews pivotCaches smartTagPr "
    "smartTagTypes webPublishing fileRecoveryPr webPublishObjects extLst"
)
"""Part 1, 18.2.27."""
_STYLES = (
    "numFmts fonts fills borders cellStyleXfs cellXfs cellStyles dxfs tableStyles colors extLst"
)
"""Part 1, 18.8.39."""
_TABLE = "autoFilter sortState tableColumns tableStyleInfo extLst"
"""Part 1, 18.5.1.2."""
LINKS = 65_530
TEXT = 32_767


def check(path: Path) -> None:
    """Assert that Excel would open the workbook without repairing it."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len({name.casefold() for name in names})
        parts = {
            name: ElementTree.fromstring(archive.read(name))
            for name in names
            if name.endswith((".xml", ".rels"))
        }
        _content_types(parts["[Content_Types].xml"], names)
        for name in names:
            if name.endswith(".rels"):
                _relationships(name, parts[name], names)
        _workbook(parts)
        styles = parts["xl/styles.xml"]
        _in_order(styles, _STYLES)
        _styles(styles)
        _tables(parts)
        for name, root in parts.items():
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                raw = archive.read(name)
                _worksheet(name, root, raw, parts)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _in_order(root: ElementTree.Element, names: str) -> None:
    order = names.split()
    places = [order.index(_local(each)) for each in root if each.tag.startswith(MAIN)]
    assert places == sorted(places), [_local(each) for each in root]


# ------------------------------------------------------------------ the package


def _content_types(root: ElementTree.Element, names: Sequence[str]) -> None:
    endings, parts = set[str](), set[str]()
    for each in root:
        if _local(each) == "Default":
            endings.add(each.attrib["Extension"].lower())
        else:
            assert each.attrib["PartName"].lstrip("/") in names, each.attrib
            parts.add(each.attrib["PartName"].lstrip("/"))
    for name in names:
        if name != "[Content_Types].xml":
            assert name in parts or name.rpartition(".")[2].lower() in endings, name


def _source(rels: str) -> str:
    folder, _, name = rels.rpartition("/")
    return posixpath.join(posixpath.dirname(folder), name.removesuffix(".rels"))


def _relationships(name: str, root: ElementTree.Element, names: Sequence[str]) -> None:
    source = _source(name)
    assert source == "" or source in names or name == "_rels/.rels"
    ids = [each.attrib["Id"] for each in root]
    assert len(ids) == len(set(ids))
    for each in root:
        if each.attrib.get("TargetMode") != "External":
            assert _resolved(source, each.attrib["Target"]) in names, (name, each.attrib)


def _resolved(source: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(source), target)).lstrip("/")


def _related(part: str, parts: dict[str, ElementTree.Element]) -> dict[str, str]:
    """Return id -> target."""
    folder, _, file = part.rpartition("/")
    rels = parts.get(f"{folder}/_rels/{file}.rels")
    if rels is None:
        return {}
    return {e.attrib["Id"]: _resolved(part, e.attrib["Target"]) for e in rels}


# ------------------------------------------------------------------ the workbook


def _workbook(parts: dict[str, ElementTree.Element]) -> None:
    root = parts["xl/workbook.xml"]
    _in_order(root, _WORKBOOK)
    sheets = [each.attrib for each in root.iter(f"{MAIN}sheet")]
    for each in sheets:
        name = each["name"]
        assert 1 <= len(name.encode("utf-16-le")) // 2 <= 31, name
        assert not re.search(r"[\[\]:*?/\\\x00-\x1f]", name), name
        assert name.strip("'") == name
        assert name.casefold() != "history"
    for key in ("name", "sheetId"):
        assert len({each[key].casefold() for each in sheets}) == len(sheets)
    names = [(e.attrib["name"].casefold(), e.get("localSheetId")) for e in _names(root)]
    assert len(names) == len(set(names))
    known = {each["name"] for each in sheets}
    for each in _names(root):
        for quoted in re.findall(r"'((?:[^']|'')*)'!", each.text or ""):
            assert quoted.replace("''", "'") in known, each.text
        bare = re.findall(r"(?<![\w'.])([A-Za-z_][\w.]*)!", each.text or "")
        assert set(bare) <= known | {"#REF"}, each.text
    formulas = any(
        next(sheet.iter(f"{MAIN}f"), None) is not None
        for name, sheet in parts.items()
        if name.startswith("xl/worksheets/")
    )
    chain = root.find(f"{MAIN}calcPr")
    if formulas:
        assert chain is not None
        assert chain.get("fullCalcOnLoad") == "1"
    # the filter of a sheet has a hidden name of the same cells (part 1, 18.2.5)
    related = _related("xl/workbook.xml", parts)
    key = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    for index, sheet in enumerate(sheets):
        part = related[sheet[key]]
        found = parts[part].find(f"{MAIN}autoFilter")
        hidden = [
            e
            for e in _names(root)
            if e.attrib["name"] == "_xlnm._FilterDatabase" and e.get("localSheetId") == str(index)
        ]
        if found is not None:
            assert len(hidden) == 1, sheet["name"]
            assert (hidden[0].text or "").rpartition("!")[2].replace("$", "") == found.attrib["ref"]


def _names(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return root.iter(f"{MAIN}definedName")


# ------------------------------------------------------------------ formats


def _children(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    found = root.find(f"{MAIN}{name}")
    if found is None:
        return []
    if "count" in found.attrib:
        assert int(found.attrib["count"]) == len(found), name
    return list(found)


def _styles(root: ElementTree.Element) -> None:
    formats = {
        int(e.attrib["numFmtId"]): e.attrib["formatCode"] for e in _children(root, "numFmts")
    }
    for code in formats.values():
        assert 0 < len(code) <= 255
    counts = {kind: len(_children(root, f"{kind}s")) for kind in ("font", "fill", "border")}
    bases = len(_children(root, "cellStyleXfs"))
    for xf in _children(root, "cellXfs"):
        for kind, count in counts.items():
            assert int(xf.get(f"{kind}Id", "0")) < count
        assert int(xf.get("xfId", "0")) < bases
        number = int(xf.get("numFmtId", "0"))
        assert number < 164 or number in formats


# ------------------------------------------------------------------ tables


def _tables(parts: dict[str, ElementTree.Element]) -> None:
    roots = [root for name, root in parts.items() if re.match(r"xl/tables/[^/]+\.xml", name)]
    names = [root.attrib["displayName"].casefold() for root in roots]
    defined = [each.attrib["name"].casefold() for each in _names(parts["xl/workbook.xml"])]
    assert len(names) == len(set(names))
    assert not set(names) & set(defined)
    assert len({root.attrib["id"] for root in roots}) == len(roots)
    for root in roots:
        _in_order(root, _TABLE)
        assert re.fullmatch(r"[^\W\d][\w.]*|\\[\w.]*", root.attrib["displayName"])


def _table(root: ElementTree.Element, cells: Any) -> None:
    left, top, right, bottom = openpyxl.utils.range_boundaries(root.attrib["ref"])
    headed = int(root.get("headerRowCount", "1"))
    totals = int(root.get("totalsRowCount", "0"))
    assert bottom - top + 1 - headed - totals >= 1
    columns = [e.attrib["name"] for e in _children(root, "tableColumns")]
    assert len(columns) == right - left + 1
    assert len({name.casefold() for name in columns}) == len(columns)
    assert all(0 < len(name) <= 255 for name in columns)
    if headed:
        shown = [cells.get((top, column)) for column in range(left, right + 1)]
        # line ends in the names of columns are written as escapes
        read = [re.sub(r"_x([0-9A-Fa-f]{4})_", lambda m: chr(int(m[1], 16)), n) for n in columns]
        assert shown == read, (shown, read)
    filtered = root.find(f"{MAIN}autoFilter")
    if filtered is not None:
        span = openpyxl.utils.range_boundaries(filtered.attrib["ref"])
        assert span == (left, top, right, bottom - totals)


# ------------------------------------------------------------------ a sheet


def _worksheet(
    part: str, root: ElementTree.Element, raw: bytes, parts: dict[str, ElementTree.Element]
) -> None:
    _in_order(root, _WORKSHEET)
    styles = len(_children(parts["xl/styles.xml"], "cellXfs"))
    rules = len(_children(parts["xl/styles.xml"], "dxfs"))
    strings = parts.get("xl/sharedStrings.xml")
    shared = ["".join(e.itertext()) for e in strings] if strings is not None else []
    cells: dict[tuple[int, int], Any] = {}
    merged: list[tuple[int, int, int, int]] = []
    extent = [10**9, 10**9, 0, 0]
    row = 0
    for each in root.iter(f"{MAIN}row"):
        number = int(each.get("r", row + 1))
        assert number > row, (part, number)
        row, column = number, 0
        assert row <= 1_048_576
        for cell in each:
            assert _local(cell) == "c"
            at = cell.get("r")
            if at is not None:
                left, top, _, _ = openpyxl.utils.range_boundaries(at)
                assert top == row
                assert left > column, (part, at)
                column = left
            else:
                column += 1
            assert column <= 16_384
            assert int(cell.get("s", "0")) < styles
            value = _value(cell, shared)
            if value is not None:
                cells[row, column] = value
                extent = [
                    min(extent[0], column), min(extent[1], row),
                    max(extent[2], column), max(extent[3], row),
                ]  # fmt: skip
    dimension = root.find(f"{MAIN}dimension")
    assert dimension is not None
    left, top, right, bottom = openpyxl.utils.range_boundaries(dimension.attrib["ref"])
    if cells:
        assert left <= extent[0]
        assert top <= extent[1]
        assert right >= extent[2]
        assert bottom >= extent[3], (dimension.attrib, extent)
    for each in root.iter(f"{MAIN}mergeCell"):
        span = openpyxl.utils.range_boundaries(each.attrib["ref"])
        assert span[0:2] != span[2:4]
        for other in merged:
            apart = span[0] > other[2] or other[0] > span[2]
            assert apart or span[1] > other[3] or other[1] > span[3]
        merged.append(span)
    spans = [(int(e.attrib["min"]), int(e.attrib["max"])) for e in root.iter(f"{MAIN}col")]
    for (_, last), (first, _) in itertools.pairwise(spans):
        assert first > last
    _rules(root, raw, rules)
    links = list(root.iter(f"{MAIN}hyperlink"))
    assert len(links) <= LINKS
    related = _related(part, parts)
    for attribute in re.findall(rb' r:id="([^"]+)"', raw):
        assert attribute.decode() in related
    for each in root.iter(f"{MAIN}tablePart"):
        key = next(value for name, value in each.attrib.items() if name.endswith("}id"))
        _table(parts[related[key]], cells)
    for name in ("mergeCells", "dataValidations", "tableParts", "hyperlinks"):
        found = root.find(f"{MAIN}{name}")
        if found is not None:
            assert len(found) > 0
            _children(root, name)


def _value(cell: ElementTree.Element, shared: Sequence[str]) -> Any:
    kind = cell.get("t", "n")
    order = [["f", "v", "is", "extLst"].index(_local(each)) for each in cell]
    assert order == sorted(order)
    formula, value = cell.find(f"{MAIN}f"), cell.find(f"{MAIN}v")
    if formula is not None:
        assert formula.get("t") is not None or formula.text
        assert len(formula.text or "") <= 8_192
        assert not (formula.text or "").startswith("=")
        for literal in re.findall(r'"((?:[^"]|"")*)"', formula.text or ""):
            assert len(literal.replace('""', '"').encode("utf-16-le")) // 2 <= 255
    text: str | None = None
    if kind == "inlineStr":
        inline = cell.find(f"{MAIN}is")
        assert inline is not None
        assert value is None
        text = "".join(inline.itertext())
    elif value is None or (formula is not None and not value.text):
        return None if formula is None else "="
    elif kind == "s":
        text = shared[int(value.text or "")]
    elif kind == "str":
        text = value.text or ""
    elif kind == "b":
        assert value.text in ("0", "1")
    elif kind == "e":
        assert (value.text or "") in ("#NUM!", "#DIV/0!", "#N/A", "#REF!", "#VALUE!", "#NAME?")
    else:
        assert kind == "n"
        assert re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", value.text or "")
        return value.text
    if text is None:
        return value.text if value is not None else None
    plain = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda m: chr(int(m[1], 16)), text)
    assert len(plain.encode("utf-16-le", "surrogatepass")) // 2 <= TEXT
    return plain


def _rules(root: ElementTree.Element, raw: bytes, formats: int) -> None:
    priorities = [int(e.attrib["priority"]) for e in root.iter(f"{MAIN}cfRule")]
    assert len(priorities) == len(set(priorities))
    for each in root.iter(f"{MAIN}cfRule"):
        assert int(each.get("dxfId", "0")) < max(formats, 1)
    for block in root.iter(f"{MAIN}conditionalFormatting"):
        for ref in block.attrib["sqref"].split():
            openpyxl.utils.range_boundaries(ref)
    for each in root.iter(f"{MAIN}dataValidation"):
        for name, most in (
            ("promptTitle", 32),
            ("errorTitle", 32),
            ("prompt", 255),
            ("error", 255),
        ):
            assert len(each.get(name, "")) <= most
        for formula in (each.find(f"{MAIN}formula1"), each.find(f"{MAIN}formula2")):
            assert formula is None or 0 < len((formula.text or "").strip('"')) <= 255
    ids = re.findall(rb"<x14:id>([^<]+)</x14:id>", raw)
    rules = re.findall(rb'<x14:cfRule type="dataBar" id="([^"]+)"', raw)
    assert sorted(ids) == sorted(rules)
