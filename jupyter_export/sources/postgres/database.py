"""A connection to PostgreSQL as a job has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ...errors import InvalidSpec, QueryFailed
from ...registry import (
    BatchStream,
    Connection,
    Database,
    Relation,
    Retyped,
    Surroundings,
    interrupting,
)
from ...spec import SqlSource, TableSource
from . import catalog, decimals
from .arrival import Learnt, arrival_of
from .binding import Verbatim, literal_of, rendered, writes
from .columns import ColumnMisfit, Columns, unwrapped
from .failures import Failures
from .measuring import ANY_SHAPE, learn
from .query import read_query
from .readers import Reader
from .reading import Hooks, Reading
from .session import Described, Session, conninfo_of
from .types import Types

_ANSWER_ROWS = 10_000
"""The most rows that a SHOW or EXPLAIN gives."""


_BEGINNINGS = 3
"""How often a column may be thought of anew before it is read as text: shape, digits, elements."""
_ESTIMATING = 2
"""Seconds that the database may think about how many rows there are."""


class PostgresDatabase(Database):
    """One snapshot of a PostgreSQL database; each statement is read in a connection of its own."""

    dialect = "postgresql"
    point_in_time = True

    def __init__(self, connection: Connection, here: Surroundings) -> None:
        self._conninfo, secrets = conninfo_of(connection)
        self._here = here
        failures = Failures(connection.name, secrets, cancelled=here.cancelled.is_set)
        self._session = Session(connection, self._conninfo, failures)
        self._failures = failures
        self._literal = literal_of(self._session.literal)
        self._types = Types(self._session.ask)
        self._read_only = connection.read_only
        self._readings: list[Reading] = []
        self._finished: list[Reader] = []
        """Their transactions wrote, and are open."""
        self._remembered: dict[str, dict[int, Learnt]] = {}
        """Statement -> position -> what a column arrives as, learnt from its values."""
        self._begun: dict[tuple[str, int], int] = {}
        """Statement and position -> how often it was begun again for that column."""
        self._fraction: int | None = None
        self._place: Any = None
        self._closed = False

    # -------------------------------------------------------------- describing

    def relation(self, source: TableSource | SqlSource) -> Relation:
        with interrupting(self._here.cancelled, self._session.cancel):
            if isinstance(source, SqlSource):
                return self._query(source)
            schema, name = catalog.find_table(self._session, source)
            table = sa.table(sa.quoted_name(name, True), schema=sa.quoted_name(schema, True))
            whole: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(table)
            described = self._session.describe(rendered(whole, self._literal), "source.table")
            if not described:
                raise QueryFailed(
                    f"The table “{name}” has no columns to export.", field="source.table"
                )
            for each in self._columns_of(described):
                table.append_column(each)
            return Relation(table, self._columns(described, {}).schema)

    def _query(self, source: SqlSource) -> Relation:
        try:
            query = read_query(source.query, source.params, self._literal)
        except InvalidSpec as error:
            error.field = error.field or "source.params"
            raise
        described = self._session.describe(query.sql, "source.query")
        if not described:
            raise QueryFailed("The query returns no rows to export.", field="source.query")
        seen: set[str] = set()
        for each in described:
            if each.name in seen:
                raise InvalidSpec(
                    f"Two columns of the query are named “{each.name}”.",
                    hint="Give each column a name of its own.",
                    field="source.query",
                )
            seen.add(each.name)
        columns = list(self._columns_of(described))
        schema = self._columns(described, {}).schema
        if query.writes:
            main = Verbatim(query.main, query.prologue, writes=True)
            return Relation(main.columns(*columns).cte("query"), schema)
        text = query.sql
        if query.verb not in ("SELECT", "WITH", "VALUES", "TABLE"):
            text = self._answer(query.sql, described)
        return Relation(Verbatim(text).columns(*columns).subquery("query"), schema)

    def _answer(self, sql: str, described: list[Described]) -> str:
        """Return the rows of a statement that can stand in no other one (SHOW, EXPLAIN), as a
        query."""
        names = ", ".join(f'"{each.name.replace(chr(34), chr(34) * 2)}"' for each in described)
        types = [self._types[each.oid].shown for each in described]
        rows = self._session.ask_text(sql, _ANSWER_ROWS, "source.query")
        if not rows:
            raise QueryFailed("The query returns no rows to export.", field="source.query")
        shown = ", ".join(
            "("
            + ", ".join(
                f"CAST({self._literal(value)} AS {kind})"
                for value, kind in zip(row, types, strict=True)
            )
            + ")"
            for row in rows
        )
        return f"SELECT * FROM (VALUES {shown}) AS answer ({names})"

    def _columns_of(self, described: list[Described]) -> Iterator[sa.ColumnClause[Any]]:
        self._types.learn(each.oid for each in described)
        for each in described:
            yield sa.column(
                sa.quoted_name(each.name, True),
                self._types.of_sqlalchemy(each.oid, each.modifier),
            )

    def _columns(self, described: list[Described], known: dict[int, Learnt]) -> Columns:
        self._types.learn(each.oid for each in described)
        return Columns(
            tuple(each.name for each in described),
            tuple(
                arrival_of(
                    self._types,
                    each.oid,
                    each.modifier,
                    self._digits_of_money,
                    known.get(index, Learnt()),
                )
                for index, each in enumerate(described)
            ),
        )

    def _digits_of_money(self) -> int:
        """Digits behind the point, which the server's ``lc_monetary`` decides."""
        if self._fraction is None:
            ((self._fraction,),) = self._session.ask("SELECT scale(0::money::numeric)")
        return self._fraction

    # -------------------------------------------------------------- reading

    def stream(self, statement: sa.Select[Any]) -> BatchStream:
        with interrupting(self._here.cancelled, self._session.cancel):
            sql = rendered(statement, self._literal)
            described = self._session.describe(sql)
            columns = self._columns(described, self._remembered.get(sql, {}))
        in_order = statement.get_execution_options().get("in_order", False)
        reading = Reading(
            self._reader(in_order=in_order),
            rendered(columns.around(statement), self._literal),
            columns,
            self._failures,
            Hooks(
                decide=lambda batch: self._decide(sql, described, columns, batch),
                misfit=lambda misfit: self._learn(sql, statement, columns, misfit),
                cancel_misfit=self._session.cancel,
                finished=self._take_over,
            ),
        )
        self._readings.append(reading)

        decided = columns
        if columns.undecided:
            with interrupting(self._here.cancelled, reading.interrupt):
                decided = reading.settle()
        return BatchStream(
            schema=decided.schema,
            batches=reading.batches(),
            interrupt=reading.interrupt,
            close=reading.close,
            losses=decided.losses,
        )

    def _reader(self, *, in_order: bool) -> Reader:
        beginning = self._session.beginning(
            self._session.snapshot, writable=not self._read_only, in_order=in_order
        )
        if find_spec("adbc_driver_postgresql") is None:
            from .copying import CopyReader

            return CopyReader(self._conninfo, beginning)
        from .adbc import AdbcPlace, AdbcReader

        if self._place is None:
            self._place = AdbcPlace(self._conninfo)
        return AdbcReader(self._place, beginning)

    def _decide(
        self, sql: str, described: list[Described], columns: Columns, batch: pa.RecordBatch
    ) -> Columns:
        """Give the numerics without a scale one that holds the first rows and leaves room."""
        known = dict(self._remembered.get(sql, {}))
        for index in columns.undecided:
            texts = unwrapped(batch.column(index))
            while pa.types.is_list(texts.type):
                texts = texts.flatten()
            most = decimals.digits_of(texts)
            kind = decimals.roomy(*most) if most is not None else None
            known[index] = replace(known.get(index, Learnt()), decimal=kind or decimals.UNDECIDED)
        return self._columns(described, known)

    def _learn(
        self, sql: str, statement: sa.Select[Any], columns: Columns, misfit: ColumnMisfit
    ) -> Exception:
        """Remember what the columns arrive as from now on."""
        known = self._remembered.setdefault(sql, {})
        found: dict[int, Learnt] = {}
        # asking would write once more
        if not writes(statement):
            found = learn(statement, columns.arrivals, known, misfit.reasons, self._ask_one)
        for index, reason in misfit.reasons.items():
            begun = self._begun[sql, index] = self._begun.get((sql, index), 0) + 1
            if index not in found or begun > _BEGINNINGS:
                # rows that are others each time: a text holds whatever comes
                found[index] = Learnt(text=reason) if reason else ANY_SHAPE
        known.update(found)
        self._undo()
        return Retyped()

    def _undo(self) -> None:
        """Roll back what this attempt has written: the next one writes it again."""
        for reading in self._readings:
            reading.abandon()
        finished, self._finished = self._finished, []
        for reader in finished:
            reader.close()

    def _ask_one(self, statement: sa.Select[Any]) -> Any:
        with self._session.trying():
            return self._session.ask(rendered(statement, self._literal))[0]

    def _take_over(self, reader: Reader) -> None:
        if self._read_only:
            reader.close()
        else:
            # what it wrote is kept once everything was read
            self._finished.append(reader)

    # -------------------------------------------------------------- asking

    def estimate(self, statement: sa.Select[Any]) -> int | None:
        with (
            interrupting(self._here.cancelled, self._session.cancel),
            suppress(QueryFailed),
            self._session.trying(_ESTIMATING),
        ):
            sql = rendered(statement, self._literal)
            ((plan,),) = self._session.ask(f"EXPLAIN (FORMAT JSON) {sql}")
            return int(plan[0]["Plan"]["Plan Rows"])
        return None

    def tables(self) -> list[dict[str, Any]]:
        with interrupting(self._here.cancelled, self._session.cancel):
            return catalog.tables(self._session)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with ExitStack() as stack:
            stack.callback(self._session.close)
            if self._place is not None:
                stack.callback(self._place.close)
            everything = all(each.consumed or each.abandoned for each in self._readings)
            for reader in self._finished:
                stack.callback(reader.close)
            for reading in self._readings:
                stack.callback(reading.close)
            if everything:
                with self._failures.explained():
                    for reader in self._finished:
                        reader.commit()
