"""What a flag's value may go on with where it is SQL: ``--where``, ``--aggregate`` and the like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from ...spec import AggregateFunction
from ..pieces import pieces
from ..typed import Word, quoted, sql_begun, sql_name
from .said import Offer, Said, starts

FUNCTIONS = get_args(AggregateFunction)
PIVOT = ("on", "values", "index", "function", "p")
SHARES = ("0.5", "0.9", "0.95", "0.99")
_MORE = re.compile(r"^[-*\s]|[\"'=,()\[\]{}]|\s(?:as\s|$)", re.IGNORECASE)
"""What a name in a list is not written with, unless it stands in double quotes."""
_MOMENT = re.compile(r"date|time|timestamp", re.IGNORECASE)


def in_value(said: Said, flag: str, word: Word) -> tuple[int, Iterator[Offer]]:
    """Return from which letter on the value of one of ``KNOWN`` is replaced, and with what."""
    if flag == "--columns" and (found := _named_columns(said, word)) is not None:
        return found
    since = sql_begun(word.text)
    if since is None:
        return len(word.text), iter(())
    known, opens = KNOWN[flag]
    offers = known(said, word.text[:since])
    return since, _of_sql(word, since, offers, word.text[since:], opens)


def _named_columns(said: Said, word: Word) -> tuple[int, Iterator[Offer]] | None:
    """Return what goes on an item of --columns that is a name, which may have blanks; None in an
    item that is more."""
    *before, (start, item) = pieces(word.text, ",".__eq__)
    begun = item.lstrip()
    since = start + len(item) - len(begun)
    if begun.startswith("-"):  # a column to leave out
        begun, since = begun[1:], since + 1
    if _MORE.search(begun):
        return None
    given = {each.strip() for _, each in before}
    written = (
        Offer(sql_name(name) if _MORE.search(name) else name, "column")
        for name, _ in said.shaped()
        if name not in given and sql_name(name) not in given and starts(name, begun)
    )
    texts = ((each, word.written(each.text, since)) for each in written)
    return since, (Offer(text, each.kind) for each, text in texts if text is not None)


def _of_sql(
    word: Word, since: int, found: Iterable[Offer], begun: str, opens: bool
) -> Iterator[Offer]:
    """Yield names as SQL writes them, inside of the quotes of the line.

    ``opens``: what follows has blanks, so the first name of a value without quotes opens them.
    """
    in_quotes, plain = begun.startswith('"'), begun.removeprefix('"').replace('""', '"')
    opens = opens and since == 0 and set(word.quotes) == {""}
    for each in found:
        is_name = each.kind == "column"
        if not starts(each.text, plain) or (in_quotes and not is_name):
            continue
        text = sql_name(each.text) if is_name else each.text
        if in_quotes and not text.startswith('"'):
            text = f'"{text}"'
        if opens:
            mark = "'" if '"' in text and "'" not in text else '"'
            inside = quoted(text, mark)
            written = f"{mark}{inside}{' ' if is_name else ''}" if inside is not None else None
        else:
            written = word.written(text, since) if is_name else text
        if written is not None:
            yield Offer(written, each.kind)


def _columns(known: Iterable[tuple[str, str]]) -> Iterator[Offer]:
    return (Offer(name, "column") for name, _ in known)


def _moments_first(known: Sequence[tuple[str, str]]) -> Iterator[Offer]:
    yield from _columns(each for each in known if _MOMENT.search(each[1]))
    yield from _columns(known)


def _functions() -> Iterator[Offer]:
    for each in FUNCTIONS:
        if each == "count":
            yield Offer("count(*)", "aggregate")
        yield Offer(f"{each}(", "aggregate")


def _where(said: Said, before: str) -> Iterator[Offer]:
    return _columns(said.columns)


def _time_range(said: Said, before: str) -> Iterator[Offer]:
    return iter(()) if before.strip() else _moments_first(said.columns)


def _compute(said: Said, before: str) -> Iterator[Offer]:
    return _columns(said.computed())


def _group_by(said: Said, before: str) -> Iterator[Offer]:
    if re.search(r"\btime_bucket\s*\(\s*$", before, re.IGNORECASE):
        return _moments_first(said.computed())
    bucket = (
        [Offer("time_bucket(", "function of time")] if re.search(r"(^|[,=])\s*$", before) else []
    )
    return iter([*_columns(said.computed()), *bucket])


def _aggregate(said: Said, before: str) -> Iterator[Offer]:
    inside = before.rpartition("(")[2] if before.count("(") > before.count(")") else None
    if inside is None:
        return _functions()
    if "," in inside:
        return (Offer(each, "share") for each in SHARES)
    return _columns(said.computed())


def _shaped(said: Said, before: str) -> Iterator[Offer]:
    return _columns(said.shaped())


def _pivot(said: Said, before: str) -> Iterator[Offer]:
    *parts, last = re.split(r"""\s+(?=(?:[^"]*"[^"]*")*[^"]*$)""", before)
    key, sign, value = last.partition("=")
    if not sign:
        given = {part.partition("=")[0] for part in parts}
        return (Offer(f"{each}=", "key") for each in PIVOT if each not in given)
    if key == "function":
        return (Offer(each, "aggregate") for each in FUNCTIONS)
    if key == "p":
        return (Offer(each, "share") for each in SHARES)
    columns = _columns(said.grouped())
    return iter([*columns, *_functions()]) if key == "values" and not value else columns


KNOWN = {
    "--where": (_where, True),
    "--time-range": (_time_range, True),
    "--compute": (_compute, False),
    "--group-by": (_group_by, False),
    "--aggregate": (_aggregate, False),
    "--sort": (_shaped, False),
    "--pivot": (_pivot, True),
    "--columns": (_shaped, False),
    "--rename": (_shaped, True),
}
"""What may go on behind the text of a value, and whether values have blanks."""
