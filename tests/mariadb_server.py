"""A real MariaDB of the tests' own: no service, no user added, gone afterwards.

Its programs come from the PATH or ``/usr/sbin`` (Debian: ``apt install mariadb-server``). Where
they are missing, tests are skipped, and fail on CI.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 30
PASSWORD = "tOp-s3cret-w0rd"


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """Yield the SQLAlchemy URL (PyMySQL, TCP) of an empty database with all rights.

    It names no driver, and it has a password.
    """
    server, install = _program("mariadbd"), _program("mariadb-install-db")
    # short: the path of a socket has at most 107 characters
    base = Path(tempfile.mkdtemp(prefix="jupyter-export-my-", dir="/tmp"))
    try:
        identity = _identity(base)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        _install(install, base, identity)
        process = _start(server, base, port, identity)
        try:
            _wait(process, port, base / "log")
            yield f"mysql://tester:{PASSWORD}@127.0.0.1:{port}/test"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(
        name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin"
    )
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing: apt-get install mariadb-server")
        pytest.skip(f"{name} is not installed")
    return found


def _identity(base: Path) -> dict[str, Any]:
    """Return, for root, whom to run as: MariaDB refuses root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    base.chmod(0o755)
    shutil.chown(base, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def _settings(base: Path, identity: dict[str, Any]) -> dict[str, Any]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    return {"cwd": base, "env": {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(base)}, **identity}


def _install(program: str, base: Path, identity: dict[str, Any]) -> None:
    made = subprocess.run(
        [
            program,
            "--no-defaults",
            f"--datadir={base / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **_settings(base, identity),
    )
    assert made.returncode == 0, made.stdout.decode(errors="replace")


def _start(
    program: str, base: Path, port: int, identity: dict[str, Any]
) -> subprocess.Popen[bytes]:
    first = base / "first.sql"
    # one statement a line
    first.write_text(
        "CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4;\n"
        f"CREATE USER IF NOT EXISTS tester IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO tester WITH GRANT OPTION;\n"
    )
    with open(base / "log", "wb") as log:
        return subprocess.Popen(
            [
                program,
                "--no-defaults",
                f"--datadir={base / 'data'}",
                f"--socket={base / 's'}",
                f"--pid-file={base / 'pid'}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                f"--init-file={first}",
                "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=64M",
                "--character-set-server=utf8mb4",
            ],
            stdout=log,
            stderr=log,
            **_settings(base, identity),
        )


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    pymysql = importlib.import_module("pymysql")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            pymysql.connect(
                host="127.0.0.1", port=port, user="tester", password=PASSWORD, database="test"
            ).close()
            return
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[:5000]) from None
            time.sleep(0.05)
