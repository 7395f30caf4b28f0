"""Nulls and texts that look alike in what is made for people."""

from __future__ import annotations

import threading
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from ..registry import Loss, LossLedger
from .coded import count, counting


class Alike:
    """Counts nulls, and texts that look like them, for each column; safe from several threads."""

    def __init__(self, null: str) -> None:
        self._null = null
        self._lock = threading.Lock()
        self._nulls: Counter[str] = Counter()
        self._same: Counter[str] = Counter()

    def look(self, name: str, text: pa.Array, codes: pa.Array | None) -> None:
        ledger = LossLedger()
        weighed = ledger if codes is None else counting(ledger, codes, len(text))
        nulls = count(weighed, pc.is_null(text)) if text.null_count else 0
        same = count(weighed, pc.equal(text, self._null))
        if nulls or same:
            with self._lock:
                self._nulls[name] += nulls
                self._same[name] += same

    def report(self, losses: LossLedger) -> None:
        for name, nulls in self._nulls.items():
            if nulls and self._same[name]:
                losses.add(
                    Loss(
                        "null_or_empty",
                        name,
                        nulls,
                        f"nulls look like the text “{self._null}”"
                        if self._null
                        else "a null and an empty text look alike",
                        "null=–" if self._null != "–" else "null=NULL",
                    )
                )
