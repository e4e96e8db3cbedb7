import { initialize, type ServiceAccessPoint } from '../../../index.js';
import { inputOf, serveParent } from '../../../bench/child.js';

/** Pool users by the hundred, each an access point of its own. */
const { registrar, clients, pool } = inputOf<{ registrar: string; clients: number; pool: string }>();
/** A thousand machines are one here: each client costs 3 to 5 ms of CPU until it is served, so that two cores at rest need 2 to 3 s for all of them, and those that have
 *  ten other things to do half a minute (measured). Each is to be served, whenever; the default of 4 s would be for a machine of its own. */
const PATIENCE = 60_000;
let all: readonly ServiceAccessPoint[] = [];

async function time(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

serveParent({}, {
  warmUp: async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const rsp = await initialize({ registrars: [registrar] });
      await rsp.resolve(pool);
      await rsp.close();
    }
  },
  /** All begin at once, and each looks the pool up. @returns what the slowest took, and what was not as it should be. */
  start: async (elements: number): Promise<{ readonly slowest: number; readonly failures: readonly string[] }> => {
    const failures: string[] = [];
    all = await Promise.all(Array.from({ length: clients }, () => initialize({ registrars: [registrar], timeout: PATIENCE, timers: { registrarWait: PATIENCE } })));
    const times = await Promise.all(all.map((rsp) => time(async () => {
      const found = await rsp.resolve(pool).then((resolution) => resolution.elements.length, String);
      if (found !== elements) failures.push(String(found));
    })));
    return { slowest: Math.max(...times), failures };
  },
  close: async (): Promise<void> => { await Promise.all(all.map((rsp) => rsp.close())); },
});
