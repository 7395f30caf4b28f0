import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { RequestFailed } from './tokens';
import type { IExportsServer, Job, JobPage } from './tokens';

/** The status that stands for "no answer at all". */
const NO_ANSWER = 0;
const PAGE = 100;

/** The REST routes that the front end uses. Failures are `RequestFailed`. */
export class ExportsServer implements IExportsServer {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  list(cursor?: string): Promise<JobPage> {
    const query = URLExt.objectToQueryString({
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor })
    });
    return this.request<JobPage>(`jobs${query}`, 'GET');
  }

  get(id: string): Promise<Job> {
    return this.request<Job>(jobPath(id), 'GET');
  }

  cancel(id: string): Promise<Job> {
    return this.request<Job>(`${jobPath(id)}/cancel`, 'POST');
  }

  retry(id: string): Promise<Job> {
    return this.request<Job>(`${jobPath(id)}/retry`, 'POST');
  }

  async remove(id: string): Promise<void> {
    await this.request<unknown>(jobPath(id), 'DELETE');
  }

  /** For a link: the browser sends its cookie, so no token is in the address. */
  downloadUrl(id: string): string {
    return this.url(`${jobPath(id)}/download`);
  }

  private url(path: string): string {
    return URLExt.join(this.settings.baseUrl, 'jupyter-export/v1', path);
  }

  private async request<T>(path: string, method: string): Promise<T> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        this.url(path),
        { method },
        this.settings
      );
    } catch {
      throw new RequestFailed('The server does not answer.', NO_ANSWER);
    }
    const text = await response.text();
    const body = parsed(text);
    if (!response.ok) {
      throw new RequestFailed(
        message(body) ?? `The server answered ${response.status}.`,
        response.status
      );
    }
    return body as T;
  }
}

function jobPath(id: string): string {
  return `jobs/${encodeURIComponent(id)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function message(body: unknown): string | null {
  const sentence = (body as { message?: unknown } | null)?.message;
  return typeof sentence === 'string' && sentence !== '' ? sentence : null;
}
