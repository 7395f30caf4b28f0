"""The parameters of a query on a connection of this process: ``:name``, whatever its driver has.

SQLAlchemy and SQLite know them so; DuckDB writes ``$name``, psycopg and PyMySQL ``%(name)s``,
others ``?``. A query that is written as its driver has it is left as it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ExportError, InvalidSpec

_PART = re.compile(
    r"""'(?:[^']|'')*'                             # text
      | "(?:[^"]|"")*" | `[^`]*`                   # quoted names
      | (?P<quote>\$\w*\$).*?(?P=quote)            # text of PostgreSQL and DuckDB
      | --[^\n]* | /\*.*?\*/                       # comments
      | (?<![:\w\\]):(?P<name>[^\W\d]\w*)          # :name, and neither ::type nor [1:name]
    """,
    re.VERBOSE | re.DOTALL,
)


def for_driver(connection: Any, query: str, params: Mapping[str, Any]) -> tuple[str, Any]:
    """Return query and values as the driver of ``connection`` has them."""
    style = _style(connection)
    if style is None or (style == "pyformat" and any(f"%({name})s" in query for name in params)):
        return query, dict(params)
    pieces, order, end = [], [], 0
    for part in _PART.finditer(query):
        name = part["name"]
        if name in params:
            mark = {"duckdb": f"${name}", "pyformat": f"%({name})s"}.get(style, "?")
            pieces += [query[end : part.start()], mark]
            order.append(name)
            end = part.end()
    if not order:
        return query, dict(params)
    pieces.append(query[end:])
    if style == "pyformat":  # every other percent is one, also in a text
        pieces[::2] = [piece.replace("%", "%%") for piece in pieces[::2]]
    values = [params[name] for name in order] if style == "qmark" else dict(params)
    return "".join(pieces), values


def explained(error: ExportError, query: str, params: Mapping[str, Any]) -> ExportError:
    """Return the reason why a query failed: a parameter without a value, or else ``error``, which
    may have said so itself."""
    missing = next((name for name in _names(query) if name not in params), None)
    if missing is None or error.field == "source.params":
        return error
    return InvalidSpec(
        f"The query names :{missing}, and the params do not give it.",
        hint=f"Give it (--param {missing}=VALUE, or “params” in Python). "
        f"Otherwise: {error.message}",
        field="source.params",
    )


def _names(query: str) -> Iterator[str]:
    for part in _PART.finditer(query):
        if part["name"]:
            yield part["name"]


def _style(connection: Any) -> str | None:
    """Return how the driver marks a parameter; None where ``:name`` is its own way."""
    package = type(connection).__module__.partition(".")[0]
    if package in ("sqlalchemy", "sqlite3"):
        return None
    if package in ("duckdb", "_duckdb"):
        return "duckdb"
    style = getattr(sys.modules.get(package), "paramstyle", None)
    return {"pyformat": "pyformat", "format": "pyformat", "qmark": "qmark"}.get(str(style))
