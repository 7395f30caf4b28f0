"""What whoever asks is told before a query runs on a connection of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Begun: TypeAlias = "Callable[[Any, Callable[[], None]], None]"
"""Called with the driver's connection, and with what ends the query from another thread."""
