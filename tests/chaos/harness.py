"""A real Jupyter server in a process group of its own, over folders that outlive it.

Whatever happens to the tests, nothing of theirs stays: the system kills a server whose parent is
gone (``PR_SET_PDEATHSIG``), and a worker ends when its server does.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa

SOURCE = Path(__file__).parents[2]
API = "jupyter-export/v1/"
PATIENCE = 100.0
"""Seconds after which something that must happen has not: generous, for a machine full of work."""
LAUNCHER = Path(__file__).with_name("faulty_server.py")
_INHERITED = (
    "JUPYTER_EXPORT_SERVER", "JUPYTER_EXPORT_TOKEN", "JUPYTER_EXPORT_ROOT", "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
)  # fmt: skip
_OTHER_EXTENSIONS = (
    "jupyter_lsp", "jupyter_server_terminals", "jupyterlab", "notebook", "notebook_shim",
)  # fmt: skip
"""They only make a start longer."""
_STOPPED = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


class NotInTime(AssertionError):
    """Something that must happen did not."""


def eventually(predicate: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Return the first true value of ``predicate``; raise ``NotInTime`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


class Home:
    """The folders of a server: its root, its state, its configuration; and its servers."""

    def __init__(
        self,
        folder: Path,
        *,
        db_url: str | None = None,
        connections: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.state = folder / "state"
        self.db_url = db_url
        self.connections = dict(connections or {})
        self.options: dict[str, Any] = {
            "max_workers": 2, "retry_delay": 1, "min_free_disk": 0, **(options or {}),
        }  # fmt: skip
        self.servers: list[Server] = []
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("config", "deaths"):
            (folder / name).mkdir(exist_ok=True)

    @property
    def store_url(self) -> str:
        return self.db_url or f"sqlite:///{self.state / 'jobs.sqlite'}"

    def serve(
        self, *, faults: Collection[str] = (), launch: Iterable[str] = (), **options: Any
    ) -> Server:
        """Start a server and wait until it answers.

        ``faults``: what ``faulty_server`` does to it; ``launch``: the beginning of its command.
        """
        server = Server(self, faults, launch, {**self.options, **options})
        self.servers.append(server)
        server.wait_until_it_answers()
        return server

    @property
    def living(self) -> list[Server]:
        return [server for server in self.servers if server.alive]

    def workers_left(self) -> list[psutil.Process]:
        """Return the workers, of this home, whose server is gone."""
        servers = {server.pid for server in self.living}
        return [worker for worker in workers_in(self.state) if _parent(worker) not in servers]

    def log(self) -> str:
        texts = [
            path.read_text(errors="replace") for path in sorted(self.folder.glob("server-*.log"))
        ]
        return "\n".join(texts)

    def close(self) -> None:
        """Kill everything that still runs here."""
        for server in self.servers:
            server.kill_all()
        for worker in workers_in(self.state):
            _signal(worker, signal.SIGKILL)


class Server:
    """One server process and a client of its routes."""

    def __init__(
        self,
        home: Home,
        faults: Collection[str],
        launch: Iterable[str],
        options: Mapping[str, Any],
    ) -> None:
        self.home = home
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.log = home.folder / f"server-{len(home.servers):03}.log"
        program = [sys.executable, "-m", "jupyter", "server"]
        if faults:
            program = [sys.executable, str(LAUNCHER), *faults, "--"]
        config = home.folder / "config"
        settings = {"ExportApp": {"connections": home.connections}}
        (config / "jupyter_export_config.json").write_text(json.dumps(settings))
        extensions = {"jupyter_export": True, **dict.fromkeys(_OTHER_EXTENSIONS, False)}
        (config / "jupyter_server_config.json").write_text(
            json.dumps({"ServerApp": {"jpserver_extensions": extensions}})
        )
        given = [f"--ExportApp.{name}={value}" for name, value in options.items()]
        if home.db_url:
            given.append("--ExportApp.db_url=env:CHAOS_STORE")
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    "setpriv", "--pdeathsig", "KILL", *launch, *program,
                    "--no-browser", "--allow-root",
                    "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}",
                    "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}",
                    f"--ServerApp.root_dir={home.root}",
                    f"--ExportApp.state_dir={home.state}",
                    *given,
                ],
                env=_environment(home), cwd=home.root, stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/",
            headers={"Authorization": f"token {self.token}"},
            timeout=60,
            trust_env=False,
        )

    # ------------------------------------------------------------- process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes, idle ones too."""
        try:
            children = psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if _is_worker(child)]

    def kill(self) -> None:
        """Kill the server alone; its workers must end by themselves."""
        self._process.kill()
        self._process.wait(30)
        self._client.close()

    def kill_all(self) -> None:
        """Kill the server and its workers at once, as when the machine loses its power."""
        workers = self.workers()
        for worker in workers:
            _signal(worker, signal.SIGSTOP)
        self.kill()
        for worker in workers:
            _signal(worker, signal.SIGKILL)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as an administrator does (SIGTERM), and wait for that."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._client.close()

    def wait_until_it_answers(self) -> None:
        def answers() -> bool:
            if not self.alive:
                said = self.log.read_text(errors="replace")
                raise AssertionError(f"The server ended with {self._process.returncode}:\n{said}")
            try:
                self.request("GET", "formats")
            except httpx.TransportError:
                return False
            return True

        eventually(answers, "the server answers")

    def wait_until_it_ends(self) -> None:
        self._process.wait(PATIENCE)
        self._client.close()

    # ------------------------------------------------------------- requests

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Ask the extension; raises ``httpx.TransportError`` when the server goes away."""
        return self._client.request(method, API + path, **how)

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Return the JSON of an answer that must be a success."""
        answer = self.request(method, path, json=body, params=params)
        assert answer.status_code < 300, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def upload(self, table: pa.Table) -> str:
        answer = self.request("POST", "uploads", content=arrow_stream(table))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def submit(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        job: dict[str, Any] = self.ask("POST", "jobs", spec)
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.ask("GET", f"jobs/{job_id}")
        return job

    def jobs(self, **filters: Any) -> list[dict[str, Any]]:
        """Return all jobs, of every page."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.ask("GET", "jobs", limit=500, **({"cursor": cursor} if cursor else filters))
            found += page["jobs"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def settle(self, seconds: float = PATIENCE) -> None:
        """Wait until every job is final."""

        def active() -> list[dict[str, Any]]:
            return self.jobs(status="pending,running")

        try:
            eventually(lambda: not active(), "every job is final", seconds)
        except NotInTime:
            left = json.dumps(active(), indent=1)
            raise NotInTime(f"jobs that never end: {left}\n{self.home.log()[-6000:]}") from None

    def final(self, job_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            job = self.job(job_id)
            return None if job["status"] in ("pending", "running") else job

        found: dict[str, Any] = eventually(ended, f"the job {job_id} is final", seconds)
        return found

    def failed_once(self, job_id: str, tries: int = 1) -> dict[str, Any]:
        """Return the job when so many of its attempts have failed; fail when it is final before."""

        def failed() -> dict[str, Any] | None:
            job = self.job(job_id)
            if len(job["history"]) >= tries:
                return job
            assert job["status"] in ("pending", "running"), job
            return None

        found: dict[str, Any] = eventually(failed, f"an attempt of {job_id} has failed")
        return found


def arrow_stream(table: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=50_000)
    return bytes(out.getvalue())


def workers_in(state: Path) -> list[psutil.Process]:
    """Return every worker process that works in this state folder, whosever child it is."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.readlink(f"/proc/{process.pid}/cwd").startswith(str(state)) and _is_worker(
                process
            ):
                found.append(process)
    return found


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.status() not in _STOPPED and any(
            "jupyter_export.jobs.worker" in part for part in process.cmdline()
        )
    except psutil.Error:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _environment(home: Home) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    store = {"CHAOS_STORE": home.db_url} if home.db_url else {}
    return {
        **kept,
        **store,
        "CHAOS_DEATHS": str(home.folder / "deaths"),
        "PYTHONPATH": str(SOURCE),
        "PYTHONWARNINGS": "default",
        "JUPYTER_CONFIG_DIR": str(home.folder / "config"),
        "JUPYTER_DATA_DIR": str(home.folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(home.folder / "runtime"),
        "IPYTHONDIR": str(home.folder / "ipython"),
        "XDG_STATE_HOME": str(home.folder / "xdg"),
    }
