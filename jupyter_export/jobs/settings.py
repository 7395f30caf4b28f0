"""What an installation decides. The server fills it from traitlets, a kernel from defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import InvalidSpec
from ..spec import seconds
from .connectable import Connections, parse

Backoff: TypeAlias = Literal["exponential", "linear"]
CONFIG_FILE = "jupyter_export_config"
"""Name, without .py or .json, of the file in Jupyter's config folders that holds our settings."""


@dataclass(frozen=True)
class Settings:
    """Validated at construction; a wrong value raises ``InvalidSpec`` with a sentence."""

    root: Path
    """Paths of specs are relative to this folder; the server never leaves it."""
    state_dir: Path
    """Job store, uploads and spill files; only this user may read it."""
    confined: bool = True
    """True: a path outside ``root`` is refused. A kernel's own service is not confined."""
    allow_hidden: bool = False
    """True: names that begin with a dot may be read and written, as where the server shows them."""
    output_dir: str = "exports"
    db_url: str | None = field(default=None, repr=False)
    connections: Connections = field(default_factory=dict)
    """What the setting says, by name; whatever ``connectable.parse`` takes may be given."""
    max_workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory_limit_per_job: int = 512 * 1000**2
    """Bytes."""
    job_timeout: int | None = None
    """Seconds; None: no limit."""
    max_rows: int | None = None
    max_bytes: int | None = None
    max_pending_per_user: int = 100
    max_running_per_user: int | None = None
    """Jobs of one user that run at the same time; None: as many as there are workers."""
    max_attempts: int = 3
    """Tries of one job, the first included, when the errors are such that may pass."""
    retry_backoff: Backoff = "exponential"
    retry_delay: float = 2.0
    """Seconds before the second try; those before later ones grow from it."""
    retry_max_delay: float = 300.0
    stop_timeout: float = 10.0
    """Seconds that running jobs have to finish when the service is stopped."""
    max_disk: int | None = None
    """Bytes that uploads, spilled data and temporary exports may hold together; None: no limit."""
    min_free_disk: int = 200 * 1000**2
    """Bytes of a disk that stay free: before, new work that needs more is refused."""
    link_secret: str | None = field(default=None, repr=False)
    """Signs download links; None: a secret of the state folder's own."""
    link_max_expiry: str = "30d"
    """Longest time that a download link may be valid."""
    audit_retention: str = "365d"
    """How long entries of the audit trail are kept."""
    retention: str = "24h"
    admin_users: frozenset[str] = frozenset()
    secret_variables: frozenset[str] = frozenset()
    """Environment variables that hold secrets, beside those that ``connections`` name."""

    def __post_init__(self) -> None:
        for duration in (self.retention, self.link_max_expiry, self.audit_retention):
            seconds(duration)
        object.__setattr__(self, "connections", parse(self.connections))
        smallest = {"max_workers": 1, "memory_limit_per_job": 64 * 1000**2}
        counts = (
            "job_timeout", "max_rows", "max_bytes", "max_pending_per_user", "max_running_per_user",
            "max_attempts", "max_disk",
        )  # fmt: skip
        for name, least in {**smallest, **dict.fromkeys(counts, 1)}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidSpec(f"{name} is {value:,}.", hint=f"Use {least:,} or more.")
        for name in ("retry_delay", "retry_max_delay", "stop_timeout", "min_free_disk"):
            if getattr(self, name) < 0:
                raise InvalidSpec(f"{name} is negative.", hint="Use 0 or more.")

    @property
    def retention_seconds(self) -> int:
        return seconds(self.retention)

    @property
    def dialects(self) -> tuple[str, ...]:
        """The dialects of the databases among ``connections``, as far as they are known now."""
        described = (each.to_json(os.environ) for each in self.connections.values())
        known = {each["dialect"] for each in described if each["kind"] == "database"}
        return tuple(sorted(known))

    @property
    def withheld(self) -> frozenset[str]:
        """The environment variables that no worker process gets."""
        named = (each.variables for each in self.connections.values())
        return self.secret_variables.union(*named)

    @property
    def uploads(self) -> Path:
        return self.state_dir / "uploads"

    @property
    def scratch(self) -> Path:
        return self.state_dir / "scratch"
