import { CaptureError } from './error.js';
import { isPcap, readPcap } from './pcap.js';
import { isPcapng, readPcapng } from './pcapng.js';

/** One packet as it was captured; perhaps cut short. */
export interface Packet {
  /** From 1, as other tools count. */
  readonly frame: number;
  readonly linkType: number;
  readonly bytes: Buffer;
  /** Where its record begins in the file. */
  readonly offset: number;
}
export type RawPacket = Omit<Packet, 'frame'>;

export const isCapture = (file: Buffer): boolean => isPcap(file) || isPcapng(file);

/** @throws CaptureError where the file breaks; the packets before have been yielded. */
export function* readPackets(file: Buffer): Generator<Packet> {
  if (!isCapture(file)) throw new CaptureError(0, 'neither pcap nor pcapng');
  let frame = 0;
  for (const packet of isPcap(file) ? readPcap(file) : readPcapng(file)) yield { frame: ++frame, ...packet };
}
