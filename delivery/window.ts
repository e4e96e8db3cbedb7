import { streamOf } from '../wire/mapping.js';
import { pieceOf, slab } from './buffers.js';
import { nextSerial, serialDistance } from './serial.js';
import type { DeliveryMode } from './modes.js';

/** A message the pool user keeps until it is covered (D-8). */
export class Kept {
  // Declared only, and set in the constructor: initialisers of fields are a call for each message. In this order: first what its end needs.
  declare covered: boolean;
  declare done: boolean;
  /** Transmitted at least once, in whatever epoch. */
  declare sent: boolean;
  /** Its replies have been given to the application: those of a replay are dropped (D-10). */
  declare answered: boolean;
  declare mode: DeliveryMode;
  /** Ends the promise of `send` where the mode lets it wait: at-least-once until DONE, at-most-once until transmitted. */
  declare settle: { resolve(): void; reject(error: Error): void } | undefined;
  /** It has been transmitted, or will not be: ends what may still take it back (D-3). */
  declare unlimit: (() => void) | undefined;
  declare readonly length: number;
  /** How many replies have been given out one by one (`outputCommit: false`). */
  declare given: number;
  declare readonly id: number;
  declare readonly ppid: number;
  declare readonly ackWanted: boolean;
  private declare readonly memory: Buffer;
  private declare readonly at: number;
  /** As in the header of its frames. */
  declare readonly lane: number;

  /** @param payload is copied. */
  constructor(id: number, mode: DeliveryMode, ppid: number, ackWanted: boolean, payload: Uint8Array, lane: number) {
    this.covered = this.done = this.sent = this.answered = false;
    this.mode = mode;
    this.settle = this.unlimit = undefined;
    this.length = payload.length;
    this.given = 0;
    this.id = id;
    this.ppid = ppid;
    this.ackWanted = ackWanted;
    this.at = slab.put(payload);
    this.memory = slab.memory;
    this.lane = lane;
  }

  get stream(): number { return streamOf(this.lane); }
  /** Of the session: ids count in each lane. */
  get key(): number { return keyOf(this.lane, this.id); }

  /** Made when somebody looks: as a rule nobody does, since a message is transmitted while it is still the caller's. */
  get payload(): Buffer { return pieceOf(this.memory, this.at, this.at + this.length); }
}

/** A message of a session, among those of all its lanes. */
export const keyOf = (lane: number, id: number): number => lane * 0x1_0000_0000 + id;

export interface WindowLimits {
  /** Messages kept at most. Default 1024. */
  readonly messages: number;
  /** Bytes of payload kept at most. Default 1 MiB. */
  readonly bytes: number;
}

/** Places to begin with; a power of two, as ever. */
const PLACES = 16;

/** What a lane of a session keeps, in the order of sending: `[covered] kept and sent ... | cursor | kept and waiting`. */
export class Window {
  /** Positions: of the first entry that is still kept, the first to transmit, and behind the last. */
  #head = 0;
  #cursor = 0;
  #tail = 0;
  #bytes = 0;
  #coveredId = 0;
  /** A ring: the entry of position `p` is at `p & #mask`. */
  #mask = PLACES - 1;
  #ring: (Kept | undefined)[] = new Array<Kept | undefined>(PLACES).fill(undefined);
  readonly #mostMessages: number;
  readonly #mostBytes: number;
  /** Position of the first that may not be DONE. */
  #doneCursor = 0;
  /** Behind the last that is DONE in this epoch. */
  #handled = 0;
  readonly #lane: number;
  readonly limits: WindowLimits;

  constructor(limits: WindowLimits, lane = 0) {
    this.#lane = lane;
    this.limits = limits;
    this.#mostMessages = limits.messages;
    this.#mostBytes = limits.bytes;
  }

  get size(): number { return this.#tail - this.#head; }
  get bytes(): number { return this.#bytes; }
  get isEmpty(): boolean { return this.#tail === this.#head; }
  get lastId(): number { return (this.#coveredId + this.#tail - this.#head) >>> 0; }
  /** The last id before the first that is kept. */
  get coveredId(): number { return this.#coveredId; }
  get allSent(): boolean { return this.#cursor === this.#tail; }
  get allDone(): boolean {
    this.#advanceDone();
    return this.#doneCursor === this.#tail;
  }

  /** A message larger than the limit is taken when nothing else is kept. */
  hasRoom(length: number): boolean {
    return this.isEmpty || (this.size < this.#mostMessages && this.#bytes + length <= this.#mostBytes);
  }

  /** @param payload is copied. */
  add(payload: Uint8Array, mode: DeliveryMode, ppid: number, ackWanted: boolean): Kept {
    const kept = new Kept(nextSerial(this.lastId), mode, ppid, ackWanted, payload, this.#lane);
    if (this.#tail - this.#head > this.#mask) this.#grow();
    this.#ring[this.#tail++ & this.#mask] = kept;
    this.#bytes += payload.length;
    return kept;
  }

  get(id: number): Kept | undefined {
    const position = this.#positionOf(id);
    return position >= this.#head && position < this.#tail ? this.#ring[position & this.#mask] : undefined;
  }

  /** The next message to transmit in this epoch. */
  peek(): Kept | undefined {
    while (this.#cursor < this.#tail) {
      const entry = this.#ring[this.#cursor & this.#mask]!;
      if (!entry.covered) return entry;
      this.#cursor++;
    }
    return undefined;
  }

  /** `peek()`'s message has been transmitted. */
  advance(): void { this.#cursor++; }

  /** The last id that was transmitted in this epoch, or before it. */
  get transmittedId(): number { return (this.#coveredId + this.#cursor - this.#head) >>> 0; }

  /** A new epoch: everything kept is to be transmitted again. */
  rewind(): void { this.#cursor = this.#handled = this.#head; }

  /** Marks `id`, or everything up to it, DONE; `each` is called for those that were not yet. */
  markDone(id: number, cumulative: boolean, each: (entry: Kept) => void): void {
    const to = this.#positionOf(id);
    if (to < this.#head || to >= this.#tail) return;
    for (let i = cumulative ? Math.max(this.#doneCursor, this.#head) : to; i <= to; i++) {
      const entry = this.#ring[i & this.#mask]!;
      if (entry.done) continue;
      entry.done = true;
      each(entry);
    }
    if (cumulative) this.#doneCursor = Math.max(this.#doneCursor, to + 1);
    this.#handled = Math.max(this.#handled, to + 1);
  }

  /** Everything up to `id` is DONE, and nothing else is waited for: covered too. */
  finishTo(id: number, each: (entry: Kept) => void): void {
    const to = this.#positionOf(id);
    if (to >= this.#tail) return;
    for (let i = this.#head; i <= to; i++) {
      const entry = this.#ring[i & this.#mask]!;
      if (entry.covered) continue;
      if (!entry.done) { entry.done = true; each(entry); }
      this.#release(entry);
    }
    this.#trim();
  }

  /** Covers everything up to `id`: a cookie contains it. */
  coverTo(id: number, each: (entry: Kept) => void): void {
    const to = this.#positionOf(id);
    for (let i = this.#head; i <= to && i < this.#tail; i++) {
      const entry = this.#ring[i & this.#mask]!;
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
  kept(): Kept[] {
    const kept: Kept[] = [];
    for (let i = this.#head; i < this.#tail; i++) {
      const entry = this.#ring[i & this.#mask]!;
      if (!entry.covered) kept.push(entry);
    }
    return kept;
  }

  /** The first message that was handed out and is not DONE here: what its pool element was handling (D-17). One that was DONE elsewhere is handled again, and may kill this time. */
  firstInHandling(): Kept | undefined {
    for (let i = this.#head; i < this.#tail; i++) {
      const entry = this.#ring[i & this.#mask]!;
      if (entry.covered) continue;
      if (!entry.done) return entry.sent ? entry : undefined;
      if (i >= this.#handled && i < this.#cursor) return entry;
    }
    return undefined;
  }

  #positionOf(id: number): number { return this.#head + serialDistance(this.#coveredId, id) - 1; }

  #release(entry: Kept): void {
    entry.covered = true;
    entry.unlimit?.();
    this.#bytes -= entry.length;
  }

  #trim(): void {
    while (this.#head < this.#tail && this.#ring[this.#head & this.#mask]!.covered) {
      this.#ring[this.#head++ & this.#mask] = undefined;
      this.#coveredId = nextSerial(this.#coveredId);
    }
    if (this.#head === this.#tail) this.#head = this.#cursor = this.#doneCursor = this.#handled = this.#tail = 0;
    else if (this.#cursor < this.#head) this.#cursor = this.#head;
  }

  #grow(): void {
    const ring = new Array<Kept | undefined>(2 * this.#ring.length).fill(undefined);
    const mask = ring.length - 1;
    for (let i = this.#head; i < this.#tail; i++) ring[i & mask] = this.#ring[i & this.#mask];
    this.#ring = ring;
    this.#mask = mask;
  }

  #advanceDone(): void {
    if (this.#doneCursor < this.#head) this.#doneCursor = this.#head;
    for (; this.#doneCursor < this.#tail; this.#doneCursor++) {
      const entry = this.#ring[this.#doneCursor & this.#mask]!;
      if (!entry.done && !entry.covered) return;
    }
  }
}
