import { describe, expect, it } from '@jest/globals';
import { UsageError } from '../../errors.js';
import { decodeAsap, decodeEnrp, encodeAsap, encodeEnrp, type AsapMessage, type EnrpMessage } from '../../wire/index.js';
import { MAX_PARAMETERS } from '../../wire/interpreter.js';
import { refusal } from './captured.js';

const bytes = (...words: string[]): Buffer => Buffer.from(words.join('').replaceAll(' ', ''), 'hex');
const HANDLE = '0009 0008 6563686f';
const poolHandle = Uint8Array.from(Buffer.from('echo'));
const resolution = { type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle } as const;
const raw = (...words: string[]): Uint8Array => Uint8Array.from(bytes(...words));

describe('unrecognized parameters (RFC 5354 §3)', () => {
  const withUnknown = (type: string): Buffer => bytes('0500 0014', HANDLE, type, '0006 cafe 0000');

  // proves 5354-3-a
  it('00: stops and says nothing', () => {
    const error = refusal(() => decodeAsap(withUnknown('0123')));
    expect(error).toMatchObject({ code: 'UNRECOGNIZED_PARAMETER', offset: 12, reports: [], cause: { cause: 'unrecognized-parameter', parameter: raw('0123 0006 cafe') } });
  });

  // proves 5354-3-b, 5354-3.12.2-a
  it('01: stops and reports the complete parameter', () => {
    const error = refusal(() => decodeAsap(withUnknown('4123')));
    expect(error).toMatchObject({ code: 'UNRECOGNIZED_PARAMETER', reports: [{ cause: 'unrecognized-parameter', parameter: raw('4123 0006 cafe') }] });
  });

  // proves 5354-3-c
  it('10: skips and says nothing', () => {
    expect(decodeAsap(withUnknown('8123'))).toEqual({ message: { ...resolution, unrecognized: [{ type: 0x8123, value: raw('cafe') }] }, reports: [] });
  });

  // proves 5354-3-d
  it('11: skips and reports', () => {
    expect(decodeAsap(withUnknown('c123'))).toEqual({
      message: { ...resolution, unrecognized: [{ type: 0xc123, value: raw('cafe') }] },
      reports: [{ cause: 'unrecognized-parameter', parameter: raw('c123 0006 cafe') }],
    });
  });

  // proves 5354-3.12.2-a
  it('reports each, in order, also those before one that stops', () => {
    const message = bytes('0500 0018', HANDLE, 'c123 0004', 'c124 0004', '4125 0004');
    expect(refusal(() => decodeAsap(message)).reports.map((cause) => 'parameter' in cause && Buffer.from(cause.parameter).toString('hex'))).toEqual(['c1230004', 'c1240004', '41250004']);
  });

  it('obeys the bits inside a pool element and inside a transport too', () => {
    const element = (inner: string, outer: string, lengths: [string, string, string]): Buffer => bytes(
      '0100', lengths[0], HANDLE, '000a', lengths[1], '00000001 00000002 00000003', '0005', lengths[2], '0050 0000', inner, '0001 0008 0a000001', '0008 0008 00000001', outer);
    expect(decodeAsap(element('8123 0004', 'c124 0004', ['003c', '0030', '0014']))).toMatchObject({
      message: { poolElement: { userTransport: { addresses: ['10.0.0.1'], unrecognized: [{ type: 0x8123 }] }, unrecognized: [{ type: 0xc124 }] } },
      reports: [{ cause: 'unrecognized-parameter' }],
    });
    expect(refusal(() => decodeAsap(element('0123 0004', '', ['0038', '002c', '0014'])))).toMatchObject({ code: 'UNRECOGNIZED_PARAMETER', offset: 36, reports: [] });
  });

  it('writes what was skipped again, behind the known ones', () => {
    expect(encodeAsap(decodeAsap(withUnknown('8123')).message).toString('hex')).toBe(bytes('0500 0012', HANDLE, '8123 0006 cafe 0000').toString('hex'));
    const table = bytes('0300 0040', '00000001 00000002', '8123 0004', HANDLE, '000a 0028 00000001 00000000 00000003 0005 0010 0050 0000 0001 0008 0a000001 0008 0008 00000001');
    expect(encodeEnrp(decodeEnrp(table).message).toString('hex')).toBe(table.toString('hex'));
  });

  it('skips parameters of ours, and of RSPLIB, where they have no place or come twice', () => {
    const message = bytes('0500 0020', HANDLE, '8f02 0005 01 000000', '803f 0008 00000001', '803f 0008 00000002').subarray(0, 36);
    expect(decodeAsap(bytes('0500 0024', message.subarray(4).toString('hex'))).message).toMatchObject({ itemsWanted: 1, unrecognized: [{ type: 0x8f02 }, { type: 0x803f }] });
  });

  it('takes a skippable parameter before those it is listed behind', () => {
    expect(decodeAsap(bytes('0500 0014', '803f 0008 00000009', HANDLE)).message).toEqual({ ...resolution, itemsWanted: 9 });
  });

  it('sends back a bounded part of what asks for a report, so that the report fits a message', () => {
    const many = Buffer.concat([bytes('0500 fff0', HANDLE), ...Array.from({ length: 16 }, () => Buffer.concat([bytes('c123 0f00'), Buffer.alloc(0xefc)]))]);
    const whole = many.subarray(0, many.length & ~3);
    whole.writeUInt16BE(whole.length, 2);
    const { reports } = decodeAsap(whole);
    expect(reports.length).toBeGreaterThan(1);
    expect(encodeAsap({ type: 'ASAP_ERROR', error: reports }).length).toBeLessThan(48 * 1024);
    const large = Buffer.concat([bytes('0500 fff0', HANDLE, '4123 ffe4'), Buffer.alloc(0xffe0)]);
    expect(encodeAsap({ type: 'ASAP_ERROR', error: refusal(() => decodeAsap(large)).reports }).length).toBeLessThan(20 * 1024);
  });
});

describe('unrecognized messages (RFC 5354 §4, X-12)', () => {
  // proves 5354-4-a, 5354-4-b, 5352-2.2.14-a
  it.each([['00', '3f', false], ['01', '7f', true], ['10', '80', false], ['11', 'ff', false], ['00, reserved', '00', false]])('%s: type 0x%s, reported: %s', (_, type, reported) => {
    for (const decode of [decodeAsap, decodeEnrp]) {
      const error = refusal(() => decode(bytes(type, '00 0008 deadbeef')));
      expect(error).toMatchObject({ code: 'UNKNOWN_TYPE', offset: 0 });
      expect(error.reports).toEqual(reported ? [{ cause: 'unrecognized-message', message: raw(type, '00 0008 deadbeef') }] : []);
    }
  });
});

describe('lengths and padding (RFC 5354 §2, §4; X-35)', () => {
  const read = (...words: string[]) => decodeAsap(bytes(...words)).message;

  // proves 5354-2-b, 5354-3-e, 5354-3-f, 5354-3-g, 5354-4-d, 5354-4-e, 5354-4-f
  it('does not count the last padding, counts the others', () => {
    expect(encodeAsap({ ...resolution, poolHandle: raw('61') }).toString('hex')).toBe('05000009' + '0009000561000000');
    expect(encodeAsap({ ...resolution, poolHandle: raw('61'), itemsWanted: 1 }).toString('hex')).toBe('05000014' + '0009000561000000' + '803f000800000001');
  });

  // proves 5354-3-h, 5354-4-g
  it.each([['left out', '0500 0009 0009 0005 61'], ['there', '0500 0009 0009 0005 61 000000'], ['counted', '0500 000c 0009 0005 61 000000'], ['not zero', '0500 0009 0009 0005 61 ffffff']])('takes a last padding that is %s', (_, message) => {
    expect(read(message)).toEqual({ ...resolution, poolHandle: raw('61') });
  });

  it.each([
    ['no header', '0500', 'TRUNCATED', 0],
    ['a length below the header', '0500 0003', 'LENGTH_OUT_OF_RANGE', 2],
    ['a length beyond the bytes', `0500 0010 ${HANDLE}`, 'TRUNCATED', 2],
    ['more than padding behind', `0500 000c ${HANDLE} 00000000`, 'LENGTH_OUT_OF_RANGE', 2],
    ['a parameter of length 3', '0500 0008 0009 0003', 'LENGTH_OUT_OF_RANGE', 6],
    ['a parameter beyond its message', '0500 000c 0009 0009 6563686f', 'TRUNCATED', 6],
    ['half a parameter header', `0500 000e ${HANDLE} 0009 0000`, 'TRUNCATED', 12],
  ])('refuses %s and names offset and reason', (_, message, code, offset) => {
    const error = refusal(() => read(message));
    expect(error).toMatchObject({ code, offset, cause: { cause: 'invalid-values', parameter: new Uint8Array(0) } });
    expect(error.message).toBe(`${error.reason} (at byte ${offset})`);
  });

  it('refuses a nested parameter that ends behind the one it stands in', () => {
    expect(refusal(() => read('0100 0034', HANDLE, '000a 0018 00000001 00000002 00000003', '0005 0010 0050 0000 0001 0008 0a000001 0008 0008 00000001'))).toMatchObject({ code: 'TRUNCATED', offset: 30 });
  });

  it('counts offsets from the beginning of the bytes given, and reads a range of them', () => {
    const chunk = bytes('ffff', '0500 000c', HANDLE, 'eeee');
    expect(decodeAsap(chunk, 2, 14).message).toEqual(resolution);
    expect(refusal(() => decodeAsap(bytes('ffffff', '0500 0008 0009 0003'), 3))).toMatchObject({ offset: 9 });
  });
});

describe('what a message must have', () => {
  // proves 5352-2.2.1-a
  it('a missing parameter is refused with bare Invalid Values, as RSPLIB does (its capture 07)', () => {
    expect(refusal(() => decodeAsap(bytes('0100 000c', HANDLE)))).toMatchObject({ code: 'MISSING_PARAMETER', reports: [{ cause: 'invalid-values', parameter: new Uint8Array(0) }] });
    expect(refusal(() => decodeEnrp(bytes('0300 0014 00000001 00000002', HANDLE)))).toMatchObject({ code: 'MISSING_PARAMETER' }); // a pool entry without elements
  });

  it('a known parameter out of place is refused with that parameter', () => {
    const error = refusal(() => decodeAsap(bytes('0500 0014', HANDLE, '000e 0008 00000001')));
    expect(error).toMatchObject({ code: 'UNEXPECTED_PARAMETER', offset: 12, reports: [{ cause: 'invalid-values', parameter: raw('000e 0008 00000001') }] });
    expect(refusal(() => decodeAsap(bytes('0500 0014', HANDLE, HANDLE)))).toMatchObject({ code: 'UNEXPECTED_PARAMETER' });
    expect(refusal(() => decodeAsap(bytes('0800 0014', '000e 0008 00000001', HANDLE)))).toMatchObject({ code: 'UNEXPECTED_PARAMETER', offset: 4 });
  });

  it('an empty pool handle is an invalid value (X-16)', () => {
    expect(refusal(() => decodeAsap(bytes('0500 0008 0009 0004')))).toMatchObject({ code: 'INVALID_VALUE', reports: [{ cause: 'invalid-values', parameter: raw('0009 0004') }] });
  });

  // proves 5353-2.4-b, 5353-2.4-c
  it('an update action that is reserved is an invalid value (RFC 5353 §2.4); reserved bytes are ignored', () => {
    const update = (action: string): Buffer => bytes('0400 0040 00000001 00000002', action, HANDLE, '000a 0028 00000001 00000000 00000003 0005 0010 0050 0000 0001 0008 0a000001 0008 0008 00000001');
    expect(refusal(() => decodeEnrp(update('0002 0000')))).toMatchObject({ code: 'INVALID_VALUE', offset: 12 });
    expect(decodeEnrp(update('0001 ffff')).message).toMatchObject({ updateAction: 'DEL_PE' });
  });

  // proves 5354-4-c
  it('ignores flags that are not defined', () => {
    expect(decodeAsap(bytes('05fe 000c', HANDLE)).message).toEqual(resolution);
  });

  it('reads Registration Life as signed (RFC 5354 §3.10)', () => {
    const life = (word: string): unknown => decodeAsap(bytes('0100 0034', HANDLE, '000a 0028 00000001 00000000', word, '0005 0010 0050 0000 0001 0008 0a000001 0008 0008 00000001')).message;
    expect(life('ffffffff')).toMatchObject({ poolElement: { registrationLife: -1 } });
    expect(life('7fffffff')).toMatchObject({ poolElement: { registrationLife: 0x7fffffff } });
  });
});

describe('limits', () => {
  const announce = (count: number): Buffer => {
    const transport = bytes('0004 0010 0f17 0000 0001 0008 0a000001');
    const message = Buffer.concat([bytes('0a00 0000 00000001'), ...Array.from({ length: count }, () => transport)]);
    message.writeUInt16BE(message.length, 2);
    return message;
  };

  it(`reads no more than ${MAX_PARAMETERS} parameters of a message, nested ones included`, () => {
    expect(decodeAsap(announce(4000)).message).toMatchObject({ type: 'ASAP_SERVER_ANNOUNCE' });
    const sctp = Buffer.concat([bytes('0a00 fff0 00000001 0004 ffe8 0f17 0000'), ...Array.from({ length: 8188 }, () => bytes('0001 0008 0a000001'))]);
    sctp.writeUInt16BE(sctp.length, 2);
    sctp.writeUInt16BE(sctp.length - 8, 10);
    expect(decodeAsap(sctp).message).toMatchObject({ type: 'ASAP_SERVER_ANNOUNCE' });
    const skipped = Buffer.concat([bytes('0500 fff0', HANDLE), ...Array.from({ length: MAX_PARAMETERS }, () => bytes('8123 0004'))]);
    skipped.writeUInt16BE(skipped.length, 2);
    expect(refusal(() => decodeAsap(skipped))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('writes no message whose length does not fit its field', () => {
    expect(encodeAsap({ type: 'ASAP_COOKIE', cookie: new Uint8Array(65535 - 8) }).length).toBe(65536);
    expect(() => encodeAsap({ type: 'ASAP_COOKIE', cookie: new Uint8Array(65536 - 8) })).toThrow(/65536 bytes; 65535 is the most/);
    expect(encodeAsap(resolution).toString('hex')).toBe(bytes('0500 000c', HANDLE).toString('hex')); // and is none the worse for it
  });
});

describe('encode refuses what cannot be said', () => {
  const tcp = { transport: 'tcp', port: 80, addresses: ['10.0.0.1'] } as const;
  const element = { identifier: 1, homeRegistrar: 0, registrationLife: 1, userTransport: tcp, policy: { policy: 'random' } } as const;
  const registration = (change: object): AsapMessage => ({ type: 'ASAP_REGISTRATION', poolHandle, poolElement: { ...element, ...change } }) as AsapMessage;
  it.each<[string, AsapMessage]>([
    ['an identifier of 33 bits', registration({ identifier: 2 ** 32 })],
    ['a negative identifier', registration({ identifier: -1 })],
    ['a life that is no whole number', registration({ registrationLife: 0.5 })],
    ['a port of 17 bits', registration({ userTransport: { ...tcp, port: 65536 } })],
    ['a host name', registration({ userTransport: { ...tcp, addresses: ['example.org'] } })],
    ['no address', registration({ userTransport: { ...tcp, addresses: [] } })],
    ['two addresses of TCP', registration({ userTransport: { ...tcp, addresses: ['10.0.0.1', '10.0.0.2'] } })],
    ['a transport there is not', registration({ userTransport: { ...tcp, transport: 'toString' } })],
    ['a policy there is not', registration({ policy: { policy: 'fair' } })],
    ['a use there is not', registration({ userTransport: { ...tcp, transport: 'sctp', use: 'control' } })],
    ['a missing transport', registration({ userTransport: undefined })],
    ['text for bytes', { ...resolution, poolHandle: 'echo' as unknown as Uint8Array }],
    ['an error without a cause', { type: 'ASAP_ERROR', error: [] }],
    ['a cause there is not', { type: 'ASAP_ERROR', error: [{ cause: 'bad-luck' }] } as unknown as AsapMessage],
    ['an unknown parameter that may not be skipped', { ...resolution, unrecognized: [{ type: 0x4123, value: new Uint8Array(0) }] }],
    ['a message there is not', { type: 'ASAP_GREETING' } as unknown as AsapMessage],
  ])('%s', (_, message) => {
    expect(() => encodeAsap(message)).toThrow(UsageError);
  });

  it('a pool entry without elements, and an ENRP message by its ASAP encoder', () => {
    const table: EnrpMessage = { type: 'ENRP_HANDLE_TABLE_RESPONSE', flags: { reject: false, moreToSend: false }, sendingServer: 1, receivingServer: 2, poolEntries: [{ poolHandle, poolElements: [] }] };
    expect(() => encodeEnrp(table)).toThrow(UsageError);
    expect(() => encodeAsap(table as unknown as AsapMessage)).toThrow(UsageError);
  });
});
