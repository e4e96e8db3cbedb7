import { createEmptyActor } from 'xstate';
import { nodeEnvironment } from '../actors/environment.js';
import type { Home } from '../actors/home.js';
import { Pools } from '../actors/pool.js';
import { resolveTimers } from '../machines/timers.js';
import { poolHandleKey } from '../wire/index.js';
import { answer, AsapClient, handleOf, resolution } from './asap-client.js';
import { BareClient } from './bare.js';
import { Child } from './child.js';
import { compare, median, type Row, type Run } from './measure.js';

const POOLS = 1000;
const ELEMENTS = 3;

/** Handle resolutions over TCP, one client and one registrar process; the opponent returns stored bytes of the same size, found by the handle. The pools'
 *  elements are in a process of their own, and kept alive. */
export async function resolutions(run: Run): Promise<Row[]> {
  const registrar = new Child<{ address: string }>('registrar');
  const { address } = await registrar.ready;
  const elements = new Child('elements', { registrar: address, pools: POOLS, elements: ELEMENTS });
  await elements.ready;
  const client = await AsapClient.connect(address);
  const requests = Array.from({ length: POOLS }, (_, pool) => resolution(pool));
  for (const request of requests) await client.ask(request);
  const { size } = client;
  const stored = new Child<{ port: number }>('stored', { pools: POOLS, size });
  const bare = new BareClient((await stored.ready).port);
  const handles = Array.from({ length: POOLS }, (_, pool) => handleOf(pool));
  const sides = {
    ours: { request: (done: () => void) => { client.request(next(requests), done); }, serverCpu: () => registrar.cpu() },
    bare: { request: (done: () => void) => { bare.request(next(handles), done); }, serverCpu: () => stored.cpu() },
  };
  const what = `handle resolution, ${POOLS} pools, ${size} bytes`;
  const rows = [
    await compare(what, sides, { outstanding: 1, count: 20_000 }, run),
    await compare(what, sides, { outstanding: 32, count: 150_000 }, run, 0.8),
    await compare(what, sides, { outstanding: 256, count: 300_000 }, run, 0.8),
    cachedPick(run),
  ];
  bare.close();
  client.close();
  for (const child of [stored, elements, registrar]) await child.leave();
  return rows;
}

let turn = 0;
const next = <T>(values: readonly T[]): T => values[turn++ % POOLS]!;

/** What it costs a pool user to select once it has the answer. */
function cachedPick({ rounds, scale }: Run): Row {
  const home = { ref: createEmptyActor(), age: Infinity, report: () => undefined } as unknown as Home;
  const pools = new Pools({ environment: nodeEnvironment(), timers: resolveTimers('quick'), home: () => home });
  const keys = Array.from({ length: POOLS }, (_, pool) => {
    const key = poolHandleKey(handleOf(pool));
    void pools.refresh(key);
    pools.answered(answer(pool, ELEMENTS));
    return key;
  });
  const picks = Math.round(1_000_000 * scale);
  const cost = median(Array.from({ length: rounds + 1 }, () => {
    const began = performance.now();
    for (let i = 0; i < picks; i++) if (!pools.pick(next(keys))) throw new Error('nothing cached');
    return ((performance.now() - began) * 1000) / picks;
  }).slice(1));
  return { what: `a pool user's cached pick, ${POOLS} pools`, ours: `${cost.toFixed(2)} us`, budget: '<= 0.5 us', isMet: cost <= 0.5 };
}
