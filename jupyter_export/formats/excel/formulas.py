"""Formulas with columns named in braces: ``={distance}/{air_time}*60``.

A formula is checked when the options are read: it begins with ``=``, and it reaches for nothing
outside its workbook (no DDE, no other book, no function that fetches or runs something).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from ...errors import InvalidSpec, did_you_mean
from .feature import LITERAL, Cell, Feature, NumberFormat, column_letters, units

LONGEST = 8192
"""Characters of a formula (Excel's specifications and limits)."""
_OUTWARD = (
    "CALL DDE DDEAUTO EXEC EXECUTE FILTERXML IMAGE INITIATE POKE REGISTER REGISTER.ID RTD "
    "SQL.REQUEST STOCKHISTORY WEBSERVICE"
)
OUTWARD = frozenset(_OUTWARD.split())
"""Functions that reach out of the workbook, or run something."""
_LATER = (
    "ACOT ACOTH AGGREGATE ARABIC BASE BETA.DIST BETA.INV BINOM.DIST BINOM.INV BITAND BITLSHIFT "
    "BITOR BITRSHIFT BITXOR CEILING.MATH CHISQ.DIST CHISQ.INV CHISQ.TEST COMBINA CONCAT "
    "CONFIDENCE.NORM CONFIDENCE.T COVARIANCE.P COVARIANCE.S DAYS DECIMAL EXPON.DIST F.DIST F.INV "
    "F.TEST FLOOR.MATH FORECAST.LINEAR FORMULATEXT GAMMA GAMMA.DIST GAMMA.INV IFNA IFS "
    "ISFORMULA ISOWEEKNUM LET LOGNORM.DIST LOGNORM.INV MAXIFS MINIFS MODE.SNGL NORM.DIST "
    "NORM.INV NORM.S.DIST NORM.S.INV NUMBERVALUE PDURATION PERCENTILE.EXC PERCENTILE.INC "
    "PERCENTRANK.EXC PERCENTRANK.INC POISSON.DIST QUARTILE.EXC QUARTILE.INC RANK.AVG RANK.EQ RRI "
    "SHEET SHEETS SKEW.P STDEV.P STDEV.S SWITCH T.DIST T.INV T.TEST TEXTAFTER TEXTBEFORE "
    "TEXTJOIN UNICHAR UNICODE VAR.P VAR.S WEIBULL.DIST XLOOKUP XMATCH XOR Z.TEST"
)
LATER = frozenset(_LATER.split())
"""Functions newer than the file format, which stand in files with the prefix ``_xlfn.``
([MS-XLSX] 2.2.2, future functions)."""

_TOKENS = re.compile(
    r"""(?P<text>"(?:[^"]|"")*")|(?P<sheet>'(?:[^']|'')*')|(?P<brace>\{[^{}]*\})"""
    r"""|(?P<row>(?<![\w.])\[@(?:\[[^\[\]]*\]|[^\[\]]*)\])"""
    r"""|(?P<function>[A-Za-z_][A-Za-z0-9_.]*(?=\())|(?P<plain>\[|[^"'{}A-Za-z_\[]+|[A-Za-z_][\w.]*)"""
    r"""|(?P<stray>.)""",
    re.DOTALL,
)
_CONSTANTS = re.compile(
    r"""\{\s*(?:[-+]?\d[\d.eE+-]*|"(?:[^"]|"")*"|TRUE|FALSE)"""
    r"""(?:\s*[,;]\s*(?:[-+]?\d[\d.eE+-]*|"(?:[^"]|"")*"|TRUE|FALSE))*\s*\}""",
    re.IGNORECASE,
)


def _tokens(formula: str) -> Iterator[tuple[str, str]]:
    for found in _TOKENS.finditer(formula):
        yield found.lastgroup or "", found[0]


def _checked(formula: str) -> str:
    """Return ``formula``, or raise ``ValueError`` that says what is wrong with it."""
    if not formula.startswith("=") or not formula[1:].strip():
        raise ValueError(f"“{formula[:80]}” is not a formula; one begins with =")
    if len(formula) > LONGEST:
        raise ValueError(f"the formula has {len(formula):,} characters; Excel takes {LONGEST:,}")
    bare = ""
    for kind, token in _tokens(formula[1:]):
        if kind == "stray":
            raise ValueError(f"a {token} in “{formula[:80]}” has no other half")
        if kind == "function" and token.upper().removeprefix("_XLFN.") in OUTWARD:
            raise ValueError(f"the function {token.upper()} reaches out of the workbook")
        if kind == "text" and units(token[1:-1].replace('""', '"')) > LITERAL:
            raise ValueError(
                f"a text in a formula has at most {LITERAL} characters; join several with &"
            )
        # no sheet's name has these; a book's path does
        if kind == "sheet" and re.search(r"[\[\]\\/]", token):
            raise ValueError(f"{token} is in another workbook")
        bare += {"text": '""', "sheet": "_", "brace": "_", "row": "_"}.get(kind, token)
    if "|" in bare:
        raise ValueError("a formula cannot call another program (DDE: “|”)")
    if _names_a_book(bare):
        raise ValueError(f"“{formula[:80]}” names another workbook in [ ]")
    if bare.count("(") != bare.count(")"):
        raise ValueError(f"the parentheses of “{formula[:80]}” do not match")
    return formula


def _names_a_book(bare: str) -> bool:
    """Tell whether brackets stand before a sheet (a book), not behind a table's name."""
    depth = 0
    for at, sign in enumerate(bare):
        if sign == "[":
            if depth == 0 and not re.match(r"[\w.]", bare[at - 1 : at] if at else ""):
                return True
            depth += 1
        elif sign == "]":
            depth -= 1
            if depth == 0 and re.match(r"[\w.!'_]", bare[at + 1 : at + 2]):
                return True
    return depth != 0


Formula: TypeAlias = Annotated[str, Field(min_length=2), AfterValidator(_checked)]
"""Begins with ``=``; ``{column}`` is that column's cell."""


class FormulaColumn(Feature):
    """A column that is computed in the workbook, from cells of its own row."""

    name: str = Field(min_length=1, max_length=255, description="The column's name.")
    formula: Formula = Field(
        description="For each row; columns stand in braces: ={distance}/{air_time}*60"
    )
    number_format: NumberFormat | None = Field(None, description="An Excel number format: 0.00")


class CellFormula(Feature):
    """A formula in one cell; ``{column}`` is the whole column's range there."""

    cell: Cell = Field(description="Where it stands: H1")
    formula: Formula = Field(description="Columns stand in braces: =AVERAGE({distance})")
    number_format: NumberFormat | None = Field(None, description="An Excel number format: 0.00")


def _named(kind: str, token: str) -> str | None:
    """Return the column that ``{name}``, ``[@name]`` or ``[@[name]]`` asks for."""
    if kind == "brace":
        return token[1:-1]
    if kind == "row":
        inner = token[2:-1]
        return inner[1:-1] if inner.startswith("[") else inner
    return None


def _filled(
    formula: str, known: Iterable[str], field: str, reference: Callable[[str], str]
) -> Iterator[tuple[bool, str]]:
    """Yield (is a column's reference, text) of a formula, without its ``=``."""
    names = frozenset(known)
    for kind, token in _tokens(formula[1:]):
        name = _named(kind, token)
        if name is not None and name in names:
            yield True, reference(name)
        elif name is not None and not (kind == "brace" and _CONSTANTS.fullmatch(token)):
            raise InvalidSpec(
                f"The formula “{formula[:80]}” names “{name}”, which is not a column.",
                hint=did_you_mean(name, names),
                field=field,
            )
        elif kind == "function" and token.upper() in LATER:
            yield False, f"_xlfn.{token}"
        else:
            yield False, token


def columns_of(formula: str) -> list[str]:
    """Return the columns that a formula names, in order."""
    found = ((kind, token, _named(kind, token)) for kind, token in _tokens(formula[1:]))
    return [
        name
        for kind, token, name in found
        if name is not None and not (kind == "brace" and _CONSTANTS.fullmatch(token))
    ]


def formula_parts(formula: FormulaColumn, columns: Mapping[str, int]) -> tuple[str, ...]:
    """Return the texts of a row's formula between which its row number (from 1) stands.

    ``={a}+{b}`` over ``{"a": 0, "b": 1}`` gives ``("A", "+B", "")``: joined with the row number
    between them, and escaped for XML, this is the content of ``<f>`` (ECMA-376 part 1, 18.3.1.40).
    Raises ``InvalidSpec`` for a name that is no column.
    """
    texts = [""]
    for of_column, token in _filled(
        formula.formula, columns, "format.formulas", lambda name: column_letters(columns[name])
    ):
        texts[-1] += token
        if of_column:
            texts.append("")
    return tuple(texts)


def row_formula(
    formula: str, columns: Mapping[str, int], row: int, field: str, *, absolute: bool = False
) -> str:
    """Return the formula of the zero-based ``row``, with its ``=``.

    ``absolute``: with ``$A5`` for ``A5``, for a rule that is spread over several columns.
    """
    mark = "$" if absolute else ""
    return "=" + "".join(
        token
        for _, token in _filled(
            formula, columns, field, lambda name: f"{mark}{column_letters(columns[name])}{row + 1}"
        )
    )


def range_formula(
    formula: str, columns: Mapping[str, int], first_row: int, last_row: int, field: str
) -> str:
    """Return the formula in which ``{column}`` is the column's range (rows zero-based)."""

    def reference(name: str) -> str:
        letters = column_letters(columns[name])
        return f"${letters}${first_row + 1}:${letters}${max(first_row, last_row) + 1}"

    return "=" + "".join(token for _, token in _filled(formula, columns, field, reference))
