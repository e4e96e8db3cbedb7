import { pieceOf, slab } from './buffers.js';
import { nextSerial, serialDistance } from './serial.js';
import type { DeliveryMode } from './modes.js';

/** A message the pool user keeps until it is covered (D-8). */
export class Kept {
  /** Transmitted at least once, in whatever epoch. */
  sent = false;
  done = false;
  covered = false;
  /** Its replies have been given to the application: those of a replay are dropped (D-10). */
  answered = false;
  /** How many replies have been given out one by one (`outputCommit: false`). */
  given = 0;
  /** Ends the promise of `send` where the mode lets it wait: at-least-once until DONE, at-most-once until transmitted. */
  settle: { resolve(): void; reject(error: Error): void } | undefined = undefined;
  /** It has been transmitted, or will not be: ends what may still take it back (D-3). */
  unlimit: (() => void) | undefined = undefined;
  readonly length: number;
  readonly #memory: Buffer;
  readonly #at: number;

  /** @param payload is copied. */
  constructor(readonly id: number, public mode: DeliveryMode, readonly ppid: number, readonly ackWanted: boolean, payload: Uint8Array) {
    this.length = payload.length;
    this.#at = slab.put(payload);
    this.#memory = slab.memory;
  }

  /** Made when somebody looks: as a rule nobody does, since a message is transmitted while it is still the caller's. */
  get payload(): Buffer { return pieceOf(this.#memory, this.#at, this.#at + this.length); }
}

export interface WindowLimits {
  /** Messages kept at most. Default 1024. */
  readonly messages: number;
  /** Bytes of payload kept at most. Default 1 MiB. */
  readonly bytes: number;
}

/** So many covered places are cut off at once. */
const CUT_AT = 512;
const forgotten = Object.assign(new Kept(0, 'at-most-once', 0, false, Buffer.alloc(0)), { sent: true, done: true, covered: true, answered: true });

/** What a session keeps, in the order of sending: `[covered] kept and sent ... | cursor | kept and waiting`. */
export class Window {
  #entries: Kept[] = [];
  /** Index of the first entry that is still kept; those before it wait to be cut off together. */
  #head = 0;
  #cursor = 0;
  #doneCursor = 0;
  #bytes = 0;
  #nextId = 1;

  constructor(readonly limits: WindowLimits) {}

  get size(): number { return this.#entries.length - this.#head; }
  get bytes(): number { return this.#bytes; }
  get isEmpty(): boolean { return this.#entries.length === this.#head; }
  get lastId(): number { return (this.#nextId - 1) >>> 0; }
  /** The last id before the first that is kept. */
  get coveredId(): number { return (this.#nextId - 1 - this.size) >>> 0; }
  get allSent(): boolean { return this.#cursor === this.#entries.length; }
  get allDone(): boolean {
    this.#advanceDone();
    return this.#doneCursor === this.#entries.length;
  }

  /** A message larger than the limit is taken when nothing else is kept. */
  hasRoom(length: number): boolean {
    return this.isEmpty || (this.size < this.limits.messages && this.#bytes + length <= this.limits.bytes);
  }

  /** @param payload is copied. */
  add(payload: Uint8Array, mode: DeliveryMode, ppid: number, ackWanted: boolean): Kept {
    const kept = new Kept(this.#nextId, mode, ppid, ackWanted, payload);
    this.#nextId = nextSerial(this.#nextId);
    this.#entries.push(kept);
    this.#bytes += payload.length;
    return kept;
  }

  get(id: number): Kept | undefined {
    const index = this.#indexOf(id);
    return index >= this.#head && index < this.#entries.length ? this.#entries[index] : undefined;
  }

  /** The next message to transmit in this epoch. */
  peek(): Kept | undefined {
    while (this.#cursor < this.#entries.length) {
      const entry = this.#entries[this.#cursor]!;
      if (!entry.covered) return entry;
      this.#cursor++;
    }
    return undefined;
  }

  /** `peek()`'s message has been transmitted. */
  advance(): void { this.#cursor++; }

  /** The last id that was transmitted in this epoch, or before it. */
  get transmittedId(): number { return (this.coveredId + this.#cursor - this.#head) >>> 0; }

  /** A new epoch: everything kept is to be transmitted again. */
  rewind(): void { this.#cursor = this.#head; }

  /** Marks `id`, or everything up to it, DONE; `each` is called for those that were not yet. */
  markDone(id: number, cumulative: boolean, each: (entry: Kept) => void): void {
    const to = this.#indexOf(id);
    if (to < this.#head || to >= this.#entries.length) return;
    for (let i = cumulative ? Math.max(this.#doneCursor, this.#head) : to; i <= to; i++) {
      const entry = this.#entries[i]!;
      if (entry.done) continue;
      entry.done = true;
      each(entry);
    }
    if (cumulative) this.#doneCursor = Math.max(this.#doneCursor, to + 1);
  }

  /** Covers everything up to `id`: a cookie contains it. */
  coverTo(id: number, each: (entry: Kept) => void): void {
    const to = this.#indexOf(id);
    for (let i = this.#head; i <= to && i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (entry.covered) continue;
      this.#release(entry);
      each(entry);
    }
    this.#trim();
  }

  /** Covers one entry, also one that is taken back (D-3, D-15); its place is cut off when those before it are covered too. */
  cover(entry: Kept): void {
    if (entry.covered) return;
    this.#release(entry);
    this.#trim();
  }

  /** What is kept, oldest first. */
  kept(): Kept[] { return this.#entries.slice(this.#head).filter((entry) => !entry.covered); }

  /** The first message that was handed out and is not DONE: what its pool element was handling (D-17). */
  firstInHandling(): Kept | undefined {
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (!entry.done && !entry.covered) return entry.sent ? entry : undefined;
    }
    return undefined;
  }

  #indexOf(id: number): number { return this.#head + serialDistance(this.coveredId, id) - 1; }

  #release(entry: Kept): void {
    entry.covered = true;
    entry.unlimit?.();
    this.#bytes -= entry.length;
  }

  #trim(): void {
    while (this.#head < this.#entries.length && this.#entries[this.#head]!.covered) this.#entries[this.#head++] = forgotten;
    if (this.#cursor < this.#head) this.#cursor = this.#head;
    if (this.#head >= CUT_AT) this.#cut();
  }

  #cut(): void {
    this.#entries.splice(0, this.#head);
    this.#cursor -= this.#head;
    this.#doneCursor = Math.max(0, this.#doneCursor - this.#head);
    this.#head = 0;
  }

  #advanceDone(): void {
    if (this.#doneCursor < this.#head) this.#doneCursor = this.#head;
    while (this.#doneCursor < this.#entries.length && (this.#entries[this.#doneCursor]!.done || this.#entries[this.#doneCursor]!.covered)) this.#doneCursor++;
  }
}
