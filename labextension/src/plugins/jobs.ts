import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { parseEvent } from '../joblist';
import { ExportJobs } from '../model';
import { ExportsServer } from '../request';
import { IExportJobs, JOB_EVENT_SCHEMA } from '../tokens';

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
    return jobs;
  }
};
