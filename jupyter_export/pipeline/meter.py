"""How far a run is, said twenty times a second at most."""

from __future__ import annotations

import time

from ..progress import Phase, Progress


class Meter:
    """Counts what passes: rows read of the sources, rows taken of them, rows and bytes written."""

    def __init__(self) -> None:
        self.read = 0
        self.taken = 0
        """Rows that were handed to the format, after every step."""
        self.rows = 0
        self.bytes = 0
        self.total: int | None = None
        """Rows that will be written, where that is known."""
        self.source_total: int | None = None
        """Rows that will be read, where that is known."""
        self._started = time.monotonic()
        self._said = self._started

    def wrote(self, rows: int, size: int) -> None:
        """Add ``rows``; ``size`` are the bytes written so far."""
        self.rows += rows
        self.bytes = size

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._said < 0.05:
            return False
        self._said = now
        return True

    def progress(self, phase: Phase, *, final: bool = False) -> Progress:
        elapsed = time.monotonic() - self._started
        rate = self.rows / elapsed if elapsed > 0 and self.rows else None
        share = None
        if final:
            share = 1.0
        elif self.total:
            share = self.rows / self.total
        elif self.source_total:
            # how many rows a condition keeps is unknown: what has been read tells how far it is
            share = self.read / self.source_total
        eta = None
        if share and not final and elapsed > 0.2:
            eta = round(elapsed / share - elapsed, 1)
        return Progress(
            phase=phase,
            rows=self.rows,
            total_rows=self.rows if final else self.total,
            percent=None if share is None else round(min(share, 1.0) * 100, 1),
            bytes=self.bytes,
            rows_per_second=None if rate is None else round(rate, 1),
            eta_seconds=eta,
        )
