import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeAsap, encodeAsap, poolHandleKey, readPlainResolution, WireError } from '../../wire/index.js';

/** What the tables say of the same bytes: the handle's key, if it is a resolution that asks for nothing else. */
function byTheTables(bytes: Buffer, start: number, end: number): string | undefined {
  try {
    const { message, reports } = decodeAsap(bytes, start, end);
    if (message.type !== 'ASAP_HANDLE_RESOLUTION' || message.flags.sendUpdates || message.itemsWanted !== undefined || reports.length > 0) return undefined;
    return poolHandleKey(message.poolHandle);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

const question = (poolHandle: Uint8Array): Buffer => encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle });
const handles = fc.uint8Array({ minLength: 1, maxLength: 40 });

describe('the straight way of ASAP_HANDLE_RESOLUTION (RFC 5352 §2.2.5)', () => {
  it('reads what the tables read, wherever the frame lies', () => {
    fc.assert(fc.property(handles, fc.nat(9), (handle, before) => {
      const bytes = Buffer.concat([Buffer.alloc(before, 0xee), question(handle), Buffer.alloc(5, 0xee)]);
      expect(readPlainResolution(bytes, before, bytes.length - 5)).toBe(poolHandleKey(handle));
    }));
  });

  it('leaves to the tables what is anything else: updates wanted, items wanted, other messages', () => {
    const poolHandle = Buffer.from('pool');
    for (const other of [
      encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: true }, poolHandle }),
      encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle, itemsWanted: 2 }),
      encodeAsap({ type: 'ASAP_ENDPOINT_UNREACHABLE', poolHandle, peIdentifier: 1 }),
      Buffer.alloc(0), Buffer.from([5, 0, 0, 4]),
    ]) expect(readPlainResolution(other, 0, other.length)).toBeUndefined();
  });

  it('never reads what the tables would refuse or read otherwise, whatever bytes are changed or cut off', () => {
    const change = fc.record({ at: fc.nat(60), to: fc.nat(255) });
    fc.assert(fc.property(handles, fc.array(change, { maxLength: 3 }), fc.nat(6), (handle, changes, cut) => {
      const bytes = question(handle);
      for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
      const end = Math.max(0, bytes.length - cut);
      const key = readPlainResolution(bytes, 0, end);
      if (key !== undefined) expect(byTheTables(bytes, 0, end)).toBe(key);
    }), { numRuns: 5000 });
  });
});
