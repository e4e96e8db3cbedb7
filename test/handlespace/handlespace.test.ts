import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Handlespace, lifeOf, type Pool } from '../../handlespace/handlespace.js';
import { decodeAsap, type AsapMessageOf, type Policy, type PoolElement } from '../../wire/index.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { poolElement } from './support.js';

const handlespace = (items?: number): Handlespace => new Handlespace({ random: new SeededRandom(1), ...(items !== undefined && { items }) });

function resolve(pool: Pool | undefined, wanted?: number): AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'> {
  if (pool === undefined) throw new Error('no such pool');
  const { message, reports } = decodeAsap(pool.answer.pick(wanted));
  expect(reports).toEqual([]);
  if (message.type !== 'ASAP_HANDLE_RESOLUTION_RESPONSE') throw new Error(message.type);
  return message;
}
const identifiers = ({ poolElements }: AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>): number[] => poolElements.map(({ identifier }) => identifier);
const least = (load: number): Policy => ({ policy: 'least-used', load });

describe('handlespace', () => {
  // proves 5352-3.1-y, 5352-3.2-l
  it('a pool comes with its first element and goes with its last (RFC 5352 §3.1 rule 1, §3.2)', () => {
    const space = handlespace();
    const a = space.put('pool', poolElement(1));
    const b = space.put('pool', poolElement(2));
    expect([space.poolCount, space.size, space.pool('pool')?.size]).toEqual([1, 2, 2]);
    expect([space.remove(a), space.remove(b), space.remove(b)]).toEqual([true, true, false]);
    expect([space.poolCount, space.size, space.pool('pool')]).toEqual([0, 0, undefined]);
  });

  // proves 5352-3.1-ae
  it('rule 3: a known element is replaced, and keeps its place', () => {
    const space = handlespace();
    const a = space.put('pool', poolElement(1));
    space.put('pool', poolElement(2));
    expect(space.put('pool', poolElement(1, { registrationLife: 5, homeRegistrar: 9 }))).toBe(a);
    expect([a.life, a.home, space.size, space.owned(1).size, space.owned(9).size]).toEqual([5000, 9, 2, 1, 1]);
    expect(identifiers(resolve(space.pool('pool')))).toEqual([1, 2]);
  });

  it('a removed object does not take a newer registration with it', () => {
    const space = handlespace();
    const old = space.put('pool', poolElement(1));
    space.remove(old);
    const next = space.put('pool', poolElement(1));
    expect([space.remove(old), space.find('pool', 1)]).toEqual([false, next]);
  });

  it('the same identifier in two pools is two elements', () => {
    const space = handlespace();
    space.put('a', poolElement(1));
    space.put('b', poolElement(1));
    expect([space.size, space.poolCount, [...space.owned(1)].map(({ pool }) => pool.key)]).toEqual([2, 2, ['a', 'b']]);
  });

  it('X-45, X-46: life is signed seconds, -1 for ever; cut to what a timer can wait', () => {
    expect([1, 300, -1, 0x7fff_ffff].map((registrationLife) => lifeOf(poolElement(1, { registrationLife })))).toEqual([1000, 300_000, Infinity, 0x7fff_ffff]);
  });

  it('X-41: a generation is higher than any seen, and than what the element had elsewhere', () => {
    const space = handlespace();
    expect(space.nextGeneration(7)).toEqual({ generation: 1, home: 7 });
    expect(space.nextGeneration(7, { generation: 40, home: 8 })).toEqual({ generation: 41, home: 7 });
    expect(space.nextGeneration(7).generation).toBe(3); // a claim is its claimant's own
    space.noteGeneration({ generation: 90, home: 8 });
    expect(space.nextGeneration(7).generation).toBe(91);
    expect(space.nextGeneration(7, { generation: 0xffff_ffff, home: 8 }).generation).toBe(92); // no room above: not believed
  });
});

describe('answers (RFC 5352 §2.2.6)', () => {
  // proves 5352-3.3-u, 5352-3.3-v, 5356-4.1.1-a, 5356-4.1.2-b, 5356-4.1.2-c
  it('all elements, the one picked first; the policy goes along, also round robin (§3.3; RSPLIB reads no answer without one)', () => {
    const space = handlespace();
    for (const identifier of [1, 2, 3]) space.put('pool', poolElement(identifier));
    const answers = Array.from({ length: 4 }, () => resolve(space.pool('pool')));
    expect(answers.map(identifiers)).toEqual([[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]]);
    expect(answers[0]).toMatchObject({ flags: { acceptUpdates: false }, policy: { policy: 'round-robin' }, error: undefined });
    expect(Buffer.from(answers[0]!.poolHandle).toString()).toBe('pool');
  });

  it('a change shows at once: come, gone, other values', () => {
    const space = handlespace();
    const first = space.put('pool', poolElement(1));
    expect(identifiers(resolve(space.pool('pool')))).toEqual([1]);
    space.put('pool', poolElement(2));
    expect(identifiers(resolve(space.pool('pool'))).sort()).toEqual([1, 2]);
    space.put('pool', poolElement(2, { registrationLife: 77 }));
    expect(resolve(space.pool('pool')).poolElements.find(({ identifier }) => identifier === 2)?.registrationLife).toBe(77);
    space.remove(first);
    expect(identifiers(resolve(space.pool('pool')))).toEqual([2]);
  });

  // proves 5352-3.1-z, 5352-3.3-v
  it('the policy of the pool is that of its first element, and goes along', () => {
    const space = handlespace();
    space.put('pool', poolElement(1, { policy: least(20) }));
    space.put('pool', poolElement(2, { policy: least(10) }));
    space.put('pool', poolElement(3, { policy: least(10) }));
    const answers = Array.from({ length: 3 }, () => resolve(space.pool('pool')));
    expect(answers.map(identifiers)).toEqual([[2, 3, 1], [3, 2, 1], [2, 3, 1]]);
    expect(answers[0]?.policy?.policy).toBe('least-used');
    space.put('pool', poolElement(1, { policy: least(0) }));
    expect(identifiers(resolve(space.pool('pool')))[0]).toBe(1);
  });

  it('degradation: each answer counts, so the next may begin with another', () => {
    const space = handlespace();
    const policy: Policy = { policy: 'least-used-with-degradation', load: 0, loadDegradation: 10 };
    space.put('pool', poolElement(1, { policy }));
    space.put('pool', poolElement(2, { policy: { ...policy, load: 5 } }));
    expect(Array.from({ length: 4 }, () => identifiers(resolve(space.pool('pool'))))).toEqual([[1, 2], [2, 1], [1, 2], [2, 1]]);
  });

  // proves 5356-3.2-b
  it('X-26: an element of weight 0 is not listed while others have some', () => {
    const space = handlespace();
    space.put('pool', poolElement(1, { policy: { policy: 'weighted-random', weight: 0 } }));
    expect(identifiers(resolve(space.pool('pool')))).toEqual([1]);
    space.put('pool', poolElement(2, { policy: { policy: 'weighted-random', weight: 3 } }));
    expect(identifiers(resolve(space.pool('pool')))).toEqual([2]);
    space.put('pool', poolElement(2, { policy: { policy: 'weighted-random', weight: 0 } }));
    expect(identifiers(resolve(space.pool('pool'))).sort()).toEqual([1, 2]);
  });

  // proves 5356-5.1.2-a
  it('X-17: as many as are asked for; 0 leaves it to the registrar; all that have room in 64 KiB for 0xffffffff', () => {
    const space = handlespace(3);
    for (let identifier = 1; identifier <= 3000; identifier++) space.put('pool', poolElement(identifier));
    const pool = space.pool('pool');
    expect([1, 5, 0, undefined].map((wanted) => identifiers(resolve(pool, wanted)))).toEqual([[1], [2, 3, 4, 5, 6], [3, 4, 5], [4, 5, 6]]);
    const most = resolve(pool, 0xffff_ffff);
    expect(most.poolElements.length).toBeGreaterThan(500);
    const { length = 0 } = pool?.answer.pick(0xffff_ffff) ?? {};
    expect(length).toBeGreaterThan(0xff00);
    expect(length).toBeLessThan(0x1_0000);
  });

  it('what is the same is the same bytes; of large pools no answers are kept', () => {
    const space = handlespace();
    for (let identifier = 1; identifier <= 3; identifier++) space.put('small', poolElement(identifier));
    for (let identifier = 1; identifier <= 100; identifier++) space.put('large', poolElement(identifier));
    const round = (key: string, count: number): Set<Buffer> => new Set(Array.from({ length: count }, () => space.pool(key)?.answer.pick() as Buffer));
    expect([round('small', 9).size, round('large', 200).size]).toEqual([3, 200]);
    const before = round('small', 3);
    space.put('small', poolElement(2));
    expect(round('small', 3)).toEqual(before);
    space.put('small', poolElement(2, { registrationLife: 9 }));
    for (const answer of round('small', 3)) expect(before).not.toContain(answer);
  });

  // proves 5356-4.3.2-a, 5356-4.4.2-b, 5356-4.5.2-b, 5356-5.1.2-a, 5356-5.1.2-c, 5356-5.1.2-e
  it('is the list the selection gives, in every policy, after any history, asked any way', () => {
    const kinds = ['round-robin', 'weighted-round-robin', 'random', 'weighted-random', 'priority', 'least-used', 'least-used-with-degradation', 'randomized-least-used-with-degradation'] as const;
    const step = fc.record({ do: fc.constantFrom('put', 'put', 'remove', 'resolve', 'resolve'), id: fc.integer({ min: 1, max: 6 }), value: fc.integer({ min: 0, max: 3 }), wanted: fc.option(fc.nat(8), { nil: undefined }) });
    fc.assert(fc.property(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 40 }), (kind, items, history) => {
      const space = handlespace(items);
      const known = new Map<number, PoolElement>();
      for (const { do: what, id, value, wanted } of history) {
        if (what === 'put') {
          const element = poolElement(id, { policy: { policy: kind, weight: value, priority: value, load: value, loadDegradation: value } as unknown as Policy });
          space.put('pool', element);
          known.set(id, element);
        } else if (what === 'remove') {
          const element = space.find('pool', id);
          if (element !== undefined) space.remove(element);
          known.delete(id);
        } else if (known.size > 0) {
          const { poolElements } = resolve(space.pool('pool'), wanted);
          expect(poolElements.length).toBeGreaterThan(0);
          expect(poolElements.length).toBeLessThanOrEqual(wanted ? wanted : items);
          expect(new Set(poolElements.map(({ identifier }) => identifier)).size).toBe(poolElements.length);
          for (const { identifier, policy } of poolElements) expect(known.get(identifier)?.policy).toMatchObject(policy);
          if (!kind.includes('weighted') && !kind.includes('randomized')) expect(poolElements.length).toBe(Math.min(wanted ? wanted : items, known.size));
          checkOrder(kind, poolElements);
        }
      }
    }), { numRuns: 300 });
  });

  function checkOrder(kind: string, elements: readonly PoolElement[]): void {
    const values = elements.map(({ policy }) => ('load' in policy ? policy.load : 'priority' in policy ? -policy.priority : 0));
    if (kind === 'least-used' || kind === 'priority') expect(values).toEqual([...values].sort((a, b) => a - b));
  }
});
