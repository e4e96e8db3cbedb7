import type { Milliseconds } from '../../environment.js';
import { ahead, BEGIN, DATA_HEADER, END, IMMEDIATE, padded, readU16, u32, UNORDERED } from './chunks.js';
import { Fifo, type SctpMessage, type Undelivered } from './messages.js';
import type { SctpSettings } from './settings.js';

/** A piece of a message under a TSN of its own. */
export interface Fragment {
  readonly tsn: number;
  readonly message: SctpMessage;
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly stream: number;
  readonly ssn: number;
  state: 'flying' | 'lost' | 'acknowledged';
  sentAt: Milliseconds;
  transmissions: number;
  /** SACKs that acknowledge what was sent later. */
  missing: number;
}

/** What we send: messages cut into fragments, as many under way as the peer's window and the path's allow, and again what got lost (RFC 9260 §6, §7). */
export class Sender {
  /** Bytes that were never sent. */
  unsentBytes = 0;
  srtt: Milliseconds | undefined;
  rto: Milliseconds;
  cwnd: number;
  ssthresh = Infinity;
  /** Timeouts in a row without an acknowledgement. */
  timeouts = 0;

  readonly #settings: SctpSettings;
  readonly #room: number; // for the data of a fragment
  readonly #packet: number; // largest SCTP packet: PMDCS of §7.2 and its header
  readonly #queue = new Fifo<SctpMessage>();
  readonly #sent = new Fifo<Fragment>(); // TSNs without a gap, from #acknowledged + 1 on
  readonly #ssns: number[] = [];
  #offset = 0; // of the queue's first message: what has been cut off
  #nextTsn: number;
  #acknowledged: number; // cumulative
  #streams = 1;
  #window = 0; // the peer's, less what is under way
  #flight = 0;
  #lost = 0; // fragments to be sent again
  #rttvar: Milliseconds = 0;
  #timed: Fragment | undefined; // one at a time, never one that was sent twice
  #recoverUntil: number | undefined; // fast recovery, §7.2.4
  #mayRetransmitOnce = false;
  #partial = 0; // bytes acknowledged in congestion avoidance
  #probe: 'none' | 'due' | 'sent' = 'none'; // of a window that is shut, §6.1 A

  constructor(settings: SctpSettings, initialTsn: number, packetSize: number) {
    this.#settings = settings;
    this.#packet = packetSize;
    this.#room = (packetSize - 12 - DATA_HEADER) & ~3;
    this.rto = settings.rtoInitial;
    this.cwnd = Math.min(4 * packetSize, Math.max(2 * packetSize, 4404));
    this.#nextTsn = initialTsn;
    this.#acknowledged = u32(initialTsn - 1);
  }

  /** The peer's terms are known. */
  begin(streams: number, window: number): void {
    this.#streams = streams;
    this.#window = this.ssthresh = window;
  }

  get flight(): number { return this.#flight; }
  get streams(): number { return this.#streams; }
  get isIdle(): boolean { return this.#sent.length === 0 && this.#queue.length === 0; }
  get hasOutstanding(): boolean { return this.#sent.length > 0; }
  /** The window is shut and nothing is under way: only a probe will tell when it opens. */
  get isStuck(): boolean { return this.#sent.length === 0 && this.#queue.length > 0 && this.#window <= 0; }
  /** The earliest that is not acknowledged. */
  isFirst(fragment: Fragment): boolean { return this.#sent.first === fragment; }
  get acknowledged(): number { return this.#acknowledged; }

  push(message: SctpMessage): void {
    this.#queue.push(message);
    this.unsentBytes += message.bytes.length;
  }

  /** The next fragment to go into a packet with that much room; `isFirst`: nothing is in it yet. */
  next(room: number, isFirst: boolean, now: Milliseconds): Fragment | undefined {
    const fragment = this.#lost > 0 ? this.#nextLost(room) : this.#nextNew(room, isFirst);
    if (fragment === undefined) return undefined;
    fragment.sentAt = now;
    fragment.transmissions += 1;
    return fragment;
  }

  /** After each packet. */
  packetSent(): void { this.#mayRetransmitOnce = false; }

  #nextLost(room: number): Fragment | undefined {
    if (this.#flight >= this.cwnd && !this.#mayRetransmitOnce) return undefined;
    for (let index = 0; index < this.#sent.length; index += 1) {
      const fragment = this.#sent.at(index)!;
      if (fragment.state !== 'lost') continue;
      if (sizeOf(fragment) > room) return undefined;
      if (this.#timed === fragment) this.#timed = undefined;
      fragment.state = 'flying';
      fragment.missing = 0;
      this.#lost -= 1;
      this.#flight += lengthOf(fragment);
      return fragment;
    }
    return undefined;
  }

  #nextNew(room: number, isFirst: boolean): Fragment | undefined {
    const message = this.#queue.first;
    if (message === undefined || this.#flight >= this.cwnd) return undefined;
    const remaining = message.bytes.length - this.#offset;
    const length = Math.min(remaining, this.#room);
    if (DATA_HEADER + length > room && !isFirst) return undefined; // a packet of its own rather than smaller pieces
    if (this.#window < length && !this.#mayProbe()) return undefined;
    return this.#cut(message, Math.min(length, room - DATA_HEADER));
  }

  /** With nothing under way one fragment may go beyond a small window; a shut one is asked once per timeout. */
  #mayProbe(): boolean {
    if (this.#sent.length > 0) return false;
    if (this.#window > 0) return true;
    if (this.#probe !== 'due') return false;
    this.#probe = 'sent';
    return true;
  }

  #cut(message: SctpMessage, length: number): Fragment {
    const start = this.#offset;
    const end = start + length;
    const isEnd = end === message.bytes.length;
    const stream = message.stream % this.#streams; // more than the peer takes: they share
    const ssn = message.unordered ? 0 : (this.#ssns[stream] ?? 0); // D19: unordered ones take no number
    const isAwaited = isEnd && message.acknowledged !== undefined && this.#queue.length === 1;
    const flags = (start === 0 ? BEGIN : 0) | (isEnd ? END : 0) | (message.unordered ? UNORDERED : 0) | (isAwaited ? IMMEDIATE : 0);
    const fragment: Fragment = { tsn: this.#nextTsn, message, start, end, flags, stream, ssn, state: 'flying', sentAt: 0, transmissions: 0, missing: 0 };
    this.#nextTsn = u32(this.#nextTsn + 1);
    this.#sent.push(fragment);
    this.#flight += length;
    this.#window -= length;
    this.unsentBytes -= length;
    this.#timed ??= fragment;
    if (isEnd) {
      this.#queue.shift();
      this.#offset = 0;
      if (!message.unordered) this.#ssns[stream] = (ssn + 1) & 0xffff;
    } else {
      this.#offset = end;
    }
    return fragment;
  }

  /** A SACK whose blocks ascend (validate.ts); `blocks` of 4 bytes each at `at`.
   *  @returns whether it says anything: not one that is older than another, nor one of TSNs that were never sent. */
  acknowledge(cumulative: number, window: number, bytes: Uint8Array, at: number, blocks: number, now: Milliseconds): boolean {
    const advance = ahead(cumulative, this.#acknowledged);
    if (advance < 0 || advance > this.#sent.length) return false;
    if (blocks > 0 && readU16(bytes, at + 4 * blocks - 2) > this.#sent.length - advance) return false;
    const wasFull = this.#flight + this.#room >= this.cwnd;
    let acked = 0;
    for (let count = 0; count < advance; count += 1) {
      const fragment = this.#sent.shift()!;
      acked += this.#settle(fragment, now);
      if ((fragment.flags & END) !== 0) fragment.message.acknowledged?.();
    }
    this.#acknowledged = u32(cumulative);
    acked += this.#acknowledgeBlocks(bytes, at, blocks, now);
    if (this.#recoverUntil !== undefined && ahead(cumulative, this.#recoverUntil) >= 0) this.#recoverUntil = undefined;
    if (advance > 0 && this.#recoverUntil === undefined && wasFull) this.#grow(acked);
    if (acked > 0) this.timeouts = 0;
    this.#reopen(window);
    return true;
  }

  #acknowledgeBlocks(bytes: Uint8Array, at: number, blocks: number, now: Milliseconds): number {
    let acked = 0;
    let highest = -1; // newly acknowledged, as index
    let next = 0;
    for (let block = 0; block < blocks; block += 1) {
      const start = readU16(bytes, at + 4 * block) - 1;
      const end = readU16(bytes, at + 4 * block + 2);
      for (; next < start; next += 1) this.#renege(this.#sent.at(next)!);
      for (; next < end; next += 1) {
        const fragment = this.#sent.at(next)!;
        if (fragment.state === 'acknowledged') continue;
        acked += this.#settle(fragment, now);
        fragment.state = 'acknowledged';
        highest = next;
      }
    }
    if (blocks === 0) return 0;
    for (; next < this.#sent.length; next += 1) this.#renege(this.#sent.at(next)!);
    if (highest >= 0) this.#countMissing(highest);
    return acked;
  }

  /** The peer has dropped again what it had acknowledged in a block (§6.2.1). */
  #renege(fragment: Fragment): void {
    if (fragment.state !== 'acknowledged') return;
    fragment.state = 'lost';
    this.#lost += 1;
  }

  /** Three reports, or fewer where fewer can come (RFC 5827). */
  #countMissing(highest: number): void {
    const threshold = this.#queue.length > 0 ? 3 : Math.max(1, Math.min(3, this.#sent.length - 1));
    let isLoss = false;
    for (let index = 0; index < highest; index += 1) {
      const fragment = this.#sent.at(index)!;
      if (fragment.state !== 'flying' || fragment.transmissions > 1) continue; // the timer's, the second time
      fragment.missing += 1;
      if (fragment.missing < threshold) continue;
      this.#lose(fragment);
      isLoss = true;
    }
    if (!isLoss) return;
    this.#mayRetransmitOnce = true;
    if (this.#recoverUntil !== undefined) return;
    this.#recoverUntil = u32(this.#nextTsn - 1);
    this.ssthresh = this.cwnd = Math.max(this.cwnd / 2, 4 * this.#packet);
    this.#partial = 0;
  }

  #lose(fragment: Fragment): void {
    fragment.state = 'lost';
    this.#lost += 1;
    this.#flight -= lengthOf(fragment);
  }

  /** @returns the bytes that are newly acknowledged. */
  #settle(fragment: Fragment, now: Milliseconds): number {
    if (this.#timed === fragment) {
      this.#timed = undefined;
      this.measure(now - fragment.sentAt);
    }
    if (fragment.state === 'acknowledged') return 0;
    if (fragment.state === 'lost') this.#lost -= 1;
    else this.#flight -= lengthOf(fragment);
    return lengthOf(fragment);
  }

  /** §6.3.1. */
  measure(rtt: Milliseconds): void {
    if (this.srtt === undefined) {
      this.srtt = rtt;
      this.#rttvar = rtt / 2;
    } else {
      this.#rttvar = 0.75 * this.#rttvar + 0.25 * Math.abs(this.srtt - rtt);
      this.srtt = 0.875 * this.srtt + 0.125 * rtt;
    }
    this.rto = Math.min(Math.max(this.srtt + 4 * this.#rttvar, this.#settings.rtoMin), this.#settings.rtoMax);
  }

  /** §7.2.1, §7.2.2, judged by what was under way before the acknowledgement. */
  #grow(acked: number): void {
    if (this.cwnd <= this.ssthresh) {
      this.cwnd = Math.min(this.cwnd + Math.min(acked, this.#packet), MOST_UNDER_WAY);
      return;
    }
    this.#partial += acked;
    if (this.#partial < this.cwnd) return;
    this.#partial -= this.cwnd;
    this.cwnd = Math.min(this.cwnd + this.#packet, MOST_UNDER_WAY);
  }

  #reopen(window: number): void {
    this.#window = window - this.#flight;
    if (this.#probe !== 'sent') return;
    if (this.#sent.length === 0) this.#probe = 'none';
    if (window === 0) {
      this.timeouts = 0; // it is there, and full
      return;
    }
    this.#probe = 'none';
    const first = this.#sent.first;
    if (first?.state === 'flying') this.#lose(first); // it did not fit then
  }

  /** T3-rtx has expired (§6.3.3): all that is under way is taken for lost. */
  timedOut(): void {
    this.rto = Math.min(this.rto * 2, this.#settings.rtoMax);
    if (this.isStuck) {
      this.#probe = 'due';
      return;
    }
    this.timeouts += 1;
    this.ssthresh = Math.max(this.cwnd / 2, 4 * this.#packet);
    this.cwnd = this.#packet;
    this.#partial = 0;
    this.#recoverUntil = undefined;
    this.#timed = undefined;
    for (let index = 0; index < this.#sent.length; index += 1) {
      const fragment = this.#sent.at(index)!;
      if (fragment.state === 'flying') this.#lose(fragment);
    }
  }

  undelivered(): Undelivered {
    const unacknowledged = new Set<SctpMessage>();
    for (const { message, state } of this.#sent.toArray()) if (state !== 'acknowledged') unacknowledged.add(message);
    const first = this.#queue.first;
    if (first !== undefined && this.#offset > 0) unacknowledged.add(first);
    return { unsent: this.#queue.toArray().filter((message) => !unacknowledged.has(message)), unacknowledged: [...unacknowledged] };
  }
}

const MOST_UNDER_WAY = 0x10_0000; // what buffers of UDP sockets can be expected to bear

const lengthOf = ({ start, end }: Fragment): number => end - start;
/** In a packet. */
export const sizeOf = (fragment: Fragment): number => padded(DATA_HEADER + lengthOf(fragment));
