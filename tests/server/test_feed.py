"""The feed: the newest state for each watcher, and nothing kept for those who left."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

from jupyter_export.jobs.model import Job, Status
from jupyter_export.server.feed import JobFeed


def job(version: int, status: Status = "running", job_id: str = "j1") -> Job:
    return Job(
        id=job_id,
        name="x",
        status=status,
        format="csv",
        created_by="ada",
        created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
        spec={},
        path="x.csv",
        temporary=False,
        version=version,
    )


async def test_a_slow_watcher_gets_the_newest_state_only() -> None:
    feed = JobFeed()
    with feed.watch("j1") as watch:
        for version in range(1000):
            feed.tell(job(version))
        feed.tell(job(5, job_id="other"))
        newest = await watch.change(1)
        assert newest is not None
        assert newest.version == 999
        assert await watch.change(0.01) is None
    assert feed.watching == 0


async def test_every_watcher_hears_of_a_change() -> None:
    feed = JobFeed()
    with feed.watch("j1") as one, feed.watch("j1") as two:
        feed.tell(job(1, "completed"))
        assert [await one.change(1), await two.change(1)] == [job(1, "completed")] * 2


async def test_closing_ends_every_wait() -> None:
    feed = JobFeed()
    with feed.watch("j1") as watch:
        waiting = asyncio.ensure_future(watch.change(60))
        await asyncio.sleep(0)
        feed.close()
        assert await asyncio.wait_for(waiting, 1) is None
        assert watch.closed
    with feed.watch("j1") as late:
        assert await late.change(60) is None


async def test_it_counts_active_jobs() -> None:
    feed = JobFeed()
    feed.tell(job(1))
    feed.tell(job(1, job_id="j2"))
    assert feed.active == 2
    feed.tell(job(2, "failed"))
    assert feed.active == 1
