import { describe, expect, it } from '@jest/globals';
import { decodeCoverage, decodeSnapshot, encodeSnapshot, SIGNATURE_LENGTH, signedBytes, type Snapshot } from '../../wire/snapshot.js';

const unsigned: Snapshot = { epoch: 3, covered: 0xfffffffe, outputs: 17, issued: 1_764_227_746_123, sessionId: Uint8Array.from({ length: 16 }, (_, index) => index) };
const signed: Snapshot = { ...unsigned, keyId: Buffer.from('k1'), signature: Buffer.alloc(SIGNATURE_LENGTH, 0xee) };
const plain = (snapshot: Snapshot): object => Object.fromEntries(Object.entries(snapshot).map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : (value as unknown)]));
const code = (code: string): Error => expect.objectContaining({ code }) as unknown as Error;

describe('the snapshot parameter (D-24)', () => {
  it.each([['unsigned', unsigned, 40], ['signed', signed, 74], ['by a key of the longest id', { ...signed, keyId: Buffer.alloc(255, 'k') }, 327]] as const)('comes back as it went: %s', (_how, snapshot, length) => {
    const bytes = encodeSnapshot(snapshot);
    expect(bytes.length).toBe(length);
    expect(plain(decodeSnapshot(bytes))).toEqual(plain(snapshot));
    expect(decodeCoverage(bytes)).toEqual({ epoch: 3, covered: 0xfffffffe, outputs: 17 });
  });

  it('is laid out as docs/tcp-mapping.md says', () => {
    expect(encodeSnapshot(signed).toString('hex')).toBe(`01020000${'00000003'}fffffffe${'00000011'}${'0000019ac42b094b'}000102030405060708090a0b0c0d0e0f${'6b31'}${'ee'.repeat(32)}`);
  });

  it('is refused when truncated or longer than it says', () => {
    const bytes = encodeSnapshot(signed);
    for (let length = 0; length < 40; length++) expect(() => decodeSnapshot(bytes.subarray(0, length))).toThrow(code('TRUNCATED'));
    for (let length = 40; length < bytes.length; length++) expect(() => decodeSnapshot(bytes.subarray(0, length))).toThrow(code('LENGTH_OUT_OF_RANGE'));
    expect(() => decodeSnapshot(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(code('LENGTH_OUT_OF_RANGE'));
    expect(() => decodeSnapshot(Buffer.concat([encodeSnapshot(unsigned), Buffer.alloc(1)]))).toThrow(code('LENGTH_OUT_OF_RANGE'));
  });

  it('is refused when of a format to come', () => {
    const bytes = encodeSnapshot(unsigned);
    bytes[0] = 2;
    expect(() => decodeSnapshot(bytes)).toThrow(code('INVALID_VALUE'));
    expect(() => decodeCoverage(bytes)).toThrow(code('INVALID_VALUE'));
  });

  it('what it is read from may be used again', () => {
    const bytes = encodeSnapshot(signed);
    const decoded = decodeSnapshot(bytes);
    bytes.fill(0);
    expect(plain(decoded)).toEqual(plain(signed));
  });

  it('no two of snapshot, pool handle and cookie are signed alike', () => {
    const over = (keyId: string, handle: string, cookie: string): string => signedBytes(encodeSnapshot({ ...signed, keyId: Buffer.from(keyId) }), Buffer.from(handle), Buffer.from(cookie)).toString('hex');
    const all = [over('k', 'ab', 'c'), over('k', 'a', 'bc'), over('k', '', 'abc'), over('k', 'abc', ''), over('kab', '', 'c'), over('k', 'ab', 'c\0\0\0\x01')];
    expect(new Set(all).size).toBe(all.length);
    expect(all[0]).not.toContain('eeee');
  });
});
