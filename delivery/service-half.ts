import { SessionError, UsageError } from '../errors.js';
import { ASAP_PPID, closeCodes, encodeFrame, isUnordered, mapping, MAX_FRAGMENT, MOST_STREAMS, offsets, readU32, streamOf, UNORDERED, type CloseCode, type Frame } from '../wire/mapping.js';
import type { StreamCover } from '../wire/snapshot.js';
import { copyOf } from './buffers.js';
import { MESSAGE_CHARGE, MOST_MESSAGES } from './credit.js';
import type { Incoming } from './incoming.js';
import type { DeliveryMode } from './modes.js';
import { OutputQueue } from './output-queue.js';
import { writeData, writeFrame, type Port } from './port.js';
import { isThenable, OUTPUT_LIMIT, outputRefusal, rejected, ServiceLane, SideLane } from './service-lane.js';

/** Output of all kinds that may wait for a pool user to read, when an unprompted message is to join it (D-21). */
export const MAX_WAITING = 8 * 1024 * 1024;
/** Bytes of application data in a state cookie at most (D-25). */
export const MAX_COOKIE = 65_000;

/** What a cookie contains: the last message of stream 0, and of each other stream that has been used (D-23). */
export interface Coverage { readonly covered: number; readonly streams?: readonly StreamCover[] | undefined }

/** What the service and its surroundings do for a half. */
export interface ServiceHalfOwner {
  /** Runs the `data` listeners; what they return is awaited (D-5). */
  handle(incoming: Incoming): void | PromiseLike<void>;
  /** COOKIE_INDICATION: runs the `cookie` listeners. */
  restore(cookie: Buffer): void | PromiseLike<void>;
  /** The service's `snapshot`, where it has one. */
  readonly snapshot: (() => Uint8Array | undefined) | undefined;
  /** The cookie as an ASAP_COOKIE. */
  encodeCookie(cookie: Buffer, coverage: Coverage, outputs: number): Uint8Array;
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

/** `coverage`: undefined where the cookie is foreign. */
interface Echo { readonly cookie: Buffer; readonly coverage: Coverage | undefined }
interface PendingCookie extends Coverage { readonly bytes: Buffer; readonly outputs: number }

const DATA = mapping.DATA.flags;
const resolved = Promise.resolve();

/** The pool element's half of a session in one epoch: its life, cookies (D-7), unprompted messages (D-12). What is handled and replied stands in its lanes, of which it is the first itself. */
export class ServiceHalf extends ServiceLane {
  // In this order: first what each message needs, so that it lies together.
  readonly half: this = this;
  readonly lane: number = 0;
  state: 'accepting' | 'restoring' | 'serving' | 'draining' | 'ended' = 'accepting';
  isHeld = false;
  /** Of `running`. */
  runningCount = 0;
  readonly concurrency: number;
  outputs = 0;
  /** On its link. */
  readonly session: number;
  /** The message whose handler runs right now, on the stack. */
  current: Incoming | undefined;
  readonly output: OutputQueue;
  readonly port: Port;
  readonly owner: ServiceHalfOwner;
  /** The pool user holds a handler's replies until it has settled. */
  readonly isHolding: boolean;
  /** A handler's replies leave together when it settles. */
  gathers: boolean;
  readonly charge: number;
  /** The last reply of a handler may say that it has settled. */
  saysDone = false;
  #idle: (() => void)[] | undefined;
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
  readonly options: ServiceHalfOptions;
  /** Messages whose handlers have returned a promise that has not settled. */
  readonly running = new Set<Incoming>();
  #echo: Echo | undefined;
  /** Lanes beside stream 0, by their number in the header. */
  #side: Map<number, ServiceLane> | undefined;
  /** Who is first when they are pumped. */
  #turn = 0;
  /** Streams that something was written on beside 0: a bit each. */
  #ways = 0;

  constructor(port: Port, options: ServiceHalfOptions, owner: ServiceHalfOwner) {
    super();
    this.port = port;
    this.owner = owner;
    this.options = options;
    this.epoch = options.epoch;
    this.session = options.session;
    this.concurrency = options.concurrency;
    this.isHolding = options.outputCommit && options.mode === 'effectively-once';
    this.gathers = this.isHolding && options.concurrency > 1;
    this.charge = options.messageCharge;
    this.resetCredit(options.credit);
    this.output = new OutputQueue(port, this);
  }

  get isEnded(): boolean { return this.state === 'ended'; }
  get isDraining(): boolean { return this.state === 'draining'; }
  get isServing(): boolean { return this.state === 'serving'; }
  /** There is something that a snapshot taken now would cover. */
  get isUncovered(): boolean { return this.#sinceCookie > 0 || this.#unpromptedSinceCookie; }

  // ---- lanes (D-23)

  /** The lane of that number; made where it is new. */
  laneOf(lane: number): ServiceLane {
    if (lane === 0) return this;
    let known = this.#side?.get(lane);
    if (known === undefined) {
      known = new SideLane(this, lane);
      (this.#side ??= new Map()).set(lane, known);
      this.gathers = this.isHolding && (this.concurrency > 1 || !this.stateful);
    }
    return known;
  }

  /** By which stream of the transport that lane's output goes. Where there are cookies all of it keeps one order: a reply must not come behind the cookie that contains it, nor DONE before it (D-10).
   *  Nothing would be gained by less: what is given out waits for the cookie anyway, and that for all that it contains. */
  way(lane: number): number {
    if (lane === 0 || this.stateful) return 0;
    const stream = streamOf(lane);
    this.#ways |= 1 << stream;
    return stream;
  }

  #lanes(): ServiceLane[] { return this.#side === undefined ? [this] : [this, ...this.#side.values()]; }

  #pendingCookie(bytes: Buffer): PendingCookie {
    return { bytes, covered: this.handledTo, streams: this.#side === undefined ? undefined : coverOf([...this.#side.values()]), outputs: this.outputs };
  }

  // ---- opening

  /** `onSession` has settled, so it is known whether the service is stateful (D-6). */
  declare(stateful: boolean): void {
    if (this.state !== 'accepting') return;
    this.stateful = stateful;
    this.saysDone = this.options.replyDone && !stateful && this.concurrency === 1;
    this.state = 'restoring';
  }

  /** ASAP_COOKIE_ECHO, verified: comes before any data (RFC 5352 §3.8). `coverage`: which messages the cookie contains; undefined when it is foreign (D-24). */
  onEcho(cookie: Buffer, coverage: Coverage | undefined): void {
    if (this.state === 'accepting' && !this.hasReceived) this.#echo ??= { cookie, coverage: coverage && { covered: coverage.covered, streams: coverage.streams } };
  }

  get hasEcho(): boolean { return this.#echo !== undefined; }

  /** COOKIE_INDICATION, handled to its end before any data (D-13); what it contains is settled. */
  restore(): void | PromiseLike<void> {
    if (!this.#echo) return undefined;
    const { cookie, coverage } = this.#echo;
    this.handledTo = coverage?.covered ?? 0;
    for (const { stream, covered } of coverage?.streams ?? []) this.laneOf(stream).handledTo = covered;
    if (coverage) this.#latest = { bytes: cookie, ...coverage, outputs: 0 };
    return this.owner.restore(this.#echo.cookie);
  }

  /** Accepts the session, which is only now taken over: a pool element that cannot restore it never says so. Hands the mailbox to the service. */
  serve(): void {
    if (this.state !== 'restoring') return;
    const { session, outputCommit } = this.options;
    writeFrame(this.port, encodeFrame({ type: 'ACCEPT', session, stateful: this.stateful, streaming: !outputCommit, credit: this.totalCredit }));
    this.port.flushSoon();
    this.state = 'serving';
    this.pump();
  }

  // ---- what comes

  onWindow(bytes: Buffer, start: number): void {
    this.grantCredit(readU32(bytes, start + offsets.WINDOW.bytes));
    this.output.pump();
    this.pump();
  }

  /** The chunk's turn ends (D-22). */
  own(): void {
    this.ownPieces();
    if (this.#side !== undefined) for (const lane of this.#side.values()) lane.ownPieces();
  }

  /** Something of the chunk at hand is kept. */
  get keepsPieces(): boolean { return this.hasPieces || (this.#side !== undefined && this.#lanes().some(({ hasPieces }) => hasPieces)); }

  // ---- handling

  /** Hands over what may be handled now, of each lane in turn. */
  pump(): void {
    if (this.#side === undefined) return this.pumpLane();
    const lanes = this.#lanes();
    const first = this.#turn++ % lanes.length;
    for (let isMoving = true; isMoving;) {
      isMoving = false;
      for (let i = 0; i < lanes.length; i++) isMoving = lanes[(first + i) % lanes.length]!.runNext() || isMoving;
    }
  }

  /** Hands nothing more to the service until `release` (D-29); what comes waits. */
  hold(): void { this.isHeld = true; }
  release(): void { this.isHeld = false; this.pump(); }

  /** For the lanes: its handler has settled. */
  handled(incoming: Incoming): void {
    if (incoming.cookie) this.#cookie = this.#pendingCookie(incoming.cookie);
    this.#countTowardsCookie(incoming);
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

  // ---- output

  /** An unprompted message: waits at the pool user for the cookie that contains it; without `snapshot` it is at-most-once (D-12). */
  sendUnprompted(data: Uint8Array | string, ppid: number, lane = 0): Promise<void> {
    const refused = this.refusal(undefined, ppid);
    if (refused) return rejected(refused);
    const payload = typeof data === 'string' ? Buffer.from(data) : data;
    const committed = this.options.mode === 'effectively-once' && this.stateful && this.owner.snapshot !== undefined;
    const unfit = isUnordered(lane) ? unorderedRefusal(payload.length, committed) : undefined;
    if (unfit) return rejected(unfit);
    const isFull = (): boolean => this.#unpromptedBytes + payload.length > OUTPUT_LIMIT || this.#unpromptedCount >= MOST_MESSAGES;
    if (committed && isFull()) this.commit();
    if (committed && isFull()) return rejected(new SessionError('OUTPUT_LIMIT', `unprompted messages wait for the snapshot behind the running handler and may be ${OUTPUT_LIMIT} bytes`, { outcome: 'not-taken' }));
    if (this.output.bytes > 0 && this.output.bytes + payload.length > MAX_WAITING) return rejected(new SessionError('OUTPUT_LIMIT', `${this.output.bytes} bytes wait for a pool user that does not read; await what send() returns`, { outcome: 'not-taken' }));
    this.outputs++;
    if (committed) { this.#unpromptedSinceCookie = true; this.#unpromptedBytes += payload.length + MESSAGE_CHARGE; this.#unpromptedCount++; this.port.flushSoon(); }
    const copy = copyOf(payload);
    const way = this.way(lane) | (lane & UNORDERED);
    return this.output.put(copy.length + this.charge, () => { writeData(this.port, this.session, committed ? 0 : DATA.uncommitted, ppid, 0, copy, lane, way); }, { payload: copy, ppid }) ?? resolved;
  }

  /** SET_COOKIE (D-7): in a handler it leaves when that settles and names its message; else it names the last settled one. */
  setCookie(bytes: Uint8Array | string, incoming: Incoming | undefined): void {
    const cookie = typeof bytes === 'string' ? Buffer.from(bytes) : copyOf(bytes);
    if (cookie.length > MAX_COOKIE) throw new UsageError('COOKIE_TOO_LARGE', `a state cookie of ${cookie.length} bytes; ${MAX_COOKIE} are possible`);
    if (this.state !== 'accepting' && !this.stateful) throw new UsageError('STATELESS_SERVICE', 'setCookie needs a service with a cookie listener or a snapshot (declared when onSession settles)');
    if (incoming && !incoming.settled) { incoming.cookie = cookie; return; }
    this.#cookie = this.#pendingCookie(cookie);
    this.#restartCount();
    this.port.flushSoon();
  }

  /** This turn's write is about to be made: the newest cookie, then DONE, behind the replies (D-10). */
  commit(): void {
    if (this.state !== 'serving' && this.state !== 'draining') return;
    if (this.#snapshotIsDue()) this.takeSnapshot();
    this.commitSettled();
  }

  /** Without asking for a snapshot: in the midst of a handler, or when one has failed. */
  commitSettled(): void {
    if (this.state === 'ended') return;
    const cookie = this.#cookie;
    this.#cookie = undefined;
    if (cookie && this.stateful) {
      this.#latest = cookie;
      void this.output.put(0, () => { this.#writeCookie(cookie); });
    }
    this.commitDone();
    if (this.#side !== undefined) for (const lane of this.#side.values()) lane.commitDone();
  }

  /** Between handlers only: asks the service for its state and sends it as a cookie with the next commit. */
  takeSnapshot(): void {
    if (!this.owner.snapshot || !this.stateful || this.running.size > 0 || this.current !== undefined || this.state === 'ended') return;
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
    if (this.state !== 'serving' || !this.#latest) return;
    this.#cookie ??= this.#latest;
    this.port.flushSoon();
  }

  // ---- leaving

  /** Hands nothing more to the service; resolves when the running handler has settled and cookie and MOVE are on their way (D-27). */
  async drain(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'draining';
    for (const lane of this.#lanes()) lane.emptyMailbox();
    await this.settled();
    this.takeSnapshot();
    this.commit();
    void this.output.put(0, () => { this.#writeLast({ type: 'MOVE', session: this.session }); });
    this.port.flushSoon();
  }

  /** Resolves when no handler runs. */
  settled(): Promise<void> {
    if (this.running.size === 0) return resolved;
    return new Promise((resolve) => { (this.#idle ??= []).push(resolve); });
  }

  /** Ends the half and tells the pool user; what earlier handlers finished is committed first. */
  close(code: CloseCode, reason: string, cause?: unknown, id = 0, lane = 0): void {
    if (this.state === 'ended') return;
    if (this.state === 'serving' || this.state === 'draining') this.commitSettled();
    this.output.clear();
    this.#writeLast({ type: 'CLOSE', session: this.session, code: closeCodes[code], id, tail: reason.slice(0, 1000) }, lane);
    this.port.flushSoon();
    this.end(code, reason, cause);
  }

  /** Ends the half without a word: the link is gone, the pool user has closed or opened the session anew. */
  end(code: CloseCode, reason: string, cause?: unknown): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    for (const lane of this.#lanes()) lane.forget();
    this.output.clear();
    this.owner.ended(code, reason, cause);
    this.checkIdle();
  }

  /** MOVE or CLOSE, behind all that has been sent: on each stream that something went on goes a part of it, and the frame itself says how many. */
  #writeLast(frame: Frame<'MOVE' | 'CLOSE'>, lane = 0): void {
    let parts = 0;
    for (let stream = 1; stream < MOST_STREAMS; stream++) {
      if ((this.#ways & (1 << stream)) === 0) continue;
      writeFrame(this.port, encodeFrame({ ...frame, part: true }), stream);
      parts++;
    }
    const bytes = encodeFrame(frame);
    bytes[5]! |= parts;
    bytes[6] = lane >>> 8;
    bytes[7] = lane;
    writeFrame(this.port, bytes);
  }

  // ---- below

  /** For the lanes. Whether `bytes` may be written at once; then their credit is taken. */
  mayWrite(bytes: number): boolean {
    if (bytes > this.credit || !this.output.isClear) return false;
    this.takeCredit(bytes);
    return true;
  }

  /** For the lanes. */
  refusal(incoming: Incoming | undefined, ppid: number): Error | undefined { return outputRefusal(this.state === 'ended', incoming, ppid); }

  #snapshotIsDue(): boolean {
    const { windowMessages, windowBytes } = this.options;
    return this.#unpromptedSinceCookie || this.#sinceCookie * 2 >= windowMessages || this.#bytesSinceCookie * 2 >= windowBytes;
  }

  #writeCookie(cookie: PendingCookie): void {
    writeData(this.port, this.session, 0, ASAP_PPID, 0, this.owner.encodeCookie(cookie.bytes, cookie, cookie.outputs));
  }

  /** For the lanes. */
  checkIdle(): void {
    if (this.#idle === undefined || this.running.size > 0) return;
    const waiting = this.#idle;
    this.#idle = undefined;
    for (const resolve of waiting) resolve();
  }
}

/** What has been handled on streams beside 0. */
function coverOf(lanes: readonly ServiceLane[]): StreamCover[] {
  const used = lanes.filter(({ lane, handledTo }) => !isUnordered(lane) && handledTo !== 0);
  return used.map(({ lane, handledTo }) => ({ stream: lane, covered: handledTo })).sort((a, b) => a.stream - b.stream);
}

function unorderedRefusal(length: number, isCommitted: boolean): UsageError | undefined {
  if (isCommitted) return new UsageError('INVALID_OPTION', 'effectively-once has an order: what a snapshot is to contain does not go unordered');
  return length > MAX_FRAGMENT ? new UsageError('MESSAGE_TOO_LARGE', `an unordered message of ${length} bytes; ${MAX_FRAGMENT} are possible`) : undefined;
}
