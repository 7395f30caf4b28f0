"""A note of the audit trail's last entry beside the store: what shows that its end was cut off.

A chain proves what is in it, not that nothing follows. So each service notes, after each entry
that it wrote, the number and hash of the last one in a file of its state folder. What cannot be
found from it: a change by somebody who can write the store *and* this folder, a removal of the
oldest entries that a made-up entry at the end explains by their age, and the loss of entries that
were written in the moment between an entry and its note. Who wants more keeps the head that
``audit verify`` prints where neither can be written, and gives it to the next one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Callable

from sqlalchemy.engine import make_url

from ..errors import InvalidRequest
from .audit_chain import Head
from .settings import Settings

log = logging.getLogger(__name__)

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def parse_head(text: str) -> Head:
    """Return the head that somebody noted as ``number:hash``; raise ``InvalidRequest``."""
    found = _HEAD.fullmatch(text.strip())
    if not found:
        raise InvalidRequest(
            f"“{text[:40]}” is not the head of an audit trail.",
            hint="It is the number and the hash that “jupyter export audit verify” prints: 12:3f…",
        )
    return Head(int(found[1]), found[2])


class HeadNote:
    """The note of one store's last entry. One writer of a process at a time."""

    def __init__(self, settings: Settings) -> None:
        name = "audit-head"
        if settings.db_url is not None:
            # Another database has a trail of its own; its password may change.
            url = make_url(settings.db_url).set(password=None)
            name += "-" + hashlib.sha256(url.render_as_string().encode()).hexdigest()[:12]
        self.path = settings.state_dir / f"{name}.json"
        self._warned = False

    def read(self) -> Head | None:
        """Return what was noted; None where nothing was, or nothing that can be read."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
            return parse_head(f"{found['seq']}:{found['hash']}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("the note of the audit trail's last entry cannot be read: %s", self.path)
            return None

    def advance(self, before: Head | None, now: Head, hash_of: Callable[[int], str | None]) -> None:
        """Note that ``now`` follows ``before``, if the trail still holds what was noted last.

        Otherwise the old note stays: it is what ``audit verify`` needs to tell of the fault.
        """
        noted = self.read()
        if noted is not None and noted != before and not self._still_there(noted, before, hash_of):
            if not self._warned:
                self._warned = True
                log.critical(
                    "the audit trail has lost or changed entry %s; “jupyter export audit verify” "
                    "says more",
                    noted.seq,
                )
            return
        if noted is not None and noted.seq > now.seq:
            return  # Another process over this folder was quicker.
        try:
            self._write(now)
        except OSError:
            log.warning("the audit trail's last entry could not be noted", exc_info=True)

    def _still_there(
        self, noted: Head, before: Head | None, hash_of: Callable[[int], str | None]
    ) -> bool:
        found = hash_of(noted.seq)
        if found is None and before is not None and noted.seq < before.seq:
            # Trimmed by a server that shares the store: “audit verify” knows whether it was.
            return True
        return found == noted.hash

    def _write(self, head: Head) -> None:
        part = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.part")
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump({"seq": head.seq, "hash": head.hash}, file)
            os.replace(part, self.path)
        finally:
            part.unlink(missing_ok=True)
