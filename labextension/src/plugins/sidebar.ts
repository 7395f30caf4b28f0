import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Poll } from '@lumino/polling';
import type { IPoll } from '@lumino/polling';

import { ExportsPanel } from '../panel';
import { IExportJobs } from '../tokens';

function every(seconds: number): IPoll.Frequency {
  const interval = seconds * 1000;
  return { interval, backoff: false, max: interval };
}

/** Adds the "Exports" sidebar. */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-export:sidebar',
  description: 'Shows the export jobs in the left sidebar.',
  autoStart: true,
  requires: [IExportJobs],
  optional: [ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    jobs: IExportJobs,
    restorer: ILayoutRestorer | null
  ): void => {
    const panel = new ExportsPanel(jobs, app.commands);
    app.shell.add(panel, 'left', { rank: 600 });
    restorer?.add(panel, panel.id);

    // The event stream reconnects by itself but does not say so. What was
    // missed meanwhile is read here, and only while somebody looks.
    const poll = new Poll({
      name: 'jupyter-export:missed-events',
      auto: false,
      factory: () => jobs.refresh(),
      frequency: every(30),
      standby: () => document.hidden || !panel.isVisible
    });
    jobs.changed.connect(() => {
      const frequency = every(jobs.connection === 'unreachable' ? 5 : 30);
      if (frequency.interval !== poll.frequency.interval) {
        poll.frequency = frequency;
        void poll.schedule();
      }
    });
    panel.shown.connect(() => void poll.refresh());
    void poll.start();
  }
};
