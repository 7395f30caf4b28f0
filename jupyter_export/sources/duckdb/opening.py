"""A DuckDB file's URL -> the open file, with nothing else in reach."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import duckdb
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ... import engine
from ...errors import (
    ConnectionFailed,
    SourceFailed,
)
from ...registry import (
    Connection,
    Database,
    Surroundings,
)
from .database import DuckdbFile

_SETTING_UP = threading.Lock()


def open_duckdb(connection: Connection, here: Surroundings) -> Database:
    """Open the file. Raises what an ``OpenDatabase`` raises; a file that is not there is not
    made."""
    try:
        name = sa.engine.make_url(connection.url).database
    except (SQLAlchemyError, ValueError, TypeError):
        raise SourceFailed(
            f"The URL of the connection {connection.name} cannot be used.",
            hint="It has to be duckdb:///path/of/the/file.duckdb.",
        ) from None
    options = dict(connection.options)
    outside = bool(options.pop("enable_external_access", False))
    memory = not name or name == ":memory:"
    if not memory and not Path(str(name)).is_file():
        raise _not_opened(connection, "there is no such file")
    try:
        opened = duckdb.connect(
            ":memory:" if memory else str(name),
            read_only=connection.read_only and not memory,
            config={
                # other than a connection of the notebook's own, which must not be locked with ours
                "custom_user_agent": "jupyter_export",
                "memory_limit": f"{max(here.memory_limit // 1000**2, 64)}MB",
                "threads": max(here.threads, 1),
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                **options,
            },
        )
    except duckdb.Error as error:
        raise _not_opened(connection, _sentence(error, str(name))) from None
    try:
        _lock(opened, here, outside=outside)
        return DuckdbFile(opened, connection, here)
    except BaseException:
        opened.close()
        raise


def _not_opened(connection: Connection, why: str) -> ConnectionFailed:
    hint = None
    if "different configuration" in why:
        hint = (
            "This process holds the file open itself: close that connection, or export from it "
            "with --connection and its name in the notebook."
        )
    elif "lock" in why:
        hint = "Another process writes into the file: try again when it has closed it."
    return ConnectionFailed(f"The connection {connection.name} cannot be opened: {why}.", hint=hint)


def _sentence(error: BaseException, path: str) -> str:
    """Return the engine's sentence; where the file lies is the configuration's business."""
    said = engine.explain(error).message.removeprefix("The query failed: ").rstrip(".")
    named = "|".join(re.escape(each) for each in (str(Path(path).absolute()), path))
    said = re.sub(rf"(the )?(file |database )?\"?({named})\"?", "the file", said, flags=re.I)
    return said


def _lock(opened: duckdb.DuckDBPyConnection, here: Surroundings, *, outside: bool) -> None:
    """Let nothing else be read. Several jobs of one process share the file, and what they set."""
    with _SETTING_UP, engine.translated():
        locked = opened.execute("SELECT current_setting('lock_configuration')").fetchall()
        if locked[0][0]:
            return
        opened.execute(f"SET temp_directory = {engine.literal(str(here.scratch / 'duckdb'))}")
        opened.execute("SET GLOBAL TimeZone = 'UTC'")
        if not outside:
            opened.execute("SET enable_external_access = false")
        opened.execute("SET lock_configuration = true")
