import { COMMON_HEADER, DATA_HEADER, padded, writeU16, writeU32 } from './chunks.js';
import { packetChecksum } from './crc32c.js';
import type { Receiver } from './receiver.js';
import type { Fragment } from './sender.js';

/** Puts chunks into a packet, in one buffer that is used again and again: who sends it takes a copy. */
export class PacketWriter {
  readonly #bytes: Buffer;
  #length = 0;
  #size = 0;

  /** @param longest packets, but for control chunks. */
  constructor(longest: number) {
    this.#bytes = Buffer.alloc(longest + LONGEST_CONTROL);
  }

  /** @param size it is not to be longer. */
  begin(from: number, to: number, tag: number, size: number): void {
    this.#size = size;
    writeU16(this.#bytes, 0, from);
    writeU16(this.#bytes, 2, to);
    writeU32(this.#bytes, 4, tag);
    writeU32(this.#bytes, 8, 0);
    this.#length = COMMON_HEADER;
  }

  get isEmpty(): boolean { return this.#length === COMMON_HEADER; }
  get room(): number { return this.#size - this.#length; }

  /** A chunk that is written already, padding included. */
  add(chunk: Uint8Array): void {
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  addSack(receiver: Receiver): void {
    const at = this.#length;
    const length = receiver.writeSack(this.#bytes, at, this.room);
    this.#bytes[at] = 3;
    this.#bytes[at + 1] = 0;
    writeU16(this.#bytes, at + 2, length);
    this.#length += length;
  }

  addData({ tsn, flags, stream, ssn, message, start, end }: Fragment): void {
    const bytes = this.#bytes;
    const at = this.#length;
    const length = DATA_HEADER + end - start;
    bytes[at] = 0;
    bytes[at + 1] = flags;
    writeU16(bytes, at + 2, length);
    writeU32(bytes, at + 4, tsn);
    writeU16(bytes, at + 8, stream);
    writeU16(bytes, at + 10, ssn);
    writeU32(bytes, at + 12, message.ppid);
    bytes.set(start === 0 && end === message.bytes.length ? message.bytes : message.bytes.subarray(start, end), at + DATA_HEADER);
    this.#length = at + padded(length);
    for (let pad = at + length; pad < this.#length; pad += 1) bytes[pad] = 0;
  }

  /** The packet with its checksum, until the next `begin`. */
  finish(): Buffer {
    const packet = this.#bytes.subarray(0, this.#length);
    const sum = packetChecksum(packet);
    packet[8] = sum;
    packet[9] = sum >>> 8;
    packet[10] = sum >>> 16;
    packet[11] = sum >>> 24;
    return packet;
  }
}

/** A peer's cookie is sent back whole, whatever its length: a packet of its own, cut by IP where it must be. */
const LONGEST_CONTROL = 0x1_0000;
