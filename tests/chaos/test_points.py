"""The server, or the machine, dies at each exact point of a job's way."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import httpx

from .conftest import MakeStage, Stage, some
from .faulty_server import STORE_POINTS, WORKER_POINTS
from .kinds import KINDS, Kind

BY_NAME = {kind.name: kind for kind in KINDS}
FOLDER = BY_NAME["folder"]
WAYS: list[tuple[str, Kind]] = [
    # What the short form takes comes first.
    ("after a job is stored", BY_NAME["csv"]),
    ("after it is noted as prepared", BY_NAME["replaced"]),
    ("before its end is stored", BY_NAME["renamed"]),
    (WORKER_POINTS[0], BY_NAME["zip"]),
    (WORKER_POINTS[1], BY_NAME["csv"]),
    (WORKER_POINTS[2], replace(FOLDER, if_exists="replace")),
    *((point, BY_NAME["csv"]) for point in STORE_POINTS if point != "after a job is stored"),
    *((WORKER_POINTS[0], BY_NAME[kind]) for kind in ("csv", "folder", "replaced")),
    *((WORKER_POINTS[1], BY_NAME[kind]) for kind in ("folder", "zip", "renamed", "replaced")),
    (WORKER_POINTS[1], replace(FOLDER, if_exists="replace")),
]
SHORT = 6
PUBLISHED = {"before its end is stored", "after its end is stored", WORKER_POINTS[1]}
"""There the file has its name: the job is completed, and nothing runs again."""
NOT_BEGUN = {"after a job is stored", "before a job begins"}


def test_a_death_at_each_point(make_stage: MakeStage) -> None:
    stage = make_stage(faults=("points",), rows=20_000, few=5_000)
    home, ledger = stage.home, stage.ledger
    for number, (point, kind) in enumerate(some(WAYS, SHORT)):
        path = f"out/{number}{kind.ending}"
        if kind.if_exists == "replace" and kind.before is None:
            make_folder(stage, path)
        asked = ledger.prepare(kind, path)
        asked.spec["name"] = asked.name = f"{point} #{number}"
        with suppress(httpx.TransportError):
            asked.id = stage.server.submit(asked.spec)["id"]
        stage.server.wait_until_it_ends()
        stage.server = home.serve(faults=("points",))
        stage.server.settle()
        jobs = [job for job in stage.server.jobs() if job["name"] == asked.name]
        try:
            assert len(jobs) == (point != "before a job is stored")
            for job in jobs:
                wanted = (1,) if point in PUBLISHED else (1, 2) if point in NOT_BEGUN else (2,)
                assert job["attempt"] in wanted, job
            ledger.check(stage.server)
        except BaseException:
            print(f"died: {point}, as {kind.name}, if_exists {kind.if_exists}: {jobs}")
            raise


def make_folder(stage: Stage, path: str) -> None:
    """Export a folder that another export will replace, and forget how it came about."""
    dataset = {"source": {"type": "file", "path": stage.ledger.sources.file}}
    spec = {
        "datasets": [{**dataset, "name": "big"}, {**dataset, "name": "small"}],
        "format": "csv",
        "output": {"path": path},
    }
    job = stage.server.final(stage.server.submit(spec)["id"])
    assert job["status"] == "completed", job
    stage.server.ask("DELETE", f"jobs/{job['id']}")
