import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';

import { ExportJobs } from '../src/model';
import { RequestFailed } from '../src/tokens';
import type { IExportsServer, Job, JobPage } from '../src/tokens';
import { makeEvent, makeJob } from './jobs';

/** Answers from a map of jobs, when a test lets it. */
class FakeServer implements IExportsServer {
  readonly jobs = new Map<string, Job>();
  readonly asked: string[] = [];
  failure: RequestFailed | null = null;
  /** While set, answers are made at once but delivered after it. */
  gate: Promise<void> | null = null;

  list(): Promise<JobPage> {
    return this.answer('list', () => ({
      jobs: [...this.jobs.values()],
      next_cursor: null
    }));
  }

  get(id: string): Promise<Job> {
    return this.answer(`get ${id}`, () => this.job(id));
  }

  cancel(id: string): Promise<Job> {
    return this.answer(`cancel ${id}`, () => {
      const job: Job = { ...this.job(id), status: 'cancelled' };
      this.jobs.set(id, job);
      return job;
    });
  }

  retry(id: string): Promise<Job> {
    return this.answer(`retry ${id}`, () => {
      const job: Job = { ...this.job(id), status: 'pending', attempt: 2 };
      this.jobs.set(id, job);
      return job;
    });
  }

  remove(id: string): Promise<void> {
    return this.answer(`remove ${id}`, () => {
      this.job(id);
      this.jobs.delete(id);
    });
  }

  downloadUrl(id: string): string {
    return `/${id}`;
  }

  private job(id: string): Job {
    const job = this.jobs.get(id);
    if (job === undefined) {
      throw new RequestFailed('There is no such job.', 404);
    }
    return job;
  }

  private async answer<T>(what: string, make: () => T): Promise<T> {
    this.asked.push(what);
    if (this.failure !== null) {
      throw this.failure;
    }
    const value = make();
    await this.gate;
    return value;
  }
}

/** Let all answers that are ready arrive. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

function gate(): { closed: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const closed = new Promise<void>(resolve => (open = resolve));
  return { closed, open };
}

describe('ExportJobs', () => {
  let server: FakeServer;
  let jobs: ExportJobs;

  beforeEach(async () => {
    server = new FakeServer();
    server.jobs.set('a', makeJob('a'));
    jobs = new ExportJobs(server);
    await jobs.refresh();
    server.asked.length = 0;
  });

  it('has the list and tells of changes', () => {
    let changes = 0;
    jobs.changed.connect(() => (changes += 1));
    assert.equal(jobs.connection, 'ready');
    jobs.report(makeEvent('a', 'running', 5));
    assert.equal(jobs.list.jobs.get('a')?.progress?.rows, 5);
    assert.equal(changes, 1);
    assert.deepEqual(server.asked, []);
  });

  it('reads a job that it did not know', async () => {
    server.jobs.set('b', makeJob('b'));
    jobs.report(makeEvent('b', 'running'));
    await settled();
    assert.equal(jobs.list.jobs.get('b')?.name, 'export-b');
  });

  it('asks once about a job that is not ours', async () => {
    jobs.report(makeEvent('theirs', 'running'));
    await settled();
    jobs.report(makeEvent('theirs', 'completed'));
    await settled();
    assert.deepEqual(server.asked, ['get theirs']);
    assert.equal(jobs.list.jobs.has('theirs'), false);
  });

  it('asks again when asking failed for another reason', async () => {
    server.jobs.set('b', makeJob('b'));
    server.failure = new RequestFailed('Busy.', 503);
    jobs.report(makeEvent('b', 'running'));
    await settled();
    server.failure = null;
    jobs.report(makeEvent('b', 'running'));
    await settled();
    assert.ok(jobs.list.jobs.has('b'));
  });

  it('reads a job again that ended while it was being read', async () => {
    const { closed, open } = gate();
    server.jobs.set('b', makeJob('b'));
    server.gate = closed;
    jobs.report(makeEvent('b', 'running'));
    server.jobs.set('b', makeJob('b', { status: 'completed' }));
    jobs.report(makeEvent('b', 'completed'));
    open();
    await settled();
    assert.deepEqual(server.asked, ['get b', 'get b']);
    assert.equal(jobs.list.jobs.get('b')?.status, 'completed');
  });

  it('does not let an old list undo newer events', async () => {
    const { closed, open } = gate();
    server.gate = closed;
    const refreshed = jobs.refresh();
    server.jobs.set('a', makeJob('a', { status: 'completed' }));
    jobs.report(makeEvent('a', 'completed'));
    open();
    await refreshed;
    await settled();
    assert.equal(jobs.list.jobs.get('a')?.status, 'completed');
  });

  it('reads the list once for refreshes at the same time', async () => {
    await Promise.all([jobs.refresh(), jobs.refresh()]);
    assert.deepEqual(server.asked, ['list']);
  });

  it('cancels, and is busy meanwhile', async () => {
    const cancelled = jobs.cancel('a');
    assert.equal(jobs.isBusy('a'), true);
    await jobs.cancel('a');
    await cancelled;
    assert.equal(jobs.isBusy('a'), false);
    assert.deepEqual(server.asked, ['cancel a']);
    assert.equal(jobs.list.jobs.get('a')?.status, 'cancelled');
  });

  it('does not take a job for gone when nobody is logged in', async () => {
    await jobs.refresh();
    server.failure = new RequestFailed('Forbidden', 403);
    const following = jobs.follow('a');
    jobs.report(makeEvent('a', 'completed'));
    await settled();
    await jobs.refreshFollowed();
    assert.equal(jobs.isUnknown('a'), false);
    assert.equal(jobs.connection, 'unreachable');

    server.failure = null;
    server.jobs.set('a', makeJob('a', { status: 'completed' }));
    await jobs.refresh();
    assert.equal(jobs.list.jobs.get('a')?.status, 'completed');
    following.dispose();
  });

  it('says why a request failed, until dismissed', async () => {
    server.failure = new RequestFailed('You may not.', 403);
    await jobs.cancel('a');
    assert.equal(jobs.problem, 'export-a could not be cancelled. You may not.');
    jobs.dismissProblem();
    assert.equal(jobs.problem, null);
  });

  it('removes, also what is gone, and stays deaf to its last events', async () => {
    server.jobs.clear();
    await jobs.remove('a');
    assert.equal(jobs.problem, null);
    jobs.report(makeEvent('a', 'cancelled'));
    await settled();
    assert.equal(jobs.list.jobs.size, 0);
    assert.deepEqual(server.asked, ['remove a']);
  });

  it('does not let an old list bring back what was removed', async () => {
    const { closed, open } = gate();
    server.gate = closed;
    const refreshed = jobs.refresh();
    server.gate = null;
    await jobs.remove('a');
    open();
    await refreshed;
    await settled();
    assert.equal(jobs.list.jobs.size, 0);
  });

  it('tells a missing extension from a server that does not answer', async () => {
    server.failure = new RequestFailed('Not found.', 404);
    await jobs.refresh();
    assert.equal(jobs.connection, 'missing');

    server.failure = new RequestFailed('The server does not answer.', 0);
    await jobs.refresh();
    assert.equal(jobs.connection, 'unreachable');
    assert.match(jobs.problem ?? '', /does not answer/);
    assert.ok(jobs.list.jobs.has('a'), 'the last list stays');

    server.failure = null;
    await jobs.refresh();
    assert.equal(jobs.connection, 'ready');
    assert.equal(jobs.problem, null, 'a readable list solves it');
  });

  it('keeps the sentence of a failed cancel over a refresh', async () => {
    server.failure = new RequestFailed('Too late.', 409);
    await jobs.cancel('a');
    server.failure = null;
    await jobs.refresh();
    assert.match(jobs.problem ?? '', /Too late/);
  });

  it('retries, and forgets what was wrong before', async () => {
    server.jobs.set('a', makeJob('a', { status: 'failed' }));
    await jobs.refresh();
    server.failure = new RequestFailed('The queue is full.', 429);
    await jobs.retry('a');
    const sentence = 'export-a could not be retried. The queue is full.';
    assert.equal(jobs.problemOf('a'), sentence);
    jobs.report(makeEvent('a', 'failed'));
    assert.equal(jobs.problemOf('a'), sentence);
    jobs.report(makeEvent('a', 'expired'));
    assert.equal(jobs.problemOf('a'), null);
    server.failure = new RequestFailed('The queue is full.', 429);
    await jobs.retry('a');
    jobs.dismissProblem();
    assert.equal(jobs.problemOf('a'), null);
    await jobs.retry('a');
    server.failure = null;
    await jobs.retry('a');
    assert.equal(jobs.problemOf('a'), null);
    assert.equal(jobs.list.jobs.get('a')?.attempt, 2);
  });

  it('reads when and why a job is tried again by itself', async () => {
    const retry_at = '2026-03-10T09:42:00Z';
    server.jobs.set('a', makeJob('a', { status: 'pending', retry_at }));
    jobs.report(makeEvent('a', 'pending'));
    await settled();
    assert.equal(jobs.list.jobs.get('a')?.retry_at, retry_at);
  });

  describe('following', () => {
    /** The list of the server does not reach as far back as this job. */
    function addOld(id: string, changes: Partial<Job> = {}): void {
      const old = makeJob(id, changes);
      const { get } = server;
      server.get = wanted =>
        wanted === id
          ? get.call(server, 'a').then(() => old)
          : get.call(server, wanted);
    }

    it('reads a job that is not on the list, after the list', async () => {
      addOld('old', { created_at: '2025-01-01T00:00:00Z' });
      jobs = new ExportJobs(server);
      jobs.follow('old');
      await settled();
      assert.equal(server.asked[0], 'list');
      assert.equal(jobs.list.jobs.get('old')?.id, 'old');
    });

    it('knows what the server does not know', async () => {
      assert.equal(jobs.isUnknown('gone'), false);
      jobs.follow('gone');
      await settled();
      assert.equal(jobs.isUnknown('gone'), true);
      server.asked.length = 0;
      await jobs.refreshFollowed();
      assert.deepEqual(server.asked, [], 'it is not asked again');
    });

    it('looks again at what is active, until disposed', async () => {
      server.jobs.set('b', makeJob('b', { status: 'completed' }));
      await jobs.refresh();
      const following = [jobs.follow('a'), jobs.follow('a'), jobs.follow('b')];
      following[0]?.dispose();
      await settled();
      server.asked.length = 0;
      await jobs.refreshFollowed();
      assert.deepEqual(server.asked, ['get a']);
      following[1]?.dispose();
      await jobs.refreshFollowed();
      assert.deepEqual(server.asked, ['get a']);
    });

    it('asks for the list first when the server was away', async () => {
      server.failure = new RequestFailed('The server does not answer.', 0);
      await jobs.refresh();
      jobs.follow('a');
      await settled();
      server.failure = null;
      server.asked.length = 0;
      await jobs.refreshFollowed();
      assert.deepEqual(server.asked, ['list', 'get a']);
    });
  });
});
