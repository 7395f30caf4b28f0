"""A server process for tests that send it nonsense, with a little of everything in it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq

from jupyter_export.server.kernel_tokens import os_user

from ..kernel.conftest import Server, jupyter_server
from .client import PREFIX, arrow

FUZZ = float(os.environ.get("FUZZ", "1"))
"""How many times as long the fuzz goes on as it does among the other tests; then each run draws
new examples, else always the same."""

ROWS = pa.table(
    {
        "n": [1, 2, 3, None],
        "word": ["a", "b", None, "€ \u202e 😀"],
        "x": [0.5, float("nan"), None, -1e300],
        "day": pa.array([0, 1, 19000, None], pa.date32()),
        "at": pa.array([0, 1, 10**15, None], pa.timestamp("us", tz="Europe/Paris")),
        "list": [[1], [], None, [2, 3]],
        "flag": [True, False, None, True],
    }
)


def examples(short: int) -> hypothesis.settings:
    """Return the settings of a fuzz that draws ``short`` examples among the other tests."""
    return hypothesis.settings(
        max_examples=max(1, int(short * FUZZ)),
        derandomize=FUZZ == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


@dataclass
class Fuzzed:
    """A running server, and a client that is logged in."""

    server: Server
    http: httpx.Client
    home: Path

    def send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.request(method, path, **kwargs)

    def job(self, spec: dict[str, Any]) -> dict[str, Any]:
        answer = self.send("POST", "jobs", params={"wait": 30}, json=spec)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def upload(self, table: pa.Table) -> str:
        found: str = self.send("POST", "uploads", content=arrow(table)).json()["id"]
        return found

    def files(self) -> set[str]:
        """Return what lies under the server's root."""
        return {str(path.relative_to(self.server.root)) for path in self.server.root.rglob("*")}

    def uploads(self) -> set[str]:
        folder = self.home / "server" / "server-state" / "uploads"
        return {path.name for path in folder.iterdir()}

    def check_alive(self) -> None:
        """Fail when the process is gone, or has logged a failure of its own."""
        assert self.server.process.poll() is None, self.said()
        assert "Traceback" not in self.said(), self.said()

    def said(self) -> str:
        text = self.server.log.read_text(errors="replace")
        return text[max(0, text.find("Traceback") - 2000) :][:20_000]

    def until_final(self, job_id: str, seconds: float = 60) -> dict[str, Any]:
        """Return the job when it is final; fail when it hangs."""
        deadline = time.monotonic() + seconds
        while True:
            job: dict[str, Any] = self.send("GET", f"jobs/{job_id}").json()
            if job["status"] not in ("pending", "running"):
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.05)


@contextmanager
def fuzzed_server(home: Path) -> Iterator[Fuzzed]:
    """Start it with files, a database of two tables, and no limit on waiting jobs to speak of."""
    home.mkdir(exist_ok=True)
    with sqlite3.connect(home / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, price REAL)")
        database.execute("CREATE TABLE lines (order_id INTEGER, item BLOB)")
        database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)", [(n, f"note {n}", n / 4) for n in range(20)]
        )
        database.execute("INSERT INTO lines VALUES (3, x'00ff'), (4, 'text'), (4, 1.5)")
    database.close()
    with (
        jupyter_server(
            home / "server",
            f"--ExportApp.connections=shop=sqlite:///{home / 'shop.db'}",
            "--ExportApp.max_workers=1",
            f"--ExportApp.admin_users={os_user()}",
            "--ExportApp.max_pending_per_user=10000",
            "--ExportApp.job_timeout=30s",
            "--ServerApp.log_level=ERROR",
        ) as server,
        httpx.Client(
            base_url=f"{server.url}{PREFIX}/",
            headers={"Authorization": f"token {server.token}"},
            timeout=60,
        ) as http,
    ):
        (server.root / "rows.csv").write_text("a,b\n1,x\n2,y\n")
        (server.root / "rows.json").write_text('[{"a": 1, "b": {"c": [1, null]}}]')
        pq.write_table(ROWS, server.root / "rows.parquet")
        yield Fuzzed(server, http, home)
