import { CaptureError } from './error.js';
import type { RawPacket } from './file.js';
import { MAX_PACKET, numbers } from './pcap.js';

/** The newer capture format (draft-ietf-opsawg-pcapng): blocks of type, length, body, length again; sections with interfaces of their own. */

const SECTION_HEADER = 0x0a0d0d0a; // a palindrome: the same in both byte orders
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
}

export const isPcapng = (file: Buffer): boolean => file.length >= 4 && file.readUInt32BE(0) === SECTION_HEADER;

export function* readPcapng(file: Buffer): Generator<RawPacket> {
  let little = true;
  let interfaces: Interface[] = [];
  for (let offset = 0; offset < file.length;) {
    if (file.length - offset < 12) throw new CaptureError(offset, `${file.length - offset} bytes where a block should be`);
    if (file.readUInt32BE(offset) === SECTION_HEADER) {
      little = byteOrder(file, offset);
      interfaces = [];
    }
    const u32 = numbers(little);
    const length = blockLength(file, offset, u32);
    const body = file.subarray(offset + 8, offset + length - 4);
    const type = u32(file, offset);
    if (type === INTERFACE_DESCRIPTION) interfaces.push(interfaceOf(body, offset, little));
    const packet = packetOf(type, body, offset + 8, interfaces, little);
    if (packet !== undefined) yield { ...packet, offset };
    offset += length;
  }
}

function byteOrder(file: Buffer, offset: number): boolean {
  if (file.readUInt32LE(offset + 8) === BYTE_ORDER_MAGIC) return true;
  if (file.readUInt32BE(offset + 8) === BYTE_ORDER_MAGIC) return false;
  throw new CaptureError(offset + 8, 'a section without its byte-order magic');
}

function blockLength(file: Buffer, offset: number, u32: (bytes: Buffer, offset: number) => number): number {
  const length = u32(file, offset + 4);
  if (length < 12 || length % 4 !== 0) throw new CaptureError(offset + 4, `a block of length ${length}`);
  if (length > file.length - offset) throw new CaptureError(offset + 4, `a block of ${length} bytes where ${file.length - offset} are left`);
  if (u32(file, offset + length - 4) !== length) throw new CaptureError(offset + length - 4, 'a block whose two lengths differ');
  return length;
}

function interfaceOf(body: Buffer, offset: number, little: boolean): Interface {
  if (body.length < 8) throw new CaptureError(offset, 'an interface description that is too short');
  return { linkType: little ? body.readUInt16LE(0) : body.readUInt16BE(0), snapLength: numbers(little)(body, 4) };
}

function packetOf(type: number, body: Buffer, offset: number, interfaces: readonly Interface[], little: boolean): Omit<RawPacket, 'offset'> | undefined {
  if (type !== ENHANCED_PACKET && type !== OBSOLETE_PACKET && type !== SIMPLE_PACKET) return undefined;
  const u32 = numbers(little);
  const header = type === SIMPLE_PACKET ? 4 : 20;
  if (body.length < header) throw new CaptureError(offset, 'a packet block that is too short');
  const number = type === SIMPLE_PACKET ? 0 : type === ENHANCED_PACKET ? u32(body, 0) : little ? body.readUInt16LE(0) : body.readUInt16BE(0);
  const source = interfaces[number];
  if (source === undefined) throw new CaptureError(offset, `a packet of interface ${number}, which is not described`);
  const length = type === SIMPLE_PACKET ? Math.min(u32(body, 0), source.snapLength || Infinity) : u32(body, 12);
  if (length > MAX_PACKET || length > body.length - header) throw new CaptureError(offset, `a packet of ${length} bytes in a block with room for ${body.length - header}`);
  return { linkType: source.linkType, bytes: body.subarray(header, header + length) };
}
