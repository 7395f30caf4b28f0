import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import * as React from 'react';

import { laterOf } from './card';
import { parseCard } from './carddocument';
import type { CardDocument } from './carddocument';
import { Card } from './components/Card';
import { isActive } from './joblist';
import type { IExportJobs } from './tokens';

const OPEN = 'docmanager:open';
/** The file browser's command. */
const GO_TO_PATH = 'filebrowser:go-to-path';

/**
 * The output of an export: draws what the kernel last said of the job, or what
 * the server says now, whichever is later.
 */
export class ExportCard extends ReactWidget implements IRenderMime.IRenderer {
  constructor(
    private readonly jobs: IExportJobs,
    private readonly commands: CommandRegistry,
    private readonly mimeType: string
  ) {
    super();
    this.addClass('jp-ExportCard-output');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const document = parseCard(model.data[this.mimeType]);
    this._updates += 1;
    if (document?.job.id !== this._document?.job.id) {
      this._following?.dispose();
      this._following = document && this.jobs.follow(document.job.id);
      this._updates = 0;
    }
    this._document = document;
    this.update();
    await this.renderPromise;
  }

  override dispose(): void {
    this._following?.dispose();
    this._following = null;
    super.dispose();
  }

  protected override render(): React.ReactElement {
    return (
      <UseSignal signal={this.jobs.changed}>{() => this.card()}</UseSignal>
    );
  }

  private card(): React.ReactElement {
    const document = this._document;
    if (document === null) {
      return <div className="jx-card">This output is not readable.</div>;
    }
    const { id } = document.job;
    const live = this.jobs.list.jobs.get(id);
    const job = live === undefined ? document.job : laterOf(document.job, live);
    const unknown = this.jobs.isUnknown(id);
    // A kernel that still tells of the job has it from a server that is not this one.
    const lost = unknown && isActive(job.status) && this._updates === 0;
    return (
      <Card
        document={document}
        job={job}
        status={lost ? 'unknown' : job.status}
        known={!unknown}
        busy={this.jobs.isBusy(id)}
        cancelling={this.jobs.isBusy(id, 'cancelled')}
        problem={this.problem(document)}
        downloadUrl={this.jobs.downloadUrl(id)}
        cancel={() => void this.jobs.cancel(id)}
        retry={() => void this.jobs.retry(id)}
        open={this.command(OPEN)}
        showFile={this.command(GO_TO_PATH)}
      />
    );
  }

  private problem({ job }: CardDocument): string | null {
    const unseen = !this.jobs.list.jobs.has(job.id) && isActive(job.status);
    return (
      this.jobs.problemOf(job.id) ??
      (unseen && this.jobs.connection === 'unreachable'
        ? 'The server does not answer; this is what was last known.'
        : null)
    );
  }

  /** Asked for at each drawing: the file browser may start later, or never. */
  private command(name: string): ((path: string) => void) | null {
    return this.commands.hasCommand(name)
      ? path => void this.commands.execute(name, { path })
      : null;
  }

  private _document: CardDocument | null = null;
  private _following: IDisposable | null = null;
  /** How often the kernel has told more of the job since the output was first drawn. */
  private _updates = 0;
}
