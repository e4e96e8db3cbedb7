import { CaptureError } from './error.js';
import type { RawPacket } from './file.js';

/** The classic capture format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records of 16 and their packets. */

/** Microseconds and nanoseconds, as the number reads in the file's own byte order. */
const magics: readonly number[] = [0xa1b2c3d4, 0xa1b23c4d];
/** What no packet of ours exceeds; a larger one is a sign that the file is broken. */
export const MAX_PACKET = 256 * 1024;

export const isPcap = (file: Buffer): boolean => file.length >= 4 && (magics.includes(file.readUInt32LE(0)) || magics.includes(file.readUInt32BE(0)));

export function* readPcap(file: Buffer): Generator<RawPacket> {
  const u32 = numbers(magics.includes(file.readUInt32LE(0)));
  if (file.length < 24) throw new CaptureError(file.length, 'a pcap file that ends inside its header');
  const linkType = u32(file, 20) & 0xffff; // above: length of a checksum at the end of each packet
  for (let offset = 24; offset < file.length;) {
    if (file.length - offset < 16) throw new CaptureError(offset, `${file.length - offset} bytes where a packet's header should be`);
    const length = u32(file, offset + 8);
    if (length > MAX_PACKET) throw new CaptureError(offset + 8, `a packet of ${length} bytes`);
    if (length > file.length - offset - 16) throw new CaptureError(offset + 8, `a packet of ${length} bytes where ${file.length - offset - 16} are left`);
    yield { linkType, offset, bytes: file.subarray(offset + 16, offset + 16 + length) };
    offset += 16 + length;
  }
}

export const numbers = (little: boolean) => (bytes: Buffer, offset: number): number => (little ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset));
