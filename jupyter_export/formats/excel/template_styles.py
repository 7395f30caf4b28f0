"""The template's formats of cells, and those that its columns still need.

ECMA-376 part 1, 18.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

from .spliced_xml import Element, Splices, elements, with_attributes

_OWN = 164
"""The first number of a format that a workbook makes itself."""
_BUILT_IN: Mapping[str, int] = MappingProxyType(
    {"0": 1, "0.00": 2, "#,##0": 3, "#,##0.00": 4, "0%": 9, "0.00%": 10, "0.00E+00": 11, "@": 49}
)
"""Formats with the same number everywhere (18.8.30); those of dates differ by country."""


class Styles:
    """``styles.xml``; formats are added behind those that it has."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        found = elements(data, {"styleSheet", "numFmts", "numFmt", "cellXfs", "xf", "alignment"})
        self._root = next(each for each in found if each.name == "styleSheet")
        self._xfs_of = next((each for each in found if each.name == "cellXfs"), None)
        self._xfs = [
            data[each.start : each.end]
            for each in found
            if each.name == "xf" and each.parent is not None and each.parent.name == "cellXfs"
        ]
        self._formats_of = next((each for each in found if each.name == "numFmts"), None)
        self._formats = {
            each.attributes.get("formatCode", ""): int(each.attributes.get("numFmtId", "0"))
            for each in found
            if each.name == "numFmt" and each.parent is self._formats_of
        }
        self._had = len(self._xfs)
        self._new_formats: dict[str, int] = {}

    @property
    def _prefix(self) -> str:
        name = self._data[self._root.start + 1 : self._root.inner].split(b">")[0].split()[0]
        return name[: -len(b"styleSheet")].decode()

    def is_general(self, style: int) -> bool:
        """Tell whether cells of that format show numbers as they come."""
        if style >= len(self._xfs):
            return True
        return self._xf(style).attributes.get("numFmtId", "0") == "0"

    def with_format(self, style: int, code: str) -> int:
        """Return the index of a format like ``style`` that shows values by ``code``."""
        if self._xfs_of is None or style >= len(self._xfs):
            style = 0
        base = self._xfs[style] if self._xfs else b'<xf numFmtId="0" fontId="0" xfId="0"/>'
        element = elements(base, {"xf"})[0]
        tag = base[element.start : element.inner]
        wanted = with_attributes(
            tag, [("numFmtId", str(self._format(code))), ("applyNumberFormat", "1")]
        )
        xf = wanted + base[len(tag) :]
        if xf in self._xfs:
            return self._xfs.index(xf)
        self._xfs.append(xf)
        return len(self._xfs) - 1

    def _xf(self, style: int) -> Element:
        return elements(self._xfs[style], {"xf"})[0]

    def _format(self, code: str) -> int:
        known = _BUILT_IN.get(code, self._formats.get(code, self._new_formats.get(code)))
        if known is None:
            known = max([_OWN - 1, *self._formats.values(), *self._new_formats.values()]) + 1
            self._new_formats[code] = known
        return known

    def written(self) -> bytes | None:
        """Return the part with what was added, or None when nothing was."""
        if len(self._xfs) == self._had or self._xfs_of is None:
            return None
        splices = Splices(self._data)
        added = b"".join(self._xfs[self._had :])
        splices.replace(self._xfs_of.inner_end, self._xfs_of.inner_end, added)
        splices.set_attribute(self._xfs_of, "count", str(len(self._xfs)))
        if self._new_formats:
            tag = f"<{self._prefix}numFmt"
            entries = "".join(
                f"{tag} numFmtId={quoteattr(str(number))} formatCode={quoteattr(code)}/>"
                for code, number in self._new_formats.items()
            )
            total = str(len(self._formats) + len(self._new_formats))
            empty = self._formats_of
            if empty is not None and empty.inner == empty.end:
                whole = f'{tag}s count="{total}">{entries}</{tag[1:]}s>'
                splices.replace(empty.start, empty.end, whole.encode())
            elif self._formats_of is None:
                whole = f'{tag}s count="{total}">{entries}</{tag[1:]}s>'
                splices.replace(self._root.inner, self._root.inner, whole.encode())
            else:
                end = self._formats_of.inner_end
                splices.replace(end, end, entries.encode())
                splices.set_attribute(self._formats_of, "count", total)
        return splices.applied()
