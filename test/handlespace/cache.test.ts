import { describe, expect, it } from '@jest/globals';
import { HandleCache } from '../../handlespace/cache.js';
import type { Policy, PoolElement } from '../../wire/index.js';
import { SeededRandom } from '../../testing/seeded-random.js';

const element = (identifier: number, policy: Policy = { policy: 'round-robin' }, generation?: number): PoolElement => ({
  identifier, homeRegistrar: 1, registrationLife: 300, policy,
  userTransport: { transport: 'tcp', port: 7, addresses: ['127.0.0.1'] },
  ...(generation === undefined ? {} : { generation: { generation, home: 1 } }),
});
const cache = (): HandleCache => new HandleCache({ random: new SeededRandom(1), staleAfter: 5000 });
const picks = (known: HandleCache, count: number, avoid?: ReadonlySet<number>): (number | undefined)[] =>
  Array.from({ length: count }, () => known.pick('pool', 0, avoid)?.identifier);

describe('handle cache (RFC 5352 §3.3)', () => {
  // proves 5352-3.3-k, 5352-3.3-l, 5356-4.1.3-a, 5356-4.1.3-b, 5352-6.5.2-a
  it('C1: is consulted: picks in turn what the answer held, beginning with its first', () => {
    const known = cache();
    known.put('pool', { elements: [element(3), element(1), element(2)], now: 0 });
    expect(picks(known, 4)).toEqual([3, 1, 2, 3]);
    expect(known.pick('other', 0)).toBeUndefined();
  });

  // proves 5352-3.3-m
  it('C2: is stale from its stale time on, and goes on serving', () => {
    const known = cache();
    expect(known.isStale('pool', 0)).toBe(true);
    known.put('pool', { elements: [element(1)], now: 100 });
    expect([known.isStale('pool', 5099), known.isStale('pool', 5100)]).toEqual([false, true]);
    expect(known.age('pool', 5100)).toBe(5000);
    expect(known.pick('pool', 5100)?.identifier).toBe(1);
    known.refresh('pool', 5100);
    expect(known.isStale('pool', 5100)).toBe(false);
  });

  // proves 5352-2.2.6-a, 5356-4.2.3-a, 5352-6.5.2-a
  it('X-25: weighs by the elements own values where the policy of the pool has them', () => {
    const known = cache();
    const elements = [element(1, { policy: 'weighted-round-robin', weight: 3 }), element(2, { policy: 'weighted-round-robin', weight: 1 })];
    known.put('pool', { policy: { policy: 'weighted-round-robin', weight: 1 }, elements, now: 0 });
    expect(picks(known, 8).filter((identifier) => identifier === 1)).toHaveLength(6);
    known.put('pool', { elements, now: 0 }); // no policy: round robin, whatever the elements say
    expect(picks(known, 4)).toEqual([1, 2, 1, 2]);
  });

  it('avoids what it is told to avoid, unless nothing else is left', () => {
    const known = cache();
    known.put('pool', { elements: [element(1), element(2), element(3)], now: 0 });
    expect(picks(known, 3, new Set([2]))).toEqual([1, 3, 1]);
    expect(picks(known, 3, new Set([1, 2, 3])).sort()).toEqual([1, 2, 3]);
  });

  it('a suspect is not picked before its time is over, also after the next answer, unless it registered anew', () => {
    const known = cache();
    known.put('pool', { elements: [element(1, undefined, 7), element(2, undefined, 8)], now: 0 });
    known.suspect('pool', 1, 1000);
    expect(picks(known, 2)).toEqual([2, 2]);
    known.put('pool', { elements: [element(1, undefined, 7), element(2, undefined, 8)], now: 500 });
    expect(picks(known, 2)).toEqual([2, 2]);
    known.put('pool', { elements: [element(1, undefined, 9), element(2, undefined, 8)], now: 500 });
    expect(picks(known, 2)).toEqual([1, 2]);
    known.suspect('pool', 2, 1000);
    expect([known.pick('pool', 999)?.identifier, known.pick('pool', 1000)?.identifier]).toEqual([1, 2]);
  });

  const weighted = (weight: number): Policy => ({ policy: 'weighted-round-robin', weight });
  const loaded = (load: number): Policy => ({ policy: 'least-used', load });

  it('X-25: an answer is followed in its first, then the elements own values count, over all answers', () => {
    const known = cache();
    const elements = [element(1, weighted(1)), element(2, weighted(1)), element(3, weighted(2))];
    const answer = (now: number, isUpdate = false, list = elements): void => { known.put('pool', { policy: weighted(1), elements: list, now, isUpdate }); };
    const counts = new Map<number, number>();
    for (let round = 0; round < 100; round += 1) { // nothing begins anew: one pick between two answers is enough
      answer(round, true);
      const picked = known.pick('pool', round)!.identifier;
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    expect([counts.get(1), counts.get(2), counts.get(3)]).toEqual([25, 25, 50]);
    answer(200, false, [elements[1]!, elements[0]!, elements[2]!]);
    expect(known.pick('pool', 200)?.identifier).toBe(2);
  });

  it('X-25: no answer makes an element first whose load or priority speaks against it', () => {
    const known = cache();
    known.put('pool', { policy: loaded(0), elements: [element(1, loaded(5)), element(2, loaded(3)), element(3, loaded(3))], now: 0 });
    expect(picks(known, 3)).toEqual([2, 3, 2]);
  });

  it('an update that nobody asked for makes no element the first of all who get it', () => {
    const known = cache();
    known.put('pool', { elements: [element(1), element(2), element(3)], now: 0 });
    expect(picks(known, 1)).toEqual([1]);
    known.put('pool', { elements: [element(1), element(2), element(3), element(4)], now: 1, isUpdate: true });
    expect(picks(known, 4)).toEqual([2, 3, 1, 4]);
  });

  it('§5.2: picks count over all answers, until the element registers again', () => {
    const degrading = (load: number): Policy => ({ policy: 'least-used-with-degradation', load, loadDegradation: 10 });
    const known = cache();
    const answer = (generation: number): void => {
      known.put('pool', { policy: degrading(0), elements: [element(1, degrading(0), generation), element(2, degrading(25), 1)], now: 0, isUpdate: true });
    };
    answer(1);
    expect(picks(known, 3)).toEqual([1, 1, 1]);
    answer(1);
    expect(picks(known, 2)).toEqual([2, 1]);
    answer(2);
    expect(picks(known, 3)).toEqual([1, 1, 1]);
  });

  it('sessions of its own count as load until the element registers again; picks alone do not', () => {
    const known = cache();
    const half = 0x8000_0000;
    const answer = (generation: number): void => {
      known.put('pool', { policy: loaded(0), elements: [element(1, loaded(0), generation), element(2, loaded(half), 1)], now: 0 });
    };
    const place = (): number => {
      const { identifier } = known.pick('pool', 0)!;
      known.place('pool', identifier);
      return identifier;
    };
    answer(1);
    expect(new Set(picks(known, 300))).toEqual(new Set([1]));
    const placed = Array.from({ length: 256 }, place);
    expect(placed.filter((each) => each === 2)).toHaveLength(64); // 128 until the first is as loaded as the second, then in turn
    answer(2);
    expect(place()).toBe(1);
  });

  it('where all are suspected the least bad is tried first, then the next; one that answers is none any more', () => {
    const known = cache();
    known.put('pool', { elements: [element(1), element(2), element(3)], now: 0 });
    for (const [identifier, until] of [[1, 900], [2, 700], [3, 800]] as const) known.suspect('pool', identifier, until);
    expect(picks(known, 4)).toEqual([2, 3, 1, 2]);
    expect(known.pick('pool', 0, new Set([3]))?.identifier).toBe(1);
    known.vouch('pool', 1);
    expect(picks(known, 2)).toEqual([1, 1]);
  });

  it('an element that is removed is gone, and the pool with its last', () => {
    const known = cache();
    known.put('pool', { elements: [element(1), element(2)], now: 0 });
    known.remove('pool', 1);
    expect(picks(known, 2)).toEqual([2, 2]);
    known.remove('pool', 2);
    expect([known.size, known.pick('pool', 0)]).toEqual([0, undefined]);
  });

  it('keeps the first of two elements with one identifier', () => {
    const known = cache();
    known.put('pool', { elements: [element(1, undefined, 1), element(1, undefined, 2)], now: 0 });
    expect(known.elements('pool').map((each) => each.generation?.generation)).toEqual([1]);
  });

  it('forgets the pool that was put in longest ago beyond its limit', () => {
    const known = new HandleCache({ random: new SeededRandom(1), staleAfter: 5000, maxPools: 2 });
    for (const pool of ['a', 'b', 'a', 'c']) known.put(pool, { elements: [element(1)], now: 0 });
    expect(['a', 'b', 'c'].map((pool) => known.pick(pool, 0) !== undefined)).toEqual([true, false, true]);
  });
});
