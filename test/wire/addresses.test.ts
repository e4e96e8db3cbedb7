import { describe, expect, it } from '@jest/globals';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../wire/addresses.js';

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');

describe('IP addresses as text', () => {
  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'], // one zero group is not shortened
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'], // the first of equal runs
    ['2001:0:0:1::1', '20010000000000010000000000000001'], // the longest run
    ['fe80::', 'fe800000000000000000000000000000'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ])('IPv6 %s, as RFC 5952 writes it', (text, bytes) => {
    expect(formatIpv6(Buffer.from(`ff${bytes}`, 'hex'), 1)).toBe(text);
    expect(hex(parseIpv6(text))).toBe(bytes);
  });

  it.each([['2001:DB8:0:0:0:0:0:1', '20010db8000000000000000000000001'], ['::0001', '00000000000000000000000000000001'], ['1::2:3:4:5:6:7', '00010000000200030004000500060007'], ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201']])(
    'reads %s', (text, bytes) => expect(hex(parseIpv6(text))).toBe(bytes));

  it.each(['', ':', ':::', '1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '::1%eth0', '12345::', 'g::', '1:2:3:4:5:6:7::8', '::1.2.3', '10.0.0.1', '::256.0.0.1', ':1:2:3:4:5:6:7:8'])(
    'refuses %j as IPv6', (text) => expect(parseIpv6(text)).toBeUndefined());

  it('IPv4', () => {
    expect(formatIpv4(Uint8Array.of(9, 10, 0, 255, 1), 1)).toBe('10.0.255.1');
    expect(hex(parseIpv4('10.0.255.1'))).toBe('0a00ff01');
  });

  it.each(['', '10.0.0', '10.0.0.256', '10.0.0.1.1', '10.0.0.-1', '10.0.0.1 ', '0x0a.0.0.1', 'a.b.c.d', '1000.0.0.1', '::'])('refuses %j as IPv4', (text) => expect(parseIpv4(text)).toBeUndefined());
});
