import { createRegistrar, type TimerOptions } from '../../index.js';
import { inputOf, serveParent } from '../child.js';
import { LoopWatch } from './loop-watch.js';

/** A registrar: alone, or one of several. SIGTERM ends it as the command line's ends. */
const { timers, id, asap = 'tcp://127.0.0.1:0', enrp, peers, isTimed = false } = inputOf<{ timers?: TimerOptions; id?: number; asap?: string; enrp?: string; peers?: readonly string[]; isTimed?: boolean }>();
const watch = new LoopWatch();
if (isTimed) watch.timeSlices();
const began = performance.now();
const registrar = await createRegistrar({ asap: [asap], ...(id && { id }), ...(enrp && { enrp: [enrp] }), ...(peers && { peers }), ...(timers && { timers }) });
process.on('SIGTERM', () => { void registrar.close().then(() => process.exit()); });
serveParent({ address: registrar.asap[0], took: performance.now() - began }, {
  elements: () => registrar.stats().elements,
  heap: () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  },
  /** 99th percentile since the last question. */
  delay: () => watch.p99(),
  loop: () => watch.report(),
  /** Elements by home registrar. */
  homes: () => [...registrar.handlespace.owners()].map((home) => [home, registrar.handlespace.owned(home).size]),
  active: () => registrar.peers().filter(({ state }) => state === 'active').length,
});
