import { SessionError, UsageError } from '../errors.js';
import { ASAP_PPID, isUnordered, mapping, offsets, readU32, streamOf } from '../wire/mapping.js';
import { copyOf, pieceOf } from './buffers.js';
import { Credit, DEFAULT_CREDIT, MESSAGE_CHARGE, MOST_MESSAGES } from './credit.js';
import { Incoming, type IncomingOwner } from './incoming.js';
import { markReplyDone, writeReply, writeWord, type Room } from './port.js';
import { Reassembly } from './reassembly.js';
import { isAfter } from './serial.js';
import type { ServiceHalf } from './service-half.js';

/** Output held for one handler at most (D-21). */
export const OUTPUT_LIMIT = 1024 * 1024;

const DATA = mapping.DATA.flags;
const REPLY = mapping.REPLY.flags;
const resolved = Promise.resolve();

/** One lane of a session at its pool element: mailbox, handlers, their replies (D-5, D-10). The half itself is stream 0's; other lanes are made when something comes on them (D-23). */
export abstract class ServiceLane extends Credit implements IncomingOwner {
  // In this order: first what each message needs, so that it lies together.
  /** Handlers that have returned a promise that has not settled. */
  #running = 0;
  /** Messages in the mailbox. */
  #waiting = 0;
  #received = 0;
  /** The last message that was handled, or that the restored cookie contains. */
  handledTo = 0;
  #done: number | undefined;
  #lastReply: Room | undefined;
  /** Once a message has come in fragments. */
  #partial: Reassembly | undefined;
  #mailbox: Incoming[] = [];
  #mailboxHead = 0;

  abstract readonly half: ServiceHalf;
  /** As in the header of its frames. */
  abstract readonly lane: number;

  get sessionId(): string { return this.half.options.sessionId; }
  get from(): Incoming['from'] { return this.half.owner.from; }

  // ---- what comes

  onData(bytes: Buffer, start: number, end: number): void {
    const { half } = this;
    if (half.state === 'ended' || half.state === 'draining') return;
    const flags = bytes[start + 5]!;
    const payload = this.#whole(pieceOf(bytes, start + offsets.DATA.tail, end), (flags & DATA.more) !== 0);
    if (!payload) return;
    const id = readU32(bytes, start + offsets.DATA.id);
    const recovery = (flags & DATA.recovery) !== 0;
    if (!recovery && !this.#inOrder(id)) return;
    const mayRunNow = this.#waiting === 0 && this.#mayRun();
    const incoming = new Incoming(id, readU32(bytes, start + offsets.DATA.ppid), recovery, (flags & DATA.ackWanted) !== 0, mayRunNow ? payload : copyOf(payload), this);
    if (mayRunNow) return this.#run(incoming);
    this.#waiting = this.#mailbox.push(incoming) - this.#mailboxHead;
    const { windowMessages } = half.options;
    if (this.#waiting > MOST_MESSAGES + Math.min(MOST_MESSAGES, windowMessages)) half.close('PROTOCOL_ERROR', `${this.#waiting} messages wait, and the pool user's window has ${windowMessages}`);
  }

  /** The chunk's turn ends (D-22). */
  ownPieces(): void { this.#partial?.own(); }
  get hasPieces(): boolean { return this.#partial !== undefined && !this.#partial.isEmpty; }

  // ---- handling, one at a time and in order (D-5)

  pumpLane(): void { while (this.runNext()); }

  /** @returns whether there was a message that may be handled now. */
  runNext(): boolean {
    if (this.#waiting === 0 || !this.#mayRun()) return false;
    const incoming = this.#mailbox[this.#mailboxHead]!;
    this.#mailboxHead++;
    this.#waiting--;
    if (this.#mailboxHead === this.#mailbox.length || this.#mailboxHead >= 256) { this.#mailbox.splice(0, this.#mailboxHead); this.#mailboxHead = 0; }
    this.#run(incoming);
    return true;
  }

  /** Not while much output waits: a peer that does not read costs no more than that (D-21). The owner may find out just then that it has to be held.
   *  The lanes of a service with a state take turns: a cookie set in one handler would contain a half of what another has done, and not name its message (D-23). */
  #mayRun(): boolean {
    const { half } = this;
    return half.state === 'serving' && !half.isHeld && (half.stateful ? half.runningCount : this.#running) < half.concurrency && half.output.bytes < OUTPUT_LIMIT && half.owner.mayRun(half) && !half.isHeld;
  }

  #run(incoming: Incoming): void {
    const { half } = this;
    half.current = incoming;
    let result: void | PromiseLike<void>;
    try {
      result = half.owner.handle(incoming);
    } catch (error) {
      half.current = undefined;
      return this.#fail(incoming, error);
    }
    half.current = undefined;
    if (!isThenable(result)) return this.#settleAtOnce(incoming);
    this.#runOn(incoming, result);
  }

  /** The handler has returned a promise. A method of its own, as are others below: what is rare would keep the compiler from putting the way of each message into one piece, and a closure costs its variables in each call. */
  #runOn(incoming: Incoming, result: PromiseLike<void>): void {
    const { half } = this;
    half.running.add(incoming);
    half.runningCount++;
    this.#running++;
    result.then(() => { this.#ranOut(incoming); this.#settle(incoming); half.pump(); }, (error: unknown) => { this.#ranOut(incoming); this.#fail(incoming, error); });
  }

  #ranOut(incoming: Incoming): void {
    const { half } = this;
    half.running.delete(incoming);
    half.runningCount--;
    this.#running--;
  }

  /** Straight way of a stateless service: the handler has replied and settled before anything was written behind its reply. */
  #settleAtOnce(incoming: Incoming): void {
    const { half } = this;
    const { sequence, payload } = incoming;
    const isDone = half.saysDone && this.#lastReply !== undefined && incoming.replies > 0 && !incoming.recovery && !incoming.failure && half.state !== 'ended' && !isUnordered(this.lane)
      && markReplyDone(this.#lastReply, half.session, sequence, this.lane);
    if (!isDone) return this.#settle(incoming);
    incoming.settled = true;
    this.#done = undefined;
    this.handledTo = sequence;
    this.#consumed(payload.length);
    half.checkIdle();
  }

  #settle(incoming: Incoming): void {
    const { half } = this;
    incoming.settled = true;
    if (half.state === 'ended') return half.checkIdle();
    if (incoming.failure) return this.#fail(incoming, incoming.failure);
    this.#consumed(incoming.payload.length);
    if (incoming.gathered) for (const { index, ppid, payload } of incoming.gathered) void this.#writeReply(incoming, index, ppid, payload);
    if (incoming.recovery) this.#doneNow(incoming.sequence, mapping.DONE.flags.recovery);
    else if (half.concurrency > 1 || isUnordered(this.lane)) this.#doneNow(incoming.sequence, 0);
    else this.#done = this.handledTo = incoming.sequence;
    half.handled(incoming);
    if (half.output.isEmpty) half.port.flushSoon(); else half.commitSettled(); // in its place: the peer waits for it before it grants more
    half.checkIdle();
  }

  #fail(incoming: Incoming, error: unknown): void {
    const { half } = this;
    incoming.settled = true;
    if (half.state === 'ended') return half.checkIdle();
    const code = error instanceof SessionError && error.code === 'OUTPUT_LIMIT' ? 'OUTPUT_LIMIT' : 'HANDLER_FAILED';
    half.close(code, error instanceof Error ? error.message : String(error), error, incoming.recovery ? 0 : incoming.sequence, this.lane);
  }

  // ---- output

  replyTo(incoming: Incoming, data: Uint8Array | string, ppid: number): Promise<void> {
    const { half } = this;
    const refused = half.refusal(incoming, ppid);
    if (refused) return rejected(refused);
    const payload = typeof data === 'string' ? Buffer.from(data) : data;
    incoming.outputBytes += payload.length;
    if (half.isHolding && (incoming.outputBytes > OUTPUT_LIMIT || incoming.replies >= MOST_MESSAGES)) {
      incoming.failure = new SessionError('OUTPUT_LIMIT', `one handler's output is held until it settles and may be ${OUTPUT_LIMIT} bytes, ${MESSAGE_CHARGE} for each reply among them; register with outputCommit: false to stream more`, { outcome: 'not-taken' });
      return rejected(incoming.failure);
    }
    incoming.outputBytes += MESSAGE_CHARGE;
    const index = incoming.replies++;
    half.outputs++;
    if (!half.gathers) return this.#writeReply(incoming, index, ppid, payload);
    // Of several handlers at once each one's replies go together: else those of all would wait at the pool user for credit that none can have.
    (incoming.gathered ??= []).push({ index, ppid, payload: copyOf(payload) });
    return resolved;
  }

  #writeReply({ recovery, sequence }: Incoming, index: number, ppid: number, payload: Uint8Array): Promise<void> {
    const { half, lane } = this;
    const flags = recovery ? REPLY.recovery : 0;
    if (!half.mayWrite(payload.length + half.charge)) return this.#writeReplyLater(flags, ppid, sequence, index, payload);
    this.#lastReply = writeReply(half.port, half.session, flags, ppid, sequence, index, payload, lane, half.way(lane));
    return resolved;
  }

  #writeReplyLater(flags: number, ppid: number, sequence: number, index: number, payload: Uint8Array): Promise<void> {
    const { half, lane } = this;
    half.commitSettled(); // what is held for earlier handlers is given out, which brings credit
    const copy = copyOf(payload);
    return half.output.put(copy.length + half.charge, () => { writeReply(half.port, half.session, flags, ppid, sequence, index, copy, lane, half.way(lane)); }) ?? resolved;
  }

  acknowledge(incoming: Incoming): void {
    const { half, lane } = this;
    if (half.state !== 'ended') void half.output.put(0, () => { writeWord(half.port, 'ACK', half.session, 0, incoming.sequence, lane, half.way(lane)); });
  }

  /** DONE of what has been handled since the last one. */
  commitDone(): void {
    const { half, lane } = this;
    const done = this.#done;
    this.#done = undefined;
    if (done === undefined) return;
    if (half.output.isClear) writeWord(half.port, 'DONE', half.session, mapping.DONE.flags.cumulative, done, lane, half.way(lane));
    else void half.output.put(0, () => { writeWord(half.port, 'DONE', half.session, mapping.DONE.flags.cumulative, done, lane, half.way(lane)); });
  }

  #doneNow(id: number, flags: number): void {
    const { half, lane } = this;
    if (!(flags & mapping.DONE.flags.recovery)) this.handledTo = isAfter(id, this.handledTo) ? id : this.handledTo;
    void half.output.put(0, () => { writeWord(half.port, 'DONE', half.session, flags, id, lane, half.way(lane)); });
  }

  // ---- leaving

  emptyMailbox(): void {
    this.#mailbox = [];
    this.#mailboxHead = this.#waiting = 0;
  }

  forget(): void {
    this.emptyMailbox();
    this.#partial = undefined;
  }

  // ---- below

  /** What goes unordered comes in whatever order. */
  #inOrder(id: number): boolean {
    if (isUnordered(this.lane)) return true;
    if (this.#received !== 0 && !isAfter(id, this.#received)) return this.#isMisplaced(id);
    this.#received = id;
    return true;
  }

  #isMisplaced(id: number): false {
    this.half.close('PROTOCOL_ERROR', `message ${id} after message ${this.#received}${this.lane === 0 ? '' : ` of stream ${this.lane}`}`);
    return false;
  }

  get hasReceived(): boolean { return this.#received !== 0; }

  #whole(fragment: Buffer, hasMore: boolean): Buffer | undefined {
    return this.receive(fragment.length) && !hasMore && this.#partial === undefined ? fragment : this.#assembled(fragment, hasMore);
  }

  #assembled(fragment: Buffer, hasMore: boolean): Buffer | undefined {
    if (this.isOverdrawn) {
      this.half.close('PROTOCOL_ERROR', `more than the credit of ${DEFAULT_CREDIT} bytes was sent`);
      return undefined;
    }
    const whole = (this.#partial ??= new Reassembly()).add(fragment, hasMore);
    if (this.#partial.isCrumbled) this.half.close('PROTOCOL_ERROR', 'a message in too many fragments');
    return whole;
  }

  #consumed(bytes: number): void {
    const grant = this.consume(bytes);
    if (grant > 0) writeWord(this.half.port, 'WINDOW', this.half.session, 0, grant, this.lane, this.half.way(this.lane));
  }
}

/** A lane beside stream 0. */
export class SideLane extends ServiceLane {
  constructor(readonly half: ServiceHalf, readonly lane: number) { super(); }

  override onData(bytes: Buffer, start: number, end: number): void {
    const flags = bytes[start + 5]!;
    if ((flags & DATA.recovery) !== 0) return this.half.close('PROTOCOL_ERROR', `a failover callback's message on stream ${streamOf(this.lane)}`);
    if ((flags & DATA.more) !== 0 && isUnordered(this.lane)) return this.half.close('PROTOCOL_ERROR', 'fragments that go unordered');
    super.onData(bytes, start, end);
  }
}

export function isThenable(value: unknown): value is PromiseLike<void> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** A rejection that nobody need await (D-4). */
export function rejected(error: Error): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => undefined);
  return promise;
}

/** @returns why a reply, or an unprompted message, is not taken. */
export function outputRefusal(isEnded: boolean, incoming: Incoming | undefined, ppid: number): Error | undefined {
  if (isEnded) return new SessionError('SESSION_CLOSED', 'the session has left this pool element', { outcome: 'not-taken' });
  if (incoming?.settled === true) return new UsageError('NOT_IN_HANDLER', 'the handler of this message has settled; session.send() sends without a request');
  if (ppid === ASAP_PPID) return new UsageError('INVALID_OPTION', `payload protocol id ${ASAP_PPID} is ASAP's own`);
  return undefined;
}
