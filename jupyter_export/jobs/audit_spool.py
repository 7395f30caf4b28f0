"""Entries of the audit trail that the store could not take, in a file until it can."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .audit_chain import Draft

log = logging.getLogger(__name__)

PREFIX = "audit-waiting-"


class AuditSpool:
    """One file for each service, ``audit-waiting-….jsonl`` in its state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{PREFIX}{secrets.token_hex(8)}.jsonl"
        self._kept = 0

    def adopt(self) -> list[Draft]:
        """Return what services that ended have left, each file once; call before ``keep``."""
        found: list[Draft] = []
        for path in sorted(self._folder.glob(f"{PREFIX}*.jsonl")):
            mine = path.with_suffix(f".{secrets.token_hex(4)}.taken")
            try:
                os.rename(path, mine)  # Only one service gets it.
                for line in mine.read_text("ascii").splitlines():
                    found.append(Draft(**json.loads(line)))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError):
                log.warning("entries of the audit trail in %s cannot be read", mine, exc_info=True)
                continue
            self.keep(found)
            mine.unlink(missing_ok=True)
        return found

    def keep(self, drafts: Sequence[Draft]) -> None:
        """Replace what is kept by ``drafts``; a file that cannot be written is logged."""
        if not drafts:
            if self._kept:
                self._path.unlink(missing_ok=True)
            self._kept = 0
            return
        part = self._path.with_suffix(".part")
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                file.writelines(f"{json.dumps(asdict(draft))}\n" for draft in drafts)
            os.replace(part, self._path)
            self._kept = len(drafts)
        except OSError:
            log.warning("entries of the audit trail cannot be kept in a file", exc_info=True)
