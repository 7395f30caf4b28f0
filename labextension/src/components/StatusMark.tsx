import * as React from 'react';

import type { JobStatus } from '../tokens';

/** ● done, ✕ failed, ◌ no file: drawn, since fonts disagree on these signs. */
export function StatusMark({
  status
}: {
  status: JobStatus;
}): React.ReactElement {
  return (
    <svg
      className="jp-Export-mark"
      width="10"
      height="10"
      viewBox="0 0 10 10"
      role="img"
      aria-label={status}
    >
      <title>{status}</title>
      {status === 'completed' ? (
        <circle cx="5" cy="5" r="4.2" fill="currentColor" />
      ) : status === 'failed' ? (
        <path
          d="M1.5 1.5l7 7m0-7l-7 7"
          stroke="currentColor"
          strokeWidth="1.8"
        />
      ) : (
        <circle
          cx="5"
          cy="5"
          r="3.9"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.3"
          strokeDasharray="1.6 1.46"
        />
      )}
    </svg>
  );
}
