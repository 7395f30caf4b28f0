/**
 * What the card of an export in a notebook says. Pure; the words are those of the kernel's own
 * card (`jupyter_export/client/card.py`), which other front ends show: `test/cards.json` holds
 * both to the same.
 */

import {
  formatBytes,
  formatCount,
  formatDuration,
  secondsBetween
} from './format';
import { isActive } from './joblist';
import type {
  Attempt,
  Job,
  JobResult,
  JobStatus,
  Loss,
  Progress
} from './tokens';

/** Losses beyond this many are folded. */
export const MANY_LOSSES = 3;

/** `unknown`: it was active when it was last seen, and the server has no such job now. */
export type CardStatus = JobStatus | 'unknown';

/**
 * Whichever of two sights of one job is the later one. What the job is called stays the server's
 * word: a notebook can name any job, and its buttons are about the one that the server has.
 */
export function laterOf(stored: Job, live: Job): Job {
  const order = (job: Job): number[] => [
    job.attempt ?? 1,
    isActive(job.status) ? (job.status === 'pending' ? 0 : 1) : 2,
    // Of two that are over the server's: a completed one expires.
    isActive(job.status) ? (job.progress?.rows ?? 0) : 0
  ];
  const [ours, theirs] = [order(stored), order(live)];
  const at = ours.findIndex((value, index) => value !== theirs[index]);
  if (at < 0 || (ours[at] ?? 0) <= (theirs[at] ?? 0)) {
    return live;
  }
  const { name, spec } = live;
  const result = stored.status === 'completed' ? stored.result : null;
  return { ...stored, name, spec, result };
}

/** A document that is wrong is as wrong the next time. */
export function mayBeRetried(job: Job): boolean {
  return job.error?.code !== 'invalid_spec';
}

/** The file's name, or the job's while the file has none. */
export function cardTitle(job: Job): string {
  const path = pathOf(job);
  if (path === null) {
    return job.name;
  }
  const parts = path.split(path.includes('\\') ? /[/\\]/ : '/').filter(Boolean);
  return parts.pop() ?? path;
}

export function pathOf(job: Job): string | null {
  return job.result?.path || job.spec?.output?.path || null;
}

/** A folder of files, as opposed to one file. */
export function isFolder(result: JobResult): boolean {
  const files = result.files ?? [];
  return (
    files.length > 0 &&
    (fileCount(result) > 1 || files[0]?.path !== result.path)
  );
}

/** Whether a page of JupyterLab shows such a file; a workbook, say, is only downloaded. */
export function canBeOpened(result: JobResult): boolean {
  return (
    !isFolder(result) &&
    /\.(csv|tsv|txt|json|jsonl|html?|md|pdf|svg)$/i.test(result.path)
  );
}

/** `27,059 rows · 19 columns · 2.1 MB · 0.4 s · 68,000/s` of a completed job */
export function cardFacts(job: Job, columns: number | null): string {
  const { result } = job;
  if (result === null) {
    return '';
  }
  const datasets = job.spec?.datasets?.length ?? 0;
  const seconds = secondsTaken(job);
  return joined([
    counted(result.rows, 'row'),
    columns !== null && counted(columns, 'column'),
    datasets > 1 && counted(datasets, 'dataset'),
    isFolder(result) && counted(fileCount(result), 'file'),
    sizeText(result.bytes),
    seconds !== null && formatDuration(seconds),
    // Of a moment's work a rate says nothing.
    seconds !== null &&
      seconds >= 0.1 &&
      result.rows >= 1000 &&
      perSecond(result.rows / seconds)
  ]);
}

/** `16,742 of 27,059 rows`; empty before the first row */
export function rowsSoFar(progress: Progress | null): string {
  if (progress === null) {
    return '';
  }
  const { rows, total_rows } = progress;
  if (total_rows === null) {
    return rows > 0 ? counted(rows, 'row') : '';
  }
  return `${formatCount(rows)} of ${formatCount(total_rows)} rows`;
}

/** `410,000/s · 3 s left`; empty while nothing is known */
export function rateText(progress: Progress | null): string {
  const { rows, rows_per_second, eta_seconds } = progress ?? {};
  return joined([
    !!rows_per_second && perSecond(rows_per_second),
    typeof eta_seconds === 'number' &&
      !!rows &&
      `${formatDuration(eta_seconds)} left`
  ]);
}

/** 0 to 100, or `null` where the total is not known */
export function percentOf(progress: Progress | null): number | null {
  const { percent = null, rows = 0, total_rows = null } = progress ?? {};
  const share = percent ?? (total_rows ? (100 * rows) / total_rows : null);
  return share === null ? null : Math.min(100, Math.max(0, share));
}

/** `again in 8 s · attempt 2` of a job that waits for its next try; empty for any other */
export function describeNextTry(job: Job, now: Date): string {
  if (job.status !== 'pending') {
    return '';
  }
  const seconds = (Date.parse(job.retry_at ?? '') - now.getTime()) / 1000;
  return joined([
    !Number.isNaN(seconds) &&
      (seconds > 0
        ? `again in ${formatDuration(Math.ceil(seconds)).replace('.0', '')}`
        : 'again now'),
    (job.attempt ?? 1) > 1 && `attempt ${job.attempt}`
  ]);
}

/** `attempt 1 · failed · after 12 s · The disk is full.` of each attempt that is over */
export function attemptLines(job: Job): string[] {
  return (job.history ?? []).map((over: Attempt) => {
    const seconds = secondsBetween(
      over.started_at ?? null,
      over.finished_at ?? null
    );
    return joined([
      `attempt ${over.attempt}`,
      over.status,
      seconds !== null && `after ${formatDuration(seconds)}`,
      over.error?.message
    ]);
  });
}

/** `2 columns changed:` */
export function changedText(losses: readonly Loss[]): string {
  const columns = new Set(
    losses
      .filter(loss => !isOfRows(loss))
      .map(loss => JSON.stringify([loss.dataset ?? null, loss.column]))
  ).size;
  return columns === 0 ? 'To know:' : `${counted(columns, 'column')} changed:`;
}

/** One loss in its parts: the column, what happens and how often, and the flag that avoids it. */
export interface LossLine {
  readonly column: string;
  readonly said: string;
  readonly flag: string;
}

/** The losses as lines; what is said of several datasets at once is said once. */
export function lossLines(losses: readonly Loss[]): LossLine[] {
  const lines = losses.map(loss => ({
    column: lostColumn(loss),
    said: `${loss.message ?? ''}${howOften(loss)}`,
    flag: flagOf(loss)
  }));
  return [...new Map(lines.map(line => [JSON.stringify(line), line])).values()];
}

/** Whether lines read a file back, or are a comment that says why there are none. */
export function canBeRead(reader: string): boolean {
  return reader
    .split('\n')
    .some(line => line.trim() !== '' && !line.trimStart().startsWith('#'));
}

function isOfRows(loss: Loss): boolean {
  return loss.kind === 'not_point_in_time' || loss.kind === 'rows_beyond_limit';
}

function lostColumn(loss: Loss): string {
  const column = loss.column ?? '';
  if (loss.kind === 'not_point_in_time') {
    return '';
  }
  return loss.dataset && !isOfRows(loss) ? `${loss.dataset}.${column}` : column;
}

function flagOf(loss: Loss): string {
  const option = loss.option ?? '';
  if (option.startsWith('format.type=')) {
    return option.replace('format.type=', '--format ');
  }
  return option === '' ? '' : `--option ${option}`;
}

function howOften(loss: Loss): string {
  const known = [
    loss.count
      ? `${loss.estimated ? 'about ' : ''}${formatCount(loss.count)} of them`
      : '',
    typeof loss.example === 'string' ? `e.g. “${loss.example}”` : ''
  ].filter(Boolean);
  return known.length > 0 ? ` (${known.join(', ')})` : '';
}

/** The seconds of the whole job, or of the last attempt of one that was tried again. */
function secondsTaken(job: Job): number | null {
  const start = (job.attempt ?? 1) === 1 ? job.created_at : job.started_at;
  return secondsBetween(start, job.finished_at);
}

function fileCount(result: JobResult): number {
  return result.file_count ?? result.files?.length ?? 0;
}

function sizeText(bytes: number): string {
  if (bytes < 1000) {
    return counted(bytes, 'byte');
  }
  // 9.95 to 99.95 have a decimal here: there is room for it.
  const unit = 1000 ** Math.min(4, Math.floor(Math.log10(bytes / 0.9995) / 3));
  const value = bytes / unit;
  return value >= 9.95 && value < 99.95
    ? formatBytes(bytes).replace(/^\d+/, value.toFixed(1))
    : formatBytes(bytes);
}

function perSecond(rows: number): string {
  return `${formatCount(rows >= 10_000 ? Math.round(rows / 1000) * 1000 : Math.round(rows))}/s`;
}

function counted(number: number, thing: string): string {
  return `${formatCount(number)} ${thing}${number === 1 ? '' : 's'}`;
}

function joined(parts: readonly (string | false | null | undefined)[]): string {
  return parts.filter(Boolean).join(' · ');
}
