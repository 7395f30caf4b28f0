/**
 * The document of a card, read out of a notebook. Whoever wrote the notebook wrote it too, so
 * nothing in it is taken for what it should be: each field is looked at, and left out otherwise.
 */

import { isStatus } from './joblist';
import type { Attempt, Job, JobResult, Loss, Progress } from './tokens';

/** The document that the kernel puts into the output, beside its HTML. */
export const CARD_MIME_TYPE = 'application/vnd.jupyter-export.job.v1+json';

/** A job as it was last seen by the kernel, and what only the kernel knows of it. */
export interface CardDocument {
  readonly job: Job;
  readonly columns: number | null;
  readonly notes: readonly string[];
  /** Lines of Python that read the file back, from the kernel's folder. */
  readonly reader: string | null;
}

type Fields = Record<string, unknown>;

/** Ids are one plain part of an address: `..` would be another route. */
const ID = /^\w[\w-]{0,99}$/;

/** Read a document; `null` when it is not one. */
export function parseCard(data: unknown): CardDocument | null {
  const { job: given, columns, notes, reader } = fields(data);
  const job = jobOf(fields(given));
  return (
    job && {
      job,
      columns: number(columns),
      notes: list(notes).filter(note => typeof note === 'string'),
      reader: text(reader)
    }
  );
}

function jobOf(given: Fields): Job | null {
  const { id, name, status } = given;
  if (
    typeof id !== 'string' ||
    !ID.test(id) ||
    typeof name !== 'string' ||
    !isStatus(status)
  ) {
    return null;
  }
  const spec = fields(given.spec);
  const result = fields(given.result);
  const error = fields(given.error);
  return {
    id,
    name,
    status,
    progress: progressOf(given.progress),
    format: text(given.format),
    created_at: text(given.created_at) ?? '',
    started_at: text(given.started_at),
    finished_at: text(given.finished_at),
    expires_at: text(given.expires_at),
    result: typeof result.path === 'string' ? resultOf(result) : null,
    error:
      typeof error.message === 'string'
        ? {
            code: text(error.code) ?? '',
            message: error.message,
            hint: text(error.hint)
          }
        : null,
    attempt: number(given.attempt) ?? 1,
    retry_at: text(given.retry_at),
    history: list(given.history).map(each => attemptOf(fields(each))),
    spec: {
      output: { path: text(fields(spec.output).path) },
      datasets: list(spec.datasets)
    }
  };
}

function progressOf(given: unknown): Progress | null {
  const found = fields(given);
  if (typeof found.phase !== 'string') {
    return null;
  }
  return {
    phase: found.phase,
    rows: number(found.rows) ?? 0,
    total_rows: number(found.total_rows),
    percent: number(found.percent),
    bytes: number(found.bytes) ?? 0,
    rows_per_second: number(found.rows_per_second),
    eta_seconds: number(found.eta_seconds)
  };
}

function resultOf(given: Fields): JobResult {
  const files = list(given.files)
    .map(each => text(fields(each).path))
    .filter(path => path !== null)
    .map(path => ({ path }));
  return {
    path: text(given.path) ?? '',
    rows: number(given.rows) ?? 0,
    bytes: number(given.bytes) ?? 0,
    sha256: text(given.sha256) ?? '',
    files,
    file_count: number(given.file_count) ?? files.length,
    losses: list(given.losses).map(each => lossOf(fields(each))),
    reader: text(given.reader)
  };
}

function lossOf(given: Fields): Loss {
  return {
    kind: text(given.kind) ?? '',
    dataset: text(given.dataset),
    column: text(given.column),
    message: text(given.message),
    count: number(given.count),
    estimated: given.estimated === true,
    example: text(given.example),
    option: text(given.option)
  };
}

function attemptOf(given: Fields): Attempt {
  const message = text(fields(given.error).message);
  return {
    attempt: number(given.attempt) ?? 1,
    status: text(given.status) ?? '',
    started_at: text(given.started_at),
    finished_at: text(given.finished_at),
    error: message === null ? null : { message }
  };
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
