import * as React from 'react';

import { describeNextTry } from '../card';
import { describeProgress, formatPercent, formatRows } from '../format';
import { jobTitle } from '../joblist';
import type { Job } from '../tokens';
import { Facts } from './Facts';
import { useNow } from './now';

export interface IActiveJobProps {
  readonly job: Job;
  readonly busy: boolean;
  readonly cancelling: boolean;
  readonly cancel: () => void;
}

/** A job that waits or runs: how far it is, and the way to stop it. */
export function ActiveJob(props: IActiveJobProps): React.ReactElement {
  const { job, busy, cancelling, cancel } = props;
  const title = jobTitle(job);
  const waiting =
    job.status === 'pending' ||
    (job.progress?.phase ?? 'waiting') === 'waiting';
  const progress = waiting ? null : job.progress;
  const now = useNow(Boolean(job.retry_at));
  const next = describeNextTry(job, now);
  return (
    <>
      <div className="jp-Export-line">
        <span className="jp-Export-name" title={title}>
          {title}
        </span>
        {progress && (
          <span className="jp-Export-meta jp-Export-amount">
            {progress.percent === null
              ? formatRows(progress.rows)
              : formatPercent(progress.percent)}
          </span>
        )}
      </div>
      <Bar title={title} percent={progress?.percent ?? null} idle={waiting} />
      <div className="jp-Export-line">
        <span className="jp-Export-meta jp-Export-detail">
          <Facts
            text={
              progress ? describeProgress(progress) : next || 'waiting to start'
            }
          />
        </span>
        <button
          className="jp-Export-action jp-Export-cancel"
          type="button"
          aria-label={`Cancel ${title}`}
          disabled={busy}
          onClick={cancel}
        >
          {cancelling ? 'cancelling…' : 'cancel'}
        </button>
      </div>
    </>
  );
}

function Bar(props: {
  title: string;
  percent: number | null;
  idle: boolean;
}): React.ReactElement {
  const { title, percent, idle } = props;
  const state = idle
    ? ' jp-mod-idle'
    : percent === null
      ? ' jp-mod-indeterminate'
      : '';
  return (
    <div
      className={`jp-Export-bar${state}`}
      role="progressbar"
      aria-label={`Progress of ${title}`}
      aria-valuemin={0}
      aria-valuemax={100}
      // Left out when unknown: that is how ARIA says "indeterminate".
      aria-valuenow={percent === null ? undefined : Math.floor(percent)}
    >
      <div
        className="jp-Export-barFill"
        style={percent === null ? undefined : { width: `${percent}%` }}
      />
    </div>
  );
}
