"""The flags of ``%export``: what each is called, what it takes and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["rows", "file", "source", "export", "jobs"]


@dataclass(frozen=True)
class Flag:
    """``takes`` is how its value is called; None for a switch."""

    name: str
    group: Group
    takes: str | None
    help: str
    many: bool = False
    """It may stand several times in a line, and each time counts."""
    field: str = ""
    """The document's field that it fills, where it is not called as the flag is."""
    choices: tuple[str, ...] = ()
    """All values that it takes, where these are few and fixed."""

    @property
    def key(self) -> str:
        """The flag as a Python name: ``group_by``."""
        return self.name.lstrip("-").replace("-", "_")

    @property
    def usage(self) -> str:
        return f"{self.name} {self.takes}" if self.takes else self.name


_ALL = (
    Flag(
        "--where",
        "rows",
        '"CONDITION"',
        "Only rows that meet an SQL condition over the columns of the source: "
        "--where \"dep_delay > 60 AND origin <> 'JFK'\".",
    ),
    Flag(
        "--time-range",
        "rows",
        '"COLUMN FROM..TO"',
        "Only rows of a stretch of time; TO is not included, and either end may be left out: "
        '--time-range "hour 2013-01-01..2013-02-01".',
    ),
    Flag(
        "--sample",
        "rows",
        "N|N%",
        "So many rows, or such a part of them, drawn at random; the same ones every time.",
    ),
    Flag("--seed", "rows", "N", "Draws other rows for --sample.", field="sample.seed"),
    Flag(
        "--compute",
        "rows",
        '"NAME=EXPRESSION"',
        'A new column: --compute "hours=dep_delay / 60, late=dep_delay > 60".',
        many=True,
        field="computed",
    ),
    Flag(
        "--group-by",
        "rows",
        "A,B",
        "A row for each group: a column, an expression with a name, or a stretch of time: "
        '--group-by "carrier, day=time_bucket(hour, 1 day)".',
        many=True,
    ),
    Flag(
        "--aggregate",
        "rows",
        '"FUNCTION(COLUMN)"',
        'A value for each group: --aggregate "avg(delay), n=count(*)". FUNCTION is count, '
        "count_distinct, sum, avg, min, max, median, percentile(COLUMN, 0.95), stddev, first or "
        "last.",
        many=True,
        field="aggregates",
    ),
    Flag(
        "--pivot",
        "rows",
        '"on=COLUMN values=COLUMN"',
        "A column for each value of on, filled with values; of several values that meet: "
        'values=max(COLUMN). --pivot "on=carrier values=p95 index=day".',
    ),
    Flag(
        "--columns",
        "rows",
        "A,B",
        'Only these columns, in this order. "a as b" renames, "-a" leaves one out, "*" means all '
        'the others, "hours=delay / 60" is a new one.',
        many=True,
    ),
    Flag(
        "--rename",
        "rows",
        '"A as B"',
        "Another name for a column that stays where it is.",
        many=True,
        field="columns.rename",
    ),
    Flag("--distinct", "rows", None, "No row twice."),
    Flag(
        "--sort",
        "rows",
        "A,-B",
        'In this order; a minus, or desc, means descending: --sort "-delay, carrier nulls first".',
        many=True,
    ),
    Flag("--limit", "rows", "N", "At most N rows."),
    Flag(
        "--format",
        "file",
        "TYPE",
        "The format: csv, json, jsonl, parquet, arrow, excel, pdf, html, markdown. Unset: what the "
        "path's ending says. %export --help excel lists the options of one.",
    ),
    Flag(
        "--option",
        "file",
        "KEY=VALUE",
        "An option of the format, as often as needed: --option freeze_panes=A2 --option header=no. "
        "A list may be a,b or JSON.",
        many=True,
        field="format",
    ),
    Flag("--sheet", "file", "NAME", "The name of the workbook's sheet.", field="format.sheet"),
    Flag(
        "--compress",
        "file",
        "KIND",
        "none, gzip, zstd or brotli. Unset: what the path's ending says (flights.csv.gz).",
        field="compression",
    ),
    Flag(
        "--replace",
        "file",
        None,
        "Overwrite a file that exists; with --save-template a template, too.",
        field="output.if_exists",
    ),
    Flag(
        "--if-exists",
        "file",
        "error|replace|rename",
        "What to do where the file exists: error, replace it, or write “flights (1).csv”.",
        field="output.if_exists",
        choices=("error", "replace", "rename"),
    ),
    Flag(
        "--on-loss",
        "file",
        "warn|error|ignore",
        "What to do where the format cannot hold a value as it is: warn says so in the result, "
        "error refuses the export.",
        choices=("warn", "error", "ignore"),
    ),
    Flag(
        "--to",
        "file",
        "clipboard",
        "Instead of a file: put the rows on the clipboard, to paste them into a spreadsheet or a "
        "mail.",
        choices=("clipboard",),
    ),
    Flag(
        "--connection",
        "source",
        "NAME",
        "The database that runs the cell's SQL: a connection of the notebook (an SQLAlchemy "
        "engine, a DuckDB, sqlite3, psycopg or pymysql connection), or one that the settings name.",
        field="source.connection",
    ),
    Flag(
        "--param",
        "source",
        "KEY=VALUE",
        "The value of :KEY in the cell's SQL, or of {{KEY}} in a template or spec file.",
        many=True,
        field="source.params",
    ),
    Flag(
        "--template",
        "source",
        "NAME",
        "Export by a saved template. Frames on the line take the places of its frames in order "
        "(unset: the notebook's frames of the same names); the path and flags of the line come "
        "before its own.",
    ),
    Flag(
        "--save-template",
        "export",
        "NAME",
        "Export, and save the line as a template for --template once the export is done. A "
        "template of that name is overwritten with --replace only.",
    ),
    Flag(
        "--preview",
        "export",
        None,
        "Show the first rows, their types, the size and what would be lost; write nothing.",
    ),
    Flag("--name", "export", "NAME", "The export's name. Unset: the frame's."),
    Flag("--wait", "export", None, "Wait for the export, which is what a cell does anyway."),
    Flag(
        "--no-wait",
        "export",
        None,
        "Give the prompt back as soon as the rows are frozen. Where nobody could watch (papermill, "
        "nbconvert) and the kernel does the work, the cell waits all the same.",
    ),
    Flag("--panel", "export", None, "Open the panel, with what the line says filled in."),
    Flag("--debug", "export", None, "Show the traceback of an error."),
    Flag("--jobs", "jobs", None, "List the exports, newest first."),
    Flag("--status", "jobs", "ID", "Show one export; the beginning of its id will do."),
    Flag("--cancel", "jobs", "ID", "Cancel an export."),
    Flag("--help", "jobs", None, "Show the help; behind it, a flag or a format to explain."),
)
FLAGS = {flag.name: flag for flag in _ALL}
SHORT = {"-h": "--help"}
ELSEWHERE = {
    "--filter": "--where",
    "--gzip": "--compress",
    "--head": "--limit",
    "--mode": "--if-exists",
    "--order-by": "--sort",
    "--output": "--to",
    "--overwrite": "--replace",
    "--select": "--columns",
    "--separator": "--option",
}
"""What other tools call a flag."""
