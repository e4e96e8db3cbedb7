import { afterAll, afterEach, beforeEach, describe, expect } from '@jest/globals';
import type { ServiceAccessPoint } from '../../../actors/access-point.js';
import {
  leastUsed, leastUsedDegradation, priority, priorityLeastUsed, priorityLeastUsedDegradation, random, randomizedLeastUsed, randomizedLeastUsedDegradation, randomizedPriorityLeastUsed,
  randomizedPriorityLeastUsedDegradation, roundRobin, weightedRandom, weightedRoundRobin, type PolicyOption,
} from '../../../actors/policies.js';
import type { Registrar } from '../../../actors/registrar.js';
import { Lab } from '../lab/lab.js';
import { quick, registrar, server } from '../lab/rsplib.js';
import { hasElements, Ours, ourRegistrar } from './roles.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, three, four] = [lab.guest(1), lab.guest(2), lab.guest(3), lab.guest(4)] as const;

/** Three elements of each pool, and the share of each: exact where the policy leaves nothing to chance. */
interface Case {
  readonly elements: readonly PolicyOption[];
  readonly shares: readonly number[];
  readonly isExact?: boolean;
}
const loads = [0.1, 0.5, 0.9];
const cases: Readonly<Record<string, Case>> = {
  'round-robin': { elements: [1, 2, 3].map(() => roundRobin()), shares: [1 / 3, 1 / 3, 1 / 3], isExact: true },
  'weighted-round-robin': { elements: [1, 2, 3].map((weight) => weightedRoundRobin({ weight })), shares: [1 / 6, 2 / 6, 3 / 6], isExact: true },
  random: { elements: [1, 2, 3].map(() => random()), shares: [1 / 3, 1 / 3, 1 / 3] },
  'weighted-random': { elements: [1, 2, 3].map((weight) => weightedRandom({ weight })), shares: [1 / 6, 2 / 6, 3 / 6] },
  priority: { elements: [3, 1, 2].map((each) => priority({ priority: each })), shares: [1, 0, 0], isExact: true },
  'least-used': { elements: [0.5, 0.1, 0.9].map((load) => leastUsed({ load })), shares: [0, 1, 0], isExact: true },
  // a pick adds so much: twice as many for half of it
  'least-used-degradation': { elements: [0.001, 0.002, 0.004].map((degradation) => leastUsedDegradation({ load: 0, degradation })), shares: [4 / 7, 2 / 7, 1 / 7] },
  'priority-least-used': { elements: [[0.1, 0.3], [0.2, 0.1], [0.3, 0.05]].map(([load = 0, degradation = 0]) => priorityLeastUsed({ load, degradation })), shares: [0, 1, 0], isExact: true },
  'randomized-least-used': { elements: loads.map((load) => randomizedLeastUsed({ load })), shares: [9 / 15, 5 / 15, 1 / 15] },
  'randomized-priority-least-used': { elements: [0.1, 0.5, 0.8].map((degradation) => randomizedPriorityLeastUsed({ load: 0.1, degradation })), shares: [8 / 13, 4 / 13, 1 / 13] },
  'randomized-least-used-degradation': { elements: loads.map((load) => randomizedLeastUsedDegradation({ load, degradation: 0.00001 })), shares: [9 / 15, 5 / 15, 1 / 15] },
  'priority-least-used-degradation': { elements: [0.001, 0.002, 0.004].map((degradation) => priorityLeastUsedDegradation({ load: 0, degradation })), shares: [4 / 7, 2 / 7, 1 / 7] },
  'randomized-priority-least-used-degradation': { elements: loads.map((load) => randomizedPriorityLeastUsedDegradation({ load, degradation: 0.00001 })), shares: [9 / 15, 5 / 15, 1 / 15] },
};
/** The same of rspserver, by what it takes for `-policy`; its echo has no load. Private ones are PriorityLeastUsedDegradation and RandomizedPriorityLeastUsed. */
const servers: Readonly<Record<string, Omit<Case, 'elements'> & { readonly elements: readonly string[] }>> = {
  'rr': { elements: ['RoundRobin', 'RoundRobin', 'RoundRobin'], shares: [1 / 3, 1 / 3, 1 / 3], isExact: true },
  'wrr': { elements: [1, 2, 3].map((weight) => `WeightedRoundRobin:${weight}`), shares: [1 / 6, 2 / 6, 3 / 6], isExact: true },
  'rand': { elements: ['Random', 'Random', 'Random'], shares: [1 / 3, 1 / 3, 1 / 3] },
  'wrand': { elements: [1, 2, 3].map((weight) => `WeightedRandom:${weight}`), shares: [1 / 6, 2 / 6, 3 / 6] },
  'lu': { elements: ['LeastUsed', 'LeastUsed', 'LeastUsed'], shares: [1 / 3, 1 / 3, 1 / 3], isExact: true },
  'lud': { elements: [0.001, 0.002, 0.004].map((degradation) => `LeastUsedDegradation:${degradation}`), shares: [4 / 7, 2 / 7, 1 / 7] },
  'plu': { elements: [0.3, 0.1, 0.2].map((degradation) => `PriorityLeastUsed:${degradation}`), shares: [0, 1, 0], isExact: true },
  'plud': { elements: [0.001, 0.002, 0.004].map((degradation) => `PriorityLeastUsedDegradation:${degradation}`), shares: [4 / 7, 2 / 7, 1 / 7] },
  'rlu': { elements: ['RandomizedLeastUsed', 'RandomizedLeastUsed', 'RandomizedLeastUsed'], shares: [1 / 3, 1 / 3, 1 / 3] },
  'rplu': { elements: ['RandomizedPriorityLeastUsed', 'RandomizedPriorityLeastUsed', 'RandomizedPriorityLeastUsed'], shares: [1 / 3, 1 / 3, 1 / 3] },
};
const PICKS = 240;
const EXACT_PICKS = 30;
/** Of all picks: four standard deviations of the largest share here. A policy that were mistaken for another, or values that were not heeded, miss by more. */
const TOLERANCE = 0.13;

describe('policies', () => {
  const ours = new Ours();

  beforeEach(async () => {
    await lab.fresh(1);
    await lab.encapsulate(1);
  });
  afterEach(async () => ours.end());
  afterAll(async () => lab.fresh(1, 2, 3, 4));

  scenario('P1', async () => {
    const theirs = registrar(one, ...quick);
    await theirs.err(/Registrar started/);
    const atTheirs = await shares(one.address);
    const own = await ourRegistrar();
    try {
      const atOurs = await shares(lab.address);
      compare(cases, atTheirs, atOurs);
    } finally {
      await end(own);
    }
  });

  /** The elements have our registrar as their home; theirs is told by it. */
  scenario('P2', async () => {
    await lab.fresh(2, 3, 4);
    for (const guest of [2, 3, 4]) await lab.encapsulate(guest);
    const theirs = registrar(one, ...quick);
    await theirs.err(/Registrar started/);
    const own = await ourRegistrar({ peers: [`sctp+udp://${one.address}:9901`], multicast: { interface: lab.address } });
    try {
      for (const [pool, { elements }] of Object.entries(servers)) for (const [index, guest] of [two, three, four].entries()) server(guest, 'echo', { pool, registrar: lab.address }, index + 1, `-policy=${elements[index]!}`);
      for (const pool of Object.keys(servers)) await hasElements(own, pool, 1, 2, 3);
      const [atTheirs, atOurs] = await Promise.all([one.address, lab.address].map(async (host) => {
        const user = await ours.point(host, { timers: { resolutionInterval: 1 } });
        return sharesOf(user, servers, (pool) => pool);
      }));
      compare(servers, atTheirs!, atOurs!);
    } finally {
      await end(own);
    }
  });

  /** What the registrar at `host` puts first in its answers. */
  async function shares(host: string): Promise<ReadonlyMap<string, readonly number[]>> {
    const elements = await ours.point(host, { asap: { listen: `sctp+udp://${lab.address}:0` } });
    const user = await ours.point(host, { timers: { resolutionInterval: 1 } });
    let port = 20_000;
    for (const [name, { elements: policies }] of Object.entries(cases)) {
      for (const [index, policy] of policies.entries()) await elements.register(handleOf(name), { identifier: index + 1, mapping: 'none', address: `sctp://${lab.address}:${port++}`, policy, life: Infinity });
    }
    return sharesOf(user, cases, handleOf);
  }
});

async function sharesOf(user: ServiceAccessPoint, pools: Readonly<Record<string, { readonly isExact?: boolean }>>, handle: (name: string) => string): Promise<ReadonlyMap<string, readonly number[]>> {
  return new Map(await Promise.all(Object.entries(pools).map(async ([name, { isExact }]) => [name, await counted(user, handle(name), isExact === true ? EXACT_PICKS : PICKS)] as const)));
}

function compare(pools: Readonly<Record<string, Omit<Case, 'elements'>>>, atTheirs: ReadonlyMap<string, readonly number[]>, atOurs: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, { shares: wanted, isExact = false }] of Object.entries(pools)) {
    for (const [where, counts] of [['rspregistrar', atTheirs], ['ours', atOurs]] as const) {
      const got = counts.get(name)!;
      const misses = got.map((share, index) => Math.abs(share - wanted[index]!));
      expect([where, name, got.map((share) => share.toFixed(3)), Math.max(...misses) <= (isExact ? 1e-9 : TOLERANCE)]).toEqual([where, name, expect.anything(), true]);
    }
  }
}

const end = async (own: Registrar): Promise<void> => { await own.close({ signal: AbortSignal.timeout(2_000) }).catch(() => undefined); };

async function counted(user: ServiceAccessPoint, pool: string, picks: number): Promise<readonly number[]> {
  const counts = [0, 0, 0];
  for (let pick = 0; pick < picks; pick += 1) counts[(await user.resolve(pool, { refresh: true })).elements[0]!.identifier - 1]! += 1;
  return counts.map((count) => count / picks);
}

/** rspregistrar ends at a handle of more than 32 bytes. */
const handleOf = (name: string): string => name.slice(0, 32);
