/** Pieces of buffers and copies of small payloads, at a third of what `Buffer` itself asks for them: one of either is made for each message. */

/** What `Buffer`'s own methods make: a Buffer of `length` bytes at `offset` of `memory`. `subarray` asks its buffer for memory and offset anew each time, which costs twice as much as the piece. */
const Piece = (Buffer as unknown as { readonly [Symbol.species]: new (memory: ArrayBufferLike, offset: number, length: number) => Buffer })[Symbol.species];

let known: Uint8Array = Buffer.alloc(0);
let memory: ArrayBufferLike = known.buffer;
let base = 0;

/** `bytes.subarray(start, end)`; pieces of one buffer follow each other. The caller has seen to the bounds. */
export function pieceOf(bytes: Uint8Array, start: number, end: number): Buffer {
  if (bytes !== known) {
    known = bytes;
    memory = bytes.buffer;
    base = bytes.byteOffset;
  }
  return new Piece(memory, base + start, end - start);
}

/** Copies of payloads lie side by side in memory of this size, which lives as long as one of them. */
const SLAB = 0x4000;
/** From this length on a copy has memory of its own. */
const LARGE = SLAB / 4;

/** Where the next copies go; `memory` is another one from time to time. */
class Slab {
  memory: Buffer = Buffer.alloc(0);
  #used = 0;

  /** Copies `bytes`. @returns where they lie in `memory`. */
  put(bytes: Uint8Array): number {
    const { length } = bytes;
    if (this.#used + length > this.memory.length) {
      this.memory = Buffer.allocUnsafeSlow(length > LARGE ? length : SLAB);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    this.memory.set(bytes, at);
    return at;
  }
}

/** Of the process. */
export const slab = new Slab();

/** An own copy. */
export function copyOf(bytes: Uint8Array): Buffer {
  const at = slab.put(bytes);
  return pieceOf(slab.memory, at, at + bytes.length);
}
