"""What is there: tables and views, and the nearest to a name that is not."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidSpec, QueryFailed, did_you_mean
from ...spec import TableSource
from .session import Session

_KINDS = "('r', 'p', 'v', 'm', 'f')"
"""Tables, partitioned ones, views, materialized views, foreign tables."""

_SEARCH = f"""
SELECT n.nspname, c.relname,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
            OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %(table)s AND c.relkind IN {_KINDS}
  AND CASE WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
           ELSE n.nspname = %(schema)s END
"""
_SCHEMAS = "SELECT nspname FROM pg_catalog.pg_namespace"
_NAMES = f"""
SELECT DISTINCT c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN {_KINDS}
  AND CASE WHEN %(schema)s::text IS NULL
           THEN pg_catalog.pg_table_is_visible(c.oid) AND n.nspname NOT LIKE 'pg\\_%%'
                AND n.nspname <> 'information_schema'
           ELSE n.nspname = %(schema)s END
"""
_ELSEWHERE = f"""
SELECT n.nspname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %(table)s AND c.relkind IN {_KINDS} AND n.nspname NOT LIKE 'pg\\_%%'
ORDER BY 1
"""
_TABLES = f"""
SELECT n.nspname, c.relname,
       CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END,
       CASE WHEN c.relkind = 'p' THEN
              (SELECT CASE WHEN min(l.reltuples) >= 0 THEN sum(l.reltuples) END
               FROM pg_catalog.pg_partition_tree(c.oid) p
               JOIN pg_catalog.pg_class l ON l.oid = p.relid WHERE p.isleaf)
            WHEN c.relkind <> 'v' THEN c.reltuples END::float8,
       (SELECT array_agg(ARRAY[a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)]
                         ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN {_KINDS}
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
       OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""


def find_table(session: Session, source: TableSource) -> tuple[str, str]:
    """Return schema and name of the table or view that ``source`` means.

    Raises ``InvalidSpec`` naming the nearest, ``QueryFailed`` where it may not be read.
    """
    asked = {"table": source.table, "schema": source.schema_}
    found = session.ask(_SEARCH, asked)
    if not found:
        raise _missing(session, source)
    schema, name, allowed = found[0]
    if not allowed:
        raise QueryFailed(
            f"The connection {session.failures.name} has no right to read the table "
            f"“{source.table}”.",
            hint="Ask its owner to GRANT SELECT, or take another table.",
            field="source.table",
        )
    return schema, name


def _missing(session: Session, source: TableSource) -> InvalidSpec:
    connection = session.failures.name
    if source.schema_ is not None:
        schemas = [name for (name,) in session.ask(_SCHEMAS)]
        if source.schema_ not in schemas:
            own = [n for n in schemas if not n.startswith("pg_") and n != "information_schema"]
            return InvalidSpec(
                f"There is no schema “{source.schema_}” on the connection {connection}.",
                hint=did_you_mean(source.schema_, own),
                field="source.schema",
            )
    asked = {"table": source.table, "schema": source.schema_}
    where = f" in the schema “{source.schema_}”" if source.schema_ is not None else ""
    elsewhere = [name for (name,) in session.ask(_ELSEWHERE, asked)]
    if elsewhere:
        hint = f"There is one in the schema {', '.join(elsewhere[:5])}."
    else:
        hint = did_you_mean(source.table, [name for (name,) in session.ask(_NAMES, asked)])
    return InvalidSpec(
        f"There is no table “{source.table}”{where} on the connection {connection}.",
        hint=hint,
        field="source.table",
    )


def tables(session: Session) -> list[dict[str, Any]]:
    """Return the tables and views that the connection may read, as ``Database.tables`` says."""
    return [
        {
            "schema": schema,
            "name": name,
            "kind": kind,
            "columns": [{"name": column, "type": shown} for column, shown in columns or ()],
            # -1: it was never analysed
            "rows": None if rows is None or rows < 0 else int(rows),
        }
        for schema, name, kind, rows, columns in session.ask(_TABLES)
    ]
