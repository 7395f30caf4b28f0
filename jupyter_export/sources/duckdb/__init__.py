"""A DuckDB database file: opened only to be read, asked by its own module, Arrow all the way.

Nothing but the file can be read through it: the engine's outside access is off and its
configuration locked. ``options: {"enable_external_access": true}`` of the connection leaves it on,
for databases with views of other files.
"""

from __future__ import annotations

from .opening import open_duckdb

__all__ = ["open_duckdb"]
