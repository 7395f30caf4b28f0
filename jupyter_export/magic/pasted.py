"""A line of ``%export`` that is read and not run: it was pasted where a spec may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidRequest
from .arguments import Arguments, parse, unquoted
from .options import typed_options
from .request import request_of
from .specs import ENDINGS
from .templates import document_of

_HEAD = re.compile(r"\s*(%%?)export\b(.*)", re.DOTALL)


def spec_of_line(text: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that a line, or a cell, of ``%export`` makes, its frames by their slots.

    ``names`` are the notebook's variables; no expression of the line is evaluated. Raises
    ``ExportError`` for what is wrong with the line, or cannot stand in a document.
    """
    found = _HEAD.fullmatch(text)
    if found is None:
        raise InvalidRequest("That is no line of %export.", hint="It begins with %export.")
    head, _, cell = found[2].partition("\n")
    is_cell = found[1] == "%%"
    asked = parse(head.strip() if is_cell else found[2].strip())
    if asked.jobs or asked.status is not None or asked.cancel is not None or asked.help:
        raise InvalidRequest("The line exports nothing.", hint="Paste one with a frame and a path.")
    if not is_cell:
        _refuse_expressions(asked, names)
    request = request_of(asked, cell if is_cell else None, names)
    request.fields["options"] = typed_options(asked, request)
    return document_of(request)


def _refuse_expressions(asked: Arguments, names: Mapping[str, Any]) -> None:
    """Raise ``InvalidRequest`` for a word that would be evaluated: who pastes a line may not have
    written it. A spec's file, a variable and the path, which stands last, are none."""
    for number, word in enumerate(asked.words):
        plain = unquoted(word)
        is_file = number == 0 and plain.lower().endswith(ENDINGS)
        is_path = number == len(asked.words) - 1 and (number > 0 or asked.template is not None)
        code = any(mark in word for mark in "([{")
        if code or not (is_file or is_path or plain.isidentifier() or plain in names):
            raise InvalidRequest(
                "The line has an expression, which a document cannot hold.",
                hint="Give its rows a name first: late = df.query(…).",
            )
