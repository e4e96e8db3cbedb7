import { failWith } from './fail.js';

/** What is left to do at the end may take so long before the process goes anyway. */
export const PATIENCE = 3_000;

/** Resolves at SIGTERM or SIGINT; a second one ends the process at once. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** Ends the process in order: exit code 0 once `close` has resolved, 1 when it rejects or takes too long. */
export async function leave(close: () => Promise<unknown>, { patience = PATIENCE }: { readonly patience?: number } = {}): Promise<never> {
  const late = setTimeout(() => {
    process.stderr.write('rserpool: not closed in time\n');
    process.exit(1);
  }, patience);
  await close().catch(failWith);
  clearTimeout(late);
  process.exit(0);
}
