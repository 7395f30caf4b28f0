"""What the features of a workbook are made of: names of columns, cells, colours, styles."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

LAST_ROW = 1_048_576
LAST_COLUMN = 16_384
"""Of a sheet (ECMA-376 part 1, 18.3.1.73; Excel's specifications and limits)."""
LITERAL = 255
"""Characters of a text inside a formula, and of a property (the same specifications)."""

COLORS: dict[str, str] = {
    "black": "#000000",
    "blue": "#0000FF",
    "brown": "#800000",
    "cyan": "#00FFFF",
    "gray": "#808080",
    "green": "#008000",
    "grey": "#808080",
    "lime": "#00FF00",
    "magenta": "#FF00FF",
    "navy": "#000080",
    "orange": "#FF6600",
    "pink": "#FF00FF",
    "purple": "#800080",
    "red": "#FF0000",
    "silver": "#C0C0C0",
    "white": "#FFFFFF",
    "yellow": "#FFFF00",
}


_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML 1.0 has no place for (section 2.2)."""
_NAMES_OF_COLUMNS = frozenset({"columns", "column", "x", "y"})
"""Fields that are looked up, and not written."""


def printable(given: str) -> str:
    """Return ``given``, or raise ``ValueError`` for a character that breaks a part of the file."""
    found = _NO_CHARACTERS.search(given)
    if found is not None:
        raise ValueError(f"the character U+{ord(found[0]):04X} cannot stand in a workbook")
    return given


def units(text: str) -> int:
    """Return how many characters Excel counts: those beyond 16 bits are two."""
    return len(text) + sum(character > "\uffff" for character in text)


def _check_texts(given: object, most: int | None) -> None:
    if isinstance(given, str):
        printable(given)
        if most is not None and units(given) > most:
            raise ValueError(
                f"it has {units(given):,} characters as Excel counts them, of {most:,}"
            )
    elif isinstance(given, dict):
        for each in (*given, *given.values()):
            _check_texts(each, LITERAL)
    elif isinstance(given, tuple):
        for each in given:
            _check_texts(each, None)


class Feature(BaseModel):
    """Base of every feature: frozen, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _of_characters_that_xml_has(cls, given: Any, info: ValidationInfo) -> Any:
        if info.field_name not in _NAMES_OF_COLUMNS:
            limits = cls.model_fields[info.field_name or ""].metadata
            most = (getattr(each, "max_length", None) for each in limits)
            _check_texts(given, next((each for each in most if each is not None), None))
        return given


# ------------------------------------------------------------------ cells


def column_letters(column: int) -> str:
    """Return the letters of a zero-based column: 0 is A, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """Return the zero-based column of ``letters``."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def cell_place(cell: str) -> tuple[int, int]:
    """Return (row, column), both zero-based, of an A1 reference such as ``H1`` or ``$H$1``.

    Raises ``ValueError`` for what is no cell of a sheet.
    """
    found = re.fullmatch(r"\$?([A-Za-z]{1,3})\$?([1-9][0-9]{0,6})", cell)
    if found is not None:
        row, column = int(found[2]) - 1, column_number(found[1])
        if row < LAST_ROW and column < LAST_COLUMN:
            return row, column
    raise ValueError(f"“{cell}” is not a cell such as H1")


def _a_cell(cell: str) -> str:
    cell_place(cell)
    return cell.replace("$", "").upper()


Cell: TypeAlias = Annotated[str, AfterValidator(_a_cell)]
"""An A1 reference without dollar signs."""

# ------------------------------------------------------------------ number formats


def _a_number_format(given: str) -> str:
    """Refuse what Excel calls a damaged file (ECMA-376 part 1, 18.8.31)."""
    printable(given)
    if re.search(r"%[a-zA-Z]", given):
        raise ValueError(
            f"“{given}” is written for strftime; an Excel number format looks like dd.mm.yyyy"
        )
    bare = re.sub(r'\\.|_.|\*.|"[^"]*"', "", given, flags=re.DOTALL)
    if '"' in bare or bare.count("[") != bare.count("]") or bare.count(";") > 3:
        raise ValueError(f"“{given}” is not an Excel number format such as 0.00 or yyyy-mm-dd")
    bare = re.sub(r"\[[^\]]*\]|general|am/pm|a/p|e(?=[-+])", "", bare, flags=re.IGNORECASE)
    # the letters of dates, a b d e g h m r s y, are those of Japan and Thailand too
    stray = re.search(r"[cfi-ln-qt-xz]+", bare, re.IGNORECASE)
    if stray is not None:
        raise ValueError(
            f"“{given}” has letters that mean nothing to Excel: “{stray[0]}”; "
            'put words into double quotes, as in 0.0" km"'
        )
    return given


NumberFormat: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=255), AfterValidator(_a_number_format)
]

# ------------------------------------------------------------------ colours and styles


def _a_color(given: str) -> str:
    named = COLORS.get(given.strip().lower())
    if named is not None:
        return named
    digits = given.strip().removeprefix("#")
    if re.fullmatch(r"[0-9A-Fa-f]{3}", digits):
        digits = "".join(digit * 2 for digit in digits)
    if re.fullmatch(r"[0-9A-Fa-f]{6}", digits):
        return f"#{digits.upper()}"
    raise ValueError(f"“{given}” is not a colour; give #RRGGBB or one of {', '.join(COLORS)}")


Color: TypeAlias = Annotated[str, AfterValidator(_a_color)]
"""``#RRGGBB`` in capitals; given so, as ``#RGB``, or by name."""


def _a_tuple(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


ColumnNames: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_a_tuple)]
"""Names of columns as they stand in the file; one may be given without its list."""


class CellStyle(Feature):
    """How cells look to which a rule applies."""

    color: Color | None = Field(None, description="Of the text: #RRGGBB or a name.")
    background: Color | None = Field(None, description="#RRGGBB or a name.")
    bold: bool | None = None
    italic: bool | None = None

    def properties(self) -> dict[str, Any]:
        """Return what XlsxWriter's ``add_format`` takes."""
        named = {
            "font_color": self.color,
            "bg_color": self.background,
            "bold": self.bold,
            "italic": self.italic,
        }
        return {name: value for name, value in named.items() if value is not None}


BORDERS: dict[str, int] = {"none": 0, "thin": 1, "medium": 2, "thick": 5}
"""Our names of borders -> XlsxWriter's numbers."""


class HeaderStyle(Feature):
    """How the row with the columns' names looks."""

    bold: bool = True
    italic: bool = False
    color: Color | None = Field("#FFFFFF", description="Of the text: #RRGGBB or a name.")
    background: Color | None = Field("#1F4E79", description="#RRGGBB or a name; null for none.")
    font: str | None = Field(None, min_length=1, max_length=31, description="Name of the font.")
    size: float | None = Field(None, ge=1, le=409, description="Of the text, in points.")
    align: Literal["left", "center", "right"] | None = Field(
        None, description="Unset: as the column's values."
    )
    wrap: bool = Field(False, description="Break long names into several lines.")
    border: Literal["none", "thin", "medium", "thick"] = Field("none", description="Below it.")

    def properties(self) -> dict[str, Any]:
        """Return what XlsxWriter's ``add_format`` takes."""
        named = {
            "bold": self.bold or None,
            "italic": self.italic or None,
            "font_color": self.color,
            "bg_color": self.background,
            "font_name": self.font,
            "font_size": self.size,
            "align": self.align,
            "text_wrap": self.wrap or None,
            "bottom": BORDERS[self.border] or None,
        }
        return {name: value for name, value in named.items() if value is not None}
