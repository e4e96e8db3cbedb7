import { describe, expect, it } from '@jest/globals';
import { decodeInput, type Tally } from '../../cli/decode.js';
import { encodeAsap, encodeEnrp } from '../../wire/index.js';
import { encodeSnapshot } from '../../wire/snapshot.js';
import { captureFiles, readCapture } from '../wire/captured.js';
import { ipv4, ipv6, links, pcap, pcapng, sctp, SCTP, SYN, tcp, TCP, udp, UDP } from './packets.js';

/** `rserpool decode`, without a process around it. */
function decode(input: Buffer, { check = false, protocol = 'ASAP' as 'ASAP' | 'ENRP' } = {}): { lines: Record<string, unknown>[]; tally: Tally; error: Error | undefined } {
  const tally: Tally = { checked: 0, mismatched: 0, refused: 0 };
  const lines: Record<string, unknown>[] = [];
  try {
    for (const line of decodeInput(input, { check, protocol }, tally)) lines.push(JSON.parse(line) as Record<string, unknown>);
  } catch (error) {
    return { lines, tally, error: error as Error };
  }
  return { lines, tally, error: undefined };
}

const resolution = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle: Buffer.from('EchoPool') });
const request = encodeEnrp({ type: 'ENRP_LIST_REQUEST', sendingServer: 1, receivingServer: 2 });
const cookie = (length: number): Buffer => encodeAsap({ type: 'ASAP_COOKIE', cookie: Buffer.alloc(length, 0xcd) });
const types = (input: Buffer): unknown[] => decode(input).lines.map(({ type, refused }) => type ?? `refused ${String(refused)}`);
const raw = (...packets: Buffer[]): Buffer => pcap(101, packets);

describe('decode: what it shows', () => {
  it('one object a message: type, ends, fields; bytes in hexadecimal, pool handles as text where they are text', () => {
    const messages = [resolution, cookie(3), encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: true }, poolHandle: Uint8Array.of(1, 255) })];
    expect(decode(raw(...messages.map((data, index) => ipv4(SCTP, sctp(4000, 3863, { tsn: index, data }))))).lines).toEqual([
      { type: 'ASAP_HANDLE_RESOLUTION', frame: 1, source: '10.0.0.1:4000', destination: '10.0.0.2:3863', flags: { sendUpdates: false }, poolHandle: 'EchoPool' },
      { type: 'ASAP_COOKIE', frame: 2, source: '10.0.0.1:4000', destination: '10.0.0.2:3863', cookie: 'cdcdcd' },
      { type: 'ASAP_HANDLE_RESOLUTION', frame: 3, source: '10.0.0.1:4000', destination: '10.0.0.2:3863', flags: { sendUpdates: true }, poolHandle: '0x01ff' },
    ]);
  });

  it('bytes that are no message: code, reason, offset, the bytes, and what would be reported', () => {
    expect(decode(raw(ipv4(UDP, udp(3863, 3863, Buffer.from('7f000004', 'hex')))))).toMatchObject({
      lines: [{
        refused: 'UNKNOWN_TYPE', protocol: 'ASAP', frame: 1, reason: 'ASAP message type 0x7f is unknown', offset: 0, bytes: '7f000004',
        reports: [{ cause: 'unrecognized-message', message: '7f000004' }],
      }],
      tally: { checked: 0, mismatched: 0, refused: 1 },
    });
  });

  it('the causes that go back although a message is fine', () => {
    const bytes = Buffer.from('0500001400090008' + '6563686f' + 'c1230008cafebabe', 'hex');
    expect(decode(raw(ipv4(UDP, udp(1, 3863, bytes)))).lines[0]).toMatchObject({ type: 'ASAP_HANDLE_RESOLUTION', reports: [{ cause: 'unrecognized-parameter', parameter: 'c1230008cafebabe' }] });
  });
});

describe('decode --check', () => {
  it.each(captureFiles)('%s: mismatched 0', (file) => {
    const { tally, error } = decode(readCapture(file), { check: true });
    expect(error).toBeUndefined();
    expect(tally.checked).toBeGreaterThan(30);
    expect(tally).toMatchObject({ mismatched: 0, refused: file === '07-errors.pcap' ? 7 : 0 });
  });

  it('counts and shows a message that is not encoded to the same bytes', () => {
    const padding = Buffer.from('0500000900090005' + '61ffffff', 'hex');
    const { lines, tally } = decode(raw(ipv4(UDP, udp(1, 3863, padding)), ipv4(UDP, udp(1, 3863, resolution))), { check: true });
    expect(tally).toEqual({ checked: 2, mismatched: 1, refused: 0 });
    expect(lines[0]).toMatchObject({ mismatched: { captured: padding.toString('hex'), encoded: '050000090009000561000000' } });
    expect(lines[1]).not.toHaveProperty('mismatched');
  });
});

describe('decode: files', () => {
  const packet = ipv4(UDP, udp(3863, 3863, resolution));
  it.each(Object.entries(links))('link type %s', (_, { type, wrap }) => {
    expect(types(pcap(type, [wrap(packet)]))).toEqual(['ASAP_HANDLE_RESOLUTION']);
    if (type !== 0) expect(decode(pcap(type, [wrap(ipv6(UDP, udp(9901, 9901, request)))])).lines).toMatchObject([{ type: 'ENRP_LIST_REQUEST', source: '[2001:db8::1]:9901' }]);
  });

  it.each([[true, 0xa1b2c3d4], [false, 0xa1b2c3d4], [true, 0xa1b23c4d], [false, 0xa1b23c4d]])('pcap, little endian %s, magic %i', (little, magic) => {
    expect(types(pcap(101, [packet, packet], { little, magic }))).toHaveLength(2);
  });

  it.each([true, false])('pcapng, little endian %s: enhanced and simple packets, other blocks passed over', (little) => {
    expect(types(pcapng(1, [links['Ethernet']!.wrap(packet)], little))).toEqual(['ASAP_HANDLE_RESOLUTION', 'ASAP_HANDLE_RESOLUTION']);
  });

  it('passes over what is not ours: other protocols, other ports, IP fragments, ARP, packets cut short', () => {
    const ethernet = links['Ethernet']!.wrap;
    const arp = Buffer.concat([Buffer.alloc(12), Buffer.from('0806', 'hex'), Buffer.alloc(28)]);
    expect(types(pcap(1, [arp, ethernet(ipv4(1, resolution)), ethernet(ipv4(UDP, udp(1, 2, resolution))), ethernet(ipv4(UDP, udp(3863, 3863, resolution), '10.0.0.1', '10.0.0.2', 0x2000)),
      ...Array.from({ length: 40 }, (_, length) => ethernet(packet).subarray(0, length))]))).toEqual([]);
  });

  it.each([
    ['nothing', Buffer.from('\0\0\0\0\0'), /neither pcap nor pcapng \(at byte 0 of the file\)/, 0],
    ['half a file header', pcap(101, [packet]).subarray(0, 20), /ends inside its header \(at byte 20/, 0],
    ['half a packet header', pcap(101, [packet, packet]).subarray(0, 24 + 16 + packet.length + 7), /7 bytes where a packet's header should be \(at byte 84/, 1],
    ['half a packet', pcap(101, [packet, packet]).subarray(0, -1), /a packet of 44 bytes where 43 are left \(at byte 92/, 1],
    ['a packet of 4 GiB', Buffer.concat([pcap(101, [packet]), Buffer.alloc(16, 0xff)]), /a packet of 4294967295 bytes \(at byte 92/, 1],
    ['a link type of other networks', pcap(127, [packet]), /link type 127 is not supported \(at byte 24/, 0],
    ['pcapng that ends inside a block', pcapng(101, [packet]).subarray(0, -3), /a block of 60 bytes where 57 are left \(at byte/, 1],
    ['pcapng with a block of length 0', Buffer.concat([pcapng(101, [packet]), Buffer.alloc(12)]), /a block of length 0/, 2],
    ['pcapng without a byte order', Buffer.from('0a0d0d0a0000001c00000000000000000000000000000000000000000000001c', 'hex'), /byte-order magic \(at byte 8/, 0],
  ])('%s is a clear error with its offset, behind what came before', (_, file, message, before) => {
    const { lines, error } = decode(file);
    expect(lines).toHaveLength(before);
    expect(error).toMatchObject({ name: 'CaptureError', code: 'INVALID_CAPTURE' });
    expect(error?.message).toMatch(message);
  });

  it('gives messages or a CaptureError for every truncation of a capture', () => {
    const file = readCapture('02-pingpong-cookie-failover.pcap').subarray(0, 3000);
    for (let length = 4; length < file.length; length++) {
      const { error } = decode(file.subarray(0, length));
      if (error !== undefined) expect(error.name).toBe('CaptureError');
    }
  });
});

describe('decode: SCTP', () => {
  it('tells ASAP, ENRP and others by payload protocol id, on any port; several chunks a packet', () => {
    const chunks = [{ tsn: 1, data: resolution }, { tsn: 2, data: request, ppid: 12 }, { tsn: 3, data: resolution, ppid: 0 }, { tsn: 4, data: cookie(5) }];
    expect(types(raw(ipv4(SCTP, sctp(1, 2, ...chunks))))).toEqual(['ASAP_HANDLE_RESOLUTION', 'ENRP_LIST_REQUEST', 'ASAP_COOKIE']);
  });

  it('puts fragments together by TSN, in whatever order they come, also where TSNs wrap', () => {
    const message = cookie(50);
    const parts = [message.subarray(0, 20), message.subarray(20, 24), message.subarray(24, 50), message.subarray(50)];
    const fragments = parts.map((data, index) => ({ tsn: (0xfffffffe + index) >>> 0, data, flags: index === 0 ? 2 : index === 3 ? 1 : 0 }));
    for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]) {
      const file = raw(...order.map((index) => ipv4(SCTP, sctp(1, 2, fragments[index]!))));
      expect(decode(file, { check: true })).toMatchObject({ lines: [{ type: 'ASAP_COOKIE', frame: 4 }], tally: { checked: 1, mismatched: 0, refused: 0 } });
    }
  });

  it('shows a retransmitted message once, also when it takes another path', () => {
    const packet = sctp(1, 2, { tsn: 9, data: resolution });
    expect(types(raw(ipv4(SCTP, packet), ipv4(SCTP, packet), ipv4(SCTP, packet, '10.1.0.1', '10.1.0.2')))).toHaveLength(1);
  });

  it('refuses a message whose end was not captured', () => {
    expect(types(raw(ipv4(SCTP, sctp(1, 2, { tsn: 1, data: resolution, flags: 2 }))))).toEqual(['refused TRUNCATED']);
  });

  it('in UDP (RFC 6951, port 9899), over IPv6 too', () => {
    const packet = udp(9899, 9899, sctp(5000, 3863, { tsn: 1, data: resolution }));
    expect(decode(raw(ipv4(UDP, packet), ipv6(UDP, udp(40000, 9899, sctp(5001, 3863, { tsn: 1, data: resolution }))))).lines).toMatchObject([
      { type: 'ASAP_HANDLE_RESOLUTION', source: '10.0.0.1:5000' }, { type: 'ASAP_HANDLE_RESOLUTION', source: '[2001:db8::1]:5001' },
    ]);
  });
});

describe('decode: TCP', () => {
  const stream = Buffer.concat([resolution, cookie(1000), resolution, cookie(1)]);
  const all = ['ASAP_HANDLE_RESOLUTION', 'ASAP_COOKIE', 'ASAP_HANDLE_RESOLUTION', 'ASAP_COOKIE'];
  const start = 0xffffff00; // wraps
  const segment = (from: number, to: number): Buffer => ipv4(TCP, tcp(4000, 3863, (start + 1 + from) >>> 0, stream.subarray(from, to)));
  const syn = ipv4(TCP, tcp(4000, 3863, start, Buffer.alloc(0), SYN));

  it('cuts each direction into messages; ports 3863 and 9901 at either end', () => {
    expect(types(raw(syn, segment(0, 30), segment(30, 31), segment(31, stream.length)))).toEqual(all);
    expect(types(raw(ipv4(TCP, tcp(9901, 4000, 1, request))))).toEqual(['ENRP_LIST_REQUEST']);
    expect(types(raw(ipv4(TCP, tcp(80, 4000, 1, request))))).toEqual([]);
  });

  it('puts segments in order, and leaves out what comes again', () => {
    expect(types(raw(syn, segment(500, stream.length), segment(20, 700), segment(0, 20), segment(0, 300), segment(20, 700)))).toEqual(all);
  });

  it('begins with the first segment where the beginning was not captured', () => {
    expect(types(raw(segment(0, 100), segment(100, stream.length)))).toEqual(all);
  });

  it('takes a connection between the same ends that begins anew as another one', () => {
    expect(types(raw(syn, segment(0, stream.length), syn, segment(0, stream.length)))).toEqual([...all, ...all]);
  });

  it('shows what came before bytes that cannot be cut, refuses them once, and passes over the rest of that direction', () => {
    const broken = Buffer.concat([resolution, Buffer.alloc(8)]);
    expect(types(raw(ipv4(TCP, tcp(4000, 3863, 1, broken)), ipv4(TCP, tcp(4000, 3863, 1 + broken.length, resolution)), ipv4(TCP, tcp(3863, 4000, 1, resolution))))).toEqual(
      ['ASAP_HANDLE_RESOLUTION', 'refused LENGTH_OUT_OF_RANGE', 'ASAP_HANDLE_RESOLUTION']);
  });

  it('refuses a message whose end was not captured', () => {
    expect(types(raw(syn, segment(0, 100)))).toEqual(['ASAP_HANDLE_RESOLUTION', 'refused TRUNCATED']);
  });
});

describe('decode: hexadecimal', () => {
  it('a message a line; blanks, colons, empty lines and remarks do not matter', () => {
    const text = `# asked\n${resolution.toString('hex')}\n\n0x${cookie(1).toString('hex').toUpperCase().replace(/(..)/g, '$1:').slice(0, -1)}\r\n05 00 00\n`;
    expect(decode(Buffer.from(text)).lines).toMatchObject([{ type: 'ASAP_HANDLE_RESOLUTION', frame: 2 }, { type: 'ASAP_COOKIE', cookie: 'cd' }, { refused: 'TRUNCATED', frame: 5 }]);
  });

  it('ENRP where told so', () => {
    expect(decode(Buffer.from(request.toString('hex')), { protocol: 'ENRP', check: true })).toMatchObject({ lines: [{ type: 'ENRP_LIST_REQUEST' }], tally: { checked: 1, mismatched: 0 } });
  });

  it('shows our part of a state cookie in words, signed or not, and as it is where it cannot be read', () => {
    const fields = { sessionId: Buffer.alloc(16, 7), epoch: 2, covered: 41, outputs: 40, issued: Date.UTC(2026, 10, 27) };
    const lines = [fields, { ...fields, keyId: Buffer.from('k1'), signature: Buffer.alloc(32, 0xee) }].map(encodeSnapshot).concat(Buffer.of(9, 9))
      .map((snapshot) => encodeAsap({ type: 'ASAP_COOKIE_ECHO', cookie: Buffer.from('41'), snapshot }).toString('hex'));
    const inWords = { sessionId: '07'.repeat(16), epoch: 2, covered: 41, outputs: 40, issued: '2026-11-27T00:00:00.000Z' };
    expect(decode(Buffer.from(lines.join('\n')), { check: true })).toMatchObject({
      lines: [{ cookie: '3431', snapshot: inWords }, { snapshot: { ...inWords, keyId: 'k1', signature: 'ee'.repeat(32) } }, { snapshot: '0909' }], tally: { checked: 3, mismatched: 0 },
    });
  });

  it('other text is wrong use, and the line is named', () => {
    expect(decode(Buffer.from(`${resolution.toString('hex')}\nhello\n`))).toMatchObject({ lines: [{}], error: { code: 'INVALID_DATA', message: 'line 2: pairs of hexadecimal digits are wanted' } });
  });

  it('no input is no message', () => {
    expect(decode(Buffer.alloc(0), { check: true })).toMatchObject({ lines: [], tally: { checked: 0 }, error: undefined });
  });
});
