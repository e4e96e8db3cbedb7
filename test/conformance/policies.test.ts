import { describe, expect, it } from '@jest/globals';
import { HandleCache } from '../../handlespace/cache.js';
import { Handlespace } from '../../handlespace/handlespace.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { decodeAsap, type Policy, type PoolElement } from '../../wire/index.js';
import { poolElement } from '../handlespace/support.js';

/** RFC 5356: what a pool user does with the list it was given, and how long a list is. */

const rand: Policy = { policy: 'random' };
const wrand = (weight: number): Policy => ({ policy: 'weighted-random', weight });
const prio = (priority: number): Policy => ({ policy: 'priority', priority });
const lu = (load: number): Policy => ({ policy: 'least-used', load });
const plu = (load: number, loadDegradation: number): Policy => ({ policy: 'priority-least-used', load, loadDegradation });

function user(...policies: readonly Policy[]) {
  const cache = new HandleCache({ random: new SeededRandom(1), staleAfter: 5_000 });
  cache.put('pool', { policy: policies[0], elements: policies.map((policy, index) => poolElement(index + 1, { policy })), now: 0 });
  return { pick: (...avoid: number[]) => cache.pick('pool', 0, new Set(avoid))?.identifier };
}
const share = (pick: () => number | undefined, identifier: number): number => Array.from({ length: 20_000 }, pick).filter((picked) => picked === identifier).length / 20_000;

describe('pool user (RFC 5356)', () => {
  // proves 5356-4.3.3-a
  it('§4.3.3: draws each with the same chance, however they were listed', () => {
    const { pick } = user(rand, rand, rand, rand);
    for (const identifier of [1, 2, 3, 4]) expect(share(pick, identifier)).toBeCloseTo(0.25, 1);
  });

  // proves 5356-4.4.3-a
  it('§4.4.3: draws by the weights', () => {
    const { pick } = user(wrand(1), wrand(3));
    expect(share(pick, 2)).toBeCloseTo(0.75, 1);
  });

  // proves 5356-4.5.3-a
  it('§4.5.3: takes the highest priority there is, and the next where that one does not answer', () => {
    const { pick } = user(prio(1), prio(9), prio(5));
    expect([pick(), pick(), pick(2), pick(2, 3)]).toEqual([2, 2, 3, 1]);
  });

  // proves 5356-5.1.3-a, 5356-5.3.3-a
  it('§5.1.3, §5.3.3: goes along the list, from the first to those behind it where it does not answer', () => {
    for (const { pick } of [user(lu(1), lu(2), lu(3)), user(plu(1, 1), plu(1, 2), plu(3, 3))]) expect([pick(), pick(1), pick(1, 2)]).toEqual([1, 2, 3]);
  });
});

describe('registrar (RFC 5356)', () => {
  // proves 5356-4.3.2-a, 5356-4.4.2-b, 5356-5.1.2-a, 5356-5.1.2-c, 5356-5.3.2-a, 5356-5.3.2-c
  it.each([rand, wrand(1), lu(1), plu(1, 1)])('$policy: as many as were asked for, nobody twice', (policy) => {
    const space = new Handlespace({ random: new SeededRandom(1) });
    for (let identifier = 1; identifier <= 5; identifier += 1) space.put('pool', poolElement(identifier, { policy }));
    for (const wanted of [1, 2, 4, 9]) {
      const answer = decodeAsap(space.pool('pool')!.answer.pick(wanted)).message as { poolElements: readonly PoolElement[] };
      expect([answer.poolElements.length, new Set(answer.poolElements.map(({ identifier }) => identifier)).size]).toEqual([Math.min(wanted, 5), Math.min(wanted, 5)]);
    }
  });

  // proves 5356-5.3.2-e
  it('§5.3.2: the list ascends by load + degradation', () => {
    const space = new Handlespace({ random: new SeededRandom(1) });
    for (const [identifier, load, degradation] of [[1, 5, 5], [2, 1, 2], [3, 6, 1], [4, 0, 9]] as const) space.put('pool', poolElement(identifier, { policy: plu(load, degradation) }));
    const answer = decodeAsap(space.pool('pool')!.answer.pick()).message as { poolElements: readonly PoolElement[] };
    expect(answer.poolElements.map(({ identifier }) => identifier)).toEqual([2, 3, 4, 1]);
  });
});
