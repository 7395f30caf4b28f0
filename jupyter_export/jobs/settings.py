"""What an installation decides. The server fills it from traitlets, a kernel from defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InvalidSpec
from ..spec import seconds


@dataclass(frozen=True)
class Settings:
    """Validated at construction; a wrong value raises ``InvalidSpec`` with a sentence."""

    root: Path
    """Paths of specs are relative to this folder; the server never leaves it."""
    state_dir: Path
    """Job store, uploads and spill files; only this user may read it."""
    confined: bool = True
    """True: a path outside ``root`` is refused. A kernel's own service is not confined."""
    output_dir: str = "exports"
    db_url: str | None = None
    connections: Mapping[str, str] = field(default_factory=dict)
    """Name -> SQLAlchemy URL, or ``env:VARIABLE`` that holds one."""
    max_workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory_limit_per_job: int = 512 * 1000**2
    """Bytes."""
    job_timeout: int | None = None
    """Seconds; None: no limit."""
    max_rows: int | None = None
    max_bytes: int | None = None
    max_pending_per_user: int = 100
    retention: str = "24h"
    admin_users: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        seconds(self.retention)
        smallest = {"max_workers": 1, "memory_limit_per_job": 64 * 1000**2}
        counts = ("job_timeout", "max_rows", "max_bytes", "max_pending_per_user")
        for name, least in {**smallest, **dict.fromkeys(counts, 1)}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidSpec(f"{name} is {value:,}.", hint=f"Use {least:,} or more.")

    @property
    def retention_seconds(self) -> int:
        return seconds(self.retention)

    @property
    def uploads(self) -> Path:
        return self.state_dir / "uploads"

    @property
    def scratch(self) -> Path:
        return self.state_dir / "scratch"
