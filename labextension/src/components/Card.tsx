import * as React from 'react';

import {
  cardTitle,
  describeNextTry,
  mayBeRetried,
  percentOf,
  rateText,
  rowsSoFar
} from '../card';
import type { CardStatus } from '../card';
import type { CardDocument } from '../carddocument';
import { isActive } from '../joblist';
import type { Job } from '../tokens';
import { Attempts, CardTitle } from './CardParts';
import { CardResult } from './CardResult';
import { useNow } from './now';

export interface ICardProps {
  readonly document: CardDocument;
  /** The job as it is now, as far as anybody knows. */
  readonly job: Job;
  readonly status: CardStatus;
  /** Whether the server has the job, so that it can be asked to change it. */
  readonly known: boolean;
  readonly busy: boolean;
  readonly cancelling: boolean;
  readonly problem: string | null;
  readonly downloadUrl: string;
  readonly cancel: () => void;
  readonly retry: () => void;
  /** Open a file in the lab; `null` where it cannot. */
  readonly open: ((path: string) => void) | null;
  /** Show a file in the file browser; `null` where there is none. */
  readonly showFile: ((path: string) => void) | null;
}

/** An export in the output of its cell: one line for each fact. */
export function Card(props: ICardProps): React.ReactElement {
  const { document, job, status, problem } = props;
  return (
    <div
      className="jx-card jp-ExportCard"
      data-jupyter-export-status={status}
      data-job-id={job.id}
      role="group"
      aria-label={`Export of ${cardTitle(job)}`}
    >
      {status === 'completed' ? (
        <CardResult {...props} />
      ) : status !== 'unknown' && isActive(status) ? (
        <Active {...props} />
      ) : (
        <Ended {...props} />
      )}
      {document.notes.map((note, index) => (
        <div key={index} className="jx-muted jx-note">
          {note}
        </div>
      ))}
      {problem !== null && <div className="jx-err jx-problem">{problem}</div>}
      <div className="jx-hidden" role="status">
        {spoken(job, status)}
      </div>
    </div>
  );
}

/** What a screen reader says by itself: seldom, so that it does not talk over everything. */
function spoken(job: Job, status: CardStatus): string {
  const said = status === 'running' ? (job.progress?.phase ?? status) : status;
  return `${cardTitle(job)}: ${said}`;
}

function Active(props: ICardProps): React.ReactElement {
  const { job, busy, cancelling, known, cancel } = props;
  const waits = job.status === 'pending';
  const now = useNow(waits && Boolean(job.retry_at));
  const aside = waits ? describeNextTry(job, now) : rateText(job.progress);
  return (
    <>
      <div className="jx-row">
        <CardTitle job={job} />
        <span className="jx-pill">
          {waits ? 'waiting' : (job.progress?.phase ?? 'running')}
        </span>
        {!waits && <Bar job={job} />}
        <span className="jx-num">{rowsSoFar(job.progress)}</span>
        {aside !== '' && <span className="jx-muted jx-num">{aside}</span>}
        {waits && <span className="jx-space" />}
        {known && (
          <button
            className="jx-link jupyter-export-cancel"
            type="button"
            aria-label={`Cancel the export of ${cardTitle(job)}`}
            disabled={busy}
            onClick={cancel}
          >
            {cancelling ? 'Cancelling…' : 'Cancel'}
          </button>
        )}
      </div>
      <Attempts job={job} />
    </>
  );
}

function Bar({ job }: { job: Job }): React.ReactElement {
  const percent = percentOf(job.progress);
  return (
    <span
      className={percent === null ? 'jx-bar jx-moving' : 'jx-bar'}
      role="progressbar"
      aria-label={`Progress of ${cardTitle(job)}`}
      aria-valuemin={0}
      aria-valuemax={100}
      // Left out when unknown: that is how ARIA says "indeterminate".
      aria-valuenow={percent === null ? undefined : Math.floor(percent)}
      aria-valuetext={rowsSoFar(job.progress) || undefined}
    >
      <i style={percent === null ? undefined : { width: `${percent}%` }} />
    </span>
  );
}

const ENDS: Partial<Record<CardStatus, string>> = {
  cancelled: 'cancelled',
  expired: 'expired · the file was removed',
  unknown:
    'how it ended is not known: the server does not know this export any more'
};

function Ended(props: ICardProps): React.ReactElement {
  const { job, status, known, busy, retry } = props;
  const failed = status === 'failed';
  const said = failed
    ? (job.error?.message ?? 'The export failed.')
    : (ENDS[status] ?? status);
  return (
    <>
      <div className="jx-row">
        <span className={failed ? 'jx-err' : undefined} aria-hidden="true">
          {failed ? '✕' : '○'}
        </span>
        <CardTitle job={job} />
        <span className={failed ? undefined : 'jx-muted'}>{said}</span>
        <span className="jx-space" />
        {known && status !== 'unknown' && mayBeRetried(job) && (
          <button
            className="jx-link jupyter-export-retry"
            type="button"
            aria-label={`Retry the export of ${cardTitle(job)}`}
            disabled={busy}
            onClick={retry}
          >
            {busy ? 'Retrying…' : 'Retry'}
          </button>
        )}
      </div>
      {failed && job.error?.hint && (
        <div className="jx-muted jx-indent">{job.error.hint}</div>
      )}
      <Attempts job={job} />
    </>
  );
}
