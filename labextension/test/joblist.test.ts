import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  EMPTY,
  filterJobs,
  groupJobs,
  isUnderRoot,
  jobTitle,
  needsWholeJob,
  parseEvent,
  withEvent,
  withJob,
  withNewestPage,
  withOlderPage,
  withoutJob
} from '../src/joblist';
import type { JobList } from '../src/joblist';
import type { Job } from '../src/tokens';
import { makeEvent, makeJob } from './jobs';

function listOf(...jobs: Job[]): JobList {
  return jobs.reduce(withJob, EMPTY);
}

function ids(jobs: Iterable<Job>): string[] {
  return [...jobs].map(job => job.id);
}

describe('an event', () => {
  const list = listOf(makeJob('a'));

  it('is read when it has an id and a known status', () => {
    assert.deepEqual(parseEvent({ id: 'a', status: 'failed', owner: 'me' }), {
      id: 'a',
      status: 'failed',
      progress: null
    });
    assert.equal(parseEvent({ id: 'a', status: 'melted' }), null);
    assert.equal(parseEvent({ status: 'failed' }), null);
  });

  it('changes status and progress of a known job, and no other list', () => {
    const next = withEvent(list, makeEvent('a', 'running', 70));
    assert.equal(next.jobs.get('a')?.progress?.rows, 70);
    assert.equal(next.jobs.get('a')?.name, 'export-a');
    assert.equal(list.jobs.get('a')?.progress?.rows, 0);
  });

  it('without progress keeps the last one', () => {
    const known = withEvent(list, makeEvent('a', 'running', 70));
    const event = { id: 'a', status: 'failed', progress: null } as const;
    assert.equal(withEvent(known, event).jobs.get('a')?.progress?.rows, 70);
  });

  it('of an unknown job changes nothing', () => {
    assert.equal(withEvent(list, makeEvent('b', 'running')), list);
  });

  it('asks for the whole job when only that has the news', () => {
    const ended = listOf(makeJob('a', { status: 'failed' }));
    assert.equal(needsWholeJob(list, makeEvent('a', 'running')), false);
    assert.equal(needsWholeJob(list, makeEvent('b', 'running')), true);
    for (const status of [
      'completed',
      'failed',
      'cancelled',
      'expired'
    ] as const) {
      assert.equal(needsWholeJob(list, makeEvent('a', status)), true);
    }
    assert.equal(needsWholeJob(ended, makeEvent('a', 'running')), true);
  });

  it('of an ignored job asks for nothing', () => {
    const deaf = withoutJob(list, 'a');
    assert.equal(needsWholeJob(deaf, makeEvent('a', 'completed')), false);
    assert.equal(withEvent(deaf, makeEvent('a', 'completed')), deaf);
  });
});

describe('pages', () => {
  const day = (number: number): string => `2026-03-0${number}T00:00:00Z`;
  const job = (number: number): Job =>
    makeJob(`j${number}`, { created_at: day(number) });

  it('the newest page removes what is gone and keeps what is older', () => {
    const first = withNewestPage(EMPTY, {
      jobs: [job(9), job(8)],
      next_cursor: 'to-7'
    });
    const both = withOlderPage(first, { jobs: [job(7)], next_cursor: 'to-6' });
    assert.deepEqual(ids(both.jobs.values()), ['j9', 'j8', 'j7']);
    assert.equal(both.older, 'to-6');

    const again = withNewestPage(both, {
      jobs: [job(9)],
      next_cursor: 'to-8'
    });
    assert.deepEqual(ids(again.jobs.values()), ['j9', 'j8', 'j7']);
    assert.equal(again.older, 'to-6');

    const shrunk = withNewestPage(both, {
      jobs: [job(9), job(7)],
      next_cursor: 'to-6'
    });
    assert.deepEqual(ids(shrunk.jobs.values()), ['j9', 'j7']);
    assert.equal(shrunk.older, 'to-6');
  });

  it('a last page is all there is', () => {
    const list = withNewestPage(listOf(job(1), job(2)), {
      jobs: [job(2)],
      next_cursor: null
    });
    assert.deepEqual(ids(list.jobs.values()), ['j2']);
    const none = withNewestPage(list, { jobs: [], next_cursor: null });
    assert.equal(none.jobs.size, 0);
  });

  it('a listed job is no longer ignored', () => {
    const deaf = withoutJob(EMPTY, 'j1');
    const list = withNewestPage(deaf, { jobs: [job(1)], next_cursor: null });
    assert.equal(list.ignored.size, 0);
  });
});

describe('the view', () => {
  const done = makeJob('done', {
    status: 'completed',
    created_at: '2026-03-10T08:00:00Z',
    format: 'excel',
    result: { path: 'exports/Delays.xlsx', rows: 1, bytes: 1 }
  });
  const list = listOf(
    done,
    makeJob('new', { created_at: '2026-03-10T09:00:00Z' })
  );

  it('is sorted newest first', () => {
    assert.deepEqual(ids(filterJobs(list, '')), ['new', 'done']);
  });

  it('is filtered by name, format and status; every word must be found', () => {
    assert.deepEqual(ids(filterJobs(list, 'delays')), ['done']);
    assert.deepEqual(ids(filterJobs(list, ' EXCEL  comp ')), ['done']);
    assert.deepEqual(ids(filterJobs(list, 'running')), ['new']);
    assert.deepEqual(ids(filterJobs(list, 'excel running')), []);
  });

  it('is grouped: active, then by local day', () => {
    const now = new Date(2026, 2, 10, 12);
    const at = (id: string, day: number, hour: number): Job =>
      makeJob(id, {
        status: 'completed',
        created_at: new Date(2026, 2, day, hour).toISOString()
      });
    const groups = groupJobs(
      [
        at('today', 10, 0),
        at('yesterday', 9, 0),
        at('earlier', 8, 23),
        makeJob('unreadable', { status: 'failed', created_at: 'soon' }),
        makeJob('old but active', { created_at: '2020-01-01T00:00:00Z' }),
        makeJob('waiting', { status: 'pending' })
      ],
      now
    );
    assert.deepEqual(
      groups.map(group => [group.title, ids(group.jobs)]),
      [
        ['Running · 2', ['old but active', 'waiting']],
        ['Today', ['today']],
        ['Yesterday', ['yesterday']],
        ['Earlier', ['earlier', 'unreadable']]
      ]
    );
  });

  it('names a job by its file, as soon as that is known', () => {
    assert.equal(jobTitle(done), 'Delays.xlsx');
    assert.equal(jobTitle(makeJob('a')), 'export-a');
    assert.equal(
      jobTitle(makeJob('a', { spec: { output: { path: 'out/a.csv.gz' } } })),
      'a.csv.gz'
    );
    const file = { path: 'report/a.csv', rows: 1, bytes: 1 };
    assert.equal(
      jobTitle(
        makeJob('a', {
          result: { path: 'report/', rows: 2, bytes: 2, files: [file, file] }
        })
      ),
      'report (2 files)'
    );
  });

  it('shows only paths under the root in the file browser', () => {
    assert.ok(isUnderRoot('exports/a..b.csv'));
    assert.ok(isUnderRoot('exports/09:41.csv'));
    for (const path of ['/data/a.csv', '../a.csv', 'C:\\a.csv', 'x/../../a']) {
      assert.equal(isUnderRoot(path), false, path);
    }
    // The lab would ask another drive for it, which may be another host.
    assert.equal(isUnderRoot('GitHub:somebody/notebooks/a.html'), false);
  });
});
