import { describe, expect, it } from '@jest/globals';
import {
  causeCode, causes, decodeAsap, encodeAsap, encodeCauses, encodePolicy, encodePoolElement, encodePoolHandle, policies, type AsapMessageOf, type Cause, type Policy, type TransportParameter,
} from '../../wire/index.js';
import { refusal } from './captured.js';

const hex = (...words: string[]): string => words.join('').replaceAll(' ', '');
const base = { identifier: 1, homeRegistrar: 2, registrationLife: 3 };
const roundRobin = { policy: 'round-robin' } as const;
const tcp = { transport: 'tcp', port: 1, addresses: ['10.0.0.1'] } as const;

/** A registration around the parameters that stand in its pool element. */
const registration = (parameters: string): Buffer => {
  const element = 16 + parameters.length / 2;
  const word = (value: number): string => value.toString(16).padStart(4, '0');
  return Buffer.from(hex('0100', word(12 + element), '0009 0008 6563686f', '000a', word(element), '00000001 00000002 00000003', parameters), 'hex');
};
const elementOf = (bytes: Buffer): AsapMessageOf<'ASAP_REGISTRATION'>['poolElement'] => (decodeAsap(bytes).message as AsapMessageOf<'ASAP_REGISTRATION'>).poolElement;

describe('transports (RFC 5354 §3.3 to §3.7, §3.16)', () => {
  const transports: readonly [string, TransportParameter, string][] = [
    ['§3.3 DCCP', { transport: 'dccp', port: 5, serviceCode: 0x45434841, addresses: ['10.0.0.1'] }, '0003 0014 0005 0000 45434841 0001 0008 0a000001'],
    ['§3.4 SCTP, data only', { transport: 'sctp', port: 5, use: 'data-only', addresses: ['10.0.0.1'] }, '0004 0010 0005 0000 0001 0008 0a000001'],
    [
      '§3.4 SCTP, data plus control, mixed addresses', { transport: 'sctp', port: 65535, use: 'data-and-control', addresses: ['2001:db8::1', '10.0.0.1'] },
      '0004 0024 ffff 0001 0002 0014 20010db8 00000000 00000000 00000001 0001 0008 0a000001',
    ],
    ['§3.5 TCP', { transport: 'tcp', port: 5, addresses: ['10.0.0.1'] }, '0005 0010 0005 0000 0001 0008 0a000001'],
    ['§3.6 UDP over IPv6', { transport: 'udp', port: 5, addresses: ['::'] }, '0006 001c 0005 0000 0002 0014 00000000 00000000 00000000 00000000'],
    ['§3.7 UDP-Lite', { transport: 'udp-lite', port: 5, addresses: ['10.0.0.1'] }, '0007 0010 0005 0000 0001 0008 0a000001'],
    ['§3.16 opaque', { transport: 'opaque', data: Uint8Array.of(1, 2, 3, 4) }, '0010 0008 01020304'],
  ];
  // proves 5354-3.3-a, 5354-3.3-b, 5354-3.5-b, 5354-3.6-a, 5354-3.6-b, 5354-3.7-a, 5354-3.7-b
  it.each(transports)('%s: encode, decode', (_, userTransport, bytes) => {
    const expected = registration(hex(bytes, '0008 0008 00000001'));
    const element = { ...base, userTransport, policy: roundRobin };
    expect(encodeAsap({ type: 'ASAP_REGISTRATION', poolHandle: Buffer.from('echo'), poolElement: element }).toString('hex')).toBe(expected.toString('hex'));
    expect(elementOf(expected)).toEqual(element);
  });

  // proves 5354-3.4-a, 5354-3.4-b
  it.each([
    ['SCTP without an address', '0004 0008 0005 0000'],
    ['TCP without an address', '0005 0008 0005 0000'],
    ['TCP with two addresses', '0005 0018 0005 0000 0001 0008 0a000001 0001 0008 0a000002'],
    ['SCTP with a use that is not defined', '0004 0010 0005 0002 0001 0008 0a000001'],
    ['an IPv4 address of three bytes', '0004 0010 0005 0000 0001 0007 0a000000'],
    ['an IPv6 address of four bytes', '0004 0010 0005 0000 0002 0008 0a000001'],
    ['no port', '0005 0006 0005 0000'],
  ])('refuses %s as Invalid Values', (_, bytes) => {
    expect(refusal(() => elementOf(registration(hex(bytes, '0008 0008 00000001'))))).toMatchObject({ cause: { cause: 'invalid-values' } });
  });

  // proves 5354-3.5-b
  it('ignores what stands in the reserved bytes of TCP (RSPLIB writes a transport use there)', () => {
    expect(elementOf(registration(hex('0005 0010 0005 0001 0001 0008 0a000001', '0008 0008 00000001'))).userTransport).toEqual({ transport: 'tcp', port: 5, addresses: ['10.0.0.1'] });
  });

  // proves 5354-3.10-b
  it('takes SCTP and TCP only as an ASAP transport (§3.10 knows SCTP; TCP is ours)', () => {
    const after = (asapTransport: string): unknown => elementOf(registration(hex('0005 0010 0005 0000 0001 0008 0a000001', '0008 0008 00000001', asapTransport)));
    expect(after('0005 0010 0f17 0000 0001 0008 0a000001')).toMatchObject({ asapTransport: { transport: 'tcp', port: 3863 } });
    expect(refusal(() => after('0006 0010 0f17 0000 0001 0008 0a000001'))).toMatchObject({ code: 'UNEXPECTED_PARAMETER' });
  });
});

describe('policies (RFC 5356, RSPLIB)', () => {
  const shown: readonly [Policy, string][] = [
    [{ policy: 'round-robin' }, '0008 0008 00000001'],
    [{ policy: 'weighted-round-robin', weight: 7 }, '0008 000c 00000002 00000007'],
    [{ policy: 'random' }, '0008 0008 00000003'],
    [{ policy: 'weighted-random', weight: 0xffffffff }, '0008 000c 00000004 ffffffff'],
    [{ policy: 'priority', priority: 5 }, '0008 000c 00000005 00000005'],
    [{ policy: 'least-used', load: 0x80000000 }, '0008 000c 40000001 80000000'],
    [{ policy: 'least-used-with-degradation', load: 1, loadDegradation: 2 }, '0008 0010 40000002 00000001 00000002'],
    [{ policy: 'priority-least-used', load: 1, loadDegradation: 2 }, '0008 0010 40000003 00000001 00000002'],
    [{ policy: 'randomized-least-used', load: 0xffffffff }, '0008 000c 40000004 ffffffff'],
    [{ policy: 'randomized-priority-least-used', load: 1, loadDegradation: 2 }, '0008 0010 b0001001 00000001 00000002'],
    [{ policy: 'randomized-least-used-with-degradation', load: 1, loadDegradation: 2 }, '0008 0010 b0001002 00000001 00000002'],
    [{ policy: 'priority-least-used-with-degradation', load: 1, loadDegradation: 2 }, '0008 0010 b0001003 00000001 00000002'],
    [{ policy: 'randomized-priority-least-used-with-degradation', load: 1, loadDegradation: 2 }, '0008 0010 b0001004 00000001 00000002'],
    [{ policy: 'unknown', type: 0x6, value: Uint8Array.of(1, 2, 3, 4) }, '0008 000c 00000006 01020304'],
  ];
  // proves 5354-3.8-a, 5356-4.1.1-a
  it.each(shown)('%j: encode, decode', (policy, bytes) => {
    expect(encodePolicy(policy).toString('hex')).toBe(hex(bytes));
    expect(elementOf(registration(hex('0005 0010 0005 0000 0001 0008 0a000001', bytes))).policy).toEqual(policy);
  });

  it('has an example for each', () => {
    expect(Object.keys(policies).filter((name) => !shown.some(([{ policy }]) => policy === name))).toEqual([]);
  });

  it.each([['too short', '0008 0008 00000002'], ['too long', '0008 0010 00000002 00000001 00000001'], ['without a type', '0008 0004']])('refuses one that is %s', (_, bytes) => {
    expect(refusal(() => elementOf(registration(hex('0005 0010 0005 0000 0001 0008 0a000001', bytes))))).toMatchObject({
      cause: { cause: 'invalid-values', parameter: Uint8Array.from(Buffer.from(hex(bytes), 'hex')) },
    });
  });
});

describe('error causes (RFC 5354 §3.12, Table 2; X-36)', () => {
  const shown: readonly [Cause, string][] = [
    [{ cause: 'unspecified-error' }, '0000 0004'],
    [{ cause: 'unrecognized-parameter', parameter: Uint8Array.of(0x41, 0x23, 0, 6, 9, 9) }, '0001 000a 4123 0006 0909'],
    [{ cause: 'unrecognized-message', message: Uint8Array.of(0x7f, 0, 0, 4) }, '0002 0008 7f00 0004'],
    [{ cause: 'invalid-values', parameter: Uint8Array.of(0, 9, 0, 4) }, '0003 0008 0009 0004'],
    [{ cause: 'non-unique-pe-identifier' }, '0004 0004'],
    [{ cause: 'inconsistent-pooling-policy', policy: { policy: 'weighted-random', weight: 2 } }, '0005 0010 0008 000c 00000004 00000002'],
    [{ cause: 'inconsistent-pooling-policy' }, '0005 0004'], // RSPLIB
    [{ cause: 'lack-of-resources' }, '0006 0004'],
    [{ cause: 'inconsistent-transport-type', transport: tcp }, '0007 0014 0005 0010 0001 0000 0001 0008 0a000001'],
    [{ cause: 'inconsistent-data-control-configuration' }, '0008 0004'],
    [{ cause: 'unknown-pool-handle' }, '0009 0004'],
    [{ cause: 'rejected-due-to-security-considerations' }, '000a 0004'],
    [{ cause: 'unknown', code: 0xf008, information: Uint8Array.of(1) }, 'f008 0005 01'],
    [{ cause: 'unknown-pool-handle', information: Uint8Array.of(1, 2) }, '0009 0006 0102'], // more than the RFC has it say
    [{ cause: 'inconsistent-pooling-policy', information: Uint8Array.of(1, 2) }, '0005 0006 0102'],
  ];
  const errorOf = (causeBytes: string): Buffer => {
    const length = causeBytes.length / 2;
    const word = (value: number): string => value.toString(16).padStart(4, '0');
    return Buffer.from(hex('0e00', word(length + 8), '000c', word(length + 4), causeBytes, '00'.repeat(-length & 3)), 'hex');
  };
  it.each(shown)('%j: encode, decode', (cause, bytes) => {
    const message = { type: 'ASAP_ERROR', error: [cause] } as const;
    expect(encodeAsap(message).toString('hex')).toBe(errorOf(hex(bytes)).toString('hex'));
    expect(decodeAsap(errorOf(hex(bytes))).message).toEqual(message);
    expect(causeCode(cause)).toBe(Number.parseInt(bytes.slice(0, 4), 16));
  });

  it('has an example for each', () => {
    expect(Object.keys(causes).filter((name) => !shown.some(([{ cause }]) => cause === name))).toEqual([]);
  });

  // proves 5354-2-b
  it('pads each but the last (RFC 5354 §2)', () => {
    const message = { type: 'ASAP_ERROR', error: [{ cause: 'unknown', code: 0x10, information: Uint8Array.of(1) }, { cause: 'unknown', code: 0x11, information: Uint8Array.of(2) }] } as const;
    const bytes = Buffer.from(hex('0e00 0015', '000c 0011', '0010 0005 01 000000', '0011 0005 02', '000000'), 'hex');
    expect(encodeAsap(message).toString('hex')).toBe(bytes.toString('hex'));
    expect(decodeAsap(bytes).message).toEqual(message);
  });

  it.each([['none', '0e00 0008 000c 0004'], ['one that is too long', '0e00 000c 000c 0008 0009 0005'], ['half a header', '0e00 000a 000c 0006 0009 0000']])('refuses an Operation Error with %s', (_, bytes) => {
    expect(refusal(() => decodeAsap(Buffer.from(hex(bytes), 'hex'))).cause).toMatchObject({ cause: 'invalid-values' });
  });
});

describe('parameters alone', () => {
  it('are what stands in a message, so that one can be put together from them', () => {
    const poolHandle = Buffer.from('echo!');
    const element = { ...base, userTransport: tcp, policy: roundRobin, capabilities: Uint8Array.of(1) };
    const parts = [encodePoolHandle(poolHandle), encodePolicy(roundRobin), encodePoolElement(element), encodePoolElement(element)];
    const answer = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle, policy: roundRobin, poolElements: [element, element] });
    expect(Buffer.concat(parts).toString('hex')).toBe(answer.subarray(4).toString('hex'));
    expect(encodeCauses([{ cause: 'unknown-pool-handle' }]).toString('hex')).toBe('000c000800090004');
  });

  it('can be kept: what is encoded next does not write over them', () => {
    const first = encodePoolHandle(Buffer.from('echo'));
    encodePoolHandle(Buffer.from('other'));
    expect(first.toString('hex')).toBe('000900086563686f');
  });
});
