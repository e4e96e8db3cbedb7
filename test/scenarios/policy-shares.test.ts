import type { ServiceAccessPoint } from '../../actors/access-point.js';
import {
  leastUsed, leastUsedDegradation, priority, priorityLeastUsed, priorityLeastUsedDegradation, random, randomizedLeastUsed, randomizedLeastUsedDegradation,
  randomizedPriorityLeastUsed, randomizedPriorityLeastUsedDegradation, roundRobin, weightedRandom, weightedRoundRobin,
} from '../../actors/policies.js';
import type { Policy } from '../../wire/index.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** RFC 5356 from one end to the other: a real registrar, real elements, a real pool user; each element's share of 10 000 picks against arithmetic that knows nothing of the code. */

const PICKS = 10_000;
const TOLERANCE = 0.03;
const USERS = 100;

type Shares = readonly number[];
interface Case {
  readonly name: string;
  readonly elements: readonly Policy[];
  readonly expected: Shares;
}

const proportional = (...weights: readonly number[]): Shares => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};
/** Each pick adds `step` to the value of the lowest one, which is the one picked. */
const filled = (...values: readonly (readonly [value: number, step: number])[]): Shares => {
  const levels = values.map(([value]) => value);
  const counts = values.map(() => 0);
  for (let pick = 0; pick < PICKS; pick++) {
    const lowest = levels.indexOf(Math.min(...levels));
    levels[lowest]! += values[lowest]![1];
    counts[lowest]!++;
  }
  return proportional(...counts);
};
/** Expectation of: drawn in proportion to what is left of 1; each pick adds `step`; all full: in turn. */
const drained = (...values: readonly (readonly [load: number, step: number])[]): Shares => {
  const left = values.map(([load]) => 1 - load);
  const counts = values.map(() => 0);
  for (let pick = 0; pick < PICKS; pick++) {
    const chances = left.some((each) => each > 1e-12) ? proportional(...left) : values.map(() => 1 / values.length);
    chances.forEach((chance, i) => {
      counts[i]! += chance;
      left[i] = Math.max(0, left[i]! - chance * values[i]![1]);
    });
  }
  return proportional(...counts);
};

const both = (load: number, degradation: number): { load: number; degradation: number } => ({ load, degradation });
const STEP = 0.0001;
const cases: readonly Case[] = [
  { name: 'round robin (§4.1)', elements: [roundRobin(), roundRobin(), roundRobin(), roundRobin()], expected: [0.25, 0.25, 0.25, 0.25] },
  { name: 'weighted round robin (§4.2)', elements: [1, 2, 3, 4].map((weight) => weightedRoundRobin({ weight })), expected: proportional(1, 2, 3, 4) },
  { name: 'random (§4.3)', elements: [random(), random(), random(), random()], expected: [0.25, 0.25, 0.25, 0.25] },
  { name: 'weighted random (§4.4)', elements: [1, 2, 3, 4].map((weight) => weightedRandom({ weight })), expected: proportional(1, 2, 3, 4) },
  { name: 'priority (§4.5), equals take turns', elements: [5, 9, 1, 9].map((each) => priority({ priority: each })), expected: [0, 0.5, 0, 0.5] },
  { name: 'least used (§5.1), equals take turns', elements: [0.4, 0.1, 0.1, 0.9].map((load) => leastUsed({ load })), expected: [0, 0.5, 0.5, 0] },
  { name: 'least used with degradation (§5.2, X-27)', elements: [leastUsedDegradation(both(0, STEP)), leastUsedDegradation(both(0.2, STEP)), leastUsedDegradation(both(0.1, 2 * STEP)), leastUsedDegradation(both(1, STEP))], expected: filled([0, STEP], [0.2, STEP], [0.1, 2 * STEP], [1, STEP]) },
  { name: 'priority least used (§5.3)', elements: [priorityLeastUsed(both(0.5, 0.1)), priorityLeastUsed(both(0.5, 0.5)), priorityLeastUsed(both(0.5, 0.1)), priorityLeastUsed(both(0.7, 0))], expected: proportional(1, 0, 1, 0) },
  { name: 'randomized least used (§5.4)', elements: [0, 0.5, 0.75, 1].map((load) => randomizedLeastUsed({ load })), expected: proportional(1, 0.5, 0.25, 0) },
  { name: 'randomized priority least used (RSPLIB)', elements: [randomizedPriorityLeastUsed(both(0, 0.2)), randomizedPriorityLeastUsed(both(0.5, 0.1)), randomizedPriorityLeastUsed(both(0.5, 0.5))], expected: proportional(0.8, 0.4, 0) },
  { name: 'randomized least used with degradation (RSPLIB)', elements: [randomizedLeastUsedDegradation(both(0, STEP)), randomizedLeastUsedDegradation(both(0, STEP / 2)), randomizedLeastUsedDegradation(both(0.5, 0))], expected: drained([0, STEP], [0, STEP / 2], [0.5, 0]) },
  { name: 'priority least used with degradation (RSPLIB)', elements: [priorityLeastUsedDegradation(both(0, STEP)), priorityLeastUsedDegradation(both(0.2, STEP)), priorityLeastUsedDegradation(both(0.1, 2 * STEP))], expected: filled([STEP, STEP], [0.2 + STEP, STEP], [0.1 + 2 * STEP, 2 * STEP]) },
  { name: 'randomized priority least used with degradation (RSPLIB)', elements: [randomizedPriorityLeastUsedDegradation(both(0, STEP)), randomizedPriorityLeastUsedDegradation(both(0.5, STEP))], expected: drained([STEP, STEP], [0.5 + STEP, STEP]) },
  { name: 'weighted round robin, weight 0 with others (X-26)', elements: [0, 1, 3].map((weight) => weightedRoundRobin({ weight })), expected: proportional(0, 1, 3) },
  { name: 'weighted random, weight 0 with others (X-26)', elements: [0, 1, 3].map((weight) => weightedRandom({ weight })), expected: proportional(0, 1, 3) },
  { name: 'weighted round robin, all of weight 0 (X-26)', elements: [0, 0, 0].map((weight) => weightedRoundRobin({ weight })), expected: proportional(1, 1, 1) },
  { name: 'weighted random, all of weight 0 (X-26)', elements: [0, 0, 0].map((weight) => weightedRandom({ weight })), expected: proportional(1, 1, 1) },
  { name: 'weighted random, weight 0 alone (X-26)', elements: [weightedRandom({ weight: 0 })], expected: [1] },
  { name: 'randomized least used, all loads full (X-26)', elements: [1, 1, 1].map((load) => randomizedLeastUsed({ load })), expected: proportional(1, 1, 1) },
];

/** Nobody registers again meanwhile: that would set counters back (§5.2.2). */
const still = { homeSilence: 1e8, t4Reregistration: 1e9, keepAlivePeriod: 1e8, peerHeartbeatCycle: 1e8, maxTimeLastHeard: 2e8, resolutionInterval: 1 };

class Setting {
  private constructor(readonly world: RegistrarWorld, readonly pe: ServiceAccessPoint, readonly pu: ServiceAccessPoint) {}

  static async create(elements: readonly Policy[]): Promise<Setting> {
    const world = await RegistrarWorld.start({ timers: still });
    const setting = new Setting(world, await world.accessPoint('pe', { timers: still }), await world.accessPoint('pu', { timers: still }));
    for (const [index, policy] of elements.entries()) {
      await world.world.settled(setting.pe.register('pool', { identifier: index + 1, policy, life: Infinity, mapping: 'none', address: `tcp://10.9.9.9:${index + 1}` }));
    }
    return setting;
  }

  async shares(size: number, pick: () => Promise<number>, picks = PICKS): Promise<Shares> {
    const counts = Array.from({ length: size }, () => 0);
    for (let i = 0; i < picks; i++) counts[(await pick()) - 1]!++;
    return proportional(...counts);
  }
}

const within = (expected: Shares) => expected.map((share) => expect.closeTo(share, -Math.log10(2 * TOLERANCE)) as number);

const policies = cases.filter(({ name }) => !name.includes('X-26'));
const edges = cases.filter(({ name }) => name.includes('X-26'));

describe('shares of 10 000 picks (RFC 5356)', () => {
  it.each(cases)('$name: a pool user with its cache', async ({ elements, expected }) => {
    const { pu, world, shares } = await Setting.create(elements);
    await world.world.settled(pu.resolve('pool'));
    expect(await shares(elements.length, async () => (await pu.getPrimaryServer('pool')).identifier)).toEqual(within(expected));
  });

  it.each(policies)('$name: a pool user whose cache is refreshed now and then (X-25)', async ({ elements, expected }) => {
    const { pu, world, shares } = await Setting.create(elements);
    let picks = 0;
    expect(await shares(elements.length, async () => {
      if (picks++ % 7 === 0) await world.world.settled(pu.resolve('pool', { refresh: true }));
      return (await pu.getPrimaryServer('pool')).identifier;
    })).toEqual(within(expected));
  });

  it.each(policies)('$name: many pool users without a cache, in the order of the registrar (X-25, X-27)', async ({ elements, expected }) => {
    const { world } = await Setting.create(elements);
    const counts = elements.map(() => 0);
    const users = await Promise.all(Array.from({ length: USERS }, (_, i) => world.accessPoint(`pu${i}`, { timers: still })));
    await world.world.settled(Promise.all(users.map(async (pu) => {
      for (let i = 0; i < PICKS / USERS; i++) counts[(await pu.resolve('pool', { refresh: true })).elements[0]!.identifier - 1]!++;
    })));
    expect(proportional(...counts)).toEqual(within(expected));
  });

  it.each(edges)('$name: in the order of the registrar', async ({ elements, expected }) => {
    const { pu, world, shares } = await Setting.create(elements);
    expect(await shares(elements.length, async () => (await world.world.settled(pu.resolve('pool', { refresh: true }))).elements[0]!.identifier, 3_000)).toEqual(within(expected));
  });
});

describe('values that change (RFC 5356)', () => {
  it.each<[string, Policy, Policy, Shares]>([
    ['a weight', weightedRoundRobin({ weight: 1 }), weightedRoundRobin({ weight: 3 }), proportional(3, 1)],
    ['a load', leastUsed({ load: 0.5 }), leastUsed({ load: 0.6 }), [0, 1]],
    ['a priority', priority({ priority: 5 }), priority({ priority: 6 }), [1, 0]],
  ])('%s: element.update counts at the registrar at once, and at a user with the next answer', async (_, before, after, expected) => {
    const setting = await Setting.create([before, before]);
    const { pu, world, shares } = setting;
    await world.world.settled(pu.resolve('pool'));
    const first = [...setting.pe.elements].find(({ identifier }) => identifier === 1)!;
    await world.world.settled(first.update({ policy: after }));
    await world.world.settled(pu.resolve('pool', { refresh: true }));
    expect(await shares(2, async () => (await pu.getPrimaryServer('pool')).identifier)).toEqual(within(expected));
  });
});
