/** How a stream is cut into frames: the length of a frame, read from its first `headerLength` bytes. */
export interface Framing {
  readonly headerLength: number;
  /** Bytes to the end of the frame that starts at `offset`, padding included; at least `headerLength`.
   *  @throws WireError when the header cannot be one, or announces more than the limit. */
  frameLength(bytes: Uint8Array, offset: number): number;
}

/** Takes a whole frame, `bytes[start, end)`; the bytes are its own only until it returns. */
export type FrameSink = (bytes: Buffer, start: number, end: number) => void;

/** Cuts one stream into frames. They are handed over as ranges of the chunk they came in; only one that straddles chunks is put together in a buffer
 *  of the framer's. That buffer grows with what has come, not with what a header announces. */
export class Framer {
  readonly #framing: Framing;
  #held: Buffer = EMPTY;
  #have = 0;
  #need = 0; // length of the held frame; 0 while its header is not whole

  constructor(framing: Framing) {
    this.#framing = framing;
  }

  /** Bytes of a frame that has begun and is not whole. */
  get partial(): number {
    return this.#have;
  }

  /** @throws what `frameLength` or the sink throws; the framer is of no use afterwards. */
  push(chunk: Buffer, sink: FrameSink): void {
    const framing = this.#framing;
    const headerLength = framing.headerLength;
    const end = chunk.length;
    let offset = this.#have === 0 ? 0 : this.#complete(chunk, sink);
    while (end - offset >= headerLength) {
      const length = framing.frameLength(chunk, offset);
      if (length > end - offset) {
        this.#need = length;
        break;
      }
      sink(chunk, offset, offset + length);
      offset += length;
    }
    if (offset < end) this.#hold(chunk, offset, end);
  }

  /** Goes on with the held frame. @returns where in the chunk the next one starts. */
  #complete(chunk: Buffer, sink: FrameSink): number {
    let offset = 0;
    if (this.#need === 0) {
      offset = Math.min(this.#framing.headerLength - this.#have, chunk.length);
      this.#hold(chunk, 0, offset);
      if (this.#have < this.#framing.headerLength) return offset;
      this.#need = this.#framing.frameLength(this.#held, 0);
    }
    const end = Math.min(offset + this.#need - this.#have, chunk.length);
    this.#hold(chunk, offset, end);
    if (this.#have === this.#need) this.#release(sink);
    return end;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const have = this.#have + end - start;
    if (have > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(have, Math.min(2 * have, this.#need), this.#framing.headerLength));
      this.#held.copy(grown, 0, 0, this.#have);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#have, start, end);
    this.#have = have;
  }

  #release(sink: FrameSink): void {
    const bytes = this.#held;
    const length = this.#need;
    this.#have = 0;
    this.#need = 0;
    if (bytes.length > LARGE) this.#held = EMPTY;
    sink(bytes, 0, length);
  }
}

const EMPTY = Buffer.alloc(0);
const LARGE = 4096;
