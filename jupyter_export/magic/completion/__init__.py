"""Tab completion for ``%export`` and ``%%export``, in a terminal and in every front end.

A matcher of IPython's own completer: what is offered stands for the end of the word that is typed,
and nothing is evaluated to find it. An expression's attributes stay with Jedi.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from ...client.notebook import Namespace
from ..typed import typed_line
from . import offers
from .answers import Asked
from .query import in_query, tables_read
from .said import Offer

IDENTIFIER = "jupyter_export.export_matcher"
_CELL = re.compile(r"\s*%%export(?:\s|$)")

log = logging.getLogger(__name__)


def register(shell: Any) -> None:
    """Let ``shell`` complete lines of ``%export``; a second time changes nothing."""
    unregister(shell)
    shell.Completer.custom_matchers.append(matcher(shell))


def unregister(shell: Any) -> None:
    """Take the completion back."""
    kept = [
        each
        for each in shell.Completer.custom_matchers
        if getattr(each, "matcher_identifier", None) != IDENTIFIER
    ]
    shell.Completer.custom_matchers[:] = kept


def matcher(shell: Any) -> Callable[[CompletionContext], dict[str, Any]]:
    """Return the matcher for ``shell``'s completer (IPython's API 2, since 8.6)."""
    asked = Asked()

    def export_matcher(context: CompletionContext) -> dict[str, Any]:
        fragment, found = "", tuple[Offer, ...]()
        try:
            fragment, found = _offered(context, shell, asked)
        except Exception:  # A frame may do anything when it is asked; whoever types sees nothing.
            log.debug("no completion", exc_info=True)
        return {
            "completions": [SimpleCompletion(each.text, type=each.kind) for each in found],
            "matched_fragment": fragment,
            "suppress": True,
            "ordered": True,
        }

    as_matcher: Any = context_matcher(identifier=IDENTIFIER, priority=100)
    made: Callable[[CompletionContext], dict[str, Any]] = as_matcher(export_matcher)
    return made


def _offered(context: CompletionContext, shell: Any, asked: Asked) -> tuple[str, tuple[Offer, ...]]:
    """Return what the offers replace, which ends at the cursor, and the offers."""
    lines = context.full_text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    names: Namespace = _names(shell)
    is_cell = _CELL.match(lines[first]) is not None
    body = "\n".join(lines[first + 1 :]) if is_cell else ""
    if is_cell and context.cursor_line > first:
        head = typed_line(f"{lines[first]} ", len(lines[first]) + 1)
        before = "\n".join([*lines[first + 1 : context.cursor_line], context.text_until_cursor])
        connection = offers.connection_on(head, names, asked) if head else None
        begun, found = in_query(before, body, connection, names, asked)
        return (begun, found) if found else _no_python(context)
    line, joined = context.line_with_cursor, 0
    number = context.cursor_line
    while number > 0 and lines[number - 1].endswith("\\"):  # A magic's line goes on behind it.
        number -= 1
        line = f"{lines[number][:-1]} {line}"
        joined += len(lines[number])
    automagic = getattr(shell, "automagic", False) and "export" not in names
    cursor = context.cursor_position + joined
    typed = typed_line(line, cursor, automagic=automagic)
    if typed is None or (typed.is_cell and number != first):
        return "", ()
    asked.formats(patience=0.0)  # They are imported while the first words are typed.
    reads = tuple(tables_read(body, names)) if typed.is_cell else ()
    since, more, is_python = offers.offers(typed, names, asked, reads=reads, query=body)
    begins = typed.word.places[since]
    if begins < joined:
        return "", ()  # It began on a line above, which a completion cannot replace.
    begun, found = line[begins:cursor], tuple(_once(more))
    return (begun, found) if found or is_python else _no_python(context)


def _no_python(context: CompletionContext) -> tuple[str, tuple[Offer, ...]]:
    """Return an offer of what is typed already, where nothing else fits: it keeps Python's names
    away from where none belongs."""
    typed = re.search(r"\S*\s*\Z", context.text_until_cursor)
    text = typed[0] if typed else ""
    return text, (Offer(text, "text"),) if text else ()


def _names(shell: Any) -> Namespace:
    """Return the notebook's own variables, without those that IPython keeps among them."""
    hidden, own = shell.user_ns_hidden, dict(shell.user_ns)
    return {name: value for name, value in own.items() if value is not hidden.get(name)}


def _once(found: Iterator[Offer]) -> Iterator[Offer]:
    seen = set[str]()
    for each in found:
        if each.text not in seen:
            seen.add(each.text)
            yield each
