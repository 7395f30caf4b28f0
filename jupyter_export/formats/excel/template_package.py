"""An existing workbook as a package of parts (ECMA-376 part 2): what is in it, and what is not.

Every way in which a file cannot serve as a template is named here, before a row is read.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

from ...errors import InvalidSpec, did_you_mean
from .spliced_xml import Element, NotUsable, elements

CONTENT_TYPES = "[Content_Types].xml"
_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_TEMPLATE = "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml"
_STRICT = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of a compound file ([MS-CFB] 2.2): .xls, or an .xlsx with a password."""
_LARGEST_PART = 256 * 1000**2
"""Bytes of a part that is read; more is an attack, or no template."""
_FIELD = "format.template"


@dataclass(frozen=True)
class Relation:
    id: str
    type: str
    """The last word of its address: ``worksheet``, ``table``."""
    target: str
    """The part's name."""


@dataclass(frozen=True)
class Sheet:
    name: str
    part: str
    index: int
    """Among the workbook's sheets, from 0."""


@dataclass(frozen=True)
class DefinedName:
    name: str
    sheet: int | None
    """Of a name that belongs to one sheet: that sheet's index."""
    formula: str


class Package:
    """A workbook that is read part by part; use ``opened``."""

    def __init__(self, archive: zipfile.ZipFile, shown: str) -> None:
        self.archive = archive
        self.shown = shown
        """The file's name in sentences."""
        self.names = frozenset(archive.namelist())
        self.types = self._content_types()
        self.workbook = self._main_part()
        self.relations = self.relations_of(self.workbook)
        data = self.read(self.workbook)
        if _STRICT in data:
            raise self.refused(
                "is a Strict Open XML workbook", "Save it as an ordinary Excel workbook (.xlsx)."
            )
        found = self.elements(self.workbook, data, {"sheet", "definedName", "workbookPr"})
        self.dates_from_1904 = any(
            each.name == "workbookPr" and each.attributes.get("date1904") in ("1", "true")
            for each in found
        )
        self.sheets = self._sheets(found)
        self.defined = [
            DefinedName(each.attributes.get("name", ""), _index(each), each.text(data))
            for each in found
            if each.name == "definedName"
        ]

    # -------------------------------------------------------------- reading

    def refused(self, why: str, hint: str | None = None) -> InvalidSpec:
        return InvalidSpec(f"The template “{self.shown}” {why}.", hint=hint, field=_FIELD)

    def read(self, part: str) -> bytes:
        """Return a part's bytes. Raises ``InvalidSpec`` for one that is missing or broken."""
        if part not in self.names:
            raise self.refused(f"is damaged: it has no {part}")
        if self.archive.getinfo(part).file_size > _LARGEST_PART:
            raise self.refused(
                f"is too large: {part} has more than {_LARGEST_PART // 1000**2} MB",
                "Take the rows out of it that this export brings.",
            )
        try:
            return self.archive.read(part)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            raise self.refused(f"is damaged: {part} cannot be read") from None

    def elements(self, part: str, data: bytes, wanted: set[str]) -> list[Element]:
        try:
            return elements(data, wanted)
        except NotUsable as error:
            raise self.refused(f"cannot be used: {part}: {error}") from None

    def relations_of(self, part: str) -> list[Relation]:
        """Return the relationships of a part to parts of the package (ECMA-376 part 2, 9.3)."""
        name = relations_part(part)
        if name not in self.names:
            return []
        data = self.read(name)
        out = []
        for each in self.elements(name, data, {"Relationship"}):
            if each.attributes.get("TargetMode") == "External":
                continue
            target = unquote(each.attributes.get("Target", ""))
            path = posixpath.normpath(posixpath.join("/", posixpath.dirname(part), target))
            kind = each.attributes.get("Type", "").rpartition("/")[2]
            out.append(Relation(each.attributes.get("Id", ""), kind, path.lstrip("/")))
        return out

    def related(self, part: str, kind: str) -> list[str]:
        return [each.target for each in self.relations_of(part) if each.type == kind]

    def sheet(self, name: str, field: str = "format.template_sheet") -> Sheet:
        """Return a sheet of cells by its name, or raise ``InvalidSpec`` with the nearest."""
        for each in self.sheets:
            if each.name.casefold() == name.casefold():
                return each
        raise InvalidSpec(
            f"The template “{self.shown}” has no sheet “{name}”.",
            hint=did_you_mean(name, [each.name for each in self.sheets]),
            field=field,
        )

    # -------------------------------------------------------------- what a workbook has

    def _content_types(self) -> dict[str, str]:
        if CONTENT_TYPES not in self.names:
            raise self.refused("is a zip file, but not an Excel workbook")
        data = self.read(CONTENT_TYPES)
        return {
            each.attributes.get("PartName", "").lstrip("/"): each.attributes.get("ContentType", "")
            for each in self.elements(CONTENT_TYPES, data, {"Override"})
        }

    def _main_part(self) -> str:
        parts = [each.target for each in self.relations_of("") if each.type == "officeDocument"]
        kind = self.types.get(parts[0], "") if parts else ""
        if "macroEnabled" in kind:
            raise self.refused("contains macros", "Save it without them, as .xlsx.")
        if "sheet.binary" in kind:
            raise self.refused("is a binary workbook (.xlsb)", "Save it as .xlsx.")
        if kind not in (_MAIN, _TEMPLATE):
            raise self.refused("is not an Excel workbook", "Give an .xlsx file.")
        return parts[0]

    def _sheets(self, found: list[Element]) -> list[Sheet]:
        targets = {each.id: each for each in self.relations}
        sheets = []
        for index, each in enumerate(e for e in found if e.name == "sheet"):
            relation = targets.get(each.attribute("id") or "")
            if relation is not None and relation.type == "worksheet":
                sheets.append(Sheet(each.attributes.get("name", ""), relation.target, index))
        if not sheets:
            raise self.refused("has no sheet of cells")
        return sheets


def _index(element: Element) -> int | None:
    found = element.attributes.get("localSheetId", "")
    return int(found) if found.isdigit() else None


def relations_part(part: str) -> str:
    """Return the name of the part that holds a part's relationships; ``""`` is the package."""
    folder, _, name = part.rpartition("/")
    return f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels"


@contextmanager
def opened(file: BinaryIO, shown: str) -> Iterator[Package]:
    """Read the workbook in ``file``; ``shown`` is its name in sentences.

    Raises ``InvalidSpec`` for what is no .xlsx workbook that can be read.
    """

    def refused(why: str, hint: str) -> InvalidSpec:
        return InvalidSpec(f"The template “{shown}” {why}.", hint=hint, field=_FIELD)

    start = file.read(8)
    if start == _OLE:
        # an encrypted package lies in a compound file under this name ([MS-OFFCRYPTO] 2.3.4.4)
        if "EncryptedPackage".encode("utf-16-le") in start + file.read(1000**2):
            raise refused("is protected by a password", "Take the password off, and save it.")
        raise refused("is an old Excel file (.xls)", "Save it as .xlsx.")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError):
        what = "is empty" if not start else "is not an Excel workbook"
        raise refused(what, "Give an .xlsx file.") from None
    with archive:
        names = archive.namelist()
        if len(names) != len(set(names)):
            raise refused("is damaged: it has a part twice", "Open it in Excel and save it.")
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise refused("is protected by a password", "Take the password off, and save it.")
        yield Package(archive, shown)


def without_calculation_chain(package: Package, part: str, data: bytes) -> bytes:
    """Return [Content_Types].xml or the workbook's relationships without the calculation chain.

    The chain lists cells with formulas, which move; Excel makes a new one (ECMA-376 part 1, 18.6).
    A workbook template (.xltx) becomes a workbook.
    """
    for tag in re.findall(rb"<(?:\w+:)?(?:Override|Relationship)\b[^>]*?/>", data):
        if b"calcChain" in tag:
            data = data.replace(tag, b"", 1)
    if part == CONTENT_TYPES:
        data = data.replace(_TEMPLATE.encode(), _MAIN.encode())
    return data
