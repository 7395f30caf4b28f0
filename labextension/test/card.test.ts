import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import {
  attemptLines,
  canBeOpened,
  cardFacts,
  cardTitle,
  changedText,
  describeNextTry,
  mayBeRetried,
  laterOf,
  lossLines,
  percentOf,
  rateText,
  rowsSoFar
} from '../src/card';
import { parseCard } from '../src/carddocument';
import type { Job, JobResult } from '../src/tokens';
import { makeJob, makeProgress } from './jobs';

interface Case {
  readonly name: string;
  readonly columns: number | null;
  readonly job: Job;
  readonly words: Record<string, unknown>;
}

/** What the kernel's own tests expect too: both draw the same words. */
const CASES = JSON.parse(readFileSync('test/cards.json', 'utf8')) as Case[];

function resultOf(path: string, files: readonly string[] = [path]): JobResult {
  return {
    path,
    rows: 1,
    bytes: 1,
    files: files.map(file => ({ path: file }))
  };
}

describe('the words of a card', () => {
  for (const { name, columns, job, words } of CASES) {
    it(`are those of the kernel: ${name}`, () => {
      const losses = job.result?.losses ?? [];
      assert.deepEqual(
        {
          title: cardTitle(job),
          facts: cardFacts(job, columns),
          rows: rowsSoFar(job.progress),
          rate: rateText(job.progress),
          changed: losses.length > 0 ? changedText(losses) : '',
          losses: lossLines(losses).map(
            ({ column, said, flag }) =>
              (column && `${column}: `) +
              said +
              (flag && ` — avoid it with ${flag}`)
          ),
          attempts: attemptLines(job)
        },
        words
      );
    });
  }

  it('count down to the next try', () => {
    const now = new Date('2026-03-10T09:41:00Z');
    const waiting = makeJob('a', {
      status: 'pending',
      attempt: 2,
      retry_at: '2026-03-10T09:41:07.3Z'
    });
    assert.equal(describeNextTry(waiting, now), 'again in 8 s · attempt 2');
    const due = { ...waiting, retry_at: '2026-03-10T09:40:00Z' };
    assert.equal(describeNextTry(due, now), 'again now · attempt 2');
    assert.equal(
      describeNextTry({ ...waiting, retry_at: null }, now),
      'attempt 2'
    );
    assert.equal(describeNextTry(makeJob('a', { status: 'pending' }), now), '');
    assert.equal(describeNextTry({ ...waiting, status: 'running' }, now), '');
  });

  it('have a percentage where the rows tell it', () => {
    assert.equal(percentOf(makeProgress({ rows: 1, total_rows: 4 })), 25);
    assert.equal(percentOf(makeProgress({ percent: 120 })), 100);
    assert.equal(percentOf(makeProgress({ rows: 5 })), null);
    assert.equal(percentOf(null), null);
  });
});

describe('laterOf', () => {
  const running = (rows: number): Job =>
    makeJob('a', { progress: makeProgress({ rows }) });
  const done = makeJob('a', { status: 'completed' });

  it('prefers what is further', () => {
    assert.equal(laterOf(running(5), running(9)).progress?.rows, 9);
    assert.equal(laterOf(running(9), running(5)).progress?.rows, 9);
    assert.equal(laterOf(done, running(9)).status, 'completed');
    assert.equal(laterOf(running(9), done), done);
  });

  it('prefers the server of two that are over', () => {
    const expired = makeJob('a', { status: 'expired' });
    assert.equal(laterOf(done, expired), expired);
  });

  it('prefers the newer attempt, however far the older one came', () => {
    const again = makeJob('a', { status: 'pending', attempt: 2 });
    const failed = makeJob('a', { status: 'failed', attempt: 1 });
    assert.equal(laterOf(failed, again), again);
    assert.equal(laterOf(again, failed).status, 'pending');
  });

  it('calls the job what the server calls it, whatever a notebook says', () => {
    const forged = makeJob('a', {
      name: 'harmless',
      status: 'failed',
      attempt: 9,
      spec: { output: { path: 'harmless.csv' } },
      result: resultOf('harmless.csv')
    });
    const mine = makeJob('a', { spec: { output: { path: 'mine.csv' } } });
    assert.equal(cardTitle(laterOf(forged, mine)), 'mine.csv');
  });
});

describe('parseCard', () => {
  it('takes what the kernel writes', () => {
    for (const { job } of CASES) {
      const card = { job, columns: 3, notes: ['n'], reader: 'df = 1' };
      const parsed = parseCard(card);
      assert.deepEqual(parseCard(parsed), parsed);
      assert.ok(parsed);
      assert.equal(cardTitle(parsed.job), cardTitle(job));
      assert.equal(cardFacts(parsed.job, 3), cardFacts(job, 3));
      assert.deepEqual(attemptLines(parsed.job), attemptLines(job));
      assert.equal(rowsSoFar(parsed.job.progress), rowsSoFar(job.progress));
      assert.deepEqual(
        lossLines(parsed.job.result?.losses ?? []),
        lossLines(job.result?.losses ?? [])
      );
    }
  });

  it('refuses what a notebook may hold instead', () => {
    for (const data of [undefined, null, 'x', {}, { job: { id: 1 } }]) {
      assert.equal(parseCard(data), null);
    }
    // None of these is the one part of an address that an id is.
    for (const id of ['', '.', '..', 'a/b', 'a%2Fb', '../api', 'a?b', 'a\n']) {
      assert.equal(parseCard({ job: makeJob(id) }), null, id);
    }
    assert.equal(parseCard({ job: { ...makeJob('a'), status: 'x' } }), null);
  });

  it('lives without the rest', () => {
    const { columns, notes, reader } = parseCard({ job: makeJob('a') }) ?? {};
    assert.deepEqual([columns, notes, reader], [null, [], null]);
  });

  it('draws whatever the rest is', () => {
    const odd = [5, 'x', true, null, [null, 5], { toString: 1, path: {} }];
    for (const each of odd) {
      const parsed = parseCard({
        job: {
          ...{ id: 'a', name: 'n', status: 'completed' },
          ...{ progress: each, result: each, error: each, history: each },
          ...{ spec: each, attempt: each, created_at: each, retry_at: each }
        },
        ...{ columns: each, notes: [each], reader: each }
      });
      assert.ok(parsed);
      const { job } = parsed;
      assert.equal(cardTitle(job), 'n');
      attemptLines(job).forEach(line => assert.match(line, /attempt 1/));
      assert.equal(describeNextTry(job, new Date()), '');
      assert.equal(cardFacts(job, parsed.columns), '');
      assert.equal(rowsSoFar(job.progress) + rateText(job.progress), '');
    }
    const result = { path: 'a.csv', losses: [null, 5, {}], files: [5, {}] };
    const job = parseCard({ job: { ...makeJob('a'), result } })?.job;
    assert.ok(job);
    assert.match(cardFacts(job, null), /^0 rows · 0 bytes/);
    assert.equal(lossLines(job.result?.losses ?? []).length, 1);
  });
});

describe('canBeOpened', () => {
  it('is true of a file that the lab shows', () => {
    assert.equal(canBeOpened(resultOf('a/b.CSV')), true);
    assert.equal(canBeOpened(resultOf('b.html')), true);
  });

  it('is false of other files and of folders', () => {
    assert.equal(canBeOpened(resultOf('b.xlsx')), false);
    assert.equal(canBeOpened(resultOf('b.csv.gz')), false);
    assert.equal(canBeOpened(resultOf('b.csv', ['b.csv/1.csv'])), false);
  });
});

describe('retry', () => {
  it('is offered where it may end otherwise', () => {
    const failed = makeJob('a', {
      status: 'failed',
      error: { code: 'connection_lost', message: 'It went away.' }
    });
    assert.equal(mayBeRetried(failed), true);
    assert.equal(mayBeRetried(makeJob('b', { status: 'cancelled' })), true);
    const error = { code: 'invalid_spec', message: 'No such column.' };
    assert.equal(mayBeRetried({ ...failed, error }), false);
  });
});
