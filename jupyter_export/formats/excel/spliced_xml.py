"""XML whose bytes stay as they are, but for the few that are replaced.

Reading a part into a tree and writing it again would rename prefixes, and lose what the tree does
not know; so elements are found by their place in the bytes, and only those places are rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr, unescape

_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")


class NotUsable(ValueError):
    """The XML is broken, or of a kind that no program writes into a workbook."""


@dataclass(slots=True)
class Element:
    """An element's place in the bytes of its part."""

    name: str
    """Without its prefix."""
    attributes: dict[str, str]
    """Names as they stand, prefixes included."""
    start: int
    inner: int
    """Where its content begins."""
    inner_end: int = 0
    end: int = 0
    parent: Element | None = field(default=None, repr=False)

    def text(self, data: bytes) -> str:
        """Return the text of an element that has no elements in it."""
        return unescaped(data[self.inner : self.inner_end])

    def attribute(self, name: str) -> str | None:
        """Return an attribute by its name without a prefix, which programs choose freely."""
        for each, value in self.attributes.items():
            if each == name or each.endswith(f":{name}"):
                return value
        return None


def unescaped(raw: bytes) -> str:
    text = raw.decode("utf-8")
    if text.startswith("<![CDATA[") and text.endswith("]]>"):
        return text[9:-3]
    text = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), text)
    text = re.sub(r"&#x([0-9A-Fa-f]+);", lambda found: chr(int(found[1], 16)), text)
    return unescape(text, {"&quot;": '"', "&apos;": "'"})


def local(name: str) -> str:
    return name.rpartition(":")[2]


def elements(data: bytes, wanted: Collection[str]) -> list[Element]:
    """Return the elements of those names (without prefixes) in the order of their start tags.

    Raises ``NotUsable`` for what is not well-formed, is not UTF-8, or has a document type: no
    workbook needs one, and entities are how XML is made to explode.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = False
    found: list[Element] = []
    open_: list[Element | None] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        short = local(name)
        if short not in wanted:
            open_.append(None)
            return
        at = parser.CurrentByteIndex
        tag = _TAG.match(data, at)
        if tag is None:
            raise NotUsable("a tag has no end")
        parent = next((each for each in reversed(open_) if each is not None), None)
        element = Element(short, attributes, at, tag.end(), parent=parent)
        if data[tag.end() - 2 : tag.end()] == b"/>":
            element.inner_end = element.end = tag.end()
        found.append(element)
        open_.append(element)

    def end(name: str) -> None:
        element = open_.pop()
        if element is not None and not element.end:
            element.inner_end = parser.CurrentByteIndex
            element.end = data.index(b">", element.inner_end) + 1

    def refuse_doctype(*_: object) -> None:
        raise NotUsable("it has a document type definition")

    def declared(version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise NotUsable(f"it is written in {encoding}, not in UTF-8")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.XmlDeclHandler = declared
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise NotUsable("it is written in UTF-16, not in UTF-8")
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NotUsable(str(error)) from None
    return found


class Splices:
    """Replacements of byte ranges of a part, applied at once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._made: list[tuple[int, int, bytes]] = []

    def __bool__(self) -> bool:
        return bool(self._made)

    def replace(self, start: int, end: int, new: bytes) -> None:
        self._made.append((start, end, new))

    def remove(self, element: Element) -> None:
        self.replace(element.start, element.end, b"")

    def set_text(self, element: Element, text: str) -> None:
        if element.text(self.data) != text:
            self.replace(element.inner, element.inner_end, escape(text).encode("utf-8"))

    def set_attribute(self, element: Element, name: str, value: str) -> None:
        """Set an attribute, given with its prefix; one that is not there is added."""
        if element.attributes.get(name) == value:
            return
        tag = self.data[element.start : element.inner]
        place = attribute_place(tag, name)
        new = f" {name}={quoteattr(value)}".encode()
        if place is None:
            at = element.inner - (2 if tag.endswith(b"/>") else 1)
            self.replace(at, at, new)
        else:
            self.replace(element.start + place[0], element.start + place[1], new)

    def applied(self, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from ``start`` to ``end`` of the part as they read afterwards."""
        end = len(self.data) if end is None else end
        out, at = [], start
        for first, last, new in sorted(self._made, key=lambda each: each[:2]):
            if first < start or last > end:
                continue
            out += [self.data[at:first], new]
            at = last
        out.append(self.data[at:end])
        return b"".join(out)


def attribute_place(tag: bytes, name: str) -> tuple[int, int] | None:
    """Return where in a start tag the attribute stands, the space before it included."""
    found = re.search(
        rb"\s+" + re.escape(name.encode()) + rb"""\s*=\s*(?:"[^"]*"|'[^']*')""",
        _without_values(tag, name),
    )
    return None if found is None else found.span()


def _without_values(tag: bytes, name: str) -> bytes:
    """Return the tag with blanks for the values of other attributes, which may look like ours."""
    return re.sub(
        rb"""([^\s=]+\s*=\s*)("[^"]*"|'[^']*')""",
        lambda found: (
            found[0]
            if found[1].split(b"=")[0].strip() == name.encode()
            else found[1] + b'"' + b"_" * (len(found[2]) - 2) + b'"'
        ),
        tag,
    )


def with_attributes(tag: bytes, changes: Iterable[tuple[str, str | None]]) -> bytes:
    """Return a start tag with attributes set, or taken away (None)."""
    for name, value in changes:
        place = attribute_place(tag, name)
        new = b"" if value is None else f" {name}={quoteattr(value)}".encode()
        if place is not None:
            tag = tag[: place[0]] + new + tag[place[1] :]
        elif new:
            at = len(tag) - (2 if tag.endswith(b"/>") else 1)
            tag = tag[:at] + new + tag[at:]
    return tag
