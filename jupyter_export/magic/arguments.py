"""The line of ``%export``: words that may be expressions, and flags."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import InvalidRequest, nearest

USAGE = """\
%export FRAME [PATH] [flags]       export a frame, or an expression that gives one
%export A B C [PATH] [flags]       export several frames: one sheet, or one file, for each
%%export [PATH] [flags]            export the rows of the cell's SQL over the notebook's frames
%%export [PATH] --connection NAME  export the rows of the cell's SQL on a database
%export --jobs                     list the exports; --status ID and --cancel ID take one of them

PATH is relative to the working directory. Its ending gives format and compression
(flights.csv, flights.xlsx, flights.csv.gz); without a path the file is named for you. Several
frames in a format that holds one become a folder of that name, or a zip (flights.csv.zip).

The file
  --format TYPE         csv, json, jsonl, parquet, arrow, excel, pdf, html, markdown;
                        unset: the path's ending
  --compress KIND       none, gzip, zstd, brotli; unset: the path's ending
  --option KEY=VALUE    an option of the format, as often as needed: --option delimiter=";";
                        a value may be JSON: --option 'header=["a", "b"]'
  --sheet NAME          the name of the workbook's sheet
  --replace             overwrite a file that exists

The database
  --connection NAME     a connection of the notebook (an SQLAlchemy engine, a DuckDB, sqlite3,
                        psycopg or pymysql connection), or else one that the settings name
  --param KEY=VALUE     the value of :KEY in the cell's SQL, as often as needed

The rows, in the order in which they are made
  --where "CONDITION"   only rows that meet an SQL condition
  --time-range "COLUMN FROM..TO"
                        only rows of a stretch of time; TO is not included, either may be left out
  --sample N|N%         so many rows, or such a part of them, drawn at random; --seed N draws others
  --compute "NAME=EXPRESSION"
                        a new column: --compute "hours=dep_delay / 60"
  --group-by A,B        a row for each group: --group-by "carrier, day=time_bucket(hour, 1 day)"
  --aggregate "FUNCTION(COLUMN)"
                        a value for each group: --aggregate "avg(delay), n=count(*)"; FUNCTION is
                        count, sum, avg, min, max, median, percentile(COLUMN, 0.95), stddev, first
                        or last
  --pivot "on=COLUMN values=COLUMN"
                        a column for each value of on, filled with values; of several values that
                        meet: values=max(COLUMN)
  --columns A,B         only these columns, in this order
  --distinct            no row twice
  --sort A,-B           in this order; a minus, or desc, means descending
  --limit N             at most N rows

The export
  --preview             show the first rows and what would be lost; write nothing
  --name NAME           the export's name; unset: the frame's
  --no-wait             give the prompt back as soon as the rows are frozen
  --debug               show the traceback of an error
"""


@dataclass(frozen=True)
class Arguments:
    """What a line asks for."""

    words: tuple[str, ...] = ()
    """Frames and path, in order, with the quotes of the line: ``df.query("x > 1")``."""
    format: str | None = None
    compress: str | None = None
    replace: bool = False
    columns: tuple[str, ...] = ()
    where: str | None = None
    time_range: str | None = None
    sample: str | None = None
    seed: int | None = None
    compute: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    aggregate: tuple[str, ...] = ()
    pivot: str | None = None
    distinct: bool = False
    sort: tuple[str, ...] = ()
    limit: int | None = None
    sheet: str | None = None
    preview: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    connection: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    wait: bool = True
    jobs: bool = False
    status: str | None = None
    cancel: str | None = None
    debug: bool = False
    help: bool = False


class _Word(str):
    """A word of the line without its quotes; ``raw`` still has them."""

    raw: str


class _Parser(argparse.ArgumentParser):
    """Never leaves the process: every fault is an ``InvalidRequest`` of one sentence."""

    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(_sentence(message), hint="%export --help lists the flags.")

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(self._option_string_actions)


def _parser() -> _Parser:
    parser = _Parser(prog="%export", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    for flag in ("--format", "--compress", "--sheet", "--name", "--connection"):
        parser.add_argument(flag)
    parser.add_argument("--option", action="append", default=[], dest="options", type=_option)
    parser.add_argument("--param", action="append", default=[], dest="params", type=_key_value)
    parser.add_argument("--replace", action="store_true")
    for flag in ("--where", "--time-range", "--sample", "--pivot"):
        parser.add_argument(flag)
    for flag in _REPEATED:
        parser.add_argument(flag, action="append", default=[])
    parser.add_argument("--columns", type=_names, default=())
    parser.add_argument("--distinct", action="store_true")
    parser.add_argument("--seed", type=_whole)
    parser.add_argument("--limit", type=_whole)
    parser.add_argument("--preview", action="store_true")
    parser.add_argument("--wait", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--jobs", action="store_true")
    parser.add_argument("--status", metavar="ID")
    parser.add_argument("--cancel", metavar="ID")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--help", "-h", action="store_true")
    return parser


_ELSEWHERE = {
    "--filter": "--where",
    "--head": "--limit",
    "--order-by": "--sort",
    "--select": "--columns",
}
"""What other tools call a flag."""
_REPEATED = ("--compute", "--group-by", "--aggregate", "--sort")
_PARSER: _Parser | None = None


def parse(line: str) -> Arguments:
    """Parse what stands after ``%export``; raise ``InvalidRequest`` naming the nearest flag."""
    global _PARSER
    parser = _PARSER = _PARSER or _parser()
    words = list(_with_minus(split(line), parser.flags))
    for word in words:
        flag = word.split("=", 1)[0]
        if word.raw.startswith("-") and _is_flag(flag) and flag not in parser.flags:
            known = [each for each in parser.flags if each.startswith("--")]
            close = _ELSEWHERE.get(flag) or nearest(flag, known)
            raise InvalidRequest(
                f"“{flag}” is not a flag of %export.",
                hint=f"Did you mean {close}?" if close else "%export --help lists them.",
            )
    found = parser.parse_intermixed_args(words)
    found.options = dict(found.options)
    found.params = dict(found.params)
    for flag in _REPEATED:
        name = flag.strip("-").replace("-", "_")
        setattr(found, name, tuple(map(str, getattr(found, name))))
    found.words = tuple(getattr(word, "raw", word) for word in found.words)
    return Arguments(**vars(found))


def _with_minus(words: Iterator[_Word], flags: Sequence[str]) -> Iterator[_Word]:
    """Join ``--sort`` with a value that begins with a minus, which is no flag then."""
    for word in words:
        if word.raw == "--sort":
            value = next(words, None)
            if value is not None and not (value.startswith("--") and value in flags):
                word = _Word(f"{word}={value}")
                word.raw = f"--sort={value.raw}"
            elif value is not None:
                yield word
                word = value
        yield word


def split(line: str) -> Iterator[_Word]:
    """Split at blanks that stand neither in quotes nor in brackets; quotes as in a shell.

    ``df[["a", "b"]]`` and ``df.query("x > 1")`` are one word each.
    """
    here = 0
    while here < len(line):
        if line[here].isspace():
            here += 1
            continue
        word, here = _next_word(line, here)
        yield word


def _next_word(line: str, start: int) -> tuple[_Word, int]:
    plain: list[str] = []
    quote, depth, here = "", 0, start
    while here < len(line):
        letter = line[here]
        escaped = letter == "\\" and os.name != "nt" and quote != "'" and here + 1 < len(line)
        if escaped and (not quote or line[here + 1] in '"\\'):
            here += 1
            plain.append(line[here])
        elif quote:
            if letter == quote:
                quote = ""
            else:
                plain.append(letter)
        elif letter in "\"'":
            quote = letter
        elif letter.isspace() and depth <= 0:
            break
        else:
            depth += (letter in "([{") - (letter in ")]}")
            plain.append(letter)
        here += 1
    if quote:
        raise InvalidRequest(
            f"A quote {quote} of the line has no end.", hint=f"Add {quote} where it ends."
        )
    word = _Word("".join(plain))
    word.raw = line[start:here]
    return word, here


def unquoted(raw: str) -> str:
    """Return a word of ``Arguments.words`` without its quotes, as a shell would read it."""
    return str(next(split(raw), ""))


def _is_flag(word: str) -> bool:
    return len(word) > 1 and not word[1:2].isdigit()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _whole(text: str) -> int:
    try:
        return int(text.replace("_", "").replace(",", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number") from None


def _option(text: str) -> tuple[str, Any]:
    key, value = _key_value(text)
    return key.replace("-", "_"), value


def _key_value(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise argparse.ArgumentTypeError(f"“{text}” is not KEY=VALUE")
    # the quotes of JSON's own texts went away with those of the line
    for given in (value, getattr(text, "raw", text).partition("=")[2]):
        try:
            return key, json.loads(given)
        except ValueError:
            continue
    return key, value


def _sentence(message: str) -> str:
    """Say one of argparse's findings in a sentence of ours."""
    said = message.strip().rstrip(".")
    if said.startswith("argument "):
        flag, _, why = said.removeprefix("argument ").partition(": ")
        if why.startswith("expected one argument"):
            return f"{flag} needs a value."
        if why.startswith("ignored explicit argument"):
            return f"{flag} takes no value."
        return f"{flag}: {why}."
    return f"{said[:1].upper()}{said[1:]}."


def sql_condition_in(words: Sequence[str]) -> bool:
    """Tell whether a condition of ``--where`` lost its quotes and became words."""
    return any(word in ("=", "==", "!=", "<", "<=", ">", ">=", "<>") for word in words)
