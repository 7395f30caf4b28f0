import * as React from 'react';

import { attemptLines, cardTitle, pathOf } from '../card';
import type { Job } from '../tokens';

/** The file's name, and where it is. */
export function CardTitle({ job }: { job: Job }): React.ReactElement {
  return <b title={pathOf(job) ?? undefined}>{cardTitle(job)}</b>;
}

/** The attempts that are over, folded. */
export function Attempts({ job }: { job: Job }): React.ReactElement | null {
  const lines = attemptLines(job);
  if (lines.length === 0) {
    return null;
  }
  return (
    <details className="jx-attempts">
      <summary>
        {lines.length === 1
          ? '1 earlier attempt'
          : `${lines.length} earlier attempts`}
      </summary>
      {lines.map((line, index) => (
        <div key={index} className="jx-indent jx-attempt">
          {line}
        </div>
      ))}
    </details>
  );
}
