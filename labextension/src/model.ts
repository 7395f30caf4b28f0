import { DisposableDelegate } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import {
  EMPTY,
  isActive,
  jobTitle,
  needsWholeJob,
  withEvent,
  withJob,
  withNewestPage,
  withOlderPage,
  withoutJob
} from './joblist';
import type { JobList } from './joblist';
import { RequestFailed } from './tokens';
import type {
  Connection,
  IExportJobs,
  IExportsServer,
  JobChange,
  JobEvent
} from './tokens';

/** Keeps one list of jobs in step with the server and tells when it changed. */
export class ExportJobs implements IExportJobs {
  constructor(private readonly server: IExportsServer) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get list(): JobList {
    return this._list;
  }

  get connection(): Connection {
    return this._connection;
  }

  get problem(): string | null {
    return this._problem;
  }

  isBusy(id: string, change?: JobChange): boolean {
    const busy = this._busy.get(id);
    return busy !== undefined && (change ?? busy) === busy;
  }

  downloadUrl(id: string): string {
    return this.server.downloadUrl(id);
  }

  refresh(): Promise<void> {
    this._refreshing ??= this.readNewest().finally(() => {
      this._refreshing = null;
    });
    return this._refreshing;
  }

  async loadOlder(): Promise<void> {
    const cursor = this._list.older;
    if (cursor === null) {
      return;
    }
    try {
      const page = await this.server.list(cursor);
      // A second click while the first was under way asks for the same page.
      if (this._list.older === cursor) {
        this.update(withOlderPage(this._list, page));
      }
    } catch (error) {
      this.complain('Older exports could not be read', error);
    }
  }

  report(event: JobEvent): void {
    this._reported?.add(event.id);
    const fetch = needsWholeJob(this._list, event);
    const job = this._list.jobs.get(event.id);
    if (job !== undefined) {
      if (job.status !== event.status) {
        // What was refused then is of no more interest.
        this._problems.delete(event.id);
      }
      this.update(withEvent(this._list, event));
    }
    if (fetch) {
      void this.fetch(event.id);
    }
  }

  async cancel(id: string): Promise<void> {
    await this.change(id, 'cancelled', async () => {
      const job = await this.server.cancel(id);
      this._list = withJob(this._list, job);
    });
  }

  async retry(id: string): Promise<void> {
    await this.change(id, 'retried', async () => {
      const job = await this.server.retry(id);
      this._list = withJob(this._list, job);
    });
  }

  async remove(id: string): Promise<void> {
    await this.change(id, 'removed', async () => {
      try {
        await this.server.remove(id);
      } catch (error) {
        // Gone already is what was asked for.
        if (statusOf(error) !== 404) {
          throw error;
        }
      }
      // A list on its way may still hold it.
      this._reported?.add(id);
      this._list = withoutJob(this._list, id);
    });
  }

  follow(id: string): IDisposable {
    this._followed.set(id, (this._followed.get(id) ?? 0) + 1);
    void this.look(id);
    return new DisposableDelegate(() => {
      const others = (this._followed.get(id) ?? 1) - 1;
      if (others > 0) {
        this._followed.set(id, others);
      } else {
        this._followed.delete(id);
      }
    });
  }

  async refreshFollowed(): Promise<void> {
    const ids = [...this._followed.keys()].filter(id => {
      const job = this._list.jobs.get(id);
      return job === undefined ? !this.isUnknown(id) : isActive(job.status);
    });
    if (ids.length === 0 || this._connection === 'missing') {
      return;
    }
    if (this._connection !== 'ready') {
      await this.refresh();
    }
    if (this._connection === 'ready') {
      await Promise.all(ids.map(id => this.fetch(id)));
    }
  }

  isUnknown(id: string): boolean {
    return this._connection === 'missing' || this._list.ignored.has(id);
  }

  problemOf(id: string): string | null {
    return this._problems.get(id) ?? null;
  }

  dismissProblem(): void {
    this._problem = null;
    this._problems.clear();
    this._changed.emit();
  }

  private async readNewest(): Promise<void> {
    const reported = (this._reported = new Set<string>());
    try {
      const page = await this.server.list();
      this._connection = 'ready';
      this._list = withNewestPage(this._list, page);
      // The answer may be older than an event that overtook it.
      reported.forEach(id => void this.fetch(id));
    } catch (error) {
      const missing = statusOf(error) === 404;
      this._connection = missing ? 'missing' : 'unreachable';
      if (!missing) {
        this._problem = `The list could not be read. ${sentence(error)}`;
        this._listProblem = this._problem;
      }
    } finally {
      this._reported = null;
    }
    if (this._connection === 'ready' && this._problem === this._listProblem) {
      this._problem = null;
    }
    this._changed.emit();
  }

  /** Read a job that is not on the list; the list comes first, as it tells what is older. */
  private async look(id: string): Promise<void> {
    if (this._connection !== 'ready') {
      await this.refresh();
    }
    if (this._connection === 'ready' && !this._list.jobs.has(id)) {
      await this.fetch(id);
    }
  }

  /** Read one job; news that comes meanwhile has it read once more. */
  private async fetch(id: string): Promise<void> {
    if (this._list.ignored.has(id)) {
      return;
    }
    if (this._fetching.has(id)) {
      this._fetching.set(id, true);
      return;
    }
    this._fetching.set(id, false);
    try {
      const job = await this.server.get(id);
      // Removed while the answer was on its way.
      if (!this._list.ignored.has(id)) {
        this.update(withJob(this._list, job));
      }
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) {
        this.update(withoutJob(this._list, id));
      } else if (status === 403 && this._connection === 'ready') {
        // Logged out, say: the job may well be there. What follows asks for the list alone.
        this._connection = 'unreachable';
        this._changed.emit();
      }
      // Any other failure heals with the next event or refresh.
    }
    const again = this._fetching.get(id) === true;
    this._fetching.delete(id);
    if (again) {
      await this.fetch(id);
    }
  }

  private async change(
    id: string,
    done: JobChange,
    request: () => Promise<void>
  ): Promise<void> {
    if (this._busy.has(id)) {
      return;
    }
    const job = this._list.jobs.get(id);
    this._busy.set(id, done);
    this._problems.delete(id);
    this._changed.emit();
    try {
      await request();
    } catch (error) {
      this._problem = `${job ? jobTitle(job) : 'The export'} could not be ${done}. ${sentence(error)}`;
      this._problems.set(id, this._problem);
      // The refusal shows that the list is behind.
      void this.fetch(id);
    } finally {
      this._busy.delete(id);
      this._changed.emit();
    }
  }

  private complain(what: string, error: unknown): void {
    this._problem = `${what}. ${sentence(error)}`;
    this._changed.emit();
  }

  private update(list: JobList): void {
    this._list = list;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _busy = new Map<string, JobChange>();
  private readonly _problems = new Map<string, string>();
  /** Jobs that somebody looks at, and how many do. */
  private readonly _followed = new Map<string, number>();
  /** Jobs being read, and whether to read them again after that. */
  private readonly _fetching = new Map<string, boolean>();
  /** Jobs that events named while the list is being read. */
  private _reported: Set<string> | null = null;
  private _refreshing: Promise<void> | null = null;
  private _list: JobList = EMPTY;
  private _connection: Connection = 'loading';
  private _problem: string | null = null;
  /** The problem that a readable list solves. */
  private _listProblem: string | null = null;
}

function statusOf(error: unknown): number {
  return error instanceof RequestFailed ? error.status : -1;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
