import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { Exports } from './components/Exports';
import { exportsIcon } from './icon';
import { PANEL_ID } from './tokens';
import type { IExportJobs } from './tokens';

/** The file browser's command. */
const GO_TO_PATH = 'filebrowser:go-to-path';

/** The sidebar's widget: hosts the components and tells when it comes into view. */
export class ExportsPanel extends ReactWidget {
  constructor(
    private readonly jobs: IExportJobs,
    private readonly commands: CommandRegistry
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-Export');
    this.title.icon = exportsIcon;
    this.title.caption = 'Exports';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Exports');
  }

  get shown(): ISignal<this, void> {
    return this._shown;
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._shown.emit();
  }

  protected override render(): React.ReactElement {
    return (
      <UseSignal signal={this.jobs.changed}>
        {() => <Exports jobs={this.jobs} showFile={this.showFile()} />}
      </UseSignal>
    );
  }

  /** Asked for at each drawing: the file browser may start later, or never. */
  private showFile(): ((path: string) => void) | null {
    return this.commands.hasCommand(GO_TO_PATH)
      ? path => void this.commands.execute(GO_TO_PATH, { path })
      : null;
  }

  private readonly _shown = new Signal<this, void>(this);
}
