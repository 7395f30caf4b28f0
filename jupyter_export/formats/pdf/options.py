"""What can be chosen for a PDF: paper, furniture, columns, groups, charts, protection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from ...registry import FormatOptions
from ..appearance import Appearance

MILLIMETRE = 72 / 25.4
"""Points."""
PAPERS: dict[str, tuple[float, float]] = {
    "A3": (297.0, 420.0),
    "A4": (210.0, 297.0),
    "A5": (148.0, 210.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
}
"""Width and height in millimetres (ISO 216, ANSI/ASME Y14.1), upright."""
PLACEHOLDERS = ("page", "pages", "title", "date", "dataset")

Paper: TypeAlias = Literal["A3", "A4", "A5", "letter", "legal"]
Alignment: TypeAlias = Literal["left", "center", "right"]
Function: TypeAlias = Literal["sum", "avg", "min", "max", "count"]
Permission: TypeAlias = Literal[
    "print", "modify", "copy", "annotate", "fill", "extract", "assemble", "print_well"
]


def _six_digits(value: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise ValueError("a color is written #RRGGBB")
    return value


def _known_placeholders(value: str) -> str:
    for name in re.findall(r"\{([^{}]*)\}", value):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"“{{{name}}}” is not a placeholder; there are {known}")
    if value.count("|") > 2:
        raise ValueError("it has at most three parts: left|center|right")
    return value


def _built(value: object, model: type[FormatOptions], plain: tuple[type, ...], said: str) -> object:
    """Return ``value`` as ``model`` where it is an object, or as it is where it is ``plain``."""
    if isinstance(value, (*plain, model)):
        return value
    names = ", ".join(model.model_fields)
    if not isinstance(value, Mapping):
        raise ValueError(f"it is {said}, or an object with {names}")
    for name in value:
        if name not in model.model_fields:
            raise ValueError(f"“{name}” is none of {names}")
    try:
        return model.model_validate(dict(value))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}") from None


Color: TypeAlias = Annotated[str, AfterValidator(_six_digits)]
Furniture: TypeAlias = Annotated[str, Field(max_length=400), AfterValidator(_known_placeholders)]


class Margins(FormatOptions):
    """Millimetres."""

    top: float = Field(15, ge=5, le=100, description="Millimetres of white at the top: 20.")
    right: float = Field(15, ge=5, le=100, description="Millimetres of white at the right: 20.")
    bottom: float = Field(15, ge=5, le=100, description="Millimetres of white at the bottom: 20.")
    left: float = Field(15, ge=5, le=100, description="Millimetres of white at the left: 20.")


class TitlePage(FormatOptions):
    subtitle: str = Field("", max_length=400, description="Below the title, smaller.")
    text: str = Field("", max_length=4000, description="Paragraphs; a new line begins the next.")
    logo: str | None = Field(None, description="Path of a PNG or JPEG file.")


class NumberFormat(FormatOptions):
    """The number format of one column; what is unset is as in the whole document."""

    decimals: int | None = Field(None, ge=0, le=15, description="Digits behind the point: 2.")
    decimal_separator: Literal[".", ","] | None = Field(
        None, description="Between whole and fraction: . or ,"
    )
    thousands_separator: Literal["", ",", ".", " ", "'", "’", "_", "\u00a0", "\u202f"] | None = (
        Field(None, description="Between groups of three digits: a comma gives 1,234,567.")
    )
    prefix: str = Field("", max_length=10, description="Before each value: € .")
    suffix: str = Field("", max_length=10, description="Behind each value:  %.")


class Chart(FormatOptions):
    """A picture of aggregated rows: ``function`` of ``y`` for each value of ``x``."""

    type: Literal["bar", "column", "line", "area", "pie", "scatter"] = Field(
        "column", description="bar lies, column stands; scatter draws a point for each row."
    )
    x: str = Field(description="Column of the categories; of the numbers across, for scatter.")
    y: str | None = Field(None, description="Column of numbers; not needed to count.")
    function: Function = Field("sum", description="How the values of a category become one.")
    title: str | None = Field(
        None,
        max_length=200,
        description="Above the chart; unset: what it shows, “sum of miles by month”.",
    )
    dataset: str | None = Field(None, description="The dataset it is of; unset: the first one.")
    top: int = Field(12, ge=1, le=60, description="Categories shown; the rest are one, below them.")

    @model_validator(mode="after")
    def _needs_numbers(self) -> Chart:
        if self.y is None and (self.function != "count" or self.type == "scatter"):
            raise ValueError("y names no column; without one a chart can only count")
        return self


class PdfOptions(Appearance):
    paper: Paper | tuple[float, float] = Field("A4", description="A name, or [width, height] mm.")
    orientation: Literal["portrait", "landscape", "auto"] = Field(
        "auto", description="auto: landscape where the columns need it, for each dataset."
    )
    margins: float | Margins = Field(15.0, description="Millimetres; or top, right, bottom, left.")
    title: str | None = Field(
        None, max_length=400, description="Unset: the export's name. Empty: none."
    )
    title_page: bool | TitlePage = Field(False, description="A page of its own before the tables.")
    header: Furniture = Field("", description="left|center|right, with {title}, {dataset}, {date}.")
    footer: Furniture = Field(
        "{title}||Page {page} of {pages}",
        description="left|center|right, with {page}, {pages}, {title}, {dataset}, {date}.",
    )
    font: str | list[str] = Field(
        [],
        description="Families or files (.ttf .otf), asked in this order before the fonts at hand.",
    )
    font_size: float = Field(8.5, ge=4, le=24, description="Points.")
    min_font_size: float = Field(6.0, ge=3, le=24, description="How far fit=shrink may go.")
    widths: dict[str, float] = Field({}, description="Column -> millimetres; others by content.")
    align: dict[str, Alignment] = Field({}, description="Column -> left, center or right.")
    overflow: Literal["ellipsis", "wrap"] = Field(
        "wrap", description="Texts wider than their column: cut off, or on several lines."
    )
    fit: Literal["shrink", "split"] = Field(
        "shrink",
        description="Too many columns: a smaller font first, or at once on further pages.",
    )
    repeat_columns: list[str] = Field(
        [], description="Columns that stand on each of the pages that the columns are split over."
    )
    banded: bool = Field(True, description="Every other row on a light ground.")
    grid: Literal["none", "rows", "all"] = Field("rows", description="Lines between cells.")
    color: Color = Field("#1F2933", description="Of text.")
    accent: Color = Field("#2F5D8A", description="Of titles, group headings and charts.")
    header_background: Color = Field(
        "#E9EEF3", description="Behind the names of the columns: #E9EEF3."
    )
    header_color: Color = Field("#1F2933", description="Of the names of the columns: #1F2933.")
    band_color: Color = Field(
        "#F6F8FA", description="Behind every other row, where banded: #F6F8FA."
    )
    line_color: Color = Field("#D9E0E6", description="Of the lines of the grid: #D9E0E6.")
    null: str = Field("", max_length=100, description="The text of a null.")
    number_formats: dict[str, NumberFormat] = Field(
        {}, description="Column -> decimals, separators, prefix, suffix."
    )
    group_by: list[str] = Field(
        [],
        max_length=8,
        description="Rows with the same values get a heading. Groups need sorted rows: a value "
        "that comes back later gets a second heading.",
    )
    subtotals: dict[str, Function] = Field({}, description="Column -> function, for each group.")
    grand_totals: dict[str, Function] = Field({}, description="Column -> function, of all rows.")
    group_pages: bool = Field(False, description="Each first-level group begins a new page.")
    charts: list[Chart] = Field(
        [],
        max_length=24,
        description="Up to 24 pictures of aggregated rows, two on a page: sales by region.",
    )
    charts_at: Literal["end", "start"] = Field("end", description="Where the charts stand.")
    author: str = Field(
        "", max_length=400, description="Who made it, in the properties of the file: Ada Lovelace."
    )
    subject: str = Field(
        "",
        max_length=400,
        description="What it is about, in the properties of the file: Delays in 2013.",
    )
    keywords: list[str] = Field(
        [],
        max_length=100,
        description="Words to find it by, in the properties of the file: flights, delays.",
    )
    language: str = Field(
        "en",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="Language that a screen reader speaks, as a BCP 47 tag: en, de, pt-BR.",
    )
    password: str | None = Field(
        None, min_length=1, max_length=127, description="Opens the file (AES-256)."
    )
    owner_password: str | None = Field(
        None, min_length=1, max_length=127, description="Lifts the permissions; needs a password."
    )
    permissions: list[Permission] | None = Field(
        None, description="What is allowed with the password; unset: all."
    )

    # pydantic tells what each type of a choice would want; people want one sentence

    @field_validator("paper", mode="before")
    @classmethod
    def _a_name_or_a_size(cls, value: object) -> object:
        if isinstance(value, str) and value not in PAPERS:
            raise ValueError(f"there is no “{value}”; it is one of {', '.join(PAPERS)}")
        if not isinstance(value, str):
            sides = value if isinstance(value, (list, tuple)) else ()
            if len(sides) != 2 or not all(isinstance(side, (int, float)) for side in sides):
                raise ValueError("it is a name, or a list of width and height in millimetres")
        return value

    @field_validator("margins", mode="before")
    @classmethod
    def _a_number_or_sides(cls, value: object) -> object:
        return _built(value, Margins, (int, float), "a number of millimetres")

    @field_validator("title_page", mode="before")
    @classmethod
    def _a_choice_or_a_page(cls, value: object) -> object:
        return _built(value, TitlePage, (bool,), "true or false")

    @field_validator("font", mode="before")
    @classmethod
    def _a_name_or_names(cls, value: object) -> object:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
            raise ValueError("it is a family or a file, or a list of them")
        return value

    @field_validator("paper")
    @classmethod
    def _a_size_in_range(cls, value: object) -> object:
        if isinstance(value, tuple) and not all(70 <= side <= 2000 for side in value):
            raise ValueError("width and height are 70 to 2000 mm")
        return value

    @field_validator("margins")
    @classmethod
    def _margins_in_range(cls, value: object) -> object:
        if isinstance(value, float) and not 5 <= value <= 100:
            raise ValueError("margins are 5 to 100 mm")
        return value

    @field_validator("widths")
    @classmethod
    def _widths_in_range(cls, value: dict[str, float]) -> dict[str, float]:
        for column, width in value.items():
            if not 4 <= width <= 1000:
                raise ValueError(f"the width of “{column}” must be 4 to 1000 mm")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> PdfOptions:
        for column, own in self.number_formats.items():
            given = (own.decimal_separator, own.thousands_separator)
            points = (self.decimal_separator, self.thousands_separator)
            point, group = (b if a is None else a for a, b in zip(given, points, strict=True))
            if point == group:
                raise ValueError(
                    f"decimal_separator and thousands_separator of “{column}” are the same"
                )
        if self.subtotals and not self.group_by:
            raise ValueError("subtotals need group_by")
        if self.owner_password is not None and self.password is None:
            raise ValueError("an owner_password needs a password")
        if self.permissions is not None and self.password is None:
            raise ValueError("permissions need a password")
        width, height = self.page_size("portrait")
        sides = self.sides
        if (
            min(width, height)
            - max(sides.left + sides.right, sides.top + sides.bottom) * MILLIMETRE
            < 50 * MILLIMETRE
        ):
            raise ValueError("the margins leave less than 50 mm of the paper")
        return self

    @property
    def sides(self) -> Margins:
        """The four margins, in millimetres."""
        if isinstance(self.margins, Margins):
            return self.margins
        each = self.margins
        return Margins(top=each, right=each, bottom=each, left=each)

    @property
    def fonts(self) -> tuple[str, ...]:
        return (self.font,) if isinstance(self.font, str) else tuple(self.font)

    def page_size(self, orientation: str) -> tuple[float, float]:
        """Return width and height in points; a size of one's own is upright as it is given."""
        given = PAPERS[self.paper] if isinstance(self.paper, str) else self.paper
        width, height = (side * MILLIMETRE for side in given)
        if orientation == "landscape":
            width, height = max(width, height), min(width, height)
        elif isinstance(self.paper, str):
            width, height = min(width, height), max(width, height)
        return width, height
