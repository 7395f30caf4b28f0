"""The text of a user's query: its params found and bound, its end found.

``:name`` stands for a param, ``\\:`` for a colon that begins none, as SQLAlchemy's ``text`` has it
for every other database; inside quotes and comments a colon is only a colon. What the words mean
is the database's business: nothing is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..sentences import param_missing, params_unfit

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\n]*)
    | (?P<block> /\*)
    | (?P<quoted> [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<dollar> \$(?:[^\W\d]\w*)?\$)
    | \\(?P<colon> :)
    | (?P<cast> ::)
    | (?<!\w):(?P<param> \w+)(?!:[^:])
    | (?P<word> [^\W\d][\w$]*)
    | (?P<number> [\d][\w.]*)
    | (?P<sign> .)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")
_WRITING = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_MAIN = {"SELECT", "VALUES", "TABLE", *_WRITING}
Token = tuple[str, str]
"""What it is, and its text."""


@dataclass(frozen=True)
class Query:
    """One statement, ready to stand inside another one."""

    sql: str
    """Without a ``;`` at its end; the values of its params are literals."""
    verb: str
    """Its first word, in upper case: SELECT, WITH, INSERT, …; “(” counts as SELECT."""
    prologue: str = ""
    """Of a ``WITH``: everything before its main statement, else nothing."""
    main: str = ""
    """What follows the prologue."""
    writes: bool = False
    """It looks like one that writes, and can only stand at the top of a statement."""


def read_query(text: str, params: Mapping[str, Any], literal: Callable[[Any], str]) -> Query:
    """Return the query with ``params`` written by ``literal``.

    Raises ``InvalidSpec`` when query and params do not name the same.
    """
    tokens = list(_tokens(text))
    named = [token for kind, token in tokens if kind == "param"]
    _check(named, params)
    bound = [
        # a space: a negative number after a minus would begin a comment
        (kind, f" {literal(params[token])} ") if kind == "param" else (kind, token)
        for kind, token in tokens
    ]
    while bound and (bound[-1][0] == "space" or bound[-1][1] == ";"):
        bound.pop()
    words = [(index, *each) for index, each in enumerate(bound) if each[0] != "space"]
    verb = words[0][2].upper() if words else ""
    sql = _joined(bound)
    if verb != "WITH":
        return Query(sql, "SELECT" if verb == "(" else verb, "", sql, verb in _WRITING)
    main = _main_of(words)
    writes = any(
        # inside, it is the first word behind a bracket
        token.upper() in _WRITING and (index == main or words[place - 1][2] == "(")
        for place, (index, _, token) in enumerate(words)
    )
    return Query(sql, verb, _joined(bound[:main]), _joined(bound[main:]), writes)


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        assert found is not None  # any sign is a token
        kind, token, end = str(found.lastgroup), found[0], found.end()
        if kind == "block":
            kind, end = "space", _after_comment(text, place)
        elif kind == "dollar":
            closing = text.find(token, end)
            kind, end = "quoted", len(text) if closing < 0 else closing + len(token)
        if kind in ("space", "quoted"):
            # a colon is unescaped in quotes as well: nobody has to know where they begin
            token = text[place:end].replace("\\:", ":")
        elif kind in ("colon", "param"):
            token = found[kind]
        yield kind, token
        place = end


def _after_comment(text: str, start: int) -> int:
    """Return where the comment that begins at ``start`` ends; comments nest."""
    depth = 0
    for mark in _BLOCK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def _main_of(words: list[tuple[int, str, str]]) -> int:
    """Return which token begins the main statement of a ``WITH``."""
    depth = 0
    before = ""
    for index, kind, token in words:
        if token in "([":
            depth += 1
        elif token in ")]":
            depth -= 1
        elif (
            kind == "word"
            and depth == 0
            and token.upper() in _MAIN
            # a table expression may have such a name
            and before not in (",", "WITH", "RECURSIVE")
        ):
            return index
        before = token.upper()
    return words[-1][0] + 1


def _joined(tokens: Iterable[Token]) -> str:
    return "".join(token for _, token in tokens)


def _check(named: list[str], params: Mapping[str, Any]) -> None:
    for name in params:
        if name not in named:
            raise params_unfit(f":{name}", [f":{each}" for each in dict.fromkeys(named)])
    for name in named:
        if name not in params:
            raise param_missing(f":{name}")
