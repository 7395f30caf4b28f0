import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { CARD_MIME_TYPE } from '../carddocument';
import { ExportCard } from '../cardwidget';
import { IExportJobs } from '../tokens';

/** Before the widgets' -10: the same output holds a button for front ends without this. */
const RANK = -20;

/** Draws an export in the output of its cell, live. */
export const cardPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-export:card',
  description:
    'Shows the state of an export in the notebook that asked for it.',
  autoStart: true,
  requires: [IExportJobs, IRenderMimeRegistry],
  activate: (
    app: JupyterFrontEnd,
    jobs: IExportJobs,
    rendermime: IRenderMimeRegistry
  ): void => {
    rendermime.addFactory(
      {
        // Text only, and no address but the server's own: a notebook needs no trust for it.
        safe: true,
        mimeTypes: [CARD_MIME_TYPE],
        createRenderer: options =>
          new ExportCard(jobs, app.commands, options.mimeType)
      },
      RANK
    );
  }
};
