import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { cardPlugin } from './plugins/card';
import { jobsPlugin } from './plugins/jobs';
import { sidebarPlugin } from './plugins/sidebar';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  jobsPlugin,
  sidebarPlugin,
  cardPlugin
];

export default plugins;
