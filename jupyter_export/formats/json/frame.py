"""Line ends and indentation of a document.

Every member of an object that stands around rows has a line of its own, every row too, so that
rows can be counted by their lines.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from typing import Any

from ...registry import Chunk
from ..tokens import key


class Frame:
    """The texts of a document around its rows, pretty or not."""

    def __init__(self, pretty: bool) -> None:
        self.pretty = pretty
        self._colon = ": " if pretty else ":"

    def line(self, level: int) -> str:
        """Return a line end and the indentation of the next line."""
        return "\n" + "  " * level if self.pretty else "\n"

    def rows(self, level: int) -> int | None:
        """Return the level of a row's members: None where they all stand on its line."""
        return level if self.pretty else None

    def member(self, name: str) -> str:
        """Return a member's name and its colon."""
        return key(name) + self._colon

    def text(self, value: Any) -> str:
        """Return ``value`` as JSON on one line."""
        separators = (", ", ": ") if self.pretty else (",", ":")
        return json_text.dumps(value, ensure_ascii=False, separators=separators, default=str)

    def members(self, value: Mapping[str, Any], level: int) -> str:
        """Return an object with each of its members on a line."""
        inner = self.line(level + 1)
        lines = [f"{inner}{self.member(name)}{self.text(each)}" for name, each in value.items()]
        return "{" + ",".join(lines) + self.line(level) + "}"


def text_chunk(text: str) -> Chunk:
    return Chunk(text.encode("utf-8"), 0)
