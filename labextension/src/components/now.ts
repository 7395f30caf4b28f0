import * as React from 'react';

/** The time, each second while `ticks`. */
export function useNow(ticks: boolean): Date {
  const [now, setNow] = React.useState(() => new Date());
  React.useEffect(() => {
    if (!ticks) {
      return undefined;
    }
    setNow(new Date());
    const timer = window.setInterval(() => setNow(new Date()), 1000);
    return () => window.clearInterval(timer);
  }, [ticks]);
  return now;
}
