import { nodeClock } from '../../../transports/node.js';

const POLL = 50;

/** Resolves once `check` is true: for what tells nobody when it happens (another program's state). Rejects after `patience` ms. */
export async function until(check: () => boolean | Promise<boolean>, what: string, patience = 30_000): Promise<void> {
  const end = nodeClock.now() + patience;
  while (!await check()) {
    if (nodeClock.now() > end) throw new Error(`after ${patience} ms it is not true that ${what}`);
    await pause(POLL);
  }
}

/** For measurements and silence that must last, never to wait for something to happen. */
export const pause = (delay: number): Promise<void> => new Promise((resolve) => { nodeClock.setTimeout(resolve, delay); });
