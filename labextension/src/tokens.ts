import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { JobList } from './joblist';

/** The schema of the Jupyter Event that the server emits for each change of a job. */
export const JOB_EVENT_SCHEMA =
  'https://jupyter-export.readthedocs.io/events/job/v1';

/** The id of the sidebar's widget, the same in every workspace layout. */
export const PANEL_ID = 'jupyter-export-panel';

/** `pending -> running -> completed | failed | cancelled`, `completed -> expired`. */
export type JobStatus =
  'pending' | 'running' | 'completed' | 'failed' | 'cancelled' | 'expired';

/** How far a job is. `null` means unknown; `percent` counts from 0 to 100. */
export interface Progress {
  readonly phase: string | null;
  readonly rows: number;
  readonly total_rows: number | null;
  readonly percent: number | null;
  readonly bytes: number | null;
  readonly rows_per_second: number | null;
  readonly eta_seconds: number | null;
}

/** What the file's format could not hold, for one column. */
export interface Loss {
  readonly kind?: string;
  readonly dataset?: string | null;
  readonly column?: string | null;
  readonly message?: string | null;
  readonly count?: number | null;
  readonly estimated?: boolean;
  readonly example?: string | null;
  /** The option that avoids it, `timezone=text`. */
  readonly option?: string | null;
}

export interface JobFile {
  readonly path: string;
}

export interface JobResult {
  /** Relative to the server's root. */
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256?: string;
  readonly files?: readonly JobFile[];
  /** In a notebook's output, where not all files are listed. */
  readonly file_count?: number;
  readonly losses?: readonly Loss[];
  /** Lines of Python that read the file back. */
  readonly reader?: string | null;
}

export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | null;
}

/** An attempt that is over. */
export interface Attempt {
  readonly attempt: number;
  readonly status: string;
  readonly started_at?: string | null;
  readonly finished_at?: string | null;
  readonly error?: { readonly message: string } | null;
}

/** A job as the server sends it; only the fields that the front end reads. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly status: JobStatus;
  readonly progress: Progress | null;
  readonly format: string | null;
  /** Times are RFC 3339, UTC. */
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly expires_at: string | null;
  readonly result: JobResult | null;
  readonly error: JobError | null;
  /** Counts from 1. */
  readonly attempt?: number;
  /** When a pending job is tried again, after an error that may pass. */
  readonly retry_at?: string | null;
  /** The attempts that are over, the oldest first. */
  readonly history?: readonly Attempt[];
  readonly spec?: {
    readonly output?: { readonly path?: string | null } | null;
    readonly datasets?: readonly unknown[];
  };
}

/** One page of jobs, newest first. */
export interface JobPage {
  readonly jobs: readonly Job[];
  readonly next_cursor: string | null;
}

/** A change of a job. It goes to every subscriber, so it has no name and no path. */
export interface JobEvent {
  readonly id: string;
  readonly status: JobStatus;
  readonly progress: Progress | null;
}

/** What the model asks of the server. */
export interface IExportsServer {
  list(cursor?: string): Promise<JobPage>;
  get(id: string): Promise<Job>;
  cancel(id: string): Promise<Job>;
  retry(id: string): Promise<Job>;
  remove(id: string): Promise<void>;
  downloadUrl(id: string): string;
}

/** The server's refusal: its HTTP status and the sentence it gave. */
export class RequestFailed extends Error {
  constructor(
    message: string,
    readonly status: number
  ) {
    super(message);
    this.name = 'RequestFailed';
  }
}

/**
 * `loading` until the first answer; `missing` when the server has no such
 * routes; `unreachable` while it does not answer, the last list stays.
 */
export type Connection = 'loading' | 'ready' | 'missing' | 'unreachable';

/** What can be asked of a job: that it be … */
export type JobChange = 'cancelled' | 'retried' | 'removed';

/** The user's jobs, as one live list. */
export interface IExportJobs {
  readonly changed: ISignal<IExportJobs, void>;
  readonly list: JobList;
  readonly connection: Connection;
  /** The sentence for what went wrong last, until dismissed. */
  readonly problem: string | null;
  /** Whether a request to change this job, or to change it so, is under way. */
  isBusy(id: string, change?: JobChange): boolean;
  /** Read the newest jobs again; never rejects, see `connection` and `problem`. */
  refresh(): Promise<void>;
  loadOlder(): Promise<void>;
  report(event: JobEvent): void;
  cancel(id: string): Promise<void>;
  /** Run a job that failed, was cancelled or has expired once more. */
  retry(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Know a job, however old, and keep it live until disposed. */
  follow(id: string): IDisposable;
  /** Look again at what is followed and may have changed unheard. */
  refreshFollowed(): Promise<void>;
  /** Whether the server was asked for a job and has none of that id. */
  isUnknown(id: string): boolean;
  /** The sentence for what went wrong when this job was last to be changed. */
  problemOf(id: string): string | null;
  dismissProblem(): void;
  downloadUrl(id: string): string;
}

export const IExportJobs = new Token<IExportJobs>(
  'jupyter-export:IExportJobs',
  "The user's export jobs, kept live from the server's events."
);
