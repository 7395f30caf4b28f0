"""What a cell's SQL may go on with: frames, their columns, a database's tables, SQL's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...client.notebook import Namespace, frames, is_connection_here, is_frame_here
from ..typed import sql_begun, sql_name
from .offers import paths
from .said import Offer, columns_of_frame, starts

if TYPE_CHECKING:
    from .answers import Asked

_NAME = r'"(?:[^"]|"")+"|[^\W\d]\w*'
_OWNER = re.compile(rf"(?P<owner>{_NAME})\s*\.\s*$")
_FILE = re.compile(r"\b(?:from|join)\s+'(?P<path>[^']*)$", re.IGNORECASE)
READ = ("/", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".zst")
"""Endings of what a query over the notebook's frames may read, and of folders."""
_TABLE = re.compile(
    rf"\b(?:from|join)\s+(?P<first>(?:{_NAME})(?:\s*\.\s*(?:{_NAME}))?)"
    rf"(?:\s+(?:as\s+)?(?P<alias>{_NAME}))?",
    re.IGNORECASE,
)
_MORE = re.compile(
    rf"\s*,\s*(?P<first>(?:{_NAME})(?:\s*\.\s*(?:{_NAME}))?)(?:\s+(?:as\s+)?(?P<alias>{_NAME}))?",
    re.IGNORECASE,
)
_WANTS_TABLE = re.compile(rf"\b(?:from|join)\s+(?:(?:{_NAME})(?:\s+\w+)*\s*,\s*)*$", re.IGNORECASE)
WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "JOIN", "LEFT JOIN",
    "ON", "USING", "AS", "AND", "OR", "NOT", "IN", "IS NULL", "IS NOT NULL", "BETWEEN", "LIKE",
    "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "END", "WITH", "UNION ALL", "ASC", "DESC",
    "NULLS FIRST", "NULLS LAST", "COUNT", "SUM", "AVG", "MIN", "MAX", "CAST", "OVER",
    "PARTITION BY",
)  # fmt: skip


def in_query(
    before: str, query: str, connection: str | None, names: Namespace, asked: Asked
) -> tuple[str, tuple[Offer, ...]]:
    """Return what is replaced of ``before``, the query as far as the cursor, and with what.

    On a connection of the settings the tables are the database's, in the notebook they are its
    frames; those of the notebook's own connections are not known without asking them.
    """
    begins = sql_begun(before)
    if begins is None:
        file = _FILE.search(before) if connection is None else None
        found = paths(file["path"]) if file else ()
        return file["path"] if file else "", tuple(o for o in found if o.text.endswith(READ))
    begun, plain = before[begins:], before[:begins]
    owned = _OWNER.search(plain)
    owner = _unquoted(owned["owner"]) if owned else None
    return begun, tuple(_offers(begun, owner, plain, query, connection, names, asked))


def _offers(
    begun: str,
    owner: str | None,
    before: str,
    query: str,
    connection: str | None,
    names: Namespace,
    asked: Asked,
) -> Iterator[Offer]:
    if connection is None:
        known = list(frames(names))
    elif is_connection_here(names.get(connection)):
        known = []
    else:
        known = [str(table["name"]) for table in asked.tables(connection)]
    tables = _tables_in(query)
    if owner is not None:
        meant = next((name for alias, name in tables if alias.lower() == owner.lower()), owner)
        yield from _begun(begun, _columns_of(meant, connection, names, asked), "column")
        if connection is not None:
            inside = [t["name"] for t in asked.tables(connection) if t["schema"] == owner]
            yield from _begun(begun, inside, "table")
        return
    kind = "frame" if connection is None else "table"
    if _WANTS_TABLE.search(before):
        yield from _begun(begun, known, kind)
        return
    for _, name in tables:
        yield from _begun(begun, _columns_of(name, connection, names, asked), "column")
    yield from _begun(begun, known, kind)
    yield from _begun(begun, [a for a, name in tables if a != name], "alias")
    if begun and not begun.startswith('"'):
        for word in WORDS:
            if starts(word, begun):
                yield Offer(word.lower() if begun.islower() else word, "SQL")


def _begun(begun: str, known: Sequence[str], kind: str
           ) -> Iterator[Offer]:  # fmt: skip
    in_quotes = begun.startswith('"')
    plain = begun[1:].replace('""', '"') if in_quotes else begun
    for name in known:
        if starts(name, plain):
            written = sql_name(name)
            if in_quotes and not written.startswith('"'):
                written = f'"{name}"'
            yield Offer(written, kind)


def _columns_of(name: str, connection: str | None, names: Namespace, asked: Asked) -> Sequence[str]:
    if connection is None:
        frame = names.get(name)
        known = frame is not None and is_frame_here(frame)
        return [column for column, _ in columns_of_frame(frame)] if known else []
    if is_connection_here(names.get(connection)):
        return []
    table = name.rpartition(".")[2].lower()
    return [
        str(column["name"])
        for each in asked.tables(connection)
        if str(each["name"]).lower() == table
        for column in each["columns"]
    ]


def tables_read(query: str, names: Namespace) -> Iterator[str]:
    """Yield the frames that a query over the notebook's frames reads."""
    for _, name in _tables_in(query):
        if is_frame_here(names.get(name)):
            yield name


def _tables_in(query: str) -> list[tuple[str, str]]:
    """Return (alias, table) of what stands behind FROM and JOIN."""
    found = []
    for match in _TABLE.finditer(query):
        each: re.Match[str] | None = match
        while each is not None:
            name = ".".join(map(_unquoted, re.findall(_NAME, each["first"])))
            alias = each["alias"]
            if alias is not None and alias.upper() in _NO_ALIAS:
                alias = None
            found.append((_unquoted(alias or name.rpartition(".")[2]), name))
            each = _MORE.match(query, each.end()) if alias == each["alias"] else None
    return found


_NO_ALIAS = {word.split()[0] for word in WORDS} | {
    "CROSS", "FULL", "INNER", "NATURAL", "OUTER", "RIGHT", "SAMPLE", "UNION", "WINDOW", "QUALIFY",
}  # fmt: skip


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
