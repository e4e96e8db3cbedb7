import { UsageError } from '../errors.js';

/** Big-endian numbers and raw bytes, in and out (RFC 5354 §2). */

export const readU16 = (bytes: Uint8Array, offset: number): number => (bytes[offset]! << 8) | bytes[offset + 1]!;
export const readU32 = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;

/** Up to the next multiple of four. */
export const padded = (length: number): number => (length + 3) & ~3;

/** A copy that shares no memory with a socket's chunk, so that it may be kept. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  if (end - start > 48) copy.set(bytes.subarray(start, end));
  else for (let i = start; i < end; i++) copy[i - start] = bytes[i]!; // quicker than a subarray while it is short
  return copy;
}

/** Where a message is put together: grows, is reused, and knows where padding goes. */
export class Writer {
  #bytes = Buffer.allocUnsafeSlow(4096);
  #length = 0;

  get length(): number {
    return this.#length;
  }
  reset(): void {
    this.#length = 0;
  }
  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }
  u16(value: number): void {
    this.#reserve(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value;
  }
  u32(value: number): void {
    this.#reserve(4);
    const bytes = this.#bytes;
    bytes[this.#length++] = value >>> 24;
    bytes[this.#length++] = value >>> 16;
    bytes[this.#length++] = value >>> 8;
    bytes[this.#length++] = value;
  }
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }
  /** Zeros up to the next multiple of four. */
  pad(): void {
    while (this.#length & 3) this.u8(0);
  }
  /** Sets the length field of what began at `start`, from there to here: padding inside counts, padding behind does not. */
  closeLength(start: number): void {
    const length = this.#length - start;
    if (length > 0xffff) throw new UsageError('MESSAGE_TOO_LARGE', `a message or parameter of ${length} bytes; 65535 is the most its length field can say`);
    this.#bytes[start + 2] = length >>> 8;
    this.#bytes[start + 3] = length;
  }
  /** A copy of what was written. */
  take(): Buffer {
    const copy = Buffer.allocUnsafe(this.#length);
    this.#bytes.copy(copy, 0, 0, this.#length);
    return copy;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
