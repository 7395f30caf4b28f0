"""A table or query of any database that SQLAlchemy knows, streamed.

One connection and one transaction for a job, so that all datasets show the same moment where the
database can do that. ``kinds`` holds what databases do each in their own way: the snapshot, the
refusal to write, the timeout, the interrupt, the exact types.

Rows come from the driver's own cursor. ADBC drivers beside PostgreSQL's are not used:
``adbc_driver_sqlite`` guesses a column's type from the first batch and fails or rounds when a
later row is of another one, and there is none for MySQL that keeps its types exactly.
"""

from __future__ import annotations

from .opening import open_database

__all__ = ["open_database"]
