import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createRegistrar, type TimerOptions } from '../../index.js';
import { inputOf, serveParent } from '../child.js';

const RESOLUTION = 5;
const { timers } = inputOf<{ timers?: TimerOptions }>();
const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'], ...(timers && { timers }) });
const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
delay.enable();
serveParent({ address: registrar.asap[0] }, {
  elements: () => registrar.stats().elements,
  heap: () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  },
  /** 99th percentile since the last question, in milliseconds. The monitor counts its own interval. */
  delay: () => {
    const p99 = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION);
    delay.reset();
    return p99;
  },
});
