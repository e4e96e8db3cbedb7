import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { blockSum, handleSum, PeChecksum } from '../../handlespace/checksum.js';
import { Handlespace } from '../../handlespace/handlespace.js';
import { poolHandleKey } from '../../wire/index.js';
import { SeededRandom } from '../../testing/seeded-random.js';
import { poolElement } from './support.js';

/** RFC 1071 as it is written there: add 16-bit words, carry around, complement. */
function fromScratch(elements: readonly { readonly key: string; readonly identifier: number }[]): number {
  let sum = 0;
  for (const { key, identifier } of elements) {
    const handle = Buffer.from(key, 'latin1');
    const block = Buffer.alloc(((handle.length + 3) & ~3) + 4);
    handle.copy(block);
    block.writeUInt32BE(identifier, block.length - 4);
    for (let at = 0; at < block.length; at += 2) {
      sum += block.readUInt16BE(at);
      if (sum > 0xffff) sum -= 0xffff;
    }
  }
  return ~sum & 0xffff;
}

describe('PE checksum (RFC 5353 §3.6.2)', () => {
  // proves 5353-3.6.2-a, 5353-3.6.2-b
  it('is the complement of the sum: EchoPool with 0x00000077 gives 0x91da, as RSPLIB has it', () => {
    const checksum = new PeChecksum();
    checksum.add(blockSum(handleSum('EchoPool'), 0x77));
    expect(checksum.value).toBe(0x91da);
  });

  it('X-23: is 0xffff without pool elements', () => {
    expect(new PeChecksum().value).toBe(0xffff);
    expect(new Handlespace({ random: new SeededRandom(1) }).checksum(1)).toBe(0xffff);
  });

  // proves 5353-3.6.1-a, 5353-3.6.2-a, 5353-3.6.2-b, 5353-3.6.2-c, 5353-3.6.2-d
  it('kept up over any history is what it would be from scratch, for each owner', () => {
    const step = fc.record({ remove: fc.boolean(), handle: fc.uint8Array({ minLength: 1, maxLength: 9 }), pool: fc.nat(3), identifier: fc.nat(0xffff_ffff), id: fc.nat(4), home: fc.integer({ min: 1, max: 3 }) });
    fc.assert(fc.property(fc.array(step, { maxLength: 80 }), fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { minLength: 4, maxLength: 4 }), (history, handles) => {
      const handlespace = new Handlespace({ random: new SeededRandom(1) });
      const identifiers = [1, 0xffff, 0x10000, 0xffff_ffff, 0x77];
      for (const { remove, pool, id, home } of history) {
        const key = poolHandleKey(handles[pool] as Uint8Array);
        const known = handlespace.find(key, identifiers[id] as number);
        if (remove && known !== undefined) handlespace.remove(known);
        else handlespace.put(key, poolElement(identifiers[id] as number, { homeRegistrar: home }));
      }
      for (const home of [1, 2, 3]) {
        const owned = [...handlespace.owned(home)].map(({ pool, identifier }) => ({ key: pool.key, identifier }));
        expect(handlespace.checksum(home)).toBe(fromScratch(owned));
      }
      const all = [...handlespace.pools()].flatMap((pool) => [...pool.elements()]);
      expect(all.length).toBe(handlespace.size);
      expect([1, 2, 3].reduce((sum, home) => sum + handlespace.owned(home).size, 0)).toBe(handlespace.size);
    }));
  });
});
