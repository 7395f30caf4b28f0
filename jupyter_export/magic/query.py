"""A cell's SQL over the frames of the notebook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..client.notebook import Namespace, is_frame_here
from ..errors import ExportError, InvalidRequest, QueryFailed
from ..sources.frame import read
from .caret import Excerpt, Span, of_cell, with_excerpt
from .sources import known_frames

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def query_in(cell: str) -> str:
    """Return the one query of a cell. Raises ``InvalidRequest`` for an empty one."""
    sql = cell.strip().rstrip(";").strip()
    if not sql:
        raise InvalidRequest(
            "The cell has no SQL.",
            hint="Write a query under %%export, such as SELECT * FROM df.",
        )
    return sql


_TOKEN = re.compile(
    r"""'(?:[^']|'')*'            # text
      | --[^\n]* | /\*.*?\*/      # comments
      | "((?:[^"]|"")+)"          # a quoted name
      | ([^\W\d]\w*)              # a name
    """,
    re.VERBOSE | re.DOTALL,
)


def names_in(sql: str) -> list[str]:
    """Return the identifiers of a query, in order and once each, without texts and comments."""
    found = (
        quoted.replace('""', '"') if quoted else plain for quoted, plain in _TOKEN.findall(sql)
    )
    return list(dict.fromkeys(name for name in found if name))


ROWS = ("SELECT", "MULTI", "CALL", "PRAGMA", "EXPLAIN")
"""Kinds of statement that give rows and change nothing; MULTI is what a PIVOT is made of."""


class Query:
    """One query over the notebook's frames and files, on an engine of its own.

    ``read`` gives its rows as a stream; ``interrupt`` ends it from another thread. The query may
    read what the notebook may read: it is the notebook's own code.
    """

    def __init__(self, cell: str, names: Namespace) -> None:
        self.sql = query_in(cell)
        self._cell = cell
        self._names = names
        self._connection: duckdb.DuckDBPyConnection | None = None

    def read(self) -> pa.RecordBatchReader:
        """Run the query; raise ``QueryFailed`` with the engine's reason and the nearest frame."""
        import duckdb

        self.close()
        self._connection = connection = duckdb.connect(
            config={
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
            }
        )
        connection.execute("SET TimeZone = 'UTC'")
        for name in names_in(self.sql):
            value = self._names.get(name)
            if value is not None and not isinstance(value, type) and is_frame_here(value):
                # A table, not a reader: a query may name a frame twice.
                connection.register(name, read(value).read_all())
        try:
            statements = connection.extract_statements(self.sql)
            if len(statements) != 1:
                raise InvalidRequest(
                    f"The cell has {len(statements)} SQL statements.",
                    hint="Leave one query, the one whose rows to export.",
                )
            if statements[0].type.name not in ROWS:
                raise InvalidRequest(
                    "The cell's SQL gives no rows.", hint="Write a query: SELECT … FROM …."
                )
            reader: pa.RecordBatchReader = connection.sql(self.sql).to_arrow_reader(65_536)
        except duckdb.Error as error:
            raise self._explained(error) from error
        return reader

    def interrupt(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _explained(self, error: Exception) -> QueryFailed:
        text = str(error).strip()
        first = text.splitlines()[0]
        span = place_told(text, self.sql)
        missing = re.search(r"(Table|Function) with name (.+?) does not exist", first)
        if span is None and missing:
            span = word_in(missing[2], self.sql)
        if missing and missing[1] == "Table":
            found = QueryFailed(
                f"The query reads “{missing[2]}”, and this notebook has no frame of that name.",
                hint=known_frames(missing[2], self._names),
            )
        else:
            said = re.sub(r"^\w+( \w+)? Error: ", "", first).rstrip(".!")
            if span is None:
                span = next(filter(None, (word_in(w, self.sql) for w in _words_of(said))), None)
            found = QueryFailed(f"The query failed: {said}.", hint=_hint(text))
        if span is None:
            return found
        begins = self._cell.find(self.sql)
        moved = Span(span.start + begins, span.end + begins)
        return with_excerpt(found, of_cell(self._cell, moved))


def _hint(text: str) -> str | None:
    candidate = re.search(r"Candidate bindings: (.+)", text)
    if candidate:
        return f"Known: {candidate[1].strip()}."
    meant = re.search(r"Did you mean \"(.+?)\"\?", text)
    return f"Did you mean {meant[1]}?" if meant else None


def _words_of(said: str) -> list[str]:
    """Return the words that a message quotes, or names as SQLite does (no such column: x)."""
    marked = re.findall(r"\"([^\"]+)\"|“([^”]+)”|'([^']+)'|`([^`]+)`|no such \w+: ([\w.]+\w)", said)
    return [next(filter(None, each)).rpartition(".")[2] for each in marked]


def place_told(message: str, sql: str) -> Span | None:
    """Return the place that an engine's message points at: a “LINE n: …” with carets below it.

    The engine may show a part of the line only, between dots.
    """
    told = re.search(r"^(LINE (\d+): )(.*)\n( *)(\^+)", message, re.MULTILINE)
    if not told:
        return None
    lines = sql.split("\n")
    number = int(told[2]) - 1
    if number >= len(lines):
        return None
    shown, column = told[3], len(told[4]) - len(told[1])
    begun = "..." if shown.startswith("...") else ""
    part = shown[len(begun) :].removesuffix("...").rstrip()
    before = lines[number].find(part)
    if before < 0 or column < len(begun):
        return None
    start = sum(len(line) + 1 for line in lines[:number]) + before + column - len(begun)
    length = len(told[5])
    if length == 1:  # only where it begins
        word = re.compile(r"\w+").match(sql, start)
        length = len(word[0]) if word else 1
    return Span(start, start + length)


def word_in(word: str, sql: str) -> Span | None:
    """Return where a query names ``word``, outside of texts and comments."""
    wanted = word.strip('"').casefold()
    for found in _TOKEN.finditer(sql):
        plain = (found[1] or "").replace('""', '"') or found[2] or ""
        if plain.casefold() == wanted and wanted:
            return Span(*found.span())
    return None


def pointed(error: ExportError, cell: str) -> Excerpt | None:
    """Return where a cell's SQL has the word that a database's error quotes; None where it has
    none, or several."""
    of_query = isinstance(error, QueryFailed) or (error.field or "").endswith("query")
    if not of_query:
        return None
    for word in _words_of(error.message):
        places = [f for f in _TOKEN.finditer(cell) if word in ((f[1] or "").lower(), f[2], f[1])]
        if len(places) == 1:
            return of_cell(cell, Span(*places[0].span()))
    return None
