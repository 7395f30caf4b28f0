import { closeIcon, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { filterJobs, groupJobs, isActive } from '../joblist';
import type { JobGroup } from '../joblist';
import type { IExportJobs, Job } from '../tokens';
import { ActiveJob } from './ActiveJob';
import { EndedJob } from './EndedJob';

export interface IExportsProps {
  readonly jobs: IExportJobs;
  /** `null` where there is no file browser. */
  readonly showFile: ((path: string) => void) | null;
}

/** The whole sidebar: header, filter, what went wrong, groups of jobs. */
export function Exports(props: IExportsProps): React.ReactElement {
  const { jobs } = props;
  const [query, setQuery] = React.useState('');
  return (
    <div className="jp-Export-panel">
      <header className="jp-Export-header">
        <h2 className="jp-Export-title">Exports</h2>
        <button
          className="jp-Export-iconButton jp-Export-refresh"
          type="button"
          title="Refresh the list"
          aria-label="Refresh the list"
          onClick={() => void jobs.refresh()}
        >
          <refreshIcon.react tag="span" elementSize="normal" />
        </button>
      </header>
      <div className="jp-Export-search">
        <input
          className="jp-Export-filter"
          type="search"
          placeholder="Filter by name, format, status"
          aria-label="Filter exports by name, format or status"
          value={query}
          onChange={event => setQuery(event.target.value)}
        />
      </div>
      <Problem jobs={jobs} />
      <div className="jp-Export-list">
        <List {...props} query={query} />
      </div>
    </div>
  );
}

function Problem({ jobs }: { jobs: IExportJobs }): React.ReactElement {
  // Always there: a live region that appears with its text is not read out.
  return (
    <div role="alert">
      {jobs.problem !== null && (
        <div className="jp-Export-problem">
          <span className="jp-Export-problemText">{jobs.problem}</span>
          <button
            className="jp-Export-iconButton jp-Export-dismiss"
            type="button"
            title="Dismiss"
            aria-label="Dismiss this message"
            onClick={() => jobs.dismissProblem()}
          >
            <closeIcon.react tag="span" elementSize="normal" />
          </button>
        </div>
      )}
    </div>
  );
}

function List({
  jobs,
  showFile,
  query
}: IExportsProps & { query: string }): React.ReactElement | null {
  const now = new Date();
  if (jobs.connection === 'missing') {
    return (
      <p className="jp-Export-note jp-Export-missing">
        The server does not have the jupyter_export extension: run{' '}
        <code>jupyter server extension enable jupyter_export</code> and start
        the server again.
      </p>
    );
  }
  if (jobs.list.jobs.size === 0) {
    return jobs.connection === 'ready' ? (
      <p className="jp-Export-note jp-Export-empty">
        Nothing exported yet: type <code>%export df flights.csv</code> in a
        notebook and watch it here.
      </p>
    ) : null;
  }
  const groups = groupJobs(filterJobs(jobs.list, query), now);
  return (
    <>
      {groups.map(group => (
        <Group key={group.key} group={group}>
          {group.jobs.map(job => (
            <Row key={job.id} {...{ job, jobs, showFile, now }} />
          ))}
        </Group>
      ))}
      {groups.length === 0 && (
        <p className="jp-Export-note jp-Export-noMatch">
          No export matches “{query.trim()}”.
        </p>
      )}
      {jobs.list.older !== null && (
        <button
          className="jp-Export-action jp-Export-older"
          type="button"
          onClick={() => void jobs.loadOlder()}
        >
          show older exports
        </button>
      )}
    </>
  );
}

function Group({
  group,
  children
}: {
  group: JobGroup;
  children: React.ReactNode;
}): React.ReactElement {
  return (
    <section className="jp-Export-group" aria-label={group.title}>
      <h3 className="jp-Export-groupTitle">{group.title}</h3>
      <ul className="jp-Export-jobs">{children}</ul>
    </section>
  );
}

function Row(
  props: IExportsProps & { job: Job; now: Date }
): React.ReactElement {
  const { job, jobs, showFile, now } = props;
  const busy = jobs.isBusy(job.id);
  return (
    <li className="jp-Export-job" data-job-id={job.id} data-status={job.status}>
      {isActive(job.status) ? (
        <ActiveJob
          job={job}
          busy={busy}
          cancelling={jobs.isBusy(job.id, 'cancelled')}
          cancel={() => void jobs.cancel(job.id)}
        />
      ) : (
        <EndedJob
          job={job}
          busy={busy}
          removing={jobs.isBusy(job.id, 'removed')}
          now={now}
          downloadUrl={jobs.downloadUrl(job.id)}
          showFile={showFile}
          remove={() => void jobs.remove(job.id)}
          retry={() => void jobs.retry(job.id)}
        />
      )}
    </li>
  );
}
