import type { ServiceAccessPoint } from '../../actors/access-point.js';
import { leastUsed, priority, weightedRoundRobin } from '../../actors/policies.js';
import { encodeAsap, type Policy } from '../../wire/index.js';
import { casesFor, expectShares, proportional, type Case, type Shares } from '../support/policy-cases.js';
import { RegistrarWorld, type AsapPeer } from '../support/registrar-world.js';

/** RFC 5356 from one end to the other: a real registrar, real elements, a real pool user. The selections by themselves are drawn from more often in test/handlespace/policy-shares.test.ts. */

const PICKS = 10_000;
const USERS = 20;

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

  async counts(size: number, pick: () => Promise<number>): Promise<Shares> {
    const counts = Array.from({ length: size }, () => 0);
    for (let i = 0; i < PICKS; i++) counts[(await pick()) - 1]!++;
    return counts;
  }

  /** Whom the registrar puts first, in its answers to so many users that ask in turn. */
  async firsts(size: number): Promise<Shares> {
    const users: AsapPeer[] = [];
    while (users.length < USERS) users.push(await this.world.peer(`pu${users.length}`));
    const question = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: Buffer.from('pool') });
    const counts = Array.from({ length: size }, () => 0);
    for (let round = 0; round < PICKS / USERS / BATCH; round++) {
      for (let each = 0; each < BATCH; each++) for (const user of users) user.association.sendFrame(question);
      await this.world.world.advance(10);
      for (const { received } of users) {
        for (const message of received.splice(0)) if (message.type === 'ASAP_HANDLE_RESOLUTION_RESPONSE') counts[message.poolElements[0]!.identifier - 1]!++;
      }
    }
    return counts;
  }
}

const BATCH = 100;
const cases = casesFor(PICKS);
const policies = cases.filter(({ name }) => !name.includes('X-26'));

describe('shares within 3 % of the arithmetic over 10 000 picks, with the cache on and off (RFC 5356)', () => {
  it.each(cases)('$name: a pool user with its cache', async (each: Case) => {
    const { pu, world, counts } = await Setting.create(each.elements);
    await world.world.settled(pu.resolve('pool'));
    expectShares(await counts(each.elements.length, async () => (await pu.getPrimaryServer('pool')).identifier), each);
  });

  it.each(policies)('$name: a pool user whose cache is refreshed now and then (X-25)', async (each: Case) => {
    const { pu, world, counts } = await Setting.create(each.elements);
    let picks = 0;
    expectShares(await counts(each.elements.length, async () => {
      if (picks++ % 19 === 0) await world.world.settled(pu.resolve('pool', { refresh: true }));
      return (await pu.getPrimaryServer('pool')).identifier;
    }), each);
  });

  it.each(cases)('$name: many pool users without a cache, in the order of the registrar (X-25, X-27)', async (each: Case) => {
    const setting = await Setting.create(each.elements);
    const counts = await setting.firsts(each.elements.length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(PICKS);
    expectShares(counts, each);
  });
});

describe('values that change (RFC 5356)', () => {
  it.each<[string, Policy, Policy, Shares]>([
    ['a weight', weightedRoundRobin({ weight: 1 }), weightedRoundRobin({ weight: 3 }), proportional(3, 1)],
    ['a load', leastUsed({ load: 0.5 }), leastUsed({ load: 0.6 }), [0, 1]],
    ['a priority', priority({ priority: 5 }), priority({ priority: 6 }), [1, 0]],
  ])('%s: element.update counts at the registrar at once, and at a user with the next answer', async (_, before, after, expected) => {
    const setting = await Setting.create([before, before]);
    const { pu, world, counts } = setting;
    await world.world.settled(pu.resolve('pool'));
    const first = [...setting.pe.elements].find(({ identifier }) => identifier === 1)!;
    await world.world.settled(first.update({ policy: after }));
    await world.world.settled(pu.resolve('pool', { refresh: true }));
    expectShares(await counts(2, async () => (await pu.getPrimaryServer('pool')).identifier), { name: '', elements: [], expected });
  });
});
