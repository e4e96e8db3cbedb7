import { mapping, offsets, readU32 } from '../wire/mapping.js';
import { pieceOf } from './buffers.js';
import { Credit, DEFAULT_CREDIT, MESSAGE_CHARGE, MOST_MESSAGES } from './credit.js';
import { HeldOutputs, Output } from './held.js';
import type { DeliveryMode } from './modes.js';
import { writeData } from './port.js';
import { Reassembly } from './reassembly.js';
import { isAfter } from './serial.js';
import type { UserHalf, UserPort } from './user-half.js';
import { Window, type Kept, type WindowLimits } from './window.js';

/** Held at once at most: a handler's replies and unprompted messages, OUTPUT_LIMIT each and the charge of the last one. Half of the credit is always to be had. */
export const OUTPUT_CREDIT = 2 * DEFAULT_CREDIT + 4 * MESSAGE_CHARGE;

const { more, recovery, atMostOnce, ackWanted } = mapping.DATA.flags;
const replyDone = mapping.REPLY.flags.done;

/** One lane of a session at its pool user: what is kept, sent, and given out. The half itself is stream 0's; other lanes are made when something is sent or comes on them (D-23). */
export abstract class UserLane extends Credit {
  // In this order: first what each message needs, so that it lies together.
  readonly window: Window;
  readonly #held = new HeldOutputs();
  /** Once a message has come in fragments. */
  #partial: Reassembly | undefined;
  #unprompted = 0;
  /** The message that the last cookie named; messages that need no cookie may be covered behind it. */
  #named: number | undefined;

  abstract readonly half: UserHalf;
  /** As in the header of its frames. */
  abstract readonly lane: number;
  /** Messages are sent as they come: the replay has begun. */
  abstract readonly isFlowing: boolean;

  constructor(limits: WindowLimits, lane: number) {
    super(OUTPUT_CREDIT);
    this.window = new Window(limits, lane);
  }

  get isLaneSettled(): boolean { return this.window.isEmpty && this.#held.isEmpty; }

  // ---- sending

  /** Takes a message into the window (the caller has seen to the room) and sends it when it may go. */
  send(payload: Uint8Array, mode: DeliveryMode, ppid: number, wantsAck: boolean): Kept {
    const entry = this.window.add(payload, mode, ppid, wantsAck);
    const { port } = this.half;
    if (!this.isFlowing || !port) return entry;
    if (this.window.peek() === entry && this.#mayTransmit(port, entry)) this.#transmit(port, entry, payload); else this.pumpLane();
    return entry;
  }

  /** Transmits what may go: after a grant, a drained link, a replay. */
  pumpLane(): void {
    const { port } = this.half;
    if (!port || !this.isFlowing) return;
    for (let entry = this.window.peek(); entry; entry = this.window.peek()) {
      if (!this.#mayTransmit(port, entry)) return;
      this.#transmit(port, entry, entry.payload);
    }
  }

  #mayTransmit(port: UserPort, entry: Kept): boolean { return !port.congested && entry.length <= this.credit; }

  #transmit(port: UserPort, entry: Kept, payload: Uint8Array): void {
    this.window.advance();
    this.takeCredit(entry.length);
    entry.sent = true;
    entry.unlimit?.();
    if (entry.mode === 'at-most-once') entry.settle?.resolve();
    const flags = (entry.mode === 'at-most-once' ? atMostOnce : 0) | (entry.ackWanted ? ackWanted : 0);
    writeData(port, this.half.session, flags, entry.ppid, entry.id, payload, this.lane);
  }

  // ---- what comes: `bytes[start, end)` is a frame of this session, epoch and lane

  onReply(bytes: Buffer, start: number, end: number): void {
    const { half } = this;
    const flags = bytes[start + 5]!;
    const payload = this.#whole(pieceOf(bytes, start + offsets.REPLY.tail, end), (flags & more) !== 0);
    if (!payload) return;
    const request = readU32(bytes, start + offsets.REPLY.id);
    const isRecovery = (flags & recovery) !== 0;
    const output = this.#output(request, readU32(bytes, start + offsets.REPLY.index), isRecovery, readU32(bytes, start + offsets.REPLY.ppid), payload);
    if (isRecovery) this.#holdRecovery(output); else if ((flags & replyDone) !== 0) this.#lastReplyTo(request, output); else this.#replyTo(request, output);
    if (half.isAwaitingOutputs) half.checkEarly();
  }

  /** An unprompted message: DATA from the pool element (D-12). */
  onData(bytes: Buffer, start: number, end: number): void {
    const { half } = this;
    const flags = bytes[start + 5]!;
    const payload = this.#whole(pieceOf(bytes, start + offsets.DATA.tail, end), (flags & more) !== 0);
    if (!payload) return;
    const output = this.#output(undefined, ++this.#unprompted, false, readU32(bytes, start + offsets.DATA.ppid), payload);
    if ((flags & mapping.DATA.flags.uncommitted) !== 0) half.owner.give(output); else this.#hold(output);
    if (half.isAwaitingOutputs) half.checkEarly();
  }

  #output(request: number | undefined, index: number, isRecovery: boolean, ppid: number, payload: Buffer): Output {
    const { half, lane } = this;
    return new Output(half.sessionId, request, index, ++half.outputs, isRecovery, ppid, payload, lane);
  }

  onDone(bytes: Buffer, start: number): void {
    const flags = bytes[start + 5]!;
    const id = readU32(bytes, start + offsets.DONE.id);
    if ((flags & mapping.DONE.flags.recovery) !== 0) return this.half.recoveryHandled(id);
    this.#done(id, (flags & mapping.DONE.flags.cumulative) !== 0);
  }

  #done(id: number, cumulative: boolean): void {
    const { half } = this;
    if (isAfter(id, this.window.transmittedId)) return half.owner.violation(`DONE for message ${id}, which was not sent`);
    if (cumulative && !half.isStateful) return this.#finish(id);
    const finished: Kept[] = [];
    this.window.markDone(id, cumulative, (entry) => { this.#onEntryDone(entry); if (half.isStateful && entry.mode !== 'effectively-once') finished.push(entry); });
    this.#release(id, cumulative);
    if (half.isStateful) for (const entry of finished) this.window.cover(entry); else this.#coverDone(id);
    half.owner.moved();
  }

  onAck(bytes: Buffer, start: number): void {
    this.half.owner.acknowledged(readU32(bytes, start + offsets.ACK.id), this.lane);
  }

  onWindow(bytes: Buffer, start: number): void {
    this.grantCredit(readU32(bytes, start + offsets.WINDOW.bytes));
    this.half.pump();
  }

  /** The chunk's turn ends: nothing kept is a slice of it (D-22). */
  ownPieces(): void {
    this.#held.own();
    this.#partial?.own();
  }

  get hasPieces(): boolean { return this.#held.keepsPieces || (this.#partial !== undefined && !this.#partial.isEmpty); }

  // ---- cookies

  /** @returns what is wrong with a cookie that names message `id` of this lane. */
  contradiction(id: number): string | undefined {
    const of = this.lane === 0 ? '' : ` of stream ${this.lane}`;
    if (isAfter(id, this.window.transmittedId)) return `a cookie names message ${id}${of}, which was not sent`;
    if (this.#named !== undefined && isAfter(this.#named, id)) return `a cookie names message ${id}${of}, but ${this.#named} was covered before`;
    return undefined;
  }

  /** A cookie contains the messages up to `covered`, and of all outputs of the epoch the first `outputs`. */
  cover(covered: number, outputs: number): void {
    this.#named = covered;
    this.#held.release((output) => !output.recovery && (output.request === undefined ? output.number <= outputs : !isAfter(output.request, covered)), this.#give);
    this.window.coverTo(covered, (entry) => { if (!entry.done) this.#onEntryDone(entry); });
  }

  /** A cookie that does not name this lane: none of its messages had been handled. */
  releaseUnprompted(outputs: number): void { this.#held.release((output) => output.request === undefined && output.number <= outputs, this.#give); }

  /** Nobody knows what the cookie contains (D-24). */
  weakenLane(): void {
    this.#named = undefined;
    for (const entry of this.window.kept()) if (entry.mode === 'effectively-once') entry.mode = 'at-least-once';
    this.#held.release(() => true, this.#give);
  }

  // ---- its pool element

  /** A new one. */
  begin(): void { this.#unprompted = 0; }

  /** The session leaves: what was not committed is forgotten (D-10), what may not be sent again is reported. */
  leaveLane(): void {
    this.#held.clear();
    this.#partial = undefined;
    for (const entry of this.window.kept()) {
      if (!entry.sent || entry.mode !== 'at-most-once') continue;
      this.window.cover(entry);
      if (!entry.done) this.half.owner.lost(entry);
    }
    this.window.rewind();
  }

  // ---- below: the rules

  /** A reply that is its message's DONE too (and of those before it): as a rule nothing is held, and it is given out at once. */
  #lastReplyTo(request: number, output: Output): void {
    const { half } = this;
    const entry = this.window.get(request);
    const isNext = this.#held.isEmpty && !half.isStateful && entry !== undefined && entry.sent && !entry.covered && !entry.answered && entry.mode === 'effectively-once' && !half.isStreaming;
    if (!isNext || isAfter(request, this.window.transmittedId)) {
      this.#replyTo(request, output);
      return this.#done(request, true);
    }
    this.window.finishTo(request, this.#onEntryDone);
    half.owner.give(output);
    half.owner.moved();
  }

  /** Everything up to `id` is handled, and that is all that was waited for. */
  #finish(id: number): void {
    this.window.finishTo(id, this.#onEntryDone);
    if (!this.#held.isEmpty) this.#release(id, true);
    this.half.owner.moved();
  }

  #release(id: number, cumulative: boolean): void {
    this.#held.release((output) => !output.recovery && output.request !== undefined && (cumulative ? !isAfter(output.request, id) : output.request === id), this.#give);
  }

  #replyTo(request: number, output: Output): void {
    const { half } = this;
    const entry = this.window.get(request);
    if (!entry || entry.covered) {
      if (isAfter(request, this.window.transmittedId)) half.owner.violation(`a reply to message ${request}, which was not sent`);
      return half.consumed(output.payload.length);
    }
    if (entry.mode !== 'effectively-once') return half.owner.give(output);
    if (half.isStreaming) return this.#stream(entry, output);
    if (entry.answered) return half.consumed(output.payload.length);
    this.#hold(output);
  }

  #stream(entry: Kept, output: Output): void {
    if (output.index < entry.given) return this.half.consumed(output.payload.length);
    entry.given = output.index + 1;
    this.half.owner.give(output);
  }

  /** More than its pool element may let wait is a violation. */
  #hold(output: Output): void {
    this.#held.hold(output);
    if (this.#held.size > MOST_HELD) this.half.owner.violation(`${this.#held.size} messages wait for a cookie or DONE`);
  }

  #holdRecovery(output: Output): void {
    const { half } = this;
    if (half.isStreaming || half.mode !== 'effectively-once') half.owner.give(output); else this.#hold(output);
  }

  protected releaseRecovery(id: number): void { this.#held.release((output) => output.recovery && output.request === id, this.#give); }

  readonly #give = (output: Output): void => { this.half.owner.give(output); };

  readonly #onEntryDone = (entry: Kept): void => {
    entry.answered = true;
    entry.settle?.resolve();
  };

  /** Stateless services: covered means handled. Elsewhere only the messages that are never replayed are. */
  #coverDone(id: number): void {
    const entry = this.window.get(id);
    if (entry) this.window.cover(entry);
  }

  /** Puts fragments together; counts the session's credit. */
  #whole(payload: Buffer, hasMore: boolean): Buffer | undefined {
    const { half } = this;
    return half.receive(hasMore ? payload.length : payload.length + half.messageCharge) && !hasMore && this.#partial === undefined ? payload : this.#assembled(payload, hasMore);
  }

  /** A method of its own: what is rare would keep the compiler from putting the way of each message into one piece. */
  #assembled(payload: Buffer, hasMore: boolean): Buffer | undefined {
    const { half } = this;
    if (half.isOverdrawn) {
      half.owner.violation(`more than the credit of ${OUTPUT_CREDIT} bytes was sent`);
      return undefined;
    }
    const whole = (this.#partial ??= new Reassembly()).add(payload, hasMore);
    if (this.#partial.isCrumbled) half.owner.violation('a message in too many fragments');
    return whole;
  }
}

/** A lane beside stream 0. What a failover callback has sent on that comes before its replay (D-15). */
export class SideLane extends UserLane {
  constructor(readonly half: UserHalf, readonly lane: number) { super(half.window.limits, lane); }

  get isFlowing(): boolean { return this.half.isFlowing && this.half.isRecovered; }
}

/** A handler's replies and unprompted messages, those of a handler before it whose cookie is on its way, and a callback's. */
const MOST_HELD = 4 * MOST_MESSAGES;
