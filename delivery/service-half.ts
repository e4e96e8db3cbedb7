import { SessionError, UsageError } from '../errors.js';
import { ASAP_PPID, closeCodes, encodeFrame, mapping, offsets, readU32, type CloseCode } from '../wire/mapping.js';
import { copyOf, pieceOf } from './buffers.js';
import { Credit, DEFAULT_CREDIT, MESSAGE_CHARGE, MOST_MESSAGES } from './credit.js';
import { Incoming } from './incoming.js';
import type { DeliveryMode } from './modes.js';
import { OutputQueue } from './output-queue.js';
import { markReplyDone, writeData, writeFrame, writeReply, writeWord, type Port, type Room } from './port.js';
import { Reassembly } from './reassembly.js';
import { isAfter } from './serial.js';

/** Output held for one handler at most (D-21). */
export const OUTPUT_LIMIT = 1024 * 1024;
/** Output of all kinds that may wait for a pool user to read, when an unprompted message is to join it (D-21). */
export const MAX_WAITING = 8 * 1024 * 1024;
/** Bytes of application data in a state cookie at most (D-25). */
export const MAX_COOKIE = 65_000;

/** What the service and its surroundings do for a half. */
export interface ServiceHalfOwner {
  /** Runs the `data` listeners; what they return is awaited (D-5). */
  handle(incoming: Incoming): void | PromiseLike<void>;
  /** COOKIE_INDICATION: runs the `cookie` listeners. */
  restore(cookie: Buffer): void | PromiseLike<void>;
  /** The service's `snapshot`, where it has one. */
  readonly snapshot: (() => Uint8Array | undefined) | undefined;
  /** The cookie as an ASAP_COOKIE. */
  encodeCookie(cookie: Buffer, covered: number, outputs: number): Uint8Array;
  /** The pool user as a pool element. */
  readonly from: Incoming['from'];
  /** Whether another handler may run in this turn (D-5); if not, `half.pump()` is called after the poll phase. */
  mayRun(half: ServiceHalf): boolean;
  /** The half is over, by whomsoever; the last call. */
  ended(code: CloseCode, reason: string, cause?: unknown): void;
}

export interface ServiceHalfOptions {
  readonly sessionId: string;
  readonly epoch: number;
  readonly mode: DeliveryMode;
  readonly session: number;
  readonly credit: number;
  readonly windowMessages: number;
  readonly windowBytes: number;
  readonly outputCommit: boolean;
  readonly concurrency: number;
  /** The pool user knows REPLY's flag `done`. */
  readonly replyDone: boolean;
  /** What a message takes of the pool user's credit beside its bytes. */
  readonly messageCharge: number;
}

/** `covered`: undefined where the cookie is foreign. */
interface Echo { readonly cookie: Buffer; readonly covered: number | undefined }
interface PendingCookie { readonly bytes: Buffer; readonly covered: number; readonly outputs: number }

const DATA = mapping.DATA.flags;
const REPLY = mapping.REPLY.flags;
const resolved = Promise.resolve();

/** The pool element's half of a session in one epoch: mailbox (D-5), cookies (D-7), output commit (D-10 to D-12). */
export class ServiceHalf extends Credit {
  // In this order: first what each message needs, so that it lies together.
  #state: 'accepting' | 'restoring' | 'serving' | 'draining' | 'ended' = 'accepting';
  #isHeld = false;
  /** Of `running`. */
  #runningCount = 0;
  readonly #concurrency: number;
  /** Messages in the mailbox. */
  #waiting = 0;
  #received = 0;
  #settled = 0;
  #outputs = 0;
  readonly #session: number;
  /** The message whose handler runs right now, on the stack. */
  current: Incoming | undefined;
  readonly output: OutputQueue;
  readonly port: Port;
  readonly owner: ServiceHalfOwner;
  /** The pool user holds a handler's replies until it has settled. */
  readonly #isHolding: boolean;
  readonly #charge: number;
  /** The last reply of a handler may say that it has settled. */
  #saysDone = false;
  #lastReply: Room | undefined;
  #done: number | undefined;
  #idle: (() => void)[] | undefined;
  /** Once a message has come in fragments. */
  #partial: Reassembly | undefined;
  stateful = false;
  #cookie: PendingCookie | undefined;
  #sinceCookie = 0;
  #bytesSinceCookie = 0;
  #unpromptedSinceCookie = false;
  #unpromptedBytes = 0;
  #unpromptedCount = 0;
  /** The last one, sent or restored: what is repeated. */
  #latest: PendingCookie | undefined;
  readonly epoch: number;
  readonly sessionId: string;
  readonly options: ServiceHalfOptions;
  /** Messages whose handlers have returned a promise that has not settled. */
  readonly running = new Set<Incoming>();
  #mailbox: Incoming[] = [];
  #mailboxHead = 0;
  #echo: Echo | undefined;

  constructor(port: Port, options: ServiceHalfOptions, owner: ServiceHalfOwner) {
    super();
    this.port = port;
    this.owner = owner;
    this.options = options;
    this.epoch = options.epoch;
    this.sessionId = options.sessionId;
    this.#session = options.session;
    this.#concurrency = options.concurrency;
    this.#isHolding = options.outputCommit && options.mode === 'effectively-once';
    this.#charge = options.messageCharge;
    this.resetCredit(options.credit);
    this.output = new OutputQueue(port, this);
  }

  get from(): Incoming['from'] { return this.owner.from; }
  get isEnded(): boolean { return this.#state === 'ended'; }
  get isServing(): boolean { return this.#state === 'serving'; }
  /** There is something that a snapshot taken now would cover. */
  get isUncovered(): boolean { return this.#sinceCookie > 0 || this.#unpromptedSinceCookie; }

  // ---- opening

  /** `onSession` has settled, so it is known whether the service is stateful (D-6). */
  declare(stateful: boolean): void {
    if (this.#state !== 'accepting') return;
    this.stateful = stateful;
    this.#saysDone = this.options.replyDone && !stateful && this.options.concurrency === 1;
    this.#state = 'restoring';
  }

  /** ASAP_COOKIE_ECHO, verified: comes before any data (RFC 5352 §3.8). `covered`: the last message that the cookie contains; undefined when it is foreign (D-24). */
  onEcho(cookie: Buffer, covered: number | undefined): void {
    if (this.#state === 'accepting' && this.#received === 0) this.#echo ??= { cookie, covered };
  }

  get hasEcho(): boolean { return this.#echo !== undefined; }

  /** COOKIE_INDICATION, handled to its end before any data (D-13); what it contains is settled. */
  restore(): void | PromiseLike<void> {
    if (!this.#echo) return undefined;
    const { cookie, covered } = this.#echo;
    this.#settled = covered ?? 0;
    if (covered !== undefined) this.#latest = { bytes: cookie, covered, outputs: 0 };
    return this.owner.restore(this.#echo.cookie);
  }

  /** Accepts the session, which is only now taken over: a pool element that cannot restore it never says so. Hands the mailbox to the service. */
  serve(): void {
    if (this.#state !== 'restoring') return;
    const { session, outputCommit } = this.options;
    writeFrame(this.port, encodeFrame({ type: 'ACCEPT', session, stateful: this.stateful, streaming: !outputCommit, credit: this.totalCredit }));
    this.port.flushSoon();
    this.#state = 'serving';
    this.pump();
  }

  // ---- what comes

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#state === 'ended' || this.#state === 'draining') return;
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
    if (this.#waiting > MOST_MESSAGES + Math.min(MOST_MESSAGES, this.options.windowMessages)) this.close('PROTOCOL_ERROR', `${this.#waiting} messages wait, and the pool user's window has ${this.options.windowMessages}`);
  }

  onWindow(bytes: Buffer, start: number): void {
    this.grantCredit(readU32(bytes, start + offsets.WINDOW.bytes));
    this.output.pump();
    this.pump();
  }

  /** The chunk's turn ends (D-22). */
  own(): void { this.#partial?.own(); }
  /** Something of the chunk at hand is kept. */
  get keepsPieces(): boolean { return this.#partial !== undefined && !this.#partial.isEmpty; }

  // ---- handling, one at a time and in order (D-5)

  pump(): void {
    while (this.#waiting > 0 && this.#mayRun()) {
      const incoming = this.#mailbox[this.#mailboxHead]!;
      this.#mailboxHead++;
      this.#waiting--;
      if (this.#mailboxHead === this.#mailbox.length || this.#mailboxHead >= 256) { this.#mailbox.splice(0, this.#mailboxHead); this.#mailboxHead = 0; }
      this.#run(incoming);
    }
  }

  /** Hands nothing more to the service until `release` (D-29); what comes waits. */
  hold(): void { this.#isHeld = true; }
  release(): void { this.#isHeld = false; this.pump(); }

  /** Not while much output waits: a peer that does not read costs no more than that (D-21). The owner may find out just then that it has to be held. */
  #mayRun(): boolean {
    return this.#state === 'serving' && !this.#isHeld && this.#runningCount < this.#concurrency && this.output.bytes < OUTPUT_LIMIT && this.owner.mayRun(this) && !this.#isHeld;
  }

  #run(incoming: Incoming): void {
    this.current = incoming;
    let result: void | PromiseLike<void>;
    try {
      result = this.owner.handle(incoming);
    } catch (error) {
      this.current = undefined;
      return this.#fail(incoming, error);
    }
    this.current = undefined;
    if (!isThenable(result)) return this.#settleAtOnce(incoming);
    this.running.add(incoming);
    this.#runningCount++;
    result.then(() => { this.#ranOut(incoming); this.#settle(incoming); this.pump(); }, (error: unknown) => { this.#ranOut(incoming); this.#fail(incoming, error); });
  }

  #ranOut(incoming: Incoming): void {
    this.running.delete(incoming);
    this.#runningCount--;
  }

  /** Straight way of a stateless service: the handler has replied and settled before anything was written behind its reply. */
  #settleAtOnce(incoming: Incoming): void {
    const { sequence, payload } = incoming;
    if (!this.#saysDone || this.#lastReply === undefined || incoming.replies === 0 || incoming.recovery || incoming.failure || this.#state === 'ended' || !markReplyDone(this.#lastReply, this.#session, sequence)) return this.#settle(incoming);
    incoming.settled = true;
    this.#done = undefined;
    this.#settled = sequence;
    this.#consumed(payload.length);
    this.#checkIdle();
  }

  #settle(incoming: Incoming): void {
    incoming.settled = true;
    if (this.#state === 'ended') return this.#checkIdle();
    if (incoming.failure) return this.#fail(incoming, incoming.failure);
    this.#consumed(incoming.payload.length);
    if (incoming.gathered) for (const { index, ppid, payload } of incoming.gathered) void this.#writeReply(incoming, index, ppid, payload);
    if (incoming.recovery) this.#doneNow(incoming.sequence, mapping.DONE.flags.recovery);
    else if (this.options.concurrency > 1) this.#doneNow(incoming.sequence, 0);
    else this.#done = this.#settled = incoming.sequence;
    if (incoming.cookie) this.#cookie = { bytes: incoming.cookie, covered: this.#settled, outputs: this.#outputs };
    this.#countTowardsCookie(incoming);
    if (this.output.isEmpty) this.port.flushSoon(); else this.#commitSettled(); // in its place: the peer waits for it before it grants more
    this.#checkIdle();
  }

  #countTowardsCookie(incoming: Incoming): void {
    if (incoming.cookie) return this.#restartCount();
    if (incoming.recovery) return;
    this.#sinceCookie++;
    this.#bytesSinceCookie += incoming.payload.length;
  }

  #restartCount(): void {
    this.#sinceCookie = this.#bytesSinceCookie = this.#unpromptedBytes = this.#unpromptedCount = 0;
    this.#unpromptedSinceCookie = false;
  }

  #fail(incoming: Incoming, error: unknown): void {
    incoming.settled = true;
    if (this.#state === 'ended') return this.#checkIdle();
    const code = error instanceof SessionError && error.code === 'OUTPUT_LIMIT' ? 'OUTPUT_LIMIT' : 'HANDLER_FAILED';
    this.close(code, error instanceof Error ? error.message : String(error), error, incoming.recovery ? 0 : incoming.sequence);
  }

  // ---- output

  replyTo(incoming: Incoming, data: Uint8Array | string, ppid: number): Promise<void> {
    const refused = this.#refusal(incoming, ppid);
    if (refused) return rejected(refused);
    const payload = typeof data === 'string' ? Buffer.from(data) : data;
    incoming.outputBytes += payload.length;
    if (this.#isHolding && (incoming.outputBytes > OUTPUT_LIMIT || incoming.replies >= MOST_MESSAGES)) {
      incoming.failure = new SessionError('OUTPUT_LIMIT', `one handler's output is held until it settles and may be ${OUTPUT_LIMIT} bytes, ${MESSAGE_CHARGE} for each reply among them; register with outputCommit: false to stream more`, { outcome: 'not-taken' });
      return rejected(incoming.failure);
    }
    incoming.outputBytes += MESSAGE_CHARGE;
    const index = incoming.replies++;
    this.#outputs++;
    if (!this.#isHolding || this.options.concurrency === 1) return this.#writeReply(incoming, index, ppid, payload);
    // Of several handlers at once each one's replies go together: else those of all would wait at the pool user for credit that none can have.
    (incoming.gathered ??= []).push({ index, ppid, payload: copyOf(payload) });
    return resolved;
  }

  #writeReply({ recovery, sequence }: Incoming, index: number, ppid: number, payload: Uint8Array): Promise<void> {
    const flags = recovery ? REPLY.recovery : 0;
    if (!this.#mayWrite(payload.length + this.#charge)) {
      this.#commitSettled(); // what is held for earlier handlers is given out, which brings credit
      const copy = copyOf(payload);
      return this.output.put(copy.length + this.#charge, () => { writeReply(this.port, this.#session, flags, ppid, sequence, index, copy); }) ?? resolved;
    }
    this.#lastReply = writeReply(this.port, this.#session, flags, ppid, sequence, index, payload);
    return resolved;
  }

  /** An unprompted message: waits at the pool user for the cookie that contains it; without `snapshot` it is at-most-once (D-12). */
  sendUnprompted(data: Uint8Array | string, ppid: number): Promise<void> {
    const refused = this.#refusal(undefined, ppid);
    if (refused) return rejected(refused);
    const payload = typeof data === 'string' ? Buffer.from(data) : data;
    const committed = this.options.mode === 'effectively-once' && this.stateful && this.owner.snapshot !== undefined;
    const isFull = (): boolean => this.#unpromptedBytes + payload.length > OUTPUT_LIMIT || this.#unpromptedCount >= MOST_MESSAGES;
    if (committed && isFull()) this.commit();
    if (committed && isFull()) return rejected(new SessionError('OUTPUT_LIMIT', `unprompted messages wait for the snapshot behind the running handler and may be ${OUTPUT_LIMIT} bytes`, { outcome: 'not-taken' }));
    if (this.output.bytes > 0 && this.output.bytes + payload.length > MAX_WAITING) return rejected(new SessionError('OUTPUT_LIMIT', `${this.output.bytes} bytes wait for a pool user that does not read; await what send() returns`, { outcome: 'not-taken' }));
    this.#outputs++;
    if (committed) { this.#unpromptedSinceCookie = true; this.#unpromptedBytes += payload.length + MESSAGE_CHARGE; this.#unpromptedCount++; this.port.flushSoon(); }
    const copy = copyOf(payload);
    return this.output.put(copy.length + this.#charge, () => { writeData(this.port, this.#session, committed ? 0 : DATA.uncommitted, ppid, 0, copy); }, { payload: copy, ppid }) ?? resolved;
  }

  acknowledge(incoming: Incoming): void {
    if (this.#state !== 'ended') void this.output.put(0, () => { writeWord(this.port, 'ACK', this.#session, 0, incoming.sequence); });
  }

  /** SET_COOKIE (D-7): in a handler it leaves when that settles and names its message; else it names the last settled one. */
  setCookie(bytes: Uint8Array | string, incoming: Incoming | undefined): void {
    const cookie = typeof bytes === 'string' ? Buffer.from(bytes) : copyOf(bytes);
    if (cookie.length > MAX_COOKIE) throw new UsageError('COOKIE_TOO_LARGE', `a state cookie of ${cookie.length} bytes; ${MAX_COOKIE} are possible`);
    if (this.#state !== 'accepting' && !this.stateful) throw new UsageError('STATELESS_SERVICE', 'setCookie needs a service with a cookie listener or a snapshot (declared when onSession settles)');
    if (incoming && !incoming.settled) { incoming.cookie = cookie; return; }
    this.#cookie = { bytes: cookie, covered: this.#settled, outputs: this.#outputs };
    this.#restartCount();
    this.port.flushSoon();
  }

  /** This turn's write is about to be made: the newest cookie, then DONE, behind the replies (D-10). */
  commit(): void {
    if (this.#state !== 'serving' && this.#state !== 'draining') return;
    if (this.#snapshotIsDue()) this.takeSnapshot();
    this.#commitSettled();
  }

  /** Without asking for a snapshot: in the midst of a handler, or when one has failed. */
  #commitSettled(): void {
    if (this.#state === 'ended') return;
    const cookie = this.#cookie;
    const done = this.#done;
    this.#cookie = this.#done = undefined;
    if (cookie && this.stateful) {
      this.#latest = cookie;
      void this.output.put(0, () => { this.#writeCookie(cookie); });
    }
    if (done === undefined) return;
    if (this.output.isClear) writeWord(this.port, 'DONE', this.#session, mapping.DONE.flags.cumulative, done);
    else void this.output.put(0, () => { writeWord(this.port, 'DONE', this.#session, mapping.DONE.flags.cumulative, done); });
  }

  /** Between handlers only: asks the service for its state and sends it as a cookie with the next commit. */
  takeSnapshot(): void {
    if (!this.owner.snapshot || !this.stateful || this.running.size > 0 || this.current !== undefined || this.#state === 'ended') return;
    try {
      const bytes: unknown = this.owner.snapshot();
      if (isThenable(bytes)) bytes.then(undefined, () => undefined); // nobody else waits for it
      if (bytes instanceof Uint8Array || typeof bytes === 'string') this.setCookie(bytes, undefined);
      else if (bytes !== undefined) throw new UsageError('INVALID_DATA', `snapshot returns bytes, or undefined, at once; not ${isThenable(bytes) ? 'a promise' : typeof bytes}`);
    } catch (error) {
      this.close('HANDLER_FAILED', 'snapshot failed', error);
    }
  }

  /** Sends the last cookie again, issued anew: it still says the same. */
  repeatCookie(): void {
    if (this.#state !== 'serving' || !this.#latest) return;
    this.#cookie ??= this.#latest;
    this.port.flushSoon();
  }

  // ---- leaving

  /** Hands nothing more to the service; resolves when the running handler has settled and cookie and MOVE are on their way (D-27). */
  async drain(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'draining';
    this.#emptyMailbox();
    await this.settled();
    this.takeSnapshot();
    this.commit();
    void this.output.put(0, () => { writeFrame(this.port, encodeFrame({ type: 'MOVE', session: this.#session })); });
    this.port.flushSoon();
  }

  /** Resolves when no handler runs. */
  settled(): Promise<void> {
    if (this.running.size === 0) return resolved;
    return new Promise((resolve) => { (this.#idle ??= []).push(resolve); });
  }

  /** Ends the half and tells the pool user; what earlier handlers finished is committed first. */
  close(code: CloseCode, reason: string, cause?: unknown, id = 0): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'serving' || this.#state === 'draining') this.#commitSettled();
    this.output.clear();
    writeFrame(this.port, encodeFrame({ type: 'CLOSE', session: this.#session, code: closeCodes[code], id, tail: reason.slice(0, 1000) }));
    this.port.flushSoon();
    this.end(code, reason, cause);
  }

  /** Ends the half without a word: the link is gone, the pool user has closed or opened the session anew. */
  end(code: CloseCode, reason: string, cause?: unknown): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#emptyMailbox();
    this.#partial = undefined;
    this.output.clear();
    this.owner.ended(code, reason, cause);
    this.#checkIdle();
  }

  // ---- below

  /** Whether `bytes` may be written at once; then their credit is taken. */
  #mayWrite(bytes: number): boolean {
    if (bytes > this.credit || !this.output.isClear) return false;
    this.takeCredit(bytes);
    return true;
  }

  #refusal(incoming: Incoming | undefined, ppid: number): Error | undefined {
    if (this.#state === 'ended') return new SessionError('SESSION_CLOSED', 'the session has left this pool element', { outcome: 'not-taken' });
    if (incoming?.settled === true) return new UsageError('NOT_IN_HANDLER', 'the handler of this message has settled; session.send() sends without a request');
    if (ppid === ASAP_PPID) return new UsageError('INVALID_OPTION', `payload protocol id ${ASAP_PPID} is ASAP's own`);
    return undefined;
  }

  #inOrder(id: number): boolean {
    if (this.#received !== 0 && !isAfter(id, this.#received)) { this.close('PROTOCOL_ERROR', `message ${id} after message ${this.#received}`); return false; }
    this.#received = id;
    return true;
  }

  #whole(fragment: Buffer, hasMore: boolean): Buffer | undefined {
    if (!this.receive(fragment.length)) {
      this.close('PROTOCOL_ERROR', `more than the credit of ${DEFAULT_CREDIT} bytes was sent`);
      return undefined;
    }
    if (!hasMore && this.#partial === undefined) return fragment;
    const whole = (this.#partial ??= new Reassembly()).add(fragment, hasMore);
    if (this.#partial.isCrumbled) this.close('PROTOCOL_ERROR', 'a message in too many fragments');
    return whole;
  }

  #consumed(bytes: number): void {
    const grant = this.consume(bytes);
    if (grant > 0) writeWord(this.port, 'WINDOW', this.#session, 0, grant);
  }

  #doneNow(id: number, flags: number): void {
    if (!(flags & mapping.DONE.flags.recovery)) this.#settled = isAfter(id, this.#settled) ? id : this.#settled;
    void this.output.put(0, () => { writeWord(this.port, 'DONE', this.#session, flags, id); });
  }

  #emptyMailbox(): void {
    this.#mailbox = [];
    this.#mailboxHead = this.#waiting = 0;
  }

  #snapshotIsDue(): boolean {
    const { windowMessages, windowBytes } = this.options;
    return this.#unpromptedSinceCookie || this.#sinceCookie * 2 >= windowMessages || this.#bytesSinceCookie * 2 >= windowBytes;
  }

  #writeCookie({ bytes, covered, outputs }: PendingCookie): void {
    writeData(this.port, this.#session, 0, ASAP_PPID, 0, this.owner.encodeCookie(bytes, covered, outputs));
  }

  #checkIdle(): void {
    if (this.#idle === undefined || this.running.size > 0) return;
    const waiting = this.#idle;
    this.#idle = undefined;
    for (const resolve of waiting) resolve();
  }
}

export function isThenable(value: unknown): value is PromiseLike<void> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** A rejection that nobody need await (D-4). */
function rejected(error: Error): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => undefined);
  return promise;
}
