import { streamOf } from '../wire/mapping.js';
import { copyOf } from './buffers.js';
import { messageId } from './incoming.js';

/** An output of a pool element, and what its receiver learns of it: the `info` of a `'data'` event. It may wait to be given out (D-10, D-12). */
export class Output {
  // Declared only: see Kept.
  /** PE handle of the sender; set when it is given out. */
  declare from: { readonly handle: string | Uint8Array; readonly identifier: number } | undefined;
  declare readonly sessionId: string;
  /** The request it answers; undefined when unprompted. */
  declare readonly request: number | undefined;
  /** Its place among the replies of its request, or among the unprompted messages of the epoch. */
  declare readonly index: number;
  /** Its number among all outputs of the epoch. */
  declare readonly number: number;
  /** Answers a message of the failover callback (D-15). */
  declare readonly recovery: boolean;
  declare readonly ppid: number;
  declare payload: Buffer;
  /** As in the header of its frames. */
  declare readonly lane: number;

  constructor(sessionId: string, request: number | undefined, index: number, number: number, recovery: boolean, ppid: number, payload: Buffer, lane: number) {
    this.from = undefined;
    this.sessionId = sessionId;
    this.request = request;
    this.index = index;
    this.number = number;
    this.recovery = recovery;
    this.ppid = ppid;
    this.payload = payload;
    this.lane = lane;
  }

  /** The `id` of the message it answers. */
  get inReplyTo(): string | undefined { return this.request === undefined ? undefined : messageId(this.sessionId, this.lane, this.recovery, this.request); }
  /** It came on that stream; a reply comes on its message's. */
  get stream(): number { return streamOf(this.lane); }
}

/** Outputs in the order they came, until the cookie (or DONE) that contains them has come; forgotten when the session leaves. */
export class HeldOutputs {
  /** The first `#count` places; the others are kept for those to come, since an array that shrinks must grow again. */
  #outputs: (Output | undefined)[] = [];
  #count = 0;
  /** Up to here payloads are copies; behind it they are slices of the chunk at hand (D-22). */
  #owned = 0;

  /** Payloads of the chunk at hand. */
  get keepsPieces(): boolean { return this.#owned < this.#count; }
  get isEmpty(): boolean { return this.#count === 0; }

  get size(): number { return this.#count; }

  hold(output: Output): void { this.#outputs[this.#count++] = output; }

  /** Gives out, in order, what `isCommitted`. */
  release(isCommitted: (output: Output) => boolean, give: (output: Output) => void): void {
    const outputs = this.#outputs;
    const count = this.#count;
    let waiting = 0;
    let owned = 0;
    for (let i = 0; i < count; i++) {
      const output = outputs[i]!;
      outputs[i] = undefined;
      if (isCommitted(output)) { give(output); continue; }
      outputs[waiting++] = output;
      if (i < this.#owned) owned++;
    }
    if (outputs !== this.#outputs) return; // the session has left meanwhile
    if (waiting === 0 && count > ROOM) this.#outputs = [];
    this.#count = waiting;
    this.#owned = owned;
  }

  /** The chunk's turn ends: copies what is still a slice of it. */
  own(): void {
    for (; this.#owned < this.#count; this.#owned++) {
      const output = this.#outputs[this.#owned]!;
      output.payload = copyOf(output.payload);
    }
  }

  /** @returns the bytes that were held. */
  clear(): number {
    let bytes = 0;
    for (let i = 0; i < this.#count; i++) bytes += this.#outputs[i]?.payload.length ?? 0;
    this.#outputs = [];
    this.#count = this.#owned = 0;
    return bytes;
  }
}

/** Places kept at most. */
const ROOM = 4096;
