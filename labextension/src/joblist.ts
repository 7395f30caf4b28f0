/** The list of jobs as a value, and how each kind of news changes it. No I/O. */

import type { Job, JobEvent, JobPage, JobStatus, Progress } from './tokens';

export interface JobList {
  readonly jobs: ReadonlyMap<string, Job>;
  /** Ids to keep quiet about: other people's jobs, and those just removed. */
  readonly ignored: ReadonlySet<string>;
  /** The cursor of the next, older page; `null` when there is none. */
  readonly older: string | null;
}

export interface JobGroup {
  readonly key: 'running' | 'today' | 'yesterday' | 'earlier';
  readonly title: string;
  readonly jobs: readonly Job[];
}

export const EMPTY: JobList = {
  jobs: new Map(),
  ignored: new Set(),
  older: null
};

const STATUSES: readonly string[] = [
  'pending',
  'running',
  'completed',
  'failed',
  'cancelled',
  'expired'
];

export function isActive(status: JobStatus): boolean {
  return status === 'pending' || status === 'running';
}

export function isStatus(value: unknown): value is JobStatus {
  return typeof value === 'string' && STATUSES.includes(value);
}

/** Read an event's data; `null` when it is not one that we understand. */
export function parseEvent(data: Record<string, unknown>): JobEvent | null {
  const { id, status, progress } = data;
  if (typeof id !== 'string' || !isStatus(status)) {
    return null;
  }
  return {
    id,
    status,
    progress: (progress as Progress | null | undefined) ?? null
  };
}

/**
 * The newest page was read again. What lies inside its span and is not on it
 * is gone; older jobs, loaded before, stay.
 */
export function withNewestPage(list: JobList, page: JobPage): JobList {
  const oldest = page.jobs[page.jobs.length - 1];
  const beyond =
    page.next_cursor === null || oldest === undefined
      ? []
      : [...list.jobs.values()].filter(
          job => job.created_at < oldest.created_at
        );
  return {
    jobs: byId([...page.jobs, ...beyond]),
    ignored: without(list.ignored, page.jobs),
    older: beyond.length > 0 ? list.older : page.next_cursor
  };
}

export function withOlderPage(list: JobList, page: JobPage): JobList {
  return {
    jobs: byId([...list.jobs.values(), ...page.jobs]),
    ignored: without(list.ignored, page.jobs),
    older: page.next_cursor
  };
}

export function withJob(list: JobList, job: Job): JobList {
  return { ...list, jobs: new Map(list.jobs).set(job.id, job) };
}

/** Drop a job and stay deaf to what is still said about it. */
export function withoutJob(list: JobList, id: string): JobList {
  const jobs = new Map(list.jobs);
  jobs.delete(id);
  return { ...list, jobs, ignored: new Set(list.ignored).add(id) };
}

/** An event changes status and progress only: nothing else is in it. */
export function withEvent(list: JobList, event: JobEvent): JobList {
  const job = list.jobs.get(event.id);
  return job === undefined
    ? list
    : withJob(list, {
        ...job,
        status: event.status,
        progress: event.progress ?? job.progress
      });
}

/**
 * Whether an event tells of something that only the whole job holds: a new
 * job's name, a finished one's result, the new start of one that was final, or
 * when one that failed is tried again.
 */
export function needsWholeJob(list: JobList, event: JobEvent): boolean {
  if (list.ignored.has(event.id)) {
    return false;
  }
  const job = list.jobs.get(event.id);
  return (
    job === undefined ||
    !isActive(event.status) ||
    !isActive(job.status) ||
    (event.status === 'pending' && job.status === 'running')
  );
}

/** The file's name where it is known, and else the job's. */
export function jobTitle(job: Job): string {
  const files = job.result?.files?.length ?? 0;
  const path = job.result?.path || job.spec?.output?.path || '';
  const title = path.split('/').filter(Boolean).pop() ?? job.name;
  return files > 1 ? `${title} (${files} files)` : title;
}

/** Whether the file browser can show a path: relative, not above the root, on no other drive. */
export function isUnderRoot(path: string): boolean {
  return (
    !/^([/\\]|[^/\\]*:)/.test(path) && !path.split(/[/\\]/).includes('..')
  );
}

/** Newest first; each word of the query must be in the name, format or status. */
export function filterJobs(list: JobList, query: string): Job[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return [...list.jobs.values()]
    .filter(job => {
      const text =
        `${jobTitle(job)} ${job.name} ${job.format ?? ''} ${job.status}`.toLowerCase();
      return words.every(word => text.includes(word));
    })
    .sort((a, b) => compare(b.created_at, a.created_at) || compare(b.id, a.id));
}

/** Active jobs first, then by local calendar day; groups without a job are left out. */
export function groupJobs(jobs: readonly Job[], now: Date): JobGroup[] {
  const today = startOfDay(now, 0);
  const yesterday = startOfDay(now, -1);
  const active = jobs.filter(job => isActive(job.status));
  const rest = jobs.filter(job => !isActive(job.status));
  const made = (job: Job): number => Date.parse(job.created_at);
  const groups: JobGroup[] = [
    { key: 'running', title: `Running · ${active.length}`, jobs: active },
    {
      key: 'today',
      title: 'Today',
      jobs: rest.filter(job => made(job) >= today)
    },
    {
      key: 'yesterday',
      title: 'Yesterday',
      jobs: rest.filter(job => made(job) >= yesterday && made(job) < today)
    },
    {
      key: 'earlier',
      title: 'Earlier',
      // The negation also takes a time that cannot be read.
      jobs: rest.filter(job => !(made(job) >= yesterday))
    }
  ];
  return groups.filter(group => group.jobs.length > 0);
}

function startOfDay(now: Date, days: number): number {
  return new Date(
    now.getFullYear(),
    now.getMonth(),
    now.getDate() + days
  ).getTime();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byId(jobs: readonly Job[]): Map<string, Job> {
  return new Map(jobs.map(job => [job.id, job]));
}

function without(
  ids: ReadonlySet<string>,
  jobs: readonly Job[]
): ReadonlySet<string> {
  const rest = new Set(ids);
  jobs.forEach(job => rest.delete(job.id));
  return rest;
}
