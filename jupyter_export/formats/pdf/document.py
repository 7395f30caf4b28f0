"""The frame of the file: page tree, outline, structure tree, metadata.

ISO 32000-1: 7.7.3, 12.3.3, 14.7, 14.8 and 14.3.3.

While pages are made only numbers are kept of them; the trees are written at the end.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .objects import PdfFile, number

_KIDS = 64
"""Pages, or nodes, below a node of the page tree."""
_LEAVES = 256
"""Entries of a leaf of the parent tree, and members of an object stream."""
MOST_GROUPS = 1000
"""Group headings that get an entry in the outline and an element of the structure."""


@dataclass
class Element:
    """A structure element: its type, its marked contents on pages, its children."""

    number: int
    type: bytes
    title: str = ""
    pages: array[int] = field(default_factory=lambda: array("q"))
    marks: array[int] = field(default_factory=lambda: array("q"))
    children: list[Element] = field(default_factory=list)


@dataclass
class Entry:
    """An entry of the outline."""

    title: str
    page: int
    y: float
    children: list[Entry] = field(default_factory=list)


@dataclass
class Slot:
    """A page on its way: its objects' numbers, and the elements that its marks belong to."""

    number: int
    contents: int
    tail: int
    """Object of what is written when the number of pages is known; 0: there is none."""
    paper: tuple[float, float]
    elements: list[int] = field(default_factory=list)
    structure: int = 0

    def mark(self, element: Element) -> int:
        """Return the number of the next marked content on this page, part of ``element``."""
        element.pages.append(self.number)
        element.marks.append(len(self.elements))
        self.elements.append(element.number)
        return len(self.elements) - 1


class Document:
    """Pages in their order, and what leads to them."""

    def __init__(self, pdf: PdfFile, language: str) -> None:
        self.pdf = pdf
        self.resources = pdf.reserve()
        self._language = language
        self._sections: dict[str, array[int]] = {}
        self._leaves: dict[str, list[tuple[int, int]]] = {}
        """Section -> (node, pages below it)."""
        self._waiting: list[tuple[int, bytes]] = []
        self._parents = array("q")
        self._parent_ends = array("q")
        self.forms: list[tuple[bytes, int, bytes, tuple[float, float]]] = []
        """Name, object, operators and paper of what several pages draw alike."""
        self.top = self.element(b"Document")
        self.outline: list[Entry] = []

    # ------------------------------------------------------------------ pages

    def page(self, paper: tuple[float, float], *, tail: bool) -> Slot:
        """Return the numbers of a new page."""
        first = self.pdf.reserve(3 if tail else 2)
        return Slot(first, first + 1, first + 2 if tail else 0, paper)

    def add(self, slot: Slot, section: str) -> None:
        """Put a page behind the others of its section (``front``, ``body``, ``back``)."""
        pages = self._sections.setdefault(section, array("q"))
        leaves = self._leaves.setdefault(section, [])
        if len(pages) % _KIDS == 0:
            leaves.append((self.pdf.reserve(), 0))
        node, below = leaves[-1]
        leaves[-1] = (node, below + 1)
        pages.append(slot.number)
        contents = b"%d 0 R" % slot.contents
        if slot.tail:
            contents = b"[%s %d 0 R]" % (contents, slot.tail)
        body = (
            b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Contents %s /Resources %d 0 R"
            % (node, number(slot.paper[0]), number(slot.paper[1]), contents, self.resources)
        )
        if slot.elements:
            body += b" /StructParents %d /Tabs /S" % len(self._parent_ends)
            self._parents.extend(slot.elements)
            self._parent_ends.append(len(self._parents))
        self._waiting.append((slot.number, body + b" >>"))

    def form(self, operators: bytes, paper: tuple[float, float]) -> bytes:
        """Return the name under which pages draw ``operators`` (``Do``)."""
        name = b"G%d" % len(self.forms)
        self.forms.append((name, self.pdf.reserve(), operators, paper))
        return name

    def full(self) -> bytes:
        """Return page objects, once enough of them wait."""
        return self._packed() if len(self._waiting) >= _LEAVES else b""

    def _packed(self) -> bytes:
        out = self.pdf.packed(self._waiting)
        self._waiting = []
        return out

    @property
    def pages(self) -> int:
        return sum(len(pages) for pages in self._sections.values())

    # ------------------------------------------------------------------ structure

    def element(self, kind: bytes, parent: Element | None = None, title: str = "") -> Element:
        made = Element(self.pdf.reserve(), kind, title)
        if parent is not None:
            parent.children.append(made)
        return made

    # ------------------------------------------------------------------ the end

    def finish(
        self,
        sections: Sequence[str],
        info: dict[str, str],
        made: datetime,
    ) -> Iterator[bytes]:
        """Yield everything but the pages' contents and resources; sections in their order."""
        yield self._packed()
        pages = yield from self._page_tree(sections)
        structure = yield from self._structure()
        members: list[tuple[int, bytes]] = []
        outlines = self._outlines(members)
        root = self.pdf.reserve()
        body = b"<< /Type /Catalog /Pages %d 0 R /Lang %s /MarkInfo << /Marked true >>" % (
            pages,
            self.pdf.text(self._language, packed=True),
        )
        body += b" /StructTreeRoot %d 0 R" % structure
        if outlines:
            mode = b" /PageMode /UseOutlines" if len(self.outline) > 1 else b""
            body += b" /Outlines %d 0 R%s" % (outlines, mode)
        if info.get("Title"):
            body += b" /ViewerPreferences << /DisplayDocTitle true >>"
        members.append((root, body + b" >>"))
        for start in range(0, len(members), _LEAVES):
            yield self.pdf.packed(members[start : start + _LEAVES])
        stamp = made.strftime("D:%Y%m%d%H%M%SZ")
        about = self.pdf.reserve()
        entries = {**info, "CreationDate": stamp, "ModDate": stamp}
        said = b" ".join(
            b"/%s %s" % (key.encode("ascii"), self.pdf.text(value))
            for key, value in entries.items()
            if value
        )
        yield self.pdf.object(about, b"<< %s >>" % said)
        yield self.pdf.finish(root, about)

    def _page_tree(self, sections: Sequence[str]) -> Generator[bytes, None, int]:
        members: list[tuple[int, bytes]] = []
        level: list[tuple[int, int]] = []
        kids: dict[int, list[int]] = {}
        for section in sections:
            numbers = self._sections.get(section, array("q"))
            for i, leaf in enumerate(self._leaves.get(section, [])):
                level.append(leaf)
                kids[leaf[0]] = list(numbers[i * _KIDS : (i + 1) * _KIDS])
        while True:
            if len(level) == 1:
                members.append((level[0][0], _node(level[0], kids, None)))
                break
            above: list[tuple[int, int]] = []
            for start in range(0, len(level), _KIDS):
                below = level[start : start + _KIDS]
                node = self.pdf.reserve()
                kids[node] = [each for each, _ in below]
                members += [(each[0], _node(each, kids, node)) for each in below]
                above.append((node, sum(count for _, count in below)))
            level = above
        for start in range(0, len(members), _LEAVES):
            yield self.pdf.packed(members[start : start + _LEAVES])
        return level[0][0]

    def _structure(self) -> Generator[bytes, None, int]:
        root = self.pdf.reserve()
        members: list[tuple[int, bytes]] = []
        self._elements(self.top, root, members)
        leaves = []
        starts = [0, *self._parent_ends]
        for first in range(0, len(self._parent_ends), _LEAVES):
            last = min(first + _LEAVES, len(self._parent_ends)) - 1
            pairs = b" ".join(
                b"%d [%s]" % (page, _references(self._parents[starts[page] : starts[page + 1]]))
                for page in range(first, last + 1)
            )
            leaf = self.pdf.reserve()
            leaves.append(leaf)
            members.append((leaf, b"<< /Limits [%d %d] /Nums [%s] >>" % (first, last, pairs)))
        tree = self.pdf.reserve()
        members.append((tree, b"<< /Kids [%s] >>" % _references(leaves)))
        members.append(
            (
                root,
                b"<< /Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d >>"
                % (self.top.number, tree, len(self._parent_ends)),
            )
        )
        for start in range(0, len(members), _LEAVES):
            yield self.pdf.packed(members[start : start + _LEAVES])
        return root

    def _elements(self, element: Element, parent: int, members: list[tuple[int, bytes]]) -> None:
        kids = [
            b"<< /Type /MCR /Pg %d 0 R /MCID %d >>" % (page, mark)
            for page, mark in zip(element.pages, element.marks, strict=True)
        ]
        kids += [b"%d 0 R" % child.number for child in element.children]
        title = b" /T %s" % self.pdf.text(element.title, packed=True) if element.title else b""
        members.append(
            (
                element.number,
                b"<< /Type /StructElem /S /%s /P %d 0 R%s /K [%s] >>"
                % (element.type, parent, title, b" ".join(kids)),
            )
        )
        for child in element.children:
            self._elements(child, element.number, members)

    def _outlines(self, members: list[tuple[int, bytes]]) -> int:
        if not self.outline:
            return 0
        root = self.pdf.reserve()
        first, last, shown = self._entries(self.outline, root, members)
        members.append(
            (
                root,
                b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>"
                % (first, last, shown),
            )
        )
        return root

    def _entries(
        self, entries: list[Entry], parent: int, members: list[tuple[int, bytes]]
    ) -> tuple[int, int, int]:
        """Write siblings; return the first, the last, and how many of them are shown."""
        first = self.pdf.reserve(len(entries))
        for i, entry in enumerate(entries):
            body = b"<< /Title %s /Parent %d 0 R /Dest [%d 0 R /XYZ 0 %s null]" % (
                self.pdf.text(entry.title, packed=True),
                parent,
                entry.page,
                number(round(entry.y, 1)),
            )
            if i:
                body += b" /Prev %d 0 R" % (first + i - 1)
            if i < len(entries) - 1:
                body += b" /Next %d 0 R" % (first + i + 1)
            if entry.children:
                below = self._entries(entry.children, first + i, members)
                # closed: a negative count (12.3.3)
                body += b" /First %d 0 R /Last %d 0 R /Count -%d" % below
            members.append((first + i, body + b" >>"))
        return first, first + len(entries) - 1, len(entries)


def _node(node: tuple[int, int], kids: dict[int, list[int]], parent: int | None) -> bytes:
    above = b" /Parent %d 0 R" % parent if parent is not None else b""
    return b"<< /Type /Pages /Count %d /Kids [%s]%s >>" % (
        node[1],
        _references(kids[node[0]]),
        above,
    )


def _references(numbers: Sequence[int]) -> bytes:
    return b" ".join(b"%d 0 R" % each for each in numbers)
