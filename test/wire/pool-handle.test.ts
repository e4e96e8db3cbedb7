import { describe, expect, it } from '@jest/globals';
import { poolHandleBytes, poolHandleFromKey, poolHandleKey, poolHandleText } from '../../wire/index.js';

describe('pool handles (RFC 5354 §3.9: any bytes)', () => {
  it('text stands for its UTF-8 bytes', () => {
    expect(poolHandleKey('écho')).toBe(poolHandleKey(Uint8Array.of(0xc3, 0xa9, 0x63, 0x68, 0x6f)));
    expect(Buffer.from(poolHandleBytes('écho')).toString('hex')).toBe('c3a963686f');
  });

  it('two handles have the same key only if they are the same bytes', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(poolHandleKey(all)).toHaveLength(256);
    expect(Buffer.from(poolHandleFromKey(poolHandleKey(all))).equals(all)).toBe(true);
    expect(poolHandleKey(Buffer.from(all).subarray(3, 5))).toBe('\x03\x04');
    expect(poolHandleKey('a')).not.toBe(poolHandleKey(Uint8Array.of(0x61, 0)));
  });

  it('are shown as text where they are text', () => {
    expect(poolHandleText(poolHandleKey('écho'))).toBe('écho');
    expect(poolHandleText(poolHandleKey(Uint8Array.of(0xff, 0x61)))).toBe('0xff61');
    expect(poolHandleText(poolHandleKey(Uint8Array.of(0x61, 0)))).toBe('0x6100');
  });
});
