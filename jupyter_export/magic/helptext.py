"""The help of ``%export``: a page that fits a screen, and more on one flag or one format."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..client import ExportClient
from ..errors import InvalidRequest, did_you_mean
from .flags import ELSEWHERE, FLAGS, SHORT

WIDEST = 100
"""Columns of the page."""
PAGE = """\
%export FRAME [FRAME …] [PATH] [flags]    %%export [PATH] [flags] over a cell of SQL

  %export df flights.csv                            the path's ending says format and compression
  %export df late.xlsx --where "delay > 60" --columns "carrier, delay" --sheet Late
  %export df.query("x > 1") a.csv.gz --preview      rows, types, size, losses; writes nothing
  %export flights planes report.xlsx                several frames: a sheet, or a file, for each
  %export df --to clipboard                         to paste into a spreadsheet or a mail
  %export {spec}                                    a document; also report.yaml, report.json
  %export df a.csv --save-template weekly           later: %export --template weekly other_df b.csv
  %%export delays.parquet                           SELECT carrier, avg(delay) FROM df GROUP BY 1
  %%export a.csv --connection db --param low=60     SELECT * FROM flights WHERE delay > :low

Rows, in the order in which they are made
  --where "delay > 60"  --time-range "hour 2013-01-01..2013-02-01"  --sample 1000|5%  --seed N
  --compute "hours=delay / 60"  --group-by "carrier, day=time_bucket(hour, 1 day)"
  --aggregate "avg(delay), n=count(*)"  --pivot "on=carrier values=max(n)"
  --columns "a, b as c, -d, *"  --rename "a as b"  --distinct  --sort "-delay, carrier"  --limit N
File
  --format csv|json|jsonl|parquet|arrow|excel|pdf|html|markdown  --compress none|gzip|zstd|brotli
  --option KEY=VALUE  --sheet NAME  --replace  --if-exists error|replace|rename
  --on-loss warn|error|ignore  --to clipboard
Source
  --connection NAME  --param KEY=VALUE  --template NAME
Export
  --preview  --panel  --name NAME  --save-template NAME  --no-wait  --debug
Exports there are
  --jobs  --status ID  --cancel ID

A path is relative to the working directory; without one the file is named for you. {name} in a
line is the notebook's variable. More: %export --help excel, %export --help columns
"""


def help_on(words: Sequence[str], client: Callable[[], ExportClient]) -> str:
    """Return the page, or what there is to say of a flag or a format.

    Raises ``InvalidRequest`` for one that nobody knows.
    """
    if not words:
        return PAGE
    topic = words[0].strip("\"'").lower()
    flag = FLAGS.get(f"--{topic.lstrip('-').replace('_', '-')}")
    if flag is not None:
        return about_flag(flag.name)
    formats = client().formats()
    for each in formats:
        if topic in (each["type"], *each["endings"], *(e.lstrip(".") for e in each["endings"])):
            return about_format(each)
    known = [*(name.lstrip("-") for name in FLAGS), *(str(each["type"]) for each in formats)]
    meant = ELSEWHERE.get(f"--{topic.lstrip('-')}")
    raise InvalidRequest(
        f"“{words[0]}” is neither a flag nor a format.",
        hint=f"Did you mean {meant}?" if meant else did_you_mean(topic, known),
    )


def about_flag(name: str) -> str:
    """Return what a flag does, with an example."""
    flag = FLAGS[SHORT.get(name, name)]
    said = [flag.usage, *textwrap.wrap(flag.help, WIDEST - 2, initial_indent="  ",
                                       subsequent_indent="  ")]  # fmt: skip
    if flag.many:
        said.append("  It may stand several times.")
    return "\n".join(said) + "\n"


def about_format(known: Mapping[str, Any]) -> str:
    """Return the options of a format, with their values, defaults and descriptions."""
    from .options import default_of, described

    schema = known["options"]
    endings = ", ".join(known["endings"])
    lines = [f"{known['label']} (--format {known['type']}): {endings}", ""]
    options = schema.get("properties", {})
    if not options:
        return "\n".join([*lines[:1], "  It has no options.", ""])
    for name, option in options.items():
        takes = described(option, schema.get("$defs", {}))
        default = default_of(option)
        head = f"  --option {name}={takes}" + (f"   (unset: {default})" if default else "")
        lines += (
            [head]
            if len(head) <= WIDEST
            else textwrap.wrap(
                head,
                WIDEST,
                subsequent_indent="      ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
        if option.get("description"):
            lines += textwrap.wrap(
                option["description"], WIDEST, initial_indent="      ", subsequent_indent="      "
            )
    return "\n".join(lines) + "\n"
