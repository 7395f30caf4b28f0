"""The audit trail's chain: what an entry is, what its hash covers, and what proves it whole.

The rule. Entries are numbered 1, 2, 3, … without gaps. The hash of an entry is the SHA-256, in
hexadecimal, of the UTF-8 bytes of

    the hash of the entry before it (64 zeros before the first), a line feed, and the JSON object
    {"action", "actor", "address", "at", "details", "outcome", "owner", "seq", "subject"}

with its keys in this order, no blanks, and every character beyond ASCII as ``\\uXXXX``. ``at`` is
microseconds since 1970 UTC, ``seq`` the number, ``details`` the JSON text that is stored; all
others are texts. So whoever has the rows can check them with any program, and a row that is
changed, removed, put in or moved no longer fits its neighbours.

When old entries are removed from the front, an entry with the action ``trim`` says which is the
first that was kept, and the hash before it; it is a part of the chain as any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .model import rfc3339
from .store import moment

NO_HASH = "0" * 64
"""What stands before the first entry."""
TRIM = "trim"
MOST_FAULTS = 100
"""Faults that one verification tells of; the rest is counted."""
_LENGTHS = {"actor": 255, "action": 32, "subject": 64, "owner": 255, "address": 64, "outcome": 32}
"""Characters that the columns hold."""


@dataclass(frozen=True)
class Draft:
    """Something that happened, before it has its place in the trail."""

    at: int
    """Microseconds since 1970 UTC."""
    actor: str
    """Who did it; empty: the service itself, or nobody who is known."""
    action: str
    subject: str = ""
    """The id of the job, link or upload, or the name of the connection or template."""
    owner: str = ""
    """Whose the subject is."""
    address: str = ""
    outcome: str = "ok"
    details: str = "{}"
    """A JSON object as text; never data, query text or a secret."""

    def fitted(self) -> Draft:
        """Return it as its columns can hold it. What is read back is never fitted: a change that
        fitting would undo must be found."""
        # PostgreSQL takes neither NUL nor half a character.
        texts = {
            name: getattr(self, name).replace("\0", "").encode("utf-8", "replace").decode()[:length]
            for name, length in _LENGTHS.items()
        }
        return replace(self, **texts)


@dataclass(frozen=True)
class Entry(Draft):
    """A draft in its place: ``hash`` binds it to all entries before it."""

    seq: int = 0
    hash: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": rfc3339(moment(self.at)),
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "owner": self.owner,
            "address": self.address,
            "outcome": self.outcome,
            "details": _object(self.details),
            "hash": self.hash,
        }


def details_text(details: dict[str, Any]) -> str:
    """Return ``details`` as an entry keeps them."""
    # Whatever somebody has put into a row (SQLite keeps bytes in a column of texts) has a text.
    return json.dumps(details, sort_keys=True, separators=(",", ":"), default=str)


def digest(before: str, seq: int, draft: Draft) -> str:
    """Return the hash of ``draft`` as number ``seq`` after an entry with the hash ``before``."""
    fields = {
        "action": draft.action,
        "actor": draft.actor,
        "address": draft.address,
        "at": draft.at,
        "details": draft.details,
        "outcome": draft.outcome,
        "owner": draft.owner,
        "seq": seq,
        "subject": draft.subject,
    }
    return hashlib.sha256(f"{before}\n{details_text(fields)}".encode()).hexdigest()


@dataclass(frozen=True)
class Head:
    """The last entry at some time: what shows later that the end was cut off or made anew."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True)
class Fault:
    """What does not fit, at the entry ``seq``."""

    seq: int
    message: str


@dataclass(frozen=True)
class Verdict:
    """What a verification found; ``first`` and ``last`` are None where there are no entries."""

    entries: int
    first: int | None
    last: Head | None
    faults: tuple[Fault, ...]
    more_faults: int = 0
    """Faults beyond those that are told."""

    @property
    def whole(self) -> bool:
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        return {
            "whole": self.whole,
            "entries": self.entries,
            "first": self.first,
            "head": str(self.last) if self.last else None,
            "faults": [{"seq": fault.seq, "message": fault.message} for fault in self.faults],
            "more_faults": self.more_faults,
        }


class Verification:
    """Takes the entries in the order of their numbers, and says what does not fit.

    ``trim`` is the newest entry with that action, None where there is none; ``heads`` are ends of
    the trail that were noted before the entries were read.
    """

    def __init__(self, trim: Entry | None, heads: Iterable[Head]) -> None:
        self._trim = trim
        self._heads = {head.seq: head for head in heads}
        self._before: Head | None = None
        self._first: int | None = None
        self._count = 0
        self._faults: list[Fault] = []
        self._more = 0

    def take(self, entry: Entry) -> None:
        self._count += 1
        seq: object = entry.seq
        if not isinstance(seq, int):  # SQLite keeps whatever somebody has put there.
            self._fault(0, f"A row has “{str(seq)[:40]}” for its number: it was put in.")
            return
        before = self._hash_before(entry)
        if before is not None and digest(before, entry.seq, entry) != entry.hash:
            self._fault(
                entry.seq,
                f"Entry {entry.seq} is not as it was recorded: it, or the one before it, was "
                "changed, moved or put in.",
            )
        noted = self._heads.pop(entry.seq, None)
        if noted is not None and noted.hash != entry.hash:
            self._fault(
                entry.seq,
                f"Entry {entry.seq} is not the one that was noted when it was the last: the trail "
                "up to here was written anew.",
            )
        self._before = Head(entry.seq, entry.hash)

    def verdict(self) -> Verdict:
        last = self._before.seq if self._before else 0
        for head in sorted(self._heads.values(), key=lambda head: head.seq):
            if head.seq > last:
                end = f"now it ends with {last}" if last else "now it is empty"
                self._fault(
                    head.seq,
                    f"The end of the trail is missing: entry {head.seq} was recorded, {end}.",
                )
        return Verdict(self._count, self._first, self._before, tuple(self._faults), self._more)

    def _hash_before(self, entry: Entry) -> str | None:
        """Return the hash that ``entry`` continues; None where it cannot be known."""
        if self._before is not None:
            if entry.seq == self._before.seq + 1:
                return self._before.hash
            self._missing(self._before.seq + 1, entry.seq - 1)
            return None
        self._first = entry.seq
        if entry.seq == 1:
            return NO_HASH
        said = _object(self._trim.details) if self._trim else {}
        if said.get("first") == entry.seq:
            return str(said.get("before"))
        kept = said.get("first")
        self._missing(kept if isinstance(kept, int) and kept < entry.seq else 1, entry.seq - 1)
        return None

    def _missing(self, first: int, last: int) -> None:
        which = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
        self._fault(first, f"{which} missing.")

    def _fault(self, seq: int, message: str) -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(seq, message))
        else:
            self._more += 1


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``; {} where somebody has made something else of it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
