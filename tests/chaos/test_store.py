"""A broken store: the server lives, says so in a sentence, and leaves the file to rescue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import some
from .harness import Home

SENTENCES = {"server_unavailable"}


def garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 5000)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def torn(path: Path) -> None:
    """Overwrite the pages behind the first: it opens, and what is read is nonsense."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


@pytest.mark.parametrize("damage", some([torn, garbage, half], 1))
def test_a_corrupt_store(make_home: Callable[..., Home], damage: Callable[[Path], None]) -> None:
    home = make_home()
    server = home.serve()
    (home.root / "rows.csv").write_text("n\n1\n2\n")
    spec = {"source": {"type": "file", "path": "rows.csv"}, "output": {"path": "a.csv"}}
    server.final(server.submit(spec)["id"])
    server.stop()
    store = home.state / "jobs.sqlite"
    for name in ("jobs.sqlite-wal", "jobs.sqlite-shm"):
        (home.state / name).unlink(missing_ok=True)
    damage(store)
    damaged = store.read_bytes()
    server = home.serve()
    for method, path, body in (("GET", "jobs", None), ("POST", "jobs", spec)):
        answer = server.request(method, path, json=body)
        assert answer.status_code == 503, (damage.__name__, answer.text)
        said = answer.json()["error"]
        assert said["code"] in SENTENCES, said
        assert "store" in said["message"], said
        assert said["hint"], said
    assert server.alive
    assert server._client.get("api/contents").status_code == 200
    assert server._client.get("api/status").status_code == 200
    assert (home.root / "a.csv").exists()
    server.stop()
    assert store.read_bytes() == damaged
    # With the file out of the way all begins anew.
    store.rename(home.state / "rescued.sqlite")
    for name in ("jobs.sqlite-wal", "jobs.sqlite-shm"):
        (home.state / name).unlink(missing_ok=True)
    server = home.serve()
    assert server.jobs() == []
