import type { SctpMessage } from './messages.js';

/** The message that grows by the frames that are written into it, until it is taken; then the next one begins. Ordered. */
export class Gathering {
  /** So long it is. */
  bytes = 0;

  /** Its longest with several frames; a longer frame is alone in it. 0: each is. */
  bound = 0;

  readonly #ppid: number;
  readonly #room: { bytes: Buffer; offset: number } = { bytes: NOTHING, offset: 0 };
  #buffer: Buffer = NOTHING;
  #stream = 0;
  #last = 0; // length of the one before: so much is likely to be needed again

  constructor(ppid: number) {
    this.#ppid = ppid;
  }

  /** Whether it has room for that frame, or none has been begun. Else it is to be taken first. */
  fits(length: number, stream: number): boolean {
    return this.bytes === 0 || (stream === this.#stream && this.bytes + length <= this.#buffer.length);
  }

  /** Room for a frame that fits; the object is the same at each call. */
  reserve(length: number, stream: number): { readonly bytes: Buffer; readonly offset: number } {
    if (this.bytes === 0) this.#begin(length, stream);
    this.#room.offset = this.bytes;
    this.bytes += length;
    return this.#room;
  }

  /** From here on nobody writes into it. */
  take(): SctpMessage | undefined {
    if (this.bytes === 0) return undefined;
    const bytes = this.bytes === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.bytes);
    this.#last = this.bytes;
    this.bytes = 0;
    this.#buffer = this.#room.bytes = NOTHING;
    return { bytes, ppid: this.#ppid, stream: this.#stream, unordered: false };
  }

  /** The buffer is the message's until the peer has acknowledged it, so that it is not used again; a link at rest holds none. */
  #begin(length: number, stream: number): void {
    const likely = Math.min(this.bound, Math.max(SMALL, 2 * this.#last));
    this.#buffer = this.#room.bytes = Buffer.allocUnsafe(Math.max(length, likely));
    this.#stream = stream;
  }
}

const NOTHING = Buffer.alloc(0);
const SMALL = 256;
