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
