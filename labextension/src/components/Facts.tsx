import * as React from 'react';

/** A line of facts, `27,059 rows · 2.1 MB`, that wraps between them. */
export function Facts({ text }: { text: string }): React.ReactElement {
  return (
    <>
      {text.split(' · ').map((fact, index) => (
        <React.Fragment key={index}>
          {index > 0 && ' · '}
          <span className="jp-Export-fact">{fact}</span>
        </React.Fragment>
      ))}
    </>
  );
}
