"""A connection's URL -> one open connection in its transaction."""

from __future__ import annotations

from importlib.util import find_spec

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from ...errors import MissingDependency, SourceFailed
from ...registry import Connection, Database, Surroundings, interrupting, missing
from .database import SqlDatabase
from .failures import Redactor, not_opened
from .kinds import Kind
from .mysql import Mysql
from .others import Mssql, Oracle
from .sqlite import Sqlite

KINDS: dict[str, type[Kind]] = {
    "mariadb": Mysql,
    "mssql": Mssql,
    "mysql": Mysql,
    "oracle": Oracle,
    "sqlite": Sqlite,
}
"""SQLAlchemy's name of a dialect -> how it is read; the others as ``Kind``."""
_CHOSEN = {"mysql": ("pymysql", "MySQLdb"), "mariadb": ("pymysql", "MySQLdb")}
"""Dialect -> the driver that our extra brings, and SQLAlchemy's own, which is taken where it is."""
_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "snowflake": "snowflake-sqlalchemy",
}
"""Module -> the package that brings it, where the names differ."""


def open_database(connection: Connection, here: Surroundings) -> Database:
    """Open ``connection`` and begin its transaction. Raises what an ``OpenDatabase`` raises."""
    url = _url(connection)
    kind = KINDS.get(url.get_backend_name(), Kind)(connection, url)
    redact = Redactor(url)
    try:
        engine = kind.engine()
    except ModuleNotFoundError as error:
        raise _missing(error, connection) from error
    except (NoSuchModuleError, sa.exc.ArgumentError, TypeError, ValueError):
        # the URL holds a password: not a word of it may leave
        raise _unusable(connection) from None
    errors: tuple[type[Exception], ...] = (*kind.driver_errors, OSError)
    try:
        # a driver that waits for a server that does not answer cannot be ended; what follows can
        opened = engine.connect()
    except ModuleNotFoundError as error:
        engine.dispose()
        raise _missing(error, connection) from error
    except errors as error:
        engine.dispose()
        raise not_opened(connection.name, error, kind, redact) from None
    except (TypeError, ValueError):
        engine.dispose()
        raise _unusable(connection) from None
    try:
        with interrupting(here.cancelled, kind.interrupter(opened)):
            kind.begin(opened)
    except errors as error:
        opened.close()
        engine.dispose()
        raise not_opened(connection.name, error, kind, redact) from None
    except BaseException:
        opened.close()
        engine.dispose()
        raise
    return SqlDatabase(kind, engine, opened, redact, here)


def _url(connection: Connection) -> sa.URL:
    try:
        url = sa.engine.make_url(connection.url)
        if "+" not in url.drivername and url.drivername in _CHOSEN:
            ours, own = _CHOSEN[url.drivername]
            if find_spec(own) is None:
                url = url.set(drivername=f"{url.drivername}+{ours}")
        url.get_backend_name()
        url.get_dialect()
    except ModuleNotFoundError as error:
        raise _missing(error, connection) from error
    except NoSuchModuleError:
        raise SourceFailed(
            f"The URL of the connection {connection.name} cannot be used.",
            hint="SQLAlchemy knows no database of that name; its dialect may be a package of its "
            "own (snowflake-sqlalchemy, sqlalchemy-bigquery, …).",
        ) from None
    except (SQLAlchemyError, TypeError, ValueError):
        raise _unusable(connection) from None
    return url


def _missing(error: ModuleNotFoundError, connection: Connection) -> MissingDependency:
    needed = missing(error.name, f"The connection {connection.name}")
    package = _PACKAGES.get((error.name or "").split(".")[0])
    if package:
        needed.hint = f"pip install {package}"
    return needed


def _unusable(connection: Connection) -> SourceFailed:
    return SourceFailed(
        f"The URL of the connection {connection.name} cannot be used.",
        hint="It has to be an SQLAlchemy URL: dialect+driver://user:password@host/database.",
    )
