import type { Job, JobEvent, Progress } from '../src/tokens';

/** A running job; `changes` makes it the one that a test is about. */
export function makeJob(id: string, changes: Partial<Job> = {}): Job {
  return {
    id,
    name: `export-${id}`,
    status: 'running',
    progress: makeProgress(),
    format: 'csv',
    created_at: '2026-03-10T09:41:00Z',
    started_at: '2026-03-10T09:41:00Z',
    finished_at: null,
    expires_at: null,
    result: null,
    error: null,
    ...changes
  };
}

export function makeProgress(changes: Partial<Progress> = {}): Progress {
  return {
    phase: 'reading',
    rows: 0,
    total_rows: null,
    percent: null,
    bytes: 0,
    rows_per_second: null,
    eta_seconds: null,
    ...changes
  };
}

export function makeEvent(
  id: string,
  status: JobEvent['status'],
  rows = 0
): JobEvent {
  return { id, status, progress: makeProgress({ rows }) };
}
