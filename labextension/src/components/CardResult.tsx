import * as React from 'react';

import {
  MANY_LOSSES,
  canBeOpened,
  canBeRead,
  cardFacts,
  cardTitle,
  changedText,
  lossLines
} from '../card';
import type { LossLine } from '../card';
import { isUnderRoot } from '../joblist';
import type { Job, JobResult, Loss } from '../tokens';
import type { ICardProps } from './Card';
import { Attempts, CardTitle } from './CardParts';
import { useCopy } from './copy';

/** A finished export: facts, ways to the file, losses, the lines that read it back. */
export function CardResult(props: ICardProps): React.ReactElement {
  const { document, job } = props;
  return (
    <>
      <div className="jx-row">
        <span className="jx-ok" aria-hidden="true">
          ●
        </span>
        <CardTitle job={job} />
        <span className="jx-muted jx-num">
          {cardFacts(job, document.columns)}
        </span>
        <span className="jx-space" />
        <Ways {...props} />
      </div>
      <Losses losses={job.result?.losses ?? []} />
      {job.result !== null && (
        <Proof
          job={job}
          result={job.result}
          reader={document.reader ?? job.result.reader ?? ''}
        />
      )}
    </>
  );
}

function Ways(props: ICardProps): React.ReactElement {
  const { job, known, downloadUrl, open, showFile } = props;
  const address = new URL(downloadUrl, window.location.href).href;
  const [copied, copy] = useCopy(address);
  const title = cardTitle(job);
  const { result } = job;
  const path = result !== null && isUnderRoot(result.path) ? result.path : null;
  const opens = open !== null && result !== null && canBeOpened(result);
  return (
    <>
      {path !== null && opens && (
        <button
          className="jx-link jx-open"
          type="button"
          aria-label={`Open ${title}`}
          onClick={() => open(path)}
        >
          Open
        </button>
      )}
      {path !== null && !opens && showFile !== null && (
        <button
          className="jx-link jx-files"
          type="button"
          aria-label={`Show ${title} in the file browser`}
          onClick={() => showFile(path)}
        >
          Show in files
        </button>
      )}
      {known && (
        <>
          <a
            className="jx-link jx-download"
            href={downloadUrl}
            // Empty: the server names the file.
            download=""
            aria-label={`Download ${title}`}
          >
            Download
          </a>
          <button
            className="jx-link jx-copylink"
            type="button"
            title="The address of the file, for those who may log in here"
            onClick={copy}
          >
            {copied === 'done' ? 'Copied' : 'Copy link'}
          </button>
          {copied === 'refused' && (
            <input
              className="jx-address"
              aria-label={`Address of ${title}, to copy`}
              readOnly
              autoFocus
              value={address}
              onFocus={event => event.currentTarget.select()}
            />
          )}
        </>
      )}
    </>
  );
}

function Losses({
  losses
}: {
  losses: readonly Loss[];
}): React.ReactElement | null {
  const lines = lossLines(losses);
  if (lines.length === 0) {
    return null;
  }
  const head = <span className="jx-warn">▲ {changedText(losses)}</span>;
  if (lines.length === 1) {
    return (
      <div className="jx-loss">
        {head} {lines.map(lossText)}
      </div>
    );
  }
  const shown = lines.map((line, index) => (
    <div key={index}>{lossText(line)}</div>
  ));
  if (lines.length <= MANY_LOSSES) {
    return (
      <div className="jx-loss">
        {head}
        {shown}
      </div>
    );
  }
  const columns = [...new Set(lines.map(line => line.column).filter(Boolean))];
  return (
    <details className="jx-loss">
      <summary>
        {head} {columns.join(', ')}
      </summary>
      {shown}
    </details>
  );
}

function lossText(line: LossLine, index: number | void): React.ReactElement {
  return (
    <React.Fragment key={index ?? undefined}>
      {line.column !== '' && (
        <>
          <b>{line.column}</b>:{' '}
        </>
      )}
      {line.said}
      {line.flag !== '' && (
        <>
          {' '}
          — avoid it with <code>{line.flag}</code>
        </>
      )}
    </React.Fragment>
  );
}

/** How it is known that the file is whole, and the lines that read it. */
function Proof(props: {
  job: Job;
  result: JobResult;
  reader: string;
}): React.ReactElement {
  const { job, result, reader } = props;
  const [copied, copy] = useCopy(reader);
  const digest = result.sha256 ?? '';
  const proof = (
    <>
      checked: rows read = written = counted
      {digest !== '' && (
        <>
          {' · '}
          <span title={digest}>
            SHA-256 {digest.slice(0, 4)}…{digest.slice(-4)}
          </span>
        </>
      )}
    </>
  );
  return (
    <>
      {canBeRead(reader) ? (
        <details className="jx-more">
          <summary>read it back · {proof}</summary>
          <div className="jx-code">
            <pre>{reader}</pre>
            <button
              className="jx-link jx-copyreader"
              type="button"
              aria-label={`Copy the lines that read ${cardTitle(job)} back`}
              onClick={copy}
            >
              {copied === 'done'
                ? 'Copied'
                : copied === 'refused'
                  ? 'Select the lines to copy them'
                  : 'Copy'}
            </button>
          </div>
        </details>
      ) : (
        <div className="jx-muted">{proof}</div>
      )}
      <Attempts job={job} />
    </>
  );
}
