"""Connections by name: secrets stay in the configuration or the environment, never in a spec.

A connection that is limited to other users does not exist for a caller: it is in no list, and
naming it gives the very sentence that an unknown name gives, as with other people's jobs. The
sentence says “that you may use”, so that whoever was left out can guess why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import InvalidRequest, InvalidSpec, NotFound, did_you_mean
from ..spec import ExportSpec, FileSource, SqlSource, TableSource
from .connectable import Connectable, Connections
from .model import Caller


def visible(known: Connections, caller: Caller) -> dict[str, Connectable]:
    """Return the connections that ``caller`` may use, in order of their names."""
    return {name: known[name] for name in sorted(known) if known[name].open_to(caller)}


def check(spec: ExportSpec, known: Connections, caller: Caller, environ: Mapping[str, str]) -> None:
    """Raise ``InvalidSpec`` when the spec names a connection that ``caller`` may not use (with the
    nearest that he may), or reads tables from a place with files, or files from a database."""
    mine = visible(known, caller)
    for place, source in _named(spec):
        name = source.connection or ""
        if name not in mine:
            raise InvalidSpec(_unknown(name), hint=_which(name, mine), field=f"{place}.connection")
        wanted = "files" if isinstance(source, FileSource) else "database"
        kind = mine[name].to_json(environ)["kind"]
        if kind is not None and kind != wanted:
            raise InvalidSpec(
                f"The connection “{name}” is a database, which has no files."
                if wanted == "files"
                else f"The connection “{name}” is a place with files, which has no tables.",
                hint="Use a source of type table or sql."
                if wanted == "files"
                else "Use a source of type file.",
                field=f"{place}.type",
            )


def one(name: str, known: Connections, caller: Caller) -> Connectable:
    """Return the connection, or raise ``NotFound`` with the nearest that ``caller`` may use."""
    mine = visible(known, caller)
    if name not in mine:
        raise NotFound(_unknown(name), hint=_which(name, mine))
    return mine[name]


def database(name: str, known: Connections, caller: Caller, environ: Mapping[str, str]) -> None:
    """Raise what ``one`` raises, and ``InvalidRequest`` for a place with files."""
    if one(name, known, caller).to_json(environ)["kind"] == "files":
        raise InvalidRequest(
            f"The connection “{name}” is a place with files, which has no tables.",
            hint="Name its files in a source of type file.",
        )


def named(spec: ExportSpec) -> list[str]:
    """Return the names of the connections that the spec names."""
    return list(dict.fromkeys(source.connection or "" for _, source in _named(spec)))


def resolve(
    names: Iterable[str],
    known: Connections,
    environ: Mapping[str, str],
    time_limit: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Return, for each of ``names``, the fields of its ``seams.Connection``, and of no others.

    ``time_limit``: seconds after which a statement is ended at the latest. Raises ``SourceFailed``
    when the environment lacks a variable, ``InvalidSpec`` for a name that is gone.
    """
    for name in names:
        if name not in known:
            raise InvalidSpec(_unknown(name), hint=_which(name, known))
    return {name: known[name].resolve(environ, time_limit) for name in names}


def _named(spec: ExportSpec) -> Iterator[tuple[str, TableSource | SqlSource | FileSource]]:
    for index, dataset in enumerate(spec.datasets):
        source = dataset.source
        if isinstance(source, (TableSource, SqlSource)) or (
            isinstance(source, FileSource) and source.connection is not None
        ):
            yield f"datasets[{index}].source", source


def _unknown(name: str) -> str:
    return f"“{name[:200]}” is not a connection that you may use."


def _which(name: str, mine: Mapping[str, Any]) -> str:
    if mine:
        return did_you_mean(name, mine)
    return "There is none: define it by c.ExportApp.connections in jupyter_export_config.py."
