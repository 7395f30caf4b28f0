"""What a notebook holds: its frames and its own connections, by the names of its variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..sources.frame import is_frame

Namespace = Mapping[str, Any]


def frames(names: Namespace) -> Iterator[str]:
    """Yield the names of the notebook's frames."""
    for name, value in list(names.items()):
        if not name.startswith("_") and not isinstance(value, type) and is_frame_here(value):
            yield name


def connections(names: Namespace) -> Iterator[str]:
    """Yield the names of the notebook's own connections: engines, DBAPI, DuckDB."""
    for name, value in list(names.items()):
        if not name.startswith("_") and is_connection_here(value) and not is_frame_here(value):
            yield name


def is_frame_here(value: Any) -> bool:
    """Tell whether a variable is a frame, whatever it does when it is asked."""
    return _answer(is_frame, value)


def is_connection_here(value: Any) -> bool:
    """Tell whether a variable is a connection, whatever it does when it is asked."""
    from ..sources.own import is_connection

    return _answer(is_connection, value)


def _answer(question: Callable[[Any], bool], value: Any) -> bool:
    try:
        return question(value)
    except Exception:
        return False  # An object may do anything when it is asked for an attribute.
