import { parseIpv4, parseIpv6 } from '../../wire/addresses.js';

/** Captures made by hand, layer by layer. Checksums are zero: nobody here looks at them. */

const u16 = (value: number): Buffer => Buffer.from([(value >>> 8) & 0xff, value & 0xff]);
const u32 = (value: number): Buffer => Buffer.from([value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
const concat = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);

export const SCTP = 132;
export const TCP = 6;
export const UDP = 17;

export const ipv4 = (protocol: number, payload: Buffer, from = '10.0.0.1', to = '10.0.0.2', fragment = 0): Buffer =>
  concat(Buffer.from([0x45, 0]), u16(20 + payload.length), u16(0), u16(fragment), Buffer.from([64, protocol]), u16(0), parseIpv4(from)!, parseIpv4(to)!, payload);
export const ipv6 = (protocol: number, payload: Buffer, from = '2001:db8::1', to = '2001:db8::2'): Buffer => {
  const hopByHop = Buffer.from([protocol, 0, 1, 4, 0, 0, 0, 0]);
  return concat(u32(0x60000000), u16(8 + payload.length), Buffer.from([0, 64]), parseIpv6(from)!, parseIpv6(to)!, hopByHop, payload);
};

/** By link type: the packet as it would be captured. */
export const links: Readonly<Record<string, { type: number; wrap(packet: Buffer): Buffer }>> = {
  'Ethernet': { type: 1, wrap: (packet) => concat(Buffer.alloc(12), etherType(packet), packet, Buffer.alloc(6)) }, // with a trailer
  'Ethernet with two VLAN tags': { type: 1, wrap: (packet) => concat(Buffer.alloc(12), u16(0x88a8), u16(5), u16(0x8100), u16(6), etherType(packet), packet) },
  'Linux cooked': { type: 113, wrap: (packet) => concat(Buffer.alloc(14), etherType(packet), packet) },
  'Linux cooked, version 2': { type: 276, wrap: (packet) => concat(etherType(packet), Buffer.alloc(18), packet) },
  'raw IP': { type: 101, wrap: (packet) => packet },
  'loopback': { type: 0, wrap: (packet) => concat(u32(2), packet) },
};
const etherType = (packet: Buffer): Buffer => u16(packet[0]! >> 4 === 6 ? 0x86dd : 0x0800);

export const udp = (from: number, to: number, payload: Buffer): Buffer => concat(u16(from), u16(to), u16(8 + payload.length), u16(0), payload);
export const tcp = (from: number, to: number, sequence: number, payload: Buffer, flags = 0x18): Buffer =>
  concat(u16(from), u16(to), u32(sequence), u32(0), Buffer.from([0x60, flags]), u16(0), u16(0), u16(0), Buffer.alloc(4, 1), payload); // with options
export const SYN = 0x02;

export interface DataChunk {
  readonly tsn: number;
  readonly data: Buffer;
  readonly ppid?: number;
  /** 0x02 begins, 0x01 ends a message. */
  readonly flags?: number;
}
export const sctp = (from: number, to: number, ...chunks: readonly DataChunk[]): Buffer =>
  concat(u16(from), u16(to), u32(7), u32(0), sack, ...chunks.map(dataChunk));
/** What stands beside data: passed over. */
const sack = Buffer.from('03000010000000000000100000000000', 'hex');
function dataChunk({ tsn, data, ppid = 11, flags = 3 }: DataChunk): Buffer {
  return concat(Buffer.from([0, flags]), u16(16 + data.length), u32(tsn), u32(0), u32(ppid), data, Buffer.alloc(-data.length & 3));
}

export function pcap(linkType: number, packets: readonly Buffer[], { little = true, magic = 0xa1b2c3d4 } = {}): Buffer {
  const word = wordIn(little);
  const half = halfIn(little);
  return concat(word(magic), half(2), half(4), word(0), word(0), word(65535), word(linkType),
    ...packets.flatMap((packet) => [word(1), word(2), word(packet.length), word(packet.length), packet]));
}

export function pcapng(linkType: number, packets: readonly Buffer[], little = true): Buffer {
  const word = wordIn(little);
  const half = halfIn(little);
  const block = (type: number, body: Buffer): Buffer => {
    const padding = Buffer.alloc(-body.length & 3);
    const length = 12 + body.length + padding.length;
    return concat(word(type), word(length), body, padding, word(length));
  };
  return concat(
    block(0x0a0d0d0a, concat(word(0x1a2b3c4d), half(1), half(0), word(0xffffffff), word(0xffffffff))),
    block(1, concat(half(linkType), half(0), word(0))),
    block(4, Buffer.alloc(8)), // name resolution: passed over
    ...packets.map((packet) => block(6, concat(word(0), word(0), word(0), word(packet.length), word(packet.length), packet))),
    block(3, concat(word(packets[0]!.length), packets[0]!)),
  );
}
const wordIn = (little: boolean) => (value: number): Buffer => (little ? Buffer.from(u32(value)).reverse() : u32(value));
const halfIn = (little: boolean) => (value: number): Buffer => (little ? Buffer.from(u16(value)).reverse() : u16(value));
