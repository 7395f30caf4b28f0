"""A column -> the XML of its cells (SpreadsheetML, ECMA-376 part 1, 18.3.1.4 and 18.18.11).

A cell's XML is given in parts: texts that stand in every row, and a column of what differs, so
that a row is joined once. A null stays null; the row writes an empty cell for it, because cells
have no address of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...registry import LossLedger
from .. import cells as plain
from ..coded import coded
from ..floats import floats, integers
from . import serials, texts
from .found import Found

EMPTY = "<c/>"
_LARGEST = 999_999_999_999_999
"""Excel keeps 15 digits of a number."""
_DIGITS = 15
_ROWS_PER_PAIR = 4


@dataclass(frozen=True)
class Values:
    """What the options say of values that a worksheet has no number for."""

    long_numbers: Literal["text", "number"] = "text"
    nan: Literal["error", "text", "empty"] = "error"


@dataclass(frozen=True)
class Words:
    """The cells of a column of few distinct values: what stands beside all of them in the row is
    put into the words, once for each value and not once for each row."""

    words: pa.Array
    """Without a null."""
    codes: pa.Array

    def between(self, before: str, after: str) -> Words:
        return Words(pc.binary_join_element_wise(before, self.words, after, ""), self.codes)

    def pairs_with(self, other: Words) -> bool:
        """Tell whether all pairs of words are still few beside the rows."""
        pairs = len(self.words) * len(other.words)
        return pairs * _ROWS_PER_PAIR <= len(self.codes)

    def paired(self, other: Words) -> Words:
        """Return one column of both: two looks into tables, and two cells to join, become one."""
        few, many = len(self.words), len(other.words)
        firsts = pc.take(self.words, pa.array(np.repeat(np.arange(few), many)))
        seconds = pc.take(other.words, pa.array(np.tile(np.arange(many), few)))
        codes = pc.multiply(pc.cast(self.codes, pa.int32()), pa.scalar(many, pa.int32()))
        return Words(
            pc.binary_join_element_wise(firsts, seconds, ""),
            pc.add(codes, pc.cast(other.codes, pa.int32())),
        )

    def spelled(self) -> pa.Array:
        return pc.take(self.words, self.codes)


Part: TypeAlias = "str | pa.Array | Words"


@dataclass(frozen=True)
class _Cells:
    """The cells of a column: the same XML around each, or XML that is whole already."""

    before: str
    shown: pa.Array
    after: str

    def whole(self) -> pa.Array:
        """Return the XML of each cell; a null stays null."""
        if not self.before:
            return self.shown
        return pc.binary_join_element_wise(self.before, self.shown, self.after, "")

    def parts(self) -> list[Part]:
        if self.shown.null_count or not self.before:
            return [self.whole()]
        return [self.before, self.shown, self.after]


def parts(
    column: pa.Array, name: str, style: int, values: Values, losses: LossLedger
) -> list[Part]:
    """Return the parts of a column's cells; ``style`` is the index of their format, 0 for none."""
    if isinstance(column.type, pa.BaseExtensionType):
        return parts(column.storage, name, style, values, losses)
    if column.null_count == len(column):
        return [EMPTY]
    attribute = f' s="{style}"' if style else ""
    few = coded(column)
    if few is None:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return _cells(column, attribute, values, Found(name, losses)).parts()
    found = Found(name, losses, few[1])
    words = _cells(few[0], attribute, values, found).whole()
    return [_words(words, few[1])]


def _words(words: pa.Array, codes: pa.Array) -> Words:
    words = pc.fill_null(words, EMPTY)
    if codes.null_count:
        codes = pc.fill_null(pc.cast(codes, pa.int64()), len(words))
        words = pa.concat_arrays([words, pa.array([EMPTY], words.type)])
    return Words(words, codes)


def _cells(column: pa.Array, attribute: str, values: Values, found: Found) -> _Cells:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _cells(column.storage, attribute, values, found)
    if pa.types.is_dictionary(kind):
        return _cells(column.dictionary_decode(), attribute, values, found)
    if pa.types.is_boolean(kind):
        digits = pc.if_else(column, pa.scalar("1"), pa.scalar("0"))
        return _Cells(f'<c{attribute} t="b"><v>', digits, "</v></c>")
    if pa.types.is_integer(kind):
        return _integers(column, attribute, values, found)
    if pa.types.is_floating(kind):
        return _floats(column, attribute, values, found)
    if pa.types.is_decimal(kind):
        return _decimals(column, attribute, values, found)
    if serials.is_serial(kind):
        shown, odd = serials.numbers(column, found)
        if odd is None:
            return _number(shown, attribute)
        return _mixed(shown, _text(odd.texts, "", found), odd.rows, attribute)
    return _text(_as_text(column, found), attribute, found)


def _number(shown: pa.Array, attribute: str) -> _Cells:
    return _Cells(f"<c{attribute}><v>", shown, "</v></c>")


def _text(shown: pa.Array, attribute: str, found: Found) -> _Cells:
    fitting = texts.fitting(shown, found)
    escaped = texts.escaped(fitting, found)
    kept = ' xml:space="preserve"' if texts.has_outer_space(fitting) else ""
    return _Cells(f'<c{attribute} t="inlineStr"><is><t{kept}>', escaped, "</t></is></c>")


def _mixed(shown: pa.Array, odd: _Cells, rows: pa.Array, attribute: str) -> _Cells:
    """Put the XML ``odd`` in the place of the numbers of some rows."""
    whole = _number(shown, attribute).whole()
    return _Cells("", pc.replace_with_mask(whole, rows, odd.whole()), "")


def _integers(column: pa.Array, attribute: str, values: Values, found: Found) -> _Cells:
    shown = integers(column)
    if column.type.bit_width < 64:
        return _number(shown, attribute)
    ends = pc.min_max(column).as_py()
    if ends["min"] is None or (ends["min"] >= -_LARGEST and ends["max"] <= _LARGEST):
        return _number(shown, attribute)
    # a bare Python integer would pull unsigned values down to 63 bits
    beyond = pc.greater(column, pa.scalar(_LARGEST, column.type))
    if pa.types.is_signed_integer(column.type):
        beyond = pc.or_(beyond, pc.less(column, pa.scalar(-_LARGEST, column.type)))
    return _long(
        shown,
        pc.fill_null(beyond, False),
        attribute,
        values,
        found,
        "integer_beyond_15_digits",
        "Excel keeps 15 digits of an integer",
    )


def _decimals(column: pa.Array, attribute: str, values: Values, found: Found) -> _Cells:
    shown = plain.decimals(column)
    kind = column.type
    if kind.precision <= _DIGITS:
        return _number(shown, attribute)
    digits = pc.replace_substring_regex(shown, r"E.*$|[-.]", "")
    if kind.scale > 0:
        digits = pc.utf8_rtrim(digits, "0")
    beyond = pc.greater(pc.binary_length(pc.utf8_ltrim(digits, "0")), _DIGITS)
    if not pc.any(beyond).as_py():
        return _number(shown, attribute)
    return _long(
        shown,
        pc.fill_null(beyond, False),
        attribute,
        values,
        found,
        "decimal_beyond_15_digits",
        "Excel keeps 15 digits of a number",
    )


def _long(
    shown: pa.Array,
    beyond: pa.Array,
    attribute: str,
    values: Values,
    found: Found,
    kind: str,
    message: str,
) -> _Cells:
    if values.long_numbers == "number":
        found.add(kind, beyond, message, shown, option="long_numbers=text")
        return _number(shown, attribute)
    return _mixed(shown, _text(pc.filter(shown, beyond), "", found), beyond, attribute)


def _floats(column: pa.Array, attribute: str, values: Values, found: Found) -> _Cells:
    shown = floats(column)
    wide = pc.cast(column, pa.float32()) if column.type.bit_width == 16 else column
    finite = pc.is_finite(wide)
    if pc.all(finite, min_count=0).as_py() is not False:
        return _number(shown, attribute)
    odd = pc.fill_null(pc.invert(finite), False)
    rest = pc.filter(shown, odd)
    if values.nan == "text":
        return _mixed(shown, _text(rest, "", found), odd, attribute)
    if values.nan == "empty":
        message = "NaN and Infinity are empty cells"
        whole = _Cells("", pa.array([EMPTY] * len(rest), pa.string()), "")
    else:
        # what the program itself shows for such a result (ECMA-376, 18.17.3)
        message = "NaN is the error #NUM!, and Infinity is #DIV/0!"
        errors = pc.if_else(pc.is_nan(pc.filter(wide, odd)), pa.scalar("#NUM!"), "#DIV/0!")
        whole = _Cells('<c t="e"><v>', errors, "</v></c>")
    found.add("not_a_number", odd, message, shown, option="nan=text")
    return _mixed(shown, whole, odd, attribute)


def _as_text(column: pa.Array, found: Found) -> pa.Array:
    """Return the texts of what is no number: texts, bytes, nested values."""
    ledger = LossLedger()
    shown = plain.text(column, found.column, plain.Style(), ledger)
    for loss in ledger:
        if loss.kind in ("binary", "nested"):
            valid = np.asarray(pc.is_valid(column))
            found.add(loss.kind, pa.array(valid), loss.message, shown)
    return shown


def merged(row: list[Part]) -> list[Any]:
    """Put constant texts into their neighbours where that saves a pass over the rows."""
    out: list[Part] = []
    for part in row:
        last = out[-1] if out else None
        if isinstance(part, str) and isinstance(last, str):
            out[-1] = last + part
        elif isinstance(part, str) and isinstance(last, Words):
            out[-1] = last.between("", part)
        elif isinstance(part, Words) and isinstance(last, str):
            out[-1] = part.between(last, "")
        elif isinstance(part, Words) and isinstance(last, Words) and last.pairs_with(part):
            out[-1] = last.paired(part)
        else:
            out.append(part)
    return [each.spelled() if isinstance(each, Words) else each for each in out]
