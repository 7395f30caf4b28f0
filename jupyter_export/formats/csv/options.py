"""The options of CSV, and what follows from them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from ..appearance import Appearance

Quote: TypeAlias = Literal["minimal", "all", "none", "nonnumeric"]
Encoding: TypeAlias = Literal["utf-8", "utf-8-sig", "utf-16", "latin-1", "ascii"]
_NAMED_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r", "\\n": "\n", "\\r\n": "\r\n", "\\r": "\r"}
_NAMED_ENDS["\\r\\n"] = "\r\n"
_NAMED_CHARACTERS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
}


class CsvOptions(Appearance):
    # “null=0” on a command line is the text 0
    model_config = ConfigDict(coerce_numbers_to_str=True)

    delimiter: str = Field(
        ",",
        description="One character between cells: , ; | tab, or any other one, such as §.",
    )
    header: bool | tuple[str, ...] = Field(
        True,
        description="Column names in the first line; or a list of the names to write there.",
    )
    quote: Quote = Field(
        "minimal",
        description="Which cells stand in quotes: those that need them, all, all but numbers, or "
        "none (a value that holds a delimiter, a quote or a line end is then an error, or escaped "
        "where escape_char is set).",
    )
    quote_char: str = Field('"', description="The quote; doubled inside a quoted cell.")
    escape_char: str | None = Field(
        None,
        description="Stands before a quote inside a quoted cell, instead of doubling it; with "
        "quote=none before delimiters, quotes and line ends.",
    )
    line_terminator: Literal["\n", "\r\n", "\r"] = Field(
        "\n", description="The end of a line: lf, crlf or cr."
    )
    encoding: Encoding = Field(
        "utf-8",
        description="utf-8-sig and utf-16 begin with a byte order mark, as Excel likes it.",
    )
    encoding_errors: Literal["replace", "error"] = Field(
        "replace",
        description="A character that the encoding does not have: a question mark, or an error.",
    )
    null: str = Field("", max_length=100, description="The text of a null.")
    formula_guard: Literal["off", "escape"] = Field(
        "off",
        description="escape: an apostrophe goes before a text that a spreadsheet could run as a "
        "formula (it begins with = + - @ tab or carriage return, after any apostrophes), headings "
        "too. Numbers stay as they are, and texts that are a signed number and begin with no "
        "apostrophe. To undo it, drop the first apostrophe of each text in which only apostrophes "
        "stand before such a character.",
    )
    rows_per_file: int | None = Field(
        None, ge=1, description="Rows of one file at most; the rest goes on in numbered files."
    )
    bytes_per_file: int | None = Field(
        None,
        ge=1,
        description="Bytes of one file at most, before compression; the rest goes on in numbered "
        "files. A row that is longer has a file of its own.",
    )

    @field_validator("delimiter", "quote_char", "escape_char")
    @classmethod
    def _one_character(cls, value: str | None, info: Any) -> str | None:
        if value is None or value == "":
            if info.field_name == "escape_char":
                return None
            raise ValueError("it must be one character")
        value = _NAMED_CHARACTERS.get(value, value)
        if len(value) != 1:
            raise ValueError("it must be one character")
        if value in "\r\n\0\ufeff" or "\ud800" <= value <= "\udfff":
            raise ValueError("it must be no line end, null character or byte order mark")
        if info.field_name != "delimiter" and ord(value) > 127:
            raise ValueError("it must be an ASCII character, as CSV readers ask for")
        return value

    @field_validator("line_terminator", mode="before")
    @classmethod
    def _named_end(cls, value: Any) -> Any:
        return _NAMED_ENDS.get(value.lower(), value) if isinstance(value, str) else value

    @field_validator("header")
    @classmethod
    def _some_names(cls, value: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        if value == ():
            raise ValueError("the list of names is empty; say false for no header")
        return value

    @model_validator(mode="after")
    def _characters_differ(self) -> CsvOptions:
        if self.delimiter == self.quote_char:
            raise ValueError("delimiter and quote_char are the same")
        if self.delimiter == self.escape_char:
            raise ValueError("delimiter and escape_char are the same")
        if any(c in self.null for c in self.special):
            raise ValueError(
                "the null text may hold no delimiter, quote, escape character or line end"
            )
        return self

    @model_validator(mode="after")
    def _encoding_has_them(self) -> CsvOptions:
        texts = {
            "delimiter": self.delimiter,
            "null": self.null,
            "date_format": self.date_format,
            "time_format": self.time_format,
            "timestamp_format": self.timestamp_format,
            "thousands_separator": self.thousands_separator,
            "booleans": "".join(self.booleans),
        }
        for name, text in texts.items():
            try:
                (text or "").encode(self.encoding)
            except UnicodeEncodeError as error:
                lacking = error.object[error.start]
                raise ValueError(
                    f"{name} holds “{lacking}”, which {self.encoding} does not have"
                ) from None
        return self

    @property
    def escape(self) -> str | None:
        """The escape character; None where the quote is doubled, which is its own escape."""
        return None if self.escape_char == self.quote_char else self.escape_char

    @property
    def special(self) -> tuple[str, ...]:
        """The characters for which a cell is quoted or escaped."""
        both = (self.quote_char, self.escape) if self.escape else (self.quote_char,)
        return (*both, self.delimiter, "\n", "\r")
