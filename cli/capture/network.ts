import { formatIpv4, formatIpv6 } from '../../wire/addresses.js';

/** From a captured packet to what an IP packet carries. What is cut short, fragmented by IP, or of another kind gives nothing. */
export interface IpPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Buffer;
}

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const VLAN: readonly number[] = [0x8100, 0x88a8, 0x9100];

/** By link type (tcpdump.org/linktypes): where the network packet begins. `type` is an EtherType; without one the packet's version tells. */
type Link = (bytes: Buffer) => { type?: number; offset: number } | undefined;
const links: ReadonlyMap<number, Link> = new Map<number, Link>([
  [0, () => ({ offset: 4 })], // BSD loopback
  [1, ethernet],
  [12, () => ({ offset: 0 })], [14, () => ({ offset: 0 })], [101, () => ({ offset: 0 })], // raw IP
  [108, () => ({ offset: 4 })], // OpenBSD loopback
  [113, (bytes) => (bytes.length < 16 ? undefined : { type: bytes.readUInt16BE(14), offset: 16 })], // Linux cooked
  [228, () => ({ type: IPV4, offset: 0 })], [229, () => ({ type: IPV6, offset: 0 })],
  [276, (bytes) => (bytes.length < 20 ? undefined : { type: bytes.readUInt16BE(0), offset: 20 })], // Linux cooked, version 2
]);

export const knowsLinkType = (linkType: number): boolean => links.has(linkType);

export function ipPacketOf(linkType: number, bytes: Buffer): IpPacket | undefined {
  const found = links.get(linkType)?.(bytes);
  if (found === undefined || bytes.length <= found.offset) return undefined;
  const packet = bytes.subarray(found.offset);
  const version = packet[0]! >> 4;
  if (version === 4 && (found.type ?? IPV4) === IPV4) return ipv4(packet);
  if (version === 6 && (found.type ?? IPV6) === IPV6) return ipv6(packet);
  return undefined;
}

function ethernet(bytes: Buffer): { type: number; offset: number } | undefined {
  let offset = 12;
  while (bytes.length >= offset + 2 && VLAN.includes(bytes.readUInt16BE(offset))) offset += 4;
  return bytes.length < offset + 2 ? undefined : { type: bytes.readUInt16BE(offset), offset: offset + 2 };
}

function ipv4(packet: Buffer): IpPacket | undefined {
  const header = (packet[0]! & 0xf) * 4;
  if (header < 20 || packet.length < header) return undefined;
  if ((packet.readUInt16BE(6) & 0x3fff) !== 0) return undefined; // a fragment
  const total = packet.readUInt16BE(2) || packet.length; // 0 where the network card does the segmenting
  return { source: formatIpv4(packet, 12), destination: formatIpv4(packet, 16), protocol: packet[9]!, payload: packet.subarray(header, Math.max(total, header)) };
}

function ipv6(packet: Buffer): IpPacket | undefined {
  if (packet.length < 40) return undefined;
  const end = Math.min(packet.length, 40 + (packet.readUInt16BE(4) || packet.length));
  let protocol = packet[6]!;
  let offset = 40;
  while (protocol === 0 || protocol === 43 || protocol === 60) { // hop-by-hop, routing, destination options
    if (end - offset < 8) return undefined;
    protocol = packet[offset]!;
    offset += (packet[offset + 1]! + 1) * 8;
  }
  return offset > end ? undefined : { source: formatIpv6(packet, 8), destination: formatIpv6(packet, 24), protocol, payload: packet.subarray(offset, end) };
}
