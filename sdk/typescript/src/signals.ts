// Waits that signals cut short. It knows no calls.

/** Timers of JavaScript fire at once beyond this (24 days). */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits. Returns at once when a signal is aborted: what comes next then fails with the signal's reason. */
export function pause(milliseconds: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(finish, Math.min(milliseconds, LONGEST_TIMER_MS));
    const stop = whenAborted(signals, finish);
  });
}

/** Returns what the promise does. Throws a signal's reason as soon as it is aborted; what the promise does then counts no more. */
export async function unlessAborted<T>(promise: Promise<T>, ...signals: (AbortSignal | undefined)[]): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = whenAborted(signals, ({ reason }) => reject(reason));
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}

/** Calls `act` once a signal is aborted, later in this turn if one is already. Returns what ends the listening. */
function whenAborted(signals: (AbortSignal | undefined)[], act: (signal: AbortSignal) => void): () => void {
  const found = signals.filter((signal) => signal !== undefined);
  const listener = () => act(found.find(({ aborted }) => aborted)!);
  if (found.some(({ aborted }) => aborted)) queueMicrotask(listener);
  for (const signal of found) signal.addEventListener("abort", listener);
  return () => found.forEach((signal) => signal.removeEventListener("abort", listener));
}
