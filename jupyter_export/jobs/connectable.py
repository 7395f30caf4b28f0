"""The setting ``connections``: what an installation defines, checked, with its secrets kept.

A URL (or an option) that says ``env:VARIABLE`` is looked up when a job starts, and not before.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from .. import registry
from ..errors import InvalidSpec, SourceFailed, did_you_mean
from ..spec import seconds
from .model import Caller

FROM_ENVIRONMENT = "env:"
FIELDS = ("url", "users", "read_only", "statement_timeout", "options")
BUILT_IN = frozenset({"mssql", "mysql", "mariadb", "oracle", "postgresql", "sqlite"})
"""Databases that SQLAlchemy brings; others are entry points."""
USUAL_PLACES = frozenset(
    re.findall(
        r"\w+",
        "abfs abfss adl az file ftp gcs gs hdfs hf http https local memory oci oss s3 s3a sftp smb "
        "ssh webhdfs",
    )
)
"""Schemes of fsspec that are places with files also where fsspec is not installed."""

_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.-]{1,200}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"([A-Za-z][\w.-]*)(?:\+[\w.-]+)?(?:://|::)")


@dataclass(frozen=True)
class Connectable:
    """One entry of the setting ``connections``, checked; nothing of it is looked up yet."""

    name: str
    url: str = field(repr=False)
    """An SQLAlchemy URL, an fsspec URL, or ``env:VARIABLE`` that holds one."""
    users: frozenset[str] | None = None
    """Who may use it beside administrators; None: everybody."""
    read_only: bool = True
    statement_timeout: int | None = None
    """Seconds; None: the time limit of jobs, if there is one."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """For the driver or file system; texts may be ``env:VARIABLE``."""

    def open_to(self, caller: Caller) -> bool:
        return caller.admin or self.users is None or caller.name in self.users

    @property
    def variables(self) -> frozenset[str]:
        """The environment variables that it is looked up in."""
        return frozenset(_variables((self.url, self.options)))

    def resolve(self, environ: Mapping[str, str], time_limit: int | None) -> dict[str, Any]:
        """Return the fields of a ``seams.Connection`` as JSON values; ``time_limit`` in seconds.

        Raises ``SourceFailed`` when the environment lacks a variable.
        """
        limits = [self.statement_timeout, time_limit]
        return {
            "url": self._looked_up(self.url, environ),
            "read_only": self.read_only,
            "statement_timeout": min((s for s in limits if s is not None), default=None),
            "options": self._looked_up(self.options, environ),
        }

    def to_json(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return what everybody may know of it: never the URL."""
        dialect = kind = error = None
        try:
            url = self._looked_up(self.url, environ)
            dialect, kind = dialect_of(url), kind_of(url)
        except SourceFailed as missing:
            error = missing.to_json()
        return {
            "name": self.name,
            "dialect": dialect,
            "kind": kind,
            "read_only": self.read_only,
            "statement_timeout": self.statement_timeout,
            "error": error,
        }

    def _looked_up(self, value: Any, environ: Mapping[str, str]) -> Any:
        if isinstance(value, Mapping):
            return {key: self._looked_up(each, environ) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._looked_up(each, environ) for each in value]
        if not isinstance(value, str) or not value.startswith(FROM_ENVIRONMENT):
            return value
        variable = value[len(FROM_ENVIRONMENT) :]
        found = environ.get(variable)
        if not found:
            raise SourceFailed(
                f"The connection “{self.name}” is not set up: the environment variable "
                f"{variable} is empty.",
                hint="Set it where Jupyter starts, to an SQLAlchemy URL."
                if value == self.url
                else "Set it where Jupyter starts.",
            )
        return found


Connections: TypeAlias = Mapping[str, Connectable]


def parse(given: Mapping[Any, Any]) -> dict[str, Connectable]:
    """Return the connections that the setting defines; a database that is away is no fault of it.

    Raises ``InvalidSpec``: one sentence with the connection's name and nothing of its URL.
    """
    return {name: _connectable(name, value) for name, value in given.items()}


def _connectable(name: Any, given: Any) -> Connectable:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidSpec(
            f"“{str(name)[:200]}” is not a name for one of the connections in the settings.",
            hint="Use letters, digits, “_”, “.” and “-”.",
        )
    if isinstance(given, Connectable):
        return given
    fields = given if isinstance(given, Mapping) else {"url": given}
    for key in fields:
        if key not in FIELDS:
            raise _wrong(name, f"has no field “{str(key)[:40]}”", did_you_mean(str(key), FIELDS))
    url = fields.get("url")
    if not isinstance(url, str) or not (url.startswith(FROM_ENVIRONMENT) or "://" in url):
        raise _wrong(
            name,
            "has no URL",
            "Write an SQLAlchemy URL, an fsspec URL, or “env:VARIABLE” that holds one.",
        )
    options = fields.get("options") or {}
    if not isinstance(options, Mapping) or not _fits_json(options):
        raise _wrong(name, "has options that cannot be used", "Write a mapping of plain values.")
    for variable in _variables((url, options)):
        if not _VARIABLE.fullmatch(variable):
            raise _wrong(
                name,
                "names no environment variable after “env:”",
                "Write “env:” and a name of letters, digits and “_”.",
            )
    read_only = fields.get("read_only", True)
    if not isinstance(read_only, bool):
        raise _wrong(name, "has a “read_only” that is neither true nor false")
    return Connectable(
        name=name,
        url=url,
        users=_users(name, fields.get("users")),
        read_only=read_only,
        statement_timeout=_timeout(name, fields.get("statement_timeout")),
        options=options,
    )


def _users(name: str, given: Any) -> frozenset[str] | None:
    if given is None:
        return None
    many = isinstance(given, (list, tuple, set, frozenset))
    if not many or not all(isinstance(each, str) and each for each in given):
        raise _wrong(
            name,
            "has “users” that are not a list of names",
            "Write a list such as [“ada”, “bob”]; leave it out for everybody.",
        )
    return frozenset(given)


def _timeout(name: str, given: Any) -> int | None:
    if given is None:
        return None
    found = given if isinstance(given, int) and not isinstance(given, bool) else 0
    if isinstance(given, str):
        try:
            found = int(given) if given.strip().isdecimal() else seconds(given)
        except InvalidSpec:
            found = 0
    if found < 1:
        raise _wrong(
            name,
            f"has a “statement_timeout” of “{str(given)[:40]}”",
            "Write a number of seconds, at least 1, or text such as 90s, 10m or 2h.",
        )
    return found


def _fits_json(options: Mapping[Any, Any]) -> bool:
    """A worker gets them as JSON."""
    try:
        json.dumps(options)
    except (TypeError, ValueError, RecursionError):
        return False
    return all(isinstance(key, str) for key in options)


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT):
        yield value[len(FROM_ENVIRONMENT) :]
    elif isinstance(value, Mapping):
        yield from _variables(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _variables(each)


def _wrong(name: str, what: str, hint: str | None = None) -> InvalidSpec:
    return InvalidSpec(f"The connection “{name}” in the settings {what}.", hint=hint)


# ------------------------------------------------------------------ what a URL tells


def dialect_of(url: str) -> str:
    """Return SQLAlchemy's name of a database (``postgresql``), or a place's scheme (``s3``)."""
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else "unknown"
    return {"postgres": "postgresql"}.get(scheme, scheme)


def kind_of(url: str) -> str:
    """Return ``database`` or ``files``. No driver is loaded to find out."""
    dialect = dialect_of(url)
    if dialect in _databases():
        return "database"
    return "files" if dialect in USUAL_PLACES or dialect in _places() else "database"


@cache
def _databases() -> frozenset[str]:
    groups = ("sqlalchemy.dialects", "jupyter_export.databases")
    plugged = {e.name.split(".")[0] for group in groups for e in entry_points(group=group)}
    return BUILT_IN | set(registry.DATABASES) | plugged


@cache
def _places() -> frozenset[str]:
    if importlib.util.find_spec("fsspec") is None:
        return frozenset()
    from fsspec.registry import known_implementations

    return frozenset(
        {*known_implementations, *(e.name for e in entry_points(group="fsspec.specs"))}
    )
