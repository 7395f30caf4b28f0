import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  describeEnd,
  describeLosses,
  describeProgress,
  describeResult,
  formatBytes,
  formatDuration,
  formatPercent,
  formatRate,
  formatRows,
  formatRowsOf,
  formatTimeLeft,
  formatWhen
} from '../src/format';
import { makeJob, makeProgress } from './jobs';

/** One test for each row of a table: arguments, text. */
function table<A extends unknown[]>(
  format: (...args: A) => string,
  rows: [A, string][]
): void {
  describe(format.name, () => {
    for (const [args, text] of rows) {
      it(`${JSON.stringify(args)} reads ${text}`, () =>
        assert.equal(format(...args), text));
    }
  });
}

table(formatRows, [
  [[0], '0 rows'],
  [[1], '1 row'],
  [[27059], '27,059 rows']
]);

table(formatRowsOf, [
  [[4100, 27059], '4,100 of 27,059 rows'],
  [[6_240_000, 10_000_000], '6.2 of 10 M rows'],
  [[9_999_999, 10_000_000], '9.9 of 10 M rows'],
  [[10_000_000, 10_000_000], '10 of 10 M rows'],
  [[1_250_000_000, 2_000_000_000], '1.2 of 2 G rows']
]);

table(formatBytes, [
  [[0], '0 B'],
  [[812], '812 B'],
  [[1000], '1.0 kB'],
  [[2_100_000], '2.1 MB'],
  [[31_000_000], '31 MB'],
  [[999_600_000], '1.0 GB'],
  [[5e15], '5000 TB']
]);

table(formatRate, [
  [[0.4], '0/s'],
  [[850], '850/s'],
  [[120_000], '120 k/s'],
  [[1_900_000], '1.9 M/s']
]);

table(formatDuration, [
  [[0], '0 ms'],
  [[0.04], '40 ms'],
  [[0.4], '0.4 s'],
  [[9.94], '9.9 s'],
  [[9.96], '10 s'],
  [[59.7], '1 min'],
  [[65], '1 min 5 s'],
  [[3600], '1 h'],
  [[3599.6], '1 h'],
  [[12_000], '3 h 20 min'],
  [[86_400], '24 h'],
  [[259_200], '3 d']
]);

table(formatTimeLeft, [
  [[0], '1 s left'],
  [[1.2], '2 s left'],
  [[10], '10 s left'],
  [[90], '1 min 30 s left']
]);

table(formatPercent, [
  [[62.9], '62%'],
  [[99.99], '99%'],
  [[100], '100%'],
  [[140], '100%']
]);

describe('formatWhen', () => {
  const now = new Date(2026, 2, 10, 12, 0);
  const local = (...time: [number, number, number, number, number]): string =>
    new Date(...time).toISOString();
  it('gives the local time on today and yesterday', () => {
    assert.equal(formatWhen(local(2026, 2, 10, 9, 41), now), '09:41');
    assert.equal(formatWhen(local(2026, 2, 9, 0, 0), now), '00:00');
  });
  it('gives the date before', () => {
    assert.equal(formatWhen(local(2026, 2, 8, 23, 59), now), '8 Mar');
    assert.equal(formatWhen(local(2025, 10, 12, 8, 0), now), '12 Nov 2025');
  });
  it('gives nothing for what is not a time', () => {
    assert.equal(formatWhen('soon', now), '');
  });
});

describe('describeProgress', () => {
  it('tells rows, rate and time left', () => {
    const progress = makeProgress({
      rows: 6_200_000,
      total_rows: 10_000_000,
      rows_per_second: 1_900_000,
      eta_seconds: 1.9
    });
    assert.equal(
      describeProgress(progress),
      '6.2 of 10 M rows · 1.9 M/s · 2 s left'
    );
  });
  it('names the phase while the time left is not known', () => {
    const progress = makeProgress({ phase: 'counting', total_rows: 100 });
    assert.equal(describeProgress(progress), '0 of 100 rows · counting');
  });
  it('names the phase when all rows are through', () => {
    const progress = makeProgress({
      phase: 'publishing',
      rows: 100,
      total_rows: 100,
      rows_per_second: 850,
      eta_seconds: 0
    });
    assert.equal(
      describeProgress(progress),
      '100 of 100 rows · 850/s · publishing'
    );
  });
  it('says so when the total is unknown', () => {
    const progress = makeProgress({ rows: 410_000, rows_per_second: 210_000 });
    assert.equal(
      describeProgress(progress),
      'reading · 210 k/s · total unknown'
    );
  });
});

describe('an ended job', () => {
  const done = makeJob('a', {
    status: 'completed',
    finished_at: '2026-03-10T09:41:00.400Z',
    expires_at: '2026-03-11T09:41:00.400Z',
    result: { path: 'exports/a.csv', rows: 27059, bytes: 2_100_000 }
  });
  it('tells rows, bytes and time', () => {
    assert.equal(describeResult(done), '27,059 rows · 2.1 MB · 0.4 s');
  });
  it('counts a column once, whatever it lost', () => {
    const losses = [
      { column: 'when', message: 'time zone' },
      { column: 'when', message: 'nanoseconds' },
      { column: 'note', message: 'long text' }
    ];
    const result = { path: 'a', rows: 1, bytes: 1 };
    assert.equal(describeLosses({ ...done, result }), '');
    assert.equal(
      describeLosses({ ...done, result: { ...result, losses } }),
      '2 columns changed'
    );
    assert.equal(
      describeLosses({ ...done, result: { ...result, losses: [{}] } }),
      '1 column changed'
    );
  });
  it('tells how long an expired file was kept', () => {
    assert.equal(
      describeEnd({ ...done, status: 'expired' }),
      'expired · file removed after 24 h'
    );
    assert.equal(
      describeEnd({ ...done, status: 'expired', expires_at: null }),
      'expired · file removed'
    );
  });
  it('tells how far a cancelled one came', () => {
    const progress = makeProgress({ rows: 1200 });
    assert.equal(
      describeEnd({ ...done, status: 'cancelled', progress }),
      'cancelled · after 1,200 rows'
    );
    assert.equal(
      describeEnd({ ...done, status: 'cancelled', progress: null }),
      'cancelled'
    );
  });
});
