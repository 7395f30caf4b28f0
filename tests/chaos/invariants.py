"""What must hold whatever was killed: nothing lost, nothing doubled, nothing left behind."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jupyter_export.jobs.audit_trail import AuditTrail
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.service import utc_now
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.tables import jobs as jobs_table
from jupyter_export.jobs.tables import services as services_table
from jupyter_export.jobs.tables import uploads as uploads_table

from .harness import Home, Server, eventually
from .kinds import Kind, Sources, check_holds

FOLDERS = ("out", "exports")
SWEEP_SECONDS = 200.0
"""By then a sweep has come by that removes what an attempt left which was over a minute before."""


@dataclass
class Asked:
    """One export that was asked for; ``id`` is None when no answer came back."""

    name: str
    kind: Kind
    spec: dict[str, Any]
    path: str | None
    id: str | None = None


@dataclass
class Ledger:
    """All that was asked of one home, and where it was checked already."""

    home: Home
    sources: Sources
    asked: list[Asked] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    _number: int = 0
    _checked: set[str] = field(default_factory=set)

    def ask(self, server: Server, kind: Kind) -> Asked:
        """Ask for an export of this kind under a name of its own."""
        asked = self.prepare(kind)
        asked.id = server.submit(asked.spec)["id"]
        return asked

    def prepare(self, kind: Kind, path: str | None = None) -> Asked:
        self._number += 1
        name = f"{kind.name}-{self._number}"
        if path is None and kind.ending is not None:
            path = f"out/{name}{kind.ending}"
        spec = {"name": name, **kind.spec(self.sources)}
        if path is not None:
            spec["output"] = {"path": path, "if_exists": kind.if_exists}
            if kind.before is not None:
                place = self.home.root / path
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(kind.before)
        asked = Asked(name, kind, spec, path)
        self.asked.append(asked)
        return asked

    # ------------------------------------------------------------- checks

    def check(self, server: Server, *, allowed: Iterable[str] = ("completed",)) -> None:
        """Fail unless everything that was asked for ended in one of these ways, and left nothing
        but its files. Call it when every job is final."""
        jobs = self.check_jobs(server, allowed)
        self._check_files(list(jobs.values()))
        self._check_leftovers()
        self._check_store()

    def check_jobs(
        self, server: Server, allowed: Iterable[str] = ("completed",)
    ) -> dict[str, dict[str, Any]]:
        """Check the jobs and what is in their files, but not yet what else there is."""
        jobs = {job["id"]: job for job in server.jobs()}
        by_name = Counter(job["name"] for job in jobs.values())
        assert max(by_name.values(), default=1) == 1, f"doubled: {by_name.most_common(3)}"
        named = {job["name"]: job for job in jobs.values()}
        for asked in self.asked:
            if asked.id is not None:
                assert asked.id in jobs, f"{asked.name} ({asked.id}) is lost"
            if asked.name in named:
                self._check_job(asked, named[asked.name], frozenset(allowed))
        return jobs

    def _check_job(self, asked: Asked, job: dict[str, Any], allowed: frozenset[str]) -> None:
        if job["id"] in self._checked:
            return
        said = f"{asked.name} ({job['id']}): {job['status']}, {job['error']}, {job['history']}"
        assert job["status"] in allowed, said
        if job["status"] == "failed":
            error = job["error"]
            assert error["code"] != "internal_error", said
            assert error["message"].endswith("."), said
        _check_attempts(job, said)
        if job["status"] == "completed":
            self._check_result(asked, job)
        self._checked.add(job["id"])
        self.told[job["status"]] += 1
        self.told["again"] += job["attempt"] > 1

    def _check_result(self, asked: Asked, job: dict[str, Any]) -> None:
        result = job["result"]
        tables = asked.kind.holds(self.sources)
        assert result["rows"] == sum(table.num_rows for table in tables.values()), asked.name
        path = self.home.root / result["path"]
        check_holds(path, tables)
        files = {each["path"]: each for each in result["files"]}
        if path.is_file():
            files = {result["path"]: result}
        for name, file in files.items():
            data = (self.home.root / name).read_bytes()
            assert len(data) == file["bytes"], name
            assert hashlib.sha256(data).hexdigest() == file["sha256"], name
        if asked.path is not None and asked.kind.if_exists == "rename":
            assert (self.home.root / asked.path).read_bytes() == asked.kind.before
            assert result["path"] != asked.path
        elif asked.path is not None:
            assert result["path"] == asked.path

    def _check_files(self, jobs: list[dict[str, Any]]) -> None:
        """Each file below the root belongs to one completed job, or was there before."""
        known: Counter[str] = Counter()
        for job in jobs:
            if job["status"] == "completed":
                paths = {file["path"] for file in job["result"]["files"]}
                if (self.home.root / job["result"]["path"]).is_file():
                    paths = {job["result"]["path"]}
                known.update(paths)
        doubled = [path for path, count in known.items() if count > 1]
        assert not doubled, f"two jobs made {doubled}"
        finished = {job["name"] for job in jobs if job["status"] == "completed"}
        for asked in self.asked:
            if asked.path is None or asked.kind.before is None:
                continue
            if asked.kind.if_exists == "rename" or asked.name not in finished:
                known[asked.path] += 1
                assert (self.home.root / asked.path).read_bytes() == asked.kind.before, asked.path
        there = {
            path.relative_to(self.home.root).as_posix()
            for folder in FOLDERS
            for path in (self.home.root / folder).rglob("*")
            if not path.is_dir()
        }
        assert there == set(known), f"only there: {there - set(known)}, gone: {set(known) - there}"

    def _check_leftovers(self) -> None:
        home = self.home
        eventually(lambda: not home.workers_left(), "workers end with their server")
        for folder in FOLDERS:
            hidden = [str(path) for path in (home.root / folder).rglob(".*")]
            assert not hidden, f"left beside the targets: {hidden}"
        self._check_scratch()
        eventually(
            lambda: _files_in(home.state / "uploads") == self._uploads(),
            "uploads on the disk are those in the store: "
            f"{_files_in(home.state / 'uploads') ^ self._uploads()}",
        )
        locks = home.state / "instances"
        eventually(
            lambda: len(list(locks.glob("*.lock"))) <= len(home.living),
            "no lock is left of a service that is dead",
        )

    def _check_scratch(self) -> None:
        scratch = self.home.state / "scratch"

        def strange() -> list[str]:
            # What a worker needs to warm up is kept for some minutes: whose it was, nobody knows.
            return [path.name for path in scratch.iterdir() if not path.name.startswith("warm-")]

        try:
            eventually(lambda: not strange(), "the scratch folder is empty", SWEEP_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}: {strange()}") from None

    def _uploads(self) -> set[str]:
        return {f"{row.id}.arrows" for row in self._rows(sa.select(uploads_table.c.id))}

    def _check_store(self) -> None:
        eventually(
            lambda: len(self._rows(sa.select(services_table.c.id))) <= len(self.home.living),
            "no dead service has a lease",
        )
        active = jobs_table.c.status.in_(("pending", "running"))
        assert not self._rows(sa.select(jobs_table.c.id).where(active))
        if self.home.db_url is None:
            assert [tuple(row) for row in self._rows(sa.text("PRAGMA integrity_check"))] == [
                ("ok",)
            ]

        self._check_audit()

    def _check_audit(self) -> None:
        database = StoreDatabase(self.home.state, self.home.db_url)
        settings = Settings(
            root=self.home.root, state_dir=self.home.state, db_url=self.home.db_url
        )  # fmt: skip
        try:
            verdict = AuditTrail(database, settings, now=utc_now).verify()
        finally:
            database.close()
        assert verdict.whole, verdict.faults
        assert verdict.entries or not self.asked

    def _rows(self, statement: Any) -> list[Any]:
        engine = sa.create_engine(self.home.store_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return list(connection.execute(statement))


def _check_attempts(job: dict[str, Any], said: str) -> None:
    """The attempts follow one another: each begins when the one before is over."""
    history = job["history"]
    assert job["attempt"] == len(history) + 1, said
    assert [each["attempt"] for each in history] == list(range(1, len(history) + 1)), said
    for each in history:
        assert each["error"] is None or each["error"]["message"].endswith("."), said
    moments = [
        moment
        for each in [*history, job]
        for moment in (each["started_at"], each["finished_at"])
        if moment is not None
    ]
    assert moments == sorted(moments), said


def _files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def choice(chance: random.Random, kinds: Iterable[Kind], count: int) -> list[Kind]:
    return [chance.choice(list(kinds)) for _ in range(count)]
