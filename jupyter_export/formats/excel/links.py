"""Columns of links: each cell is a HYPERLINK formula that shows its value.

A sheet holds 65,530 hyperlinks of the other kind (Excel specifications and limits), and any number
of formulas.
"""

from __future__ import annotations

from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from ...registry import LossLedger
from .. import cells as plain
from . import texts
from .cells import EMPTY, Part
from .found import Found

_LITERAL = 255
"""UTF-16 units of a text inside a formula (Excel specifications and limits), and of the address
that HYPERLINK takes: where it is longer, even put together, the cell would show #VALUE!."""
_PLAIN = r"^[A-Za-z0-9._~-]*$"
"""What stands in an address as it is (RFC 3986, section 2.3)."""


def linked(
    column: pa.Array, name: str, style: int, template: str, losses: LossLedger
) -> list[Part]:
    """Return the parts of a column of links; ``template`` is their address, ``{}`` the value."""
    if isinstance(column.type, pa.BaseExtensionType):
        return linked(column.storage, name, style, template, losses)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count == len(column):
        return [EMPTY]
    found = Found(name, losses)
    numeric = pa.types.is_integer(column.type) and column.type.bit_width < 64
    shown = texts.fitting(plain.text(column, name, plain.Style(), losses), found)
    address = _addresses(shown, template)
    escaped = texts.escaped(shown, found)
    attribute = f' s="{style}"' if style else ""
    kept = ' xml:space="preserve"' if texts.has_outer_space(shown) else ""
    no_losses = Found(name, LossLedger())
    label = shown if numeric else texts.escaped(_literals(shown), no_losses)
    kind = "" if numeric else ' t="str"'
    xml = pc.binary_join_element_wise(
        f"<c{attribute}{kind}><f>HYPERLINK(",
        texts.escaped(_literals(address), no_losses),
        ",",
        label,
        f")</f><v{kept}>",
        escaped,
        "</v></c>",
        "",
    )
    long = pc.or_(_is_long(address), _is_long(shown))
    unlinked = pc.or_(long, pc.equal(shown, ""))
    if pc.any(unlinked).as_py():
        text = pc.binary_join_element_wise(
            f'<c t="inlineStr"><is><t{kept}>', escaped, "</t></is></c>", ""
        )
        xml = pc.if_else(unlinked, text, xml)
    return [xml]


def _addresses(shown: pa.Array, template: str) -> pa.Array:
    if template == "{}":
        return shown
    odd = pc.fill_null(pc.invert(pc.match_substring_regex(shown, _PLAIN)), False)
    if pc.any(odd).as_py():
        coded = pc.dictionary_encode(pc.filter(shown, odd))
        words = [quote(text, safe="") for text in coded.dictionary.to_pylist()]
        few = pc.take(pa.array(words, pa.string()), coded.indices)
        shown = pc.replace_with_mask(shown, odd, few)
    before, after = template.split("{}")
    return pc.binary_join_element_wise(before, shown, after, "")


def _literals(shown: pa.Array) -> pa.Array:
    """Return the texts as they stand in a formula."""
    return pc.binary_join_element_wise('"', pc.replace_substring(shown, '"', '""'), '"', "")


def _is_long(shown: pa.Array) -> pa.Array:
    """Tell which texts no formula can hold."""
    # a character beyond 16 bits is two units of UTF-16, and the only one of four bytes in UTF-8
    units = pc.utf8_length(shown)
    if pc.any(pc.greater(pc.binary_length(shown), _LITERAL)).as_py():
        units = pc.add(units, pc.count_substring_regex(shown, r"[\x{10000}-\x{10FFFF}]"))
    return pc.greater(units, _LITERAL)
