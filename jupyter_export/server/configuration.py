"""From traitlets, which check one value at a time, to one checked ``Settings``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import platformdirs

from ..errors import InvalidRequest, InvalidSpec
from ..jobs.connectable import FROM_ENVIRONMENT, parse
from ..jobs.settings import Backoff, Settings
from ..spec import seconds

if TYPE_CHECKING:
    from .app import ExportApp

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
MIN_SECRET = 32
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def default_state_dir() -> Path:
    """Return the user's folder for state that outlives a server: one for each user."""
    return Path(platformdirs.user_state_path("jupyter-export", appauthor=False))


def settings_from(app: ExportApp, *, root: Path, allow_hidden: bool = False) -> Settings:
    """Return the settings of ``app``, or raise ``InvalidRequest`` with a sentence."""
    for name in ("retention", "link_max_expiry", "audit_retention"):
        _duration(name, str(getattr(app, name)))
    for name, value in (
        ("max_workers", app.max_workers),
        ("max_pending_per_user", app.max_pending_per_user),
        ("max_running_per_user", app.max_running_per_user),
        ("max_attempts", app.max_attempts),
        ("max_rows", app.max_rows),
    ):
        if value is not None and value < 1:
            raise _wrong(name, value, "It must be at least 1.")
    output_dir = str(app.output_dir)
    if not output_dir or os.path.isabs(output_dir) or ".." in Path(output_dir).parts:
        raise _wrong("output_dir", output_dir, "Name a folder below the server's root.")
    memory = size("memory_limit_per_job", app.memory_limit_per_job)
    if memory is None or memory < 64 * 1000**2:
        raise _wrong("memory_limit_per_job", app.memory_limit_per_job, "At least 64MB are needed.")
    return Settings(
        root=root,
        state_dir=Path(os.path.abspath(os.path.expanduser(app.state_dir))),
        confined=True,
        allow_hidden=allow_hidden,
        output_dir=output_dir,
        db_url=_db_url(app.db_url),
        connections=parse(app.connections),
        secret_variables=frozenset([*_variable(app.db_url), *_variable(app.link_secret)]),
        max_workers=app.max_workers,
        memory_limit_per_job=memory,
        job_timeout=_timeout(app.job_timeout),
        max_rows=app.max_rows,
        max_bytes=size("max_bytes", app.max_bytes),
        max_pending_per_user=app.max_pending_per_user,
        max_running_per_user=app.max_running_per_user,
        max_attempts=app.max_attempts,
        retry_backoff=cast(Backoff, app.retry_backoff),
        retry_delay=_wait("retry_delay", app.retry_delay),
        retry_max_delay=_wait("retry_max_delay", app.retry_max_delay),
        stop_timeout=_wait("stop_timeout", app.stop_timeout),
        max_disk=size("max_disk", app.max_disk),
        min_free_disk=0
        if str(app.min_free_disk) == "0"
        else size("min_free_disk", app.min_free_disk) or 0,
        link_secret=_link_secret(app.link_secret),
        link_max_expiry=str(app.link_max_expiry),
        audit_retention=str(app.audit_retention),
        retention=str(app.retention),
        admin_users=frozenset(app.admin_users),
    )


def size(name: str, value: str | int) -> int | None:
    """Return bytes: 512MB is 512,000,000 and 512MiB 536,870,912; None for an empty text."""
    if value == "":
        return None
    found = _SIZE.fullmatch(str(value).strip())
    count = 0
    if found:
        unit = found[2].lower()
        count = int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[unit])
    if count < 1:
        raise _wrong(name, value, "Write a number of bytes, or text such as 512MB or 2GB.")
    return count


def _timeout(value: str | int) -> int | None:
    if value == "":
        return None
    text = str(value).strip()
    found = int(text) if text.isdecimal() else _duration("job_timeout", text)
    if found < 1:
        raise _wrong("job_timeout", value, "It must be at least one second.")
    return found


def _wait(name: str, value: str | int) -> float:
    """Return seconds, 0 or more."""
    text = str(value).strip()
    return float(text) if text.isdecimal() else float(_duration(name, text))


def _duration(name: str, text: str) -> int:
    try:
        return seconds(text)
    except InvalidSpec as error:
        raise _wrong(name, text, error.hint or "") from None


def _link_secret(value: str | None) -> str | None:
    found = _looked_up("link_secret", value)
    if found is not None and len(found) < MIN_SECRET:
        raise InvalidRequest(
            f"ExportApp.link_secret is shorter than {MIN_SECRET} characters.",
            hint="Make one with: python -c 'import secrets; print(secrets.token_hex())'",
        )
    return found


def _looked_up(name: str, value: str | None) -> str | None:
    """Return what stands in the environment variable where the value is ``env:VARIABLE``."""
    for variable in _variable(value):
        value = os.environ.get(variable, "")
        if not value:
            raise InvalidRequest(
                f"ExportApp.{name} names the environment variable {variable}, which is not set."
            )
    return value or None


def _db_url(value: str | None) -> str | None:
    """Return the URL, looked up where it is ``env:VARIABLE``; messages never show it."""
    value = _looked_up("db_url", value)
    if value is None:
        return None
    if "://" not in value:
        raise InvalidRequest(
            "ExportApp.db_url is not a database URL.",
            hint="It looks like postgresql+psycopg://user:password@host/database.",
        )
    return value


def _variable(value: str | None) -> Iterator[str]:
    """Yield the environment variable that the value stands in, if it does."""
    if value and value.startswith(FROM_ENVIRONMENT):
        yield value.removeprefix(FROM_ENVIRONMENT)


def _wrong(name: str, value: object, hint: str) -> InvalidRequest:
    return InvalidRequest(f"ExportApp.{name} is “{value}”.", hint=hint)
