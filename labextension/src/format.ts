/** Numbers and times as short text for people. Pure; numbers are in English, as the sentences are. */

import type { Job, Progress } from './tokens';

const GROUPED = new Intl.NumberFormat('en-US');

/** `27,059` */
export function formatCount(count: number): string {
  return GROUPED.format(count);
}

/** `1 row`, `27,059 rows` */
export function formatRows(rows: number): string {
  return rows === 1 ? '1 row' : `${formatCount(rows)} rows`;
}

/** `4,100 of 27,059 rows`, `6.2 of 10 M rows` */
export function formatRowsOf(rows: number, total: number): string {
  if (total < 1e6) {
    return `${formatCount(rows)} of ${formatRows(total)}`;
  }
  const [unit, name] = total < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  // Cut, not rounded: 9.99 of 10 must not read as all of it.
  const done = Math.floor((rows / unit) * 10) / 10;
  const all = Math.round((total / unit) * 10) / 10;
  return `${formatCount(done)} of ${formatCount(all)} ${name} rows`;
}

/** `2.1 MB`, `812 B`; decimal units, as file managers have them */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB'], ' ');
}

/** `1.9 M/s`, `850/s` */
export function formatRate(perSecond: number): string {
  return `${scaled(perSecond, ['', 'k', 'M', 'G'], ' ')}/s`;
}

/** `40 ms`, `0.4 s`, `12 s`, `1 min 5 s`, `3 h 20 min`, `24 h`, `3 d` */
export function formatDuration(seconds: number): string {
  if (seconds < 0.1) {
    return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  }
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  }
  const minutes = Math.round(whole / 60);
  return minutes < 48 * 60
    ? pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
    : `${Math.round(minutes / 60 / 24)} d`;
}

/** `2 s left`; whole seconds, never less than one while it still runs */
export function formatTimeLeft(seconds: number): string {
  return `${formatDuration(Math.max(1, Math.ceil(seconds))).replace('.0', '')} left`;
}

/** `62%`; cut, so that 100% means all */
export function formatPercent(percent: number): string {
  return `${Math.floor(Math.min(100, Math.max(0, percent)))}%`;
}

/** `09:41` on today and yesterday, `12 Nov` or `12 Nov 2025` before */
export function formatWhen(time: string, now: Date): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    return '';
  }
  const yesterday = new Date(
    now.getFullYear(),
    now.getMonth(),
    now.getDate() - 1
  );
  if (date >= yesterday) {
    return new Intl.DateTimeFormat('en-GB', {
      hour: '2-digit',
      minute: '2-digit'
    }).format(date);
  }
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' })
  }).format(date);
}

/** `6.2 of 10 M rows · 1.9 M/s · 2 s left`, `reading · 210 k/s · total unknown` */
export function describeProgress(progress: Progress): string {
  const { phase, rows, total_rows, rows_per_second, eta_seconds } = progress;
  return joined([
    total_rows === null ? phase : formatRowsOf(rows, total_rows),
    rows_per_second ? formatRate(rows_per_second) : null,
    total_rows === null
      ? 'total unknown'
      : eta_seconds
        ? formatTimeLeft(eta_seconds)
        : phase
  ]);
}

/** `27,059 rows · 2.1 MB · 0.4 s` */
export function describeResult(job: Job): string {
  const seconds = secondsBetween(job.started_at, job.finished_at);
  return joined([
    job.result && formatRows(job.result.rows),
    job.result && formatBytes(job.result.bytes),
    seconds === null ? null : formatDuration(seconds)
  ]);
}

/** `cancelled · after 1,200 rows`, `expired · file removed after 24 h` */
export function describeEnd(job: Job): string {
  if (job.status === 'cancelled') {
    const rows = job.progress?.rows ?? 0;
    return rows > 0 ? `cancelled · after ${formatRows(rows)}` : 'cancelled';
  }
  const kept = secondsBetween(job.finished_at, job.expires_at);
  return kept === null
    ? 'expired · file removed'
    : `expired · file removed after ${formatDuration(kept)}`;
}

/** `1 column changed`; a column counts once, whatever it lost. Empty without losses. */
export function describeLosses(job: Job): string {
  const columns = new Set(
    (job.result?.losses ?? []).map((loss, index) =>
      loss.column ? JSON.stringify([loss.dataset ?? null, loss.column]) : index
    )
  ).size;
  return columns === 0
    ? ''
    : `${formatCount(columns)} ${columns === 1 ? 'column' : 'columns'} changed`;
}

export function secondsBetween(
  start: string | null,
  end: string | null
): number | null {
  const seconds = (Date.parse(end ?? '') - Date.parse(start ?? '')) / 1000;
  return seconds >= 0 ? seconds : null;
}

function scaled(
  value: number,
  units: readonly string[],
  space: string
): string {
  let rest = Math.max(0, value);
  let step = 0;
  // 999.5 and up would be written with four digits.
  while (rest >= 999.5 && step < units.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const digits =
    step === 0 || rest >= 9.95 ? Math.round(rest).toString() : rest.toFixed(1);
  const unit = units[step] ?? '';
  return unit === '' ? digits : `${digits}${space}${unit}`;
}

function pair(
  large: number,
  largeUnit: string,
  small: number,
  smallUnit: string
): string {
  return small === 0
    ? `${large} ${largeUnit}`
    : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function joined(parts: readonly (string | null)[]): string {
  return parts.filter(Boolean).join(' · ');
}
