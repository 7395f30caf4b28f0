import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { Poll } from '@lumino/polling';

import { parseEvent } from '../joblist';
import { ExportJobs } from '../model';
import { ExportsServer } from '../request';
import { IExportJobs, JOB_EVENT_SCHEMA } from '../tokens';

/** How often a followed job is looked at, in case nothing was heard of it. */
const SECONDS = 10;

/** Provides the list of jobs, fed by the server's event stream. */
export const jobsPlugin: JupyterFrontEndPlugin<IExportJobs> = {
  id: 'jupyter-export:jobs',
  description: "Keeps the user's export jobs live.",
  autoStart: true,
  provides: IExportJobs,
  activate: (app: JupyterFrontEnd): IExportJobs => {
    const { events, serverSettings } = app.serviceManager;
    const jobs = new ExportJobs(new ExportsServer(serverSettings));
    events.stream.connect((_, emission) => {
      if (emission.schema_id !== JOB_EVENT_SCHEMA) {
        return;
      }
      const event = parseEvent(emission);
      if (event !== null) {
        jobs.report(event);
      }
    });
    // Not awaited: the lab starts without waiting for the list.
    void jobs.refresh();

    // The event stream reconnects by itself but does not say so: what was
    // missed meanwhile is read here, of the jobs whose cards are on a page.
    const poll = new Poll({
      name: 'jupyter-export:missed-events-of-cards',
      auto: false,
      factory: () => jobs.refreshFollowed(),
      frequency: {
        interval: SECONDS * 1000,
        backoff: false,
        max: SECONDS * 1000
      },
      standby: 'when-hidden'
    });
    void poll.start();
    return jobs;
  }
};
