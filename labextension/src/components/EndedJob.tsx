import * as React from 'react';

import { mayBeRetried } from '../card';
import {
  describeEnd,
  describeLosses,
  describeResult,
  formatWhen
} from '../format';
import { isUnderRoot, jobTitle } from '../joblist';
import type { Job, Loss } from '../tokens';
import { Facts } from './Facts';
import { StatusMark } from './StatusMark';

export interface IEndedJobProps {
  readonly job: Job;
  readonly busy: boolean;
  readonly removing: boolean;
  readonly now: Date;
  readonly downloadUrl: string;
  readonly showFile: ((path: string) => void) | null;
  readonly remove: () => void;
  readonly retry: () => void;
}

/** A job that is over: what came of it, and what can be done with that. */
export function EndedJob(props: IEndedJobProps): React.ReactElement {
  const { job, now } = props;
  const title = jobTitle(job);
  return (
    <>
      <div className="jp-Export-line">
        <StatusMark status={job.status} />
        <span className="jp-Export-name" title={job.result?.path ?? title}>
          {title}
        </span>
        <time
          className="jp-Export-meta jp-Export-when"
          dateTime={job.created_at}
          title={new Date(job.created_at).toLocaleString()}
        >
          {formatWhen(job.created_at, now)}
        </time>
      </div>
      <Outcome job={job} />
      <Actions {...props} title={title} />
    </>
  );
}

function Outcome({ job }: { job: Job }): React.ReactElement {
  if (job.status === 'failed') {
    return (
      <div className="jp-Export-error">
        {job.error?.message ?? 'The export failed.'}
        {job.error?.hint && (
          <span className="jp-Export-hint"> {job.error.hint}</span>
        )}
      </div>
    );
  }
  if (job.status === 'completed') {
    return <Completed job={job} />;
  }
  return (
    <div className="jp-Export-meta jp-Export-detail">
      <Facts text={describeEnd(job)} />
    </div>
  );
}

function Completed({ job }: { job: Job }): React.ReactElement {
  const [open, setOpen] = React.useState(false);
  const losses = describeLosses(job);
  return (
    <>
      <div className="jp-Export-meta jp-Export-detail">
        <Facts text={describeResult(job)} />
        {losses !== '' && (
          <>
            {' · '}
            <button
              className="jp-Export-losses jp-Export-fact"
              type="button"
              aria-expanded={open}
              onClick={() => setOpen(!open)}
            >
              {losses}
            </button>
          </>
        )}
      </div>
      {open && (
        <ul className="jp-Export-lossList">
          {(job.result?.losses ?? []).map((loss, index) => (
            <li key={index}>
              <LossText loss={loss} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function LossText({ loss }: { loss: Loss }): React.ReactElement {
  return (
    <>
      {loss.column && <b>{loss.column}</b>}
      {loss.column && loss.message && ': '}
      {loss.message}
    </>
  );
}

function Actions(
  props: IEndedJobProps & { title: string }
): React.ReactElement {
  const { job, busy, removing, downloadUrl, showFile, remove, retry, title } =
    props;
  const path = job.status === 'completed' ? job.result?.path : undefined;
  return (
    <div className="jp-Export-actions">
      {path !== undefined && (
        <a
          className="jp-Export-action jp-Export-download"
          href={downloadUrl}
          // Empty: the server names the file.
          download=""
          aria-label={`Download ${title}`}
        >
          download
        </a>
      )}
      {path !== undefined && showFile !== null && isUnderRoot(path) && (
        <button
          className="jp-Export-action jp-Export-showFile"
          type="button"
          aria-label={`Show ${title} in the file browser`}
          title={path}
          onClick={() => showFile(path)}
        >
          show in files
        </button>
      )}
      {job.status !== 'completed' && mayBeRetried(job) && (
        <button
          className="jp-Export-action jp-Export-retry"
          type="button"
          aria-label={`Retry ${title}`}
          disabled={busy}
          onClick={retry}
        >
          retry
        </button>
      )}
      <button
        className="jp-Export-action jp-Export-remove"
        type="button"
        aria-label={`Remove ${title} from the list`}
        title="Remove from the list; a file that you named stays"
        disabled={busy}
        onClick={remove}
      >
        {removing ? 'removing…' : 'remove'}
      </button>
    </div>
  );
}
