"""SQL text of one expression: parsed, and rebuilt of what is known, piece by piece.

sqlglot reads it as DuckDB's SQL; nothing of the text itself reaches a database. A node or function
that is not listed is refused, whatever it would do. Literals become bound values.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlglot import expressions as tree
from sqlglot.dialects.duckdb import DuckDB

from ..errors import InvalidSpec, did_you_mean
from .casts import cast, type_named
from .columns import unknown_column
from .constructs import Constructs
from .expressions_arithmetic import ARITHMETIC, negative
from .expressions_conditions import CONDITIONS, PARTS_OF_CONDITIONS, Conditions
from .expressions_numbers import NUMBER_FUNCTIONS
from .expressions_text import TEXT_FUNCTIONS
from .expressions_time import TIME_FUNCTIONS, at_time_zone, extract, interval
from .functions import AGGREGATES, Function, known_value
from .literals import Misfit, exact, plain_text
from .scope import Scope
from .values import BOOLEAN, DOUBLE, NULL, TEXT, Kind, Value

MAX_DEPTH = 50
"""Deepest nesting of an expression; a chain of AND or OR is one level."""
MAX_SIZE = 20_000
"""Pieces of the statement that one expression may become."""
FUNCTIONS: dict[str, Function] = {**TEXT_FUNCTIONS, **NUMBER_FUNCTIONS, **TIME_FUNCTIONS}


class _Expressions(DuckDB):
    """DuckDB's SQL in which a function is a name and its arguments, nothing cleverer."""

    class Parser(DuckDB.Parser):  # type: ignore[valid-type,misc,unused-ignore]
        FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012 - as sqlglot declares it
        NO_PAREN_FUNCTIONS: dict[Any, Any] = {}  # noqa: RUF012
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser
            for name, parser in DuckDB.Parser.FUNCTION_PARSERS.items()
            if name in ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION")
        }


def expression(text: str, scope: Scope, speech: Constructs, field: str) -> Value:
    """Compile one expression over the columns of ``scope``.

    Raises ``InvalidSpec`` for what is no expression of known parts, with the field; ``NotPushed``
    for what the dialect does not do as the engine does.
    """
    reading = _Reading(text, scope, speech, field)
    try:
        value = reading.read(reading.parsed(), 0)
    except RecursionError:
        raise reading.wrong("is nested too deeply") from None
    except Misfit as error:
        raise reading.wrong("holds text that no database takes", str(error)) from None
    if value.size > MAX_SIZE:
        raise reading.wrong("is too large")
    return value


def columns_of(text: str, scope: Scope, field: str) -> set[str]:
    """Return the names of the columns that an expression reads, and perhaps a few more."""
    reading = _Reading(text, scope, Constructs(""), field)
    named: set[str] = set()
    for node in reading.parsed().find_all(tree.Column, tree.Identifier):
        parts = node.parts if isinstance(node, tree.Column) else [node]
        names = [part.name for part in parts]
        for name in (*names, ".".join(names), ".".join(names[1:])):
            named.add(scope.folded(name) or name)
    return named & set(scope.columns)


class _Reading(Conditions):
    def __init__(self, text: str, scope: Scope, speech: Constructs, field: str) -> None:
        super().__init__(speech, field)
        self.text = text
        self.scope = scope
        self.used: set[str] = set()

    def wrong(self, why: str, hint: str | None = None) -> InvalidSpec:
        shown = self.text if len(self.text) <= 200 else f"{self.text[:200]}…"
        what = "condition" if self.field.endswith("where") else "expression"
        example = "dep_delay > 60" if what == "condition" else "dep_delay / 60"
        return InvalidSpec(
            f"The {what} “{' '.join(shown.split())}” {why}.",
            hint=hint or f"Write one SQL expression over the columns, such as {example}.",
            field=self.field,
        )

    def parsed(self) -> Any:
        try:
            trees = sqlglot.parse(self.text, read=_Expressions)
        except sqlglot.errors.SqlglotError as error:
            found = getattr(error, "errors", None)
            near = (found[0] if found else {}).get("highlight")
            raise self.wrong(
                f"cannot be read near “{near}”" if near else "cannot be read"
            ) from None
        if len(trees) != 1 or trees[0] is None:
            raise self.wrong("is not one expression")
        return trees[0]

    # ------------------------------------------------------------------ nodes

    def read(self, node: Any, depth: int) -> Value:
        """Return what a node of the tree stands for."""
        if depth > MAX_DEPTH:
            raise self.wrong("is nested too deeply")
        reader = _NODES.get(type(node))
        if reader is None:
            raise self.refused(node)
        known = _PARTS.get(type(node), ("this", "expression"))
        for name, part in node.args.items():
            if part and name not in known:
                raise self.refused(node)
        value = reader(self, node, depth + 1)
        if value.size > MAX_SIZE:
            raise self.wrong("is too large")
        return value

    def refused(self, node: Any) -> InvalidSpec:
        if isinstance(node, tree.Query | tree.Exists | tree.Window | tree.AggFunc | tree.Subquery):
            return self.wrong("may hold no query, aggregate or window")
        if isinstance(node, tree.Placeholder | tree.Parameter):
            return self.wrong("holds a parameter, and there is nothing to bind to it")
        if isinstance(node, tree.Func):
            return self._unknown(node.sql_name().lower())
        return self.wrong("is not a plain expression of columns, operators and functions")

    def _unknown(self, name: str) -> InvalidSpec:
        if name in AGGREGATES:
            return self.wrong("may hold no query, aggregate or window")
        return self.wrong(
            f"calls “{name}”, which is not among the functions that can be used",
            did_you_mean(name, [*FUNCTIONS, *_SPECIAL]),
        )

    def column(self, node: Any, depth: int) -> Value:
        """A column, maybe behind the name of its dataset; what follows is a field of a struct."""
        parts = list(node.parts)
        if any(not isinstance(part, tree.Identifier) for part in parts):
            raise self.wrong("is not a plain expression of columns, operators and functions")
        return self._named([part.name for part in parts])

    def _named(self, names: list[str]) -> Value:
        found = [self.scope.folded(name) for name in names]
        qualified = len(names) > 1 and names[0] in (self.scope.dataset, "source")
        # as in SQL, table.column comes before column.field
        if qualified and (found[1] is not None or found[0] is None):
            names, found = names[1:], found[1:]
        real = found[0]
        if real is None:
            # a name that holds dots may stand as it is
            whole = self.scope.folded(".".join(names))
            if whole is None:
                raise unknown_column(names[0], self.scope.shown, self.scope.dataset, self.field)
            names, real = [], whole
        self.used.add(real)
        value = self.scope.columns[real]
        for name in names[1:]:
            value = self._field(value, name)
        return value

    def _field(self, value: Value, name: str) -> Value:
        if value.kind is not Kind.NESTED:
            raise self.wrong(
                f"asks for a field “{name}” of what has no fields: {value.described.lower()}"
            )
        try:
            return self.speech.field_of(value, name)
        except InvalidSpec as error:
            error.field = self.field
            raise

    def dotted(self, node: Any, depth: int) -> Value:
        names: list[str] = []
        inner = node
        while isinstance(inner, tree.Dot):
            if not isinstance(inner.expression, tree.Identifier):
                called = inner.expression
                if isinstance(called, tree.Anonymous):
                    raise self._unknown(str(called.this).lower())
                raise self.refused(called)
            names.insert(0, inner.expression.name)
            inner = inner.this
        if isinstance(inner, tree.Column):
            return self._named([*(part.name for part in inner.parts), *names])
        if isinstance(inner, tree.Identifier):
            return self._named([inner.name, *names])
        value = self.read(inner, depth)
        for name in names:
            value = self._field(value, name)
        return value

    def bracket(self, node: Any, depth: int) -> Value:
        """A field of a struct by its name: ``s['x']``."""
        keys = node.expressions
        if len(keys) != 1 or not isinstance(keys[0], tree.Literal) or not keys[0].is_string:
            raise self.wrong("may take only fields of structs by “[…]”")
        return self._field(self.read(node.this, depth), keys[0].this)

    def literal(self, node: Any, depth: int) -> Value:
        if node.is_string:
            text = plain_text(node.this)
            return Value(self.speech.bind(text, TEXT), TEXT, constant=text)
        return self.number(node.this)

    def number(self, text: str) -> Value:
        if "e" in text.lower():
            try:
                # a zero has no sign: as a literal, PostgreSQL would lose it
                number = float(text) or 0.0
            except ValueError:
                # "1e3+1" is read as one number
                raise self.wrong(
                    f"holds “{text}”, which is no number", "Write blanks around + and -."
                ) from None
            return Value(self.speech.bind(number, DOUBLE), DOUBLE, constant=number)
        try:
            value, type_ = exact(Decimal(text))
        except (ArithmeticError, ValueError):
            raise self.wrong(f"holds “{text}”, which is no number") from None
        return Value(self.speech.bind(value, type_), type_, constant=value)

    def boolean(self, node: Any, depth: int) -> Value:
        return Value(self.speech.boolean(bool(node.this)), BOOLEAN)

    def null(self, node: Any, depth: int) -> Value:
        return Value(sa.null(), NULL)

    def inside(self, node: Any, depth: int) -> Value:
        return self.read(node.this, depth)

    # ------------------------------------------------------------------ values

    def case(self, node: Any, depth: int) -> Value:
        subject = self.read(node.this, depth) if node.this else None
        pairs = []
        for each in node.args["ifs"]:
            asked = self.read(each.this, depth)
            if subject is None:
                when = self.truth(asked)
            else:
                left, right = self.paired(subject, asked)
                when = self.made(self.speech.compare("=", left, right), BOOLEAN, left, right)
            pairs.append((when, self.read(each.args["true"], depth)))
        default = node.args.get("default")
        return self.chosen(pairs, self.read(default, depth) if default is not None else None)

    def if_(self, node: Any, depth: int) -> Value:
        other = node.args.get("false")
        pairs = [(self.truth(self.read(node.this, depth)), self.read(node.args["true"], depth))]
        return self.chosen(pairs, self.read(other, depth) if other is not None else None)

    def chosen(self, pairs: list[tuple[Value, Value]], default: Value | None) -> Value:
        results = [value for _, value in pairs] + ([] if default is None else [default])
        one = self.one_type(results, "CASE")
        made = sa.case(
            *((when.clause, value.clause) for (when, _), value in zip(pairs, one, strict=False)),
            else_=sa.null() if default is None else one[-1].clause,
        )
        return self.made(made, one[0].type, *one, *(when for when, _ in pairs))

    def cast(self, node: Any, depth: int) -> Value:
        type_ = type_named(self, node.args["to"])
        return cast(self, self.read(node.this, depth), type_, isinstance(node, tree.TryCast))

    def joined(self, node: Any, depth: int) -> Value:
        parts = [self.read(each, depth) for each in node.flatten(unnest=False)]
        texts = [self.full.text(self.plain(each)) for each in parts]
        made = texts[0].clause
        for each in texts[1:]:
            made = self.full.joined(made, each.clause)
        return self.made(made, TEXT, *texts)

    def arithmetic(self, node: Any, depth: int) -> Value:
        left, right = self.read(node.this, depth), self.read(node.expression, depth)
        return ARITHMETIC[type(node).__name__](self, left, right)

    def minus(self, node: Any, depth: int) -> Value:
        inner = node.this
        if isinstance(inner, tree.Literal) and not inner.is_string:
            return self.number(f"-{inner.this}")
        return negative(self, self.read(inner, depth))

    # ------------------------------------------------------------------ functions

    def call(self, node: Any, depth: int) -> Value:
        return self.called(str(node.this), node.expressions, depth)

    def called(self, name: str, nodes: list[Any], depth: int) -> Value:
        name = name.lower()
        if name in ("extract", "exists"):
            raise self.wrong("may hold no query, aggregate or window")
        found = FUNCTIONS.get(name)
        if found is None:
            raise self._unknown(name)
        return found(self, name, [self.read(each, depth) for each in nodes])

    def absolute(self, node: Any, depth: int) -> Value:
        return self.called("abs", [node.this], depth)

    def coalesced(self, node: Any, depth: int) -> Value:
        return self.called("coalesce", [node.this, *node.expressions], depth)

    def adjacent(self, node: Any, depth: int) -> Value:
        if not all(isinstance(e, tree.Literal) and e.is_string for e in node.expressions):
            raise self._unknown("concat")
        return self.literal(tree.Literal.string("".join(e.this for e in node.expressions)), depth)

    def started(self, node: Any, depth: int) -> Value:
        return self.called("starts_with", [node.this, node.expression], depth)

    def position(self, node: Any, depth: int) -> Value:
        return self.called("strpos", [node.this, node.args["substr"]], depth)

    def substring(self, node: Any, depth: int) -> Value:
        start = node.args.get("start") or tree.Literal.number(1)
        length = node.args.get("length")
        return self.called("substr", [node.this, start, *([length] if length else [])], depth)

    def trimmed(self, node: Any, depth: int) -> Value:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(
            str(node.args.get("position") or "").upper(), "trim"
        )
        chars = node.args.get("expression")
        return self.called(name, [node.this, *([chars] if chars else [])], depth)

    def extracted(self, node: Any, depth: int) -> Value:
        return extract(self, str(node.this.name), self.read(node.expression, depth))

    def zoned(self, node: Any, depth: int) -> Value:
        zone = known_value(self, self.read(node.args["zone"], depth), "AT TIME ZONE")
        return at_time_zone(self, self.read(node.this, depth), zone)

    def interval(self, node: Any, depth: int) -> Value:
        unit = node.args.get("unit")
        count = self.read(node.this, depth) if node.this is not None else None
        if count is None:
            raise self.wrong("holds an interval without a number")
        return interval(self, count, str(unit.name) if unit is not None else None)


_NODES: dict[type, Callable[[_Reading, Any, int], Value]] = {
    **CONDITIONS,
    **{getattr(tree, name): _Reading.arithmetic for name in ARITHMETIC},
    tree.Column: _Reading.column,
    tree.Dot: _Reading.dotted,
    tree.Bracket: _Reading.bracket,
    tree.Literal: _Reading.literal,
    tree.Boolean: _Reading.boolean,
    tree.Null: _Reading.null,
    tree.Paren: _Reading.inside,
    tree.Case: _Reading.case,
    tree.If: _Reading.if_,
    tree.Cast: _Reading.cast,
    tree.TryCast: _Reading.cast,
    tree.DPipe: _Reading.joined,
    tree.Neg: _Reading.minus,
    tree.Anonymous: _Reading.call,
    tree.Abs: _Reading.absolute,
    tree.Coalesce: _Reading.coalesced,
    tree.Concat: _Reading.adjacent,
    tree.StartsWith: _Reading.started,
    tree.StrPosition: _Reading.position,
    tree.Substring: _Reading.substring,
    tree.Trim: _Reading.trimmed,
    tree.Extract: _Reading.extracted,
    tree.AtTimeZone: _Reading.zoned,
    tree.Interval: _Reading.interval,
}
"""The nodes that may stand in an expression."""
_PARTS: dict[type, tuple[str, ...]] = {
    **PARTS_OF_CONDITIONS,
    tree.Column: ("this", "table", "db", "catalog"),
    tree.Bracket: ("this", "expressions"),
    tree.Literal: ("this", "is_string"),
    tree.Case: ("this", "ifs", "default"),
    tree.If: ("this", "true", "false"),
    tree.Cast: ("this", "to"),
    tree.TryCast: ("this", "to", "safe", "requires_string"),
    tree.DPipe: ("this", "expression", "safe"),
    tree.Div: ("this", "expression", "typed", "safe"),
    tree.Anonymous: ("this", "expressions"),
    tree.Coalesce: ("this", "expressions"),
    tree.Concat: ("expressions", "safe", "coalesce"),
    tree.StrPosition: ("this", "substr"),
    tree.Substring: ("this", "start", "length"),
    tree.Trim: ("this", "expression", "position"),
    tree.AtTimeZone: ("this", "zone"),
    tree.Interval: ("this", "unit"),
}
_SPECIAL = ("cast", "extract", "substring", "position", "case", "try_cast", "date_trunc")
