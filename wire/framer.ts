import { padded, readU16 } from './bytes.js';
import { WireError } from './error.js';

/** How a stream is cut into frames: the length of a frame, read from its first `headerLength` bytes. */
export interface Framing {
  readonly headerLength: number;
  /** Bytes to the end of the frame that starts at `offset`, padding included; at least `headerLength`.
   *  @throws WireError when the header cannot be one, or announces more than the limit. */
  frameLength(bytes: Uint8Array, offset: number): number;
}

/** ASAP and ENRP messages delimit themselves (RFC 5354 §4): a length of 16 bits without the padding, which is there on a stream. So 64 KiB is the limit. */
const messages = (protocol: string): Framing => ({
  headerLength: 4,
  frameLength: (bytes, offset) => {
    const length = readU16(bytes, offset + 2);
    if (length < 4) throw new WireError('LENGTH_OUT_OF_RANGE', offset + 2, `an ${protocol} message of length ${length}; 4 is the least`);
    return padded(length);
  },
});
export const asapFraming = messages('ASAP');
export const enrpFraming = messages('ENRP');

/** `bytes[start, end)` is one whole frame; the bytes belong to the framer or to who pushed them: what is kept is copied. */
export type FrameSink = (bytes: Buffer, start: number, end: number) => void;

/** Cuts a stream. Whole frames are handed over as ranges of the chunk; only one that straddles chunks is put together in a buffer of its own. */
export class Framer {
  readonly #framing: Framing;
  /** The beginning of a frame whose end has not come; grows with what comes, not with what is announced. A new one each time: the frame
   *  is still good while the rest of the chunk is handed over, and what is left of that begins the next. */
  #begun = empty;
  #have = 0;
  /** Its length, 0 while its header is not whole. */
  #length = 0;

  constructor(framing: Framing) {
    this.#framing = framing;
  }

  /** Bytes of a frame that has begun: 0 between frames. */
  get pending(): number {
    return this.#have;
  }

  /** @param mayGoOn asked after each KiB of frames, where given: a look at the clock for each was a fiftieth of what a handle resolution costs.
   *  @returns how much of the chunk was taken: less than all of it where that said no.
   *  @throws WireError when the stream cannot be cut any further; the frames before that have been handed over. */
  push(chunk: Buffer, sink: FrameSink, mayGoOn?: () => boolean): number {
    const { headerLength } = this.#framing;
    let offset = this.#have > 0 ? this.#resume(chunk, sink) : 0;
    let asked = 0;
    while (chunk.length - offset >= headerLength) {
      if (mayGoOn !== undefined && offset - asked >= STRIDE) {
        if (!mayGoOn()) return offset;
        asked = offset;
      }
      const end = offset + this.#framing.frameLength(chunk, offset);
      if (end > chunk.length) break;
      const start = offset;
      offset = end;
      sink(chunk, start, end);
    }
    if (offset < chunk.length) this.#keep(chunk, offset, chunk.length);
    return chunk.length;
  }

  /** Goes on with the frame that has begun. @returns where it ended in `chunk`. */
  #resume(chunk: Buffer, sink: FrameSink): number {
    const { headerLength } = this.#framing;
    let offset = 0;
    if (this.#length === 0) {
      offset = Math.min(Math.max(headerLength - this.#have, 0), chunk.length);
      this.#keep(chunk, 0, offset);
      if (this.#have < headerLength) return offset;
      this.#length = this.#framing.frameLength(this.#begun, 0);
    }
    const end = Math.min(offset + this.#length - this.#have, chunk.length);
    this.#keep(chunk, offset, end);
    if (this.#have === this.#length) this.#complete(sink);
    return end;
  }

  #complete(sink: FrameSink): void {
    const frame = this.#begun;
    const length = this.#have;
    this.#begun = empty;
    this.#have = this.#length = 0;
    sink(frame, 0, length);
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    const need = this.#have + end - start;
    if (need > this.#begun.length) {
      const larger = Buffer.allocUnsafe(Math.max(need, this.#begun.length * 2, 64));
      this.#begun.copy(larger, 0, 0, this.#have);
      this.#begun = larger;
    }
    chunk.copy(this.#begun, this.#have, start, end);
    this.#have = need;
  }
}

const empty = Buffer.alloc(0);
/** Bytes: nine registrations or fifty look-ups; a table of another registrar's elements is more than that by itself. */
const STRIDE = 1024;
