"""Conditions of expressions: and, or, not, comparisons, BETWEEN, IN, IS, LIKE.

Comparisons with null are SQL's: neither true nor false.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlglot import expressions as tree

from ..errors import InvalidSpec
from .condition import check_like, checked
from .functions import Reader, known_value
from .values import BOOLEAN, TEXT, Clause, Kind, Value, common


class Conditions(Reader):
    """Reads the nodes of a tree that give true or false."""

    def read(self, node: Any, depth: int) -> Value:
        """Return what a node of the tree stands for."""
        raise NotImplementedError

    def refused(self, node: Any) -> InvalidSpec:
        """Return the error for a node that may not stand there."""
        raise NotImplementedError

    def logic(self, node: Any, depth: int) -> Value:
        join = sa.and_ if isinstance(node, tree.And) else sa.or_
        values = [self.truth(self.read(each, depth)) for each in node.flatten(unnest=False)]
        return self.made(join(*(each.clause for each in values)), BOOLEAN, *values)

    def negation(self, node: Any, depth: int) -> Value:
        value = self.truth(self.read(node.this, depth))
        return self.made(sa.not_(value.clause), BOOLEAN, value)

    def comparison(self, node: Any, depth: int) -> Value:
        left, right = self.paired(self.read(node.this, depth), self.read(node.expression, depth))
        if Kind.NULL in (left.kind, right.kind):
            return self.made(self.speech.bind(None, BOOLEAN), BOOLEAN, left, right)
        return self.made(
            self.speech.compare(_OPERATORS[type(node)], left, right), BOOLEAN, left, right
        )

    def paired(self, left: Value, right: Value) -> tuple[Value, Value]:
        """Return both as values that can be compared; a literal becomes what the other one is."""
        left, right = self.fit(left, right), self.fit(right, left)
        if Kind.NATIVE not in (left.kind, right.kind) and common(left.type, right.type) is None:
            raise self.wrong(
                f"compares {left.kind.value} with {right.kind.value}",
                "Make them one type with CAST(… AS …).",
            )
        return left, right

    def distinct(self, node: Any, depth: int) -> Value:
        left, right = self.paired(self.read(node.this, depth), self.read(node.expression, depth))
        if Kind.NULL in (left.kind, right.kind):
            other = right if left.kind is Kind.NULL else left
            made: Clause = other.clause.is_not(None)
        else:
            made = self.speech.distinct_from(left, right)
        if isinstance(node, tree.NullSafeEQ):
            made = sa.not_(made)
        return self.made(made, BOOLEAN, left, right)

    def between(self, node: Any, depth: int) -> Value:
        value = self.read(node.this, depth)
        ends = []
        for op, name in ((">=", "low"), ("<=", "high")):
            one, end = self.paired(value, self.read(node.args[name], depth))
            if Kind.NULL in (one.kind, end.kind):
                ends.append(self.speech.bind(None, BOOLEAN))
            else:
                ends.append(self.speech.compare(op, one, end))
            value = replace(value, size=value.size + end.size)
        return self.made(sa.and_(*ends), BOOLEAN, value, value)

    def is_in(self, node: Any, depth: int) -> Value:
        value = self.read(node.this, depth)
        if not node.expressions:
            raise self.wrong("may hold no query, aggregate or window")
        listed = [self.read(each, depth) for each in node.expressions]
        pairs = [self.paired(value, each) for each in listed if each.kind is not Kind.NULL]
        if value.kind is Kind.NULL:
            return self.made(self.speech.bind(None, BOOLEAN), BOOLEAN)
        found: Clause = sa.false()
        if pairs:
            found = self.speech.is_in(pairs[0][0], [b for _, b in pairs])
        if len(pairs) < len(listed):
            found = sa.or_(found, self.speech.bind(None, BOOLEAN))
        return self.made(found, BOOLEAN, value, *listed)

    def is_(self, node: Any, depth: int) -> Value:
        value, what = self.read(node.this, depth), node.expression
        if isinstance(what, tree.Null):
            return self.made(value.clause.is_(None), BOOLEAN, value)
        if not isinstance(what, tree.Boolean):
            raise self.refused(what)
        value = self.truth(value)
        wanted = sa.true() if what.this else sa.false()
        return self.made(self.full.truth_is(value.clause, wanted), BOOLEAN, value)

    def like(self, node: Any, depth: int) -> Value:
        value = self.text_of(self.read(node.this, depth), "like")
        pattern = known_value(self, self.read(node.expression, depth), "like")
        check_like(pattern, self.field)
        insensitive = isinstance(node, tree.ILike)
        made = self.speech.like(
            value, Value(self.speech.bind(pattern, TEXT), TEXT, constant=pattern), insensitive
        )
        if node.args.get("negate"):
            made = sa.not_(made)
        return self.made(made, BOOLEAN, value)

    def escaped(self, node: Any, depth: int) -> Value:
        """``LIKE … ESCAPE '!'``: its escape character becomes ours."""
        escape = self.read(node.expression, depth).constant
        inner = node.this
        if not isinstance(escape, str) or len(escape) > 1:
            raise self.wrong("has an escape that is not one character")
        pattern = known_value(self, self.read(inner.expression, depth), "like")
        inner = inner.copy()
        inner.set("expression", tree.Literal.string(_with_our_escape(pattern, escape)))
        return self.read(inner, depth)

    def regex(self, node: Any, depth: int) -> Value:
        value = self.text_of(self.read(node.this, depth), "~")
        pattern = known_value(self, self.read(node.expression, depth), "~")
        checked(pattern, self.field)
        return self.made(self.speech.regex(value, pattern, False), BOOLEAN, value)


def _with_our_escape(pattern: str, escape: str) -> str:
    made, position = "", 0
    while position < len(pattern):
        char = pattern[position]
        if escape and char == escape and position + 1 < len(pattern):
            position += 1
            made += f"\\{pattern[position]}"
        else:
            made += "\\\\" if char == "\\" else char
        position += 1
    return made


_OPERATORS: dict[type, str] = {
    tree.EQ: "=", tree.NEQ: "!=", tree.LT: "<", tree.LTE: "<=", tree.GT: ">", tree.GTE: ">=",
}  # fmt: skip
CONDITIONS: dict[type, Callable[[Any, Any, int], Value]] = {
    **dict.fromkeys(_OPERATORS, Conditions.comparison),
    tree.And: Conditions.logic,
    tree.Or: Conditions.logic,
    tree.Not: Conditions.negation,
    tree.NullSafeEQ: Conditions.distinct,
    tree.NullSafeNEQ: Conditions.distinct,
    tree.Between: Conditions.between,
    tree.In: Conditions.is_in,
    tree.Is: Conditions.is_,
    tree.Like: Conditions.like,
    tree.ILike: Conditions.like,
    tree.Escape: Conditions.escaped,
    tree.RegexpLike: Conditions.regex,
}
"""The nodes that give true or false, by sqlglot's classes."""
PARTS_OF_CONDITIONS: dict[type, tuple[str, ...]] = {
    tree.Between: ("this", "low", "high"),
    tree.In: ("this", "expressions", "query", "field"),
    tree.Like: ("this", "expression", "negate"),
    tree.ILike: ("this", "expression", "negate"),
}
"""What they may hold, where that is more than two sides."""
