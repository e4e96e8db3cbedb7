import type { Milliseconds } from '../../environment.js';
import { nodeClock } from '../../transports/node.js';

/** Between two looks at what takes its time. */
export const pause = (span: Milliseconds): Promise<void> => new Promise((resolve) => { nodeClock.setTimeout(resolve, span); });
