"""One open connection of any database that SQLAlchemy knows: relations, and streams of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from ...errors import QueryCancelled, QueryFailed, StatementTimeout
from ...registry import BatchStream, Database, Relation, Surroundings, interrupting
from ...spec import SqlSource, TableSource
from ..python_rows import Row
from ..sentences import no_table, not_selectable
from ..spool import Rows, picked
from .columns import Columns, Memory, Told
from .cursors import Cursor
from .described import Described, native
from .failures import Redactor, explained
from .inspecting import table_names
from .kinds import Kind
from .queries import one_statement, ordered_without_limit, selects, with_params
from .shape import Taken, limit_of, mentions, origin, taken


class SqlDatabase(Database):
    """A connection in one transaction; ``kind`` knows what its database does in its own way."""

    def __init__(
        self,
        kind: Kind,
        engine: sa.Engine,
        connection: sa.Connection,
        redact: Redactor,
        here: Surroundings,
    ) -> None:
        self.dialect = connection.dialect.name
        self.point_in_time = kind.point_in_time
        self._kind = kind
        self._engine = engine
        self._connection = connection
        self._redact = redact
        self._here = here
        self._interrupt = kind.interrupter(connection)
        self._memory = Memory()
        self._known: dict[int, Described] = {}
        """By the identity of their clauses, which statements hold."""
        self._rows: list[Rows] = []
        self._handed: list[Rows] = []
        """Those of them that a stream was asked for."""
        self._closed = False

    # -------------------------------------------------------------- relations

    def relation(self, source: TableSource | SqlSource) -> Relation:
        with interrupting(self._here.cancelled, self._interrupt):
            found = self._table(source) if isinstance(source, TableSource) else self._query(source)
        self._known[id(found.clause)] = found
        return Relation(found.clause, found.columns.schema, opaque=found.opaque)

    def _table(self, source: TableSource) -> Described:
        name, schema = source.table, source.schema_
        bare = _table(name, schema)
        preparer = self._connection.dialect.identifier_preparer
        quoted = preparer.format_table(bare)
        if getattr(preparer, "_double_percents", False):
            quoted = quoted.replace("%%", "%")  # ``text`` doubles them once more
        try:
            names, told = self._describe(sa.text(self._kind.nothing_of(quoted.replace(":", "\\:"))))
        except QueryFailed:
            self._refuse_missing(source)
            raise
        with self._explained():
            self.point_in_time &= self._kind.still(self._connection, name, schema)
            declared = self._kind.declared(self._connection, name, schema)
        told = [declared.get(n, t) for n, t in zip(names, told, strict=True)]
        key = f"table {schema!r} {name!r}"
        told = self._memory.told(key, names, told)
        every: list[sa.ColumnElement[Any]] = [sa.column(quoted_name(n, True)) for n in names]
        itself: sa.Executable = sa.select(*every).select_from(bare)
        columns, rows = self._columns(key, names, told, itself)
        typed = _typed(names, told, columns.schema)
        known = dict(zip(names, told, strict=True))
        clause = _table(name, schema, typed)
        return Described(key, clause, itself, columns, known, (name, schema), rows=rows)

    def _refuse_missing(self, source: TableSource) -> None:
        """Raise ``InvalidSpec`` naming the nearest table, where there is none of that name."""
        names = table_names(self._connection, source.schema_)
        if names and source.table not in names:
            raise no_table(source, names) from None

    def _query(self, source: SqlSource) -> Described:
        text = one_statement(source.query, self.dialect)

        def with_text(query: str) -> sa.TextClause:
            return with_params(source.model_copy(update={"query": query}))

        itself = with_text(text)
        if not self._kind.keeps_order and ordered_without_limit(text, self.dialect):
            text = self._kind.sortable(text)
        key = f"query {source.query!r} {source.params!r}"
        cursor, opaque = None, False
        try:
            # a comment at the end of a line must not take the bracket along
            names, told = self._describe(with_text(self._kind.nothing_of(f"(\n{text}\n) selected")))
        except (StatementTimeout, QueryCancelled):
            raise
        except QueryFailed:
            # no query that another one can select from; by itself it may run, or say what is wrong
            opaque = True
        if opaque or not self._kind.describes:
            cursor = self._run(itself, streams=not opaque or selects(text))
            names, told = cursor.names, self._kind.told(cursor.raw, cursor.description)
        opaque = opaque or len(set(names)) < len(names)
        told = self._memory.told(key, names, told)
        columns, rows = self._columns(key, names, told, itself, cursor, once=opaque)
        unique = {each.name: each for each in _typed(names, told, columns.schema)}
        clause = with_text(f"{text}\n").columns(*unique.values()).subquery("selected")
        known = dict(zip(names, told, strict=True))
        return Described(key, clause, itself, columns, known, None, opaque, rows)

    def _describe(self, nothing: sa.Executable) -> tuple[list[str], list[Told]]:
        """Return the names and types that a statement without rows tells."""
        cursor = self._run(nothing)
        told = self._kind.told(cursor.raw, cursor.description)
        cursor.piece()  # at the end of its rows, a result is given back
        return cursor.names, told

    def _columns(
        self,
        key: str,
        names: Sequence[str],
        told: Sequence[Told],
        itself: sa.Executable,
        cursor: Cursor | None = None,
        *,
        once: bool = False,
    ) -> tuple[Columns, Rows | None]:
        """Return the columns of a relation, and its rows where they had to be looked at.

        ``once``: the statement cannot be run again with what reading it has taught.
        """

        def learn(name: str, now: Told) -> None:
            self._memory.learn(key, name, now)

        # a statement that writes must not run twice
        once = once or not self._kind.connection.read_only
        if cursor is None and not self._kind.describes:
            cursor = self._run(itself)
        head = cursor.piece() if cursor else []
        columns = Columns(names, told, head, None if once else learn)
        if cursor is None:
            return columns, None
        return columns, self._reading(columns, cursor, head)

    # -------------------------------------------------------------- streams

    def stream(self, statement: sa.Select[Any]) -> BatchStream:
        with interrupting(self._here.cancelled, self._interrupt):
            found = taken(statement)
            relation = self._known.get(id(found.clause)) if found else None
            if found is not None and relation is not None and self._by_itself(relation, found):
                return self._whole(relation, found)
            for each in self._known.values():
                if each.opaque and mentions(statement, each.clause):
                    raise not_selectable()
            return self._selected(statement)

    def _by_itself(self, relation: Described, found: Taken) -> bool:
        """Tell whether the rows of a relation are best had by running it as it is: its first rows
        are read already, or its order could be lost inside another query."""
        if relation.opaque:
            return True
        if relation.rows is not None:
            return not relation.rows.closed
        plain = all(told.exact is None for told in relation.told.values())
        # without a limit of its own, the driver would have to read to the end
        return relation.table is None and plain and (self._kind.several or found.limit is None)

    def _whole(self, relation: Described, found: Taken) -> BatchStream:
        """Read the relation itself, and pick columns here."""
        columns, rows = relation.columns, relation.rows
        relation.rows = None
        if rows is None:
            rows = self._reading(columns, relation.itself)
        self._handed.append(rows)
        full = columns.schema
        positions = [full.get_field_index(name) for name in found.columns]
        names: Sequence[str] = found.names
        if len(set(full.names)) < len(full):
            # two columns have one name: whoever reads will say so
            positions, names = list(range(len(full))), full.names
        schema, batches = picked(rows, full, positions, names, found.limit)
        losses = tuple(each for each in columns.losses if each.column in found.columns)
        return BatchStream(
            schema, batches, interrupt=self._interrupt, close=rows.close, losses=losses
        )

    def _selected(self, statement: sa.Select[Any]) -> BatchStream:
        """Run ``statement``, whatever it does."""
        # values are left out: what is learned is about columns
        key = str(statement.compile(self._engine))
        origins = [origin(column, self._known) for column in statement.selected_columns]
        cursor: Cursor | None = None
        if self._kind.describes:
            names, told = self._describe(statement.limit(0))
        else:
            cursor = self._run(statement)
            names, told = cursor.names, self._kind.told(cursor.raw, cursor.description)
        told = [
            each if where is None else self._known[where].told.get(column, each)
            for (where, column), each in zip(origins, told, strict=True)
        ]
        told = self._memory.told(key, names, told)
        if any(each.exact for each in told):
            statement = statement.with_only_columns(
                *[
                    (each.exact(column) if each.exact else column).label(column.name)
                    for column, each in zip(statement.selected_columns, told, strict=True)
                ],
                maintain_column_froms=True,
            )

        def learn(name: str, now: Told) -> None:
            where, column = origins[names.index(name)]
            if where is None:
                self._memory.learn(key, name, now)
            else:
                self._memory.learn(self._known[where].key, column, now)

        head = cursor.piece() if cursor else []
        columns = Columns(names, told, head, learn if self._kind.connection.read_only else None)
        rows = self._reading(columns, cursor or statement, head)
        self._handed.append(rows)
        return BatchStream(
            columns.schema,
            rows,
            interrupt=self._interrupt,
            close=rows.close,
            losses=columns.losses,
        )

    def _reading(
        self, columns: Columns, source: Cursor | sa.Executable, head: Sequence[Row] = ()
    ) -> Rows:
        """Return the rows of a cursor, or of a statement that is run when the first is asked for;
        ``head``: those that were read already."""
        cursor = source if isinstance(source, Cursor) else None

        def pieces() -> Iterator[Sequence[Row]]:
            nonlocal cursor
            if cursor is None:
                assert not isinstance(source, Cursor)
                cursor = self._run(source)
            yield from chain([head], cursor.pieces())

        def close() -> None:
            # at the end, a connection is given up sooner than read to its end
            if cursor is not None and (self._kind.several or not self._closed):
                cursor.close()

        rows = Rows(
            columns.schema,
            columns.batches(pieces()),
            self._here.scratch,
            close,
            begun=cursor is not None,
        )
        self._rows.append(rows)
        return rows

    def _make_room(self) -> None:
        """Where the driver holds one result, those that are open wait on disk for the next."""
        if self._kind.several:
            return
        kept = {id(each.rows) for each in self._known.values() if not each.opaque}
        for rows in self._rows:
            if rows.open and id(rows) in kept:
                rows.close()  # only looked at: it can run again
            elif rows.open:
                rows.spool()

    def _run(self, statement: sa.Executable, *, streams: bool = True) -> Cursor:
        self._make_room()
        try:
            return Cursor(
                self._kind,
                self._connection,
                statement,
                self._redact,
                self._interrupt,
                self._here.cancelled,
                streams=streams,
            )
        except QueryFailed:
            with suppress(*self._kind.driver_errors):  # the statement's own error matters more
                self._kind.begin_again(self._connection)
            raise

    # -------------------------------------------------------------- what else there is to know

    def _explained(self) -> Any:
        return explained(self._kind.connection.name, self._kind, self._redact)

    def estimate(self, statement: sa.Select[Any]) -> int | None:
        found = taken(statement)
        relation = self._known.get(id(found.clause)) if found else None
        self._make_room()
        with self._explained():
            if relation is None or (relation.table is None and not relation.opaque):
                about = self._kind.estimate(self._connection, statement)
            elif relation.table is not None:
                about = self._kind.estimate_table(self._connection, *relation.table)
            else:
                about = None
        limit = found.limit if found else limit_of(statement)
        return about if about is None or limit is None else min(about, limit)

    def tables(self) -> list[dict[str, Any]]:
        self._make_room()
        with self._explained(), interrupting(self._here.cancelled, self._interrupt):
            return self._kind.tables(self._connection)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        read_only = self._kind.connection.read_only
        commit = not read_only and all(rows.whole for rows in self._handed)
        busy = not self._kind.several and any(rows.open for rows in self._rows)
        try:
            for rows in self._rows:
                rows.close()
            if busy:
                self._kind.abandon(self._connection, self._interrupt)
            else:
                with self._explained():
                    self._kind.end(self._connection, commit=commit)
        except Exception:  # nothing was promised of a transaction that would be rolled back
            if commit:
                raise
        finally:
            with suppress(Exception):  # the connection may be gone, and nobody needs it any more
                self._connection.close()
            self._engine.dispose()


def _table(
    name: str, schema: str | None, columns: Sequence[sa.ColumnClause[Any]] = ()
) -> sa.TableClause:
    """Return a table whose names are quoted, whatever they are."""
    of = None if schema is None else quoted_name(schema, True)
    return sa.table(quoted_name(name, True), *columns, schema=of)


def _typed(
    names: Sequence[str], told: Sequence[Told], schema: pa.Schema
) -> list[sa.ColumnClause[Any]]:
    return [
        sa.column(quoted_name(name, True), native(each, field.type))
        for name, each, field in zip(names, told, schema, strict=True)
    ]
