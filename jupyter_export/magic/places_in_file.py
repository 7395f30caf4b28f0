"""Where in a file of a document a field is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .caret import Span


class Place(NamedTuple):
    """A field of a file: its line, from 1, its name and its value."""

    line: int
    name: str
    named: Span | None
    value: Span

    def of(self, message: str) -> Span:
        """Return the name where ``message`` is about that, else the value."""
        about_name = self.named is not None and message.startswith(f"“{self.name}”")
        return self.named if about_name and self.named is not None else self.value


def place_in(text: str, field: str) -> Place | None:
    """Return the place that a field's path leads to, as far as the file has it. JSON is read as
    the YAML that it is."""
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    steps = list(_steps(field))
    if steps[:2] == ["datasets", 0] and _below(node, "datasets", text) is None:
        steps = steps[2:]
    found = None
    for step in steps:
        after = _below(node, step, text)
        if after is None:
            break
        found, node = after
    return found


def _steps(field: str) -> Iterator[str | int]:
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field):
        yield int(number) if number else name


def _below(node: Any, step: str | int, text: str) -> tuple[Place, Any] | None:
    """Return the place of a key or an index in a node, and the node that is there."""
    kind = getattr(node, "id", "")
    if isinstance(step, int):
        if kind == "sequence" and step < len(node.value):
            item = node.value[step]
            return Place(item.start_mark.line + 1, "", None, _span(item, text)), item
        return None
    for key, value in node.value if kind == "mapping" else ():
        if key.value == step:
            beside = value if value.start_mark.line == key.start_mark.line else key
            line = key.start_mark.line + 1
            return Place(line, step, _span(key, text), _span(beside, text)), value
    return None


def _span(node: Any, text: str) -> Span:
    """Return the letters of a node in its first line."""
    start, end = node.start_mark.index, node.end_mark.index
    line_end = text.find("\n", start)
    end = min(end, len(text) if line_end < 0 else line_end)
    return Span(start, max(end, start + 1))
