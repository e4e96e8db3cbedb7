import { ahead, BEGIN, END, u32, UNORDERED, writeU16, writeU32 } from './chunks.js';
import type { SctpMessage } from './messages.js';
import type { SctpSettings } from './settings.js';

interface Piece {
  readonly data: Buffer;
  readonly flags: number;
  readonly stream: number;
  readonly ssn: number;
  readonly ppid: number;
}

interface InboundStream {
  next: number;
  readonly waiting: Map<number, SctpMessage>;
}

/** What came of a DATA chunk. */
export type Reception = 'taken' | 'duplicate' | 'no room' | 'message too long' | 'no such stream';

/** What we receive: which TSNs have come, messages put together again and given out in the order of their streams (RFC 9260 §6.2, §6.5 to §6.9). */
export class Receiver {
  /** Up to here everything has come. */
  cumulative: number;
  /** What whole messages cost that the user has not taken. */
  unread = 0;

  readonly #settings: SctpSettings;
  readonly #streams: InboundStream[] = [];
  readonly #deliver: (message: SctpMessage) => void;
  readonly #pieces = new Map<number, Piece>(); // of messages that are not whole
  /** Beyond `cumulative`, ascending, as distances from it; all shift with it. */
  #blocks: { start: number; end: number }[] = [];
  #duplicates: number[] = [];
  #held = 0; // bytes in #pieces
  #waiting = 0; // bytes of messages whose turn has not come

  constructor(settings: SctpSettings, initialTsn: number, deliver: (message: SctpMessage) => void) {
    this.#settings = settings;
    this.cumulative = u32(initialTsn - 1);
    this.#deliver = deliver;
  }

  /** Room that is announced. A message that is not whole counts only beyond the longest one: it could never become whole in a window smaller than itself. */
  get window(): number {
    const { receiveWindow } = this.#settings;
    const room = receiveWindow - this.unread - this.#waiting - Math.max(0, this.#held - this.#longest);
    return room < Math.min(MIN_WINDOW, receiveWindow) ? 0 : room; // no silly windows (RFC 1122 §4.2.3.3)
  }

  /** What the pieces of the longest message cost. */
  get #longest(): number { return this.#settings.maxMessage * 1.25; }
  get hasGaps(): boolean { return this.#blocks.length > 0; }
  get hasDuplicates(): boolean { return this.#duplicates.length > 0; }
  get isPartial(): boolean { return this.#held > 0; }

  take(tsn: number, flags: number, stream: number, ssn: number, ppid: number, data: Buffer): Reception {
    const distance = ahead(tsn, this.cumulative);
    if (distance <= 0 || this.#has(distance)) {
      if (this.#duplicates.length < MOST_DUPLICATES) this.#duplicates.push(tsn);
      return 'duplicate';
    }
    if (distance > MOST_AHEAD || (this.window === 0 && !this.#isBeginningOfWait(distance))) return 'no room';
    if (stream >= this.#settings.streams) {
      this.#note(distance); // §6.5: acknowledged, reported, thrown away
      return 'no such stream';
    }
    this.#note(distance);
    if ((flags & (BEGIN | END)) === (BEGIN | END)) {
      this.#complete({ bytes: data, ppid, stream, unordered: (flags & UNORDERED) !== 0 }, ssn);
      return 'taken';
    }
    this.#pieces.set(tsn, { data, flags, stream, ssn, ppid });
    this.#held += data.length + OVERHEAD;
    if (this.#held > this.#longest && this.#blocks.length === 0) return 'message too long'; // without a hole all of it is one message
    return this.#assemble(tsn, flags) ? 'taken' : 'message too long';
  }

  /** The user has taken a message. @returns whether the peer should hear of it. */
  read(message: SctpMessage): boolean {
    const before = this.window;
    this.unread -= costOf(message);
    return before < this.#settings.receiveWindow / 2 && this.window >= this.#settings.receiveWindow / 2;
  }

  /** In a window that is shut, what fills a hole is still taken where messages wait for it: else they would keep it shut. */
  #isBeginningOfWait(distance: number): boolean {
    return distance === 1 && (this.#blocks.length > 0 || this.#held > 0) && this.unread < this.#settings.receiveWindow;
  }

  #has(distance: number): boolean {
    for (let index = this.#blocks.length - 1; index >= 0; index -= 1) {
      const block = this.#blocks[index]!;
      if (distance > block.end) return false;
      if (distance >= block.start) return true;
    }
    return false;
  }

  /** A TSN has come that is new. */
  #note(distance: number): void {
    const blocks = this.#blocks;
    if (blocks.length === 0 && distance === 1) {
      this.cumulative = u32(this.cumulative + 1);
      return;
    }
    let index = blocks.length;
    while (index > 0 && blocks[index - 1]!.start > distance) index -= 1;
    const before = blocks[index - 1];
    const after = blocks[index];
    if (before?.end === distance - 1) {
      before.end = distance;
      if (after?.start === distance + 1) {
        before.end = after.end;
        blocks.splice(index, 1);
      }
    } else if (after?.start === distance + 1) {
      after.start = distance;
    } else {
      blocks.splice(index, 0, { start: distance, end: distance });
    }
    if (blocks[0]!.start === 1) this.#advance(blocks[0]!.end);
  }

  #advance(by: number): void {
    this.cumulative = u32(this.cumulative + by);
    this.#blocks.shift();
    for (const block of this.#blocks) {
      block.start -= by;
      block.end -= by;
    }
  }

  /** Puts the message together that this piece makes whole, if it does. Only an end, or a hole that was filled, can. @returns false where it is too long. */
  #assemble(tsn: number, flags: number): boolean {
    if ((flags & END) === 0 && !this.#pieces.has(u32(tsn + 1))) return true;
    let first = tsn;
    while ((this.#pieces.get(first)!.flags & BEGIN) === 0) {
      first = u32(first - 1);
      if (!this.#pieces.has(first)) return true;
    }
    let last = tsn;
    while ((this.#pieces.get(last)!.flags & END) === 0) {
      last = u32(last + 1);
      if (!this.#pieces.has(last)) return true;
    }
    return this.#join(first, ahead(last, first) + 1);
  }

  #join(first: number, count: number): boolean {
    const { flags, stream, ssn, ppid } = this.#pieces.get(first)!;
    const parts: Buffer[] = [];
    let length = 0;
    for (let index = 0; index < count; index += 1) {
      const tsn = u32(first + index);
      const { data } = this.#pieces.get(tsn)!;
      this.#pieces.delete(tsn);
      parts.push(data);
      length += data.length;
    }
    this.#held -= length + count * OVERHEAD;
    if (length > this.#settings.maxMessage) return false;
    this.#complete({ bytes: Buffer.concat(parts, length), ppid, stream, unordered: (flags & UNORDERED) !== 0 }, ssn);
    return true;
  }

  #complete(message: SctpMessage, ssn: number): void {
    if (message.unordered) return this.#give(message);
    const stream = (this.#streams[message.stream] ??= { next: 0, waiting: new Map() }); // D2: the first number is 0, whichever comes first
    if (ssn !== stream.next) {
      if (stream.waiting.has(ssn)) return; // a peer that numbers two messages alike
      stream.waiting.set(ssn, message);
      this.#waiting += costOf(message);
      return;
    }
    this.#give(message);
    stream.next = (stream.next + 1) & 0xffff;
    for (let next = stream.waiting.get(stream.next); next !== undefined; next = stream.waiting.get(stream.next)) {
      stream.waiting.delete(stream.next);
      this.#waiting -= costOf(next);
      stream.next = (stream.next + 1) & 0xffff;
      this.#give(next);
    }
  }

  #give(message: SctpMessage): void {
    this.unread += costOf(message);
    this.#deliver(message);
  }

  /** Writes the body of a SACK behind its header, for as much room as there is. @returns the length of the chunk. */
  writeSack(bytes: Uint8Array, at: number, room: number): number {
    const blocks = Math.min(this.#blocks.length, (room - 16) >> 2, MOST_BLOCKS);
    const duplicates = Math.min(this.#duplicates.length, ((room - 16) >> 2) - blocks);
    writeU32(bytes, at + 4, this.cumulative);
    writeU32(bytes, at + 8, this.window);
    writeU16(bytes, at + 12, blocks);
    writeU16(bytes, at + 14, duplicates);
    let next = at + 16;
    for (let index = 0; index < blocks; index += 1, next += 4) {
      writeU16(bytes, next, this.#blocks[index]!.start);
      writeU16(bytes, next + 2, this.#blocks[index]!.end);
    }
    for (let index = 0; index < duplicates; index += 1, next += 4) writeU32(bytes, next, this.#duplicates[index]!);
    this.#duplicates = [];
    return next - at;
  }
}

/** A message of one byte costs more than a byte. */
const OVERHEAD = 64;
const costOf = ({ bytes }: SctpMessage): number => bytes.length + OVERHEAD;

const MIN_WINDOW = 3000;
const MOST_AHEAD = 0x4000;
const MOST_DUPLICATES = 16;
const MOST_BLOCKS = 64;
