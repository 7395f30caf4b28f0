import * as React from 'react';

export type Copied = 'not' | 'done' | 'refused';

/** A way to copy a text, and what came of it; “done” is said for two seconds. */
export function useCopy(text: string): [Copied, () => void] {
  const [copied, setCopied] = React.useState<Copied>('not');
  React.useEffect(() => {
    if (copied !== 'done') {
      return undefined;
    }
    const timer = window.setTimeout(() => setCopied('not'), 2000);
    return () => window.clearTimeout(timer);
  }, [copied]);
  const copy = (): void => {
    void copyText(text).then(done => setCopied(done ? 'done' : 'refused'));
  };
  return [copied, copy];
}

/** Put a text into the clipboard; `false` where the page may not. */
async function copyText(text: string): Promise<boolean> {
  try {
    // Not there at all on a page that came by http from another machine.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** The older way, which asks for no permission. */
function copySelected(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.appendChild(area);
  try {
    area.select();
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
    if (before instanceof HTMLElement) {
      before.focus();
    }
  }
}
